/* What begins a file. */
#include "tests/unit/foreign_reading.h"

static const struct {
    const char *tool, *command;
    enum foreign_kind kind;
    bool needs_end; /* is not told from its first bytes */
} files[] = {
    {"true", ":", FOREIGN_NONE},
    {"true", "head -c 1 /dev/zero", FOREIGN_NONE},
    {"true", "head -c 512 /dev/zero", FOREIGN_NONE},
    {"true", "head -c 1024 /dev/zero", FOREIGN_TAR},
    {"true", "head -c 3000000 /dev/zero", FOREIGN_TAR, true},
    {"true", "head -c 5000000 /dev/zero", FOREIGN_NONE},
    {"true", "head -c 100000 /dev/zero; seq 100", FOREIGN_NONE},
    {"true", "seq 100000", FOREIGN_NONE},
    {"true", "printf hello", FOREIGN_NONE},
    {"true", "head -c 1024 /dev/zero; seq 100", FOREIGN_NONE},
    {"true", "cat /bin/sh", FOREIGN_NONE},
    {"tar", "tar -c tree", FOREIGN_TAR},
    {"tar", "tar --format v7 -c tree 2>/dev/null", FOREIGN_TAR},
    {"tar", "tar --format ustar -c tree", FOREIGN_TAR},
    {"tar", "tar --format posix -c tree", FOREIGN_TAR},
    {"tar", "tar -c tree >t && printf x | dd of=t bs=1 seek=20 conv=notrunc status=none; cat t",
     FOREIGN_NONE},
    {"tar", "tar -c tree | head -c 600", FOREIGN_TAR},
    {"gzip", "tar -c tree | gzip", FOREIGN_COMPRESSED_TAR},
    {"gzip", "tar -c tree | gzip | head -c 700", FOREIGN_COMPRESSED_TAR},
    {"gzip", "gzip <empty; gzip <empty; tar -c tree | gzip", FOREIGN_COMPRESSED_TAR},
    {"gzip", "head -c 300 tar | gzip; tail -c +301 tar | gzip", FOREIGN_COMPRESSED_TAR},
    {"gzip", "head -c 10240 /dev/zero | gzip", FOREIGN_COMPRESSED_TAR},
    {"gzip", "seq 1000 | gzip", FOREIGN_FILE},
    {"gzip", "gzip <empty", FOREIGN_FILE},
    {"gzip", "head -c 512 /dev/zero | gzip", FOREIGN_FILE},
    {"gzip", "(head -c 100000 /dev/zero; seq 100) | gzip", FOREIGN_FILE},
    {"gzip", "head -c 5000000 /dev/zero | gzip", FOREIGN_FILE},
    {"gzip", "tar -c tree | gzip | head -c 15", FOREIGN_FILE},
    {"zstd", "tar -c tree | zstd -q", FOREIGN_COMPRESSED_TAR},
    {"zstd", "printf '\\120\\52\\115\\30\\4\\0\\0\\0abcd'; zstd -q <empty; tar -c tree | zstd -q",
     FOREIGN_COMPRESSED_TAR},
    {"zstd",
     "printf '\\120\\52\\115\\30\\0\\0\\4\\0'; head -c 262144 /dev/urandom; tar -c tree | zstd -q",
     FOREIGN_COMPRESSED_TAR},
    {"zstd", "seq 1000 | zstd -q", FOREIGN_FILE},
    {"bzip2", "tar -c tree | bzip2", FOREIGN_FILTERED_TAR},
    {"xz", "tar -c tree | xz", FOREIGN_FILTERED_TAR},
    {"xz", "tar -c tree | xz --format=lzma", FOREIGN_FILTERED_TAR},
    {"lz4", "tar -c tree | lz4 -q", FOREIGN_FILTERED_TAR},
    {"lzip", "tar -c tree | lzip", FOREIGN_FILTERED_TAR},
    {"compress", "tar -c tree | compress -c", FOREIGN_FILTERED_TAR},
    {"uuencode", "tar -c tree | uuencode name", FOREIGN_FILTERED_TAR},
    {"xz", "tar -c tree | xz | gzip", FOREIGN_FILTERED_TAR},
    {"xz", "head -c 10240 /dev/zero | xz", FOREIGN_FILTERED_TAR},
    {"bzip2", "head -c 900000 /dev/urandom >tree/random; tar -c tree/random | bzip2 -9",
     FOREIGN_FILTERED_TAR},
    {"bzip2", "seq 1000 | bzip2", FOREIGN_NONE},
    {"xz", "xz <empty", FOREIGN_NONE},
    {"xz", "tar -c tree | xz | gzip | xz | gzip | xz", FOREIGN_NONE},
    {"zip", "zip -qr - tree", FOREIGN_ZIP},
    {"zip",
     "zip -q a.zip empty && zip -qd a.zip empty >&2; printf 'PK\\5\\6'; head -c 18 /dev/zero",
     FOREIGN_ZIP},
    {"zip", "zip -qr a.zip tree; cat /bin/sh a.zip", FOREIGN_ZIP, true},
    {"zip", "zip -qr - tree | gzip", FOREIGN_OTHER},
    {"7z", "cd tree && 7z a ../a.7z . >/dev/null && cat ../a.7z", FOREIGN_OTHER},
    {"7z", "cd tree && 7z a -psecret -mhe=on ../a.7z . >/dev/null && cat ../a.7z", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format newc -c tree", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format newc -c tree | gzip", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format newc -c tree | zstd -q", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format newc -c tree | bzip2", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format iso9660 -c tree", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format iso9660 -c tree | gzip", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format iso9660 -c tree | zstd -q", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format iso9660 -c tree | xz", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format xar -c tree", FOREIGN_OTHER},
    {"bsdtar", "bsdtar --format warc -c tree 2>/dev/null", FOREIGN_OTHER},
    {"ar", "ar rc a.a tree/first && cat a.a", FOREIGN_OTHER},
};
#define FILE_COUNT (int)(sizeof files / sizeof *files)

START_TEST(kinds)
{
    char command[400];
    if (!has_tool(files[_i].tool))
        return;
    make_tree();
    run("rm tree/dir/fifo && tar -cf tar tree");
    make_file("empty", "");
    snprintf(command, sizeof command, "(%s) >file", files[_i].command);
    run(command);
    int fd = open_file("file");
    enum foreign_kind kind = foreign_detect(fd);
    ck_assert_msg(kind == files[_i].kind, "%s: %d", command, kind);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);

    size_t bytes;
    uint8_t *start = content_of("file", &bytes);
    bool has_more = bytes > FOREIGN_START_BYTES;
    kind = foreign_detect_start(start, has_more ? FOREIGN_START_BYTES : bytes, has_more);
    ck_assert_msg(files[_i].needs_end || kind == files[_i].kind, "%s: %d", command, kind);
    free(start);
    run("(echo before; cat file) >later");
    fd = open_file("later");
    ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
    kind = foreign_detect(fd);
    ck_assert_msg(kind == files[_i].kind, "%s: %d", command, kind);
    close(fd);
}
END_TEST

