/* stages/beneath: nothing leads out of the root, with openat2(2) and without. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "stages/beneath.h"
#include "tests/unit/scratch.h"

static struct beneath *beneath;
static int root;

/* Each test twice. */
static void begin(bool without_openat2)
{
    struct beneath_options options = {.umask = 022, .without_openat2 = without_openat2};
    ck_assert_int_eq(mkdir("root", 0755), 0);
    options.root = root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root, 0);
    ck_assert_int_eq(beneath_create(&options, &beneath), 0);
}

static void end(void)
{
    beneath_destroy(beneath);
    close(root);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *stream = opendir("/proc/self/fd");
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

/* Which directory it is. 0: none, and the error is as expected. */
static ino_t look(const char *path, uint32_t *made_from, int expected)
{
    const struct beneath_directory *directory;
    struct stat status;
    int error = beneath_open(beneath, path, strlen(path), made_from, &directory);
    ck_assert_msg(error == expected, "%s: %d", path, error);
    if (error)
        return 0;
    ck_assert_int_eq(fstat(directory->fd, &status), 0);
    beneath_release(beneath, directory);
    return status.st_ino;
}

static ino_t inode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_ino;
}

START_TEST(finds_what_is_there)
{
    begin(_i);
    ck_assert_int_eq(system("mkdir -p root/a/b/c root/ab"), 0);
    ck_assert_uint_eq(look("", NULL, 0), inode_of("root"));
    ck_assert_uint_eq(look(".", NULL, 0), inode_of("root"));
    for (int twice = 0; twice < 2; twice++) {
        ck_assert_uint_eq(look("a", NULL, 0), inode_of("root/a"));
        ck_assert_uint_eq(look("ab", NULL, 0), inode_of("root/ab"));
        ck_assert_uint_eq(look("a/b/c", NULL, 0), inode_of("root/a/b/c"));
        ck_assert_uint_eq(look("a/b", NULL, 0), inode_of("root/a/b"));
        look("a/c", NULL, -ENOENT);
        look("b", NULL, -ENOENT);
    }
    end();
}
END_TEST

