/* SHA-224 and SHA-256 piece by piece, one stream and two at a time, beside OpenSSL. */
#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "stages/sha256.h"
#include "stages/sha256_stream.h"
#include "tests/unit/rounds.h"

#define DATA_BYTES 9000

static uint8_t data[2][DATA_BYTES];
static uint64_t seed = 1;

static size_t random_below(size_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % limit;
}

static const enum digest_id ids[] = {DIGEST_SHA224, DIGEST_SHA256};

static void expect(enum digest_id id, struct sha256_stream *stream, const uint8_t *from,
                   size_t bytes)
{
    uint8_t got[32] = {0}, wanted[32] = {0};
    const EVP_MD *md = id == DIGEST_SHA224 ? EVP_sha224() : EVP_sha256();
    ck_assert_int_eq(EVP_Digest(from, bytes, wanted, NULL, md, NULL), 1);
    sha256_stream_finish(stream, id, got);
    ck_assert_mem_eq(got, wanted, sizeof got);
}

START_TEST(one_stream)
{
    for (int round = 0; round < ROUNDS(20000); round++) {
        enum digest_id id = ids[round % 2];
        size_t bytes = random_below(round % 3 ? 300 : DATA_BYTES);
        struct sha256_stream stream;
        sha256_stream_begin(&stream, id);
        for (size_t done = 0; done < bytes;) {
            size_t piece = 1 + random_below(round % 5 ? 150 : DATA_BYTES);
            piece = piece < bytes - done ? piece : bytes - done;
            sha256_stream_update(&stream, data[0] + done, piece);
            done += piece;
        }
        expect(id, &stream, data[0], bytes);
    }
}
END_TEST

/* Pieces of any two lengths, none included, and sometimes of one stream alone. */
START_TEST(two_streams)
{
    for (int round = 0; round < ROUNDS(20000); round++) {
        enum digest_id id = ids[round % 2];
        struct sha256_stream stream[2];
        size_t bytes[2], done[2] = {0};
        for (int i = 0; i < 2; i++) {
            bytes[i] = random_below(round % 3 ? 400 : DATA_BYTES);
            sha256_stream_begin(&stream[i], id);
        }
        while (done[0] < bytes[0] || done[1] < bytes[1]) {
            struct sha256_piece piece[2];
            for (int i = 0; i < 2; i++) {
                size_t most = bytes[i] - done[i];
                size_t take = random_below(round % 5 ? 200 : DATA_BYTES);
                piece[i] =
                    (struct sha256_piece){&stream[i], data[i] + done[i], take < most ? take : most};
                done[i] += piece[i].bytes;
            }
            if (random_below(4)) {
                sha256_stream_update_two(piece);
                continue;
            }
            for (int i = 0; i < 2; i++)
                sha256_stream_update(piece[i].stream, piece[i].data, piece[i].bytes);
        }
        for (int i = 0; i < 2; i++)
            expect(id, &stream[i], data[i], bytes[i]);
    }
}
END_TEST

/* Hashers that expect pairs give what others give, whatever else is in their set. */
START_TEST(hashers_in_pairs)
{
    uint32_t sets[] = {1u << DIGEST_SHA256, 1u << DIGEST_SHA224 | 1u << DIGEST_SHA256,
                       1u << DIGEST_MD5 | 1u << DIGEST_SHA256 | 1u << DIGEST_XXH128,
                       1u << DIGEST_SHA512};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        struct digest_hasher *hasher[2], *plain;
        const void *from[2] = {data[0], data[1]};
        size_t bytes[2] = {DATA_BYTES, DATA_BYTES - 77};
        uint8_t got[256], wanted[256];
        ck_assert_int_eq(digest_hasher_create(sets[s], &plain), 0);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(digest_hasher_create(sets[s], &hasher[i]), 0);
            digest_set_engine(hasher[i], DIGEST_ENGINE_MULTIBUFFER);
            digest_expect_pairs(hasher[i]);
            ck_assert_int_eq(digest_begin(hasher[i], sets[s]), 0);
        }
        ck_assert_int_eq(digest_update_two(hasher, from, bytes), 0);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(digest_finish(hasher[i], got), 0);
            ck_assert_int_eq(digest_once(plain, sets[s], from[i], bytes[i], wanted), 0);
            ck_assert_mem_eq(got, wanted, digest_set_bytes(sets[s]));
            digest_hasher_destroy(hasher[i]);
        }
        digest_hasher_destroy(plain);
    }
}
END_TEST

int main(void)
{
    const char *why;
    Suite *suite = suite_create("sha256_stream");
    TCase *tests = tcase_create("pieces");
    for (size_t i = 0; i < 2 * DATA_BYTES; i++)
        data[i / DATA_BYTES][i % DATA_BYTES] = (uint8_t)random_below(256);
    if (sha256_has(2, &why)) {
        tcase_add_test(tests, one_stream);
        tcase_add_test(tests, two_streams);
    } else {
        printf("left out: streams: %s\n", why);
    }
    tcase_add_test(tests, hashers_in_pairs);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
