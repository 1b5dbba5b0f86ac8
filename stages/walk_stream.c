/* Large files into chunks of a stream.
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
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/io.h"
#include "stages/in_work.h"
#include "stages/extents.h"
#include "stages/opener.h"
#include "stages/shortage.h"

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
    if (stream->cuts) {
        walk->setup->cutter->end(stream->cuts);
        close(stream->cuts_fd);
    }
    free(stream->path);
    free(stream->extents);
    memmove(stream, stream + 1, after * sizeof *stream);
    walk->stream_count--;
}

/* What the next chunk is. */
struct cut {
    uint64_t offset;
    size_t bytes;
    bool is_map; /* the first of a sparse file: no data, but where it is */
    bool is_last;
    bool is_wrong; /* there is no such chunk */
};

static struct cut cut_extents(struct open_stream *stream, size_t block_bytes)
{
    if (stream->chunk == 0)
        return (struct cut){.is_map = true, .is_last = stream->extent_count == 0};
    const struct archive_extent *extent = &stream->extents[stream->extent];
    uint64_t rest = extent->offset + extent->bytes - stream->offset;
    struct cut cut = {.offset = stream->offset,
                      .bytes = rest < block_bytes ? (size_t)rest : block_bytes};
    stream->offset += cut.bytes;
    if (cut.bytes == rest && ++stream->extent < stream->extent_count)
        stream->offset = stream->extents[stream->extent].offset;
    cut.is_last = stream->extent == stream->extent_count;
    return cut;
}

static void ask_cutter(const struct walk *walk, struct open_stream *stream)
{
    stream->cut_got =
        walk->setup->cutter->next(stream->cuts, &stream->cut_offset, &stream->cut_bytes);
}

static struct cut cut_by_cutter(const struct walk *walk, struct open_stream *stream)
{
    struct cut cut = {.offset = stream->cut_offset, .bytes = stream->cut_bytes};
    if (stream->cut_got < 0)
        return (struct cut){.is_last = true, .is_wrong = true};
    ask_cutter(walk, stream);
    cut.is_last = stream->cut_got == 0;
    return cut;
}

static struct cut cut_next(const struct walk *walk, struct open_stream *stream)
{
    size_t block_bytes = walk->setup->shape.block_bytes;
    if (stream->cuts)
        return cut_by_cutter(walk, stream);
    if (stream->extents)
        return cut_extents(stream, block_bytes);
    uint64_t rest = stream->stat.size_bytes - stream->offset;
    struct cut cut = {.offset = stream->offset,
                      .bytes = rest < block_bytes ? (size_t)rest : block_bytes};
    stream->offset += cut.bytes;
    cut.is_last = rest == cut.bytes;
    return cut;
}

static int submit_chunk(struct walk *walk, struct open_stream *stream, struct item_view *view)
{
    const void *attachment = stream->path + stream->directory_bytes + stream->name_bytes + 1;
    size_t attachment_bytes = stream->attachment_bytes;
    struct cut cut = cut_next(walk, stream);
    in_work_offer(walk->setup->in_work, stream->path, stream->directory_bytes,
                  stream->path + stream->directory_bytes, stream->name_bytes);
    if (cut.is_map) {
        attachment = stream->extents;
        attachment_bytes = stream->extent_count * sizeof *stream->extents;
    }
    batch_clear(view, &walk->setup->shape);
    struct file_record *record =
        batch_add(view, &walk->setup->shape, stream->path, stream->directory_bytes,
                  stream->path + stream->directory_bytes, stream->name_bytes, attachment,
                  attachment_bytes, cut.bytes);
    record->stat = stream->stat;
    record->serial = stream->serial;
    record->offset = cut.offset;
    record->algorithms = stream->algorithms;
    record->flags |= stream->flags;
    if (cut.is_map || cut.is_wrong)
        record->state = FILE_READ;
    if (cut.is_wrong)
        record->fault = fault_of(TM_FAULT_CHANGED);
    view->item->stream = stream->stream;
    view->item->chunk = stream->chunk++;
    view->item->last = cut.is_last;
    view->item->bytes = cut.bytes;
    uint64_t number = stream->number;
    if (cut.is_last)
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

int stream_send(struct walk *walk)
{
    return send_chunk(walk, true);
}

int emit_pump(struct walk *walk)
{
    int error = 0;
    while (walk->stream_count && !error &&
           backlog(walk, stream_in_need(walk)) < lane_backlog_max(walk->setup->data_lane))
        error = send_chunk(walk, false);
    return error == -EAGAIN ? 0 : error;
}

int emit_finish(struct walk *walk)
{
    int error = emit_flush(walk);
    while (walk->stream_count && !error)
        error = send_chunk(walk, true);
    return error;
}

void emit_free(struct walk *walk)
{
    while (walk->stream_count)
        close_stream(walk, walk->streams);
    free(walk->streams);
}

/* Beginning. */

/* Of a file that has holes, and counts what will be read. */
static int find_extents(struct walk *walk, struct open_stream *stream)
{
    uint64_t bytes = stream->stat.size_bytes;
    int found = 0;
    if (walk->setup->finds_holes && extents_are_likely(&stream->stat))
        found = extents_find(stream->path, stream->directory_bytes + stream->name_bytes,
                             &stream->stat, &stream->extents, &stream->extent_count);
    if (found < 0)
        return found;
    if (found) {
        stream->flags |= FILE_SPARSE;
        bytes = 0;
        for (size_t i = 0; i < stream->extent_count; i++)
            bytes += stream->extents[i].bytes;
        stream->offset = stream->extent_count ? stream->extents[0].offset : 0;
    }
    atomic_fetch_add_explicit(&walk->setup->totals->bytes, bytes, memory_order_relaxed);
    return 0;
}

/* A new stream behind those that are open, with the file's path. */
static int add_stream(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                      const struct scan_name *requested, struct open_stream **made)
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
        .flags = emit_flags(walk),
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
    *made = stream;
    return 0;
}

