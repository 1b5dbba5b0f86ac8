#include "stages/sha256_stream.h"

#include <string.h>

#include "stages/sha256.h"
#include "stages/sha256_private.h"

#if SHA256_KERNELS

static size_t rest_bytes(const struct sha256_stream *stream)
{
    return stream->bytes % SHA256_BLOCK_BYTES;
}

void sha256_stream_begin(struct sha256_stream *stream, enum digest_id id)
{
    memcpy(stream->hash, id == DIGEST_SHA224 ? sha256_initial_224 : sha256_initial_256,
           sizeof stream->hash);
    stream->bytes = 0;
}

/* Fills up the block that was begun; false: the piece is used up by that. */
static bool complete_block(struct sha256_piece *piece)
{
    struct sha256_stream *stream = piece->stream;
    size_t rest = rest_bytes(stream);
    if (rest) {
        size_t take = SHA256_BLOCK_BYTES - rest;
        take = piece->bytes < take ? piece->bytes : take;
        memcpy(stream->rest + rest, piece->data, take);
        stream->bytes += take;
        piece->data += take;
        piece->bytes -= take;
        if (rest_bytes(stream))
            return false;
        sha256_compress_one(stream->hash, stream->rest, 1);
    }
    return piece->bytes > 0;
}

static void skip_blocks(struct sha256_piece *piece, size_t blocks)
{
    piece->stream->bytes += blocks * SHA256_BLOCK_BYTES;
    piece->data += blocks * SHA256_BLOCK_BYTES;
    piece->bytes -= blocks * SHA256_BLOCK_BYTES;
}

/* The piece begins with a block. */
static void compress_alone(struct sha256_piece *piece)
{
    struct sha256_stream *stream = piece->stream;
    size_t blocks = piece->bytes / SHA256_BLOCK_BYTES;
    sha256_compress_one(stream->hash, piece->data, blocks);
    skip_blocks(piece, blocks);
    memcpy(stream->rest, piece->data, piece->bytes);
    stream->bytes += piece->bytes;
    piece->bytes = 0;
}

static void compress_both(struct sha256_piece piece[2])
{
    static const unsigned columns[2] = {0, 1};
    _Alignas(64) sha256_state state;
    const uint8_t *const data[2] = {piece[0].data, piece[1].data};
    size_t blocks =
        (piece[0].bytes < piece[1].bytes ? piece[0].bytes : piece[1].bytes) / SHA256_BLOCK_BYTES;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < 8; i++)
            state[i][p] = piece[p].stream->hash[i];
    sha256_compress_pair(state, columns, data, blocks);
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < 8; i++)
            piece[p].stream->hash[i] = state[i][p];
        skip_blocks(&piece[p], blocks);
    }
}

void sha256_stream_update(struct sha256_stream *stream, const void *data, size_t bytes)
{
    struct sha256_piece piece = {stream, data, bytes};
    if (complete_block(&piece))
        compress_alone(&piece);
}

void sha256_stream_update_two(const struct sha256_piece pieces[2])
{
    struct sha256_piece piece[2] = {pieces[0], pieces[1]};
    bool more[2] = {complete_block(&piece[0]), complete_block(&piece[1])};
    if (more[0] && more[1])
        compress_both(piece);
    for (int p = 0; p < 2; p++)
        if (more[p])
            compress_alone(&piece[p]);
}

void sha256_stream_finish(struct sha256_stream *stream, enum digest_id id, uint8_t *output)
{
    uint8_t tail[2 * SHA256_BLOCK_BYTES];
    size_t blocks = sha256_pad(tail, stream->rest, stream->bytes);
    sha256_compress_one(stream->hash, tail, blocks);
    for (unsigned i = 0; i < (id == DIGEST_SHA224 ? 7 : 8); i++) {
        uint32_t word = __builtin_bswap32(stream->hash[i]);
        memcpy(output + 4 * (size_t)i, &word, sizeof word);
    }
}

#else

/* Never called: sha256_has(2, ...) is false. */
void sha256_stream_begin(struct sha256_stream *stream, enum digest_id id)
{
    (void)stream, (void)id;
}

void sha256_stream_update(struct sha256_stream *stream, const void *data, size_t bytes)
{
    (void)stream, (void)data, (void)bytes;
}

void sha256_stream_update_two(const struct sha256_piece pieces[2])
{
    (void)pieces;
}

void sha256_stream_finish(struct sha256_stream *stream, enum digest_id id, uint8_t *output)
{
    (void)stream, (void)id, (void)output;
}

#endif
