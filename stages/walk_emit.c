/* Files into items: small ones together in bundles, what is no file as an entry among them, large
 * files as streams (walk_stream.c). A bundle never takes the last credit while a stream is open. */
#include "stages/walk_private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/extents.h"
#include "stages/in_work.h"

static void count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* Bundles. */

int emit_flush(struct walk *walk)
{
    if (!walk->bundle_open)
        return 0;
    walk->bundle_open = false;
    struct batch *batch = batch_of(&walk->bundle);
    for (uint32_t i = 0; i < batch->file_count; i++)
        walk->bundle.item->bytes += batch->file[i].data_bytes;
    int error = lane_submit(walk->setup->data_lane, &walk->bundle);
    return error ? error : emit_pump(walk);
}

static int open_bundle(struct walk *walk)
{
    struct tm_lane *lane = walk->setup->data_lane;
    int error = -EAGAIN;
    while (walk->stream_count && error == -EAGAIN) {
        error = lane_try_acquire(lane, &walk->bundle, 1);
        if (error == -EAGAIN && stream_send(walk))
            return -ECANCELED;
    }
    if (error == -EAGAIN)
        error = lane_acquire(lane, &walk->bundle);
    if (error)
        return error;
    batch_clear(&walk->bundle, &walk->setup->shape);
    walk->bundle_open = true;
    return 0;
}

/* A record in the open bundle, or in a new one. */
static int add_with(struct walk *walk, size_t directory_bytes, const char *name, size_t name_bytes,
                    const void *attachment, size_t attachment_bytes, size_t data_bytes,
                    struct file_record **record)
{
    for (;;) {
        int error = walk->bundle_open ? 0 : open_bundle(walk);
        if (error)
            return error;
        *record = batch_add(&walk->bundle, &walk->setup->shape, walk->path, directory_bytes, name,
                            name_bytes, attachment, attachment_bytes, data_bytes);
        if (*record)
            break;
        error = emit_flush(walk);
        if (error)
            return error;
    }
    (*record)->serial = ++walk->serial;
    (*record)->algorithms = walk->algorithms;
    return 0;
}

static int add_to_bundle(struct walk *walk, size_t directory_bytes, const char *name,
                         size_t name_bytes, const struct scan_name *requested, size_t data_bytes,
                         struct file_record **record)
{
    int error = add_with(walk, directory_bytes, name, name_bytes,
                         requested ? scan_name_attachment(requested) : "",
                         requested ? requested->attachment_bytes : 0, data_bytes, record);
    if (!error && requested)
        (*record)->algorithms = requested->algorithms;
    return error;
}

int emit_note(struct walk *walk, size_t directory_bytes, const char *name, size_t name_bytes,
              const struct scan_name *requested, struct tm_fault fault, uint16_t flags)
{
    struct file_record *record;
    if (directory_bytes + name_bytes > BATCH_PATH_MAX) {
        name_bytes = name_bytes < 255 ? name_bytes : 255;
        directory_bytes = directory_bytes < BATCH_PATH_MAX - name_bytes
                              ? directory_bytes
                              : BATCH_PATH_MAX - name_bytes;
        fault = fault_of(TM_FAULT_TOO_LONG);
    }
    int error = add_to_bundle(walk, directory_bytes, name, name_bytes, requested, 0, &record);
    if (error)
        return error;
    record->fault = fault;
    record->flags |= (uint16_t)(FILE_NOT_FILE | flags);
    return 0;
}

/* Files. */

uint16_t emit_flags(const struct walk *walk)
{
    bool follow = walk->setup->follow_links ||
                  (walk->frames[walk->depth - 1].is_operands && !walk->setup->all_kinds);
    return follow ? 0 : FILE_NO_FOLLOW;
}

/* In an item of its own: others need not wait for whoever writes to it. */
int emit_read_once(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                   const struct scan_name *requested, uint16_t flag)
{
    struct file_record *record;
    int error = emit_flush(walk);
    if (!error)
        error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, 0, &record);
    if (error)
        return error;
    count(&walk->setup->totals->files, 1);
    in_work_offer(walk->setup->in_work, walk->path, directory_bytes, scan_entry_name(entry),
                  entry->name_bytes);
    record->stat = entry->stat;
    record->stat.size_bytes = 0;
    record->flags |= flag;
    record->state = FILE_STREAM;
    return emit_flush(walk);
}

