/* stages/member_index: what it finds, and what it refuses. */
#include <stdlib.h>

#include "tests/unit/index_payload.h"
#include "tests/unit/rounds.h"

#define DATA_END 1000

/* Looking up. */

static const struct {
    uint64_t offset;
    const char *key;
} rows[] = {{0, "t/"},       {10, "t/a"},         {20, "t/b-c"},     {30, "t/b.c"},
            {40, "t/b/d/e"}, {50, "t/b0"},        {60, "t/c/x"},     {70, "t/c/y/z"},
            {80, "t/d"},     {90, "t/h\xc3\xa4"}, {100, "t/h\xff/x"}};

static struct member_index *open_rows(void)
{
    struct sink payload = {0};
    struct member_index *index = NULL;
    payload_begin(&payload, DATA_END);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        payload_entry(&payload, i ? 10 : 0, 0, rows[i].key);
    payload_end(&payload);
    ck_assert_int_eq(payload_parse(payload.bytes, payload.used, DATA_END, &index), 1);
    sink_free(&payload);
    return index;
}

START_TEST(ranges_hold_a_name_and_what_is_below_it)
{
    static const struct {
        const char *path;
        uint64_t begin, end;
    } table[] = {
        {".", 0, DATA_END},       {"t", 0, DATA_END}, {"t/a", 10, 20}, /* it begins the block */
        {"t/a/b", 10, 20},                                             /* would come behind it */
        {"t/aa", 10, 20},                                              /* likewise */
        {"t/b", 10, 50},          /* a file would be before b-c, a directory goes on up to b0 */
        {"t/b/d", 30, 50},        /* "t/b/d/" is in the block before "t/b/d/e" */
        {"t/b/d/e", 40, 50},      /* it begins the block */
        {"t/b0", 50, 60},         /* it begins the block */
        {"t/c", 50, 80},          /* "t/c/" is in the block of b0 */
        {"t/c/y", 60, 80},        /* likewise */
        {"t/d", 80, 90},          /* it begins the block */
        {"t/e", 80, 90},          /* between d and h */
        {"t/h\xff", 90, DATA_END} /* bytes are unsigned */
    };
    struct member_index *index = open_rows();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t begin = 1, end = 1;
        const char *path = table[i].path;
        ck_assert_msg(member_index_range(index, path, strlen(path), &begin, &end), "%s", path);
        ck_assert_msg(begin == table[i].begin && end == table[i].end, "%s: %lu to %lu", path,
                      (unsigned long)begin, (unsigned long)end);
    }
    member_index_close(index);
}
END_TEST

START_TEST(what_sorts_before_all_is_not_there)
{
    struct member_index *index = open_rows();
    uint64_t begin, end;
    ck_assert(!member_index_range(index, "a", 1, &begin, &end));
    ck_assert(!member_index_range(index, "s/t", 3, &begin, &end));
    ck_assert(!member_index_range(index, "T", 1, &begin, &end));
    ck_assert(member_index_range(index, "u", 1, &begin, &end)); /* may be in the last block */
    ck_assert_uint_eq(begin, 100);
    ck_assert_uint_eq(end, DATA_END);
    member_index_close(index);
}
END_TEST

/* For every name there is and every choice of entries: its block is in the range. */
START_TEST(ranges_are_right_whichever_members_are_indexed)
{
    static const char *const keys[] = {"",     "a",     "a-b",  "a.c", "b!",
                                       "b.c/", "b.c/x", "b/",   "b/a", "b/a.c",
                                       "b/b/", "b/b/c", "b/b0", "b0",  "b\xff"};
    enum { COUNT = sizeof keys / sizeof *keys };
    for (unsigned chosen = 1; chosen < 1u << COUNT; chosen += 2) {
        struct sink payload = {0};
        struct member_index *index = NULL;
        uint64_t block[COUNT], at = 0;
        payload_begin(&payload, DATA_END);
        for (unsigned i = 0; i < COUNT; i++) {
            if (chosen & 1u << i)
                payload_entry(&payload, i ? i + 1 - at : 0, 0, keys[i]), at = i ? i + 1 : 0;
            block[i] = at;
        }
        payload_end(&payload);
        ck_assert_int_eq(payload_parse(payload.bytes, payload.used, DATA_END, &index), 1);
        for (unsigned i = 1; i < COUNT; i++) {
            char path[16];
            uint64_t begin, end;
            size_t bytes = strlen(strcpy(path, keys[i]));
            bytes -= path[bytes - 1] == '/';
            ck_assert(member_index_range(index, path, bytes, &begin, &end));
            for (unsigned j = 1; j < COUNT; j++)
                if (strncmp(keys[j], path, bytes) == 0 &&
                    (!keys[j][bytes] || keys[j][bytes] == '/'))
                    ck_assert_msg(begin <= block[j] && block[j] < end, "%s in %x", keys[j], chosen);
        }
        member_index_close(index);
        sink_free(&payload);
    }
}
END_TEST

