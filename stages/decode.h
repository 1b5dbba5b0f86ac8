/* decode: decompression of gzip and zstd, whoever made them.
 *
 * Three ways in. A *block* is some whole gzip members or zstd frames in memory. A *stream* takes
 * any input in any pieces. An *index* finds, in a file that allows it, units that can be
 * decompressed by themselves and so at the same time:
 *
 *   gzip  members that carry their size in the header: treemill's (codec_format.h) and BGZF's
 *         (SAM/BAM format specification, 4.1)
 *   zstd  frames listed in a seek table at the end (codec_format.h), or each behind a skippable
 *         frame that holds its size (pzstd)
 *
 * Everything read is taken for hostile: sizes are checked against the file and against limits; a
 * file whose index makes no sense has none and is decoded as one stream, where its own checksums
 * decide. Decoders belong to one thread each.
 */
#ifndef TREEMILL_STAGES_DECODE_H
#define TREEMILL_STAGES_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stages/codec.h"

/* What a file that begins so is: true and its format. Skippable frames are zstd's. At least
 * DECODE_DETECT_BYTES of it, or all. */
#define DECODE_DETECT_BYTES 4
bool decode_detect(const void *start, size_t bytes, enum codec_format *format);

/* Blocks. */

struct decoder;
int decoder_create(struct decoder **decoder);
void decoder_destroy(struct decoder *decoder);

/* Decompresses whole members or frames, one or more, nothing else. 0; -EBADMSG: corrupt; -ENOBUFS:
 * more than `capacity`. */
int decode_block(struct decoder *decoder, enum codec_format format, const void *input,
                 size_t input_bytes, void *output, size_t capacity, size_t *output_bytes);

/* Streams. */

/* zstd frames may ask for a window as large as this, the limit of zstd's own tools: 2^27. */
#define DECODE_WINDOW_LOG_MAX 27

struct decode_stream;
int decode_stream_create(enum codec_format format, struct decode_stream **stream);
void decode_stream_destroy(struct decode_stream *stream);
/* Begins anew with another file. */
void decode_stream_reset(struct decode_stream *stream, enum codec_format format);

/* One step: takes from the input, adds to the output, until one of them is used up. */
struct decode_step {
    const uint8_t *input;
    size_t input_bytes; /* left */
    uint8_t *output;
    size_t output_bytes; /* room left */
};
/* 0; -EBADMSG: corrupt; -ENOMEM; -E2BIG: the window is larger than allowed. */
int decode_stream_run(struct decode_stream *stream, struct decode_step *step);
/* The input ends here. 0; -ENODATA: too early. */
int decode_stream_finish(const struct decode_stream *stream);
/* Behind the last member there was something that is neither a member nor zeros: ignored, as gzip
 * ignores it. */
bool decode_stream_has_garbage(const struct decode_stream *stream);

/* Indexes. */

struct decode_unit {
    uint64_t offset; /* in the file */
    size_t compressed_bytes;
    size_t output_bytes; /* at most; exact but for BGZF */
};

/* No unit may be larger, compressed or not. */
struct decode_limits {
    size_t compressed_bytes, output_bytes;
};

struct decode_index;
/* 1: there is one; 0: there is none that can be used; -ENOMEM. The descriptor is read with
 * pread(2), and is the caller's. */
int decode_index_open(int fd, uint64_t file_bytes, const struct decode_limits *limits,
                      struct decode_index **index);
void decode_index_close(struct decode_index *index);
/* The next unit: as many members or frames as the limits allow, so that small ones are not many. 1;
 * 0: no more; -EBADMSG: what follows is no such member; or an errno of reading. */
int decode_index_next(struct decode_index *index, struct decode_unit *unit);
/* Goes on with the member or frame that begins at `offset`, which may be before those that
 * decode_index_next() has told. 0; -EBADMSG: none is known to begin there, a gzip member by its
 * header, a zstd frame by its row; or an errno of reading. Then it stands where it stood. */
int decode_index_seek(struct decode_index *index, uint64_t offset);

/* The parsers by themselves, on memory. */

/* A gzip member that tells its size. Its first `bytes` bytes, DECODE_MEMBER_BYTES are enough for
 * those that are known. False: it does not, or is none. */
#define DECODE_MEMBER_BYTES 64
bool decode_member_parse(const uint8_t *start, size_t bytes, uint64_t *member_bytes,
                         uint64_t *content_bytes);
/* A row of zstd's seek table, and its footer: frames, bytes of a row. */
bool decode_footer_parse(const uint8_t footer[static 9], uint64_t file_bytes, uint32_t *frames,
                         uint32_t *row_bytes);

#endif