START_TEST(makes_what_is_missing)
{
    uint32_t made_from = 0;
    begin(_i);
    ck_assert_uint_eq(look("a/b/c", &made_from, 0), inode_of("root/a/b/c"));
    ck_assert_uint_eq(made_from, 1);
    made_from = 0;
    look("a/b/c", &made_from, 0);
    ck_assert_uint_eq(made_from, 0);
    look("a/b/d/e", &made_from, 0);
    ck_assert_uint_eq(made_from, 1 + strlen("a/b"));
    look("a/b/d/f", &made_from, 0); /* what is known to be made from further up stays so */
    ck_assert_uint_eq(made_from, 1 + strlen("a/b"));
    struct stat status;
    ck_assert_int_eq(stat("root/a/b/d", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFDIR | 0700);
    end();
}
END_TEST

START_TEST(mode_whatever_the_umask)
{
    struct beneath_options options = {.umask = 0777};
    uint32_t made_from = 0;
    struct stat status;
    begin(_i);
    options.root = root;
    beneath_destroy(beneath);
    ck_assert_int_eq(beneath_create(&options, &beneath), 0);
    umask(0777);
    look("a/b", &made_from, 0);
    umask(022);
    ck_assert_int_eq(stat("root/a/b", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFDIR | 0700);
    end();
}
END_TEST

static const struct {
    const char *path;
    int error;
} hostile[] = {
    {"out", -ELOOP},        {"out/d", -ELOOP},    {"absolute", -ELOOP}, {"absolute/d", -ELOOP},
    {"in", -ELOOP},         {"in/e", -ELOOP},     {"d/up", -ELOOP},     {"d/up/d", -ELOOP},
    {"loop", -ELOOP},       {"loop/d", -ELOOP},   {"dangling", -ELOOP}, {"dangling/d", -ELOOP},
    {"file", -ENOTDIR},     {"file/d", -ENOTDIR}, {"fifo", -ENOTDIR},   {"d/e/f/g", -ENOENT},
    {"..", -EXDEV},         {"d/../..", -EXDEV},  {"magic", -ELOOP},    {"magic/root", -ELOOP},
    {"d/file/x", -ENOTDIR}, {"d/file", -ENOTDIR},
};

START_TEST(nothing_leads_out)
{
    begin(_i % 2);
    ck_assert_int_eq(mkdir("outside", 0755), 0);
    ck_assert_int_eq(mkdir("outside/d", 0755), 0);
    ck_assert_int_eq(mkdir("root/d", 0755), 0);
    ck_assert_int_eq(mkdir("root/d/e", 0755), 0);
    ck_assert_int_eq(symlink("../outside", "root/out"), 0);
    ck_assert_int_eq(symlink("/tmp", "root/absolute"), 0);
    ck_assert_int_eq(symlink("d", "root/in"), 0);
    ck_assert_int_eq(symlink("../..", "root/d/up"), 0);
    ck_assert_int_eq(symlink("loop", "root/loop"), 0);
    ck_assert_int_eq(symlink("nowhere", "root/dangling"), 0);
    ck_assert_int_eq(symlink("/proc/self/root", "root/magic"), 0);
    make_file("root/file", "");
    make_file("root/d/file", "");
    ck_assert_int_eq(mkfifo("root/fifo", 0600), 0);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        uint32_t made_from = 0;
        bool makes = _i / 2 && hostile[i].error != -ENOENT;
        look(hostile[i].path, makes ? &made_from : NULL, hostile[i].error);
        ck_assert_uint_eq(made_from, 0);
    }
    ck_assert_int_eq(system("test \"$(find outside root | wc -l)\" = 15"), 0);
    end();
}
END_TEST

/* A directory that is open is exchanged for a link: what was open is still inside; who opens it
 * again does not follow. */
START_TEST(a_directory_becomes_a_link)
{
    const struct beneath_directory *directory;
    begin(_i);
    ck_assert_int_eq(mkdir("outside", 0755), 0);
    ck_assert_int_eq(system("mkdir -p root/d/e"), 0);
    ck_assert_int_eq(beneath_open(beneath, "d", 1, NULL, &directory), 0);
    ck_assert_int_eq(rename("root/d", "root/moved"), 0);
    ck_assert_int_eq(symlink("../outside", "root/d"), 0);
    ck_assert_uint_eq(look("d", NULL, 0), inode_of("root/moved"));
    beneath_forget(beneath, directory);
    look("d", NULL, -ELOOP);
    beneath_release(beneath, directory);
    look("d/e", NULL, -ELOOP);
    end();
}
END_TEST

START_TEST(paths_of_any_length)
{
    static char path[30000];
    char name[256], *long_name = calloc(1, 5000);
    uint32_t made_from = 0;
    size_t used = 0;
    begin(_i);
    memset(name, 'n', 255);
    name[255] = '\0';
    for (unsigned depth = 0; depth < 100; depth++)
        used += (size_t)sprintf(path + used, depth ? "/%s" : "%s", name);
    look(path, NULL, -ENOENT);
    ino_t made = look(path, &made_from, 0);
    beneath_drop(beneath);
    ck_assert_uint_eq(look(path, NULL, 0), made);
    memset(long_name, 'n', 4999);
    look(long_name, NULL, -ENAMETOOLONG);
    look(long_name, &made_from, -ENAMETOOLONG);
    memset(long_name + 256, 0, 1);
    look(long_name, &made_from, -ENAMETOOLONG);
    free(long_name);
    end();
}
END_TEST

/* Few are kept, but those in use are, and the one that was used last. */
START_TEST(bounded)
{
    const struct beneath_directory *pinned[BENEATH_KEPT], *none;
    char name[16];
    begin(_i);
    int before = count_descriptors();
    for (unsigned i = 0; i < 4 * BENEATH_KEPT; i++) {
        uint32_t made_from = 0;
        snprintf(name, sizeof name, "%u", i);
        look(name, &made_from, 0);
    }
    ck_assert_int_eq(count_descriptors(), before + BENEATH_KEPT);
    beneath_drop(beneath);
    ck_assert_int_eq(count_descriptors(), before);
    for (unsigned i = 0; i < BENEATH_KEPT; i++) {
        snprintf(name, sizeof name, "%u", i);
        ck_assert_int_eq(beneath_open(beneath, name, strlen(name), NULL, &pinned[i]), 0);
    }
    ck_assert_int_eq(beneath_open(beneath, "100", 3, NULL, &none), -EMFILE);
    for (unsigned i = 0; i < BENEATH_KEPT; i++) {
        snprintf(name, sizeof name, "root/%u", i);
        struct stat status;
        ck_assert_int_eq(fstat(pinned[i]->fd, &status), 0);
        ck_assert_uint_eq(status.st_ino, inode_of(name));
        beneath_release(beneath, pinned[i]);
    }
    ck_assert_int_eq(beneath_open(beneath, "100", 3, NULL, &none), 0);
    beneath_release(beneath, none);
    ck_assert_int_eq(count_descriptors(), before + BENEATH_KEPT);
    end();
    ck_assert_int_eq(count_descriptors(), before - 1);
}
END_TEST

/* What is kept makes way. */
START_TEST(too_few_descriptors)
{
    const struct beneath_directory *directory;
    struct rlimit limit;
    begin(_i);
    ck_assert_int_eq(system("mkdir -p root/a root/b root/c"), 0);
    look("a", NULL, 0);
    look("b", NULL, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = open("/", O_PATH | O_CLOEXEC);
    close(next);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, limit.rlim_max}), 0);
    look("c", NULL, 0);
    ck_assert_int_eq(beneath_open(beneath, "a", 1, NULL, &directory), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, limit.rlim_max}), 0);
    look("b", NULL, -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    beneath_release(beneath, directory);
    end();
}
END_TEST

