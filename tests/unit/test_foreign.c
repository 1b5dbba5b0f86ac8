/* Archives and filters that libarchive reads for us. */
#include <locale.h>

#include "tests/unit/foreign_reading.h"

/* What a kind of archive can say. */
enum ability {
    LINKS = 1,    /* several names of a file */
    SYMBOLIC = 2, /* links */
    SPECIAL = 4,  /* a FIFO */
    MODES = 8,    /* permissions */
    DIRECTORIES = 16,
    DEEP = 32, /* more than one directory */
    PIPE = 64, /* all this by way of a pipe, too */
    ALL = 127
};

static const struct format {
    const char *tool, *command;
    unsigned abilities;
    unsigned resolution_ns; /* of times */
    const char *name;
} formats[] = {
    {"bsdtar", "bsdtar --format newc -cf archive -C tree .", ALL, 1000000000, "ASCII cpio"},
    {"bsdtar", "bsdtar --format odc -cf archive -C tree .", ALL, 1000000000, "POSIX octet"},
    {"cpio", "cd tree && find . | cpio --quiet -o -H newc >../archive", ALL, 1000000000,
     "ASCII cpio"},
    {"cpio", "cd tree && find . | cpio --quiet -o -H crc >../archive", ALL, 1000000000,
     "ASCII cpio"},
    {"cpio", "cd tree && find . | cpio --quiet -o -H odc >../archive", ALL, 1000000000,
     "POSIX octet"},
    {"cpio", "cd tree && find . | cpio --quiet -o -H bin >../archive", ALL, 1000000000,
     "cpio (little"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format 7zip -cf archive -C tree .",
     (SYMBOLIC | MODES | DIRECTORIES | DEEP), 100, "7-Zip"},
    {"7z",
     "cd tree && LC_ALL=C.UTF-8 7z a -t7z -snl ../archive . >/dev/null && mv ../archive.7z "
     "../archive",
     (SYMBOLIC | MODES | DIRECTORIES | DEEP), 100, "7-Zip"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format zip -cf archive -C tree .",
     (SYMBOLIC | MODES | DIRECTORIES | DEEP), 1000000000, "ZIP"},
    {"zip", "cd tree && zip -qry --fifo ../archive . && mv ../archive.zip ../archive",
     (SYMBOLIC | MODES | DIRECTORIES | DEEP), 1000000000, "ZIP"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format xar -cf archive -C tree .", ALL, 1000000000, "xar"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format iso9660 -cf archive -C tree .",
     (LINKS | SYMBOLIC | DIRECTORIES | DEEP | PIPE), 1000000000, "ISO9660 with Rock"},
    {"genisoimage", "LC_ALL=C.UTF-8 genisoimage -quiet -R -o archive tree",
     (LINKS | SYMBOLIC | DIRECTORIES | DEEP | PIPE), 1000000000, "ISO9660 with Rock"},
    {"genisoimage", "LC_ALL=C.UTF-8 genisoimage -quiet -J -o archive tree 2>/dev/null",
     (LINKS | DIRECTORIES | DEEP | PIPE), 1000000000, "ISO9660"},
    {"ar", "cd tree && ar rcU ../archive first empty gr\xc3\xbc dir/large", MODES | PIPE,
     1000000000, "ar"},
    {"gcab", "cd tree && LC_ALL=C.UTF-8 gcab -c -z ../archive first empty gr\xc3\xbc dir/large",
     DEEP | PIPE, 1000000000, "CAB"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format pax -cf archive -C tree .", ALL, 1, "POSIX pax"},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format mtree -cf archive -C tree .", 0, 0, NULL},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar --format shar -cf archive -C tree . 2>/dev/null", 0, 0, NULL},
};
#define FORMAT_COUNT (int)(sizeof formats / sizeof *formats)

/* What a member should be, by its name without what leads to the tree. */
static const char *clean(const struct member *member)
{
    static char path[300];
    snprintf(path, sizeof path, "tree/%.*s", (int)member->path_bytes, member->path);
    size_t length = strlen(path);
    if (!strncmp(path + 5, "./", 2))
        memmove(path + 5, path + 7, length - 6);
    length = strlen(path);
    if (path[length - 1] == '/')
        strcpy(path + length - 1, length == 5 ? "/." : "");
    return path;
}

