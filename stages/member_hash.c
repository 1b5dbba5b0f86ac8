#include "stages/member_hash.h"

#include <errno.h>
#include <stdlib.h>

#include "stages/batch.h"
#include "stages/digest.h"

struct member_hasher {
    const struct member_hash_job *job;
    struct digest_hasher *digests;
    struct digest_message *message;
    uint32_t *member; /* which of the batch each message is */
};

static void hasher_close(void *state)
{
    struct member_hasher *hasher = state;
    digest_hasher_destroy(hasher->digests);
    free(hasher->message);
    free(hasher->member);
    free(hasher);
}

static int hasher_open(void *job, void **state)
{
    struct member_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return -ENOMEM;
    hasher->job = job;
    hasher->message = calloc(hasher->job->files_max, sizeof *hasher->message);
    hasher->member = calloc(hasher->job->files_max, sizeof *hasher->member);
    int error = hasher->message && hasher->member ? 0 : -ENOMEM;
    if (!error)
        error = digest_hasher_create(hasher->job->hash->algorithms, &hasher->digests);
    if (error) {
        hasher_close(hasher);
        return error;
    }
    digest_set_engine(hasher->digests, hasher->job->hash->engine);
    *state = hasher;
    return 0;
}

/* A hard link that comes with data has that of all names of the file. */
static bool is_whole(const struct file_record *file)
{
    bool has_data =
        !(file->flags & FILE_NOT_FILE) || (file->flags & FILE_HARD_LINK && file->data_bytes);
    return file->state == FILE_READ && has_data && !(file->flags & FILE_PIECE) &&
           !fault_is_set(file->fault);
}

static void hasher_run(void *state, const struct item_view *view)
{
    struct member_hasher *hasher = state;
    const struct hash_job *hash = hasher->job->hash;
    struct batch *batch = batch_of(view);
    size_t count = 0;
    for (uint32_t i = 0; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        if (!is_whole(file))
            continue;
        hasher->message[count] = (struct digest_message){
            .data = view->input + file->data,
            .bytes = file->data_bytes,
            .output = view->output + i * hash_stride_bytes(hash),
        };
        hasher->member[count++] = i;
    }
    int error = digest_many(hasher->digests, hash->algorithms, hasher->message, count);
    for (size_t m = 0; m < count; m++) {
        struct file_record *file = &batch->file[hasher->member[m]];
        if (error)
            file->fault = fault_system(TM_OP_HASH, error);
        else
            file->state = FILE_HASHED;
    }
}

const struct stage_ops member_hash_stage = {
    .name = "hash",
    .confinement = stage_only_computes,
    .open = hasher_open,
    .close = hasher_close,
    .run = hasher_run,
};
