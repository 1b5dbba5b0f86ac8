/* Archives whose headers are made here, extracted by the tools that people have: GNU tar and bsdtar
 * for tar. Each must bring back the same tree, whatever the locale. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/archive_pack.h"

static char directory[64];
static struct pack pack;

static void setup(void)
{
    strcpy(directory, "/tmp/test_archive_tools.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void teardown(void)
{
    char command[256];
    snprintf(command, sizeof command, "cd / && chmod -R u+rwX %s && rm -rf %s", directory,
             directory);
    ck_assert_int_eq(system(command), 0);
    pack_free(&pack);
}

static const char *const tars[] = {
    "tar",
    "bsdtar",
};
static const char *const locales[] = {"C", "C.UTF-8"};
#define EVERY_TOOL (2 * 2)

/* Extracts a.tar into out/, which is made anew. */
static bool extract(int i, const char *options)
{
    char command[256];
    const char *tool = tars[i / 2];
    snprintf(command, sizeof command,
             "chmod -R u+rwX out 2>/dev/null; rm -rf out && mkdir out && LC_ALL=%s %s -tvf a.tar "
             ">list && cd out && LC_ALL=%s %s -xpf ../a.tar %s",
             locales[i % 2], tool, locales[i % 2], tool, options);
    return run_tool(tool, command);
}

static size_t pack_one(const struct archive_member *member, const void *data)
{
    struct tar_writer *writer;
    struct archive_options options = {.numeric_owner = true};
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
    pack.used = 0;
    size_t header = pack_tar_member(&pack, writer, member, data);
    /* Whatever is wrong with the length of the first shows here. */
    struct archive_member after = member_of("after", S_IFREG | 0644, 5);
    after.stat.uid = getuid();
    after.stat.gid = getgid();
    pack_tar_member(&pack, writer, &after, "after");
    pack_tar_end(&pack);
    pack_to_file(&pack, "a.tar");
    tar_writer_destroy(writer);
    return header;
}

static struct archive_member mine(const char *path, uint32_t mode, uint64_t size)
{
    struct archive_member member = member_of(path, mode, size);
    member.stat.uid = getuid();
    member.stat.gid = getgid();
    return member;
}

static void check_file(const char *path, const void *content, size_t bytes, uint32_t mode)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_uint_eq(status.st_mode, mode);
    ck_assert_int_eq(status.st_mtim.tv_sec, 1700000000);
    ck_assert_int_eq(status.st_size, (off_t)bytes);
    char *found = malloc(bytes + 1);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(read(fd, found, bytes), (ssize_t)bytes);
    ck_assert_int_eq(memcmp(found, content, bytes), 0);
    free(found);
    close(fd);
}

/* Under a path that is too long for one call, a directory at a time. */
static void check_deep(const char *path, const char *content)
{
    char *copy = strdup(path), *left = copy, *name;
    ck_assert_int_eq(chdir("out"), 0);
    while ((name = strsep(&left, "/")) != NULL && left)
        ck_assert_msg(chdir(name) == 0, "%.300s: %s", name, strerror(errno));
    check_file(name, content, strlen(content), S_IFREG | 0640);
    ck_assert_int_eq(chdir(directory), 0);
    free(copy);
}

/* Names. */

static const struct {
    const char *name;
    size_t directories; /* of 100 bytes before it */
    bool needs_utf8;
} names[] = {
    {"plain", 0}, {"gr\xc3\xbc\xc3\x9f", 0},       {"\xff\xe9 latin", 0}, {"a\n\\b\x01", 0},
    {"long", 3},  {"gr\xc3\xbc\xc3\x9f", 3, true}, {"\xff\xe9 latin", 3}, {"very long", 20},
};
#define NAME_COUNT (int)(sizeof names / sizeof *names)

START_TEST(names_survive)
{
    char path[4096] = "";
    for (size_t i = 0; i < names[_i].directories; i++) {
        memset(path + 101 * i, (int)('a' + i), 100);
        path[101 * i + 100] = '/';
        path[101 * i + 101] = '\0';
    }
    strcat(path, names[_i].name);
    struct archive_member member = mine(path, S_IFREG | 0640, 7);
    pack_one(&member, "content");
    for (int tool = 0; tool < EVERY_TOOL; tool++) {
        /* bsdtar cannot say in ASCII what a pax header says in UTF-8: it takes the bytes as they
         * are, and its exit status is 1. */
        if (names[_i].needs_utf8 && !strcmp(tars[tool / 2], "bsdtar") &&
            !strcmp(locales[tool % 2], "C"))
            continue;
        if (!extract(tool, ""))
            continue;
        check_deep(path, "content");
        check_file("out/after", "after", 5, S_IFREG | 0644);
    }
}
END_TEST

/* Kinds. */

static char *link_of(const char *path)
{
    static char target[8192];
    ssize_t bytes = readlink(path, target, sizeof target - 1);
    ck_assert_msg(bytes >= 0, "%s: %s", path, strerror(errno));
    target[bytes] = '\0';
    return target;
}

