/* Indexes: the members or frames of a file, found without decompressing. */
#include "stages/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/codec_format.h"

#define MEMBER_FIXED_BYTES 12 /* of the header, with XLEN */
#define GZIP_FEXTRA        4
#define BGZF_CONTENT_MAX   65536

/* zstd's skippable frame in which pzstd tells the size of the frame behind it: magic number, 4,
 * size (contrib/pzstd/README.md). */
#define PZSTD_MAGIC        0x184D2A50U
#define PZSTD_HEADER_BYTES 12

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* Parsers. */

/* One subfield: what it says of the member. */
static bool subfield_parse(const uint8_t *at, size_t bytes, uint64_t *member_bytes,
                           uint64_t *content_bytes)
{
    if (at[0] == 'T' && at[1] == 'M' && bytes == 8) {
        *member_bytes = codec_get32(at + 4);
        *content_bytes = codec_get32(at + 8);
        return true;
    }
    if (at[0] == 'B' && at[1] == 'C' && bytes == 2) {
        *member_bytes = get16(at + 4) + (uint64_t)1;
        *content_bytes = BGZF_CONTENT_MAX;
        return true;
    }
    return false;
}

bool decode_member_parse(const uint8_t *start, size_t bytes, uint64_t *member_bytes,
                         uint64_t *content_bytes)
{
    if (bytes < MEMBER_FIXED_BYTES || start[0] != 0x1f || start[1] != 0x8b || start[2] != 8 ||
        !(start[3] & GZIP_FEXTRA))
        return false;
    size_t end = MEMBER_FIXED_BYTES + get16(start + 10);
    for (size_t at = MEMBER_FIXED_BYTES; at + 4 <= end && at + 4 <= bytes;) {
        size_t field = get16(start + at + 2);
        if (at + 4 + field > end || at + 4 + field > bytes)
            return false;
        if (subfield_parse(start + at, field, member_bytes, content_bytes))
            return *member_bytes >= end + CODEC_MEMBER_TRAILER_BYTES;
        at += 4 + field;
    }
    return false;
}

bool decode_footer_parse(const uint8_t footer[static CODEC_SEEK_FOOTER_BYTES], uint64_t file_bytes,
                         uint32_t *frames, uint32_t *row_bytes)
{
    uint8_t descriptor = footer[4];
    *frames = codec_get32(footer);
    *row_bytes = descriptor & 0x80 ? 12 : 8; /* with a checksum each, or without */
    return codec_get32(footer + 5) == CODEC_SEEK_FOOTER_MAGIC && !(descriptor & 0x7c) &&
           *frames <= CODEC_SEEK_FRAMES_MAX &&
           (uint64_t)*frames * *row_bytes + 8 + CODEC_SEEK_FOOTER_BYTES <= file_bytes;
}

/* Reading. */

#define WINDOW_BYTES 65536

/* A piece of the file: small members are many to one read. */
struct window {
    uint64_t offset;
    size_t bytes;
    uint8_t data[WINDOW_BYTES];
};

enum kind { MEMBERS, SEEK_TABLE, SIZED_FRAMES };

struct decode_index {
    int fd;
    uint64_t file_bytes;
    struct decode_limits limits;
    enum kind kind;
    uint64_t offset; /* of the next member or frame */
    /* SEEK_TABLE */
    uint64_t table, data_end; /* where rows begin, and what they describe ends */
    uint32_t frames, frame, row_bytes;
    struct window window;
};

/* `bytes` bytes of the file, at most, in *data; how many there are, or -errno. */
static ptrdiff_t look(struct decode_index *index, uint64_t offset, size_t bytes,
                      const uint8_t **data)
{
    struct window *window = &index->window;
    uint64_t rest = offset < index->file_bytes ? index->file_bytes - offset : 0;
    if (bytes > rest)
        bytes = (size_t)rest;
    if (offset < window->offset || offset + bytes > window->offset + window->bytes) {
        /* More than is asked for only where the next is near. */
        bool is_near = offset - window->offset < sizeof window->data;
        ssize_t got =
            pread(index->fd, window->data, is_near ? sizeof window->data : bytes, (off_t)offset);
        if (got < 0)
            return -errno;
        window->offset = offset;
        window->bytes = (size_t)got;
    }
    *data = window->data + (offset - window->offset);
    size_t there = window->bytes - (size_t)(offset - window->offset);
    return (ptrdiff_t)(bytes < there ? bytes : there);
}

