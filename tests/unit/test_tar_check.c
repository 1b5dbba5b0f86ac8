/* stages/tar_check: tars pushed in pieces of every size: whole, cut at every byte, with every byte
 * of a header changed; what is no tar; limits. */
#include "stages/tar_check.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK   512
#define MEMBERS 3
/* A header and 700 bytes of data each, and the mark of the end. */
#define MEMBER_BYTES (3 * BLOCK)
#define DATA_BYTES   700
#define TAR_BYTES    (MEMBERS * MEMBER_BYTES + 2 * BLOCK)

static uint8_t tar[TAR_BYTES];

static void put_header(uint8_t *block, unsigned number)
{
    unsigned sum = 0;
    snprintf((char *)block, 100, "member-%u", number);
    memcpy(block + 100, "0000644\0000000000\0000000000\000", 24);
    snprintf((char *)block + 124, 12, "%011o", DATA_BYTES);
    memcpy(block + 136, "14711172000", 12);
    block[156] = '0';
    memcpy(block + 257, "ustar\00000", 8);
    memset(block + 148, ' ', 8);
    for (unsigned i = 0; i < BLOCK; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

static void make_tar(void)
{
    memset(tar, 0, sizeof tar);
    for (unsigned i = 0; i < MEMBERS; i++) {
        put_header(tar + i * MEMBER_BYTES, i);
        memset(tar + i * MEMBER_BYTES + BLOCK, 'a' + (int)i, DATA_BYTES);
    }
}

static struct tar_check *make_check(struct unpack_limits limits)
{
    struct tar_check *check;
    ck_assert_int_eq(tar_check_create(&limits, &check), 0);
    return check;
}

/* The fault of `bytes` bytes in pieces of `piece`. */
static int push_all(struct tar_check *check, const uint8_t *data, size_t bytes, size_t piece,
                    bool is_tar, bool *has_no_end)
{
    tar_check_begin(check, is_tar);
    for (size_t i = 0; i < bytes; i += piece) {
        struct tm_fault fault =
            tar_check_push(check, data + i, bytes - i < piece ? bytes - i : piece);
        if (fault_is_set(fault)) {
            ck_assert_int_eq(tar_check_finish(check, has_no_end).kind, fault.kind);
            return fault.kind;
        }
    }
    return tar_check_finish(check, has_no_end).kind;
}

START_TEST(whole)
{
    struct tar_check *check = make_check((struct unpack_limits){0});
    bool has_no_end;
    char text[200];
    for (size_t piece = 1; piece <= TAR_BYTES; piece += piece < 600 ? 1 : 97) {
        ck_assert_int_eq(push_all(check, tar, TAR_BYTES, piece, false, &has_no_end), TM_FAULT_NONE);
        ck_assert(!has_no_end);
        ck_assert_int_eq(push_all(check, tar, TAR_BYTES, piece, true, &has_no_end), TM_FAULT_NONE);
        tar_check_text(check, text, sizeof text);
        ck_assert_str_eq(text, "");
    }
    tar_check_destroy(check);
}
END_TEST

START_TEST(cut)
{
    struct tar_check *check = make_check((struct unpack_limits){0});
    char text[200];
    for (size_t bytes = BLOCK; bytes < TAR_BYTES; bytes++) {
        bool has_no_end;
        int kind = push_all(check, tar, bytes, 333, false, &has_no_end);
        bool is_between = bytes % MEMBER_BYTES == 0;
        bool is_in_end = bytes >= MEMBERS * MEMBER_BYTES;
        if (is_between || is_in_end) {
            ck_assert_msg(kind == TM_FAULT_NONE, "%zu bytes", bytes);
            ck_assert_msg(has_no_end, "%zu bytes", bytes);
            continue;
        }
        ck_assert_msg(kind == TM_FAULT_TRUNCATED, "%zu bytes: %d", bytes, kind);
        tar_check_text(check, text, sizeof text);
        ck_assert_ptr_nonnull(strstr(text, "ends within the member at its byte"));
    }
    tar_check_destroy(check);
}
END_TEST

START_TEST(changed)
{
    struct tar_check *check = make_check((struct unpack_limits){0});
    uint8_t *bad = malloc(TAR_BYTES);
    char text[200];
    bool has_no_end;
    ck_assert_ptr_nonnull(bad);
    for (size_t i = 0; i < BLOCK; i++) {
        memcpy(bad, tar, TAR_BYTES);
        bad[MEMBER_BYTES + i] ^= 0x01;
        int kind = push_all(check, bad, TAR_BYTES, 100, false, &has_no_end);
        if (i >= 154 && i < 156 && kind == TM_FAULT_NONE) /* behind the checksum's digits */
            continue;
        ck_assert_msg(kind == TM_FAULT_CORRUPT, "byte %zu: %d", i, kind);
        tar_check_text(check, text, sizeof text);
        ck_assert_ptr_nonnull(strstr(text, ", at byte 1536 of the tar"));
    }
    free(bad);
    tar_check_destroy(check);
}
END_TEST

/* The first block decides, wherever pieces end. */
START_TEST(no_tar)
{
    struct tar_check *check = make_check((struct unpack_limits){.members = 1});
    uint8_t other[4 * BLOCK];
    bool has_no_end;
    memset(other, 'x', sizeof other);
    for (size_t bytes = 0; bytes < sizeof other; bytes += 37)
        for (size_t piece = 1; piece < 1100; piece += 211)
            ck_assert_int_eq(push_all(check, other, bytes, piece, false, &has_no_end),
                             TM_FAULT_NONE);
    ck_assert_int_eq(push_all(check, other, sizeof other, 100, true, &has_no_end),
                     TM_FAULT_CORRUPT);
    /* Of a tar that is cut within its first block nobody can know that it was one. */
    ck_assert_int_eq(push_all(check, tar, BLOCK - 1, 100, false, &has_no_end), TM_FAULT_NONE);
    ck_assert_int_eq(push_all(check, tar, BLOCK - 1, 100, true, &has_no_end), TM_FAULT_TRUNCATED);
    tar_check_destroy(check);
}
END_TEST

START_TEST(limits)
{
    struct {
        struct unpack_limits limits;
        int kind;
    } cases[] = {
        {{.members = MEMBERS}, TM_FAULT_NONE},
        {{.members = MEMBERS - 1}, TM_FAULT_LIMIT},
        {{.bytes = MEMBERS * DATA_BYTES}, TM_FAULT_NONE},
        {{.bytes = MEMBERS * DATA_BYTES - 1}, TM_FAULT_LIMIT},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tar_check *check = make_check(cases[i].limits);
        bool has_no_end;
        ck_assert_int_eq(push_all(check, tar, TAR_BYTES, 100, false, &has_no_end), cases[i].kind);
        /* The next one begins anew. */
        ck_assert_int_eq(push_all(check, tar, TAR_BYTES, 7, false, &has_no_end), cases[i].kind);
        tar_check_destroy(check);
    }
    tar_check_destroy(NULL);
}
END_TEST

int main(void)
{
    make_tar();
    Suite *suite = suite_create("tar_check");
    TCase *tests = tcase_create("tar_check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, whole);
    tcase_add_test(tests, cut);
    tcase_add_test(tests, changed);
    tcase_add_test(tests, no_tar);
    tcase_add_test(tests, limits);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