START_TEST(what_cannot_be_read)
{
    FILE *pipe = open_pipe("/dev/null");
    ck_assert_int_eq(foreign_detect(fileno(pipe)), FOREIGN_NONE);
    pclose(pipe);
    int fd = open("/", O_RDONLY);
    ck_assert_int_eq(foreign_detect(fd), FOREIGN_NONE);
    struct foreign *foreign;
    ck_assert_int_eq(foreign_open(fd, false, &foreign), -EISDIR);
    ck_assert_int_eq(foreign_open(fd, true, &foreign), -EISDIR);
    close(fd);
    ck_assert_int_eq(foreign_detect(-1), FOREIGN_NONE);
    foreign_close(NULL);
}
END_TEST

/* What has been read to be looked at is not lost. */
START_TEST(behind_what_was_read)
{
    struct foreign *foreign;
    const struct member *member;
    static uint8_t start[1000], found[700000];
    size_t bytes;
    if (!has_tool("bsdtar"))
        return;
    make_tree();
    run("bsdtar --format newc -cf - tree/dir/large | bzip2 >file");
    uint8_t *content = content_of("tree/dir/large", &bytes);
    for (size_t taken = 1; taken <= sizeof start; taken += 333) {
        FILE *pipe = open_pipe("file");
        ck_assert_int_eq(read(fileno(pipe), start, taken), (ssize_t)taken);
        ck_assert_int_eq(foreign_open_behind(start, taken, fileno(pipe), false, &foreign), 0);
        ck_assert_int_eq(foreign_next(foreign, &member), 1);
        ck_assert_int_eq(read_all(foreign, found, sizeof found), (ptrdiff_t)bytes);
        ck_assert_mem_eq(found, content, bytes);
        ck_assert_int_eq(foreign_next(foreign, &member), 0);
        foreign_close(foreign);
        pclose(pipe);
    }
    free(content);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign detect");
    TCase *detect = tcase_create("detect");
    tcase_set_timeout(detect, 60);
    tcase_add_checked_fixture(detect, scratch_make, scratch_remove);
    tcase_add_loop_test(detect, kinds, 0, FILE_COUNT);
    tcase_add_test(detect, what_cannot_be_read);
    tcase_add_test(detect, behind_what_was_read);
    suite_add_tcase(suite, detect);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
