/* cli/input and cli/manifests: lists that come slowly or not to their end, and no memory for them.
 *
 * path_set is this file's: it has no memory when told so. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/manifests.h"
#include "cli/path_set.h"
#include "cli/report.h"

static size_t paths_that_fit;

struct path_set *path_set_create(void)
{
    return NULL;
}

void path_set_destroy(struct path_set *set)
{
    (void)set;
}

int path_set_add(struct path_set *set, const char *path, size_t bytes)
{
    (void)set;
    (void)path;
    (void)bytes;
    return paths_that_fit ? (paths_that_fit--, 0) : -ENOMEM;
}

bool path_set_has(const struct path_set *set, const char *path, size_t bytes)
{
    (void)set;
    (void)path;
    (void)bytes;
    return false;
}

START_TEST(no_memory_for_a_path)
{
    char path[] = "/tmp/treemill-test-XXXXXX";
    static const char text[] = "900150983cd24fb0d6963f7d28e17f72  a\n"
                               "900150983cd24fb0d6963f7d28e17f72  b\n";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);

    const char *operands[] = {path};
    struct options options = {.operands = {.items = operands, .count = 1}};
    struct report_options quiet = {.program = "test", .fd = open("/dev/null", O_WRONLY)};
    struct report *report = report_create(&quiet);
    struct path_set *set = (struct path_set *)&paths_that_fit; /* never looked into */
    struct manifests *manifests;
    const char *failed_path;
    struct walk_name name;
    paths_that_fit = 1;
    ck_assert_int_eq(manifests_open(&options, UINT32_MAX, report, set, &manifests, &failed_path),
                     0);
    ck_assert_int_eq(manifests_next(manifests, true, &name), WALK_NAME);
    ck_assert_str_eq(name.text, "a");
    ck_assert_int_eq(manifests_error(manifests), 0);
    ck_assert_int_eq(manifests_next(manifests, true, &name), WALK_END);
    ck_assert_int_eq(manifests_error(manifests), -ENOMEM);
    ck_assert_int_eq(manifests_next(manifests, true, &name), WALK_END);
    ck_assert(!manifests_have_ended(manifests));

    manifests_close(manifests);
    report_destroy(report);
    close(quiet.fd);
    unlink(path);
}
END_TEST

START_TEST(reading)
{
    int ends[2];
    char buffer[8];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(input_read(ends[0], buffer, sizeof buffer, false), -EAGAIN);
    ck_assert_int_eq(write(ends[1], "ab", 2), 2);
    ck_assert_int_eq(input_read(ends[0], buffer, sizeof buffer, true), 2);
    close(ends[1]);
    ck_assert_int_eq(input_read(ends[0], buffer, sizeof buffer, true), 0);
    close(ends[0]);
    ck_assert_int_eq(input_read(ends[0], buffer, sizeof buffer, true), -EBADF);
    ck_assert_int_eq(input_open("/nowhere/at/all"), -ENOENT);
}
END_TEST

START_TEST(stopping)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    int fd = input_open("/dev/null");
    ck_assert_int_ge(fd, 0);
    input_stop();
    ck_assert_int_eq(input_read(ends[0], &byte, 1, true), -ECANCELED);
    ck_assert_int_eq(input_read(ends[0], &byte, 1, false), -EAGAIN);
    ck_assert_int_eq(write(ends[1], "a", 1), 1);
    ck_assert_int_eq(input_read(ends[0], &byte, 1, true), 1); /* what is there is given out */
    ck_assert_int_eq(input_read(ends[0], &byte, 1, true), -ECANCELED);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *tests = tcase_create("lists");
    tcase_add_test(tests, no_memory_for_a_path);
    tcase_add_test(tests, reading);
    tcase_add_test(tests, stopping);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
