/* stages/sandbox: what can be done inside, with each ABI of Landlock up to that of the kernel:
 * above all that files are published there, in every way that publish.h and target.h have. */
#include "stages/sandbox.h"

#include <signal.h>

#include "stages/publish.h"
#include "stages/target.h"
#include "tests/unit/io_engines.h"
#include "tests/unit/sandbox_child.h"

/* What has to work inside. */

static int reads_elsewhere(void)
{
    char text[8];
    int fd = open("out/file", O_RDONLY);
    bool good = fd >= 0 && read(fd, text, 7) == 7 && access("/etc", R_OK) == 0;
    fd = open("/", O_RDONLY | O_DIRECTORY);
    return good && fd >= 0 ? 0 : errno ? errno : EIO;
}

static int changes_what_is_inside(void)
{
    int fd = open("in/a", O_CREAT | O_EXCL | O_RDWR, 0600);
    bool good =
        fd >= 0 && write(fd, "abc", 3) == 3 && ftruncate(fd, 2) == 0 && truncate("in/a", 1) == 0 &&
        rename("in/a", "in/b") == 0 && link("in/b", "in/c") == 0 && symlink("b", "in/d") == 0 &&
        mkdir("in/e", 0700) == 0 && mkfifo("in/e/f", 0600) == 0 && unlink("in/e/f") == 0 &&
        rmdir("in/e") == 0 && unlink("in/b") == 0 && unlink("in/c") == 0 && unlink("in/d") == 0;
    return good ? 0 : errno;
}

static int moves_between_directories(void)
{
    bool good = link("in/file", "in/sub/link") == 0 && rename("in/sub/link", "in/moved") == 0 &&
                unlink("in/moved") == 0;
    return good ? 0 : errno;
}

static int publishes_by_target(void)
{
    for (int replace = 0; replace < 2; replace++) {
        struct target_options options = {.replace = replace, .mode = 0600};
        struct target *target;
        int error = target_open("in/sub/t", &options, &target);
        if (error || write(target_fd(target), "x", 1) != 1)
            return -error;
        error = target_publish(target);
        target_discard(target);
        if (error)
            return -error;
    }
    return result_of(unlink("in/sub/t"));
}

/* A file by one way of publish.h under one engine: nameless or not, replacing or not. */
static int publish(struct engine *engine, unsigned way, bool replace)
{
    static struct publisher publisher;
    struct publish_request request = {.base = AT_FDCWD,
                                      .directory = "in/sub",
                                      .directory_bytes = 6,
                                      .name = "p",
                                      .data = "text",
                                      .bytes = 4,
                                      .mode = 0600,
                                      .replace = replace};
    struct io_chain chain = {0};
    publish_init(&publisher);
    publisher.without_nameless = way > 0;
    publisher.by_link = way == 2;
    publish_begin(&publisher, &request);
    enum publish_result result;
    while ((result = publish_step(&publisher, &chain)) == PUBLISH_PENDING)
        engine_run(engine, &chain);
    return result == PUBLISH_DONE ? 0 : publisher.fault.detail ? publisher.fault.detail : 101;
}

static int publishes(void)
{
    for (enum io_kind kind = 0; kind < IO_KIND_COUNT; kind++) {
        struct engine engine;
        if (!engine_open(&engine, kind, -1))
            continue;
        for (unsigned way = 0; way < 3; way++) {
            int error = publish(&engine, way, false);
            if (!error)
                error = publish(&engine, way, true);
            if (error || unlink("in/sub/p") < 0)
                return error ? error : errno;
        }
        engine_close(&engine);
    }
    return 0;
}

/* "/proc/self/fd" and the descriptor itself, into another directory beneath the place. */
static int names_a_nameless_file_elsewhere(void)
{
    char path[40];
    int fd = open("in", O_TMPFILE | O_RDWR, 0600);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, AT_FDCWD, "in/sub/q", AT_SYMLINK_FOLLOW) < 0)
        return errno;
    return result_of(unlink("in/sub/q"));
}

static int signals_its_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return result_of(kill(pid, SIGKILL)) ? errno : waitpid(pid, NULL, 0) == pid ? 0 : ECHILD;
}

