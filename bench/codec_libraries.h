/*
 * The libraries whose compressing and decompressing of a block in memory is timed, each a row of
 * one table. For bench/codec_limit.c.
 */
#ifndef BENCH_CODEC_LIBRARIES_H
#define BENCH_CODEC_LIBRARIES_H

#include "bench/measure.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <zstd.h>

/* A function that fails returns NULL, 0 or false. */
struct library {
    const char *name;
    void *(*open)(int level); /* a compressor */
    void (*close)(void *state);
    size_t (*bound)(size_t bytes);
    size_t (*compress)(void *state, const void *input, size_t bytes, void *output, size_t capacity);
    void *(*open_reverse)(void); /* a decompressor */
    void (*close_reverse)(void *state);
    /* True if exactly EXPECTED bytes come out. */
    bool (*decompress)(void *state, const void *input, size_t bytes, void *output, size_t expected);
};

/* ISA-L. */

static inline void *isal_open(int level)
{
    static const uint32_t buffer_bytes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT,
                                            ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};

    if (level < 0 || level > ISAL_DEF_MAX_LEVEL)
        return NULL;
    struct isal_zstream *stream = calloc(1, sizeof(*stream));
    void *buffer = malloc(buffer_bytes[level] + 1); /* level 0 needs none */

    if (stream == NULL || buffer == NULL)
        die("isal", ENOMEM);
    isal_deflate_stateless_init(stream);
    stream->level = (uint32_t)level;
    stream->level_buf = buffer;
    stream->level_buf_size = buffer_bytes[level];
    return stream;
}

static inline void isal_close(void *state)
{
    struct isal_zstream *stream = state;

    free(stream->level_buf);
    free(stream);
}

static inline size_t isal_bound(size_t bytes)
{
    return bytes + (bytes / 65535 + 2) * 5 + 64; /* stored blocks */
}

static inline size_t isal_compress(void *state, const void *input, size_t bytes, void *output,
                                   size_t capacity)
{
    struct isal_zstream *stream = state;

    isal_deflate_reset(stream);
    stream->gzip_flag = IGZIP_GZIP;
    stream->flush = NO_FLUSH;
    stream->end_of_stream = 1;
    stream->next_in = (uint8_t *)(uintptr_t)input; /* its type lacks a const */
    stream->avail_in = (uint32_t)bytes;
    stream->next_out = output;
    stream->avail_out = (uint32_t)capacity;
    return isal_deflate_stateless(stream) == COMP_OK ? stream->total_out : 0;
}

static inline void *isal_open_reverse(void)
{
    return calloc(1, sizeof(struct inflate_state));
}

static inline bool isal_decompress(void *state, const void *input, size_t bytes, void *output,
                                   size_t expected)
{
    struct inflate_state *inflate = state;

    isal_inflate_init(inflate);
    inflate->crc_flag = ISAL_GZIP;
    inflate->next_in = (uint8_t *)(uintptr_t)input;
    inflate->avail_in = (uint32_t)bytes;
    inflate->next_out = output;
    inflate->avail_out = (uint32_t)expected;
    return isal_inflate_stateless(inflate) == ISAL_DECOMP_OK && inflate->total_out == expected;
}

/* libdeflate. */

static inline void *libdeflate_open(int level)
{
    return libdeflate_alloc_compressor(level);
}

static inline void libdeflate_close(void *state)
{
    libdeflate_free_compressor(state);
}

static inline size_t libdeflate_bound(size_t bytes)
{
    return libdeflate_gzip_compress_bound(NULL, bytes);
}

static inline size_t libdeflate_compress(void *state, const void *input, size_t bytes, void *output,
                                         size_t capacity)
{
    return libdeflate_gzip_compress(state, input, bytes, output, capacity);
}

static inline void *libdeflate_open_reverse(void)
{
    return libdeflate_alloc_decompressor();
}

static inline void libdeflate_close_reverse(void *state)
{
    libdeflate_free_decompressor(state);
}

static inline bool libdeflate_decompress(void *state, const void *input, size_t bytes, void *output,
                                         size_t expected)
{
    return libdeflate_gzip_decompress(state, input, bytes, output, expected, NULL) ==
           LIBDEFLATE_SUCCESS;
}

/* zstd. */

static inline bool zstd_set(ZSTD_CCtx *context, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value));
}

/* With the tables that treemill uses at level 3, which are faster: they make the limit. */
static inline void *zstd_open(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    bool tuned = level == 3;

    if (context == NULL || !zstd_set(context, ZSTD_c_checksumFlag, 1) ||
        !zstd_set(context, ZSTD_c_compressionLevel, level) ||
        (tuned && !zstd_set(context, ZSTD_c_hashLog, 16)) ||
        (tuned && !zstd_set(context, ZSTD_c_chainLog, 15)))
        return NULL;
    return context;
}

static inline void zstd_close(void *state)
{
    ZSTD_freeCCtx(state);
}

static inline size_t zstd_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes) + 64;
}

static inline size_t zstd_compress(void *state, const void *input, size_t bytes, void *output,
                                   size_t capacity)
{
    size_t made = ZSTD_compress2(state, output, capacity, input, bytes);

    return ZSTD_isError(made) ? 0 : made;
}

static inline void *zstd_open_reverse(void)
{
    return ZSTD_createDCtx();
}

static inline void zstd_close_reverse(void *state)
{
    ZSTD_freeDCtx(state);
}

static inline bool zstd_decompress(void *state, const void *input, size_t bytes, void *output,
                                   size_t expected)
{
    return ZSTD_decompressDCtx(state, output, expected, input, bytes) == expected;
}

static const struct library libraries[] = {
    {"isal", isal_open, isal_close, isal_bound, isal_compress, isal_open_reverse, free,
     isal_decompress},
    {"libdeflate", libdeflate_open, libdeflate_close, libdeflate_bound, libdeflate_compress,
     libdeflate_open_reverse, libdeflate_close_reverse, libdeflate_decompress},
    {"zstd", zstd_open, zstd_close, zstd_bound, zstd_compress, zstd_open_reverse,
     zstd_close_reverse, zstd_decompress},
};

static inline const struct library *find_library(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        if (strlen(libraries[i].name) == length && memcmp(libraries[i].name, name, length) == 0)
            return &libraries[i];
    }
    die(name, EINVAL);
    return NULL;
}

#endif
