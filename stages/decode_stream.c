/* Streams: any members or frames, in any pieces. gzip by ISA-L, which decompresses twice as fast
 * as zlib. */
#include "stages/decode.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define MAGIC_FIRST  0x1f
#define MAGIC_SECOND 0x8b

enum phase {
    BETWEEN, /* before a member, or behind the last */
    MAGIC,   /* its first byte was there */
    HEADER,
    DATA,
    GARBAGE
};

struct decode_stream {
    enum codec_format format;
    enum phase phase;
    bool any;             /* a member or frame was whole */
    bool in_frame;        /* zstd */
    uint64_t frame_bytes; /* of it taken */
    struct inflate_state inflate;
    struct isal_gzip_header header;
    ZSTD_DCtx *zstd;
};

void decode_stream_reset(struct decode_stream *stream, enum codec_format format)
{
    stream->format = format;
    stream->phase = BETWEEN;
    stream->any = stream->in_frame = false;
    stream->frame_bytes = 0;
    isal_inflate_init(&stream->inflate);
    ZSTD_DCtx_reset(stream->zstd, ZSTD_reset_session_only);
}

int decode_stream_create(enum codec_format format, struct decode_stream **out)
{
    struct decode_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    stream->zstd = ZSTD_createDCtx();
    if (!stream->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax,
                                                             DECODE_WINDOW_LOG_MAX))) {
        decode_stream_destroy(stream);
        return -ENOMEM;
    }
    decode_stream_reset(stream, format);
    *out = stream;
    return 0;
}

void decode_stream_destroy(struct decode_stream *stream)
{
    if (!stream)
        return;
    ZSTD_freeDCtx(stream->zstd);
    free(stream);
}

/* gzip: RFC 1952. */

static void give_input(struct decode_stream *stream, const struct decode_step *step)
{
    stream->inflate.next_in = (uint8_t *)step->input;
    stream->inflate.avail_in =
        step->input_bytes < UINT32_MAX ? (uint32_t)step->input_bytes : UINT32_MAX;
}

static void take_input(const struct decode_stream *stream, struct decode_step *step)
{
    size_t taken = (size_t)(stream->inflate.next_in - step->input);
    step->input += taken;
    step->input_bytes -= taken;
}

/* Zeros behind a member are padding, as tapes have it. */
static void look_for_member(struct decode_stream *stream, struct decode_step *step)
{
    while (stream->any && step->input_bytes && *step->input == 0) {
        step->input++;
        step->input_bytes--;
    }
    if (!step->input_bytes)
        return;
    if (stream->any && *step->input != MAGIC_FIRST) {
        stream->phase = GARBAGE;
        return;
    }
    isal_inflate_reset(&stream->inflate);
    isal_gzip_header_init(&stream->header);
    stream->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER;
    if (*step->input != MAGIC_FIRST) {
        stream->phase = HEADER; /* which is wrong, as reading it will say */
        return;
    }
    step->input++;
    step->input_bytes--;
    stream->phase = MAGIC;
}

/* It takes both bytes to tell a member that was cut from short garbage, and the second may come in
 * another piece. So the first was taken by itself; ISA-L gets it now. */
static void complete_magic(struct decode_stream *stream, const struct decode_step *step)
{
    static const uint8_t first = MAGIC_FIRST;
    if (!step->input_bytes)
        return;
    if (stream->any && *step->input != MAGIC_SECOND) {
        stream->phase = GARBAGE;
        return;
    }
    stream->inflate.next_in = (uint8_t *)&first;
    stream->inflate.avail_in = 1;
    (void)isal_read_gzip_header(&stream->inflate, &stream->header); /* wants more, and keeps it */
    stream->phase = HEADER;
}

static int read_header(struct decode_stream *stream, struct decode_step *step)
{
    give_input(stream, step);
    int result = isal_read_gzip_header(&stream->inflate, &stream->header);
    take_input(stream, step);
    if (result == ISAL_DECOMP_OK) {
        stream->phase = DATA;
        return 0;
    }
    if (result == ISAL_END_INPUT)
        return 0;
    if (!stream->any || result != ISAL_INVALID_WRAPPER)
        return -EBADMSG;
    stream->phase = GARBAGE; /* its first byte only looked like a member's */
    return 0;
}

