/* stages/extract: files that come in pieces or as streams, under every model; workers that die. */
#include <signal.h>
#include <sys/mman.h>

#include "tests/unit/extracting.h"

#define MODES     3
#define FILE_MODE (S_IFREG | 0644)

/* False: the shape is not to be had here. */
static bool begin(int shape, struct extraction *extraction)
{
    if (!is_available(&shapes[shape]))
        return false;
    *extraction = extraction_begin();
    return true;
}

START_TEST(pieces_and_holes)
{
    static const struct entry entries[] = {
        {.path = "d/p",
         .mode = FILE_MODE,
         .text = "one",
         .size_bytes = 5000000,
         .flags = FILE_PIECE},
        {.path = "d/p",
         .mode = FILE_MODE,
         .text = "two",
         .size_bytes = 5000000,
         .offset = 100000,
         .flags = FILE_PIECE},
        {.path = "d/p",
         .mode = FILE_MODE,
         .size_bytes = 5000000,
         .offset = 5000000,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "hole",
         .mode = FILE_MODE,
         .size_bytes = 70000,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "broken", .mode = FILE_MODE, .text = "xx", .size_bytes = 10, .flags = FILE_PIECE},
        {.path = "broken",
         .mode = FILE_MODE,
         .text = "xx",
         .size_bytes = 10,
         .offset = 1,
         .flags = FILE_PIECE},
        {.path = "broken",
         .mode = FILE_MODE,
         .text = "xx",
         .size_bytes = 10,
         .offset = 8,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "cut", .mode = FILE_MODE, .text = "xx", .size_bytes = 10, .flags = FILE_PIECE},
        {.path = "after", .mode = FILE_MODE, .text = "after"},
        {.path = "whole",
         .mode = FILE_MODE,
         .text = "whole",
         .flags = FILE_PIECE | FILE_PIECE_LAST},
    };
    struct extraction extraction;
    bool tests = _i % 2;
    if (!begin(_i / 2, &extraction))
        return;
    extraction.job.algorithms = 1u << DIGEST_CRC32;
    extraction.job.tests = tests;
    extract_entries(&extraction, &shapes[_i / 2], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        if (i != 5)
            expect_none(i);
    ck_assert_uint_eq(outcomes[5].fault.kind, TM_FAULT_CORRUPT);
    ck_assert(outcomes[6].flags & FILE_SKIPPED);
    uint8_t *zeros = calloc(1, 5000000), expected[4];
    struct digest_hasher *hasher;
    ck_assert_int_eq(digest_hasher_create(1u << DIGEST_CRC32, &hasher), 0);
    digest_once(hasher, 1u << DIGEST_CRC32, zeros, 70000, expected);
    ck_assert_mem_eq(digests[3], expected, 4);
    memcpy(zeros, "one", 3);
    memcpy(zeros + 100000, "two", 3);
    digest_once(hasher, 1u << DIGEST_CRC32, zeros, 5000000, expected);
    ck_assert_mem_eq(digests[2], expected, 4);
    digest_hasher_destroy(hasher);
    if (!tests) {
        uint8_t *found = malloc(5000001);
        int fd = open("target/d/p", O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(read(fd, found, 5000001), 5000000);
        close(fd);
        ck_assert(memcmp(found, zeros, 5000000) == 0);
        free(found);
        ck_assert_int_lt(status_of("target/d/p").st_blocks, 1000);
        ck_assert_int_eq(status_of("target/hole").st_size, 70000);
        expect_status("target/hole", FILE_MODE, 86400);
        expect_text("target/whole", "whole");
    } else {
        expect_missing("target/after");
        expect_missing("target/hole");
    }
    expect_missing("target/broken");
    expect_missing("target/cut");
    free(zeros);
    expect_no_leftovers();
}
END_TEST

/* Streams: as many bytes as the member's time says, of a value that goes with it. */
struct stream {
    struct entry entry;
    uint64_t left;
    int error;
};

/* When a stream kills its worker: shared with the workers. */
static struct {
    _Atomic int kills; /* how many yet */
    bool midway;       /* while it is read; else when it is closed */
} * shared;

static void kill_worker(bool is_midway)
{
    if (shared && shared->midway == is_midway && atomic_fetch_sub(&shared->kills, 1) > 0)
        kill(getpid(), SIGKILL);
}

static int stream_open(void *context, const struct item_view *view, unsigned index, void **opened)
{
    (void)context;
    const struct file_record *file = &batch_of(view)->file[index];
    const char *path = batch_path(view, file);
    struct stream *stream = calloc(1, sizeof *stream);
    stream->left = file->stat.size_bytes;
    stream->error = strstr(path, "corrupt") ? -EBADMSG : strstr(path, "short") ? -ENODATA : 0;
    *opened = stream;
    return 0;
}

static ptrdiff_t stream_read(void *opened, void *data, size_t capacity)
{
    struct stream *stream = opened;
    size_t bytes = capacity < stream->left ? capacity : stream->left;
    if (!bytes && stream->error)
        return stream->error;
    if (!bytes)
        kill_worker(true);
    memset(data, 's', bytes);
    stream->left -= bytes;
    return (ptrdiff_t)bytes;
}

static void stream_close(void *opened)
{
    free(opened);
    kill_worker(false);
}

static const struct member_source source = {stream_open, stream_read, stream_close};

static const struct entry streams[] = {
    {.path = "d/s", .mode = FILE_MODE, .size_bytes = 1000000, .is_stream = true},
    {.path = "empty", .mode = FILE_MODE, .is_stream = true},
    {.path = "corrupt", .mode = FILE_MODE, .size_bytes = 300000, .is_stream = true},
    {.path = "short", .mode = FILE_MODE, .size_bytes = 300000, .is_stream = true},
    {.path = "later",
     .mode = FILE_MODE,
     .size_bytes = 300000,
     .is_stream = true,
     .flags = FILE_LATER},
};

START_TEST(streams_are_written)
{
    struct extraction extraction;
    if (!begin(_i / 2, &extraction))
        return;
    extraction.job.source = &source;
    extraction.job.algorithms = 1u << DIGEST_CRC32 | 1u << DIGEST_SHA256;
    extraction.job.tests = _i % 2;
    extract_entries(&extraction, &shapes[_i / 2], streams, COUNT_OF(streams));
    expect_none(0);
    expect_none(1);
    expect_none(4);
    ck_assert_uint_eq(outcomes[2].fault.kind, TM_FAULT_CORRUPT);
    ck_assert_uint_eq(outcomes[3].fault.kind, TM_FAULT_TRUNCATED);
    size_t bytes = digest_set_bytes(extraction.job.algorithms);
    uint8_t *data = malloc(1000000), expected[DIGEST_MAX_BYTES];
    struct digest_hasher *hasher;
    ck_assert_int_eq(digest_hasher_create(extraction.job.algorithms, &hasher), 0);
    memset(data, 's', 1000000);
    for (unsigned i = 0; i < 5; i += i == 1 ? 3 : 1) {
        digest_once(hasher, extraction.job.algorithms, data, streams[i].size_bytes, expected);
        ck_assert_mem_eq(digests[i], expected, bytes);
    }
    digest_hasher_destroy(hasher);
    free(data);
    expect_missing("target/corrupt");
    expect_missing("target/short");
    if (_i % 2) {
        expect_missing("target/d");
    } else {
        ck_assert_int_eq(status_of("target/d/s").st_size, 1000000);
        expect_status("target/d/s", FILE_MODE, 86400);
        ck_assert_int_eq(status_of("target/empty").st_size, 0);
        ck_assert_int_eq(status_of("target/later").st_size, 300000);
    }
    expect_no_leftovers();
}
END_TEST

/* A worker dies when a file has just got its name, or is about to get it: the next one finds it
 * done, or makes it; it is not in its own way. What stood before it in the item was made, too. */
START_TEST(a_worker_is_killed)
{
    static const struct entry entries[] = {
        {.path = "way/small", .mode = FILE_MODE, .text = "small"},
        {.path = "d", .mode = S_IFDIR | 0755},
        {.path = "s", .mode = FILE_MODE, .size_bytes = 10, .is_stream = true},
        {.path = "after", .mode = FILE_MODE, .text = "after"},
    };
    struct extraction extraction;
    if (shapes[_i / 2 / MODES].model[0] != MODEL_PROCESSES || !begin(_i / 2 / MODES, &extraction))
        return;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_store(&shared->kills, 1);
    shared->midway = _i % 2;
    extraction.job.overwrite = (enum extract_overwrite)(_i / 2 % MODES);
    extraction.job.source = &source;
    extraction.files_max = 8;
    extract_entries(&extraction, &shapes[_i / 2 / MODES], entries, COUNT_OF(entries));
    ck_assert_int_le(atomic_load(&shared->kills), 0);
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    expect_text("target/way/small", "small");
    expect_text("target/s", "ssssssssss");
    expect_text("target/after", "after");
    expect_status("target/way", S_IFDIR | 0755, 0);
    munmap(shared, sizeof *shared);
    shared = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extract_data");
    TCase *cases = tcase_create("extract_data");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, pieces_and_holes, 0, SHAPES * 2);
    tcase_add_loop_test(cases, streams_are_written, 0, SHAPES * 2);
    tcase_add_loop_test(cases, a_worker_is_killed, 0, SHAPES * MODES * 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
