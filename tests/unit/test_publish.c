/* stages/publish: whole files under their names, or nothing; the same under each engine, with and
 * without nameless files, whatever goes wrong. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/publishing.h"

START_TEST(a_file_appears_whole)
{
    if (!begin(_i, "short:2,eintr:3,again:5,cancel:7"))
        return;
    struct publish_request request = request_for("f");
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    ck_assert_uint_eq(expect_file("f").st_mode, S_IFREG | 0644);
    request.name = "empty", request.bytes = 0, request.mode = 0600;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_text("empty", "");
    end(2);
}
END_TEST

START_TEST(what_is_there_stays)
{
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    make_file("f", "precious");
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    request.more = true; /* is told before any data is written */
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    request.more = false;
    expect_text("f", "precious");
    ck_assert_int_eq(symlink("nowhere", "link"), 0);
    request.name = "link";
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    end(2);
}
END_TEST

START_TEST(what_is_there_is_replaced_when_asked_for)
{
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.replace = true;
    make_file("f", "old");
    int reader = open("f", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("f");
    char text[8];
    ck_assert_int_eq(read(reader, text, sizeof text), 3); /* who reads the old one still has it */
    close(reader);
    request.name = "new";
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("new");
    ck_assert_int_eq(mkdir("d", 0700), 0);
    request.name = "d";
    ck_assert_int_eq(publish(&request), PUBLISH_FAILED);
    ck_assert_uint_eq(publisher.fault.operation, TM_OP_RENAME);
    ck_assert_int_eq(publisher.fault.detail, EISDIR);
    end(3);
}
END_TEST

START_TEST(directories_by_descriptor_and_by_path)
{
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    ck_assert_int_eq(system("mkdir -p a/b c"), 0);
    request.directory = "a/bc"; /* is not NUL-terminated */
    request.directory_bytes = 3;
    request.sync = true;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("a/b/f");
    request.base = open("c", O_PATH | O_CLOEXEC);
    request.directory_bytes = 0;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("c/f");
    request.base = (close(request.base), AT_FDCWD);
    request.directory = "none";
    request.directory_bytes = 4;
    ck_assert_int_eq(publish(&request), PUBLISH_FAILED);
    ck_assert_uint_eq(publisher.fault.operation, TM_OP_OPEN);
    ck_assert_int_eq(publisher.fault.detail, ENOENT);
    end(2);
}
END_TEST

START_TEST(a_path_may_have_any_length)
{
    char name[201], *path = calloc(40, 202);
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    memset(name, 'n', 200);
    name[200] = '\0';
    for (int depth = 0; depth < 40; depth++) {
        ck_assert_int_eq(mkdir(name, 0700), 0);
        ck_assert_int_eq(chdir(name), 0);
        strcat(strcat(path, name), depth < 39 ? "/" : "");
    }
    ck_assert_int_eq(chdir(directory), 0);
    request.directory = path;
    request.directory_bytes = strlen(path);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    free(path);
    end(1);
}
END_TEST

START_TEST(owner_mode_times_and_attributes_are_restored)
{
    char packed[200];
    struct file_stat stat = {.mode = S_IFREG | 04751,
                             .uid = getuid(),
                             .gid = getgid(),
                             .mtime_seconds = 86400,
                             .mtime_ns = 123456789};
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    ptrdiff_t used = metadata_add(packed, 0, sizeof packed, "user.treemill", "a", 1);
    used = metadata_add(packed, (size_t)used, sizeof packed, "trusted.left-out", "b", 1);
    used = metadata_add(packed, (size_t)used, sizeof packed, "user.", "no name", 7); /* refused */
    used = metadata_add(packed, (size_t)used, sizeof packed, "user.treemill2", "ccc", 3);
    request.stat = &stat;
    request.attributes = packed;
    request.attribute_bytes = (size_t)used;
    request.attribute_kinds = METADATA_USER;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    struct stat status = expect_file("f");
    ck_assert_uint_eq(status.st_mode, S_IFREG | 04751);
    ck_assert_int_eq(status.st_mtim.tv_sec, 86400);
    ck_assert_int_eq(status.st_mtim.tv_nsec, 123456789);
    ck_assert_uint_eq(publisher.missing, 0);
    if (publisher.refused == 1) { /* else the file system has none of them */
        ck_assert_int_eq(getxattr("f", "user.treemill", NULL, 0), 1);
        ck_assert_int_eq(getxattr("f", "user.treemill2", NULL, 0), 3);
    } else {
        ck_assert_uint_eq(publisher.refused, 3);
    }
    ck_assert_int_eq(getxattr("f", "trusted.left-out", NULL, 0), -1);
    end(1);
}
END_TEST

/* Somebody else's, when we are not the superuser: without what would lend our rights. */
START_TEST(an_owner_that_is_not_permitted)
{
    struct file_stat stat = {.mode = S_IFREG | 06755, .uid = 12345, .gid = 12345};
    if (!begin(_i, NULL))
        return;
    ck_assert_int_eq(chmod(".", 0777), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(setegid(65534), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    struct publish_request request = request_for("f");
    request.stat = &stat;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    ck_assert_uint_eq(publisher.missing, METADATA_NOT_OWNER | METADATA_NOT_GROUP);
    if (getuid() == 0) {
        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(setegid(0), 0);
    }
    ck_assert_uint_eq(expect_file("f").st_mode, S_IFREG | 0755);
    end(1);
}
END_TEST

START_TEST(data_in_pieces)
{
    if (!begin(_i, "short:2,eintr:3"))
        return;
    struct publish_request request = request_for("f");
    request.more = true;
    request.bytes = 1000;
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    ck_assert_int_ne(access("f", F_OK), 0);
    for (size_t offset = 1000; offset < BYTES; offset += 70000) {
        size_t rest = BYTES - offset;
        publish_write(&publisher, data + offset, rest < 70000 ? rest : 70000, offset);
        ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    }
    publish_end(&publisher);
    ck_assert_int_eq(go_on(), PUBLISH_DONE);
    expect_file("f");
    request.name = "given-up";
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_abandon(&publisher);
    ck_assert_int_eq(go_on(), PUBLISH_FAILED);
    ck_assert(!fault_is_set(publisher.fault));
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_discard(&publisher);
    end(1);
}
END_TEST

#define ERRORS 4
START_TEST(what_fails_leaves_nothing)
{
    static const struct {
        const char *text;
        int error;
    } faults[ERRORS] = {
        {"enospc:1", ENOSPC}, {"eio:1", EIO}, {"enospc:4", ENOSPC}, {"short:3,eio:4", EIO}};
    if (!WITH_FAULTS || !begin(_i % ALL, faults[_i / ALL].text))
        return;
    struct publish_request request = request_for("f");
    int first = _i / ALL < 2; /* the first write fails, or a later one */
    request.replace = _i % 2;
    request.more = !first;
    publish_begin(&publisher, &request);
    enum publish_result result = go_on();
    for (int i = 0; i < 3 && result == PUBLISH_OPEN; i++) {
        publish_write(&publisher, data, 1000, BYTES + 1000 * (uint64_t)i);
        result = go_on();
    }
    ck_assert_int_eq(result, PUBLISH_FAILED);
    ck_assert_uint_eq(publisher.fault.operation, TM_OP_WRITE);
    ck_assert_int_eq(publisher.fault.detail, faults[_i / ALL].error);
    end(0);
}
END_TEST

START_TEST(an_attempt_knows_what_the_one_before_has_done)
{
    struct publish_trace trace = {0};
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.trace = &trace;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    ck_assert_uint_eq(trace.inode, expect_file("f").st_ino);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE); /* as after a death that was too late */
    expect_file("f");
    ck_assert_int_eq(rename("f", "g"), 0);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE); /* as after one that was not */
    ck_assert_int_eq(unlink("f"), 0);
    usleep(20000); /* the inode may be used again, but is younger */
    make_file("f", "another's");
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    expect_text("f", "another's");
    end(2);
}
END_TEST

static int taken[64];

static void *give_back(void *unused)
{
    (void)unused;
    usleep(30000);
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        if (taken[i] >= 0)
            close(taken[i]);
    return NULL;
}

START_TEST(too_few_descriptors_are_waited_for)
{
    pthread_t thread;
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.directory = "./.";
    request.directory_bytes = 3;
    request.sync = true;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE); /* helpers and what they need are there */
    request.name = "g";
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)descriptors + 20, 4096}), 0);
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        taken[i] = open("/", O_PATH | O_CLOEXEC);
    close(taken[0]); /* one is left: the directory can be opened, the file cannot */
    taken[0] = -1;
    ck_assert_int_eq(pthread_create(&thread, NULL, give_back, NULL), 0);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    pthread_join(thread, NULL);
    expect_file("g");
    end(2);
}
END_TEST

