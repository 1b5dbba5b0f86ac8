/* SHA-256 of two messages at once with the SHA instructions. One message alone leaves their unit
 * idle half of the time or more: each pair of rounds waits for the result of the one before it.
 * The rounds of a second message fill that time. */
#include "stages/sha256_private.h"

#if SHA256_KERNELS

#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

/* The instructions keep the eight variables of FIPS 180-4 as two vectors of words, ABEF and CDGH,
 * A and C being the highest. */
struct variables {
    __m128i abef, cdgh;
};

TARGET static inline struct variables load_column(sha256_state state, unsigned c)
{
    return (struct variables){
        .abef =
            _mm_set_epi32((int)state[0][c], (int)state[1][c], (int)state[4][c], (int)state[5][c]),
        .cdgh =
            _mm_set_epi32((int)state[2][c], (int)state[3][c], (int)state[6][c], (int)state[7][c]),
    };
}

TARGET static inline void store_column(sha256_state state, unsigned c, struct variables v)
{
    state[0][c] = (uint32_t)_mm_extract_epi32(v.abef, 3);
    state[1][c] = (uint32_t)_mm_extract_epi32(v.abef, 2);
    state[4][c] = (uint32_t)_mm_extract_epi32(v.abef, 1);
    state[5][c] = (uint32_t)_mm_extract_epi32(v.abef, 0);
    state[2][c] = (uint32_t)_mm_extract_epi32(v.cdgh, 3);
    state[3][c] = (uint32_t)_mm_extract_epi32(v.cdgh, 2);
    state[6][c] = (uint32_t)_mm_extract_epi32(v.cdgh, 1);
    state[7][c] = (uint32_t)_mm_extract_epi32(v.cdgh, 0);
}

TARGET static inline __m128i load_words(const uint8_t *data)
{
    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data),
                            _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

/* Four rounds of both messages; x and y are their words. */
#define FOUR_ROUNDS(x, y, group)                                                                   \
    do {                                                                                           \
        __m128i k = _mm_loadu_si128((const __m128i *)(sha256_constants + 4 * (group)));            \
        __m128i p = _mm_add_epi32(x, k), q = _mm_add_epi32(y, k);                                  \
        v.cdgh = _mm_sha256rnds2_epu32(v.cdgh, v.abef, p);                                         \
        u.cdgh = _mm_sha256rnds2_epu32(u.cdgh, u.abef, q);                                         \
        v.abef = _mm_sha256rnds2_epu32(v.abef, v.cdgh, _mm_shuffle_epi32(p, 0x0e));                \
        u.abef = _mm_sha256rnds2_epu32(u.abef, u.cdgh, _mm_shuffle_epi32(q, 0x0e));                \
    } while (0)

/* The four words that follow those of w0, w1, w2, w3, in the place of w0. */
#define SCHEDULE(w0, w1, w2, w3)                                                                   \
    w0 = _mm_sha256msg2_epu32(                                                                     \
        _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3)

#define SCHEDULED_ROUNDS(x0, x1, x2, x3, y0, y1, y2, y3, group)                                    \
    do {                                                                                           \
        SCHEDULE(x0, x1, x2, x3);                                                                  \
        SCHEDULE(y0, y1, y2, y3);                                                                  \
        FOUR_ROUNDS(x0, y0, group);                                                                \
    } while (0)

/* Four rounds of one message. */
#define FOUR_ROUNDS_OF_ONE(x, group)                                                               \
    do {                                                                                           \
        __m128i k = _mm_loadu_si128((const __m128i *)(sha256_constants + 4 * (group)));            \
        __m128i p = _mm_add_epi32(x, k);                                                           \
        v.cdgh = _mm_sha256rnds2_epu32(v.cdgh, v.abef, p);                                         \
        v.abef = _mm_sha256rnds2_epu32(v.abef, v.cdgh, _mm_shuffle_epi32(p, 0x0e));                \
    } while (0)

#define SCHEDULED_ROUNDS_OF_ONE(x0, x1, x2, x3, group)                                             \
    do {                                                                                           \
        SCHEDULE(x0, x1, x2, x3);                                                                  \
        FOUR_ROUNDS_OF_ONE(x0, group);                                                             \
    } while (0)

TARGET void sha256_compress_one(uint32_t hash[8], const uint8_t *data, size_t blocks)
{
    sha256_state state;
    for (int i = 0; i < 8; i++)
        state[i][0] = hash[i];
    struct variables v = load_column(state, 0);
    for (; blocks; blocks--, data += SHA256_BLOCK_BYTES) {
        struct variables before = v;
        __m128i x0 = load_words(data), x1 = load_words(data + 16);
        __m128i x2 = load_words(data + 32), x3 = load_words(data + 48);
        FOUR_ROUNDS_OF_ONE(x0, 0);
        FOUR_ROUNDS_OF_ONE(x1, 1);
        FOUR_ROUNDS_OF_ONE(x2, 2);
        FOUR_ROUNDS_OF_ONE(x3, 3);
        for (int group = 4; group < 16; group += 4) {
            SCHEDULED_ROUNDS_OF_ONE(x0, x1, x2, x3, group);
            SCHEDULED_ROUNDS_OF_ONE(x1, x2, x3, x0, group + 1);
            SCHEDULED_ROUNDS_OF_ONE(x2, x3, x0, x1, group + 2);
            SCHEDULED_ROUNDS_OF_ONE(x3, x0, x1, x2, group + 3);
        }
        v.abef = _mm_add_epi32(v.abef, before.abef);
        v.cdgh = _mm_add_epi32(v.cdgh, before.cdgh);
    }
    store_column(state, 0, v);
    for (int i = 0; i < 8; i++)
        hash[i] = state[i][0];
}

TARGET void sha256_compress_pair(sha256_state state, const unsigned column[2],
                                 const uint8_t *const data[2], size_t blocks)
{
    struct variables v = load_column(state, column[0]), u = load_column(state, column[1]);
    const uint8_t *from = data[0], *other = data[1];
    for (; blocks; blocks--, from += SHA256_BLOCK_BYTES, other += SHA256_BLOCK_BYTES) {
        struct variables v_before = v, u_before = u;
        __m128i x0 = load_words(from), x1 = load_words(from + 16);
        __m128i x2 = load_words(from + 32), x3 = load_words(from + 48);
        __m128i y0 = load_words(other), y1 = load_words(other + 16);
        __m128i y2 = load_words(other + 32), y3 = load_words(other + 48);
        FOUR_ROUNDS(x0, y0, 0);
        FOUR_ROUNDS(x1, y1, 1);
        FOUR_ROUNDS(x2, y2, 2);
        FOUR_ROUNDS(x3, y3, 3);
        for (int group = 4; group < 16; group += 4) {
            SCHEDULED_ROUNDS(x0, x1, x2, x3, y0, y1, y2, y3, group);
            SCHEDULED_ROUNDS(x1, x2, x3, x0, y1, y2, y3, y0, group + 1);
            SCHEDULED_ROUNDS(x2, x3, x0, x1, y2, y3, y0, y1, group + 2);
            SCHEDULED_ROUNDS(x3, x0, x1, x2, y3, y0, y1, y2, group + 3);
        }
        v.abef = _mm_add_epi32(v.abef, v_before.abef);
        v.cdgh = _mm_add_epi32(v.cdgh, v_before.cdgh);
        u.abef = _mm_add_epi32(u.abef, u_before.abef);
        u.cdgh = _mm_add_epi32(u.cdgh, u_before.cdgh);
    }
    store_column(state, column[0], v);
    store_column(state, column[1], u);
}

#endif
