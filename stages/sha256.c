#include "stages/sha256.h"

#include <string.h>

#include "stages/sha256_private.h"

#if SHA256_KERNELS

#include <cpuid.h>

/* Sections of FIPS 180-4 are given by their numbers.
 *
 * 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* 5.3.2 and 5.3.3 */
const uint32_t sha256_initial_224[8] = {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
                                        0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4};
const uint32_t sha256_initial_256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* All that a call works with. A message is compressed in two parts: its whole blocks where they
 * lie, then its padded tail. */
struct run {
    _Alignas(64) sha256_state state;
    const uint8_t *data[SHA256_COLUMNS]; /* the next block of the part in work */
    size_t blocks[SHA256_COLUMNS];       /* left of it */
    bool in_tail[SHA256_COLUMNS];
    const struct digest_message *message[SHA256_COLUMNS];
    uint8_t tail[SHA256_COLUMNS][2 * SHA256_BLOCK_BYTES];
    uint32_t unfinished; /* bit c: column c was left in the middle of a message */
    /* The messages that wait. */
    const struct digest_message *const *next, *const *end;
    const uint32_t *initial;
    unsigned words; /* of the digest */
    size_t offset;
};

static void store_big_endian(uint8_t *to, uint32_t word)
{
    word = __builtin_bswap32(word);
    memcpy(to, &word, sizeof word);
}

/* A one bit, zeros, and the length in bits as the last 64 bits of a block. */
size_t sha256_pad(uint8_t tail[2 * SHA256_BLOCK_BYTES], const uint8_t *rest, uint64_t bytes)
{
    size_t rest_bytes = bytes % SHA256_BLOCK_BYTES;
    size_t blocks = rest_bytes + 1 + 8 <= SHA256_BLOCK_BYTES ? 1 : 2;
    uint64_t bits = __builtin_bswap64(bytes * 8);
    memset(tail, 0, (size_t)2 * SHA256_BLOCK_BYTES);
    if (rest_bytes)
        memcpy(tail, rest, rest_bytes);
    tail[rest_bytes] = 0x80;
    memcpy(tail + blocks * SHA256_BLOCK_BYTES - sizeof bits, &bits, sizeof bits);
    return blocks;
}

static void begin_tail(struct run *run, unsigned c)
{
    const struct digest_message *message = run->message[c];
    size_t whole = message->bytes - message->bytes % SHA256_BLOCK_BYTES;
    const uint8_t *rest = whole < message->bytes ? (const uint8_t *)message->data + whole : NULL;
    run->data[c] = run->tail[c];
    run->blocks[c] = sha256_pad(run->tail[c], rest, message->bytes);
    run->in_tail[c] = true;
}

/* False: no message waits. */
static bool begin_message(struct run *run, unsigned c)
{
    if (run->next == run->end)
        return false;
    const struct digest_message *message = *run->next++;
    for (int i = 0; i < 8; i++)
        run->state[i][c] = run->initial[i];
    run->message[c] = message;
    run->data[c] = message->data;
    run->blocks[c] = message->bytes / SHA256_BLOCK_BYTES;
    run->in_tail[c] = false;
    if (!run->blocks[c])
        begin_tail(run, c);
    return true;
}

/* The part in work is done. False: so is the message, and its digest is written. */
static bool begin_next_part(struct run *run, unsigned c)
{
    if (!run->in_tail[c]) {
        begin_tail(run, c);
        return true;
    }
    uint8_t *output = run->message[c]->output + run->offset;
    for (unsigned i = 0; i < run->words; i++)
        store_big_endian(output + 4 * (size_t)i, run->state[i][c]);
    return false;
}

/* Counts blocks as compressed. False: the message ended. */
static bool advance(struct run *run, unsigned c, size_t blocks)
{
    run->data[c] += blocks * SHA256_BLOCK_BYTES;
    run->blocks[c] -= blocks;
    return run->blocks[c] || begin_next_part(run, c);
}