/* The next member or frame, from *offset on, which moves to its start where something comes before
 * it. 1; 0: the end; -EBADMSG: nothing that tells its size. */
struct part {
    uint64_t offset, bytes, content_bytes;
};

static int next_member(struct decode_index *index, struct part *part)
{
    const uint8_t *data;
    part->offset = index->offset;
    ptrdiff_t bytes = look(index, index->offset, DECODE_MEMBER_BYTES, &data);
    if (bytes <= 0)
        return (int)bytes;
    return decode_member_parse(data, (size_t)bytes, &part->bytes, &part->content_bytes) ? 1
                                                                                        : -EBADMSG;
}

static int next_row(struct decode_index *index, struct part *part)
{
    const uint8_t *data;
    if (index->frame == index->frames)
        return 0;
    uint64_t at = index->table + (uint64_t)index->frame * index->row_bytes;
    ptrdiff_t bytes = look(index, at, index->row_bytes, &data);
    if (bytes < 0)
        return (int)bytes;
    if (bytes < CODEC_SEEK_ROW_BYTES)
        return -EBADMSG;
    part->offset = index->offset;
    part->bytes = codec_get32(data);
    part->content_bytes = codec_get32(data + 4);
    return part->bytes ? 1 : -EBADMSG;
}

/* How much content pzstd's frames have they say themselves: RFC 8878, 3.1.1.1. */
static bool content_size(const uint8_t *frame, size_t bytes, uint64_t *content_bytes)
{
    static const uint8_t dictionary_bytes[] = {0, 1, 2, 4};
    if (bytes < 18 || codec_get32(frame) != 0xFD2FB528U)
        return false;
    unsigned flags = frame[4];
    bool single_segment = flags & 0x20;
    size_t at = 5 + (single_segment ? 0U : 1U) + dictionary_bytes[flags & 3];
    switch (flags >> 6) {
    case 0:
        *content_bytes = frame[at];
        return single_segment;
    case 1:
        *content_bytes = get16(frame + at) + (uint64_t)256;
        return true;
    case 2:
        *content_bytes = codec_get32(frame + at);
        return true;
    default:
        *content_bytes = codec_get32(frame + at) | (uint64_t)codec_get32(frame + at + 4) << 32;
        return true;
    }
}

static int next_sized_frame(struct decode_index *index, struct part *part)
{
    const uint8_t *data;
    ptrdiff_t bytes = look(index, index->offset, PZSTD_HEADER_BYTES + 18, &data);
    if (bytes <= 0)
        return (int)bytes;
    if (bytes < PZSTD_HEADER_BYTES || codec_get32(data) != PZSTD_MAGIC ||
        codec_get32(data + 4) != 4 ||
        !content_size(data + PZSTD_HEADER_BYTES, (size_t)bytes - PZSTD_HEADER_BYTES,
                      &part->content_bytes))
        return -EBADMSG;
    part->offset = index->offset;
    part->bytes = PZSTD_HEADER_BYTES + (uint64_t)codec_get32(data + 8);
    return 1;
}

static int next_part(struct decode_index *index, struct part *part)
{
    uint64_t end = index->kind == SEEK_TABLE ? index->data_end : index->file_bytes;
    int got = index->kind == MEMBERS      ? next_member(index, part)
              : index->kind == SEEK_TABLE ? next_row(index, part)
                                          : next_sized_frame(index, part);
    if (got == 0 && index->offset != end)
        return -EBADMSG;
    if (got > 0 && (part->offset > end || part->bytes > end - part->offset))
        return -EBADMSG;
    return got;
}

