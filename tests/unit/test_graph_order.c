/* pipeline/graph: stages behind the order. The sink gives each item its place, the stages after it
 * fill that place, several at once, under every model; no place stays empty, whoever is killed. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/graph_private.h"
#include "tests/unit/graph_shapes.h"

#define COUNT 400

/* Shared by all processes; a "file" that is written by offset. */
struct record {
    _Atomic uint64_t written[COUNT]; /* by place: the item's number + 1 */
    _Atomic uint64_t finished[COUNT];
};

/* Input slab. */
struct content {
    uint64_t number;
    uint64_t place; /* from the sink */
};

static struct content *content_of(const struct item_view *view)
{
    return (struct content *)view->input;
}

#define NO_ITEM UINT64_MAX

struct job {
    struct tm_graph *graph;
    struct record *record;
    uint64_t front_fault_at;    /* number of the item that fails before the sink */
    uint64_t fault_at, kill_at; /* numbers of items that fail, or kill, behind the order */
    uint64_t fail_sink_at;      /* the sink fails at this one */
    uint64_t delivered, faults; /* the sink's */
};

static int keep_job(void *job, void **state)
{
    *state = job;
    return 0;
}

static void front(void *state, const struct item_view *view)
{
    const struct job *job = state;
    if (content_of(view)->number == job->front_fault_at)
        view->item->fault = fault_system(TM_OP_READ, EACCES);
}

static void put(void *state, const struct item_view *view)
{
    const struct job *job = state;
    const struct content *content = content_of(view);
    if (content->number == job->kill_at)
        kill(getpid(), SIGKILL);
    if (content->number == job->fault_at)
        view->item->fault = fault_system(TM_OP_WRITE, ENOSPC);
    atomic_store(&job->record->written[content->place], content->number + 1);
}

static void finish(void *state, const struct item_view *view)
{
    const struct job *job = state;
    const struct content *content = content_of(view);
    ck_assert_uint_eq(atomic_load(&job->record->written[content->place]), content->number + 1);
    atomic_store(&job->record->finished[content->place], 1);
}

static const struct stage_ops front_stage = {.name = "front", .open = keep_job, .run = front};
static const struct stage_ops put_stage = {.name = "put", .open = keep_job, .run = put};
static const struct stage_ops finish_stage = {.name = "finish", .open = keep_job, .run = finish};

/* From the end: so that places and numbers are not the same. */
static int sink(void *context, const struct item_view *view)
{
    struct job *job = context;
    struct content *content = content_of(view);
    ck_assert_uint_eq(view->item->sequence, job->delivered);
    if (fault_is_set(view->item->fault)) {
        ck_assert_uint_eq(content->number, job->front_fault_at);
        job->faults++;
    }
    content->place = COUNT - 1 - job->delivered++;
    if (view->item->stream && view->item->last)
        lane_stream_end(graph_lane(job->graph, 0), view->item->stream);
    return content->number == job->fail_sink_at ? -EIO : 0;
}

static struct stage_setup stage_of(const struct shape *shape, int s, const struct stage_ops *ops,
                                   struct job *job)
{
    return (struct stage_setup){.ops = ops,
                                .job = job,
                                .model = shape->model[s],
                                .workers = shape->workers[s],
                                .io = shape->io[s],
                                .depth = shape->depth[s],
                                .after_order = s > 0};
}

/* One stage before the order and two behind it; the last of them fused to the other if it can be.
 */
static struct graph_setup setup_of(const struct shape *shape, struct job *job, unsigned max_tries)
{
    struct graph_setup setup = {
        .lane_count = 1,
        .max_tries = max_tries,
        .lane[0] = {.stage = {stage_of(shape, 0, &front_stage, job),
                              stage_of(shape, 1, &put_stage, job),
                              stage_of(shape, 2, &finish_stage, job)},
                    .stage_count = 3,
                    .items = 10,
                    .input_bytes = 4096,
                    .output_bytes = 64,
                    .sink = sink,
                    .sink_context = job,
                    .ordered = true,
                    .every_chunk = true},
    };
    return setup;
}

