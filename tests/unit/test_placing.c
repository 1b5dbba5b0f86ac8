/* stages/placing: names of outputs, what they inherit, what is removed. */
#include "stages/placing.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/scratch.h"

static const struct {
    const char *directory, *suffix, *path, *output; /* NULL: the name has no known suffix */
} rows[] = {
    {NULL, ".gz", "a", "a.gz"},
    {NULL, ".gz", "/x/a.gz", "/x/a.gz.gz"},
    {NULL, "", "a", "a"},
    {"o", ".zst", "a/b", "o/a/b.zst"},
    {"o/", ".zst", "/a/b", "o/a/b.zst"},
    {"/", ".zst", "a", "/a.zst"},
    {"o", ".gz", "../../a/b", "o/a/b.gz"},
    {"o", ".gz", "a/../b", "o/b.gz"},
    {"o", ".gz", "./a", "o/./a.gz"},
    {NULL, NULL, "a.gz", "a"},
    {NULL, NULL, "x/a.zst", "x/a"},
    {NULL, NULL, "a.tgz", "a.tar"},
    {NULL, NULL, "x.tgz/a.tzst", "x.tgz/a.tar"},
    {NULL, NULL, "a.gz.gz", "a.gz"},
    {"o", NULL, "../a.gz", "o/a"},
    {NULL, NULL, ".gz", NULL},
    {NULL, NULL, "x/.gz", NULL},
    {NULL, NULL, "x/.tgz", NULL},
    {NULL, NULL, "a", NULL},
    {NULL, NULL, "a.GZ", NULL},
    {NULL, NULL, "a.gzip", NULL},
    {NULL, NULL, "x.gz/a", NULL},
    {NULL, NULL, "gz", NULL},
};

START_TEST(names)
{
    struct placing placing = {.directory = rows[_i].directory, .suffix = rows[_i].suffix};
    const char *path = rows[_i].path;
    char *output = NULL;
    int error = placing_path(&placing, path, strlen(path), &output);
    if (rows[_i].output) {
        ck_assert_int_eq(error, 0);
        ck_assert_str_eq(output, rows[_i].output);
        free(output);
    } else {
        ck_assert_int_eq(error, -EINVAL);
    }
    if (!rows[_i].suffix)
        ck_assert_int_eq(placing_knows(path, strlen(path)), rows[_i].output != NULL);
}
END_TEST

/* Files. */

static struct file_stat stat_of(const char *path)
{
    struct statx status;
    struct file_stat stat;
    ck_assert_int_eq(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, file_stat_mask, &status), 0);
    file_stat_from(&stat, &status);
    return stat;
}

START_TEST(output_is_there)
{
    struct placing placing = {.directory = "o", .suffix = ".x"};
    struct target *target;
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1000000000, .tv_nsec = 123456789}};
    struct stat status;
    make_file("a", "source");
    ck_assert_int_eq(chmod("a", 0640), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, "a", times, 0), 0);
    struct file_stat stat = stat_of("a");
    ck_assert_int_eq(placing_open(&placing, "a", 1, &target), 0);
    ck_assert_int_eq(write(target_fd(target), "made", 4), 4);
    ck_assert_int_eq(placing_inherit(target, "a", 1, &stat), 0);
    ck_assert_int_eq(target_publish(target), 0);
    target_discard(target);
    ck_assert_int_eq(lstat("o/a.x", &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0640);
    ck_assert_int_eq(status.st_mtim.tv_sec, 1000000000);
    ck_assert_int_eq(placing_open(&placing, "a", 1, &target), -EEXIST);
}
END_TEST

/* As a worker leaves the record of a file whose output is at its place. */
static struct file_record record_of(const struct placing *placing, const char *path,
                                    const struct file_stat *stat)
{
    struct file_record file = {.stat = *stat, .path_bytes = (uint32_t)strlen(path)};
    char *output;
    ck_assert_int_eq(placing_path(placing, path, strlen(path), &output), 0);
    make_file(output, "made");
    struct file_stat made = stat_of(output);
    file.trace = (struct publish_trace){.device = made.device, .inode = made.inode};
    free(output);
    return file;
}

static int remove_source(const char *path, const struct file_stat *stat)
{
    static const struct placing placing = {.suffix = ".x"};
    struct file_record file = record_of(&placing, path, stat);
    return placing_remove_source(&placing, path, &file);
}

START_TEST(stays_if_the_output_is_another)
{
    const struct placing placing = {.suffix = ".x"};
    make_file("a", "text");
    struct file_stat stat = stat_of("a");
    struct file_record file = record_of(&placing, "a", &stat);
    ck_assert_int_eq(link("a.x", "old"), 0); /* its number is not given to another */
    ck_assert_int_eq(unlink("a.x"), 0);
    ck_assert_int_eq(placing_remove_source(&placing, "a", &file), -ENOENT);
    make_file("a.x", "made by another");
    ck_assert_int_eq(placing_remove_source(&placing, "a", &file), -EEXIST);
    ck_assert_int_eq(access("a", F_OK), 0);
}
END_TEST

START_TEST(removes_what_was_read)
{
    ck_assert_int_eq(mkdir("d", 0755), 0);
    static const char *const paths[] = {"a", "d/a", "./d/b", "d//c"};
    for (unsigned i = 0; i < 4; i++) {
        make_file(paths[i], "text");
        struct file_stat stat = stat_of(paths[i]);
        ck_assert_int_eq(remove_source(paths[i], &stat), 0);
        ck_assert_int_eq(access(paths[i], F_OK), -1);
        ck_assert_int_eq(remove_source(paths[i], &stat), -ENOENT);
    }
    make_file("d/a", "text");
    struct file_stat stat = stat_of("d/a");
    make_file("d/a", "longer text");
    ck_assert_int_eq(remove_source("d/a", &stat), -ESTALE);
    stat = stat_of("d/a");
    ck_assert_int_eq(link("d/a", "d/old"), 0); /* its number is not given to another */
    ck_assert_int_eq(unlink("d/a"), 0);
    make_file("d/a", "longer text");
    ck_assert_int_eq(remove_source("d/a", &stat), -ESTALE);
    ck_assert_int_eq(unlink("d/a"), 0);
    ck_assert_int_eq(symlink("old", "d/a"), 0);
    stat = stat_of("d/old");
    ck_assert_int_eq(remove_source("d/a", &stat), -ESTALE);
    ck_assert_int_eq(access("d/old", F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("placing");
    TCase *cases = tcase_create("names");
    tcase_add_loop_test(cases, names, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, cases);
    cases = tcase_create("files");
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_test(cases, output_is_there);
    tcase_add_test(cases, stays_if_the_output_is_another);
    tcase_add_test(cases, removes_what_was_read);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
