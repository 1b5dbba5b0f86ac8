/* Headers made by hand, of all the dialects, and what was made of them elsewhere: by libarchive,
 * where it agrees. */
#include <unistd.h>

#include "tests/unit/tar_raw.h"
#include "tests/unit/untar_libarchive.h"

static void same_by_libarchive(void)
{
    char *ours = list_tar(pack.bytes, pack.used, PIECES_WHOLE, false);
    char *theirs = list_by_libarchive(pack.bytes, pack.used);
    ck_assert_msg(!strcmp(ours, theirs), "here:\n%s\nlibarchive:\n%s", ours, theirs);
    free(ours);
    free(theirs);
}

/* Kinds. */

START_TEST(kinds)
{
    raw_header(&pack, MAGIC_V7, '\0', "v7", 3);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_V7, '\0', "v7d/", 0);
    raw_header(&pack, MAGIC_USTAR, '7', "contiguous", 3);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_USTAR, 'Q', "unknown", 3);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_USTAR, '0', "directory/", 12345);
    raw_header(&pack, MAGIC_GNU, 'D', "dump", 5);
    raw_data(&pack, "Yf\0\0\0", 5);
    raw_header(&pack, MAGIC_GNU, 'V', "label", 0);
    raw_header(&pack, MAGIC_GNU, 'N', "names", 5);
    raw_data(&pack, "Renam", 5);
    raw_header(&pack, MAGIC_USTAR, '5', "sized", 12345);
    raw_header(&pack, MAGIC_USTAR, '6', "fifo", 12345);
    raw_link(&pack, MAGIC_USTAR, '2', "link", 12345);
    raw_end();
    EXPECT("v7|none||100000|644|10:28|:|1000.000000000|3|0:0|3 ", "v7d/|none||40000|644|",
           "contiguous|none||100000|644|10:28|:|1000.000000000|3|0:0|3 ",
           "unknown|none||100000|644|10:28|:|1000.000000000|3|0:0|3 ",
           "directory/|none||40000|644|10:28|:|1000.000000000|0|0:0|0 ",
           "dump|none||40000|644|10:28|:|1000.000000000|0|0:0|0 ",
           "names|none||100000|644|10:28|:|1000.000000000|5|0:0|5 ", "sized|none||40000|644|",
           "fifo|none||10000|644|", "link|symbolic|target|120000|644|", AFTER, "end: 0\n");
    same_by_libarchive();
}
END_TEST

/* The rest of a file that another volume begins has no kind. */
START_TEST(continuation)
{
    raw_header(&pack, MAGIC_GNU, 'M', "rest", 700);
    static const char rest[700];
    raw_data(&pack, rest, sizeof rest);
    raw_end();
    EXPECT("rest|none||0|644|10:28|:|1000.000000000|0|0:0|0 ", AFTER, "end: 0\n");
}
END_TEST

/* Hard links with data, and with a size but without data, in what can be told apart. */
START_TEST(hard_links)
{
    static const struct {
        const char *magic;
        bool is_pax, has_data;
    } rows[] = {
        {MAGIC_V7, false, false},   {MAGIC_GNU, false, false}, {MAGIC_USTAR, false, false},
        {MAGIC_USTAR, false, true}, {MAGIC_USTAR, true, true},
    };
    static const uint64_t sizes[] = {0, 5, 512, 700, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pack.used = 0;
        if (rows[_i].is_pax)
            RAW_PAX(&pack, 'g', "comment=pax");
        char data[5000];
        memset(data, 'd', sizeof data);
        raw_link(&pack, rows[_i].magic, '1', "hard", sizes[i]);
        if (rows[_i].has_data)
            raw_data(&pack, data, sizes[i]);
        raw_end();
        EXPECT("hard|hard|target|0|644|", AFTER, "end: 0\n");
        /* libarchive 3.6.2 means to look at the block behind the header, and looks at the header:
         * it takes the data for one. */
        if (!rows[_i].has_data || rows[_i].is_pax)
            same_by_libarchive();
    }
}
END_TEST

/* Nothing follows, or the end does. */
START_TEST(sized_hard_link_at_the_end)
{
    raw_link(&pack, MAGIC_USTAR, '1', "hard", 700);
    EXPECT("hard|hard|target|0|644|", "end: 1\n");
    pack_zeros(&pack, 2 * TAR_BLOCK_BYTES);
    EXPECT("hard|hard|target|0|644|", "end: 0\n");
}
END_TEST

/* Names. */