/* False: the shape cannot be had here. */
static bool begin(struct job *job, const struct shape *shape, unsigned max_tries)
{
    if (!is_available(shape))
        return false;
    job->record =
        mmap(NULL, sizeof *job->record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(job->record, MAP_FAILED);
    struct graph_setup setup = setup_of(shape, job, max_tries);
    ck_assert_int_eq(graph_create(&setup, &job->graph), 0);
    ck_assert_int_eq(graph_start(job->graph), 0);
    return true;
}

static void kill_some_worker(const struct tm_graph *graph, unsigned number)
{
    const char *stage;
    int pid;
    if (graph_worker(graph, number % graph->slot_count, &stage, &pid) && pid > 0)
        kill(pid, SIGKILL);
}

/* COUNT items; every seventh begins a stream of up to six. 0 or -ECANCELED. */
static int run_source(struct job *job, bool kills)
{
    struct tm_lane *lane = graph_lane(job->graph, 0);
    uint32_t stream = 0, chunk = 0, chunks = 0;
    int error = 0;
    for (uint64_t number = 0; number < COUNT && !error; number++) {
        struct item_view view;
        uint64_t given = number;
        error = lane_acquire(lane, &view);
        if (error)
            break;
        if (number % 7 == 0) {
            stream = lane_stream_begin(lane, &given);
            chunk = 0;
            chunks = number + 6 < COUNT ? 1 + (uint32_t)(number / 7 % 6) : 1;
        }
        *content_of(&view) = (struct content){.number = number};
        view.item->stream = stream;
        view.item->chunk = chunk++;
        view.item->last = chunk == chunks;
        error = stream ? lane_submit_chunk(lane, &view, given) : lane_submit(lane, &view);
        stream = chunk < chunks ? stream : 0;
        if (kills && number % 10 == 0)
            kill_some_worker(job->graph, (unsigned)(number / 10));
    }
    lane_finish(lane);
    return error;
}

static void expect_no_hole(struct job *job)
{
    struct tm_fault fault;
    const char *path;
    graph_finish(job->graph);
    ck_assert(!graph_failure(job->graph, &fault, &path));
    ck_assert_uint_eq(job->delivered, COUNT);
    for (uint64_t place = 0; place < COUNT; place++) {
        ck_assert_uint_eq(atomic_load(&job->record->written[place]), COUNT - place);
        ck_assert_uint_eq(atomic_load(&job->record->finished[place]), 1);
    }
    graph_destroy(job->graph);
}

static void expect_failure(struct job *job, struct tm_fault expected)
{
    struct tm_fault fault;
    const char *path;
    graph_finish(job->graph);
    ck_assert(graph_failure(job->graph, &fault, &path));
    ck_assert_uint_eq(fault.kind, expected.kind);
    ck_assert_int_eq(fault.detail, expected.detail);
    ck_assert(graph_is_cancelled(job->graph));
    graph_destroy(job->graph);
}

static struct job no_trouble(void)
{
    return (struct job){.front_fault_at = NO_ITEM,
                        .fault_at = NO_ITEM,
                        .kill_at = NO_ITEM,
                        .fail_sink_at = NO_ITEM};
}

START_TEST(every_place_is_filled)
{
    struct job job = no_trouble();
    job.front_fault_at = 33; /* the sink's affair, not the job's */
    if (!begin(&job, &shapes[_i], 0))
        return;
    ck_assert_int_eq(run_source(&job, false), 0);
    expect_no_hole(&job);
    ck_assert_uint_eq(job.faults, 1);
}
END_TEST

START_TEST(every_place_is_filled_though_workers_are_killed)
{
    struct job job = no_trouble();
    if (!begin(&job, &shapes[_i], 255))
        return;
    ck_assert_int_eq(run_source(&job, true), 0);
    kill_some_worker(job.graph, 1); /* while it is finishing */
    kill_some_worker(job.graph, job.graph->slot_count - 1);
    expect_no_hole(&job);
}
END_TEST

/* Early, and as the very last of all. */
START_TEST(a_fault_behind_the_order_fails_the_job)
{
    struct job job = no_trouble();
    job.fault_at = _i % 2 ? 50 : COUNT - 1;
    if (!begin(&job, &shapes[_i / 2], 0))
        return;
    run_source(&job, false);
    expect_failure(&job, fault_system(TM_OP_WRITE, ENOSPC));
}
END_TEST

START_TEST(an_item_that_kills_its_workers_behind_the_order_fails_the_job)
{
    static const struct shape processes[] = {
        {{MODEL_THREADS, MODEL_PROCESSES, MODEL_INLINE}, {2, 2, 0}, false},
        {{MODEL_INLINE, MODEL_PROCESSES, MODEL_THREADS}, {0, 1, 2}, false},
        {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE},
         {1, 1, 0},
         false,
         {IO_SYNC, IO_EPOLL},
         {0, 4}},
    };
    struct job job = no_trouble();
    job.kill_at = _i % 2 ? 50 : COUNT - 1;
    if (!begin(&job, &processes[_i / 2], 0))
        return;
    run_source(&job, false);
    expect_failure(&job, (struct tm_fault){.kind = TM_FAULT_SIGNAL, .detail = SIGKILL});
}
END_TEST

START_TEST(the_sink_fails_the_job)
{
    struct job job = no_trouble();
    job.fail_sink_at = 100;
    if (!begin(&job, &shapes[_i], 0))
        return;
    ck_assert_int_eq(run_source(&job, false), -ECANCELED);
    expect_failure(&job, fault_system(TM_OP_WRITE, EIO));
    ck_assert_uint_eq(job.delivered, 101);
}
END_TEST

START_TEST(cancelling_ends_it)
{
    struct job job = no_trouble();
    if (!begin(&job, &shapes[_i], 0))
        return;
    run_source(&job, false);
    graph_cancel(job.graph);
    graph_finish(job.graph);
    graph_destroy(job.graph);
}
END_TEST

START_TEST(wrong_setups_are_refused)
{
    static const struct stage_ops keyed = {.name = "keyed", .keyed = true, .run = finish};
    struct job job = no_trouble();
    struct tm_graph *graph;
    struct graph_setup good = setup_of(&shapes[2], &job, 0), bad = good;
    ck_assert_int_eq(graph_create(&good, &graph), 0);
    graph_destroy(graph);
    bad.lane[0].stage[0].after_order = true; /* nothing before the order */
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[2].after_order = false; /* before it again */
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[1].ops = &keyed;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].every_chunk = false, bad.lane[0].sink = NULL;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[1].fused = true, bad.lane[0].stage[1].workers = 7;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph_order");
    TCase *tests = tcase_create("graph_order");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_place_is_filled, 0, SHAPES);
    tcase_add_loop_test(tests, every_place_is_filled_though_workers_are_killed, 0, SHAPES);
    tcase_add_loop_test(tests, a_fault_behind_the_order_fails_the_job, 0, 2 * SHAPES);
    tcase_add_loop_test(tests, an_item_that_kills_its_workers_behind_the_order_fails_the_job, 0, 6);
    tcase_add_loop_test(tests, the_sink_fails_the_job, 0, SHAPES);
    tcase_add_loop_test(tests, cancelling_ends_it, 0, SHAPES);
    tcase_add_test(tests, wrong_setups_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
