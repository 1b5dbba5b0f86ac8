/* Zip entries that are too large for an item, as streams: read piece by piece, inflated by ISA-L.
 *
 * No byte more is given out than the directory has said: a stream that goes on then is corrupt. Its
 * end is given out only when size, length and CRC-32 are as they should be. */
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdlib.h>

#include "stages/unzip_private.h"

/* The whole local header, with name and extra field, must fit. */
#define INPUT_BYTES ((size_t)256 * 1024)
_Static_assert(INPUT_BYTES >= UNZIP_LOCAL_BYTES + 2 * 65535, "room for any header");

struct unzip_stream {
    struct unzip_record record;
    int fd;
    uint64_t offset;     /* in the file, of what is read next */
    uint64_t left_bytes; /* of the entry's data, not read yet */
    uint64_t made_bytes;
    uint32_t crc32;
    bool is_done; /* deflate's last block has ended */
    const uint8_t *next;
    size_t next_bytes; /* read and not used */
    struct inflate_state inflate;
    uint8_t input[INPUT_BYTES];
};

static int refill(struct unzip_stream *stream)
{
    size_t wanted = stream->left_bytes < INPUT_BYTES ? (size_t)stream->left_bytes : INPUT_BYTES;
    ptrdiff_t got = unzip_read(stream->fd, stream->input, wanted, stream->offset);
    if (got < 0)
        return (int)got;
    if ((size_t)got < wanted)
        return -ENODATA;
    stream->next = stream->input;
    stream->next_bytes = wanted;
    stream->offset += wanted;
    stream->left_bytes -= wanted;
    return 0;
}

/* Reads the local header and, behind it, the first of the data. */
static int begin(struct unzip_stream *stream)
{
    const struct unzip_record *record = &stream->record;
    uint64_t most = record->end - record->offset;
    size_t wanted = most < INPUT_BYTES ? (size_t)most : INPUT_BYTES;
    ptrdiff_t got = unzip_read(stream->fd, stream->input, wanted, record->offset);
    if (got < 0)
        return (int)got;
    ptrdiff_t header_bytes = unzip_local_check(record, stream->input, (size_t)got);
    if (header_bytes < 0)
        return (int)header_bytes;
    if (header_bytes > got)
        return -ENODATA;
    size_t there = (size_t)(got - header_bytes);
    if (there > record->compressed_bytes)
        there = (size_t)record->compressed_bytes;
    stream->next = stream->input + header_bytes;
    stream->next_bytes = there;
    stream->offset = record->offset + (size_t)header_bytes + there;
    stream->left_bytes = record->compressed_bytes - there;
    return 0;
}

static int stream_open(void *context, const struct item_view *view, unsigned index, void **out)
{
    const struct unzip_job *job = context;
    struct unzip_stream *stream = malloc(sizeof *stream);
    if (!stream)
        return -ENOMEM;
    stream->record = *unzip_record_at(job, view, index);
    stream->fd = job->fd;
    stream->made_bytes = 0;
    stream->crc32 = 0;
    stream->is_done = false;
    isal_inflate_init(&stream->inflate);
    int error = begin(stream);
    if (error) {
        free(stream);
        return error;
    }
    *out = stream;
    return 0;
}

/* One step of the decoder, for at most `room` bytes. How many came; -EBADMSG. */
static ptrdiff_t inflate_some(struct unzip_stream *stream, uint8_t *output, uint32_t room)
{
    struct inflate_state *inflate = &stream->inflate;
    inflate->next_in = (uint8_t *)stream->next;
    inflate->avail_in = (uint32_t)stream->next_bytes;
    inflate->next_out = output;
    inflate->avail_out = room;
    int result = isal_inflate(inflate);
    if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT && result != ISAL_OUT_OVERFLOW)
        return -EBADMSG;
    bool moved = inflate->avail_out != room || inflate->avail_in != stream->next_bytes;
    stream->next = inflate->next_in;
    stream->next_bytes = inflate->avail_in;
    stream->is_done = inflate->block_state == ISAL_BLOCK_FINISH;
    if (!moved && !stream->is_done) /* its data is used up */
        return -EBADMSG;
    return room - inflate->avail_out;
}

/* The next bytes; 0: deflate's last block has ended. */
static ptrdiff_t read_deflated(struct unzip_stream *stream, uint8_t *data, size_t capacity)
{
    uint8_t excess;
    uint64_t rest = stream->record.uncompressed_bytes - stream->made_bytes;
    size_t room = capacity < rest ? capacity : (size_t)rest;
    ptrdiff_t made = 0;
    while (!made && !stream->is_done) {
        int error = stream->next_bytes || !stream->left_bytes ? 0 : refill(stream);
        if (error)
            return error;
        made = room ? inflate_some(stream, data, room < UINT32_MAX ? (uint32_t)room : UINT32_MAX)
                    : inflate_some(stream, &excess, 1);
        if (made > 0 && !room)
            return -EBADMSG;
    }
    return made;
}

static ptrdiff_t read_stored(struct unzip_stream *stream, uint8_t *data, size_t capacity)
{
    int error = stream->next_bytes || !stream->left_bytes ? 0 : refill(stream);
    if (error)
        return error;
    size_t bytes = stream->next_bytes < capacity ? stream->next_bytes : capacity;
    memcpy(data, stream->next, bytes);
    stream->next += bytes;
    stream->next_bytes -= bytes;
    return (ptrdiff_t)bytes;
}

/* All has been read: is it what it should be? Of raw deflate data ISA-L keeps what it has taken in
 * beyond the end; bits of the last byte are no excess. */
static int finish(const struct unzip_stream *stream)
{
    const struct unzip_record *record = &stream->record;
    bool has_excess =
        stream->next_bytes || stream->left_bytes || stream->inflate.read_in_length >= 8;
    bool is_right = stream->made_bytes == record->uncompressed_bytes &&
                    stream->crc32 == record->crc32 && !has_excess;
    return is_right ? 0 : -EBADMSG;
}

static ptrdiff_t stream_read(void *state, void *data, size_t capacity)
{
    struct unzip_stream *stream = state;
    ptrdiff_t got = stream->record.method == ZIP_STORED ? read_stored(stream, data, capacity)
                                                        : read_deflated(stream, data, capacity);
    if (got < 0)
        return got;
    if (!got)
        return finish(stream);
    stream->crc32 = libdeflate_crc32(stream->crc32, data, (size_t)got);
    stream->made_bytes += (size_t)got;
    return got;
}

const struct member_source unzip_source = {.open = stream_open, .read = stream_read, .close = free};
