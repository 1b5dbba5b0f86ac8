/* The index in real archives: every member that `create` has put into one is found by it, at the
 * blocks that it says and in the bytes that these hold. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "stages/archive.h"
#include "stages/decode.h"
#include "stages/member_index.h"
#include "stages/member_index_format.h"
#include "tests/unit/scratch.h"

#define LARGE_BYTES 50000
#define BLOCK       "--block-size=4K"

/* As large as a block: units are not many blocks then. */
static const struct decode_limits limits = {32768, 32768};

/* Archives. */

/* `create` in a process of its own: a verb is there once a process. */
static void create(const char *words)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char text[512], error[256],
            *argv[20] = {(char *)"treemill", (char *)"create", (char *)"-qf"};
        int argc = 3;
        struct options options;
        strcpy(text, words);
        for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
            argv[argc++] = word;
        if (options_parse(argc, argv, getenv, &options, error, sizeof error)) {
            fprintf(stderr, "%s\n", error);
            _exit(99);
        }
        _exit(verb_create(&options));
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "%s: %x", words, (unsigned)status);
}

static void put_file(const char *path, size_t bytes)
{
    static char text[LARGE_BYTES + 1];
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + (i * 7919 + strlen(path) + i / 977) % 26);
    text[bytes] = '\0';
    make_file(path, text);
}

/* Names that lie beside one another, directories and files. */
static void make_tree(void)
{
    static const char *const directories[] = {"t", "t/a", "t/a/b", "t/a/b.d", "t/b", "t/empty"};
    static const char *const files[] = {"t/a.c", "t/a-x", "t/a0",  "t/a/b.c",     "t/a/b/c",
                                        "t/z",   "t/b/z", "t/b!x", "t/h\xc3\xa4", "t/h\xff"};
    char path[64];
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        ck_assert_int_eq(mkdir(directories[i], 0755), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_file(files[i], 100 * i + 1);
    put_file("t/a/b/large", LARGE_BYTES);
    put_file("t/large", LARGE_BYTES);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "t/%s/f%u", i % 2 ? "b" : "a/b.d", i * i);
        put_file(path, 10 * i);
    }
    ck_assert_int_eq(symlink("large", "t/link"), 0);
    ck_assert_int_eq(link("t/z", "t/y"), 0);
}

struct archive {
    int fd;
    uint64_t bytes;
    enum codec_format format;
    struct member_index *members;
    struct decode_index *blocks;
    uint8_t *tar; /* what came out of the blocks last read */
    size_t tar_bytes;
};