/* A process publishes one file after another, is killed at some instant; then every name there is
 * is that of a whole file, and the sweep removes the rest. */
START_TEST(killed_at_any_moment_nothing_is_half_there)
{
    struct stat status;
    if (!begin(_i, NULL))
        return;
    for (unsigned round = 0; round < 40; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct engine own;
            engine_open(&own, engine.kind, -1);
            engine = own; /* a ring or epoll instance is not shared by two processes */
            for (unsigned i = 0;; i++) {
                char name[16];
                snprintf(name, sizeof name, "f%u", i % 3);
                struct publish_request request = request_for(name);
                request.replace = i % 2;
                publish(&request);
                if (i % 5 == 0)
                    unlink(name);
            }
        }
        usleep(1000 + round * 331 % 5000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (char name[] = "f0"; name[1] < '3'; name[1]++)
            if (stat(name, &status) == 0)
                expect_file(name);
    }
    int files = 0;
    for (char name[] = "f0"; name[1] < '3'; name[1]++)
        files += stat(name, &status) == 0;
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    temporary_sweep(here, "f0");
    /* What the ring of a dead process still writes to is locked until the kernel is done with it.
     */
    for (unsigned i = 0; i < 1000 && count_entries(".") > files; i++) {
        temporary_sweep(here, NULL);
        usleep(1000);
    }
    close(here);
    end(files);
}
END_TEST