/* Until no message waits and no more than `leave` are unfinished. */
static void run_wide(struct run *run, sha256_kernel *kernel, unsigned columns, unsigned leave)
{
    uint32_t busy = 0;
    for (unsigned c = 0; c < columns && begin_message(run, c); c++)
        busy |= 1u << c;
    while (busy && (run->next != run->end || (unsigned)__builtin_popcount(busy) > leave)) {
        size_t blocks = SIZE_MAX;
        for (uint32_t rest = busy; rest; rest &= rest - 1) {
            size_t left = run->blocks[__builtin_ctz(rest)];
            blocks = left < blocks ? left : blocks;
        }
        /* An idle column must have something to read: what another one reads. */
        for (uint32_t idle = ~busy & ((1u << columns) - 1); idle; idle &= idle - 1)
            run->data[__builtin_ctz(idle)] = run->data[__builtin_ctz(busy)];
        kernel(run->state, run->data, blocks);
        for (uint32_t rest = busy; rest; rest &= rest - 1) {
            unsigned c = (unsigned)__builtin_ctz(rest);
            if (!advance(run, c, blocks) && !begin_message(run, c))
                busy &= ~(1u << c);
        }
    }
    run->unfinished = busy;
}

/* Gives a pair's place a column with work: one that the wide kernel has left, or its own one with
 * a message that waits. */
static bool refill(struct run *run, unsigned *column)
{
    if (!run->unfinished)
        return begin_message(run, *column);
    *column = (unsigned)__builtin_ctz(run->unfinished);
    run->unfinished &= run->unfinished - 1;
    return true;
}

static void run_pairs(struct run *run)
{
    unsigned column[2] = {0, 1};
    bool busy[2];
    for (int i = 0; i < 2; i++)
        busy[i] = refill(run, &column[i]);
    while (busy[0] || busy[1]) {
        unsigned first = column[busy[0] ? 0 : 1];
        if (!busy[0] || !busy[1]) { /* the last message: an idle column reads what it reads */
            unsigned idle = first ^ 1;
            column[busy[0] ? 1 : 0] = idle;
            run->data[idle] = run->data[first];
            run->blocks[idle] = run->blocks[first];
        }
        size_t blocks = run->blocks[column[0]];
        if (run->blocks[column[1]] < blocks)
            blocks = run->blocks[column[1]];
        const uint8_t *data[2] = {run->data[column[0]], run->data[column[1]]};
        sha256_compress_pair(run->state, column, data, blocks);
        for (int i = 0; i < 2; i++)
            if (busy[i] && !advance(run, column[i], blocks))
                busy[i] = refill(run, &column[i]);
    }
}

void sha256_many(const struct sha256_kernels *kernels, enum digest_id id, size_t offset,
                 const struct digest_message *const *messages, size_t count)
{
    struct run run; /* columns are set when a message begins there */
    run.unfinished = 0;
    run.next = messages;
    run.end = messages + count;
    run.initial = id == DIGEST_SHA224 ? sha256_initial_224 : sha256_initial_256;
    run.words = id == DIGEST_SHA224 ? 7 : 8;
    run.offset = offset;
    memset(run.state, 0, sizeof run.state); /* idle columns compute nonsense, but a certain one */
    unsigned leave = kernels->pair ? kernels->pair_at : 0;
    if (kernels->wide && count > leave)
        run_wide(&run, kernels->wide == 16 ? sha256_compress_16 : sha256_compress_8, kernels->wide,
                 leave);
    if (kernels->pair)
        run_pairs(&run);
}

/* Leaf 7, EBX bit 29. Not all compilers know this feature by name. It uses registers that every
 * system saves. */
static bool has_sha_instructions(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29 &&
           __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
}

/* __builtin_cpu_supports() also asks whether the system saves the vector registers. */
bool sha256_has(unsigned columns, const char **why)
{
    switch (columns) {
    case 16:
        *why = "no AVX-512BW";
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    case 8:
        *why = "no AVX2";
        return __builtin_cpu_supports("avx2");
    case 2:
        *why = "no SHA instructions";
        return has_sha_instructions();
    default:
        *why = "no such kernel";
        return false;
    }
}

#else

void sha256_many(const struct sha256_kernels *kernels, enum digest_id id, size_t offset,
                 const struct digest_message *const *messages, size_t count)
{
    (void)kernels, (void)id, (void)offset, (void)messages, (void)count; /* there are none */
}

bool sha256_has(unsigned columns, const char **why)
{
    (void)columns;
    *why = "not written for this kind of CPU";
    return false;
}

#endif
