/* The three engines that make deflate data (RFC 1951). */
#include "stages/codec_private.h"

#include <errno.h>
#include <isa-l.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define DEFLATES (1u << CODEC_GZIP | 1u << CODEC_DEFLATE)

/* A stored block takes 5 bytes and holds 65535: what data costs that does not compress. */
static size_t stored_bytes(size_t bytes)
{
    return bytes + (bytes / 65535 + 2) * CODEC_EMPTY_BLOCK_BYTES + 64;
}

#define TEXT(number)    #number
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

/* ISA-L. It and libdeflate cannot be asked for their versions: these are of the headers. */

struct isal {
    struct isal_zstream stream;
    uint8_t *level_buffer;
    uint32_t level, level_buffer_bytes;
};

static const char *isal_library(void)
{
    return "ISA-L " DOTTED(ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION);
}

static int isal_level(int level)
{
    return level > ISAL_DEF_MAX_LEVEL ? ISAL_DEF_MAX_LEVEL : level;
}

/* Its buffers hold tokens before they are encoded: larger ones adapt the codes less often, and
 * choose them by more data. */
static int isal_open(const struct codec_plan *plan, size_t block_bytes, void **state)
{
    static const uint32_t bytes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT,
                                     ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    struct isal *isal = calloc(1, sizeof *isal);
    (void)block_bytes;
    if (!isal)
        return -ENOMEM;
    isal->level = (uint32_t)plan->engine_level;
    isal->level_buffer_bytes = bytes[plan->engine_level];
    isal->level_buffer = malloc(isal->level_buffer_bytes);
    if (!isal->level_buffer) {
        free(isal);
        return -ENOMEM;
    }
    *state = isal;
    return 0;
}

static void isal_close(void *state)
{
    struct isal *isal = state;
    free(isal->level_buffer);
    free(isal);
}

static size_t isal_bound(const struct codec_plan *plan, size_t bytes)
{
    (void)plan;
    return stored_bytes(bytes);
}

static ptrdiff_t isal_compress(void *state, const uint8_t *input, size_t bytes, bool final,
                               uint8_t *output, size_t capacity)
{
    struct isal *isal = state;
    struct isal_zstream *stream = &isal->stream;
    isal_deflate_stateless_init(stream);
    stream->level = isal->level;
    stream->level_buf = isal->level_buffer;
    stream->level_buf_size = isal->level_buffer_bytes;
    stream->gzip_flag = IGZIP_DEFLATE;
    stream->end_of_stream = final;
    stream->flush = final ? NO_FLUSH : FULL_FLUSH;
    stream->next_in = (uint8_t *)input;
    stream->avail_in = (uint32_t)bytes;
    stream->next_out = output;
    stream->avail_out = capacity < UINT32_MAX ? (uint32_t)capacity : UINT32_MAX;
    if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in)
        return -ENOBUFS;
    return (ptrdiff_t)stream->total_out;
}

const struct codec_engine_ops codec_isal = {
    .id = CODEC_ENGINE_ISAL,
    .name = "isal",
    .library = isal_library,
    .formats = DEFLATES,
    .level_max = 9,
    .map_level = isal_level,
    .bound = isal_bound,
    .open = isal_open,
    .close = isal_close,
    .compress = isal_compress,
};

/* libdeflate. */

static int same_level(int level)
{
    return level;
}