START_TEST(without_an_engine)
{
    struct tm_fault fault;
    if (!begin(0, NULL))
        return;
    struct publish_request request = request_for("f");
    ck_assert_int_eq(publish_file(&request, &fault), PUBLISH_DONE);
    ck_assert_int_eq(publish_file(&request, &fault), PUBLISH_EXISTS);
    expect_file("f");
    end(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publish");
    TCase *tests = tcase_create("publish");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_file_appears_whole, 0, ALL);
    tcase_add_loop_test(tests, what_is_there_stays, 0, ALL);
    tcase_add_loop_test(tests, what_is_there_is_replaced_when_asked_for, 0, ALL);
    tcase_add_loop_test(tests, directories_by_descriptor_and_by_path, 0, ALL);
    tcase_add_loop_test(tests, a_path_may_have_any_length, 0, ALL);
    tcase_add_loop_test(tests, owner_mode_times_and_attributes_are_restored, 0, ALL);
    tcase_add_loop_test(tests, an_owner_that_is_not_permitted, 0, ALL);
    tcase_add_loop_test(tests, data_in_pieces, 0, ALL);
    tcase_add_loop_test(tests, what_fails_leaves_nothing, 0, ALL * ERRORS);
    tcase_add_loop_test(tests, an_attempt_knows_what_the_one_before_has_done, 0, ALL);
    tcase_add_loop_test(tests, too_few_descriptors_are_waited_for, 0, ALL);
    tcase_add_loop_test(tests, killed_at_any_moment_nothing_is_half_there, 0, ALL);
    tcase_add_test(tests, without_an_engine);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