START_TEST(long_names)
{
    raw_body(&pack, 'L', "long/name\0", 10);
    raw_body(&pack, 'K', "long/target\0", 12);
    raw_link(&pack, MAGIC_GNU, '2', "short", 0);
    RAW_PAX(&pack, 'x', "path=pax", "linkpath=pax target");
    raw_link(&pack, MAGIC_USTAR, '2', "short", 0);
    uint8_t *block = raw_header(&pack, MAGIC_USTAR, '0', "name", 0);
    memcpy(block + 345, "prefix", 6);
    raw_checksum(block);
    block = raw_header(&pack, MAGIC_GNU, '0', "name", 0); /* its place is taken by times */
    memcpy(block + 345, "00000001750", 12);
    raw_checksum(block);
    block = raw_header(&pack, MAGIC_USTAR, '0', "", 0);
    memset(block, 'n', 100);
    memset(block + 345, 'p', 155);
    memset(block + 265, 'u', 32);
    raw_checksum(block);
    raw_end();
    char all[300] = "";
    memset(all, 'p', 155);
    all[155] = '/';
    memset(all + 156, 'n', 100);
    strcpy(all + 256, "|none|");
    EXPECT("long/name|symbolic|long/target|120000|", "pax|symbolic|pax target|120000|",
           "prefix/name|none|", "name|none|", all, AFTER, "end: 0\n");
    same_by_libarchive();
}
END_TEST

/* Cut there by all; see untar_pax.c. */
START_TEST(nul_in_names)
{
    char body[100];
    size_t used = raw_record(body, "path", "cut\0off", 7);
    used += raw_record(body + used, "uname", "me\0", 3);
    raw_body(&pack, 'x', body, used);
    raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
    raw_end();
    EXPECT("cut|none||100000|644|10:28|me:|", AFTER, "end: 0\n");
}
END_TEST

/* Numbers. */

static void put_bytes(size_t at, size_t width, int64_t value)
{
    uint8_t *block = pack.bytes + pack.used - TAR_BLOCK_BYTES;
    for (size_t i = width; i-- > 0; value >>= 8)
        block[at + i] = (uint8_t)value;
    block[at] = (uint8_t)((block[at] & 0x7f) | 0x80);
    raw_checksum(block);
}

START_TEST(numbers)
{
    raw_header(&pack, MAGIC_GNU, '0', "base256", 0);
    put_bytes(108, 8, 4294967294);
    put_bytes(116, 8, 3000000);
    put_bytes(136, 12, -2000000000);
    put_bytes(124, 12, 3);
    raw_data(&pack, "abc", 3);
    raw_header(&pack, MAGIC_GNU, '0', "large", 0);
    put_bytes(136, 12, INT64_MAX);
    raw_header(&pack, MAGIC_GNU, '0', "small", 0);
    put_bytes(136, 12, INT64_MIN);
    uint8_t *block = raw_header(&pack, MAGIC_USTAR, '0', "blanks", 0);
    memcpy(block + 100, "   644 ", 8);
    memcpy(block + 108, "        ", 8);
    memset(block + 116, 0, 8);
    memcpy(block + 124, "         3  ", 12);
    memcpy(block + 136, "777777777777", 12);
    raw_checksum(block);
    raw_data(&pack, "abc", 3);
    raw_end();
    EXPECT("base256|none||100000|644|4294967294:3000000|:|-2000000000.000000000|3|0:0|3 ",
           "large|none||100000|644|10:28|:|9223372036854775807.000000000|0|",
           "small|none||100000|644|10:28|:|-9223372036854775808.000000000|0|",
           "blanks|none||100000|644|0:0|:|68719476735.000000000|3|", AFTER, "end: 0\n");
    same_by_libarchive();
}
END_TEST

/* Nobody's number, and not somebody's by the lowest 32 bits. */
START_TEST(owners_out_of_range)
{
    raw_header(&pack, MAGIC_GNU, '0', "field", 0);
    put_bytes(108, 8, 1ll << 32);
    put_bytes(116, 8, -3);
    RAW_PAX(&pack, 'x', "uid=4294967296", "gid=-1");
    raw_header(&pack, MAGIC_USTAR, '0', "record", 0);
    RAW_PAX(&pack, 'x', "uid=none", "gid=", "mtime=soon");
    raw_header(&pack, MAGIC_USTAR, '0', "words", 0);
    raw_end();
    EXPECT("field|none||100000|644|4294967295:4294967295|",
           "record|none||100000|644|4294967295:4294967295|",
           "words|none||100000|644|10:28|:|1000.000000000|", AFTER, "end: 0\n");
}
END_TEST

