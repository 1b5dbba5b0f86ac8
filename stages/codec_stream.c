/* What stands around blocks: headers, trailers, the seek table. */
#include "stages/codec_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stages/codec_format.h"

#define GZIP_FEXTRA 4
#define OS_UNIX     3

/* RFC 1952, 2.3.1: XFL says whether the compressor was slow or fast. */
static uint8_t extra_flags(int level)
{
    return level >= 9 ? 2 : level == 1 ? 4 : 0;
}

void codec_plain_header(uint8_t output[static CODEC_PLAIN_HEADER_BYTES], int level)
{
    const uint8_t header[CODEC_PLAIN_HEADER_BYTES] = {
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra_flags(level), OS_UNIX};
    memcpy(output, header, sizeof header);
}

/* Up to what follows the subfield TM: so many further bytes of subfields, or the data. */
static void member_header(uint8_t *output, size_t further, size_t member_bytes,
                          size_t content_bytes, int level)
{
    static const uint8_t name[] = {'T', 'M', 8, 0};
    codec_plain_header(output, level);
    output[3] = GZIP_FEXTRA;
    codec_put16(output + 10, (uint16_t)(CODEC_MEMBER_HEADER_BYTES - 12 + further));
    memcpy(output + 12, name, sizeof name);
    codec_put32(output + 16, (uint32_t)member_bytes);
    codec_put32(output + 20, (uint32_t)content_bytes);
}

void codec_member_wrap(uint8_t *output, size_t deflated, size_t content_bytes, uint32_t crc,
                       int level)
{
    member_header(output, 0, deflated + CODEC_MEMBER_BYTES, content_bytes, level);
    codec_put32(output + CODEC_MEMBER_HEADER_BYTES + deflated, crc);
    codec_put32(output + CODEC_MEMBER_HEADER_BYTES + deflated + 4, (uint32_t)content_bytes);
}

/* Deflate data of no bytes: a final block of fixed codes that has only its end. RFC 1951, 3.2.6. */
static const uint8_t empty_data[2] = {3, 0};

size_t codec_empty_member(uint8_t *output, const char name[static 2], const void *data,
                          size_t bytes)
{
    uint8_t *at = output + CODEC_MEMBER_HEADER_BYTES;
    member_header(output, 4 + bytes, CODEC_EMPTY_MEMBER_BYTES + bytes, 0, 0);
    at = mempcpy(at, name, 2);
    codec_put16(at, (uint16_t)bytes);
    at = mempcpy(at + 2, data, bytes);
    at = mempcpy(at, empty_data, sizeof empty_data);
    memset(at, 0, CODEC_MEMBER_TRAILER_BYTES);
    return CODEC_EMPTY_MEMBER_BYTES + bytes;
}

struct codec_stream {
    const struct codec_plan *plan;
    uint64_t blocks, bytes;
    uint32_t crc;
    /* zstd: the seek table; lost when a row does not fit its form. */
    uint8_t *table;
    size_t table_bytes, table_capacity;
    bool table_is_lost;
};

int codec_stream_create(const struct codec_plan *plan, struct codec_stream **out)
{
    struct codec_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    stream->plan = plan;
    /* Of blocks divided further only the sums are known. */
    stream->table_is_lost = plan->request.format != CODEC_ZSTD || plan->request.rsyncable ||
                            plan->request.without_seek_table;
    *out = stream;
    return 0;
}

void codec_stream_destroy(struct codec_stream *stream)
{
    if (!stream)
        return;
    free(stream->table);
    free(stream);
}

bool codec_stream_can_seek(const struct codec_stream *stream)
{
    const struct codec_request *request = &stream->plan->request;
    return request->format == CODEC_ZSTD ? !stream->table_is_lost
                                         : request->format == CODEC_GZIP && !request->single_member;
}

int codec_stream_begin(struct codec_stream *stream, codec_write write, void *context)
{
    uint8_t header[CODEC_PLAIN_HEADER_BYTES];
    if (!stream->plan->request.single_member)
        return 0;
    codec_plain_header(header, stream->plan->request.level);
    return write(context, header, sizeof header);
}

static int add_row(struct codec_stream *stream, const struct codec_block *block)
{
    if (stream->table_is_lost)
        return 0;
    if (block->output_bytes > UINT32_MAX || block->input_bytes > UINT32_MAX ||
        stream->blocks == CODEC_SEEK_FRAMES_MAX) {
        stream->table_is_lost = true;
        return 0;
    }
    if (stream->table_bytes == stream->table_capacity) {
        size_t capacity = stream->table_capacity ? stream->table_capacity * 2 : 4096;
        uint8_t *larger = realloc(stream->table, capacity);
        if (!larger)
            return -ENOMEM;
        stream->table = larger;
        stream->table_capacity = capacity;
    }
    codec_put32(stream->table + stream->table_bytes, (uint32_t)block->output_bytes);
    codec_put32(stream->table + stream->table_bytes + 4, (uint32_t)block->input_bytes);
    stream->table_bytes += CODEC_SEEK_ROW_BYTES;
    return 0;
}

int codec_stream_add(struct codec_stream *stream, const struct codec_block *block)
{
    int error = add_row(stream, block);
    stream->crc = stream->blocks
                      ? codec_crc32_combine(stream->crc, block->crc32, block->input_bytes)
                      : block->crc32;
    stream->blocks++;
    stream->bytes += block->input_bytes;
    return error;
}

/* A gzip stream without any block would be no gzip file: an empty member, or frame. */
static int end_empty(struct codec_stream *stream, codec_write write, void *context)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}; /* RFC 8878, 3.1.1 */
    uint8_t member[CODEC_MEMBER_BYTES + 2];
    if (stream->plan->request.format == CODEC_ZSTD)
        return write(context, frame, sizeof frame);
    memcpy(member + CODEC_MEMBER_HEADER_BYTES, empty_data, sizeof empty_data);
    codec_member_wrap(member, 2, 0, 0, stream->plan->request.level);
    return write(context, member, sizeof member);
}

static int end_single_member(struct codec_stream *stream, codec_write write, void *context)
{
    uint8_t end[2 + CODEC_MEMBER_TRAILER_BYTES] = {3, 0}; /* an empty final block */
    codec_put32(end + 2, stream->crc);
    codec_put32(end + 6, (uint32_t)stream->bytes);
    return write(context, end, sizeof end);
}

static int end_seekable(const struct codec_stream *stream, codec_write write, void *context)
{
    uint8_t header[8], footer[CODEC_SEEK_FOOTER_BYTES];
    codec_put32(header, CODEC_SEEK_FRAME_MAGIC);
    codec_put32(header + 4, (uint32_t)(stream->table_bytes + sizeof footer));
    codec_put32(footer, (uint32_t)stream->blocks);
    footer[4] = 0; /* rows without checksums: the frames have them */
    codec_put32(footer + 5, CODEC_SEEK_FOOTER_MAGIC);
    int error = write(context, header, sizeof header);
    if (!error)
        error = write(context, stream->table, stream->table_bytes);
    return error ? error : write(context, footer, sizeof footer);
}

int codec_stream_end(struct codec_stream *stream, codec_write write, void *context)
{
    if (stream->plan->request.format == CODEC_DEFLATE)
        return 0;
    if (stream->plan->request.single_member)
        return end_single_member(stream, write, context);
    if (!stream->blocks)
        return end_empty(stream, write, context);
    return stream->table_is_lost ? 0 : end_seekable(stream, write, context);
}
