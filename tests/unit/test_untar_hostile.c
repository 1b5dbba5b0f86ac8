/* Archives that are cut short, changed, or made to do harm. */
#include "tests/unit/rounds.h"
#include "tests/unit/tar_raw.h"

/* What is refused. */

/* One member whose extended header says so. */
static const struct {
    const char *records[4];
    const char *error;
} records[] = {
    {{"size=-1"}, "size"},
    {{"size=9223372036854775808"}, "size"},
    {{"size=18446744073709551616"}, "size"},
    {{"size="}, "size"},
    {{"size=5 "}, "size"},
    {{"GNU.sparse.major=2", "GNU.sparse.minor=0", "GNU.sparse.realsize=5"}, "form"},
    {{"GNU.sparse.major=1", "GNU.sparse.minor=1", "GNU.sparse.realsize=5"}, "form"},
    {{"GNU.sparse.major=0", "GNU.sparse.realsize=5"}, "no map"},
    {{"GNU.sparse.major=1", "GNU.sparse.minor=0"}, "size is missing"},
    {{"GNU.sparse.map=0,5"}, "size is missing"},
    {{"GNU.sparse.map=0,5", "GNU.sparse.size=4"}, "beyond its end"},
    {{"GNU.sparse.map=0,6", "GNU.sparse.size=6"}, "more than its data"},
    {{"GNU.sparse.map=0,1,0,1", "GNU.sparse.size=6"}, "out of order"},
    {{"GNU.sparse.map=0,2,1,1", "GNU.sparse.size=6"}, "out of order"},
    {{"GNU.sparse.map=4,1,0,1", "GNU.sparse.size=6"}, "out of order"},
    {{"GNU.sparse.map=4,0,0,1", "GNU.sparse.size=6"}, "out of order"},
    {{"GNU.sparse.map=7,0", "GNU.sparse.size=6"}, "beyond its end"},
    {{"GNU.sparse.map=1", "GNU.sparse.size=6"}, "without a length"},
    {{"GNU.sparse.map=1,", "GNU.sparse.size=6"}, "without a length"},
    {{"GNU.sparse.map=1,,", "GNU.sparse.size=6"}, "is none"},
    {{"GNU.sparse.map=1;2", "GNU.sparse.size=6"}, "is none"},
    {{"GNU.sparse.map=9223372036854775807,1", "GNU.sparse.size=6"}, "out of range"},
    {{"GNU.sparse.map=18446744073709551615,2", "GNU.sparse.size=6"}, "out of range"},
    {{"GNU.sparse.offset=0", "GNU.sparse.numbytes=6", "GNU.sparse.size=6"}, "more than its data"},
    {{"GNU.sparse.numbytes=5", "GNU.sparse.size=6"}, "without an offset"},
    {{"GNU.sparse.offset=x", "GNU.sparse.size=6"}, "is none"},
    {{"GNU.sparse.size=-6"}, "size"},
};

static void expect_error(const char *error)
{
    char *text = list_in_all_pieces(pack.bytes, pack.used);
    const char *last = strstr(text, "end: -74 ");
    ck_assert_msg(last && strstr(last, error), "not \"%s\":\n%s", error, text);
    free(text);
}

START_TEST(bad_values)
{
    raw_pax(&pack, 'x', records[_i].records);
    raw_file(&pack, "f");
    pack_zeros(&pack, 2 * TAR_BLOCK_BYTES);
    expect_error(records[_i].error);
}
END_TEST

static const char *const broken[] = {
    "9 a=bcd", "10 a=bcd\n",    "7 a=bcd\n",
    "x",       "6 a=b\n7 a=bc", "99999999999999999999 a=b\n",
    "5 ab\n",  "4 =\n",         "2 \n",
    "0 a=b\n", "-6 a=b\n",      "6a=bc\n",
    "3 \n=",   " 6 a=b\n",      "18446744073709551622 a=b\n",
};

START_TEST(broken_records)
{
    raw_body(&pack, 'x', broken[_i], strlen(broken[_i]));
    raw_file(&pack, "f");
    expect_error("record is broken");
    pack.used = 0;
    raw_body(&pack, 'g', broken[_i], strlen(broken[_i]));
    raw_file(&pack, "f");
    expect_error("record is broken");
}
END_TEST

/* Fields. */

