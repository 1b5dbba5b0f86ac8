/* Archives that are cut, changed or encrypted: an error is said, and nothing crashes. */
#include "tests/unit/foreign_reading.h"
#include "tests/unit/rounds.h"

/* Cut by one byte, each of these is known to be cut: the others end in what nobody reads. */
static const struct {
    const char *tool, *command;
    bool end_counts;
    bool is_stream;
} archives[] = {
    {"bsdtar", "bsdtar --format newc -c tree"},
    {"bsdtar", "bsdtar --format odc -c tree"},
    {"cpio", "find tree | cpio --quiet -o -H bin"},
    {"bsdtar", "bsdtar --format 7zip -c tree", true},
    {"7z", "7z a a.7z tree >/dev/null && cat a.7z", true},
    {"7z", "7z a -m0=bzip2 a.7z tree >/dev/null && cat a.7z", true},
    {"7z", "7z a -m0=PPMd a.7z tree >/dev/null && cat a.7z", true},
    {"bsdtar", "bsdtar --format zip -c tree"},
    {"zip", "zip -qr - tree"},
    {"7z", "7z a -tzip -mm=LZMA a.zip tree >/dev/null && cat a.zip"},
    {"7z", "7z a -tzip -mm=BZip2 a.zip tree >/dev/null && cat a.zip"},
    {"7z", "7z a -tzip -mm=PPMd a.zip tree >/dev/null && cat a.zip"},
    {"bsdtar", "bsdtar --format xar -c tree", true},
    {"bsdtar", "bsdtar --format iso9660 -c tree"},
    {"genisoimage", "genisoimage -quiet -J tree 2>/dev/null"},
    {"genisoimage", "genisoimage -quiet -R tree"},
    {"gcab", "cd tree && gcab -c -z ../a.cab first empty dir/large && cat ../a.cab"},
    {"ar", "ar rc a.a tree/first tree/dir/large tree/empty && cat a.a"},
    {"bsdtar", "bsdtar --format warc -cf a.warc tree 2>/dev/null; cat a.warc"},
    {"bsdtar", "bsdtar --format pax -c tree"},
    {"bsdtar", "bsdtar --format newc -c tree | bzip2", true},
    {"bzip2", "seq 20000 | bzip2", true, true},
    {"xz", "seq 20000 | xz", true, true},
    {"lzip", "seq 20000 | lzip", true, true},
    {"lz4", "seq 20000 | lz4 -q", true, true},
    {"xz", "seq 20000 | xz --format=lzma", true, true},
    {"gzip", "seq 20000 | gzip", true, true},
    {"zstd", "seq 20000 | zstd -q", true, true},
    {"compress", "seq 20000 | compress", false, true},
    {"uuencode", "seq 20000 | uuencode x", false, true},
};
#define ARCHIVE_COUNT (int)(sizeof archives / sizeof *archives)

/* Its bytes; NULL: no tool. */
static uint8_t *make_archive(int i, size_t *bytes)
{
    char command[200];
    if (!has_tool(archives[i].tool))
        return NULL;
    make_tree();
    run("rm tree/dir/fifo && seq 3000 >tree/dir/large && rm tree/l*k");
    snprintf(command, sizeof command, "(%s) >archive", archives[i].command);
    run(command);
    return content_of("archive", bytes);
}

static int read_archive(int fd, bool is_stream)
{
    struct foreign *foreign;
    int error = foreign_open(fd, is_stream, &foreign);
    if (error)
        return error;
    error = drain(foreign, is_stream);
    foreign_close(foreign);
    return error;
}

static int read_file(const char *path, bool is_stream)
{
    int fd = open_file(path);
    int error = read_archive(fd, is_stream);
    foreign_detect(fd);
    close(fd);
    return error;
}

static bool is_of_data(int error)
{
    return error == 0 || error == -EBADMSG || error == -ENODATA || error == -ENOTSUP ||
           error == -EINVAL || error == -ENOMEM || error == -E2BIG;
}

START_TEST(cut)
{
    size_t bytes;
    uint8_t *archive = make_archive(_i, &bytes);
    bool is_stream = archives[_i].is_stream;
    if (!archive)
        return;
    ck_assert_int_eq(read_file("archive", is_stream), 0);
    int fd = open("cut", O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, archive, bytes), (ssize_t)bytes);
    size_t step = bytes / ROUNDS(400) + 1;
    for (size_t left = bytes - 1; left > step; left -= left > 200 ? step : 1) {
        ck_assert_int_eq(ftruncate(fd, (off_t)left), 0);
        int error = read_archive(fd, is_stream);
        ck_assert_msg(is_of_data(error), "%zu: %d", left, error);
        /* Half of it cannot be the whole. */
        bool must_fail = archives[_i].end_counts || (left < bytes / 2 && left > 64 && !is_stream);
        ck_assert_msg(!must_fail || error, "%zu of %zu", left, bytes);
        ck_assert_int_eq(error != -ENOMEM && error != -E2BIG, 1);
        if (left % 16 == 0)
            foreign_detect(fd);
    }
    close(fd);
    FILE *pipe = open_pipe("cut");
    ck_assert(is_of_data(read_archive(fileno(pipe), is_stream)));
    pclose(pipe);
    free(archive);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Changes a few bytes, mostly at the start and the end, where headers are. */