static void check_data(struct foreign *foreign, const struct member *member, const char *path)
{
    size_t bytes;
    uint8_t *content = content_of(path, &bytes);
    uint8_t *found = malloc(bytes + 1);
    ck_assert_ptr_nonnull(found);
    if (member->stat.size_bytes != FOREIGN_SIZE_UNKNOWN)
        ck_assert_uint_eq(member->stat.size_bytes, bytes);
    ck_assert_int_eq(read_all(foreign, found, bytes), (ptrdiff_t)bytes);
    ck_assert_msg(!memcmp(found, content, bytes), "%s", path);
    free(found);
    free(content);
}

/* Which of the tree this member is: a bit each. */
static unsigned check_member(struct foreign *foreign, const struct member *member,
                             const struct format *format)
{
    static const char *const names[] = {"first",       "second", "third", "link",
                                        "l\xc3\xafnk", "dir",    "empty", "gr\xc3\xbc",
                                        "large",       "fifo",   "tree"};
    const char *path = clean(member), *name = strrchr(path, '/') + 1;
    char real[300];
    struct stat status;
    snprintf(real, sizeof real, "%s%s",
             format->abilities & DEEP || strcmp(name, "large") ? "" : "tree/dir/",
             format->abilities & DEEP || strcmp(name, "large") ? path : name);
    if (!strcmp(path, "tree/."))
        return 1u << 10;
    ck_assert_msg(lstat(real, &status) == 0, "%s: %s", real, strerror(errno));
    ck_assert_uint_eq(member->stat.mode & S_IFMT, status.st_mode & S_IFMT);
    if (format->abilities & MODES && !S_ISLNK(status.st_mode))
        ck_assert_uint_eq(member->stat.mode, status.st_mode);
    ck_assert_int_eq(member->stat.mtime_seconds, status.st_mtim.tv_sec);
    ck_assert_uint_eq(member->stat.mtime_ns, (unsigned)status.st_mtim.tv_nsec /
                                                 format->resolution_ns * format->resolution_ns);
    if (S_ISLNK(status.st_mode)) {
        char target[100] = "";
        ck_assert_int_gt(readlink(real, target, sizeof target - 1), 0);
        ck_assert_uint_eq(member->target_bytes, strlen(target));
        ck_assert_mem_eq(member->target, target, member->target_bytes);
    } else if (S_ISREG(status.st_mode) && !member->is_hard_link) {
        ck_assert_ptr_null(member->target);
        check_data(foreign, member, real);
    }
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return 1u << i;
    ck_abort_msg("%s", path);
}

/* A file of three names comes once, before the others, which are links to it. */
static void check_link(const struct member *member, char *file, size_t capacity)
{
    const char *name = strrchr(clean(member), '/') + 1;
    bool is_one = !strcmp(name, "first") || !strcmp(name, "second") || !strcmp(name, "third");
    if (is_one && !member->is_hard_link) {
        ck_assert_str_eq(file, "");
        snprintf(file, capacity, "%.*s", (int)member->path_bytes, member->path);
    }
    ck_assert_int_eq(member->is_hard_link,
                     is_one && strncmp(file, member->path, member->path_bytes));
    if (!member->is_hard_link)
        return;
    ck_assert_uint_eq(member->target_bytes, strlen(file));
    ck_assert_mem_eq(member->target, file, member->target_bytes);
    ck_assert_uint_eq(member->stat.size_bytes, 0);
}