static int inflate_data(struct decode_stream *stream, struct decode_step *step)
{
    struct inflate_state *inflate = &stream->inflate;
    uint32_t room = step->output_bytes < UINT32_MAX ? (uint32_t)step->output_bytes : UINT32_MAX;
    give_input(stream, step);
    inflate->next_out = step->output;
    inflate->avail_out = room;
    int result = isal_inflate(inflate);
    take_input(stream, step);
    step->output += room - inflate->avail_out;
    step->output_bytes -= room - inflate->avail_out;
    if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT && result != ISAL_OUT_OVERFLOW)
        return -EBADMSG;
    if (inflate->block_state == ISAL_BLOCK_FINISH) {
        stream->phase = BETWEEN;
        stream->any = true;
    }
    return 0;
}

static int run_gzip(struct decode_stream *stream, struct decode_step *step)
{
    int error = 0;
    for (;;) {
        const uint8_t *input = step->input, *output = step->output;
        enum phase phase = stream->phase;
        switch (phase) {
        case BETWEEN:
            look_for_member(stream, step);
            break;
        case MAGIC:
            complete_magic(stream, step);
            break;
        case HEADER:
            error = read_header(stream, step);
            break;
        case DATA:
            error = inflate_data(stream, step);
            break;
        case GARBAGE:
            step->input += step->input_bytes;
            step->input_bytes = 0;
            return 0;
        }
        bool moved = step->input != input || step->output != output || stream->phase != phase;
        if (error || !moved || (!step->output_bytes && stream->phase == DATA))
            return error;
    }
}

/* zstd: RFC 8878.
 *
 * The header of a frame is handed over byte by byte. Where it comes with more, libzstd looks at
 * what lies in that piece: a frame of the formats before 1.0, then, or a whole frame, is decoded
 * right there; so the result would depend on the pieces, and hostile input would reach decoders
 * that are no longer looked after. Neither fits in one byte. */
#define FRAME_HEADER_BYTES_MAX 18

static int run_zstd(struct decode_stream *stream, struct decode_step *step)
{
    ZSTD_outBuffer output = {step->output, step->output_bytes, 0};
    ZSTD_inBuffer input = {step->input, step->input_bytes, 0};
    size_t result = 0;
    bool moved = true;
    while (moved && (input.pos < step->input_bytes || stream->in_frame)) {
        size_t in = input.pos, out = output.pos;
        bool in_header = stream->frame_bytes < FRAME_HEADER_BYTES_MAX;
        input.size = in_header && in < step->input_bytes ? in + 1 : step->input_bytes;
        result = ZSTD_decompressStream(stream->zstd, &output, &input);
        if (ZSTD_isError(result))
            break;
        moved = input.pos != in || output.pos != out;
        if (!moved)
            break;
        stream->in_frame = result != 0;
        stream->frame_bytes = result ? stream->frame_bytes + (input.pos - in) : 0;
        stream->any |= result == 0;
    }
    step->input += input.pos;
    step->input_bytes -= input.pos;
    step->output += output.pos;
    step->output_bytes -= output.pos;
    if (!ZSTD_isError(result))
        return 0;
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return -E2BIG;
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    default:
        return -EBADMSG;
    }
}

int decode_stream_run(struct decode_stream *stream, struct decode_step *step)
{
    return stream->format == CODEC_GZIP ? run_gzip(stream, step) : run_zstd(stream, step);
}

int decode_stream_finish(const struct decode_stream *stream)
{
    bool is_whole = stream->format == CODEC_GZIP
                        ? stream->phase == BETWEEN || stream->phase == GARBAGE
                        : !stream->in_frame;
    return is_whole && stream->any ? 0 : -ENODATA;
}

bool decode_stream_has_garbage(const struct decode_stream *stream)
{
    return stream->phase == GARBAGE;
}
