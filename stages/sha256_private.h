/* sha256_private: what the scheduler (sha256.c) and the kernels share. Words in brackets as in
 * FIPS 180-4. */
#ifndef TREEMILL_STAGES_SHA256_PRIVATE_H
#define TREEMILL_STAGES_SHA256_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

/* Kernels are written for one kind of CPU; elsewhere sha256_has() answers no to all. */
#if defined(__x86_64__)
#define SHA256_KERNELS 1
#else
#define SHA256_KERNELS 0
#endif

#define SHA256_BLOCK_BYTES 64
#define SHA256_COLUMNS     16

/* The hash values of up to 16 messages, one a column: row i holds the word H[i] of all of them, so
 * that a row is one vector. */
typedef uint32_t sha256_state[8][SHA256_COLUMNS];

/* The round constants K[0..63] (FIPS 180-4, 4.2.2). */
extern const uint32_t sha256_constants[64];
/* H(0) of SHA-224 and SHA-256 (5.3.2, 5.3.3). */
extern const uint32_t sha256_initial_224[8], sha256_initial_256[8];

/* 5.1.1: the last block or two of a message of `bytes` bytes, whose last bytes % 64 are `rest`.
 * How many blocks they are. */
size_t sha256_pad(uint8_t tail[2 * SHA256_BLOCK_BYTES], const uint8_t *rest, uint64_t bytes);

/* A kernel compresses `blocks` consecutive blocks of each message: `data[c]` is those of column c,
 * of any alignment. It reads and writes the first columns of the state, as many as it has lanes,
 * and nothing behind the blocks. Any thread; only where sha256_has() says that the CPU can. */
typedef void sha256_kernel(sha256_state state, const uint8_t *const *data, size_t blocks);
sha256_kernel sha256_compress_16, sha256_compress_8;

/* The same for two messages in any two different columns. */
void sha256_compress_pair(sha256_state state, const unsigned column[2],
                          const uint8_t *const data[2], size_t blocks);
/* Of one message alone. */
void sha256_compress_one(uint32_t hash[8], const uint8_t *data, size_t blocks);

#endif