static bool open_archive(struct archive *archive, const char *path)
{
    struct stat status;
    uint8_t magic[DECODE_DETECT_BYTES];
    *archive = (struct archive){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    ck_assert_int_ge(archive->fd, 0);
    ck_assert_int_eq(fstat(archive->fd, &status), 0);
    archive->bytes = (uint64_t)status.st_size;
    ck_assert_int_eq(pread(archive->fd, magic, sizeof magic, 0), sizeof magic);
    ck_assert(decode_detect(magic, sizeof magic, &archive->format));
    int got = member_index_open(archive->fd, archive->bytes, &archive->members);
    ck_assert(got == 0 || got == 1);
    ck_assert_int_ge(decode_index_open(archive->fd, archive->bytes, &limits, &archive->blocks), 0);
    return got;
}

static void close_archive(struct archive *archive)
{
    member_index_close(archive->members);
    decode_index_close(archive->blocks);
    free(archive->tar);
    close(archive->fd);
}

static void add_unit(struct archive *archive, struct decoder *decoder,
                     const struct decode_unit *unit)
{
    size_t made;
    uint8_t *input = malloc(unit->compressed_bytes);
    archive->tar = realloc(archive->tar, archive->tar_bytes + unit->output_bytes + 1);
    ck_assert(input && archive->tar);
    ck_assert_int_eq(pread(archive->fd, input, unit->compressed_bytes, (off_t)unit->offset),
                     (ssize_t)unit->compressed_bytes);
    ck_assert_int_eq(decode_block(decoder, archive->format, input, unit->compressed_bytes,
                                  archive->tar + archive->tar_bytes, unit->output_bytes, &made),
                     0);
    archive->tar_bytes += made;
    free(input);
}

/* The units from `begin` up to `end`. */
static void read_blocks(struct archive *archive, uint64_t begin, uint64_t end)
{
    struct decoder *decoder;
    struct decode_unit unit;
    int got;
    archive->tar_bytes = 0;
    ck_assert_int_eq(decoder_create(&decoder), 0);
    ck_assert_int_eq(decode_index_seek(archive->blocks, begin), 0);
    while ((got = decode_index_next(archive->blocks, &unit)) > 0 && unit.offset < end) {
        ck_assert(archive->tar_bytes || unit.offset == begin);
        add_unit(archive, decoder, &unit);
    }
    ck_assert_int_ge(got, 0);
    decoder_destroy(decoder);
}

/* The member's data in the blocks last read; NULL: it is not there. Its name is short enough for a
 * plain header. `name` has the slash of a directory. */
static const uint8_t *find_member(const struct archive *archive, const char *name, size_t *bytes)
{
    for (size_t at = 0; at + TAR_BLOCK_BYTES <= archive->tar_bytes;) {
        const uint8_t *header = archive->tar + at;
        if (!*header)
            return NULL;
        ck_assert(memcmp(header + 257, "ustar", 5) == 0); /* where blocks begin, members do */
        *bytes = strtoul((const char *)header + 124, NULL, 8);
        if (strcmp((const char *)header, name) == 0)
            return header + TAR_BLOCK_BYTES;
        at += TAR_BLOCK_BYTES + *bytes + tar_padding(*bytes);
    }
    return NULL;
}

static size_t clean_of(const char *name, char *path)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    size_t bytes = strlen(strcpy(path, *name ? name : "."));
    return bytes > 1 && path[bytes - 1] == '/' ? bytes - 1 : bytes;
}

/* All members, as a reader without an index lists them, each by the index. How many of them it
 * could leave blocks out for. */
static unsigned check_members(const char *path)
{
    struct archive whole, archive;
    unsigned saved = 0;
    ck_assert(open_archive(&whole, path));
    ck_assert(open_archive(&archive, path));
    read_blocks(&whole, 0, UINT64_MAX);
    for (size_t at = 0; whole.tar[at];) {
        const char *name = (const char *)whole.tar + at;
        char clean[128];
        uint64_t begin, end;
        size_t there, bytes = strtoul(name + 124, NULL, 8), clean_bytes = clean_of(name, clean);
        ck_assert(member_index_range(archive.members, clean, clean_bytes, &begin, &end));
        read_blocks(&archive, begin, end);
        const uint8_t *data = find_member(&archive, name, &there);
        ck_assert_msg(data && there == bytes, "%s", name);
        ck_assert(memcmp(data, whole.tar + at + TAR_BLOCK_BYTES, bytes) == 0);
        saved += archive.tar_bytes < whole.tar_bytes / 2;
        at += TAR_BLOCK_BYTES + bytes + tar_padding(bytes);
    }
    close_archive(&whole);
    close_archive(&archive);
    return saved;
}

