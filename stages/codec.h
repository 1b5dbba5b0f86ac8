/* codec: compression of independent blocks, and the containers that they make.
 *
 * A job's data is cut into blocks whose boundaries depend on the input and on options alone. Each
 * block is compressed by itself, by whichever worker has it, so that the bytes that come out do
 * not depend on how many workers there are:
 *
 *   gzip     a member for each block (RFC 1952), whose header carries the member's compressed size
 *            in an extra subfield, as BGZF does it, so that a reader can find the next member
 *            without decompressing this one; every gunzip reads the whole. With `single_member`
 *            one member, of deflate blocks that end on byte boundaries.
 *   zstd     a frame for each block (RFC 8878) with its content size and checksum, and at the end
 *            a seek table in a skippable frame (zstd's seekable format).
 *   deflate  raw deflate data (RFC 1951) of a zip member, of one block or several.
 *
 * An engine is a row of the table in codec.c. Which one is used for a level is in the level map
 * there, with the measurements behind it.
 *
 * Encoders and decoders belong to one thread each, and are made after any fork. Plans are plain
 * data and may be shared. Functions that can fail return 0 or a negative errno; -EBADMSG: corrupt
 * data.
 */
#ifndef TREEMILL_STAGES_CODEC_H
#define TREEMILL_STAGES_CODEC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum codec_format { CODEC_GZIP, CODEC_ZSTD, CODEC_DEFLATE, CODEC_FORMAT_COUNT };

enum codec_engine {
    CODEC_ENGINE_AUTO,
    CODEC_ENGINE_ISAL,
    CODEC_ENGINE_LIBDEFLATE,
    CODEC_ENGINE_ZLIB,
    CODEC_ENGINE_ZSTD,
    CODEC_ENGINE_COUNT
};
const char *codec_engine_name(enum codec_engine engine);

#define CODEC_LEVEL_DEFAULT INT_MIN

struct codec_request {
    enum codec_format format;
    enum codec_engine engine;
    int level;               /* gzip, deflate: 1 to 12; zstd: 1 to 19; or CODEC_LEVEL_DEFAULT */
    bool single_member;      /* gzip */
    bool rsyncable;          /* blocks are divided where their content says so */
    unsigned long_log;       /* zstd --long: log2 of the window; 0: the level's own */
    bool without_seek_table; /* zstd */
};

struct codec_engine_ops;

/* What a request came to; constant. */
struct codec_plan {
    const struct codec_engine_ops *ops;
    struct codec_request request; /* engine and level being those chosen */
    int engine_level;             /* in the engine's own scale */
};

/* 0, or -EINVAL with one line in error: no such level, an engine that cannot do the format. */
int codec_plan_make(const struct codec_request *request, struct codec_plan *plan, char *error,
                    size_t capacity);
/* "gzip by libdeflate, level 5"; for -v. */
void codec_plan_describe(const struct codec_plan *plan, char *text, size_t capacity);

/* For info: the library behind an engine, and its version; what it makes, "gzip, zip: levels 1 to
 * 9"; the engines of a format's levels if nothing is said. Not for CODEC_ENGINE_AUTO. */
const char *codec_engine_library(enum codec_engine engine);
void codec_engine_describe(enum codec_engine engine, char *text, size_t capacity);
const char *codec_format_name(enum codec_format format);
void codec_format_describe(enum codec_format format, char *text, size_t capacity);

/* Encoding. */

/* Most that a block of so many bytes can become, container's headers included. */
size_t codec_bound(const struct codec_plan *plan, size_t input_bytes);

/* What a block came to. */
struct codec_block {
    uint64_t input_bytes, output_bytes;
    uint32_t crc32; /* of the input; gzip and deflate */
};

/* The CRC-32 of two pieces of data, one after the other, of which the second has so many bytes. */
uint32_t codec_crc32_combine(uint32_t first, uint32_t second, uint64_t second_bytes);

struct codec_encoder;
/* For blocks of up to so many bytes of input. */
int codec_encoder_create(const struct codec_plan *plan, size_t block_bytes,
                         struct codec_encoder **encoder);
void codec_encoder_destroy(struct codec_encoder *encoder);

/* Compresses one block, whose input lies in `count` pieces one after another. `last` matters to
 * deflate and to a single gzip member: whether it ends the stream; the others' blocks all end by
 * themselves. The same input gives the same output, whatever the pieces. A block of no bytes is
 * allowed. -ENOBUFS: does not fit, which codec_bound() rules out. */
int codec_encode(struct codec_encoder *encoder, const struct iovec *pieces, unsigned count,
                 bool last, void *output, size_t capacity, struct codec_block *block);

/* What stands before and after the blocks of one compressed stream. Used by one thread, in the
 * order of the blocks. */
struct codec_stream;
int codec_stream_create(const struct codec_plan *plan, struct codec_stream **stream);
void codec_stream_destroy(struct codec_stream *stream);

/* Whether a reader can begin with any of the blocks so far: gzip's members tell their size, zstd's
 * frames are in the seek table. */
bool codec_stream_can_seek(const struct codec_stream *stream);

/* Gives pieces of the output on; 0 or -errno, which is passed on. */
typedef int (*codec_write)(void *context, const void *data, size_t bytes);

/* Before the first block, after each block has been written, and at the end: of a gzip stream
 * without any block too, which then is an empty member. */
int codec_stream_begin(struct codec_stream *stream, codec_write write, void *context);
int codec_stream_add(struct codec_stream *stream, const struct codec_block *block);
int codec_stream_end(struct codec_stream *stream, codec_write write, void *context);

#endif