int decode_index_next(struct decode_index *index, struct decode_unit *unit)
{
    struct part part;
    int got = next_part(index, &part);
    if (got <= 0)
        return got;
    *unit = (struct decode_unit){.offset = part.offset};
    do {
        if (part.bytes > index->limits.compressed_bytes - unit->compressed_bytes ||
            part.content_bytes > index->limits.output_bytes - unit->output_bytes)
            break;
        unit->compressed_bytes += (size_t)part.bytes;
        unit->output_bytes += (size_t)part.content_bytes;
        index->offset = part.offset + part.bytes;
        index->frame++;
        got = next_part(index, &part);
    } while (got > 0);
    if (got < 0) /* told when the next unit is asked for */
        got = 1;
    return unit->compressed_bytes ? 1 : -EBADMSG; /* the first alone is too large */
}

/* Rows have sizes, not offsets: those up to there are added up. */
static int find_row(struct decode_index *index, uint64_t offset)
{
    struct part part;
    int got = 1;
    if (offset < index->offset)
        index->offset = index->frame = 0;
    while (index->offset < offset && (got = next_row(index, &part)) > 0) {
        index->offset += part.bytes;
        index->frame++;
    }
    return got < 0 ? got : index->offset == offset ? 0 : -EBADMSG;
}

int decode_index_seek(struct decode_index *index, uint64_t offset)
{
    struct part part;
    uint64_t offset_before = index->offset;
    uint32_t frame_before = index->frame;
    int error = 0;
    if (offset >= index->file_bytes)
        return -EBADMSG;
    if (index->kind == SEEK_TABLE)
        error = find_row(index, offset);
    else
        index->offset = offset;
    if (!error) {
        int got = next_part(index, &part);
        error = got > 0 ? 0 : got < 0 ? got : -EBADMSG;
    }
    if (error) {
        index->offset = offset_before;
        index->frame = frame_before;
    }
    return error;
}

/* Opening. */

static bool has_seek_table(struct decode_index *index)
{
    const uint8_t *data;
    if (index->file_bytes < 8 + CODEC_SEEK_FOOTER_BYTES)
        return false;
    ptrdiff_t bytes =
        look(index, index->file_bytes - CODEC_SEEK_FOOTER_BYTES, CODEC_SEEK_FOOTER_BYTES, &data);
    if (bytes < CODEC_SEEK_FOOTER_BYTES ||
        !decode_footer_parse(data, index->file_bytes, &index->frames, &index->row_bytes))
        return false;
    uint64_t rows = (uint64_t)index->frames * index->row_bytes;
    index->table = index->file_bytes - CODEC_SEEK_FOOTER_BYTES - rows;
    index->data_end = index->table - 8;
    bytes = look(index, index->data_end, 8, &data);
    return bytes == 8 && codec_get32(data) == CODEC_SEEK_FRAME_MAGIC &&
           codec_get32(data + 4) == rows + CODEC_SEEK_FOOTER_BYTES;
}

/* Whether it leads through the whole file: behind members that tell their size others may have been
 * put that do not. */
static bool is_sound(struct decode_index *index)
{
    struct part part;
    int got;
    bool any = false;
    while ((got = next_part(index, &part)) > 0) {
        if (part.bytes > index->limits.compressed_bytes ||
            part.content_bytes > index->limits.output_bytes)
            return false;
        index->offset = part.offset + part.bytes;
        index->frame++;
        any = true;
    }
    index->offset = 0;
    index->frame = 0;
    return any && got == 0;
}

static bool choose_kind(struct decode_index *index)
{
    const uint8_t *data;
    enum codec_format format;
    ptrdiff_t bytes = look(index, 0, DECODE_DETECT_BYTES, &data);
    if (bytes <= 0 || !decode_detect(data, (size_t)bytes, &format))
        return false;
    if (format == CODEC_GZIP)
        index->kind = MEMBERS;
    else
        index->kind = has_seek_table(index) ? SEEK_TABLE : SIZED_FRAMES;
    return is_sound(index);
}

int decode_index_open(int fd, uint64_t file_bytes, const struct decode_limits *limits,
                      struct decode_index **out)
{
    struct decode_index *index = calloc(1, sizeof *index);
    if (!index)
        return -ENOMEM;
    index->fd = fd;
    index->file_bytes = file_bytes;
    index->limits = *limits;
    if (!choose_kind(index)) {
        decode_index_close(index);
        return 0;
    }
    *out = index;
    return 1;
}

void decode_index_close(struct decode_index *index)
{
    free(index);
}
