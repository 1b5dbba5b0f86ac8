/* stages/publish: what only some who publish ask for. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "tests/unit/publishing.h"

START_TEST(a_hole_at_the_end)
{
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.more = true;
    request.bytes = 0;
    request.size_bytes = BYTES + 1000000;
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_write(&publisher, data, 1000, 0);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_end(&publisher);
    ck_assert_int_eq(go_on(), PUBLISH_DONE);
    struct stat status;
    ck_assert_int_eq(stat("f", &status), 0);
    ck_assert_int_eq(status.st_size, BYTES + 1000000);
    ck_assert_int_lt(status.st_blocks, 100);
    request.name = "longer"; /* than it was to be at least */
    request.size_bytes = 10;
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_write(&publisher, data, BYTES, 0);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_write(&publisher, data, 5, 0); /* the furthest piece need not be the last */
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    publish_end(&publisher);
    ck_assert_int_eq(go_on(), PUBLISH_DONE);
    expect_file("longer");
    end(2);
}
END_TEST

START_TEST(a_part_of_the_status)
{
    struct file_stat stat = {
        .mode = S_IFREG | 04751, .uid = 12345, .gid = 12345, .mtime_seconds = 86400};
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.stat = &stat;
    request.mode = 0640;
    request.ignores_owner = request.ignores_mode = true;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    struct stat status = expect_file("f");
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0640);
    ck_assert_uint_eq(status.st_uid, geteuid());
    ck_assert_int_eq(status.st_mtim.tv_sec, 86400);
    request.name = "g";
    request.ignores_mode = false;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    status = expect_file("g");
    ck_assert_uint_eq(status.st_mode, S_IFREG | 04751);
    ck_assert_uint_eq(status.st_uid, geteuid());
    end(2);
}
END_TEST

/* Its owner, whoever that is, sets attributes of a file that he may not write to. */
START_TEST(attributes_of_what_is_read_only)
{
    char packed[100];
    struct file_stat stat = {.mode = S_IFREG | 0400};
    if (!begin(_i, NULL))
        return;
    make_file("probe", "");
    bool known = setxattr("probe", "user.treemill", "v", 1, 0) == 0;
    ck_assert_int_eq(chmod(".", 0777), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    struct publish_request request = request_for("f");
    request.attributes = packed;
    request.attribute_bytes =
        (size_t)metadata_add(packed, 0, sizeof packed, "user.treemill", "a", 1);
    request.attribute_kinds = METADATA_USER;
    request.stat = &stat;
    request.ignores_owner = true;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_uint_eq(expect_file("f").st_mode, S_IFREG | 0400);
    ck_assert_uint_eq(publisher.refused, known ? 0 : 1);
    ck_assert_int_eq(getxattr("f", "user.treemill", NULL, 0), known ? 1 : -1);
    end(2);
}
END_TEST

static bool may_replace(const struct publish_request *request, const struct statx *found)
{
    const int64_t *before = request->context;
    ck_assert(S_ISREG(found->stx_mode));
    return found->stx_mtime.tv_sec < *before;
}

START_TEST(what_may_be_replaced)
{
    int64_t before = 86400;
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    const struct timespec times[2] = {{.tv_sec = 86400}, {.tv_sec = 86400}};
    request.replace = true;
    request.may_replace = may_replace;
    request.context = &before;
    make_file("f", "old");
    ck_assert_int_eq(utimensat(AT_FDCWD, "f", times, 0), 0);
    ck_assert_int_eq(publish(&request), PUBLISH_EXISTS);
    expect_text("f", "old");
    before++;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("f");
    request.name = "new";
    before = 0;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("new");
    end(2);
}
END_TEST

/* The caller closes what he has, and begins again. */
START_TEST(too_few_descriptors_are_a_failure)
{
    int taken[64];
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    request.fails_on_shortage = true;
    ck_assert_int_eq(publish(&request), PUBLISH_DONE); /* helpers and what they need are there */
    request.name = "g";
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)descriptors + 20, 4096}), 0);
    for (unsigned i = 0; i < 64; i++)
        taken[i] = open("/", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(publish(&request), PUBLISH_FAILED);
    ck_assert_int_eq(publisher.fault.detail, EMFILE);
    for (unsigned i = 0; i < 64; i++)
        if (taken[i] >= 0)
            close(taken[i]);
    ck_assert_int_eq(publish(&request), PUBLISH_DONE);
    expect_file("g");
    end(2);
}
END_TEST

/* Between the pieces of a file its directory is closed, and opened again under another number. */
START_TEST(the_directory_gets_another_descriptor)
{
    if (!begin(_i, NULL))
        return;
    struct publish_request request = request_for("f");
    ck_assert_int_eq(mkdir("d", 0700), 0);
    int base = request.base = open("d", O_PATH | O_DIRECTORY | O_CLOEXEC);
    request.more = true;
    request.bytes = 1000;
    publish_begin(&publisher, &request);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    int other = fcntl(base, F_DUPFD_CLOEXEC, base + 1);
    if (!publisher.has_temporary)
        close(base);
    publish_write(&publisher, data + 1000, BYTES - 1000, 1000);
    ck_assert_int_eq(go_on(), PUBLISH_OPEN);
    if (publisher.has_temporary)
        close(base);
    publish_move(&publisher, other);
    publish_end(&publisher);
    ck_assert_int_eq(go_on(), PUBLISH_DONE);
    expect_file("d/f");
    close(other);
    end(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publish_asked");
    TCase *tests = tcase_create("publish_asked");
    tcase_add_loop_test(tests, a_hole_at_the_end, 0, ALL);
    tcase_add_loop_test(tests, a_part_of_the_status, 0, ALL);
    tcase_add_loop_test(tests, attributes_of_what_is_read_only, 0, ALL);
    tcase_add_loop_test(tests, what_may_be_replaced, 0, ALL);
    tcase_add_loop_test(tests, too_few_descriptors_are_a_failure, 0, ALL);
    tcase_add_loop_test(tests, the_directory_gets_another_descriptor, 0, ALL);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