static int open_stream(struct walk *walk, struct open_stream *stream)
{
    int error = 0;
    stream->stream = lane_stream_begin(walk->setup->data_lane, &stream->number);
    walk->stream_count++;
    while (lane_delivers_every_chunk(walk->setup->data_lane) && walk->stream_count && !error)
        error = send_chunk(walk, true);
    return error ? error : emit_pump(walk);
}

int stream_begin(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                 const struct scan_name *requested)
{
    struct open_stream *stream;
    int error = add_stream(walk, directory_bytes, entry, requested, &stream);
    if (error)
        return error;
    error = find_extents(walk, stream);
    if (error) {
        free(stream->path);
        return error;
    }
    return open_stream(walk, stream);
}

int stream_begin_cut(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                     const struct scan_name *requested)
{
    const struct walk_setup *setup = walk->setup;
    struct open_stream *stream;
    int error = add_stream(walk, directory_bytes, entry, requested, &stream);
    if (error)
        return error;
    int flags = OPENER_FILE_FLAGS | (stream->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0);
    int found = 0;
    stream->cuts_fd = shortage_open(stream->path, directory_bytes + entry->name_bytes, flags);
    if (stream->cuts_fd >= 0) /* else whoever decompresses it as a whole will tell why */
        found = setup->cutter->begin(setup->cutter_context, stream->cuts_fd, &entry->stat,
                                     &stream->cuts);
    if (found <= 0) {
        if (stream->cuts_fd >= 0)
            close(stream->cuts_fd);
        free(stream->path);
        return found;
    }
    ask_cutter(walk, stream);
    atomic_fetch_add_explicit(&setup->totals->bytes, entry->stat.size_bytes, memory_order_relaxed);
    error = open_stream(walk, stream);
    return error ? error : 1;
}

/* Standard input. */

/* Fills the block unless the input ends before. Bytes, or -errno. */
static ptrdiff_t read_block(uint8_t *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        struct io_op op = {.code = IO_READ_NEXT, .data = data + done, .size = bytes - done};
        int64_t got = io_op_execute(&op, STDIN_FILENO, -1);
        if (got == -EAGAIN) { /* somebody made it nonblocking */
            poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, -1);
            continue;
        }
        if (got < 0)
            return (ptrdiff_t)got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ptrdiff_t)done;
}

/* The next chunk; one that is not full is the last. */
static int input_chunk(struct walk *walk, const struct scan_entry *entry, uint64_t offset,
                       struct item_view *view)
{
    const struct batch_shape *shape = &walk->setup->shape;
    int error = lane_acquire(walk->setup->data_lane, view);
    if (error)
        return error;
    batch_clear(view, shape);
    struct file_record *record = batch_add(view, shape, "", 0, scan_entry_name(entry),
                                           entry->name_bytes, "", 0, shape->block_bytes);
    ptrdiff_t got = read_block(view->input + record->data, shape->block_bytes);
    record->serial = walk->serial;
    record->offset = offset;
    record->algorithms = walk->algorithms;
    record->flags = FILE_STANDARD_INPUT;
    record->state = FILE_READ;
    record->data_bytes = got > 0 ? (uint32_t)got : 0;
    record->stat.size_bytes = offset + record->data_bytes;
    if (got < 0)
        record->fault = fault_system(TM_OP_READ, (int)got);
    return 0;
}

int stream_input(struct walk *walk, const struct scan_entry *entry)
{
    struct tm_lane *lane = walk->setup->data_lane;
    uint64_t number, offset = 0;
    bool ended = false;
    int error = emit_flush(walk);
    if (error)
        return error;
    walk->serial++;
    atomic_fetch_add_explicit(&walk->setup->totals->files, 1, memory_order_relaxed);
    uint32_t stream = lane_stream_begin(lane, &number);
    for (uint32_t chunk = 0; !ended && !error; chunk++) {
        struct item_view view;
        error = input_chunk(walk, entry, offset, &view);
        if (error)
            return error;
        const struct file_record *record = &batch_of(&view)->file[0];
        offset += record->data_bytes;
        ended = fault_is_set(record->fault) || record->data_bytes < walk->setup->shape.block_bytes;
        view.item->stream = stream;
        view.item->chunk = chunk;
        view.item->last = ended;
        view.item->bytes = record->data_bytes;
        error = lane_submit_chunk(lane, &view, number);
    }
    return error;
}
