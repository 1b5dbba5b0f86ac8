/* The engines of codec.c; nothing else includes this. */
#ifndef TREEMILL_STAGES_CODEC_PRIVATE_H
#define TREEMILL_STAGES_CODEC_PRIVATE_H

#include "stages/codec.h"

/* One engine: compresses contiguous data into raw deflate data, or into zstd frames. Constant. */
struct codec_engine_ops {
    enum codec_engine id;
    const char *name;
    const char *(*library)(void); /* its name and version */
    unsigned formats;             /* bits 1u << enum codec_format */
    int level_max;                /* highest level that may be asked for; the lowest is 1 */
    int (*map_level)(int level);
    /* Most that `bytes` of input become. */
    size_t (*bound)(const struct codec_plan *plan, size_t bytes);
    /* State for input of up to block_bytes. 0 or -errno. */
    int (*open)(const struct codec_plan *plan, size_t block_bytes, void **state);
    void (*close)(void *state);
    /* Bytes written, or -ENOBUFS, -ENOMEM. Deflate data that is not final ends on a byte boundary,
     * and refers to nothing before it. */
    ptrdiff_t (*compress)(void *state, const uint8_t *input, size_t bytes, bool final,
                          uint8_t *output, size_t capacity);
};

extern const struct codec_engine_ops codec_isal, codec_libdeflate, codec_zlib, codec_zstd;

/* An empty stored block, which brings deflate data to a byte boundary: RFC 1951, 3.2.4. */
#define CODEC_EMPTY_BLOCK_BYTES 5

/* Turns deflate data of one final block or several, which ends in `output`, into data that others
 * may follow. The new number of bytes, or -ENOBUFS, -EBADMSG. */
ptrdiff_t codec_deflate_reopen(uint8_t *output, size_t bytes, size_t capacity);

#endif
