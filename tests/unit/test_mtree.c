/* stages/mtree: lines of members of every kind; names of every byte; a buffer that is too small. */
#include "stages/mtree.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stages/foreign.h"

static const struct member_extra nobody = {0};

/* In memory of the size that is said to be enough. */
static const char *line_of(const char *path, const struct file_stat *stat, bool is_hard_link,
                           const struct member_extra *extra)
{
    static char text[4096];
    size_t capacity = mtree_bytes(strlen(path), extra);
    char *buffer = malloc(capacity);
    ptrdiff_t bytes = mtree_render(path, strlen(path), stat, is_hard_link, extra, buffer, capacity);
    ck_assert_int_gt(bytes, 0);
    ck_assert_int_lt(bytes, (ptrdiff_t)sizeof text);
    memcpy(text, buffer, (size_t)bytes);
    text[bytes] = '\0';
    free(buffer);
    return text;
}

START_TEST(kinds)
{
    struct file_stat stat = {
        .mode = S_IFREG | 04755, .uid = 7, .gid = 8, .size_bytes = 99, .mtime_seconds = 12};
    struct member_extra extra = {.user = "a b", .group = "g", .target = "x\ny", .target_bytes = 3};
    ck_assert_str_eq(line_of("d/f", &stat, false, &nobody),
                     "./d/f type=file mode=4755 uid=7 gid=8 size=99 time=12.000000000\n");
    ck_assert_str_eq(line_of("d/f", &stat, true, &nobody),
                     "./d/f type=file mode=4755 uid=7 gid=8 time=12.000000000\n");
    stat.size_bytes = FOREIGN_SIZE_UNKNOWN;
    ck_assert_str_eq(line_of("f", &stat, false, &nobody),
                     "./f type=file mode=4755 uid=7 gid=8 time=12.000000000\n");
    stat = (struct file_stat){.mode = S_IFLNK | 0777, .mtime_seconds = -1, .mtime_ns = 500000000};
    ck_assert_str_eq(line_of("l", &stat, false, &extra),
                     "./l type=link mode=0777 uid=0 gid=0 time=-1.500000000 uname=a\\040b gname=g "
                     "link=x\\012y\n");
    stat = (struct file_stat){.mode = S_IFDIR | 0700};
    ck_assert_str_eq(line_of(".", &stat, false, &nobody),
                     ". type=dir mode=0700 uid=0 gid=0 time=0.000000000\n");
    stat = (struct file_stat){.mode = S_IFCHR | 0600, .rdev = makedev(5, 300)};
    ck_assert_str_eq(line_of("c", &stat, false, &nobody),
                     "./c type=char mode=0600 uid=0 gid=0 device=native,5,300 time=0.000000000\n");
    stat.mode = S_IFIFO | 0600;
    ck_assert_str_eq(line_of("p", &stat, false, &nobody),
                     "./p type=fifo mode=0600 uid=0 gid=0 time=0.000000000\n");
}
END_TEST

/* No byte ends the line or the word. */
START_TEST(every_byte)
{
    struct file_stat stat = {.mode = S_IFREG};
    for (unsigned byte = 1; byte < 256; byte++) {
        char path[] = {'a', (char)byte, 'b', '\0'}, wanted[16];
        if (byte == '/')
            continue;
        bool is_plain = byte > ' ' && byte < 0x7f && !strchr("#=\\*?[", (int)byte);
        snprintf(wanted, sizeof wanted, is_plain ? "./a%cb " : "./a\\%03ob ", byte);
        ck_assert_int_eq(strncmp(line_of(path, &stat, false, &nobody), wanted, strlen(wanted)), 0);
    }
}
END_TEST

START_TEST(too_small)
{
    struct file_stat stat = {.mode = S_IFLNK | 0777, .uid = UINT32_MAX, .gid = UINT32_MAX};
    struct member_extra extra = {
        .user = "\xff\xff", .group = "\xff", .target = "\xff\xff\xff", .target_bytes = 3};
    stat.mtime_seconds = INT64_MIN;
    stat.mtime_ns = 999999999;
    size_t bytes = strlen(line_of("\xff\xff", &stat, false, &extra));
    for (size_t capacity = 1; capacity <= bytes + 1; capacity++) {
        char *buffer = malloc(capacity);
        ptrdiff_t got = mtree_render("\xff\xff", 2, &stat, false, &extra, buffer, capacity);
        ck_assert_int_eq(got, capacity > bytes ? (ptrdiff_t)bytes : -ENOSPC);
        free(buffer);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mtree");
    TCase *tests = tcase_create("mtree");
    tcase_add_test(tests, kinds);
    tcase_add_test(tests, every_byte);
    tcase_add_test(tests, too_small);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
