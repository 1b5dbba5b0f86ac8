/* Files into items: small ones together in bundles, large ones as chunks of a stream. */
#include "stages/walk_private.h"

#include <errno.h>

static void count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

int emit_flush(struct walk *walk)
{
    if (!walk->bundle_open)
        return 0;
    walk->bundle_open = false;
    struct batch *batch = batch_of(&walk->bundle);
    for (uint32_t i = 0; i < batch->file_count; i++)
        walk->bundle.item->bytes += batch->file[i].data_bytes;
    return lane_submit(walk->setup->data_lane, &walk->bundle);
}

/* A record in the open bundle, or in a new one. */
static int add_to_bundle(struct walk *walk, size_t directory_bytes, const char *name,
                         size_t name_bytes, const struct scan_name *requested, size_t data_bytes,
                         struct file_record **record)
{
    const void *attachment = requested ? scan_name_attachment(requested) : "";
    size_t attachment_bytes = requested ? requested->attachment_bytes : 0;
    for (;;) {
        if (!walk->bundle_open) {
            int error = lane_acquire(walk->setup->data_lane, &walk->bundle);
            if (error)
                return error;
            batch_clear(&walk->bundle);
            walk->bundle_open = true;
        }
        *record = batch_add(&walk->bundle, walk->setup->block_bytes, walk->path, directory_bytes,
                            name, name_bytes, attachment, attachment_bytes, data_bytes);
        if (*record)
            break;
        int error = emit_flush(walk);
        if (error)
            return error;
    }
    (*record)->serial = ++walk->serial;
    (*record)->algorithms = requested ? requested->algorithms : walk->algorithms;
    return 0;
}

int emit_note(struct walk *walk, size_t directory_bytes, const char *name, size_t name_bytes,
              const struct scan_name *requested, struct tm_fault fault, uint8_t flags)
{
    struct file_record *record;
    if (directory_bytes + name_bytes > BATCH_PATH_MAX) {
        /* The end of such a path says more than its beginning. */
        name_bytes = name_bytes < 255 ? name_bytes : 255;
        directory_bytes = BATCH_PATH_MAX - name_bytes;
        fault = fault_of(TM_FAULT_TOO_LONG);
    }
    int error = add_to_bundle(walk, directory_bytes, name, name_bytes, requested, 0, &record);
    if (error)
        return error;
    record->fault = fault;
    record->flags |= (uint8_t)(FILE_NOT_FILE | flags);
    return 0;
}

static void fill_record(const struct walk *walk, struct file_record *record,
                        const struct scan_entry *entry, const struct scan_name *requested)
{
    record->stat = entry->stat;
    if (!walk->frames[walk->depth - 1].is_operands && !walk->setup->follow_links)
        record->flags |= FILE_NO_FOLLOW;
    if (requested && requested->flags & FILE_STANDARD_INPUT) {
        record->flags |= FILE_STANDARD_INPUT;
        record->state = FILE_STREAM;
    }
}

static int emit_chunks(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                       const struct scan_name *requested)
{
    struct tm_lane *lane = walk->setup->data_lane;
    uint64_t serial = 0;
    uint32_t stream = 0;
    uint64_t size = entry->stat.size_bytes;
    uint32_t chunk = 0;
    for (uint64_t offset = 0; offset < size; chunk++) {
        uint64_t rest = size - offset;
        size_t bytes = rest < walk->setup->block_bytes ? (size_t)rest : walk->setup->block_bytes;
        int error = emit_flush(walk);
        if (error)
            return error;
        struct file_record *record;
        error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, bytes, &record);
        if (error)
            return error;
        if (!chunk) {
            serial = record->serial;
            stream = lane_stream_begin(lane);
        }
        fill_record(walk, record, entry, requested);
        record->serial = serial;
        record->offset = offset;
        walk->bundle.item->stream = stream;
        walk->bundle.item->chunk = chunk;
        walk->bundle.item->last = rest == bytes;
        offset += bytes;
    }
    return emit_flush(walk);
}

int emit_file(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
              const struct scan_name *requested)
{
    if (directory_bytes + entry->name_bytes > BATCH_PATH_MAX)
        return emit_note(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                         requested, fault_of(TM_FAULT_TOO_LONG), 0);
    count(&walk->setup->totals->files, 1);
    count(&walk->setup->totals->bytes, entry->stat.size_bytes);
    if (entry->stat.size_bytes >= walk->setup->block_bytes)
        return emit_chunks(walk, directory_bytes, entry, requested);
    struct file_record *record;
    int error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, (size_t)entry->stat.size_bytes, &record);
    if (!error)
        fill_record(walk, record, entry, requested);
    return error;
}