/* The limits that the header tells of. */
static int changes_attributes_elsewhere(void)
{
    struct stat status;
    bool good = chmod("out/file", 0640) == 0 && utimensat(AT_FDCWD, "out/file", NULL, 0) == 0 &&
                stat("out/file", &status) == 0 && (status.st_mode & 07777) == 0640;
    return good ? 0 : errno;
}

static const struct {
    deed *deed;
    int from;
} allowed[] = {
    {reads_elsewhere, 1},           {changes_what_is_inside, 1},
    {publishes_by_target, 1},       {publishes, 1},
    {signals_its_child, 1},         {changes_attributes_elsewhere, 1},
    {moves_between_directories, 2}, {names_a_nameless_file_elsewhere, 2},
};
#define ALLOWED ((int)(sizeof allowed / sizeof *allowed))

START_TEST(what_is_inside_can_be_changed)
{
    for (unsigned version = 1; version <= ABI_KNOWN && (int)version <= abi; version++) {
        int found = inside(allowed[_i].deed, (struct sandbox_request){.abi_max = version});
        int expected = (int)version < allowed[_i].from ? EXDEV : 0;
        ck_assert_msg(found == expected, "ABI %u: %s", version, strerror(found));
        expect_untouched();
    }
    int found = inside(allowed[_i].deed, (struct sandbox_request){0});
    ck_assert_msg(found == 0 || allowed[_i].from > abi, "%s", strerror(found));
}
END_TEST

/* Places. */

static int writes_to_the_file(void)
{
    int fd = open("out/file", O_WRONLY | O_TRUNC);
    return fd < 0 ? errno : result_of(write(fd, "outside", 7));
}

START_TEST(places_are_directories_files_or_descriptors)
{
    int out = open("out", O_PATH | O_CLOEXEC);
    struct sandbox_place places[] = {{.path = "in"}, {.fd = out}};
    struct sandbox_request request = {.places = places, .count = 2};
    ck_assert_int_eq(inside(writes_to_the_file, request), 0);
    ck_assert_int_eq(inside(renames, request), 0);
    ck_assert_int_eq(rename("out/other", "out/file"), 0);
    places[0] = (struct sandbox_place){.path = "out/file"};
    request.count = 1;
    ck_assert_int_eq(inside(writes_to_the_file, request), 0);
    ck_assert_int_eq(inside(removes, request), EACCES);
    places[0] = (struct sandbox_place){.path = "in/way-out"}; /* the directory that it leads to */
    ck_assert_int_eq(inside(writes_to_the_file, request), 0);
    request.count = 0;
    ck_assert_int_eq(inside(writes_to_the_file, request), EACCES);
    close(out);
    expect_untouched();
}
END_TEST

START_TEST(a_place_that_is_not_there)
{
    struct sandbox_place place = {.path = "nowhere/at all"};
    struct sandbox_request request = {.places = &place, .count = 1};
    char why[SANDBOX_WHY_BYTES];
    ck_assert_int_eq(sandbox_enter(&request, why, sizeof why), -ENOENT);
    ck_assert_str_eq(why, "nowhere/at all: No such file or directory");
    ck_assert_int_eq(opens_for_writing(), 0); /* nothing has been taken away */
    place.may_lack = true;
    ck_assert_int_eq(inside(opens_for_writing, request), EACCES);
    place = (struct sandbox_place){.fd = 9999, .may_lack = true};
    ck_assert_int_eq(sandbox_enter(&request, why, sizeof why), -EBADF);
}
END_TEST

static int enters_again(void)
{
    struct sandbox_place place = {.path = "out"};
    struct sandbox_request request = {.places = &place, .count = 1};
    char why[SANDBOX_WHY_BYTES];
    if (sandbox_enter(&request, why, sizeof why))
        return 100;
    return changes_what_is_inside() == EACCES ? opens_for_writing() : 101;
}

START_TEST(a_second_sandbox_narrows_the_first)
{
    ck_assert_int_eq(inside(enters_again, (struct sandbox_request){0}), EACCES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_inside");
    TCase *tests = tcase_create("inside");
    tcase_add_checked_fixture(tests, make_places, scratch_remove);
    tcase_add_loop_test(tests, what_is_inside_can_be_changed, 0, ALLOWED);
    tcase_add_test(tests, places_are_directories_files_or_descriptors);
    tcase_add_test(tests, a_place_that_is_not_there);
    tcase_add_test(tests, a_second_sandbox_narrows_the_first);
    return run_suite(suite, tests);
}