START_TEST(times_in_records)
{
    static const struct {
        const char *record, *shown;
    } rows[] = {
        {"mtime=1.5", "1.500000000"},
        {"mtime=0", "0.000000000"},
        {"mtime=7.", "7.000000000"},
        {"mtime=1234567890.123456789999", "1234567890.123456789"},
        {"mtime=-1", "-1.000000000"},
        {"mtime=-1.25", "-2.750000000"}, /* as GNU tar has it; libarchive 3.6.2: -1 + 0.25 */
        {"mtime=-0.000000001", "-1.999999999"},
        {"mtime=9223372036854775807", "9223372036854775807.000000000"},
        {"mtime=9223372036854775808", "1000.000000000"},
        {"mtime=1.5x", "1000.000000000"},
        {"mtime=", "1000.000000000"},
        {"mtime=-", "1000.000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[100];
        pack.used = 0;
        RAW_PAX(&pack, 'x', rows[i].record);
        raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
        raw_end();
        snprintf(expected, sizeof expected, "f|none||100000|644|10:28|:|%s|", rows[i].shown);
        EXPECT(expected, AFTER, "end: 0\n");
    }
}
END_TEST

START_TEST(signed_checksum)
{
    uint8_t *block = raw_header(&pack, MAGIC_USTAR, '0', "\xff\xe9 name", 0);
    int sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
        sum += (int8_t)block[i];
    snprintf((char *)block + 148, 8, "%06o", (unsigned)sum);
    ck_assert(untar_detect(pack.bytes, TAR_BLOCK_BYTES));
    raw_end();
    EXPECT("\xff\xe9 name|none|", AFTER, "end: 0\n");
    same_by_libarchive();
}
END_TEST

/* Extended headers. */

START_TEST(records)
{
    RAW_PAX(&pack, 'x', "uid=1000", "gid=70000", "uname=b\xc3\xbc", "gname=g", "size=3",
            "hdrcharset=BINARY", "comment=a=b", "VENDOR.key=value", "path=first", "path=last");
    raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
    raw_data(&pack, "abc", 3);
    RAW_PAX(&pack, 'x', "SCHILY.devmajor=300", "SCHILY.devminor=70000");
    raw_header(&pack, MAGIC_USTAR, '4', "disk", 0);
    RAW_PAX(&pack, 'X', "path=solaris");
    raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
    RAW_PAX(&pack, 'x', "path=two");
    RAW_PAX(&pack, 'x', "uid=77");
    raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
    raw_end();
    EXPECT("last|none||100000|644|1000:70000|b\xc3\xbc:g|1000.000000000|3|0:0|3 ",
           "disk|none||60000|644|10:28|:|1000.000000000|0|300:70000|", "solaris|none|",
           "two|none||100000|644|77:28|", AFTER, "end: 0\n");
}
END_TEST

/* An empty value takes back what was said before. */
START_TEST(empty_values)
{
    RAW_PAX(&pack, 'g', "uname=all", "gname=all", "uid=5");
    RAW_PAX(&pack, 'x', "path=", "linkpath=", "uname=", "size=3");
    uint8_t *block = raw_header(&pack, MAGIC_USTAR, '0', "f", 0);
    memcpy(block + 265, "user", 4);
    memcpy(block + 297, "group", 5);
    raw_checksum(block);
    raw_data(&pack, "abc", 3);
    RAW_PAX(&pack, 'g', "uname=", "gname=", "uid=");
    raw_end();
    EXPECT("f|none||100000|644|5:28|:all|1000.000000000|3|", AFTER, "end: 0\n");
}
END_TEST

START_TEST(global_headers)
{
    RAW_PAX(&pack, 'g', "comment=0123456789012345678901234567890123456789");
    RAW_PAX(&pack, 'g', "path=evil", "linkpath=evil", "size=99", "mtime=5.5", "uid=1", "gid=2",
            "uname=u", "gname=g", "SCHILY.xattr.user.a=b", "GNU.sparse.major=1");
    raw_file(&pack, "one");
    RAW_PAX(&pack, 'x', "uid=3", "mtime=6");
    raw_file(&pack, "two");
    RAW_PAX(&pack, 'g', "uname=v");
    raw_file(&pack, "three");
    pack_zeros(&pack, 2 * TAR_BLOCK_BYTES);
    EXPECT("one|none||100000|644|1:2|u:g|5.500000000|5|0:0|5 ",
           "two|none||100000|644|3:2|u:g|6.000000000|5|0:0|5 ",
           "three|none||100000|644|1:2|v:g|5.500000000|5|0:0|5 ", "end: 0\n");
}
END_TEST

/* Sparse files. */

static void put_octal(size_t at, uint64_t value)
{
    uint8_t *block = pack.bytes + pack.used - TAR_BLOCK_BYTES;
    snprintf((char *)block + at, 12, "%011llo", (unsigned long long)value);
}

/* 25 extents: 4 in the header, 21 in a block behind it; and an empty one that ends the file. */
static void sparse_header(bool is_star)
{
    static char data[25 * 512];
    size_t at = is_star ? 356 : 386;
    memset(data, 'd', sizeof data);
    uint8_t *block =
        raw_header(&pack, is_star ? MAGIC_USTAR : MAGIC_GNU, 'S', "s", sizeof data - 12);
    for (size_t i = 0; i < 4; i++) {
        put_octal(at + 24 * i, 1024 * i);
        put_octal(at + 24 * i + 12, 512);
    }
    block[is_star ? 355 : 482] = 1;
    put_octal(is_star ? 452 : 483, 1000000);
    raw_checksum(block);
    pack_zeros(&pack, TAR_BLOCK_BYTES);
    for (size_t i = 0; i < 21; i++) {
        put_octal(24 * i, 1024 * (4 + i));
        put_octal(24 * i + 12, i == 20 ? 500 : 512);
    }
    raw_data(&pack, data, sizeof data - 12);
    raw_end();
}

START_TEST(old_sparse_headers)
{
    sparse_header(false);
    EXPECT("s|none||100000|644|10:28|:|1000.000000000|1000000|0:0|12788 ", AFTER, "end: 0\n");
    same_by_libarchive();
    char *gnu = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    pack.used = 0;
    sparse_header(true);
    char *star = list_tar(pack.bytes, pack.used, PIECES_WHOLE, true);
    ck_assert_str_eq(gnu, star);
    free(gnu);
    free(star);
}
END_TEST

/* Ends. */

START_TEST(ends)
{
    EXPECT("end: 1\n");
    raw_file(&pack, "f");
    EXPECT("f|none|", "end: 1\n");
    pack_zeros(&pack, 100);
    EXPECT("f|none|", "end: 1\n");
    pack_zeros(&pack, 412);
    EXPECT("f|none|", "end: 1\n");
    pack_zeros(&pack, 511);
    EXPECT("f|none|", "end: 1\n");
    pack_zeros(&pack, 1);
    EXPECT("f|none|", "end: 0\n");
    raw_file(&pack, "behind the end");
    EXPECT("f|none|", "end: 0\n");
    same_by_libarchive();
}
END_TEST

/* What is behind it is not read: see untar.c. */
START_TEST(lone_zero_block)
{
    raw_file(&pack, "f");
    pack_zeros(&pack, TAR_BLOCK_BYTES);
    raw_file(&pack, "behind");
    EXPECT("f|none|", "end: 1\n");
    pack_to_file(&pack, "/tmp/untar-lone.tar");
    run_tool("tar", "test \"$(tar -tf /tmp/untar-lone.tar 2>/dev/null)\" = f");
    ck_assert_int_eq(unlink("/tmp/untar-lone.tar"), 0);
}
END_TEST

START_TEST(detection)
{
    uint8_t *block = raw_header(&pack, MAGIC_V7, '\0', "f", 0);
    ck_assert(untar_detect(block, TAR_BLOCK_BYTES));
    ck_assert(!untar_detect(block, TAR_BLOCK_BYTES - 1));
    block[300] ^= 1;
    ck_assert(!untar_detect(block, TAR_BLOCK_BYTES));
    memset(block, 0, TAR_BLOCK_BYTES);
    ck_assert(!untar_detect(block, TAR_BLOCK_BYTES));
    memset(block, ' ', TAR_BLOCK_BYTES);
    ck_assert(!untar_detect(block, TAR_BLOCK_BYTES));
}
END_TEST

static TCase *made_by_hand(void)
{
    TCase *tcase = tcase_create("made by hand");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, raw_teardown);
    tcase_add_test(tcase, kinds);
    tcase_add_test(tcase, continuation);
    tcase_add_loop_test(tcase, hard_links, 0, 5);
    tcase_add_test(tcase, sized_hard_link_at_the_end);
    tcase_add_test(tcase, long_names);
    tcase_add_test(tcase, nul_in_names);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, owners_out_of_range);
    tcase_add_test(tcase, times_in_records);
    tcase_add_test(tcase, signed_checksum);
    tcase_add_test(tcase, records);
    tcase_add_test(tcase, empty_values);
    tcase_add_test(tcase, global_headers);
    tcase_add_test(tcase, old_sparse_headers);
    tcase_add_test(tcase, ends);
    tcase_add_test(tcase, lone_zero_block);
    tcase_add_test(tcase, detection);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("untar_dialects");
    suite_add_tcase(suite, made_by_hand());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
