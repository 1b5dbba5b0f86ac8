#include "stages/compare.h"

#include <string.h>

#include "stages/hash.h"

void expectation_of(const struct item_view *view, const struct file_record *file,
                    struct expectation *expectation)
{
    memcpy(expectation, view->input + file->attachment, sizeof *expectation);
}

static int compare_open(void *job, void **state)
{
    *state = job;
    return 0;
}

static void compare_run(void *state, const struct item_view *view)
{
    const struct hash_job *job = state;
    struct batch *batch = batch_of(view);
    for (unsigned i = 0; i < batch->file_count; i++) {
        struct file_record *file = &batch->file[i];
        if (file->state != FILE_HASHED || fault_is_set(file->fault))
            continue;
        struct expectation expected;
        expectation_of(view, file, &expected);
        const uint8_t *digests = view->input + file->attachment + sizeof expected;
        bool same = memcmp(digests, view->output + i * hash_stride_bytes(job),
                           digest_set_bytes(file->algorithms)) == 0;
        if (expected.has_size && expected.size_bytes != file->stat.size_bytes)
            same = false;
        if (same)
            file->flags |= FILE_MATCHES;
        else
            file->flags &= (uint16_t)~FILE_MATCHES;
    }
}

const struct stage_ops compare_stage = {
    .name = "write",
    .open = compare_open,
    .run = compare_run,
};
