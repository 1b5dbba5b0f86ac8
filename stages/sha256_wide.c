/* SHA-256 of one message a vector element: 16 lanes with AVX-512, 8 with AVX2. The compression is
 * written once, in sha256_wide_kernel.h, over these names:
 *
 *   KERNEL, TARGET          function and instruction sets
 *   VECTOR                  the type of a vector of 32-bit words
 *   LOAD, STORE, BROADCAST  aligned vectors; one word for all elements
 *   QUAD                    16 bytes of each fourth message: those at p[0], p[4], ...
 *   the rest                what it says, in each element
 */
#include "stages/sha256_private.h"

#if SHA256_KERNELS

#include <immintrin.h>

/* The four words of a 128-bit part, each from its big-endian bytes. */
#define SWAPPED_BYTES 0x0c0d0e0f08090a0b, 0x0405060700010203

#define KERNEL             sha256_compress_16
#define TARGET             __attribute__((target("avx512f,avx512bw")))
#define VECTOR             __m512i
#define LOAD(p)            _mm512_load_si512(p)
#define STORE(p, x)        _mm512_store_si512(p, x)
#define BROADCAST(word)    _mm512_set1_epi32((int)(word))
#define ADD(x, y)          _mm512_add_epi32(x, y)
#define ROTATE_RIGHT(x, n) _mm512_ror_epi32(x, n)
#define SHIFT_RIGHT(x, n)  _mm512_srli_epi32(x, n)
/* Truth tables of three operands: bit 4x + 2y + z is the result. */
#define XOR(x, y, z)         _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CHOOSE(x, y, z)      _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJORITY(x, y, z)    _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define UNPACK_LOW_32(x, y)  _mm512_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm512_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y)  _mm512_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm512_unpackhi_epi64(x, y)
#define FROM_BIG_ENDIAN(x)                                                                         \
    _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(_mm_set_epi64x(SWAPPED_BYTES)))
#define PART(p) _mm_loadu_si128((const __m128i *)(p))
#define QUAD(p, at)                                                                                \
    _mm512_inserti32x4(                                                                            \
        _mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(PART((p)[0] + (at))),         \
                                              PART((p)[4] + (at)), 1),                             \
                           PART((p)[8] + (at)), 2),                                                \
        PART((p)[12] + (at)), 3)
#include "stages/sha256_wide_kernel.h"

#define KERNEL             sha256_compress_8
#define TARGET             __attribute__((target("avx2")))
#define VECTOR             __m256i
#define LOAD(p)            _mm256_load_si256((const __m256i *)(p))
#define STORE(p, x)        _mm256_store_si256((__m256i *)(p), x)
#define BROADCAST(word)    _mm256_set1_epi32((int)(word))
#define ADD(x, y)          _mm256_add_epi32(x, y)
#define ROTATE_RIGHT(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define SHIFT_RIGHT(x, n)  _mm256_srli_epi32(x, n)
#define XOR(x, y, z)       _mm256_xor_si256(_mm256_xor_si256(x, y), z)
#define CHOOSE(x, y, z)    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(y, z), x), z)
#define MAJORITY(x, y, z)                                                                          \
    _mm256_or_si256(_mm256_and_si256(_mm256_or_si256(x, y), z), _mm256_and_si256(x, y))
#define UNPACK_LOW_32(x, y)  _mm256_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm256_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y)  _mm256_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm256_unpackhi_epi64(x, y)
#define FROM_BIG_ENDIAN(x)                                                                         \
    _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_set_epi64x(SWAPPED_BYTES)))
#define PART(p) _mm_loadu_si128((const __m128i *)(p))
#define QUAD(p, at)                                                                                \
    _mm256_inserti128_si256(_mm256_castsi128_si256(PART((p)[0] + (at))), PART((p)[4] + (at)), 1)
#include "stages/sha256_wide_kernel.h"

#endif
