/* Files into items: small ones together in bundles, large ones as chunks of a stream.
 *
 * As many streams are open at once as there are workers that can take one, so that several large
 * files are worked on at the same time. The next chunk is always one of the stream that has the
 * fewest waiting. That also keeps the promise of pipeline/graph.h: the stream with the lowest
 * number, which everything finished may be waiting for, either has a chunk on its way, which will
 * give its credit back, or gets the next credit; and a bundle never takes the last one.
 *
 * Where the lane delivers every chunk, a large file is sent off whole before anything else: the
 * chunks at the sink, one after another, are the files in canonical order.
 */
#include "stages/walk_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* Streams. */

static uint32_t backlog(const struct walk *walk, const struct open_stream *stream)
{
    uint32_t taken = lane_stream_taken(walk->setup->data_lane, stream->stream);
    return stream->chunk > taken ? stream->chunk - taken : 0;
}

static struct open_stream *stream_in_need(struct walk *walk)
{
    struct open_stream *found = walk->streams;
    for (unsigned i = 1; i < walk->stream_count; i++)
        if (backlog(walk, &walk->streams[i]) < backlog(walk, found))
            found = &walk->streams[i];
    return found;
}

static void close_stream(struct walk *walk, struct open_stream *stream)
{
    size_t after = (size_t)(walk->streams + walk->stream_count - (stream + 1));
    free(stream->path);
    memmove(stream, stream + 1, after * sizeof *stream);
    walk->stream_count--;
}

static int submit_chunk(struct walk *walk, struct open_stream *stream, struct item_view *view)
{
    const char *attachment = stream->path + stream->directory_bytes + stream->name_bytes + 1;
    size_t block_bytes = walk->setup->block_bytes;
    uint64_t rest = stream->stat.size_bytes - stream->offset;
    size_t bytes = rest < block_bytes ? (size_t)rest : block_bytes;
    batch_clear(view);
    struct file_record *record =
        batch_add(view, block_bytes, stream->path, stream->directory_bytes,
                  stream->path + stream->directory_bytes, stream->name_bytes, attachment,
                  stream->attachment_bytes, bytes);
    record->stat = stream->stat;
    record->serial = stream->serial;
    record->offset = stream->offset;
    record->algorithms = stream->algorithms;
    record->flags |= stream->flags;
    view->item->stream = stream->stream;
    view->item->chunk = stream->chunk++;
    view->item->last = rest == bytes;
    view->item->bytes = bytes;
    stream->offset += bytes;
    uint64_t number = stream->number;
    if (view->item->last)
        close_stream(walk, stream);
    return lane_submit_chunk(walk->setup->data_lane, view, number);
}

/* One chunk of the stream in need. */
static int send_chunk(struct walk *walk, bool wait)
{
    struct item_view view;
    int error = wait ? lane_acquire(walk->setup->data_lane, &view)
                     : lane_try_acquire(walk->setup->data_lane, &view, 0);
    return error ? error : submit_chunk(walk, stream_in_need(walk), &view);
}

int emit_pump(struct walk *walk)
{
    int error = 0;
    while (walk->stream_count && !error &&
           backlog(walk, stream_in_need(walk)) < lane_backlog_max(walk->setup->data_lane))
        error = send_chunk(walk, false);
    return error == -EAGAIN ? 0 : error;
}

/* All chunks of all open streams. */
static int send_streams(struct walk *walk)
{
    int error = 0;
    while (walk->stream_count && !error)
        error = send_chunk(walk, true);
    return error;
}

int emit_finish(struct walk *walk)
{
    int error = emit_flush(walk);
    return error ? error : send_streams(walk);
}

void emit_free(struct walk *walk)
{
    while (walk->stream_count)
        close_stream(walk, walk->streams);
    free(walk->streams);
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
        if (error == -EAGAIN && send_chunk(walk, true))
            return -ECANCELED;
    }
    if (error == -EAGAIN)
        error = lane_acquire(lane, &walk->bundle);
    if (error)
        return error;
    batch_clear(&walk->bundle);
    walk->bundle_open = true;
    return 0;
}

/* A record in the open bundle, or in a new one. */
static int add_to_bundle(struct walk *walk, size_t directory_bytes, const char *name,
                         size_t name_bytes, const struct scan_name *requested, size_t data_bytes,
                         struct file_record **record)
{
    const void *attachment = requested ? scan_name_attachment(requested) : "";
    size_t attachment_bytes = requested ? requested->attachment_bytes : 0;
    for (;;) {
        int error = walk->bundle_open ? 0 : open_bundle(walk);
        if (error)
            return error;
        *record = batch_add(&walk->bundle, walk->setup->block_bytes, walk->path, directory_bytes,
                            name, name_bytes, attachment, attachment_bytes, data_bytes);
        if (*record)
            break;
        error = emit_flush(walk);
        if (error)
            return error;
    }
    (*record)->serial = ++walk->serial;
    (*record)->algorithms = requested ? requested->algorithms : walk->algorithms;
    return 0;
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

static uint16_t flags_for(const struct walk *walk)
{
    bool follow = walk->frames[walk->depth - 1].is_operands || walk->setup->follow_links;
    return follow ? 0 : FILE_NO_FOLLOW;
}

static int begin_stream(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                        const struct scan_name *requested)
{
    int error = emit_flush(walk);
    while (!error && walk->stream_count == lane_streams_max(walk->setup->data_lane))
        error = send_chunk(walk, true);
    if (error)
        return error;
    struct open_stream *stream = &walk->streams[walk->stream_count];
    *stream = (struct open_stream){
        .serial = ++walk->serial,
        .stat = entry->stat,
        .algorithms = requested ? requested->algorithms : walk->algorithms,
        .flags = flags_for(walk),
        .directory_bytes = directory_bytes,
        .name_bytes = entry->name_bytes,
        .attachment_bytes = requested ? requested->attachment_bytes : 0,
    };
    size_t path_bytes = directory_bytes + entry->name_bytes;
    stream->path = malloc(path_bytes + 1 + stream->attachment_bytes);
    if (!stream->path)
        return -ENOMEM;
    memcpy(stream->path, walk->path, directory_bytes);
    memcpy(stream->path + directory_bytes, scan_entry_name(entry), entry->name_bytes + 1);
    if (requested)
        memcpy(stream->path + path_bytes + 1, scan_name_attachment(requested),
               stream->attachment_bytes);
    stream->stream = lane_stream_begin(walk->setup->data_lane, &stream->number);
    walk->stream_count++;
    return lane_delivers_every_chunk(walk->setup->data_lane) ? send_streams(walk) : emit_pump(walk);
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
    record->stat = entry->stat;
    record->stat.size_bytes = 0;
    record->flags |= flag;
    record->state = FILE_STREAM;
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
        return begin_stream(walk, directory_bytes, entry, requested);
    struct file_record *record;
    int error = add_to_bundle(walk, directory_bytes, scan_entry_name(entry), entry->name_bytes,
                              requested, (size_t)entry->stat.size_bytes, &record);
    if (error)
        return error;
    record->stat = entry->stat;
    record->flags |= flags_for(walk);
    return 0;
}
