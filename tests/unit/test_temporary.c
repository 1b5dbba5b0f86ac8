/* stages/temporary: what is a leftover, and what only looks like one. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages/temporary.h"

static char directory[] = "/tmp/treemill-test-temporary-XXXXXX";

static void make_file(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void expect(const char *name, bool there)
{
    ck_assert_msg((access(name, F_OK) == 0) == there, "%s", name);
}

START_TEST(leftovers_are_those_of_the_dead)
{
    static const char *const forms[] = {".f.treemill-%d-17", ".f.treemill-%d", ".f.treemill-%d-17x",
                                        ".f.treemill-%dx", ".treemill-%d"};
    char names[5][64], alive[64], other[64], command[64];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(names[i], sizeof names[i], forms[i], child);
        make_file(names[i]);
    }
    snprintf(alive, sizeof alive, ".f.treemill-%d-17", getpid());
    snprintf(other, sizeof other, ".f.treemill-1-1.treemill-%d-17", child);
    make_file(alive), make_file(other), make_file(".f.treemill-");
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    temporary_sweep(here, "g");
    expect(names[0], true);
    int fd = open(names[0], O_RDONLY | O_CLOEXEC);
    ck_assert(temporary_lock(fd));
    temporary_sweep(here, "f"); /* somebody has the first */
    expect(names[0], true);
    expect(names[1], false);
    close(fd);
    temporary_sweep(here, "f");
    expect(names[0], false);
    for (unsigned i = 2; i < 5; i++)
        expect(names[i], true);
    expect(alive, true);
    expect(other, true);
    expect(".f.treemill-", true);
    temporary_sweep(here, NULL);
    expect(other, false);
    expect(alive, true);
    close(here);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(names_are_new_and_fit)
{
    char first[TEMPORARY_NAME_BYTES], second[TEMPORARY_NAME_BYTES], name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    temporary_name(name, first);
    temporary_name(name, second);
    ck_assert_str_ne(first, second);
    ck_assert_uint_le(strlen(first), 255);
    ck_assert_ptr_nonnull(strstr(first, "n.treemill-"));
    temporary_name("f", first);
    ck_assert(strncmp(first, ".f.treemill-", 12) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("temporary");
    TCase *tests = tcase_create("temporary");
    tcase_add_test(tests, leftovers_are_those_of_the_dead);
    tcase_add_test(tests, names_are_new_and_fit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
