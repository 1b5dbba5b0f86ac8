/* pipeline/graph: lanes with `every_chunk`. Bundles and all chunks of streams come to the sink, in
 * the order of their submission, under every model, and also when workers are killed. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/graph_private.h"
#include "tests/unit/graph_shapes.h"

/* Input slab. */
struct content {
    uint64_t file;  /* number of the file; chunks of one stream have the same */
    uint64_t place; /* in the order of submission */
    uint64_t value;
    uint64_t sum;
};

static struct content *content_of(const struct item_view *view)
{
    return (struct content *)view->input;
}

static void add_one(void *state, const struct item_view *view)
{
    const uint64_t *kill_at = state;
    if (*kill_at && content_of(view)->place == *kill_at)
        kill(getpid(), SIGKILL);
    content_of(view)->value = content_of(view)->place + 1;
}

static int keep_job(void *job, void **state)
{
    *state = job;
    return 0;
}

/* As the hash stage: what is known of a stream is the worker's, and lost when it dies. */
struct summer {
    uint64_t file, sum;
    uint32_t next;
};

static int summer_open(void *job, void **state)
{
    (void)job;
    *state = calloc(1, sizeof(struct summer));
    return *state ? 0 : -ENOMEM;
}

#define SUM_UNKNOWN UINT64_MAX

static void sum_up(void *state, const struct item_view *view)
{
    struct summer *summer = state;
    struct content *content = content_of(view);
    const struct tm_item *item = view->item;
    if (!item->stream) {
        content->sum = content->value;
        return;
    }
    if (item->chunk == 0)
        *summer = (struct summer){.file = content->file};
    bool follows = summer->file == content->file && summer->next == item->chunk;
    summer->file = content->file;
    summer->sum =
        follows && summer->sum != SUM_UNKNOWN ? summer->sum + content->value : SUM_UNKNOWN;
    summer->next = item->chunk + 1;
    content->sum = summer->sum;
}

static void pass_on(void *state, const struct item_view *view)
{
    (void)state, (void)view;
}

static const struct stage_ops one = {.name = "one", .open = keep_job, .run = add_one};
static const struct stage_ops two = {
    .name = "two", .keyed = true, .open = summer_open, .close = free, .run = sum_up};
static const struct stage_ops three = {.name = "three", .run = pass_on};

struct job {
    struct tm_graph *graph;
    uint64_t kill_at; /* place of the item that kills its worker; 0: none */
    bool may_lose_sums;
    /* The sink's. */
    uint64_t delivered, faults, fault_place;
    uint64_t sum; /* of the stream so far */
};

static int sink(void *context, const struct item_view *view)
{
    struct job *job = context;
    const struct content *content = content_of(view);
    const struct tm_item *item = view->item;
    ck_assert_uint_eq(content->place, job->delivered);
    ck_assert_uint_eq(item->sequence, job->delivered);
    job->delivered++;
    job->sum = (item->stream && item->chunk ? job->sum : 0) + content->place + 1;
    if (fault_is_set(item->fault)) {
        job->faults++;
        job->fault_place = content->place;
    } else {
        ck_assert_uint_eq(content->value, content->place + 1);
        ck_assert(content->sum == job->sum || (job->may_lose_sums && content->sum == SUM_UNKNOWN));
    }
    if (item->stream && item->last)
        lane_stream_end(graph_lane(job->graph, 0), item->stream);
    return 0;
}

static void make(struct job *job, const struct shape *shape, unsigned max_tries)
{
    struct graph_setup setup = {
        .lane_count = 1,
        .max_tries = max_tries,
        .lane[0] = {.stage_count = 3,
                    .items = 10,
                    .input_bytes = 4096,
                    .output_bytes = 64,
                    .sink = sink,
                    .sink_context = job,
                    .ordered = true,
                    .every_chunk = true},
    };
    const struct stage_ops *ops[3] = {&one, &two, &three};
    for (int s = 0; s < 3; s++)
        setup.lane[0].stage[s] = (struct stage_setup){.ops = ops[s],
                                                      .job = s == 0 ? &job->kill_at : NULL,
                                                      .model = shape->model[s],
                                                      .workers = shape->workers[s],
                                                      .io = shape->io[s],
                                                      .depth = shape->depth[s],
                                                      .paired = s == 1 && shape->paired,
                                                      .fused = s == 1 && shape->fused};
    ck_assert_int_eq(graph_create(&setup, &job->graph), 0);
    ck_assert(lane_delivers_every_chunk(graph_lane(job->graph, 0)));
    ck_assert_uint_eq(lane_streams_max(graph_lane(job->graph, 0)), 1);
}

