/* stages/walk: the same files in the same order whatever the memory for listings and the model of
 * the scan; and the parts it is made of. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/select.h"
#include "stages/walk_private.h"

static char tree[] = "/tmp/treemill-test-walk-XXXXXX";

static void make_file(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void make_file(const char *format, ...)
{
    char path[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, path, strlen(path)), (ssize_t)strlen(path));
    close(fd);
}

/* Two directories too large for one answer of the scan, one of them with directories in it; a deep
 * chain with names around it; names that sort differently as entries and as paths. */
static void make_tree(void)
{
    ck_assert_ptr_nonnull(mkdtemp(tree));
    ck_assert_int_eq(chdir(tree), 0);
    for (int i = 0; i < 5000; i++)
        make_file("t/many/file-%d", i * 7919 % 5000);
    for (int i = 0; i < 2600; i++)
        make_file(i % 100 ? "t/mixed/x%04d" : "t/mixed/x%04d/inner/leaf", i);
    char path[400] = "t";
    for (int depth = 0; depth < 20; depth++) {
        for (int i = 0; i < 12; i++)
            make_file("%s/n%02d/leaf", path, i);
        strcat(path, "/n05");
    }
    make_file("t/a/x"), make_file("t/a-b/x"), make_file("t/a.b"), make_file("t/a0"),
        make_file("t/b");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status, (void)type, (void)position;
    return remove(path);
}

static void remove_tree(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct seen {
    char *text; /* paths, one a line */
    size_t bytes;
    FILE *out;
    uint64_t count;
    struct tm_graph *graph;
    bool named;
};

static int take_batch(void *context, const struct item_view *view)
{
    struct seen *seen = context;
    const struct batch *batch = batch_of(view);
    for (unsigned i = 0; i < batch->file_count; i++) {
        ck_assert(!fault_is_set(batch->file[i].fault));
        fprintf(seen->out, "%s\n", batch_path(view, &batch->file[i]));
        seen->count++;
    }
    return 0;
}

/* As an archive's sink: every chunk, in the files' order, without a hole. */
struct archive {
    struct walk_totals totals;
    struct tm_graph *graph;
    bool named;
    char before[64]; /* path of the file that came last */
    uint64_t files, expected_offset;
    uint32_t expected_chunk;
};

static int take_chunk(void *context, const struct item_view *view)
{
    struct archive *archive = context;
    const struct batch *batch = batch_of(view);
    for (unsigned i = 0; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        const char *path = batch_path(view, file);
        ck_assert(!fault_is_set(file->fault));
        if (view->item->chunk == 0) {
            ck_assert_msg(strcmp(archive->before, path) < 0, "%s before %s", archive->before, path);
            snprintf(archive->before, sizeof archive->before, "%s", path);
            archive->files++;
            archive->expected_offset = 0;
            archive->expected_chunk = 0;
        }
        ck_assert_str_eq(path, archive->before);
        ck_assert_uint_eq(file->offset, archive->expected_offset);
        ck_assert_uint_eq(view->item->chunk, archive->expected_chunk++);
        archive->expected_offset += file->data_bytes;
        if (!view->item->stream || view->item->last)
            ck_assert_uint_eq(archive->expected_offset, file->stat.size_bytes);
    }
    if (view->item->stream && view->item->last)
        lane_stream_end(graph_lane(archive->graph, 1), view->item->stream);
    return 0;
}

static void pass_on(void *state, const struct item_view *view)
{
    (void)state, (void)view;
}

static const struct stage_ops pass_stage = {.name = "pass", .run = pass_on};

static const struct batch_shape shape = {.block_bytes = 65536,
                                         .files_max = BATCH_FILES_DEFAULT,
                                         .meta_bytes = 65536};

static enum walk_next next_name(void *context, bool wait, struct walk_name *name)
{
    bool *named = context;
    (void)wait;
    if (*named)
        return WALK_END;
    *named = true;
    *name = (struct walk_name){.text = "t", .bytes = 1, .attachment = ""};
    return WALK_NAME;
}

static char *walk_with(size_t memory_bytes, enum model model, uint32_t scan_items)
{
    struct seen seen = {0};
    struct walk_totals totals = {0};
    struct selection *selection;
    seen.out = open_memstream(&seen.text, &seen.bytes);
    ck_assert_int_eq(selection_create(&selection), 0);
    struct graph_setup setup = {
        .lane_count = 2,
        .lane[0] = {.stage = {{&scan_stage, NULL, model, 3, false}},
                    .stage_count = 1,
                    .items = scan_items,
                    .input_bytes = SCAN_INPUT_BYTES,
                    .output_bytes = SCAN_OUTPUT_BYTES},
        .lane[1] = {.stage = {{&pass_stage, NULL, MODEL_INLINE, 0, false}},
                    .stage_count = 1,
                    .items = 2,
                    .input_bytes = batch_input_bytes(&shape),
                    .output_bytes = 64,
                    .sink = take_batch,
                    .sink_context = &seen,
                    .ordered = true},
    };
    ck_assert_int_eq(graph_create(&setup, &seen.graph), 0);
    ck_assert_int_eq(graph_start(seen.graph), 0);
    struct walk_setup walk = {.graph = seen.graph,
                              .scan_lane = graph_lane(seen.graph, 0),
                              .data_lane = graph_lane(seen.graph, 1),
                              .shape = shape,
                              .selection = selection,
                              .memory_bytes = memory_bytes,
                              .next = next_name,
                              .context = &seen.named,
                              .totals = &totals};
    ck_assert_int_eq(walk_run(&walk), 0);
    graph_finish(seen.graph);
    ck_assert_uint_eq(atomic_load(&totals.files), seen.count);
    ck_assert(atomic_load(&totals.final));
    graph_destroy(seen.graph);
    selection_destroy(selection);
    fclose(seen.out);
    return seen.text;
}

static void expect_sorted(char *text, uint64_t expected)
{
    uint64_t count = 0;
    const char *before = "";
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        ck_assert_msg(strcmp(before, line) < 0, "'%s' before '%s'", before, line);
        before = line;
        count++;
    }
    ck_assert_uint_eq(count, expected);
}

