/* stages/target: a file appears when it is complete, or not at all. */
#include "stages/target.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/scratch.h"

static void expect_text(const char *path, const char *text)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_ge(read(fd, got, sizeof got - 1), 0);
    ck_assert_str_eq(got, text);
    close(fd);
}

static unsigned entries(void)
{
    unsigned count = 0;
    DIR *stream = opendir(".");
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

static struct target *open_with(const char *path, const char *text, bool replace, bool sync)
{
    struct target_options options = {.replace = replace, .sync = sync};
    struct target *target;
    ck_assert_int_eq(target_open(path, &options, &target), 0);
    ck_assert_int_eq(write(target_fd(target), text, strlen(text)), strlen(text));
    return target;
}

START_TEST(appears)
{
    for (int sync = 0; sync < 2; sync++) {
        struct target *target = open_with("a", "new", false, sync);
        ck_assert_int_eq(access("a", F_OK), -1);
        ck_assert_ptr_nonnull(target_temporary(target));
        ck_assert(!target_is_special(target));
        ck_assert_int_eq(target_publish(target), 0);
        target_discard(target);
        expect_text("a", "new");
        ck_assert_int_eq(unlink("a"), 0);
    }
    target_discard(open_with("a", "new", false, false));
    target_discard(NULL);
    ck_assert_uint_eq(entries(), 0);
}
END_TEST

START_TEST(replaces)
{
    struct target_options options = {0};
    struct target *target;
    make_file("a", "old");
    ck_assert_int_eq(symlink("nowhere", "link"), 0);
    ck_assert_int_eq(target_open("a", &options, &target), -EEXIST);
    ck_assert_int_eq(target_open("link", &options, &target), -EEXIST);
    target = open_with("a", "new", true, false);
    expect_text("a", "old");
    ck_assert_int_eq(target_publish(target), 0);
    target_discard(target);
    expect_text("a", "new");
    target_discard(open_with("a", "newer", true, false));
    expect_text("a", "new");
    ck_assert_uint_eq(entries(), 2);
}
END_TEST

/* Open ──── another makes the file ──── publish: that one stays. */
START_TEST(came_first)
{
    struct target *target = open_with("a", "ours", false, false);
    make_file("a", "theirs");
    ck_assert_int_eq(target_publish(target), -EEXIST);
    target_discard(target);
    expect_text("a", "theirs");
    ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(places)
{
    struct target_options options = {0};
    struct target *target;
    ck_assert_int_eq(mkdir("d", 0755), 0);
    ck_assert_int_eq(target_open("d", &options, &target), -EISDIR);
    ck_assert_int_eq(target_open("b/", &options, &target), -EISDIR);
    ck_assert_int_eq(target_open("no/a", &options, &target), -ENOENT);
    make_file("f", "");
    ck_assert_int_eq(target_open("f/a", &options, &target), -ENOTDIR);
    options.makes_directories = true;
    ck_assert_int_eq(target_open("f/a", &options, &target), -ENOTDIR);
    ck_assert_int_eq(target_open("x/y/z/a", &options, &target), 0);
    ck_assert_int_eq(target_publish(target), 0);
    target_discard(target);
    ck_assert_int_eq(access("x/y/z/a", F_OK), 0);
    ck_assert_int_eq(target_open("/dev/null", &options, &target), -EEXIST);
    options.in_place = true;
    ck_assert_int_eq(target_open("/dev/null", &options, &target), 0);
    ck_assert(target_is_special(target));
    ck_assert_int_eq(target_publish(target), 0);
    target_discard(target);
    ck_assert_int_eq(access("/dev/null", F_OK), 0);
}
END_TEST

/* Temporary files of the dead go, those of the living and of others stay. */
START_TEST(leftovers)
{
    char dead[64], alive[64], locked[64];
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    snprintf(dead, sizeof dead, ".a.treemill-%d", (int)child);
    snprintf(alive, sizeof alive, ".a.treemill-%d", (int)getppid());
    make_file(dead, "");
    make_file(alive, "");
    make_file(".a.treemill-x", "");
    make_file(".b.treemill-1", "");
    target_discard(open_with("a", "new", false, false));
    ck_assert_int_eq(access(dead, F_OK), -1);
    ck_assert_uint_eq(entries(), 3);
    /* In use by a process that cannot be seen from here. */
    snprintf(locked, sizeof locked, ".a.treemill-%d", (int)child);
    make_file(locked, "");
    int fd = open(locked, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    target_discard(open_with("a", "new", false, false));
    ck_assert_int_eq(access(locked, F_OK), 0);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("target");
    TCase *cases = tcase_create("target");
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_test(cases, appears);
    tcase_add_test(cases, replaces);
    tcase_add_test(cases, came_first);
    tcase_add_test(cases, places);
    tcase_add_test(cases, leftovers);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
