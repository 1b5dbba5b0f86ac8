/* stages/store: a file that the sink has divided among the items, written by every model. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/graph_private.h"
#include "stages/store.h"
#include "tests/unit/graph_shapes.h"

#define COUNT      500
#define BYTES_MAX  3000
#define DATA_OFFSET 64
#define DATA_BYTES (BYTES_MAX + DATA_OFFSET)

struct job {
    struct tm_graph *graph;
    struct store_job store;
    uint64_t end; /* of the file so far; the sink's */
    uint64_t delivered;
};

/* Some are empty. */
static uint32_t bytes_of(uint64_t number)
{
    return (uint32_t)(number % 9 ? number * 7919 % BYTES_MAX : 0);
}

static uint8_t byte_of(uint64_t number, uint32_t i)
{
    return (uint8_t)(number * 31 + i * 7);
}

static void fill(void *state, const struct item_view *view)
{
    uint64_t number = view->item->sequence;
    (void)state;
    for (uint32_t i = 0; i < bytes_of(number); i++)
        view->output[DATA_OFFSET + i] = byte_of(number, i);
}

static const struct stage_ops fill_stage = {.name = "fill", .run = fill};

static int sink(void *context, const struct item_view *view)
{
    struct job *job = context;
    uint32_t bytes = bytes_of(view->item->sequence);
    ck_assert(!fault_is_set(view->item->fault));
    *store_ticket_of(&job->store, view) =
        (struct store_ticket){.offset = job->end, .bytes = bytes, .slab_offset = DATA_OFFSET};
    job->end += bytes;
    job->delivered++;
    return 0;
}

/* The shape's first stage fills the slabs, its second one writes. False: not to be had. */
static bool run(struct job *job, const struct shape *shape, bool kills)
{
    if (!is_available(shape))
        return false;
    struct graph_setup setup = {
        .lane_count = 1,
        .max_tries = 255,
        .lane[0] = {.stage = {{.ops = &fill_stage,
                               .model = shape->model[0],
                               .workers = shape->workers[0],
                               .io = shape->io[0],
                               .depth = shape->depth[0]},
                              {.ops = &store_stage,
                               .job = &job->store,
                               .model = shape->model[1],
                               .workers = shape->workers[1],
                               .io = shape->io[1],
                               .depth = shape->depth[1],
                               .after_order = true}},
                    .stage_count = 2,
                    .items = 12,
                    .input_bytes = 64,
                    .output_bytes = DATA_BYTES,
                    .sink = sink,
                    .sink_context = job,
                    .ordered = true},
    };
    ck_assert_int_eq(graph_create(&setup, &job->graph), 0);
    ck_assert_int_eq(graph_start(job->graph), 0);
    struct tm_lane *lane = graph_lane(job->graph, 0);
    for (uint64_t number = 0; number < COUNT; number++) {
        struct item_view view;
        const char *stage;
        int pid;
        if (lane_acquire(lane, &view) < 0 || lane_submit(lane, &view) < 0)
            break;
        if (kills && number % 20 == 0 &&
            graph_worker(job->graph, (unsigned)number / 20 % job->graph->slot_count, &stage,
                         &pid) &&
            pid > 0)
            kill(pid, SIGKILL);
    }
    lane_finish(lane);
    graph_finish(job->graph);
    return true;
}

static int open_output(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static const char *const faults[] = {NULL, "short:2,eintr:3,again:5,cancel:7"};

START_TEST(the_file_has_every_byte_in_its_place)
{
    struct job job = {.store.fd = open_output()};
    struct tm_fault fault;
    const char *path;
    const char *injected = faults[_i / SHAPES];
    if (injected)
        setenv("TREEMILL_IO_FAULT", injected, 1);
    if (!run(&job, &shapes[_i % SHAPES], injected != NULL))
        return;
    ck_assert(!graph_failure(job.graph, &fault, &path));
    ck_assert_uint_eq(job.delivered, COUNT);
    graph_destroy(job.graph);
    ck_assert_int_eq(lseek(job.store.fd, 0, SEEK_END), (off_t)job.end);
    uint64_t offset = 0;
    for (uint64_t number = 0; number < COUNT; number++) {
        uint8_t found[BYTES_MAX];
        uint32_t bytes = bytes_of(number);
        ck_assert_int_eq(pread(job.store.fd, found, bytes, (off_t)offset), bytes);
        for (uint32_t i = 0; i < bytes; i++)
            if (found[i] != byte_of(number, i)) /* each assertion costs a system call */
                ck_abort_msg("item %u, byte %u", (unsigned)number, i);
        offset += bytes;
    }
    close(job.store.fd);
}
END_TEST

START_TEST(a_write_that_fails_fails_the_job)
{
    static const int errors[] = {ENOSPC, EIO, ENOSPC};
    struct job job = {.store.fd = _i % 3 == 2 ? open("/dev/full", O_WRONLY) : open_output()};
    struct tm_fault fault;
    const char *path;
#ifndef TREEMILL_CRASH_POINTS
    if (_i % 3 < 2)
        return;
#endif
    if (_i % 3 < 2)
        setenv("TREEMILL_IO_FAULT", _i % 3 ? "eio:20" : "enospc:20", 1);
    if (!run(&job, &shapes[_i / 3], false))
        return;
    ck_assert(graph_failure(job.graph, &fault, &path));
    ck_assert_uint_eq(fault.operation, TM_OP_WRITE);
    ck_assert_int_eq(fault.detail, errors[_i % 3]);
    graph_destroy(job.graph);
    close(job.store.fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("store");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_file_has_every_byte_in_its_place, 0, 2 * SHAPES);
    tcase_add_loop_test(tests, a_write_that_fails_fails_the_job, 0, 3 * SHAPES);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
