#include "stages/batch.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pipeline/arena.h"

void batch_clear(const struct item_view *view, const struct batch_shape *shape)
{
    struct batch *batch = batch_of(view);
    batch->file_count = 0;
    batch->meta_bytes = (uint32_t)(sizeof *batch + shape->files_max * sizeof *batch->file);
    batch->data_start = shape->meta_bytes;
    batch->data_bytes = 0;
    batch->packed_bytes = 0;
    batch->rendered_bytes = BATCH_NOT_RENDERED;
}

static uint32_t add_text(const struct item_view *view, const void *text, size_t bytes)
{
    struct batch *batch = batch_of(view);
    uint32_t offset = batch->meta_bytes;
    memcpy(view->input + offset, text, bytes);
    batch->meta_bytes += (uint32_t)bytes;
    return offset;
}

static bool same_directory(const struct item_view *view, const char *directory, size_t bytes)
{
    const struct batch *batch = batch_of(view);
    if (!batch->file_count)
        return false;
    const struct file_record *before = &batch->file[batch->file_count - 1];
    return before->name == bytes && memcmp(batch_path(view, before), directory, bytes) == 0;
}

/* What the files there are leave room for. One alone may take the whole block. */
static bool data_fits(const struct batch *batch, const struct batch_shape *shape, size_t data_bytes)
{
    size_t end = batch->data_bytes + align_up(data_bytes + 1, BATCH_DATA_ALIGNMENT);
    size_t packed = batch->packed_bytes + data_bytes + shape->overhead_bytes;
    return end <= shape->block_bytes + BATCH_DATA_ALIGNMENT &&
           (!batch->file_count || !shape->overhead_bytes || packed <= shape->block_bytes);
}

struct file_record *batch_add(const struct item_view *view, const struct batch_shape *shape,
                              const char *directory, size_t directory_bytes, const char *name,
                              size_t name_bytes, const void *attachment, size_t attachment_bytes,
                              size_t data_bytes)
{
    struct batch *batch = batch_of(view);
    size_t text_bytes = directory_bytes + name_bytes + 1 + attachment_bytes;
    if (batch->file_count == shape->files_max ||
        batch->meta_bytes + text_bytes > shape->meta_bytes || !data_fits(batch, shape, data_bytes))
        return NULL;
    struct file_record *file = &batch->file[batch->file_count];
    *file = (struct file_record){0};
    if (same_directory(view, directory, directory_bytes))
        file->flags |= FILE_SAME_DIRECTORY;
    file->path = add_text(view, directory, directory_bytes);
    file->name = (uint32_t)directory_bytes;
    add_text(view, name, name_bytes);
    add_text(view, "", 1);
    file->path_bytes = (uint32_t)(directory_bytes + name_bytes);
    file->attachment = add_text(view, attachment, attachment_bytes);
    file->attachment_bytes = (uint32_t)attachment_bytes;
    file->data = batch->data_start + batch->data_bytes;
    file->data_bytes = (uint32_t)data_bytes;
    batch->data_bytes += (uint32_t)align_up(data_bytes + 1, BATCH_DATA_ALIGNMENT);
    batch->packed_bytes += (uint32_t)data_bytes + shape->overhead_bytes;
    batch->file_count++;
    return file;
}

bool batch_blame(void *job, const struct item_view *view, struct tm_fault fault)
{
    (void)job;
    struct batch *batch = batch_of(view);
    uint32_t cursor = atomic_load_explicit(&view->item->cursor, memory_order_relaxed);
    if (cursor >= batch->file_count || fault_is_set(batch->file[cursor].fault))
        return false;
    batch->file[cursor].fault = fault;
    return true;
}

const unsigned file_stat_mask = STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID | STATX_MTIME |
                                STATX_CTIME | STATX_INO | STATX_SIZE | STATX_NLINK | STATX_BLOCKS;

void file_stat_from(struct file_stat *stat, const struct statx *status)
{
    *stat = (struct file_stat){
        .size_bytes = status->stx_size,
        .mtime_seconds = status->stx_mtime.tv_sec,
        .mtime_ns = status->stx_mtime.tv_nsec,
        .ctime_seconds = status->stx_ctime.tv_sec,
        .ctime_ns = status->stx_ctime.tv_nsec,
        .inode = status->stx_ino,
        .device = makedev(status->stx_dev_major, status->stx_dev_minor),
        .rdev = makedev(status->stx_rdev_major, status->stx_rdev_minor),
        .mode = status->stx_mode,
        .uid = status->stx_uid,
        .gid = status->stx_gid,
        .links = status->stx_nlink,
        .blocks = status->stx_blocks,
    };
}

bool file_stat_same(const struct file_stat *a, const struct file_stat *b)
{
    return a->size_bytes == b->size_bytes && a->mtime_seconds == b->mtime_seconds &&
           a->mtime_ns == b->mtime_ns && a->ctime_seconds == b->ctime_seconds &&
           a->ctime_ns == b->ctime_ns;
}
