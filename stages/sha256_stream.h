/* sha256_stream: SHA-224 and SHA-256 (FIPS 180-4) of a message that comes piece by piece, two of
 * them at a time. One message alone leaves the SHA instructions idle half of the time; a second
 * one, of another file, fills that time: see sha256_pair.c.
 */
#ifndef TREEMILL_STAGES_SHA256_STREAM_H
#define TREEMILL_STAGES_SHA256_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "stages/digest.h"

/* Plain data of one owner. Only where sha256_has(2, ...). */
struct sha256_stream {
    uint32_t hash[8];
    uint64_t bytes;   /* so far */
    uint8_t rest[64]; /* the last bytes % 64 of them, not compressed yet */
};

/* A piece of a message, and the stream that it continues. */
struct sha256_piece {
    struct sha256_stream *stream;
    const uint8_t *data;
    size_t bytes;
};

/* `id`: DIGEST_SHA224 or DIGEST_SHA256. Nothing here can fail. */
void sha256_stream_begin(struct sha256_stream *stream, enum digest_id id);
void sha256_stream_update(struct sha256_stream *stream, const void *data, size_t bytes);
/* Two pieces of different streams. */
void sha256_stream_update_two(const struct sha256_piece piece[2]);
/* Writes 28 or 32 bytes; the stream is to be begun anew after that. */
void sha256_stream_finish(struct sha256_stream *stream, enum digest_id id, uint8_t *output);

#endif