START_TEST(order_does_not_depend_on_memory_or_model)
{
    static const struct {
        size_t memory_bytes;
        enum model model;
        uint32_t items;
    } ways[] = {{0, MODEL_INLINE, 8},       {0, MODEL_THREADS, 40},   {1, MODEL_THREADS, 8},
                {5000, MODEL_THREADS, 5},   {40000, MODEL_INLINE, 2}, {1, MODEL_INLINE, 2},
                {200000, MODEL_THREADS, 20}};
    make_tree();
    char *reference = walk_with(0, MODEL_INLINE, 4);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *text = walk_with(ways[i].memory_bytes, ways[i].model, ways[i].items);
        ck_assert_msg(strcmp(text, reference) == 0, "way %zu", i);
        free(text);
    }
    expect_sorted(reference, 5000 + 2600 + 20 * 12 + 5);
    free(reference);
    remove_tree();
}
END_TEST

static const struct stage_ops keyed_stage = {.name = "keyed", .keyed = true, .run = pass_on};

/* Large files among small ones; more workers than credits, and the other way round. */
START_TEST(with_every_chunk_files_are_sent_one_after_another)
{
    static const struct {
        enum model model;
        unsigned workers;
        uint32_t items;
    } ways[] = {
        {MODEL_INLINE, 0, 2}, {MODEL_THREADS, 1, 2}, {MODEL_THREADS, 3, 2}, {MODEL_THREADS, 3, 16}};
    struct archive archive = {0};
    struct selection *selection;
    ck_assert_ptr_nonnull(mkdtemp(tree));
    ck_assert_int_eq(chdir(tree), 0);
    for (int i = 0; i < 60; i++) {
        make_file("t/%d/f%02d", i % 3, i);
        if (i % 4 == 0) { /* sizes at and around whole chunks */
            char path[64];
            snprintf(path, sizeof path, "t/%d/f%02d", i % 3, i);
            ck_assert_int_eq(truncate(path, 65536 * (1 + i / 4) + i % 3 - 1), 0);
        }
    }
    ck_assert_int_eq(selection_create(&selection), 0);
    struct graph_setup setup = {
        .lane_count = 2,
        .lane[0] = {.stage = {{.ops = &scan_stage, .model = MODEL_THREADS, .workers = 1}},
                    .stage_count = 1,
                    .items = 8,
                    .input_bytes = SCAN_INPUT_BYTES,
                    .output_bytes = SCAN_OUTPUT_BYTES},
        .lane[1] =
            {.stage = {{.ops = &pass_stage, .model = ways[_i].model, .workers = ways[_i].workers},
                       {.ops = &keyed_stage, .model = ways[_i].model, .workers = ways[_i].workers}},
             .stage_count = 2,
             .items = ways[_i].items,
             .input_bytes = batch_input_bytes(&shape),
             .output_bytes = 64,
             .sink = take_chunk,
             .sink_context = &archive,
             .ordered = true,
             .every_chunk = true},
    };
    ck_assert_int_eq(graph_create(&setup, &archive.graph), 0);
    ck_assert_int_eq(graph_start(archive.graph), 0);
    struct walk_setup walk = {.graph = archive.graph,
                              .scan_lane = graph_lane(archive.graph, 0),
                              .data_lane = graph_lane(archive.graph, 1),
                              .shape = shape,
                              .selection = selection,
                              .next = next_name,
                              .context = &archive.named,
                              .totals = &archive.totals};
    ck_assert_int_eq(walk_run(&walk), 0);
    graph_finish(archive.graph);
    ck_assert_uint_eq(archive.files, 60);
    graph_destroy(archive.graph);
    selection_destroy(selection);
    remove_tree();
}
END_TEST