static void check_archive(int fd, const struct format *format)
{
    struct foreign *foreign;
    const struct member *member;
    char file[300] = "", text[200];
    unsigned seen = 0;
    int found;
    ck_assert_int_eq(foreign_open(fd, false, &foreign), 0);
    uint64_t position = 0;
    while ((found = foreign_next(foreign, &member)) == 1) {
        if (format->abilities & LINKS)
            check_link(member, file, sizeof file);
        unsigned bit = check_member(foreign, member, format);
        ck_assert_uint_eq(seen & bit, 0);
        seen |= bit;
        ck_assert_uint_ge(foreign_position(foreign), position);
        position = foreign_position(foreign);
        ck_assert_str_eq(foreign_error(foreign), "");
    }
    ck_assert_msg(found == 0, "%s: %s", format->command, foreign_error(foreign));
    ck_assert_int_eq(foreign_next(foreign, &member), 0);
    foreign_format(foreign, text, sizeof text);
    ck_assert_msg(!strncmp(text, format->name, strlen(format->name)), "%s", text);
    unsigned wanted = 1 | 1 << 6 | 1 << 7 | 1 << 8;
    wanted |= format->abilities & DIRECTORIES ? 1 << 1 | 1 << 2 | 1 << 5 : 0;
    wanted |= format->abilities & SYMBOLIC ? 1 << 3 | 1 << 4 : 0;
    wanted |= format->abilities & SPECIAL ? 1 << 9 : 0;
    ck_assert_msg((seen & wanted) == wanted, "%s: %x", format->command, seen);
    foreign_close(foreign);
}

/* A list of files is no archive, and a script is none. */
static void check_refused(int fd)
{
    struct foreign *foreign;
    ck_assert_int_eq(foreign_open(fd, false, &foreign), -EINVAL);
    ck_assert_int_eq(foreign_detect(fd), FOREIGN_NONE);
}

START_TEST(formats_and_locales)
{
    static const char *const locales[] = {"C", "C.UTF-8"};
    const struct format *format = &formats[_i];
    if (!has_tool(format->tool))
        return;
    setenv("TZ", "UTC0", 1); /* cab and zip have local times */
    make_tree();
    if (!(format->abilities & SPECIAL))
        run("rm tree/dir/fifo");
    run(format->command);
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(setlocale(LC_ALL, locales[i]));
        int fd = open_file("archive");
        if (format->name)
            check_archive(fd, format);
        else
            check_refused(fd);
        ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
        close(fd);
        if (format->abilities & PIPE) {
            FILE *pipe = open_pipe("archive");
            check_archive(fileno(pipe), format);
            pclose(pipe);
        }
        ck_assert_str_eq(setlocale(LC_CTYPE, NULL), locales[i]);
    }
}
END_TEST

/* The archive is behind something else, and the descriptor is at it. */
START_TEST(from_where_the_descriptor_is)
{
    make_tree();
    run("rm tree/dir/fifo");
    run(formats[6].command);
    run("(head -c 1234 /dev/urandom; cat archive) >behind");
    int fd = open_file("behind");
    lseek(fd, 1234, SEEK_SET);
    check_archive(fd, &formats[6]);
    close(fd);
}
END_TEST

/* Filters. */

static const struct filter {
    const char *tool, *command, *name;
    bool needs_data; /* without any it makes nothing that can be told */
} filters[] = {
    {"bzip2", "bzip2", "bzip2"},
    {"xz", "xz", "xz"},
    {"xz", "xz --format=lzma", "lzma"},
    {"lzip", "lzip", "lzip"},
    {"lz4", "lz4 -q", "lz4"},
    {"compress", "compress -c", "compress (.Z)", true},
    {"uuencode", "uuencode name", "uu", true},
    {"zstd", "zstd -q", "zstd"},
    {"gzip", "gzip", "gzip"},
    {"bzip2", "bzip2 | xz", "bzip2, xz"},
    {"lz4", "bzip2 | xz | lz4 -q | gzip", "bzip2, xz, lz4, gzip"},
};
#define FILTER_COUNT (int)(sizeof filters / sizeof *filters)

static void check_stream(int fd, const char *name)
{
    struct foreign *foreign;
    size_t bytes;
    char text[100];
    uint8_t *content = content_of("plain", &bytes), *found = malloc(bytes + 1);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(foreign_open(fd, true, &foreign), 0);
    ck_assert_str_eq(foreign_format(foreign, text, sizeof text), name);
    ck_assert_int_eq(read_all(foreign, found, bytes), (ptrdiff_t)bytes);
    ck_assert_mem_eq(found, content, bytes);
    foreign_close(foreign);
    free(found);
    free(content);
}

