#include "stages/render.h"

#include <errno.h>

bool record_is_complete(const struct item_view *view, const struct file_record *file)
{
    return !fault_is_set(file->fault) && !(file->flags & FILE_NOT_FILE) &&
           (!batch_is_chunk(view) || view->item->last);
}

void render_entry(const struct hash_job *job, const struct item_view *view, unsigned index,
                  struct manifest_entry *entry)
{
    const struct file_record *file = &batch_of(view)->file[index];
    *entry = (struct manifest_entry){
        .path = batch_path(view, file),
        .path_bytes = file->path_bytes,
        .size_bytes = file->stat.size_bytes,
        .mtime_seconds = file->stat.mtime_seconds,
        .mtime_ns = file->stat.mtime_ns,
        .mode = file->stat.mode,
        .uid = file->stat.uid,
        .gid = file->stat.gid,
        .algorithms = file->algorithms,
        .digests = view->output + index * hash_stride_bytes(job),
    };
}

ptrdiff_t render_batch(const struct render_job *job, const struct item_view *view, char *buffer,
                       size_t capacity)
{
    const struct batch *batch = batch_of(view);
    size_t used = 0;
    for (unsigned i = 0; i < batch->file_count; i++) {
        if (!record_is_complete(view, &batch->file[i]))
            continue;
        struct manifest_entry entry;
        render_entry(job->hash, view, i, &entry);
        ptrdiff_t bytes = manifest_render(job->format, &entry, buffer + used, capacity - used);
        if (bytes == -EILSEQ) {
            batch_of(view)->file[i].fault = fault_of(TM_FAULT_NAME);
            continue;
        }
        if (bytes < 0)
            return bytes;
        used += (size_t)bytes;
    }
    return (ptrdiff_t)used;
}

static int render_open(void *job, void **state)
{
    *state = job;
    return 0;
}

static void render_run(void *state, const struct item_view *view)
{
    const struct render_job *job = state;
    struct batch *batch = batch_of(view);
    batch->rendered_bytes = 0;
    if (job->nothing)
        return;
    ptrdiff_t bytes =
        render_batch(job, view, (char *)view->input + batch->data_start, job->block_bytes);
    batch->rendered_bytes = bytes < 0 ? BATCH_NOT_RENDERED : (uint32_t)bytes;
}

const struct stage_ops render_stage = {
    .name = "write",
    .open = render_open,
    .run = render_run,
    .confinement = stage_only_computes,
};