int emit_entry(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
               const struct file_stat *stat)
{
    if (directory_bytes + entry->name_bytes > BATCH_PATH_MAX)
        return emit_note(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes, NULL,
                         fault_of(TM_FAULT_TOO_LONG), 0);
    struct file_record *record;
    size_t data_bytes = 0;
    if (S_ISLNK(stat->mode)) /* some file systems do not say how long the target is */
        data_bytes = stat->size_bytes && stat->size_bytes < PATH_MAX ? stat->size_bytes : PATH_MAX;
    int error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              NULL, data_bytes, &record);
    if (error)
        return error;
    record->stat = *stat;
    record->flags |= FILE_NOT_FILE;
    if (!S_ISLNK(stat->mode))
        record->state = FILE_READ;
    return 0;
}

/* Whether the file came before under another name, which then is all that is said of it. */
static int emit_link(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                     bool *is_link)
{
    size_t end =
        walk_path_append(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes, false);
    const struct link_note *first;
    int error = end ? links_meet(walk->links, &entry->stat, walk->path, end, &first) : -ENOMEM;
    walk->path[directory_bytes] = '\0';
    *is_link = !error && first;
    if (!*is_link)
        return error;
    struct file_record *record;
    error = add_with(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes, first->data,
                     first->bytes, 0, &record);
    if (error)
        return error;
    record->stat = entry->stat;
    record->flags |= FILE_NOT_FILE | FILE_HARD_LINK;
    record->state = FILE_READ;
    return 0;
}

/* Where a cutter is: in chunks of its making, or as a whole. Several small ones share an item: not
 * more than a block of them, so that workers get like shares. */
static int emit_cut(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                    const struct scan_name *requested)
{
    struct file_record *record;
    uint64_t size = entry->stat.size_bytes;
    bool is_large = size >= walk->setup->shape.block_bytes;
    int begun = is_large ? stream_begin_cut(walk, directory_bytes, entry, requested) : 0;
    if (begun)
        return begun < 0 ? begun : 0;
    bool is_full = walk->bundle_open &&
                   batch_of(&walk->bundle)->packed_bytes + size > walk->setup->shape.block_bytes;
    int error = is_full || is_large ? emit_flush(walk) : 0;
    if (!error)
        error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, 0, &record);
    if (error)
        return error;
    count(&walk->setup->totals->bytes, size);
    record->stat = entry->stat;
    record->flags |= emit_flags(walk);
    record->state = FILE_STREAM;
    batch_of(&walk->bundle)->packed_bytes += is_large ? 0 : (uint32_t)size;
    walk->bundle.item->bytes += size;
    return is_large ? emit_flush(walk) : 0;
}

int emit_file(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
              const struct scan_name *requested)
{
    if (directory_bytes + entry->name_bytes > BATCH_PATH_MAX)
        return emit_note(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                         requested, fault_of(TM_FAULT_TOO_LONG), 0);
    if (walk->links && entry->stat.links > 1) {
        bool is_link;
        int error = emit_link(walk, directory_bytes, entry, &is_link);
        if (error || is_link)
            return error;
    }
    count(&walk->setup->totals->files, 1);
    in_work_offer(walk->setup->in_work, walk->path, directory_bytes, scan_entry_name(entry),
                  entry->name_bytes);
    if (walk->setup->cutter)
        return emit_cut(walk, directory_bytes, entry, requested);
    if (entry->stat.size_bytes >= walk->setup->shape.block_bytes ||
        (walk->setup->finds_holes && extents_are_likely(&entry->stat)))
        return stream_begin(walk, directory_bytes, entry, requested);
    count(&walk->setup->totals->bytes, entry->stat.size_bytes);
    struct file_record *record;
    int error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, (size_t)entry->stat.size_bytes, &record);
    if (error)
        return error;
    record->stat = entry->stat;
    record->flags |= emit_flags(walk);
    return 0;
}
