/* stages/count: the same files and bytes as the walk finds, whatever is selected; stops when told.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/count.h"
#include "stages/links.h"
#include "stages/scan.h"
#include "stages/select.h"
#include "stages/walk.h"

static char tree[] = "/tmp/treemill-test-count-XXXXXX";
static const char *const operands[] = {"t", "t/a/x.c", "link-to-t", "t/fifo", "gone", "-", "t//a/"};

static void make_file(const char *path, size_t bytes)
{
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    close(fd);
}

/* 300,000 bytes of data at the end of 3 MB that are a hole. */
static void make_sparse_file(const char *path)
{
    static char data[300000];
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    memset(data, 'x', sizeof data);
    ck_assert_int_eq(pwrite(fd, data, sizeof data, 3000000), sizeof data);
    close(fd);
}

/* Links and a loop of them, a cache directory, a FIFO, files with holes and with several names, a
 * directory of many names, and one deeper than a path can be. */
static void make_tree(void)
{
    char name[300];
    ck_assert_ptr_nonnull(mkdtemp(tree));
    ck_assert_int_eq(chdir(tree), 0);
    mkdir("t", 0700), mkdir("t/a", 0700), mkdir("t/a/b", 0700), mkdir("t/cache", 0700);
    mkdir("t/cache/in", 0700), mkdir("t/many", 0700), mkdir("t/far", 0700), mkdir("t/empty", 0700);
    make_file("t/a/x.c", 1000), make_file("t/a/y.o", 70000), make_file("t/a/b/z.c", 3);
    make_file("t/cache/one", 5), make_file("t/cache/in/two", 7), make_file("t/large", 300000);
    make_sparse_file("t/sparse");
    ck_assert_int_eq(link("t/a/x.c", "t/a/b/x-again") + link("t/a/y.o", "t/y-again") +
                         link("t/sparse", "t/sparse-again") + link("t/sparse", "outside"),
                     0);
    FILE *tag = fopen("t/cache/CACHEDIR.TAG", "w");
    fputs("Signature: 8a477f597d28d172789f06886806bc55\n", tag);
    fclose(tag);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "t/many/name-%u", i);
        make_file(name, i % 10);
    }
    ck_assert_int_eq(symlink("..", "t/a/loop") + symlink("a/x.c", "t/alias") +
                         symlink("nowhere", "t/dangling") + symlink("t", "link-to-t"),
                     0);
    ck_assert_int_eq(mkfifo("t/fifo", 0600), 0);
    ck_assert_int_eq(chdir("t/far"), 0);
    memset(name, 'd', 240);
    name[240] = '\0';
    for (unsigned i = 0; i < 20; i++) {
        mkdir(name, 0700);
        ck_assert_int_eq(chdir(name), 0);
        make_file("deep.c", 11);
    }
    ck_assert_int_eq(chdir(tree), 0);
}

static void remove_tree(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", tree);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
}

/* The walk, as the reference. */

static int ignore_batch(void *context, const struct item_view *view)
{
    struct tm_graph **graph = context;
    if (batch_is_chunk(view) && view->item->last)
        lane_stream_end(graph_lane(*graph, 1), view->item->stream);
    return 0;
}

static void pass_on(void *state, const struct item_view *view)
{
    (void)state, (void)view;
}

static const struct stage_ops pass_stage = {.name = "pass", .run = pass_on};

static enum walk_next next_name(void *context, bool wait, struct walk_name *name)
{
    const char ***next = context;
    (void)wait;
    if (*next == (const char **)operands + sizeof operands / sizeof *operands)
        return WALK_END;
    *name = (struct walk_name){.text = **next,
                               .bytes = strlen(**next),
                               .attachment = "",
                               .is_standard_input = strcmp(**next, "-") == 0};
    ++*next;
    return WALK_NAME;
}

static const struct batch_shape shape = {
    .block_bytes = 65536, .files_max = BATCH_FILES_DEFAULT, .meta_bytes = 65536};