/* Payloads that are wrong. */

static int got_of(struct sink *payload, uint64_t data_end)
{
    struct member_index *index = NULL;
    payload_end(payload);
    int got = payload_parse(payload->bytes, payload->used, data_end, &index);
    if (got > 0)
        member_index_close(index);
    sink_free(payload);
    return got;
}

static int got_of_two(uint64_t first, const char *key, uint64_t step, uint64_t shared,
                      const char *rest, uint64_t data_end)
{
    struct sink payload = {0};
    payload_begin(&payload, data_end);
    payload_entry(&payload, first, 0, key);
    payload_entry(&payload, step, shared, rest);
    return got_of(&payload, data_end);
}

START_TEST(entries_that_make_no_sense)
{
    ck_assert_int_eq(got_of_two(0, "a", 5, 0, "b", 6), 1);
    ck_assert_int_eq(got_of_two(0, "a", 5, 1, "b", 6), 1);
    ck_assert_int_eq(got_of_two(0, "", 5, 0, "b", 6), 1);
    ck_assert_int_eq(got_of_two(1, "a", 5, 0, "b", 9), 0); /* the first is not at the beginning */
    ck_assert_int_eq(got_of_two(0, "a", 0, 0, "b", 6), 0); /* no step */
    ck_assert_int_eq(got_of_two(0, "a", 6, 0, "b", 6), 0); /* beyond the data */
    ck_assert_int_eq(got_of_two(0, "a", INT64_MAX, 0, "b", 6), 0);
    ck_assert_int_eq(got_of_two(0, "b", 5, 0, "a", 6), 0); /* not in order */
    ck_assert_int_eq(got_of_two(0, "a", 5, 0, "a", 6), 0); /* twice */
    ck_assert_int_eq(got_of_two(0, "ab", 5, 1, "", 6), 0); /* before it */
    ck_assert_int_eq(got_of_two(0, "a", 5, 2, "b", 6), 0); /* shares more than there is */
    ck_assert_int_eq(got_of_two(0, "a", 5, UINT64_MAX >> 1, "b", 6), 0);
    ck_assert_int_eq(got_of_two(0, "\x7f", 5, 0, "\x80", 6), 1); /* bytes are unsigned */
    struct sink payload = {0};
    payload_begin(&payload, 6);
    ck_assert_int_eq(got_of(&payload, 6), 0); /* no entries */
    payload_begin(&payload, 6);
    payload_entry(&payload, 0, 0, "a");
    ck_assert_int_eq(got_of(&payload, 7), 0); /* of another file */
}
END_TEST

START_TEST(lengths_that_lie)
{
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    struct sink payload = {0};
    payload_begin(&payload, 6);
    payload_number(&payload, 0);
    payload_number(&payload, 0);
    payload_number(&payload, 2); /* of which there is one */
    sink_byte(&payload, 'a');
    ck_assert_int_eq(got_of(&payload, 6), 0);
    for (unsigned field = 0; field < 3; field++) {
        payload_begin(&payload, 6);
        for (unsigned i = 0; i < field; i++)
            payload_number(&payload, 0);
        sink_write(&payload, endless, sizeof endless);
        sink_write(&payload, "\0\0\0", 3);
        ck_assert_int_eq(got_of(&payload, 6), 0);
    }
}
END_TEST