START_TEST(every_member_is_found)
{
    static const struct {
        const char *words, *path;
    } table[] = {
        {BLOCK " x.tar.gz t", "x.tar.gz"},
        {BLOCK " x.tar.zst t", "x.tar.zst"},
        {BLOCK " x.tar.gz ./t", "x.tar.gz"},
        {BLOCK " x.tar.zst ./t/", "x.tar.zst"},
        {BLOCK " --rsyncable x.tar.gz t", "x.tar.gz"},
        {"--block-size=16K -1 --reproducible x.tar.gz t", "x.tar.gz"},
        {"--block-size=16K --xattrs x.tar.zst t", "x.tar.zst"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        create(table[i].words);
        unsigned saved = check_members(table[i].path);
        ck_assert_msg(saved > 150, "%s: %u", table[i].words, saved);
    }
}
END_TEST

START_TEST(the_root_may_be_the_directory_itself)
{
    ck_assert_int_eq(chdir("t"), 0);
    create(BLOCK " ../x.tar.zst .");
    create(BLOCK " ../y.tar.gz ../t");
    ck_assert_int_eq(chdir(".."), 0);
    ck_assert_uint_gt(check_members("x.tar.zst"), 150);
    ck_assert_uint_gt(check_members("y.tar.gz"), 150);
}
END_TEST

static bool has_index(const char *words, const char *path)
{
    struct archive archive;
    create(words);
    bool has = open_archive(&archive, path);
    close_archive(&archive);
    return has;
}

START_TEST(where_an_index_would_be_of_no_use_there_is_none)
{
    ck_assert(has_index(BLOCK " x.tar.gz t", "x.tar.gz"));
    ck_assert(!has_index("x.tar.gz t", "x.tar.gz")); /* one block */
    ck_assert(!has_index("x.tar.zst t", "x.tar.zst"));
    ck_assert(!has_index(BLOCK " --single-member x.tar.gz t", "x.tar.gz"));
    ck_assert(!has_index(BLOCK " --rsyncable x.tar.zst t", "x.tar.zst"));
}
END_TEST

START_TEST(members_out_of_order)
{
    ck_assert(
        has_index(BLOCK " x.tar.gz t/a.c t/a t/b", "x.tar.gz")); /* they happen to be in order */
    ck_assert_uint_gt(check_members("x.tar.gz"), 100);
    ck_assert(!has_index(BLOCK " x.tar.gz t/b t/a", "x.tar.gz"));
    ck_assert(!has_index(BLOCK " x.tar.gz t/a t/a.c", "x.tar.gz")); /* "t/a/" is behind "t/a.c" */
    ck_assert(!has_index(BLOCK " x.tar.zst t/a t/a", "x.tar.zst"));
    ck_assert(!has_index(BLOCK " x.tar.zst ./t/b t/a", "x.tar.zst"));
}
END_TEST

/* Seeking. */

START_TEST(only_where_a_block_begins)
{
    static const char *const paths[] = {"x.tar.gz", "x.tar.zst"};
    for (unsigned i = 0; i < 2; i++) {
        struct archive archive;
        struct decode_unit unit, again;
        uint64_t begin, end;
        char words[64];
        snprintf(words, sizeof words, BLOCK " %s t", paths[i]);
        create(words);
        ck_assert(open_archive(&archive, paths[i]));
        ck_assert(member_index_range(archive.members, "t/large", 7, &begin, &end));
        ck_assert(begin > 0 && end > begin && end < archive.bytes);
        ck_assert_int_eq(decode_index_seek(archive.blocks, begin), 0);
        for (uint64_t at = begin + 1; at < begin + 100; at++)
            ck_assert_int_eq(decode_index_seek(archive.blocks, at), -EBADMSG);
        ck_assert_int_eq(decode_index_seek(archive.blocks, archive.bytes), -EBADMSG);
        ck_assert_int_eq(decode_index_seek(archive.blocks, UINT64_MAX), -EBADMSG);
        ck_assert_int_eq(decode_index_next(archive.blocks, &unit), 1);
        ck_assert_uint_eq(unit.offset, begin); /* failures have not moved it */
        ck_assert_int_eq(decode_index_seek(archive.blocks, end), 0);
        ck_assert_int_eq(decode_index_seek(archive.blocks, begin), 0); /* back */
        ck_assert_int_eq(decode_index_next(archive.blocks, &again), 1);
        ck_assert(memcmp(&unit, &again, sizeof unit) == 0);
        close_archive(&archive);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member_index_archive");
    TCase *tcase = tcase_create("archives");
    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_checked_fixture(tcase, make_tree, NULL);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_member_is_found);
    tcase_add_test(tcase, the_root_may_be_the_directory_itself);
    tcase_add_test(tcase, where_an_index_would_be_of_no_use_there_is_none);
    tcase_add_test(tcase, members_out_of_order);
    tcase_add_test(tcase, only_where_a_block_begins);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
