/* stages/pack: paths as they are stored, and pieces of an archive where files have failed. */
#include "stages/pack.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const stored[][2] = {
    {"a", "a"},         {"a/b", "a/b"},     {"./a", "./a"},     {"/a/b", "a/b"},
    {"///a", "a"},      {"/", "."},         {"", "."},          {"..", "."},
    {"../", "."},       {"../..", "."},     {"../a", "a"},      {"/../a", "a"},
    {"..//a", "a"},     {"a/../b", "b"},    {"a/..", "."},      {"a/../../b/c", "b/c"},
    {"..a/b", "..a/b"}, {"a/..b", "a/..b"}, {"a/...", "a/..."}, {"a/b../c", "a/b../c"},
};

START_TEST(stored_paths)
{
    const char *path = stored[_i][0];
    size_t bytes = strlen(path);
    pack_stored_path(&path, &bytes);
    ck_assert_uint_eq(bytes, strlen(stored[_i][1]));
    ck_assert_msg(memcmp(path, stored[_i][1], bytes) == 0, "%s: %.*s", stored[_i][0], (int)bytes,
                  path);
}
END_TEST

/* A batch and the room for its piece. */
static struct pack_job job;
static struct item_view view;

static void setup(void)
{
    job = (struct pack_job){.format = PACK_TAR, .shape = batch_shape_of(1 << 20, 64, 1024)};
    view.input = calloc(1, batch_input_bytes(&job.shape));
    view.output = calloc(1, pack_output_bytes(&job, &job.shape));
    view.item = calloc(1, sizeof *view.item);
    batch_clear(&view, &job.shape);
}

static void teardown(void)
{
    free(view.input);
    free(view.output);
    free(view.item);
}

static struct file_record *add(const char *name, size_t bytes)
{
    struct file_record *file =
        batch_add(&view, &job.shape, "", 0, name, strlen(name), "", 0, bytes);
    ck_assert_ptr_nonnull(file);
    file->stat = (struct file_stat){.mode = S_IFREG | 0644, .size_bytes = bytes, .links = 1};
    file->state = FILE_READ;
    memset(view.input + file->data, 'x', bytes);
    return file;
}

/* The piece that comes of it; its length in *bytes. */
static const uint8_t *pack(size_t *bytes)
{
    void *state;
    ck_assert_int_eq(pack_stage.open(&job, &state), 0);
    pack_stage.run(state, &view);
    pack_stage.close(state);
    ck_assert(!fault_is_set(view.item->fault));
    *bytes = (size_t)packed_of(&job, &view)->bytes;
    return (const uint8_t *)packed_of(&job, &view) + packed_of(&job, &view)->data_start;
}

START_TEST(failed_files)
{
    size_t bytes;
    add("first", 700);
    add("failed", 500)->fault = fault_system(TM_OP_READ, EIO);
    add("unread", 500)->state = FILE_PENDING;
    add("last", 1);
    const uint8_t *piece = pack(&bytes);
    ck_assert_uint_eq(bytes, 512 + 1024 + 512 + 512);
    ck_assert_str_eq((const char *)piece, "first");
    ck_assert_uint_eq(piece[512 + 699], 'x');
    ck_assert_uint_eq(piece[512 + 700], 0);
    ck_assert_str_eq((const char *)piece + 1536, "last");
}
END_TEST

/* Its header and first chunk are in the archive already. */
START_TEST(failed_chunk)
{
    size_t bytes;
    struct file_record *file = add("large", 1000);
    file->offset = 1 << 20;
    file->stat.size_bytes = (1 << 20) + 1000;
    file->fault = fault_system(TM_OP_READ, EIO);
    view.item->stream = 1;
    view.item->chunk = 1;
    view.item->last = true;
    const uint8_t *piece = pack(&bytes);
    ck_assert_uint_eq(bytes, 1024);
    for (size_t i = 0; i < bytes; i++)
        ck_assert_uint_eq(piece[i], 0);
    ck_assert_int_eq(file->fault.detail, EIO);
}
END_TEST

/* Nothing of it is in the archive. */
START_TEST(failed_first_chunk)
{
    size_t bytes;
    struct file_record *file = add("large", 1000);
    file->fault = fault_system(TM_OP_OPEN, EACCES);
    view.item->stream = 1;
    pack(&bytes);
    ck_assert_uint_eq(bytes, 0);
}
END_TEST

/* Longest names, which take a header of their own; all that a batch may have of them. */
START_TEST(long_names)
{
    size_t bytes, count = 0;
    char name[4000];
    memset(name, 'n', sizeof name);
    for (size_t i = 199; i < sizeof name; i += 200)
        name[i] = '/';
    name[sizeof name - 1] = '\0';
    while (batch_add(&view, &job.shape, "", 0, name, sizeof name - 1, "", 0, 10))
        batch_of(&view)->file[count++].stat.mode = S_IFREG | 0644;
    ck_assert_uint_ge(count, 10);
    for (size_t i = 0; i < count; i++)
        batch_of(&view)->file[i].state = FILE_READ;
    pack(&bytes);
    ck_assert_uint_gt(bytes, count * sizeof name);
    ck_assert_uint_eq(bytes % 512, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *cases = tcase_create("paths");
    tcase_add_loop_test(cases, stored_paths, 0, sizeof stored / sizeof *stored);
    suite_add_tcase(suite, cases);
    cases = tcase_create("pieces");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, failed_files);
    tcase_add_test(cases, failed_chunk);
    tcase_add_test(cases, failed_first_chunk);
    tcase_add_test(cases, long_names);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