/* Each entry three bytes, and its key a byte longer than that before: they would take gigabytes. */
START_TEST(keys_do_not_swell)
{
    for (unsigned few = 0; few < 2; few++) {
        struct sink payload = {0};
        payload_begin(&payload, INT64_MAX);
        payload_entry(&payload, 0, 0, "a");
        for (uint64_t i = 1; i < (few ? 2000 : 200000); i++)
            payload_entry(&payload, 1, i, "a");
        ck_assert_uint_lt(payload.used, MEMBER_INDEX_PAYLOAD_MAX);
        ck_assert_int_eq(got_of(&payload, INT64_MAX), few);
    }
}
END_TEST

static void fix_crc(uint8_t *payload, size_t bytes)
{
    codec_put32(payload + bytes - MEMBER_INDEX_CRC_BYTES,
                libdeflate_crc32(0, payload, bytes - MEMBER_INDEX_CRC_BYTES));
}

/* Whatever the parser takes, it answers within the archive. */
static void ask(const struct member_index *index, const uint8_t *words, size_t bytes)
{
    for (size_t i = 0; i + 2 < bytes && i < 40; i++) {
        uint64_t begin, end;
        char path[3] = "t/";
        path[2] = (char)words[i];
        if (member_index_range(index, path, 1 + i % 3, &begin, &end))
            ck_assert(begin < end && end <= DATA_END);
    }
}

START_TEST(cut_and_changed_payloads)
{
    struct sink payload = {0};
    struct member_index *index;
    payload_begin(&payload, DATA_END);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        payload_entry(&payload, i ? 10 : 0, 0, rows[i].key);
    payload_end(&payload);
    for (size_t cut = 0; cut < payload.used; cut++)
        ck_assert_int_eq(payload_parse(payload.bytes, cut, DATA_END, &index), 0);
    unsigned taken = 0;
    for (size_t at = 0; at < payload.used - MEMBER_INDEX_CRC_BYTES; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            payload.bytes[at] ^= (uint8_t)(1u << bit);
            ck_assert_int_eq(payload_parse(payload.bytes, payload.used, DATA_END, &index), 0);
            fix_crc(payload.bytes, payload.used);
            int got = payload_parse(payload.bytes, payload.used, DATA_END, &index);
            ck_assert(got == 0 || (got == 1 && at > MEMBER_INDEX_SIGNATURE_BYTES));
            if (got) {
                ask(index, payload.bytes, payload.used);
                member_index_close(index);
                taken++;
            }
            payload.bytes[at] ^= (uint8_t)(1u << bit);
            fix_crc(payload.bytes, payload.used);
        }
    ck_assert_uint_gt(taken, 10); /* some letters may change */
    sink_free(&payload);
}
END_TEST

START_TEST(payloads_of_random_changes)
{
    struct sink payload = {0};
    struct member_index *index;
    unsigned taken = 0;
    srandom(1);
    for (unsigned round = 0; round < ROUNDS(20000); round++) {
        payload.used = 0;
        payload_begin(&payload, DATA_END);
        for (unsigned i = 0; i < 12; i++)
            payload_entry(&payload, i ? 1 + (uint64_t)random() % 90 : 0, i ? 2 : 0,
                          i ? (char[]){(char)('a' + i), 'x', 0} : "t/a");
        payload_end(&payload);
        for (long changes = random() % 4; changes > 0; changes--)
            payload.bytes[(size_t)random() % payload.used] = (uint8_t)random();
        size_t bytes = random() % 4 ? payload.used : (size_t)random() % payload.used;
        if (bytes > MEMBER_INDEX_CRC_BYTES)
            fix_crc(payload.bytes, bytes);
        if (payload_parse(payload.bytes, bytes, DATA_END, &index) == 0)
            continue;
        ask(index, payload.bytes, bytes);
        member_index_close(index);
        taken++;
    }
    ck_assert(taken > ROUNDS(2000) && taken < ROUNDS(19000));
    sink_free(&payload);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member_index");
    TCase *tcase = tcase_create("member_index");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, ranges_hold_a_name_and_what_is_below_it);
    tcase_add_test(tcase, what_sorts_before_all_is_not_there);
    tcase_add_test(tcase, ranges_are_right_whichever_members_are_indexed);
    tcase_add_test(tcase, entries_that_make_no_sense);
    tcase_add_test(tcase, lengths_that_lie);
    tcase_add_test(tcase, keys_do_not_swell);
    tcase_add_test(tcase, cut_and_changed_payloads);
    tcase_add_test(tcase, payloads_of_random_changes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
