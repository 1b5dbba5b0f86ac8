/* stages/sha256 and digest_many(): every kernel and mixture of kernels against known answers and
 * against the library, on messages of all lengths, begun and ended in every order. */
#include <check.h>
#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stages/digest.h"
#include "stages/sha256.h"
#include "tests/unit/rounds.h"

/* pair_at of 0 and of all columns: the wide kernel to the end, and nearly nothing of it. */
static const struct sha256_kernels mixtures[] = {
    {.wide = 16},   {.wide = 8},    {.pair = true}, {16, true, 0}, {16, true, 1}, {16, true, 7},
    {16, true, 15}, {16, true, 16}, {8, true, 0},   {8, true, 3},  {8, true, 8},
};
#define MIXTURES ((int)(sizeof mixtures / sizeof *mixtures))

#define MATERIAL_BYTES (1 << 20)
static uint8_t material[MATERIAL_BYTES];
static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void fill_material(void)
{
    for (size_t i = 0; i < sizeof material; i++)
        material[i] = (uint8_t)(next_random() >> 32);
}

static bool can_run(const struct sha256_kernels *kernels)
{
    const char *why;
    return (!kernels->wide || sha256_has(kernels->wide, &why)) &&
           (!kernels->pair || sha256_has(2, &why));
}

static void expect_hex(const uint8_t *digest, const char *hex)
{
    char text[2 * 32 + 1];
    for (size_t i = 0; i < strlen(hex) / 2; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(text, hex);
}

/* FIPS 180-2 and NIST's examples, and a million times "a". */
static const struct {
    const char *text;
    size_t bytes;
    const char *sha224, *sha256;
} vectors[] = {
    {"", 0, "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 3, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
     "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlm"
     "nopqrsmnopqrstnopqrstu",
     112, "c97ca9a559850ce97a04a96def6d99a9e0e0e2ab14e6b8df265fc0b3",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {NULL, 1000000, "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67",
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};
#define VECTORS (sizeof vectors / sizeof *vectors)

START_TEST(known_answers)
{
    const struct sha256_kernels *kernels = &mixtures[_i];
    struct digest_message message[3 * VECTORS];
    const struct digest_message *list[3 * VECTORS];
    static uint8_t output[3 * VECTORS][40];
    if (!can_run(kernels))
        return;
    memset(material, 'a', sizeof material);
    for (size_t count = 1; count <= 3 * VECTORS; count++) {
        for (size_t i = 0; i < count; i++) {
            const char *text = vectors[i % VECTORS].text;
            message[i] = (struct digest_message){text ? text : (const char *)material,
                                                 vectors[i % VECTORS].bytes, output[i]};
            list[i] = &message[i];
        }
        for (int is_224 = 0; is_224 < 2; is_224++) {
            size_t size = is_224 ? 28 : 32;
            memset(output, 0xa5, sizeof output);
            sha256_many(kernels, is_224 ? DIGEST_SHA224 : DIGEST_SHA256, 3, list, count);
            for (size_t i = 0; i < count; i++) {
                expect_hex(output[i] + 3,
                           is_224 ? vectors[i % VECTORS].sha224 : vectors[i % VECTORS].sha256);
                ck_assert_uint_eq(output[i][2], 0xa5); /* nothing before or behind */
                ck_assert_uint_eq(output[i][3 + size], 0xa5);
            }
        }
    }
}
END_TEST

/* A million messages or more, in sets of 0 to 150: short ones with every length around the ends of
 * blocks, long ones among them, all alike, or one long one at any place. */
#define SET_MAX      150
#define ALL_MESSAGES 1000000

static size_t random_length(unsigned kind)
{
    static const uint16_t edges[] = {0,   1,   55,  56,  57,  63,  64, 65,
                                     119, 120, 121, 127, 128, 129, 183};
    uint64_t random = next_random() >> 16;
    switch (kind % 8) {
    case 0:
        return edges[random % (sizeof edges / sizeof *edges)];
    case 1:
        return random % 20 ? random % 100 : random % 8192;
    case 2:
        return 64 * (random % 5) + 52 + random / 8 % 16;
    case 3:
        return kind / 8 % 200;
    default:
        return random % 260;
    }
}

static size_t random_set(struct digest_message *message, const struct digest_message **list,
                         uint8_t (*expected)[32])
{
    size_t count = (next_random() >> 16) % (SET_MAX + 1);
    unsigned kind = (unsigned)(next_random() >> 16);
    for (size_t i = 0; i < count; i++) {
        message[i].bytes = random_length(kind);
        message[i].data = material + (next_random() >> 16) % (MATERIAL_BYTES - 8192);
        SHA256(message[i].data, message[i].bytes, expected[i]);
        list[i] = &message[i];
    }
    return count;
}

START_TEST(random_sets_as_the_library)
{
    static struct digest_message message[SET_MAX];
    static const struct digest_message *list[SET_MAX];
    static uint8_t expected[SET_MAX][32], output[SET_MAX][32];
    size_t done = 0;
    fill_material();
    for (int i = 0; i < SET_MAX; i++)
        message[i].output = output[i];
    while (done < ROUNDS(ALL_MESSAGES)) {
        size_t count = random_set(message, list, expected);
        for (int m = 0; m < MIXTURES; m++) {
            if (!can_run(&mixtures[m]))
                continue;
            memset(output, 0, sizeof output);
            sha256_many(&mixtures[m], DIGEST_SHA256, 0, list, count);
            for (size_t i = 0; i < count; i++)
                if (memcmp(output[i], expected[i], 32) != 0) /* ck_assert writes each time */
                    ck_abort_msg("message %zu of %zu, %zu bytes, by %u columns, pair %d from %u", i,
                                 count, message[i].bytes, mixtures[m].wide, mixtures[m].pair,
                                 mixtures[m].pair_at);
        }
        done += count;
    }
}
END_TEST

/* Each message ends where the mapping ends, or begins where it begins: a byte read outside of it
 * is a fault. */
START_TEST(reads_nothing_outside)
{
    const struct sha256_kernels *kernels = &mixtures[_i];
    enum { MOST = 20 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct digest_message message[MOST];
    const struct digest_message *list[MOST];
    static uint8_t output[MOST][32], expected[32];
    if (!can_run(kernels))
        return;
    uint8_t *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(mprotect(map + page, page, PROT_READ | PROT_WRITE), 0);
    memset(map + page, 'x', page);
    for (size_t bytes = 0; bytes <= 300; bytes++) {
        for (size_t i = 0; i < MOST; i++) {
            size_t size = i % 3 ? bytes : bytes / 2;
            message[i] =
                (struct digest_message){map + page + (i % 2 ? 0 : page - size), size, output[i]};
            list[i] = &message[i];
        }
        for (size_t count = 1; count <= MOST; count += count < 3 ? 1 : 7) {
            sha256_many(kernels, DIGEST_SHA256, 0, list, count);
            for (size_t i = 0; i < count; i++) {
                SHA256(message[i].data, message[i].bytes, expected);
                if (memcmp(output[i], expected, 32) != 0)
                    ck_abort_msg("%zu bytes, message %zu of %zu", message[i].bytes, i, count);
            }
        }
    }
    munmap(map, 3 * page);
}
END_TEST

/* digest_many() is digest_once() of each, whatever the set, the engine and the number. */
START_TEST(many_is_once_of_each)
{
    enum { MOST = 600 };
    static const uint32_t sets[] = {
        1u << DIGEST_SHA256,
        1u << DIGEST_SHA224,
        1u << DIGEST_SHA224 | 1u << DIGEST_SHA256,
        1u << DIGEST_MD5 | 1u << DIGEST_SHA256 | 1u << DIGEST_SHA512 | 1u << DIGEST_XXH128,
        1u << DIGEST_MD5 | 1u << DIGEST_CRC32,
        1u << DIGEST_XXH3,
        0,
        (1u << DIGEST_COUNT) - 1,
    };
    static const size_t counts[] = {0, 1, 2, 3, 17, 128, 255, 256, 257, MOST};
    static struct digest_message message[MOST];
    static uint8_t output[MOST][DIGEST_COUNT * DIGEST_MAX_BYTES],
        expected[DIGEST_COUNT * DIGEST_MAX_BYTES];
    enum digest_engine engine = (enum digest_engine)_i;
    uint32_t set = 0;
    struct digest_hasher *hasher;
    char why[100];
    if (!digest_engine_available(engine, why, sizeof why))
        return;
    fill_material();
    ck_assert_int_eq(digest_hasher_create((1u << DIGEST_COUNT) - 1, &hasher), 0);
    digest_set_engine(hasher, engine);
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (size_t i = 0; i < counts[c]; i++) {
                size_t bytes = (next_random() >> 16) % (i == 3 ? 200000 : i % 7 ? 300 : 3000);
                size_t at = (next_random() >> 16) % (MATERIAL_BYTES - 200000);
                message[i] =
                    (struct digest_message){bytes ? material + at : NULL, bytes, output[i]};
            }
            memset(output, 0xa5, sizeof output);
            set = sets[s];
            ck_assert_int_eq(digest_many(hasher, set, message, counts[c]), 0);
            for (size_t i = 0; i < counts[c]; i++) {
                size_t size = digest_set_bytes(set);
                if (digest_once(hasher, set, message[i].data, message[i].bytes, expected) ||
                    memcmp(output[i], expected, size) != 0 || output[i][size] != 0xa5)
                    ck_abort_msg("set %#x, message %zu of %zu", set, i, counts[c]);
            }
        }
    }
    digest_hasher_destroy(hasher);
    ck_assert_int_eq(digest_hasher_create(1u << DIGEST_MD5, &hasher), 0);
    ck_assert_int_eq(digest_many(hasher, 1u << DIGEST_SHA256, message, 5), -EINVAL);
    digest_hasher_destroy(hasher);
}
END_TEST

static void *ask(void *answer)
{
    *(const struct sha256_choice **)answer = sha256_choice();
    return NULL;
}

/* The first call comes from several threads at once, and they all see the same answer. */
START_TEST(measured_once)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    const struct sha256_choice *answer[THREADS];
    const char *why;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, ask, &answer[i]), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    for (int i = 1; i < THREADS; i++)
        ck_assert_ptr_eq(answer[i], answer[0]);
    const struct sha256_kernels *best = &answer[0]->best;
    ck_assert_uint_gt(strlen(answer[0]->text), 0);
    ck_assert(!best->wide || sha256_has(best->wide, &why));
    ck_assert(!best->pair || sha256_has(2, &why));
    ck_assert_uint_le(best->pair_at, 16);
    ck_assert(!sha256_has(4, &why));
}
END_TEST

