/* Children that are held to a directory "in", beside one that is called "out". */
#ifndef TREEMILL_TESTS_UNIT_SANDBOX_CHILD_H
#define TREEMILL_TESTS_UNIT_SANDBOX_CHILD_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages/sandbox.h"
#include "tests/unit/scratch.h"

/* ABIs of Landlock that change what the sandbox does. */
#define ABI_KNOWN 6

static int abi; /* of the kernel */

/* What a child does inside: 0, or the errno that it failed with. */
typedef int deed(void);

static int result_of(long result)
{
    return result < 0 ? errno : 0;
}

static int enter(const struct sandbox_request *request)
{
    char why[SANDBOX_WHY_BYTES] = "";
    int error = sandbox_enter(request, why, sizeof why);
    ck_assert_msg(!error == !*why, "%d: %s", error, why);
    return error;
}

static int status_of(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* What it comes to for a child that is held to "in", unless the request has other places. */
static int inside(deed *does, struct sandbox_request request)
{
    struct sandbox_place in = {.path = "in"};
    pid_t pid = fork();
    if (pid == 0) {
        if (!request.places) {
            request.places = &in;
            request.count = 1;
        }
        _exit(enter(&request) ? 100 : does());
    }
    return status_of(pid);
}

static int opens_for_writing(void)
{
    return result_of(open("out/file", O_WRONLY));
}

static int renames(void)
{
    return result_of(rename("out/file", "out/other"));
}

static int removes(void)
{
    return result_of(unlink("out/file"));
}

static void make_places(void)
{
    scratch_make();
    ck_assert_int_eq(mkdir("in", 0700) | mkdir("in/sub", 0700) | mkdir("out", 0700) |
                         mkdir("out/empty", 0700) | symlink("../out", "in/way-out"),
                     0);
    make_file("in/file", "inside");
    make_file("out/file", "outside");
}

static void expect_text(const char *path, const char *text)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_ge(read(fd, got, sizeof got - 1), 0);
    ck_assert_msg(strcmp(got, text) == 0, "%s: %s", path, got);
    close(fd);
}

static void expect_untouched(void)
{
    expect_text("in/file", "inside");
    expect_text("out/file", "outside");
    ck_assert_int_eq(access("out/empty", F_OK), 0);
    ck_assert_int_ne(access("out/new", F_OK), 0);
    ck_assert_int_ne(access("out/other", F_OK), 0);
    ck_assert_int_ne(access("in/other", F_OK), 0);
}

/* The exit status of a test program: 77 where there is no Landlock. */
static int run_suite(Suite *suite, TCase *tests)
{
    char why[SANDBOX_WHY_BYTES];
    abi = sandbox_probe(why, sizeof why);
    if (abi < 0) {
        printf("skipped: %s\n", why);
        return 77;
    }
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