static const char *libdeflate_library(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

static int libdeflate_open(const struct codec_plan *plan, size_t block_bytes, void **state)
{
    (void)block_bytes;
    *state = libdeflate_alloc_compressor(plan->engine_level);
    return *state ? 0 : -ENOMEM;
}

static void libdeflate_close(void *state)
{
    libdeflate_free_compressor(state);
}

static size_t libdeflate_bound(const struct codec_plan *plan, size_t bytes)
{
    (void)plan;
    return libdeflate_deflate_compress_bound(NULL, bytes) + CODEC_EMPTY_BLOCK_BYTES;
}

static ptrdiff_t libdeflate_compress(void *state, const uint8_t *input, size_t bytes, bool final,
                                     uint8_t *output, size_t capacity)
{
    size_t made = libdeflate_deflate_compress(state, input, bytes, output, capacity);
    if (!made)
        return -ENOBUFS;
    return final ? (ptrdiff_t)made : codec_deflate_reopen(output, made, capacity);
}

const struct codec_engine_ops codec_libdeflate = {
    .id = CODEC_ENGINE_LIBDEFLATE,
    .name = "libdeflate",
    .library = libdeflate_library,
    .formats = DEFLATES,
    .level_max = 12,
    .map_level = same_level,
    .bound = libdeflate_bound,
    .open = libdeflate_open,
    .close = libdeflate_close,
    .compress = libdeflate_compress,
};

/* Where the last block's header begins, and how many bits of the last byte are not used: by
 * decompressing, as zlib's examples/gzjoin.c does it. That takes about a fifth of the time of
 * compressing at level 6, less at higher ones. */
static int find_last_block(const uint8_t *data, size_t bytes, size_t *header_bit, unsigned *unused)
{
    uint8_t window[32768];
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)bytes};
    int result;
    if (inflateInit2(&stream, -15) != Z_OK)
        return -ENOMEM;
    *header_bit = 0;
    for (;;) {
        stream.next_out = window;
        stream.avail_out = sizeof window;
        result = inflate(&stream, Z_BLOCK);
        if (result != Z_OK ||
            (!stream.avail_in && stream.avail_out == sizeof window && !(stream.data_type & 128)))
            break;
        if (!(stream.data_type & 128)) /* within a block */
            continue;
        *unused = (unsigned)stream.data_type & 7;
        if (stream.data_type & 64) {
            result = stream.avail_in ? Z_DATA_ERROR : Z_STREAM_END;
            break;
        }
        *header_bit = (size_t)stream.total_in * 8 - *unused;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END ? 0 : -EBADMSG;
}

ptrdiff_t codec_deflate_reopen(uint8_t *output, size_t bytes, size_t capacity)
{
    static const uint8_t empty[] = {0, 0, 0, 0xff, 0xff};
    size_t header_bit;
    unsigned unused;
    int error = find_last_block(output, bytes, &header_bit, &unused);
    if (error)
        return error;
    if (bytes + sizeof empty > capacity)
        return -ENOBUFS;
    output[header_bit / 8] &= (uint8_t) ~(1u << header_bit % 8);
    /* The three bits of the stored block's header, zeros, may fit into the last byte. */
    size_t skip = unused >= 3 ? 1 : 0;
    memcpy(output + bytes, empty + skip, sizeof empty - skip);
    return (ptrdiff_t)(bytes + sizeof empty - skip);
}

/* zlib. */

static const char *zlib_library(void)
{
    static _Thread_local char text[32];
    snprintf(text, sizeof text, "zlib %s", zlibVersion());
    return text;
}

static int zlib_open(const struct codec_plan *plan, size_t block_bytes, void **state)
{
    z_stream *stream = calloc(1, sizeof *stream);
    (void)block_bytes;
    if (!stream)
        return -ENOMEM;
    if (deflateInit2(stream, plan->engine_level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return -ENOMEM;
    }
    *state = stream;
    return 0;
}

static void zlib_close(void *state)
{
    deflateEnd(state);
    free(state);
}

static size_t zlib_bound(const struct codec_plan *plan, size_t bytes)
{
    (void)plan;
    return compressBound((uLong)bytes) + 64;
}

static ptrdiff_t zlib_compress(void *state, const uint8_t *input, size_t bytes, bool final,
                               uint8_t *output, size_t capacity)
{
    z_stream *stream = state;
    deflateReset(stream);
    stream->next_in = (Bytef *)input;
    stream->avail_in = (uInt)bytes;
    stream->next_out = output;
    stream->avail_out = (uInt)(capacity < UINT32_MAX ? capacity : UINT32_MAX);
    int result = deflate(stream, final ? Z_FINISH : Z_FULL_FLUSH);
    if (result != (final ? Z_STREAM_END : Z_OK) || stream->avail_in || !stream->avail_out)
        return -ENOBUFS;
    return (ptrdiff_t)stream->total_out;
}

const struct codec_engine_ops codec_zlib = {
    .id = CODEC_ENGINE_ZLIB,
    .name = "zlib",
    .library = zlib_library,
    .formats = DEFLATES,
    .level_max = 9,
    .map_level = same_level,
    .bound = zlib_bound,
    .open = zlib_open,
    .close = zlib_close,
    .compress = zlib_compress,
};