START_TEST(kinds)
{
    struct tar_writer *writer;
    struct archive_options options = {.numeric_owner = true};
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
    char target[1000];
    memset(target, 't', sizeof target);
    target[sizeof target - 1] = '\0';

    struct archive_member member = mine("d", S_IFDIR | 0750, 4096);
    pack_tar_member(&pack, writer, &member, NULL);
    member = mine("d/file", S_IFREG | 04711, 600);
    pack_tar_member(&pack, writer, &member, target);
    member = mine("d/hard", S_IFREG | 04711, 600);
    member.is_hard_link = true;
    member_target(&member, "d/file");
    pack_tar_member(&pack, writer, &member, NULL);
    member = mine("short", S_IFLNK | 0777, 5);
    member_target(&member, "d/\xff");
    pack_tar_member(&pack, writer, &member, NULL);
    member = mine("long", S_IFLNK | 0777, 5);
    member_target(&member, target);
    pack_tar_member(&pack, writer, &member, NULL);
    member = mine("fifo", S_IFIFO | 0600, 0);
    pack_tar_member(&pack, writer, &member, NULL);
    pack_tar_end(&pack);
    pack_to_file(&pack, "a.tar");
    tar_writer_destroy(writer);

    if (!extract(_i, ""))
        return;
    struct stat status, other;
    check_file("out/d/file", target, 600, S_IFREG | 04711);
    ck_assert_int_eq(lstat("out/d/file", &status), 0);
    ck_assert_int_eq(lstat("out/d/hard", &other), 0);
    ck_assert_uint_eq(status.st_ino, other.st_ino);
    ck_assert_int_eq(lstat("out/d", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFDIR | 0750);
    ck_assert_int_eq(lstat("out/fifo", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFIFO | 0600);
    ck_assert_str_eq(link_of("out/short"), "d/\xff");
    ck_assert_str_eq(link_of("out/long"), target);
}
END_TEST

/* Sparse files. */

#define MIB (1ull << 20)

static const struct {
    uint64_t size;
    size_t count;
    struct archive_extent extents[4];
} sparse[] = {
    {MIB, 0, {{0, 0}}},                                 /* one hole */
    {0, 0, {{0, 0}}},                                   /* nothing */
    {MIB, 1, {{0, MIB}}},                               /* all data */
    {MIB, 1, {{0, 4096}}},                              /* hole at the end */
    {MIB, 1, {{MIB - 100, 100}}},                       /* at the start */
    {MIB, 3, {{4096, 4096}, {65536, 10}, {100000, 1}}}, /* odd ones */
    {MIB, 4, {{0, 10}, {10, 10}, {500, 0}, {600, 7}}},  /* side by side; empty */
    {MIB + 5, 2, {{8192, 8192}, {MIB - 4096, 4101}}},   /* odd size */
    {9ull << 30, 1, {{4096, 5}}},                       /* beyond ustar, though its data is not */
};

static uint8_t at(uint64_t offset)
{
    return (uint8_t)(offset * 7 % 251 + 1);
}

static uint8_t expected(uint64_t offset, int row)
{
    for (size_t i = 0; i < sparse[row].count; i++) {
        const struct archive_extent *extent = &sparse[row].extents[i];
        if (offset >= extent->offset && offset - extent->offset < extent->bytes)
            return at(offset);
    }
    return 0;
}

static void check_sparse(int row, uint64_t size)
{
    int fd = open("out/s", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)size);
    static uint8_t bytes[MIB];
    for (uint64_t offset = 0; offset < size && offset < 2 * MIB; offset += sizeof bytes) {
        ssize_t count = pread(fd, bytes, sizeof bytes, (off_t)offset);
        ck_assert_int_gt(count, 0);
        for (ssize_t i = 0; i < count; i++)
            if (bytes[i] != expected(offset + (uint64_t)i, row))
                ck_abort_msg("row %d: byte %ju", row, (uintmax_t)offset + (uintmax_t)i);
    }
    close(fd);
}

START_TEST(sparse_files)
{
    uint64_t size = sparse[_i].size;
    struct archive_member member = mine("s", S_IFREG | 0644, size);
    struct archive_extent extents[4];
    memcpy(extents, sparse[_i].extents, sizeof extents);
    member.extents = extents;
    member.extent_count = archive_extents_align(extents, sparse[_i].count, size);
    size_t data_bytes = archive_data_bytes(&member);
    uint8_t *data = malloc(data_bytes + 1), *to = data;
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < member.extent_count; i++)
        for (uint64_t k = 0; k < extents[i].bytes; k++)
            *to++ = expected(extents[i].offset + k, _i);
    pack_one(&member, data);
    free(data);
    for (int tool = 0; tool < EVERY_TOOL; tool++) {
        if (!extract(tool, ""))
            continue;
        check_sparse(_i, size);
        check_file("out/after", "after", 5, S_IFREG | 0644);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archive_tools");
    TCase *tar = tcase_create("tar");
    tcase_set_timeout(tar, 60);
    tcase_add_checked_fixture(tar, setup, teardown);
    tcase_add_loop_test(tar, names_survive, 0, NAME_COUNT);
    tcase_add_loop_test(tar, kinds, 0, EVERY_TOOL);
    tcase_add_loop_test(tar, sparse_files, 0, sizeof sparse / sizeof *sparse);
    suite_add_tcase(suite, tar);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
