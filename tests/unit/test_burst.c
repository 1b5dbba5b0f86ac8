/* pipeline/burst: a thread that hands many chains of an item to the kernel at once. */
#include "pipeline/burst.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/graph.h"

#define ITEMS   40
#define FILES   24 /* of an item */
#define STRANDS 20 /* more than some bursts, fewer than others */

static char directory[] = "/tmp/treemill-test-burst-XXXXXX";

/* A stage that reads file 0 to FILES - 1 of the directory into the slab, a byte each; file 5 is not
 * there, and the chain of file 6 opens a directory, too. */
struct reading {
    unsigned next;
    unsigned together;
    struct {
        unsigned file;
        char path[32];
        struct statx status;
    } strand[STRANDS];
};

static struct {
    atomic_uint together_max; /* the most chains that were under way at once */
    atomic_uint missing;
} seen;

static int reading_open(void *job, void **state)
{
    (void)job;
    *state = calloc(1, sizeof(struct reading));
    return *state ? 0 : -ENOMEM;
}

static void results(struct reading *reading, const struct item_view *view,
                    const struct io_chain *chain)
{
    unsigned file = reading->strand[chain->strand].file;
    reading->together--;
    if (file == 5) {
        ck_assert_int_eq(chain->op[0].result, -ENOENT);
        ck_assert_int_eq(chain->op[1].result, -ECANCELED);
        view->input[file] = 0xee;
        atomic_fetch_add(&seen.missing, 1);
        return;
    }
    for (unsigned i = 0; i < chain->count; i++)
        ck_assert_int_ge(chain->op[i].result, 0);
    ck_assert_uint_eq(reading->strand[chain->strand].status.stx_size, file + 1);
}

static bool reading_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct reading *reading = state;
    ck_assert_uint_lt(chain->strand, STRANDS);
    if (chain->count)
        results(reading, view, chain);
    else if (chain->strand == 0)
        reading->next = reading->together = 0;
    chain->count = 0;
    if (reading->next == FILES)
        return false;
    unsigned file = reading->next++;
    reading->strand[chain->strand].file = file;
    snprintf(reading->strand[chain->strand].path, 32, "%u", file);
    if (file == 6) {
        io_add(chain, (struct io_op){.code = IO_OPEN,
                                     .dir = AT_FDCWD,
                                     .path = ".",
                                     .flags = O_PATH | O_DIRECTORY | O_CLOEXEC});
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    }
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = AT_FDCWD,
                                 .path = reading->strand[chain->strand].path,
                                 .flags = O_RDONLY | O_CLOEXEC});
    io_add(chain, (struct io_op){.code = IO_READ,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = view->input + file,
                                 .size = 1,
                                 .minimum = 1});
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = &reading->strand[chain->strand].status,
                                 .size = STATX_BASIC_STATS});
    io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    unsigned together = ++reading->together;
    if (together > atomic_load(&seen.together_max))
        atomic_store(&seen.together_max, together); /* one worker */
    return true;
}

static const struct stage_ops reading_stage = {
    .name = "read",
    .open = reading_open,
    .close = free,
    .step = reading_step,
    .strands = STRANDS,
};

static int sink(void *context, const struct item_view *view)
{
    for (unsigned file = 0; file < FILES; file++)
        ck_assert_int_eq(view->input[file], file == 5 ? 0xee : (int)('a' + file));
    ++*(unsigned *)context;
    return 0;
}

/* What one worker makes of all items. */
static void run(unsigned burst)
{
    struct tm_graph *graph;
    unsigned delivered = 0;
    struct graph_setup setup = {
        .lane_count = 1,
        .lane[0] = {.stage[0] = {.ops = &reading_stage,
                                 .model = MODEL_THREADS,
                                 .workers = 1,
                                 .burst = burst},
                    .stage_count = 1,
                    .items = 4,
                    .input_bytes = FILES,
                    .sink = sink,
                    .sink_context = &delivered},
    };
    atomic_store(&seen.together_max, 0);
    atomic_store(&seen.missing, 0);
    ck_assert_int_eq(graph_create(&setup, &graph), 0);
    ck_assert_int_eq(graph_start(graph), 0);
    struct tm_lane *lane = graph_lane(graph, 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        struct item_view view;
        ck_assert_int_eq(lane_acquire(lane, &view), 0);
        memset(view.input, 0, FILES);
        ck_assert_int_eq(lane_submit(lane, &view), 0);
    }
    lane_finish(lane);
    graph_finish(graph);
    struct stage_sample sample;
    lane_sample(lane, 0, &sample);
    ck_assert_uint_eq(delivered, ITEMS);
    ck_assert_uint_eq(atomic_load(&seen.missing), ITEMS);
    ck_assert_uint_eq(sample.depth, burst);
    ck_assert_int_eq(sample.hits + sample.misses > 0, burst > 0);
    graph_destroy(graph);
}

static void make_files(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    for (unsigned file = 0; file < FILES; file++) {
        char path[16];
        snprintf(path, sizeof path, "%u", file);
        if (file == 5)
            continue;
        FILE *out = fopen(path, "w");
        ck_assert_ptr_nonnull(out);
        for (unsigned i = 0; i <= file; i++)
            fputc((int)('a' + file), out);
        fclose(out);
    }
}

static void remove_files(void)
{
    for (unsigned file = 0; file < FILES; file++) {
        char path[16];
        snprintf(path, sizeof path, "%u", file);
        unlink(path);
    }
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(directory);
}

static bool has_ring(void)
{
    char why[128];
    return io_uring_engine.probe(why, sizeof why) == 0;
}

/* Or, for 0, one after another. */
static const unsigned bursts[] = {0, 1, 2, 7, 16, 32};

START_TEST(every_file_is_read_by_bursts_of_any_size)
{
    unsigned burst = bursts[_i], strands = burst < STRANDS ? burst : STRANDS;
    if (burst && !has_ring())
        return;
    make_files();
    run(burst);
    ck_assert_uint_eq(atomic_load(&seen.together_max), strands ? strands : 1);
    remove_files();
}
END_TEST

START_TEST(what_it_is_worth_is_measured)
{
    char path[PATH_MAX] = "";
    ck_assert_int_gt(readlink("/proc/self/exe", path, sizeof path - 1), 0);
    ck_assert_int_eq(burst_measure(path, 16) > 0, has_ring());
    ck_assert_uint_eq(burst_measure("/nonexistent", 16), 0);
    ck_assert_uint_eq(burst_measure("/proc/self", 16), 0); /* cannot be read */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("burst");
    TCase *cases = tcase_create("burst");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_file_is_read_by_bursts_of_any_size, 0,
                        (int)(sizeof bursts / sizeof *bursts));
    tcase_add_test(cases, what_it_is_worth_is_measured);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