/* With figures of a CPU without SHA instructions: what the library is given. */
START_TEST(share_of_the_library)
{
    struct sha256_choice choice = {
        .library = 0.5e9, .wide = 2e9, .best = {.wide = 8}, .beats_library = true};
    static const struct {
        size_t bytes[10], count, share;
    } cases[] = {
        {{4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096}, 8, 0},
        {{200000, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096}, 9, 1},
        {{200000, 100000, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096}, 10, 2},
        {{4096}, 1, 1},       /* an eighth of 2 GB/s is less than 0.5 */
        {{4096, 4096}, 2, 2}, /* as is a quarter with both */
        {{0, 0}, 2, 0},
        {{0}, 0, 0},
    };
    struct digest_message message[10];
    const struct digest_message *list[10];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t i = 0; i < 10; i++) {
            message[i] = (struct digest_message){NULL, cases[c].bytes[i], NULL};
            list[i] = &message[i];
        }
        choice.best.pair = false;
        ck_assert_uint_eq(sha256_library_share(&choice, list, cases[c].count), cases[c].share);
        choice.best.pair = true;
        ck_assert_uint_eq(sha256_library_share(&choice, list, cases[c].count), 0);
    }
}
END_TEST

int main(void)
{
    static const unsigned columns[] = {16, 8, 2};
    unsigned kernels = 0;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const char *why;
        if (sha256_has(columns[i], &why))
            kernels++;
        else
            printf("left out: %u columns (%s)\n", columns[i], why);
    }
    if (!kernels) {
        printf("skipped: this CPU has none of the kernels\n");
        return 77;
    }
    Suite *suite = suite_create("sha256");
    TCase *tests = tcase_create("sha256");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, known_answers, 0, MIXTURES);
    tcase_add_test(tests, random_sets_as_the_library);
    tcase_add_loop_test(tests, reads_nothing_outside, 0, MIXTURES);
    tcase_add_loop_test(tests, many_is_once_of_each, 0, 3);
    tcase_add_test(tests, measured_once);
    tcase_add_test(tests, share_of_the_library);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
