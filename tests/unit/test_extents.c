/* stages/extents: where the data of files with holes is. */
#include "stages/extents.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 65536

static char path[] = "/tmp/treemill-extents-XXXXXX";
static int fd;

static void make_file(void)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
}

static void remove_file(void)
{
    close(fd);
    unlink(path);
}

static void put(uint64_t at, size_t bytes)
{
    char *data = malloc(bytes);
    memset(data, 'x', bytes);
    ck_assert_int_eq(pwrite(fd, data, bytes, (off_t)at), bytes);
    free(data);
}

static struct file_stat stat_of(void)
{
    struct statx status;
    struct file_stat stat;
    ck_assert_int_eq(fsync(fd), 0); /* some file systems count blocks late */
    ck_assert_int_eq(statx(AT_FDCWD, path, 0, file_stat_mask, &status), 0);
    file_stat_from(&stat, &status);
    return stat;
}

/* False: the file system makes no holes. */
static bool has_holes(void)
{
    return (uint64_t)lseek(fd, 0, SEEK_HOLE) < stat_of().size_bytes;
}

/* Each byte of data is in an extent, extents are in order, and they end with the file. */
static void expect_covered(const struct archive_extent *extents, size_t count, uint64_t size)
{
    uint64_t end = 0;
    for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0;) {
        off_t hole = lseek(fd, at, SEEK_HOLE);
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= extents[i].offset <= (uint64_t)at &&
                     extents[i].offset + extents[i].bytes >= (uint64_t)hole;
        ck_assert_msg(found, "%ld to %ld", (long)at, (long)hole);
        at = hole;
    }
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ge(extents[i].offset, end);
        end = extents[i].offset + extents[i].bytes;
    }
    ck_assert_uint_le(end, size);
}

START_TEST(dense)
{
    struct archive_extent *extents;
    size_t count;
    put(0, 3 * PAGE);
    struct file_stat stat = stat_of();
    ck_assert(!extents_are_likely(&stat));
    ck_assert_int_eq(extents_find(path, strlen(path), &stat, &extents, &count), 0);
    struct file_stat small = {.size_bytes = 100}, sparse = {.size_bytes = 1 << 20, .blocks = 8};
    ck_assert(!extents_are_likely(&small));
    ck_assert(extents_are_likely(&sparse));
}
END_TEST

START_TEST(holes)
{
    struct archive_extent *extents;
    size_t count;
    put(4 * PAGE, PAGE);
    put(9 * PAGE, 100);
    ck_assert_int_eq(ftruncate(fd, 20 * PAGE + 7), 0);
    if (!has_holes())
        return;
    struct file_stat stat = stat_of();
    ck_assert(extents_are_likely(&stat));
    ck_assert_int_eq(extents_find(path, strlen(path), &stat, &extents, &count), 1);
    expect_covered(extents, count, stat.size_bytes);
    ck_assert_uint_eq(extents[0].offset, 4 * PAGE);
    ck_assert_uint_eq(extents[0].bytes, PAGE);
    free(extents);
}
END_TEST

START_TEST(nothing_but_a_hole)
{
    struct archive_extent *extents;
    size_t count;
    ck_assert_int_eq(ftruncate(fd, 20 * PAGE), 0);
    if (!has_holes())
        return;
    struct file_stat stat = stat_of();
    ck_assert_int_eq(extents_find(path, strlen(path), &stat, &extents, &count), 1);
    expect_covered(extents, count, stat.size_bytes);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(extents[i].bytes, 0);
    free(extents);
}
END_TEST

/* More than are told apart. */
START_TEST(many_holes)
{
    struct archive_extent *extents;
    size_t count;
    enum { RANGES = 3 * EXTENTS_MAX };
    for (unsigned i = 0; i < RANGES; i++)
        put((uint64_t)i * 2 * PAGE + (i % 7 ? 0 : PAGE / 2), 4096);
    if (!has_holes())
        return;
    struct file_stat stat = stat_of();
    ck_assert_int_eq(extents_find(path, strlen(path), &stat, &extents, &count), 1);
    ck_assert_uint_le(count, EXTENTS_MAX + 1);
    expect_covered(extents, count, stat.size_bytes);
    free(extents);
}
END_TEST

/* It became shorter since: reading it will tell. */
START_TEST(another_size)
{
    struct archive_extent *extents = NULL;
    size_t count;
    put(4 * PAGE, PAGE);
    ck_assert_int_eq(ftruncate(fd, 10 * PAGE), 0);
    struct file_stat stat = stat_of();
    ck_assert_int_eq(ftruncate(fd, 5 * PAGE), 0);
    int found = extents_find(path, strlen(path), &stat, &extents, &count);
    ck_assert_int_ge(found, 0);
    if (found)
        expect_covered(extents, count, stat.size_bytes);
    free(extents);
    ck_assert_int_eq(extents_find("/nowhere/at/all", 15, &stat, &extents, &count), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extents");
    TCase *cases = tcase_create("extents");
    tcase_add_checked_fixture(cases, make_file, remove_file);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, dense);
    tcase_add_test(cases, holes);
    tcase_add_test(cases, nothing_but_a_hole);
    tcase_add_test(cases, many_holes);
    tcase_add_test(cases, another_size);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