static void put(size_t at, const void *bytes, size_t count)
{
    memcpy(pack.bytes + at, bytes, count);
    raw_checksum(pack.bytes);
}

START_TEST(bad_fields)
{
    static const struct {
        char kind;
        const char size[13];
    } rows[] = {
        {'0', "-0000000001"},
        {'0', "12x45678901"},
        {'0', "\x80\0\0\0\x80\0\0\0\0\0\0\0"},
        {'0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {'0', "\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {'V', "-0000000001"},
        {'x', "-0000000001"},
        {'L', "8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pack.used = 0;
        raw_header(&pack, MAGIC_GNU, rows[i].kind, "f", 0);
        put(124, rows[i].size, 12);
        expect_error("size is no number");
    }
    pack.used = 0;
    raw_header(&pack, MAGIC_GNU, '0', "f", 0);
    pack.bytes[148] = 0x80;
    expect_error("checksum is wrong");
}
END_TEST

/* The largest sizes there are: nothing overflows, and nothing is taken for another header. */
START_TEST(huge_members)
{
    static const uint8_t huge[12] = {0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255};
    static const char kinds[] = {'0', 'D', 'V', 'M', '1', 'Q'};
    for (size_t i = 0; i < sizeof kinds; i++) {
        pack.used = 0;
        raw_header(&pack, kinds[i] == '1' ? MAGIC_USTAR : MAGIC_GNU, kinds[i], "f", 0);
        put(124, huge, sizeof huge);
        if (kinds[i] == '1')
            pack_bytes(&pack, "\1", 1);
        raw_data(&pack, "data", 4);
        raw_file(&pack, "no member");
        char *text = list_in_all_pieces(pack.bytes, pack.used);
        ck_assert_ptr_null(strstr(text, "no member"));
        ck_assert_ptr_nonnull(strstr(text, "end: -61\n"));
        free(text);
    }
}
END_TEST

/* Bounds. */

START_TEST(large_headers)
{
    size_t bytes = UNTAR_HEADER_MAX / 2;
    char *body = malloc(bytes);
    ck_assert_ptr_nonnull(body);
    memset(body, 'n', bytes);
    raw_body(&pack, 'L', body, bytes - 2);
    raw_body(&pack, 'K', body, bytes - 2);
    raw_file(&pack, "f");
    raw_end();
    char *text = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_ptr_nonnull(strstr(text, "\nend: 0\n"));
    free(text);
    pack.used = 0;
    raw_body(&pack, 'L', body, bytes);
    raw_body(&pack, 'K', body, bytes);
    expect_error("too large");
    /* Again and again for members of their own is no matter. */
    pack.used = 0;
    for (int i = 0; i < 5; i++) {
        raw_body(&pack, 'L', body, bytes);
        raw_file(&pack, "f");
        raw_body(&pack, 'g', "\0", 1);
    }
    raw_end();
    text = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_ptr_nonnull(strstr(text, "\nend: 0\n"));
    free(text);
    pack.used = 0;
    raw_header(&pack, MAGIC_USTAR, 'x', "f", 077777777777);
    expect_error("too large");
    free(body);
}
END_TEST

/* A map of one extent more than may be, in the old form, which has no other bound. */
START_TEST(large_maps)
{
    size_t blocks = UNTAR_EXTENTS_MAX / 21 + 1;
    uint8_t *header = raw_header(&pack, MAGIC_GNU, 'S', "s", 0);
    header[482] = 1;
    memcpy(header + 483, "77777777777", 11);
    raw_checksum(header);
    for (size_t i = 0; i < blocks; i++) {
        pack_zeros(&pack, TAR_BLOCK_BYTES);
        char *block = (char *)pack.bytes + pack.used - TAR_BLOCK_BYTES;
        for (size_t k = 0; k < 21; k++) {
            sprintf(block + 24 * k, "%011zo", 2 * (21 * i + k));
            sprintf(block + 24 * k + 12, "%011o", 1);
        }
        block[504] = i + 1 < blocks;
    }
    char *text = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_str_eq(text, "end: -74 a sparse file's map is too large\n");
    free(text);
}
END_TEST

/* Maps before the data. */

START_TEST(bad_maps)
{
    static const struct {
        const char *map, *error;
        size_t size;
    } rows[] = {
        {"1\n0\n5\n", NULL, 517},
        {"2\n0\n2\n100\n3\n", NULL, 517},
        {"0\n", NULL, 512},
        {"1\n0\n5\n", "longer than its data", 500},
        {"1\n0\n5\n", "more than its data", 516},
        {"1\n0\n5", "is none", 517},
        {"1\n\n5\n", "is none", 517},
        {"x\n0\n5\n", "is none", 517},
        {"1\n0 5\n", "is none", 517},
        {"18446744073709551616\n0\n5\n", "out of range", 517},
        {"1\n9223372036854775808\n0\n", "out of range", 517},
        {"2\n5\n5\n0\n0\n", "out of order", 517},
        {"1\n996\n5\n", "beyond its end", 517},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pack.used = 0;
        RAW_PAX(&pack, 'x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=s",
                "GNU.sparse.realsize=1000");
        raw_header(&pack, MAGIC_USTAR, '0', "f", rows[i].size);
        raw_data(&pack, rows[i].map, strlen(rows[i].map));
        raw_data(&pack, "12345", rows[i].size > 512 ? rows[i].size - 512 : 0);
        raw_end();
        if (rows[i].error)
            expect_error(rows[i].error);
        else
            EXPECT("s|none||100000|644|10:28|:|1000.000000000|1000|", AFTER, "end: 0\n");
    }
}
END_TEST

/* A map that says it has as many extents as there are numbers, and empty ones only. */
START_TEST(endless_map)
{
    RAW_PAX(&pack, 'x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9");
    raw_header(&pack, MAGIC_USTAR, '0', "f", 1 << 20);
    pack_bytes(&pack, "18446744073709551615\n", 21);
    while (pack.used < 1 << 20)
        pack_bytes(&pack, "0\n", 2);
    char *text = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_str_eq(text, "end: -61\n");
    free(text);
}
END_TEST

/* The end between a member's headers. */
START_TEST(headers_without_member)
{
    RAW_PAX(&pack, 'x', "path=f");
    EXPECT("end: -61\n");
    pack_zeros(&pack, 2 * TAR_BLOCK_BYTES);
    expect_error("between a member's headers");
}
END_TEST

/* Changes of a small archive that has a bit of everything. */

static void pack_everything(void)
{
    static const char acl[] = "SCHILY.acl.access=user::rw-,user:root:r--:0,group::r--,mask::r,"
                              "other::---";
    pack.used = 0;
    RAW_PAX(&pack, 'g', "comment=all", "mtime=5");
    RAW_PAX(&pack, 'x', "path=pax", "SCHILY.xattr.user.a=b", acl, "mtime=7.5", "uid=77");
    raw_file(&pack, "f");
    raw_body(&pack, 'L', "long", 5);
    raw_body(&pack, 'K', "target", 7);
    raw_link(&pack, MAGIC_GNU, '2', "link", 0);
    raw_link(&pack, MAGIC_USTAR, '1', "hard", 3);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_GNU, 'S', "old", 3);
    uint8_t *block = pack.bytes + pack.used - TAR_BLOCK_BYTES;
    memcpy(block + 386,
           "00000000005\0"
           "00000000003",
           23);
    memcpy(block + 482,
           "\1"
           "00000001000",
           12);
    raw_checksum(block);
    pack_zeros(&pack, TAR_BLOCK_BYTES);
    raw_data(&pack, "abc", 3);
    RAW_PAX(&pack, 'x', "GNU.sparse.map=0,1,9,2", "GNU.sparse.size=20", "GNU.sparse.numblocks=2",
            "GNU.sparse.map=0,1,9,2");
    raw_header(&pack, MAGIC_USTAR, '0', "map", 3);
    raw_data(&pack, "abc", 3);
    RAW_PAX(&pack, 'x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=99");
    raw_header(&pack, MAGIC_USTAR, '0', "text", 515);
    raw_data(&pack, "2\n0\n1\n9\n2\n", 11);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_V7, '\0', "directory/", 0);
    raw_end();
}

/* Where all members and their padding have come, only the mark of the end is missing. */
START_TEST(every_length)
{
    pack_everything();
    char *whole = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_ptr_nonnull(strstr(whole, "\nend: 0\n"));
    size_t members_end = pack.used - 2 * TAR_BLOCK_BYTES;
    for (size_t length = 0; length < pack.used; length++) {
        char *text = list_tar(pack.bytes, length, PIECES_WHOLE, true);
        char *end = strstr(text, "end: ");
        ck_assert_ptr_nonnull(end);
        /* What was told was right. */
        ck_assert(!strncmp(text, whole, (size_t)(end - text)));
        if (length >= members_end || !length)
            ck_assert_str_eq(end, "end: 1\n");
        else if (strcmp(end, "end: 1\n") != 0)
            ck_assert_str_eq(end, "end: -61\n");
        else /* behind a member, and nowhere else */
            ck_assert_uint_eq(length % TAR_BLOCK_BYTES, 0);
        free(text);
    }
    free(whole);
}
END_TEST

/* All checksums are right again: else there would be nothing to see behind them. */
static void mend_checksums(void)
{
    for (size_t at = 0; at + TAR_BLOCK_BYTES <= pack.used; at += TAR_BLOCK_BYTES)
        if (!memcmp(pack.bytes + at + 257, "ustar", 5))
            raw_checksum(pack.bytes + at);
}

/* Every byte, with the checksum made right but once: any answer, but the same one in pieces. The
 * sanitizers see the rest. */
START_TEST(every_byte)
{
    struct untar *untar;
    unsigned random = 1, refused = 0;
    pack_everything();
    ck_assert_int_eq(untar_create(&untar), 0);
    for (size_t at = 0; at < pack.used; at++) {
        random = random * 1664525 + 1013904223;
        uint8_t before = pack.bytes[at];
        const uint8_t values[] = {(uint8_t)(before + 1), (uint8_t)(random >> 24), '9',
                                  before ^ 0x80, 0};
        for (size_t i = 0; i < sizeof values; i++) {
            pack.bytes[at] = values[i];
            if (i)
                mend_checksums();
            char *text = list_with(untar, pack.bytes, pack.used, PIECES_WHOLE, true);
            char *pieces = list_with(untar, pack.bytes, pack.used, at % 2 ? 77 : 513, true);
            if (strcmp(text, pieces) != 0)
                ck_abort_msg("byte %zu, %d:\n%s\n%s", at, values[i], text, pieces);
            refused += strstr(text, "end: -74 ") != NULL;
            free(text);
            free(pieces);
            pack.bytes[at] = before;
            mend_checksums();
        }
    }
    ck_assert_uint_gt(refused, 1000);
    untar_destroy(untar);
}
END_TEST

/* Blocks that change places. */
START_TEST(shuffled_blocks)
{
    unsigned random = 12345;
    struct untar *untar;
    pack_everything();
    size_t blocks = pack.used / TAR_BLOCK_BYTES;
    ck_assert_int_eq(untar_create(&untar), 0);
    for (int round = 0; round < ROUNDS(2000); round++) {
        uint8_t block[TAR_BLOCK_BYTES];
        random = random * 1664525 + 1013904223;
        uint8_t *a = pack.bytes + (random >> 8) % blocks * TAR_BLOCK_BYTES;
        uint8_t *b = pack.bytes + (random >> 20) % blocks * TAR_BLOCK_BYTES;
        memcpy(block, a, sizeof block);
        memmove(a, b, sizeof block);
        memcpy(b, block, sizeof block);
        char *text = list_with(untar, pack.bytes, pack.used, PIECES_WHOLE, true);
        char *pieces = list_with(untar, pack.bytes, pack.used, PIECES_RANDOM, true);
        ck_assert_str_eq(text, pieces);
        free(text);
        free(pieces);
    }
    untar_destroy(untar);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("untar_hostile");
    TCase *tcase = tcase_create("hostile");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, raw_teardown);
    tcase_add_loop_test(tcase, bad_values, 0, sizeof records / sizeof *records);
    tcase_add_loop_test(tcase, broken_records, 0, sizeof broken / sizeof *broken);
    tcase_add_test(tcase, bad_fields);
    tcase_add_test(tcase, huge_members);
    tcase_add_test(tcase, large_headers);
    tcase_add_test(tcase, large_maps);
    tcase_add_test(tcase, bad_maps);
    tcase_add_test(tcase, endless_map);
    tcase_add_test(tcase, headers_without_member);
    tcase_add_test(tcase, every_length);
    tcase_add_test(tcase, every_byte);
    tcase_add_test(tcase, shuffled_blocks);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