static void kill_some_worker(const struct tm_graph *graph, unsigned number)
{
    const char *stage;
    int pid;
    if (graph_worker(graph, number % graph->slot_count, &stage, &pid) && pid > 0)
        kill(pid, SIGKILL);
}

/* Sends `files` files, every third a stream, and kills a worker now and then. How many items. */
static uint64_t run_source(struct job *job, uint64_t files, bool kills)
{
    struct tm_lane *lane = graph_lane(job->graph, 0);
    uint64_t place = 0;
    for (uint64_t file = 0; file < files; file++) {
        uint64_t chunks = file % 3 == 0 ? 1 + file % 40 : 0, number = 0;
        uint32_t stream = chunks ? lane_stream_begin(lane, &number) : 0;
        if (stream)
            ck_assert_uint_eq(number, place);
        for (uint64_t chunk = 0; chunk < (chunks ? chunks : 1); chunk++) {
            struct item_view view;
            ck_assert_int_eq(lane_acquire(lane, &view), 0);
            *content_of(&view) = (struct content){.file = file, .place = place++};
            view.item->stream = stream;
            view.item->chunk = (uint32_t)chunk;
            view.item->last = chunk + 1 == chunks;
            ck_assert_int_eq(
                stream ? lane_submit_chunk(lane, &view, number) : lane_submit(lane, &view), 0);
            if (kills && place % 37 == 0)
                kill_some_worker(job->graph, (unsigned)(place / 37));
        }
    }
    lane_finish(lane);
    return place;
}

#define FILES 300

static void expect_all(struct job *job, uint64_t items)
{
    struct tm_fault fault;
    const char *path;
    graph_finish(job->graph);
    ck_assert(!graph_failure(job->graph, &fault, &path));
    ck_assert_uint_eq(job->delivered, items);
    graph_destroy(job->graph);
}

START_TEST(every_chunk_once_and_in_order)
{
    struct job job = {0};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i], 0);
    ck_assert_int_eq(graph_start(job.graph), 0);
    expect_all(&job, run_source(&job, FILES, false));
    ck_assert_uint_eq(job.faults, 0);
}
END_TEST

START_TEST(killed_workers_lose_nothing)
{
    struct job job = {.may_lose_sums = true};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i], 255);
    ck_assert_int_eq(graph_start(job.graph), 0);
    expect_all(&job, run_source(&job, FILES, true));
    ck_assert_uint_eq(job.faults, 0);
}
END_TEST

/* An inner chunk: it comes to the sink all the same, in its place, with its fault. */
START_TEST(a_chunk_that_kills_its_workers_comes_with_its_fault)
{
    struct job job = {.kill_at = 30, .may_lose_sums = true};
    static const struct shape shape = {
        {MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE}, {2, 2, 0}, false};
    if (!is_available(&shape))
        return;
    make(&job, &shape, 0);
    ck_assert_int_eq(graph_start(job.graph), 0);
    expect_all(&job, run_source(&job, FILES, false));
    ck_assert_uint_eq(job.faults, 1);
    ck_assert_uint_eq(job.fault_place, 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph_chunks");
    TCase *tests = tcase_create("graph_chunks");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_chunk_once_and_in_order, 0, SHAPES);
    tcase_add_loop_test(tests, killed_workers_lose_nothing, 0, SHAPES);
    tcase_add_test(tests, a_chunk_that_kills_its_workers_comes_with_its_fault);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
