/* Attributes, owners, modes and times, read from files and given to others. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "stages/metadata.h"

static char directory[64];
static int directory_fd;
static bool has_attributes, has_acls;

/* user::rw-, user:7:rwx, group::r--, mask::rw-, other::--- */
static const uint8_t acl[] = {2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  7,
                              0, 7, 0,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                              6, 0, 255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};

static int create(const char *name)
{
    int fd = openat(directory_fd, name, O_CREAT | O_RDWR | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void setup(void)
{
    strcpy(directory, "/tmp/test_metadata.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(directory_fd, 0);
    int fd = create("probe");
    has_attributes = fsetxattr(fd, "user.probe", "", 0, 0) == 0;
    has_acls = fsetxattr(fd, METADATA_ACL_ACCESS, acl, sizeof acl, 0) == 0;
    if (!has_attributes || !has_acls)
        fprintf(stderr, "skipped: no %s in /tmp\n", has_attributes ? "ACLs" : "attributes");
    close(fd);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
    close(directory_fd);
}

static uint8_t packed[METADATA_MAX_BYTES + 1000];

static void expect(size_t *cursor, size_t bytes, const char *name, const void *value,
                   size_t value_bytes)
{
    struct metadata_attribute attribute;
    ck_assert(metadata_next(packed, bytes, cursor, &attribute));
    ck_assert_str_eq(attribute.name, name);
    ck_assert_uint_eq(attribute.value_bytes, value_bytes);
    ck_assert_int_eq(memcmp(attribute.value, value, value_bytes), 0);
}

START_TEST(packing)
{
    size_t used = 0, cursor = 0;
    struct metadata_attribute attribute;
    ck_assert(!metadata_next(packed, 0, &cursor, &attribute));
    for (int i = 0; i < 3; i++) {
        char name[] = "user.0";
        name[5] = (char)('0' + i);
        ptrdiff_t now = metadata_add(packed, used, sizeof packed, name, "value", (size_t)i);
        ck_assert_int_gt(now, (ptrdiff_t)used);
        ck_assert_int_eq(metadata_add(packed, used, (size_t)now - 1, name, "value", (size_t)i),
                         -E2BIG);
        ck_assert_int_eq(metadata_add(packed, used, (size_t)now, name, "value", (size_t)i), now);
        used = (size_t)now;
    }
    expect(&cursor, used, "user.0", "", 0);
    expect(&cursor, used, "user.1", "v", 1);
    expect(&cursor, used, "user.2", "va", 2);
    ck_assert(!metadata_next(packed, used, &cursor, &attribute));
    /* Cut short anywhere, there is less and nothing else. */
    for (size_t cut = 0; cut < used; cut++) {
        uint8_t *exact = malloc(cut + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, packed, cut);
        cursor = 0;
        int count = 0;
        while (metadata_next(exact, cut, &cursor, &attribute))
            count++;
        ck_assert_int_lt(count, 3);
        free(exact);
    }
}
END_TEST

START_TEST(reading)
{
    int fd = create("file");
    ck_assert_int_eq(metadata_read(fd, NULL, METADATA_USER, packed, sizeof packed), 0);
    if (!has_attributes)
        return;
    ck_assert_int_eq(fsetxattr(fd, "user.z", "last", 4, 0), 0);
    ck_assert_int_eq(fsetxattr(fd, "user.empty", "", 0, 0), 0);
    ck_assert_int_eq(fsetxattr(fd, "user.a", "\0\n", 2, 0), 0);
    if (has_acls)
        ck_assert_int_eq(fsetxattr(fd, METADATA_ACL_ACCESS, acl, sizeof acl, 0), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/file", directory);
    int path_fd = open(path, O_PATH);
    const struct {
        int fd;
        const char *name;
    } ways[] = {{fd, NULL}, {path_fd, NULL}, {directory_fd, "file"}, {AT_FDCWD, path}};
    ptrdiff_t bytes = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        memset(packed, '~', sizeof packed);
        bytes = metadata_read(ways[i].fd, ways[i].name, METADATA_USER | METADATA_ACL, packed,
                              sizeof packed);
        ck_assert_int_gt(bytes, 0);
        size_t cursor = 0;
        if (has_acls)
            expect(&cursor, (size_t)bytes, METADATA_ACL_ACCESS, acl, sizeof acl);
        expect(&cursor, (size_t)bytes, "user.a", "\0\n", 2);
        expect(&cursor, (size_t)bytes, "user.empty", "", 0);
        expect(&cursor, (size_t)bytes, "user.z", "last", 4);
        ck_assert_uint_eq(cursor, (size_t)bytes);
    }
    for (size_t capacity = 0; capacity < (size_t)bytes; capacity++) {
        memset(packed, '~', sizeof packed);
        ck_assert_int_eq(metadata_read(fd, NULL, METADATA_USER | METADATA_ACL, packed, capacity),
                         -E2BIG);
        for (size_t i = capacity; i < (size_t)bytes; i++)
            ck_assert_int_eq(packed[i], '~');
    }
    ck_assert_int_eq(metadata_read(fd, NULL, METADATA_USER | METADATA_ACL, packed, (size_t)bytes),
                     bytes);
    size_t cursor = 0;
    bytes = metadata_read(fd, NULL, METADATA_USER, packed, sizeof packed);
    expect(&cursor, (size_t)bytes, "user.a", "\0\n", 2);
    ck_assert_int_eq(metadata_read(directory_fd, "absent", METADATA_ALL, packed, sizeof packed),
                     -ENOENT);
}
END_TEST

START_TEST(many_names)
{
    if (!has_attributes)
        return;
    int fd = create("file");
    int count = 0;
    char name[64];
    for (; count < 100; count++) {
        snprintf(name, sizeof name, "user.some-attribute-of-this-file-%02d", 99 - count);
        if (fsetxattr(fd, name, name, strlen(name), 0) != 0)
            break; /* ext4 has room for a block */
    }
    ck_assert_int_gt(count, 30);
    ptrdiff_t bytes = metadata_read(fd, NULL, METADATA_USER, packed, sizeof packed);
    ck_assert_int_gt(bytes, 0);
    size_t cursor = 0;
    for (int i = 100 - count; i < 100; i++) {
        snprintf(name, sizeof name, "user.some-attribute-of-this-file-%02d", i);
        expect(&cursor, (size_t)bytes, name, name, strlen(name));
    }
    ck_assert_uint_eq(cursor, (size_t)bytes);
}
END_TEST

/* The link's own attributes are asked for, of which there are none. */
START_TEST(links_are_not_followed)
{
    if (!has_attributes)
        return;
    ck_assert_int_eq(symlinkat("probe", directory_fd, "link"), 0);
    ck_assert_int_gt(metadata_read(directory_fd, "probe", METADATA_USER, packed, sizeof packed), 0);
    ck_assert_int_eq(metadata_read(directory_fd, "link", METADATA_USER, packed, sizeof packed), 0);
    int fd = openat(directory_fd, "link", O_PATH | O_NOFOLLOW);
    ck_assert_int_eq(metadata_read(fd, NULL, METADATA_USER, packed, sizeof packed), 0);
}
END_TEST

START_TEST(too_long_a_path)
{
    char path[8192];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(metadata_read(directory_fd, path, METADATA_ALL, packed, sizeof packed),
                     -ENAMETOOLONG);
    path[4095] = '\0';
    ck_assert_int_eq(metadata_read(AT_FDCWD, path, METADATA_ALL, packed, sizeof packed),
                     -ENAMETOOLONG);
}
END_TEST

struct refusals {
    int count;
    int error;
    char name[64];
};

static void note(void *context, const char *name, int error)
{
    struct refusals *refusals = context;
    refusals->count++;
    refusals->error = error;
    snprintf(refusals->name, sizeof refusals->name, "%s", name);
}

START_TEST(applying)
{
    if (!has_attributes || !has_acls)
        return;
    int from = create("from"), to = create("to");
    ck_assert_int_eq(fsetxattr(from, "user.b", "bb", 2, 0), 0);
    ck_assert_int_eq(fsetxattr(from, "user.a", "", 0, 0), 0);
    ck_assert_int_eq(fsetxattr(from, METADATA_ACL_ACCESS, acl, sizeof acl, 0), 0);
    ptrdiff_t bytes =
        metadata_read(from, NULL, METADATA_USER | METADATA_ACL, packed, sizeof packed);
    ck_assert_int_gt(bytes, 0);
    static uint8_t copy[sizeof packed];
    memcpy(copy, packed, sizeof copy);
    struct refusals refusals = {0};
    ck_assert_uint_eq(metadata_apply(to, copy, (size_t)bytes, METADATA_ALL, note, &refusals), 0);
    ck_assert_int_eq(metadata_read(to, NULL, METADATA_USER | METADATA_ACL, packed, sizeof packed),
                     bytes);
    ck_assert_int_eq(memcmp(packed, copy, (size_t)bytes), 0);

    /* What is refused does not keep the rest from being set; what is not asked for is not tried. */
    int other = create("other");
    size_t used = (size_t)metadata_add(copy, 0, sizeof copy, METADATA_ACL_DEFAULT, acl, sizeof acl);
    used = (size_t)metadata_add(copy, used, sizeof copy, "user.c", "c", 1);
    used = (size_t)metadata_add(copy, used, sizeof copy, "system.other", "c", 1);
    ck_assert_uint_eq(metadata_apply(other, copy, used, METADATA_USER, note, &refusals), 0);
    ck_assert_uint_eq(metadata_apply(other, copy, used, METADATA_ALL, note, &refusals), 1);
    ck_assert_int_eq(refusals.count, 1);
    ck_assert_str_eq(refusals.name, METADATA_ACL_DEFAULT); /* of a directory only */
    ck_assert_int_eq(refusals.error, -EACCES);
    ck_assert_int_eq(fgetxattr(other, "user.c", packed, 10), 1);
    ck_assert_uint_eq(metadata_apply(other, copy, used, METADATA_ALL, NULL, NULL), 1);
}
END_TEST

static void check_status(int fd, const struct file_stat *expected)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, expected->mode & 07777);
    ck_assert_uint_eq(status.st_uid, expected->uid);
    ck_assert_uint_eq(status.st_gid, expected->gid);
    ck_assert_int_eq(status.st_mtim.tv_sec, expected->mtime_seconds);
    ck_assert_int_eq(status.st_mtim.tv_nsec, expected->mtime_ns);
}

START_TEST(own_status)
{
    int fd = create("file");
    struct file_stat stat = {.mode = S_IFREG | 06751,
                             .uid = getuid(),
                             .gid = getgid(),
                             .mtime_seconds = 1234567890,
                             .mtime_ns = 123456789};
    ck_assert_int_eq(metadata_copy_status(fd, &stat), 0);
    check_status(fd, &stat);
    stat.mtime_seconds = -5;
    ck_assert_int_eq(metadata_copy_status(fd, &stat), 0);
    check_status(fd, &stat);
    ck_assert_int_eq(metadata_copy_status(-1, &stat), -EBADF);
    if (getuid() != 0)
        return;
    stat.uid = 12345;
    stat.gid = 54321;
    ck_assert_int_eq(metadata_copy_status(fd, &stat), 0);
    check_status(fd, &stat);
}
END_TEST

/* Somebody who is not the superuser copies what belongs to others. */
static int as_somebody(void)
{
    static const struct {
        uint32_t uid, gid, mode, stored;
        int missing;
    } rows[] = {
        {1000, 1000, 06755, 06755, 0},
        {1000, 1001, 06755, 06755, 0}, /* a group of theirs */
        {1001, 1000, 06775, 00775, METADATA_NOT_OWNER},
        {1001, 1001, 04640, 00640, METADATA_NOT_OWNER},
        {1000, 1002, 02640, 00600, METADATA_NOT_OWNER | METADATA_NOT_GROUP},
        {1001, 1002, 01757, 01755, METADATA_NOT_OWNER | METADATA_NOT_GROUP},
    };
    const gid_t groups[] = {1000, 1001};
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 || setgroups(2, groups) || fchown(fd, 1000, 1000) || setresgid(1000, 1000, 1000) ||
        setresuid(1000, 1000, 1000))
        return 77;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file_stat stat = {.mode = rows[i].mode, .uid = rows[i].uid, .gid = rows[i].gid};
        struct stat status;
        int missing = metadata_copy_status(fd, &stat);
        if (fstat(fd, &status) || missing != rows[i].missing ||
            (status.st_mode & 07777) != rows[i].stored) {
            fprintf(stderr, "row %zu: missing %d, mode %o\n", i, missing, status.st_mode & 07777);
            return 1;
        }
    }
    return 0;
}

START_TEST(status_of_others)
{
    if (getuid() != 0) {
        fprintf(stderr, "skipped: not the superuser, who may become somebody else\n");
        return;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(as_somebody());
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77)
        fprintf(stderr, "skipped: cannot become somebody else\n");
    else
        ck_assert_int_eq(WEXITSTATUS(result), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *metadata = tcase_create("metadata");
    tcase_add_checked_fixture(metadata, setup, teardown);
    tcase_add_test(metadata, packing);
    tcase_add_test(metadata, reading);
    tcase_add_test(metadata, many_names);
    tcase_add_test(metadata, links_are_not_followed);
    tcase_add_test(metadata, too_long_a_path);
    tcase_add_test(metadata, applying);
    tcase_add_test(metadata, own_status);
    tcase_add_test(metadata, status_of_others);
    suite_add_tcase(suite, metadata);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
