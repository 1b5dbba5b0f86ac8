/* The compression function of SHA-256 (FIPS 180-4, 6.2.2) over vectors of messages. A template:
 * sha256_wide.c includes it once for each width, after saying what the names below mean, and it
 * takes their meaning away again. No include guard for that reason. */

#define NAME_(a, b) a##_##b
#define NAME(a, b)  NAME_(a, b)

/* 4.1.2 */
#define BIG_SIGMA_0(x)   XOR(ROTATE_RIGHT(x, 2), ROTATE_RIGHT(x, 13), ROTATE_RIGHT(x, 22))
#define BIG_SIGMA_1(x)   XOR(ROTATE_RIGHT(x, 6), ROTATE_RIGHT(x, 11), ROTATE_RIGHT(x, 25))
#define SMALL_SIGMA_0(x) XOR(ROTATE_RIGHT(x, 7), ROTATE_RIGHT(x, 18), SHIFT_RIGHT(x, 3))
#define SMALL_SIGMA_1(x) XOR(ROTATE_RIGHT(x, 17), ROTATE_RIGHT(x, 19), SHIFT_RIGHT(x, 10))

/* One round: what FIPS moves from variable to variable, the caller does by rotating the names.
 * `i` is the round's number modulo 16, `constants` begins at that of the group of 16. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    do {                                                                                           \
        VECTOR sum =                                                                               \
            ADD(ADD(h, ADD(w[i], BROADCAST(constants[i]))), ADD(BIG_SIGMA_1(e), CHOOSE(e, f, g))); \
        d = ADD(d, sum);                                                                           \
        h = ADD(sum, ADD(BIG_SIGMA_0(a), MAJORITY(a, b, c)));                                      \
    } while (0)

/* W[t] takes the place of W[t-16]. */
#define SCHEDULE(i)                                                                                \
    w[i] = ADD(ADD(w[i], SMALL_SIGMA_0(w[((i) + 1) % 16])),                                        \
               ADD(w[((i) + 9) % 16], SMALL_SIGMA_1(w[((i) + 14) % 16])))

/* Eight rounds bring the names back to where they were; `BEFORE` makes the round's word. */
#define EIGHT_ROUNDS(BEFORE, i)                                                                    \
    do {                                                                                           \
        BEFORE((i) + 0);                                                                           \
        ROUND(a, b, c, d, e, f, g, h, (i) + 0);                                                    \
        BEFORE((i) + 1);                                                                           \
        ROUND(h, a, b, c, d, e, f, g, (i) + 1);                                                    \
        BEFORE((i) + 2);                                                                           \
        ROUND(g, h, a, b, c, d, e, f, (i) + 2);                                                    \
        BEFORE((i) + 3);                                                                           \
        ROUND(f, g, h, a, b, c, d, e, (i) + 3);                                                    \
        BEFORE((i) + 4);                                                                           \
        ROUND(e, f, g, h, a, b, c, d, (i) + 4);                                                    \
        BEFORE((i) + 5);                                                                           \
        ROUND(d, e, f, g, h, a, b, c, (i) + 5);                                                    \
        BEFORE((i) + 6);                                                                           \
        ROUND(c, d, e, f, g, h, a, b, (i) + 6);                                                    \
        BEFORE((i) + 7);                                                                           \
        ROUND(b, c, d, e, f, g, h, a, (i) + 7);                                                    \
    } while (0)
#define NOTHING(i) ((void)0)

/* Words 4q to 4q+3 of all messages' blocks, each word's vector in the order of the lanes: 16 bytes
 * of every message are loaded into the 128-bit parts and transposed there as 4 x 4 words. */
#define load_words NAME(KERNEL, load_words)
TARGET static inline void load_words(VECTOR *w, const uint8_t *const *data, size_t at)
{
    VECTOR x0 = QUAD(data + 0, at), x1 = QUAD(data + 1, at);
    VECTOR x2 = QUAD(data + 2, at), x3 = QUAD(data + 3, at);
    VECTOR low01 = UNPACK_LOW_32(x0, x1), high01 = UNPACK_HIGH_32(x0, x1);
    VECTOR low23 = UNPACK_LOW_32(x2, x3), high23 = UNPACK_HIGH_32(x2, x3);
    w[0] = FROM_BIG_ENDIAN(UNPACK_LOW_64(low01, low23));
    w[1] = FROM_BIG_ENDIAN(UNPACK_HIGH_64(low01, low23));
    w[2] = FROM_BIG_ENDIAN(UNPACK_LOW_64(high01, high23));
    w[3] = FROM_BIG_ENDIAN(UNPACK_HIGH_64(high01, high23));
}

TARGET void KERNEL(sha256_state state, const uint8_t *const *data, size_t blocks)
{
    VECTOR h0 = LOAD(state[0]), h1 = LOAD(state[1]), h2 = LOAD(state[2]), h3 = LOAD(state[3]);
    VECTOR h4 = LOAD(state[4]), h5 = LOAD(state[5]), h6 = LOAD(state[6]), h7 = LOAD(state[7]);
    for (size_t at = 0; at < blocks * SHA256_BLOCK_BYTES; at += SHA256_BLOCK_BYTES) {
        VECTOR a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
        VECTOR w[16];
        load_words(w + 0, data, at);
        load_words(w + 4, data, at + 16);
        load_words(w + 8, data, at + 32);
        load_words(w + 12, data, at + 48);
        const uint32_t *constants = sha256_constants;
        EIGHT_ROUNDS(NOTHING, 0);
        EIGHT_ROUNDS(NOTHING, 8);
        for (int group = 1; group < 4; group++) {
            constants += 16;
            EIGHT_ROUNDS(SCHEDULE, 0);
            EIGHT_ROUNDS(SCHEDULE, 8);
        }
        h0 = ADD(h0, a), h1 = ADD(h1, b), h2 = ADD(h2, c), h3 = ADD(h3, d);
        h4 = ADD(h4, e), h5 = ADD(h5, f), h6 = ADD(h6, g), h7 = ADD(h7, h);
    }
    STORE(state[0], h0), STORE(state[1], h1), STORE(state[2], h2), STORE(state[3], h3);
    STORE(state[4], h4), STORE(state[5], h5), STORE(state[6], h6), STORE(state[7], h7);
}

#undef KERNEL
#undef TARGET
#undef VECTOR
#undef LOAD
#undef STORE
#undef BROADCAST
#undef ADD
#undef ROTATE_RIGHT
#undef SHIFT_RIGHT
#undef XOR
#undef CHOOSE
#undef MAJORITY
#undef UNPACK_LOW_32
#undef UNPACK_HIGH_32
#undef UNPACK_LOW_64
#undef UNPACK_HIGH_64
#undef FROM_BIG_ENDIAN
#undef PART
#undef QUAD
#undef NAME_
#undef NAME
#undef BIG_SIGMA_0
#undef BIG_SIGMA_1
#undef SMALL_SIGMA_0
#undef SMALL_SIGMA_1
#undef ROUND
#undef SCHEDULE
#undef EIGHT_ROUNDS
#undef NOTHING
#undef load_words