START_TEST(streams)
{
    char command[200];
    if (!has_tool(filters[_i].tool))
        return;
    for (int i = 0; i < 2 - filters[_i].needs_data; i++) {
        make_file("plain", "");
        if (i == 0)
            run("seq 200000 >plain");
        snprintf(command, sizeof command, "cat plain | %s >filtered 2>/dev/null",
                 filters[_i].command);
        run(command);
        int fd = open_file("filtered");
        check_stream(fd, filters[_i].name);
        close(fd);
        FILE *pipe = open_pipe("filtered");
        check_stream(fileno(pipe), filters[_i].name);
        pclose(pipe);
    }
}
END_TEST

START_TEST(archives_behind_filters)
{
    char command[300];
    struct foreign *foreign;
    const struct member *member;
    if (!has_tool(filters[_i].tool) || !has_tool("bsdtar"))
        return;
    run("seq 1000 >plain && bsdtar --format newc -cf archive plain");
    snprintf(command, sizeof command, "cat archive | %s >filtered", filters[_i].command);
    run(command);
    int fd = open_file("filtered");
    ck_assert_int_eq(foreign_open(fd, false, &foreign), 0);
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    check_data(foreign, member, "plain");
    char text[200];
    ck_assert_ptr_nonnull(strstr(foreign_format(foreign, text, sizeof text), filters[_i].name));
    ck_assert_int_eq(foreign_next(foreign, &member), 0);
    foreign_close(foreign);
    close(fd);
}
END_TEST

/* One filter too many; a file without any. */
START_TEST(numbers_of_filters)
{
    struct foreign *foreign;
    if (!has_tool("xz"))
        return;
    run("seq 1000 >plain && gzip <plain | xz | gzip | xz | gzip >five");
    run("f=plain; for i in $(seq 30); do gzip <$f >$f.gz; f=$f.gz; done; mv $f thirty");
    static const char *const names[] = {"five", "thirty", "plain"};
    static const int errors[] = {-E2BIG, -E2BIG, -EINVAL};
    for (int i = 0; i < 3; i++) {
        int fd = open_file(names[i]);
        ck_assert_int_eq(foreign_open(fd, true, &foreign), errors[i]);
        ck_assert_int_eq(foreign_open(fd, false, &foreign), errors[i]);
        close(fd);
    }
}
END_TEST

/* Whatever is on the way to be found by those that run programs: it is not run. */
START_TEST(no_program_is_run)
{
    static const char *const magics[] = {
        "\x89LZO\0\r\n\x1a\n\x10\x40\x20\xa0\x09\x40\1\5\3\0\0\1\0\0",
        "LRZI\0\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "GRZipII\0\2\4:)\0\0\0\0\0\0\0\0\0\0"};
    struct foreign *foreign;
    run("mkdir bin && for i in lzop lrzip grzip; do printf '#!/bin/sh\\n: >%s/was-run\\ncat\\n' "
        "\"$PWD\" >bin/$i; done && chmod +x bin/*");
    char path[4096];
    snprintf(path, sizeof path, "%s/bin:%s", scratch, getenv("PATH"));
    setenv("PATH", path, 1);
    for (int i = 0; i < 3; i++) {
        write_bytes("magic", magics[i], 22);
        run("head -c 5000 /dev/urandom >>magic");
        int fd = open_file("magic");
        for (int is_stream = 0; is_stream < 2; is_stream++)
            if (foreign_open(fd, is_stream, &foreign) == 0) {
                drain(foreign, is_stream);
                foreign_close(foreign);
            }
        foreign_detect(fd);
        close(fd);
    }
    ck_assert_int_ne(access("was-run", F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign");
    TCase *foreign = tcase_create("foreign");
    tcase_set_timeout(foreign, 120);
    tcase_add_checked_fixture(foreign, scratch_make, scratch_remove);
    tcase_add_loop_test(foreign, formats_and_locales, 0, FORMAT_COUNT);
    tcase_add_test(foreign, from_where_the_descriptor_is);
    tcase_add_loop_test(foreign, streams, 0, FILTER_COUNT);
    tcase_add_loop_test(foreign, archives_behind_filters, 0, FILTER_COUNT);
    tcase_add_test(foreign, numbers_of_filters);
    tcase_add_test(foreign, no_program_is_run);
    suite_add_tcase(suite, foreign);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