/* The text of a list grows after its lower half was kept: what was kept last is looked for where it
 * is now. Short names first, so that the longer ones below them need more text. */
START_TEST(the_upper_bound_moves_with_the_text)
{
    mallopt(M_PERTURB, 0x55); /* memory that was given back does not look as it did */
    struct name_list list = {0};
    struct name_range range = {.memory_bytes = 150000};
    char name[208];
    for (unsigned i = 0; i < 16000; i++) {
        snprintf(name, sizeof name, "z%05x", i * 7919 % 16000);
        ck_assert_int_eq(name_list_add(&list, &range, name, false), 0);
    }
    ck_assert(range.has_upper);
    size_t capacity = list.text_capacity;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "a%0206u", i * 7 % 2000);
        ck_assert_int_eq(name_list_add(&list, &range, name, false), 0);
        ck_assert_int_eq(name_list_add(&list, &range, "zzz", false), 0); /* above the bound */
    }
    ck_assert_uint_gt(list.text_capacity, capacity);
    /* The lowest ones are all there, and nothing from above the bound is. */
    bool seen[100] = {false};
    for (uint32_t i = 0; i < list.count; i++) {
        const char *found = list.text + list.names[i].offset;
        ck_assert_str_ne(found, "zzz");
        if (found[0] == 'a' && atoi(found + 1) < 100)
            seen[atoi(found + 1)] = true;
    }
    for (unsigned i = 0; i < 100; i++)
        ck_assert_msg(seen[i], "name %u is missing", i);
    name_list_free(&list);
}
END_TEST

START_TEST(names_compare_as_paths)
{
    static const struct {
        const char *a;
        bool a_is_directory;
        const char *b;
        bool b_is_directory;
    } ordered[] = {{"a", false, "a-b", false}, {"a-b", false, "a", true}, {"a.b", true, "a", true},
                   {"a", true, "a0", false},   {"a", false, "a", true},   {"", false, "a", false}};
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        const char *a = ordered[i].a, *b = ordered[i].b;
        ck_assert_int_lt(scan_name_compare(a, strlen(a), ordered[i].a_is_directory, b, strlen(b),
                                           ordered[i].b_is_directory),
                         0);
        ck_assert_int_gt(scan_name_compare(b, strlen(b), ordered[i].b_is_directory, a, strlen(a),
                                           ordered[i].a_is_directory),
                         0);
    }
    ck_assert_int_eq(scan_name_compare("x", 1, true, "x", 1, true), 0);
}
END_TEST

START_TEST(a_batch_is_full_by_files_by_text_and_by_data)
{
    static struct tm_item item;
    size_t bytes = batch_input_bytes(&shape);
    struct item_view view = {.item = &item, .input = malloc(bytes)};
    char name[60000];
    memset(name, 'n', sizeof name);
    batch_clear(&view, &shape);
    for (int i = 0; i < BATCH_FILES_DEFAULT; i++)
        ck_assert_ptr_nonnull(batch_add(&view, &shape, "d/", 2, "f", 1, "att", 3, 10));
    ck_assert_ptr_null(batch_add(&view, &shape, "d/", 2, "f", 1, "", 0, 10));
    struct file_record *last = &batch_of(&view)->file[BATCH_FILES_DEFAULT - 1];
    ck_assert_str_eq(batch_path(&view, last), "d/f");
    ck_assert_mem_eq(view.input + last->attachment, "att", 3);
    ck_assert(last->flags & FILE_SAME_DIRECTORY);
    ck_assert(!(batch_of(&view)->file[0].flags & FILE_SAME_DIRECTORY));
    batch_clear(&view, &shape);
    ck_assert_ptr_nonnull(batch_add(&view, &shape, "", 0, "f", 1, "", 0, 65535));
    ck_assert_ptr_null(batch_add(&view, &shape, "", 0, "g", 1, "", 0, 64));
    batch_clear(&view, &shape);
    ck_assert_ptr_nonnull(batch_add(&view, &shape, "", 0, name, BATCH_PATH_MAX - 4096, "", 0, 1));
    ck_assert_ptr_null(batch_add(&view, &shape, "", 0, name, BATCH_PATH_MAX, "", 0, 1));
    free(view.input);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("walk");
    TCase *tests = tcase_create("walk");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, order_does_not_depend_on_memory_or_model);
    tcase_add_loop_test(tests, with_every_chunk_files_are_sent_one_after_another, 0, 4);
    tcase_add_test(tests, the_upper_bound_moves_with_the_text);
    tcase_add_test(tests, names_compare_as_paths);
    tcase_add_test(tests, a_batch_is_full_by_files_by_text_and_by_data);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
