#include "stages/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/io.h"

enum phase {
    PLACER_NEXT,    /* look for the next file to write */
    PLACER_WRITTEN, /* its data is being written */
    PLACER_SYNCED   /* and brought to the disk */
};

struct placer {
    const struct place_job *job;
    enum phase phase;
    unsigned index;
    struct target *target; /* of the file in work */
};

static int placer_open(void *job, void **state)
{
    struct placer *placer = calloc(1, sizeof *placer);
    if (!placer)
        return -ENOMEM;
    placer->job = job;
    *state = placer;
    return 0;
}

static void placer_close(void *state)
{
    struct placer *placer = state;
    target_discard(placer->target);
    free(placer);
}

static void end_file(struct placer *placer, struct file_record *file, enum tm_operation operation,
                     int error)
{
    if (error)
        file->fault = fault_system(operation, error);
    target_discard(placer->target);
    placer->target = NULL;
    placer->index++;
    placer->phase = PLACER_NEXT;
}

/* A worker may have died between publishing and saying so: then the file is there already, and is
 * what would be written now. */
static bool is_there_already(struct placer *placer, const struct item_view *view,
                             const struct file_record *file, const struct squeezed *made)
{
    struct placing placing = placer->job->placing;
    char *path, *data = NULL;
    bool same = false;
    if (!(file->flags & FILE_PLACED) ||
        placing_path(&placing, batch_path(view, file), file->path_bytes, &path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    data = malloc((size_t)made->bytes + 1);
    if (fd >= 0 && data)
        same = read(fd, data, (size_t)made->bytes + 1) == (ssize_t)made->bytes &&
               memcmp(data, view->output + placer->job->squeeze->output_start + made->start,
                      (size_t)made->bytes) == 0;
    if (fd >= 0)
        close(fd);
    free(data);
    free(path);
    return same;
}

static void begin_file(struct placer *placer, const struct item_view *view,
                       struct file_record *file, const struct squeezed *made,
                       struct io_chain *chain)
{
    int error = placing_open(&placer->job->placing, batch_path(view, file), file->path_bytes,
                             &placer->target);
    if (error) {
        bool is_done = error == -EEXIST && is_there_already(placer, view, file, made);
        end_file(placer, file, TM_OP_CREATE, is_done ? 0 : error);
        return;
    }
    io_add(chain,
           (struct io_op){.code = IO_WRITE,
                          .fd = target_fd(placer->target),
                          .data = view->output + placer->job->squeeze->output_start + made->start,
                          .size = (size_t)made->bytes,
                          .offset = target_is_special(placer->target) ? IO_AT_POSITION : 0});
    placer->phase = PLACER_WRITTEN;
}

static void publish(struct placer *placer, struct file_record *file)
{
    file->flags |= FILE_PLACED;
    end_file(placer, file, TM_OP_CREATE, target_publish(placer->target));
}

static bool next_file(struct placer *placer, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    for (; placer->index < batch->file_count; placer->index++) {
        struct file_record *file = &batch_of(view)->file[placer->index];
        const struct squeezed *made = squeezed_of(placer->job->squeeze, view, placer->index);
        if (fault_is_set(file->fault) || file->flags & FILE_NOT_FILE)
            continue;
        if (!placer->job->only_smaller || made->bytes < file->data_bytes)
            return true;
        file->fault = fault_of(TM_FAULT_NOT_SMALLER);
    }
    return false;
}

static bool placer_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct placer *placer = state;
    if (!chain->count) { /* a new item */
        placer->index = 0;
        placer->phase = PLACER_NEXT;
        if (batch_is_chunk(view))
            return false;
    }
    for (;;) {
        int64_t result = chain->count ? chain->op[0].result : 0;
        chain->count = 0;
        if (placer->phase == PLACER_NEXT && !next_file(placer, view))
            return false;
        struct file_record *file = &batch_of(view)->file[placer->index];
        atomic_store_explicit(&view->item->cursor, placer->index, memory_order_relaxed);
        switch (placer->phase) {
        case PLACER_NEXT:
            begin_file(placer, view, file, squeezed_of(placer->job->squeeze, view, placer->index),
                       chain);
            break;
        case PLACER_WRITTEN:
            if (result >= 0)
                result = placing_inherit(placer->target, batch_path(view, file), file->path_bytes,
                                         &file->stat);
            if (result < 0) {
                end_file(placer, file, TM_OP_WRITE, (int)result);
            } else if (placer->job->placing.sync) {
                io_add(chain, (struct io_op){.code = IO_FSYNC, .fd = target_fd(placer->target)});
                placer->phase = PLACER_SYNCED;
            } else {
                publish(placer, file);
            }
            break;
        case PLACER_SYNCED:
            if (result < 0)
                end_file(placer, file, TM_OP_SYNC, (int)result);
            else
                publish(placer, file);
            break;
        }
        if (chain->count)
            return true;
    }
}

const struct stage_ops place_stage = {
    .name = "write",
    .open = placer_open,
    .close = placer_close,
    .step = placer_step,
    .blame = batch_blame,
};