static _Atomic bool is_over;

/* Exchanges a directory and a link to one outside, all the time. */
static void *exchange(void *unused)
{
    (void)unused;
    while (!is_over)
        ck_assert_int_eq(renameat2(AT_FDCWD, "root/a/b", AT_FDCWD, "root/a/link", RENAME_EXCHANGE),
                         0);
    return NULL;
}

START_TEST(races_with_a_link)
{
    pthread_t thread;
    unsigned found = 0;
    begin(_i);
    ck_assert_int_eq(system("mkdir -p outside/c root/a/b/c"), 0);
    ck_assert_int_eq(symlink("../../outside", "root/a/link"), 0);
    ino_t right = inode_of("root/a/b/c");
    is_over = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, exchange, NULL), 0);
    for (unsigned i = 0; i < 20000; i++) {
        const struct beneath_directory *directory;
        struct stat status;
        int error = beneath_open(beneath, "a/b/c", 5, NULL, &directory);
        if (error) {
            ck_assert(error == -ELOOP ||
                      (_i && error == -ENOTDIR)); /* it was a link a moment ago */
            continue;
        }
        found++;
        ck_assert_int_eq(fstat(directory->fd, &status), 0);
        ck_assert_uint_eq(status.st_ino, right);
        beneath_release(beneath, directory);
        beneath_drop(beneath);
    }
    is_over = true;
    pthread_join(thread, NULL);
    ck_assert_uint_gt(found, 0);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("beneath");
    TCase *cases = tcase_create("beneath");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, finds_what_is_there, 0, 2);
    tcase_add_loop_test(cases, makes_what_is_missing, 0, 2);
    tcase_add_loop_test(cases, mode_whatever_the_umask, 0, 2);
    tcase_add_loop_test(cases, nothing_leads_out, 0, 4);
    tcase_add_loop_test(cases, a_directory_becomes_a_link, 0, 2);
    tcase_add_loop_test(cases, paths_of_any_length, 0, 2);
    tcase_add_loop_test(cases, bounded, 0, 2);
    tcase_add_loop_test(cases, too_few_descriptors, 0, 2);
    tcase_add_loop_test(cases, races_with_a_link, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