static void mutate(uint8_t *archive, size_t bytes, uint64_t *state)
{
    for (uint64_t changes = 1 + next_random(state) % 8; changes; changes--) {
        size_t range = bytes < 600 ? bytes : 600;
        uint64_t where = next_random(state) % 3;
        size_t at = where == 0   ? (size_t)(next_random(state) % bytes)
                    : where == 1 ? (size_t)(next_random(state) % range)
                                 : bytes - 1 - (size_t)(next_random(state) % range);
        static const uint8_t extremes[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '/'};
        archive[at] = next_random(state) % 2 ? (uint8_t)next_random(state)
                                             : extremes[next_random(state) % sizeof extremes];
    }
}

START_TEST(mutated)
{
    size_t bytes;
    uint64_t state = 0x1234567 + (uint64_t)_i;
    uint8_t *archive = make_archive(_i, &bytes);
    if (!archive)
        return;
    uint8_t *changed = malloc(bytes);
    ck_assert_ptr_nonnull(changed);
    /* Always the same one: ext4 waits for the disk when a file that was cut is written and closed.
     */
    int fd = open("mutated", O_RDWR | O_CREAT, 0600), failures = 0;
    for (int round = 0; round < 300; round++) {
        memcpy(changed, archive, bytes);
        mutate(changed, bytes, &state);
        ck_assert_int_eq(pwrite(fd, changed, bytes, 0), (ssize_t)bytes);
        int error = read_archive(fd, archives[_i].is_stream);
        foreign_detect(fd);
        ck_assert_msg(is_of_data(error), "%d: %d", round, error);
        failures += error != 0;
    }
    ck_assert_int_gt(failures, 0);
    close(fd);
    free(changed);
    free(archive);
}
END_TEST

/* Encryption. */

static const struct {
    const char *tool, *command;
    int members;  /* to be seen; with their names encrypted: none */
    bool goes_on; /* what comes behind an encrypted member can be read */
} encrypted[] = {
    {"zip",
     "zip -qr archive.zip tree/first && zip -q -P secret archive.zip tree/empty "
     "tree/dir/large && zip -q archive.zip tree/second && mv archive.zip archive",
     4, true},
    {"7z",
     "7z a -tzip -psecret -mem=AES256 a.zip tree/first tree/second >/dev/null && mv a.zip archive",
     2, true},
    {"7z", "7z a -psecret a.7z tree/first tree/second >/dev/null && mv a.7z archive", 2, false},
    {"7z", "7z a -psecret -mhe=on a.7z tree/first >/dev/null && mv a.7z archive", 0, false},
};

START_TEST(secrets)
{
    struct foreign *foreign;
    const struct member *member;
    static uint8_t found[700000];
    if (!has_tool(encrypted[_i].tool))
        return;
    make_tree();
    run(encrypted[_i].command);
    for (int reads = 0; reads < 2; reads++) {
        int fd = open_file("archive"), members = 0, refused = 0, next;
        ck_assert_int_eq(foreign_open(fd, false, &foreign), 0);
        while ((next = foreign_next(foreign, &member)) == 1) {
            members++;
            ck_assert(!strncmp(member->path, "tree/", 5));
            ptrdiff_t bytes = reads ? read_all(foreign, found, sizeof found) : 0;
            if (bytes >= 0)
                continue;
            refused++;
            ck_assert_int_eq(bytes, -ENOTSUP);
            ck_assert_ptr_nonnull(strstr(foreign_error(foreign), "the data is encrypted"));
        }
        bool all = encrypted[_i].goes_on || (!reads && encrypted[_i].members);
        ck_assert_int_eq(next, all ? 0 : -ENOTSUP);
        ck_assert(next == 0 || strstr(foreign_error(foreign), "encrypted"));
        ck_assert_int_eq(members, all ? encrypted[_i].members : encrypted[_i].members > 0);
        ck_assert_int_eq(refused > 0, reads && encrypted[_i].members);
        foreign_close(foreign);
        close(fd);
    }
}
END_TEST

/* 7-Zip's directory is at the end. */
START_TEST(from_a_pipe)
{
    struct foreign *foreign;
    const struct member *member;
    if (!has_tool("7z"))
        return;
    make_file("first", "data");
    run("head -c 1000000 /dev/urandom >>first && 7z a archive.7z first >/dev/null");
    FILE *pipe = open_pipe("archive.7z");
    ck_assert_int_eq(foreign_open(fileno(pipe), false, &foreign), 0);
    ck_assert_int_eq(foreign_next(foreign, &member), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(foreign_error(foreign), "from a pipe"));
    foreign_close(foreign);
    pclose(pipe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign broken");
    TCase *broken = tcase_create("broken");
    tcase_set_timeout(broken, 250);
    tcase_add_checked_fixture(broken, scratch_make, scratch_remove);
    tcase_add_loop_test(broken, cut, 0, ARCHIVE_COUNT);
    tcase_add_loop_test(broken, mutated, 0, ARCHIVE_COUNT);
    tcase_add_loop_test(broken, secrets, 0, sizeof encrypted / sizeof *encrypted);
    tcase_add_test(broken, from_a_pipe);
    suite_add_tcase(suite, broken);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