static void walk(const struct count_setup *how, struct walk_totals *totals)
{
    struct tm_graph *graph;
    const char **next = (const char **)operands;
    struct graph_setup setup = {
        .lane_count = 2,
        .lane[0] = {.stage = {{.ops = &scan_stage, .model = MODEL_INLINE}},
                    .stage_count = 1,
                    .items = 4,
                    .input_bytes = SCAN_INPUT_BYTES,
                    .output_bytes = SCAN_OUTPUT_BYTES},
        .lane[1] = {.stage = {{.ops = &pass_stage, .model = MODEL_INLINE}},
                    .stage_count = 1,
                    .items = 2,
                    .input_bytes = batch_input_bytes(&shape),
                    .output_bytes = 64,
                    .sink = ignore_batch,
                    .sink_context = &graph,
                    .ordered = true},
    };
    ck_assert_int_eq(graph_create(&setup, &graph), 0);
    ck_assert_int_eq(graph_start(graph), 0);
    struct walk_setup walk = {.graph = graph,
                              .scan_lane = graph_lane(graph, 0),
                              .data_lane = graph_lane(graph, 1),
                              .shape = shape,
                              .selection = how->selection,
                              .follow_links = how->follow_links,
                              .one_file_system = how->one_file_system,
                              .read_special = how->read_special,
                              .all_kinds = how->all_kinds,
                              .finds_links = how->links != NULL,
                              .finds_holes = how->finds_holes,
                              .directories_fail = how->directories_fail,
                              .left_out = how->left_out,
                              .left_out_count = how->left_out_count,
                              .next = next_name,
                              .context = &next,
                              .totals = totals};
    ck_assert_int_eq(walk_run(&walk), 0);
    graph_finish(graph);
    graph_destroy(graph);
}

static void select_by(struct selection *selection, unsigned way)
{
    if (way & 1)
        ck_assert_int_eq(selection_add_exclude(selection, "*.o", 3), 0);
    if (way & 2)
        ck_assert_int_eq(selection_add_exclude(selection, "a/b", 3), 0);
    if (way & 4)
        selection_set_exclude_caches(selection);
    if (way & 8)
        ck_assert_int_eq(selection_set_size_limits(selection, 2, 100000), 0);
    if (way & 16)
        ck_assert_int_eq(selection_add_include(selection, "*.c", 3), 0);
}

static struct walk_place place_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return (struct walk_place){.device = status.st_dev, .inode = status.st_ino};
}

START_TEST(counts_what_the_walk_finds)
{
    _Atomic bool stop = false;
    make_tree();
    const struct walk_place own[] = {place_of("t/large"), place_of("t/far")};
    for (unsigned way = 0; way < 512; way += way < 128 ? 1 : 5) {
        /* As create has it, with an output among its inputs; as compress without --recursive. */
        bool archives = way & 128, only_files = way & 256;
        struct walk_totals counted = {0}, walked = {0};
        struct selection *selection;
        ck_assert_int_eq(selection_create(&selection), 0);
        select_by(selection, way & 31);
        struct count_setup setup = {.selection = selection,
                                    .follow_links = way & 32,
                                    .one_file_system = way & 64,
                                    .read_special = way & 64,
                                    .all_kinds = archives,
                                    .links = archives ? links_create() : NULL,
                                    .finds_holes = archives,
                                    .directories_fail = only_files,
                                    .left_out = own,
                                    .left_out_count = archives ? 2 : 0,
                                    .totals = &counted,
                                    .stop = &stop};
        for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
            ck_assert(count_operand(&setup, operands[i]));
        walk(&setup, &walked);
        ck_assert_msg(counted.files == walked.files && counted.bytes == walked.bytes,
                      "way %u: %ju files, %ju bytes counted; %ju, %ju walked", way,
                      (uintmax_t)counted.files, (uintmax_t)counted.bytes, (uintmax_t)walked.files,
                      (uintmax_t)walked.bytes);
        ck_assert_uint_ge(walked.files, 2);
        ck_assert(only_files || walked.files > 3);
        selection_destroy(selection);
        links_destroy(setup.links);
    }
    remove_tree();
}
END_TEST

START_TEST(stops_when_told)
{
    _Atomic bool stop = true;
    struct walk_totals counted = {0};
    struct selection *selection;
    ck_assert_int_eq(selection_create(&selection), 0);
    struct count_setup setup = {.selection = selection, .totals = &counted, .stop = &stop};
    ck_assert(!count_operand(&setup, "/usr"));
    ck_assert_uint_eq(counted.files, 0);
    selection_destroy(selection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("count");
    TCase *tests = tcase_create("count");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, counts_what_the_walk_finds);
    tcase_add_test(tests, stops_when_told);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
