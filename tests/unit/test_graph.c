/* pipeline/graph: the same jobs under every model, and what happens when they go wrong. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/graph_private.h"
#include "tests/unit/graph_shapes.h"

struct content {
    uint64_t number;
    uint64_t value;
    uint64_t sum;
};

static struct content *content_of(const struct item_view *view)
{
    return (struct content *)view->input;
}

/* What a job's stages do, beside their arithmetic. Constant while it runs. */
struct behaviour {
    uint64_t kill_at; /* item whose first stage kills its worker; 0: none */
    uint64_t fail_at; /* item at which the second stage fails the job */
    bool refuse_open;
    struct tm_graph **graph;
};

static int keep_job(void *job, void **state)
{
    *state = job;
    return ((struct behaviour *)job)->refuse_open ? -ENOTSUP : 0;
}

static void add_one(void *state, const struct item_view *view)
{
    const struct behaviour *behaviour = state;
    if (behaviour->kill_at && content_of(view)->number == behaviour->kill_at)
        kill(getpid(), SIGKILL);
    content_of(view)->value = content_of(view)->number + 1;
}

struct summer {
    const struct behaviour *behaviour;
    uint64_t sum;
    uint32_t next;
    const struct tm_item *announced; /* by together() */
};

static int summer_open(void *job, void **state)
{
    struct summer *summer = calloc(1, sizeof *summer);
    summer->behaviour = job;
    *state = summer;
    return 0;
}

/* Streams are summed up in state that the worker keeps: a chunk in a wrong place shows. */
static void double_or_sum(void *state, const struct item_view *view)
{
    struct summer *summer = state;
    struct content *content = content_of(view);
    const struct tm_item *item = view->item;
    const struct behaviour *behaviour = summer->behaviour;
    bool is_announced = summer->announced == item || !summer->announced;
    summer->announced = NULL;
    if (behaviour->fail_at && content->number == behaviour->fail_at)
        graph_fail(*behaviour->graph, fault_system(TM_OP_HASH, EIO), "somewhere");
    if (!item->stream) {
        content->sum = content->value * 2;
        return;
    }
    if (item->chunk == 0)
        *summer = (struct summer){.behaviour = behaviour};
    summer->sum += summer->next == item->chunk && is_announced ? item->chunk : 1000000;
    summer->next = item->chunk + 1;
    content->sum = summer->sum;
}

/* Each state is that of its item's stream, and the streams are two. */
static void announce(void *const states[2], const struct item_view views[2])
{
    for (int i = 0; i < 2; i++) {
        struct summer *summer = states[i];
        bool is_next = views[i].item->chunk == 0 || summer->next == views[i].item->chunk;
        summer->announced = is_next && states[0] != states[1] &&
                                    views[0].item->stream != views[1].item->stream &&
                                    views[i].item->stream
                                ? views[i].item
                                : views[1 - i].item; /* which will be wrong */
    }
}

static void copy_out(void *state, const struct item_view *view)
{
    (void)state;
    memcpy(view->output, &content_of(view)->sum, sizeof(uint64_t));
}

static const struct stage_ops one = {.name = "one", .open = keep_job, .run = add_one};
static const struct stage_ops two = {.name = "two",
                                     .keyed = true,
                                     .open = summer_open,
                                     .close = free,
                                     .run = double_or_sum,
                                     .together = announce};
static const struct stage_ops three = {.name = "three", .run = copy_out};

struct job {
    struct behaviour behaviour;
    struct tm_graph *graph;
    uint64_t delivered, faults, fail_sink_at;
    struct tm_fault fault;
    uint64_t fault_number;
};

static uint64_t chunks_of(uint64_t number)
{
    return number % 5 == 0 ? 1 + number % 40 : 0;
}

static int sink(void *context, const struct item_view *view)
{
    struct job *job = context;
    const struct content *content = content_of(view);
    uint64_t sum;
    memcpy(&sum, view->output, sizeof sum);
    ck_assert_uint_eq(content->number, job->delivered);
    if (fault_is_set(view->item->fault)) {
        job->faults++;
        job->fault = view->item->fault;
        job->fault_number = content->number;
    } else if (view->item->stream) {
        uint64_t chunks = chunks_of(content->number);
        ck_assert_uint_eq(sum, chunks * (chunks - 1) / 2);
        lane_stream_end(graph_lane(job->graph, 0), view->item->stream);
    } else {
        ck_assert_uint_eq(sum, (content->number + 1) * 2);
    }
    job->delivered++;
    return job->fail_sink_at && job->delivered == job->fail_sink_at ? -ENOSPC : 0;
}

static void make(struct job *job, const struct shape *shape)
{
    struct graph_setup setup = {
        .lane_count = 1,
        .lane[0] = {.stage_count = 3,
                    .items = 10,
                    .input_bytes = 4096,
                    .output_bytes = 64,
                    .sink = sink,
                    .sink_context = job,
                    .ordered = true},
    };
    const struct stage_ops *ops[3] = {&one, &two, &three};
    job->behaviour.graph = &job->graph;
    for (int s = 0; s < 3; s++)
        setup.lane[0].stage[s] = (struct stage_setup){.ops = ops[s],
                                                      .job = &job->behaviour,
                                                      .model = shape->model[s],
                                                      .workers = shape->workers[s],
                                                      .io = shape->io[s],
                                                      .depth = shape->depth[s],
                                                      .burst = shape->burst,
                                                      .paired = s == 1 && shape->paired,
                                                      .fused = s == 1 && shape->fused};
    ck_assert_int_eq(graph_create(&setup, &job->graph), 0);
}

/* Sends `count` items, every fifth a stream. 0 or -ECANCELED. */
static int run_source(struct job *job, uint64_t count)
{
    struct tm_lane *lane = graph_lane(job->graph, 0);
    int error = 0;
    for (uint64_t number = 0; number < count && !error; number++) {
        uint64_t chunks = chunks_of(number), given = 0;
        uint32_t stream = chunks ? lane_stream_begin(lane, &given) : 0;
        for (uint64_t chunk = 0; chunk < (chunks ? chunks : 1) && !error; chunk++) {
            struct item_view view;
            error = lane_acquire(lane, &view);
            if (error)
                break;
            *content_of(&view) = (struct content){.number = number};
            view.item->stream = stream;
            view.item->chunk = (uint32_t)chunk;
            view.item->last = chunk + 1 == chunks;
            error = stream ? lane_submit_chunk(lane, &view, given) : lane_submit(lane, &view);
        }
        if (stream && !error)
            ck_assert_uint_eq(given, number);
    }
    lane_finish(lane);
    return error;
}

#define COUNT 500

START_TEST(every_item_once_and_in_order)
{
    const struct shape *shape = &shapes[_i];
    struct job job = {0};
    if (!is_available(shape))
        return;
    make(&job, shape);
    ck_assert_int_eq(graph_start(job.graph), 0);
    ck_assert_int_eq(run_source(&job, COUNT), 0);
    graph_finish(job.graph);
    ck_assert_uint_eq(job.delivered, COUNT);
    ck_assert_uint_eq(job.faults, 0);
    struct stage_sample sample;
    lane_sample(graph_lane(job.graph, 0), 0, &sample);
    ck_assert_uint_ge(sample.items, COUNT);
    struct tm_fault fault;
    const char *path;
    ck_assert(!graph_failure(job.graph, &fault, &path));
    graph_destroy(job.graph);
}
END_TEST

static void expect_failure(struct job *job, int error)
{
    struct tm_fault fault;
    const char *path;
    ck_assert(graph_failure(job->graph, &fault, &path));
    ck_assert_int_eq(fault.detail, error);
    ck_assert(graph_is_cancelled(job->graph));
    graph_destroy(job->graph);
}

START_TEST(a_stage_fails_the_job)
{
    struct job job = {.behaviour.fail_at = 77};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i]);
    ck_assert_int_eq(graph_start(job.graph), 0);
    run_source(&job, 100000);
    graph_finish(job.graph);
    ck_assert_uint_lt(job.delivered, 100000);
    expect_failure(&job, EIO);
}
END_TEST

START_TEST(the_sink_fails_the_job)
{
    struct job job = {.fail_sink_at = 50};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i]);
    ck_assert_int_eq(graph_start(job.graph), 0);
    ck_assert_int_eq(run_source(&job, 100000), -ECANCELED);
    graph_finish(job.graph);
    ck_assert_uint_eq(job.delivered, 50);
    expect_failure(&job, ENOSPC);
}
END_TEST

START_TEST(a_worker_that_cannot_open_fails_the_job)
{
    struct job job = {.behaviour.refuse_open = true};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i]);
    if (graph_start(job.graph) == 0) {
        run_source(&job, 100000);
        graph_finish(job.graph);
    }
    expect_failure(&job, ENOTSUP);
}
END_TEST

START_TEST(cancelling_ends_it)
{
    struct job job = {0};
    if (!is_available(&shapes[_i]))
        return;
    make(&job, &shapes[_i]);
    ck_assert_int_eq(graph_start(job.graph), 0);
    ck_assert_int_eq(run_source(&job, 30), 0);
    graph_cancel(job.graph);
    graph_finish(job.graph);
    ck_assert_uint_le(job.delivered, 30);
    graph_destroy(job.graph);
}
END_TEST

START_TEST(an_item_that_kills_its_workers_fails_alone)
{
    static const struct shape processes[] = {
        {{MODEL_PROCESSES, MODEL_THREADS, MODEL_INLINE}, {2, 2, 0}, false},
        {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE}, {1, 1, 0}, true},
        {{MODEL_PROCESSES, MODEL_THREADS, MODEL_INLINE}, {2, 2, 0}, false, {IO_URING}, {8}},
        {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE},
         {1, 1, 0},
         true,
         {IO_EPOLL, IO_EPOLL},
         {4, 4}},
    };
    struct job job = {.behaviour.kill_at = 21};
    if (!WITH_PROCESSES || !is_available(&processes[_i]))
        return;
    make(&job, &processes[_i]);
    ck_assert_int_eq(graph_start(job.graph), 0);
    ck_assert_int_eq(run_source(&job, COUNT), 0);
    graph_finish(job.graph);
    ck_assert_uint_eq(job.delivered, COUNT);
    ck_assert_uint_eq(job.faults, 1);
    ck_assert_uint_eq(job.fault_number, 21);
    ck_assert_uint_eq(job.fault.kind, TM_FAULT_SIGNAL);
    ck_assert_int_eq(job.fault.detail, SIGKILL);
    ck_assert_uint_eq(job.fault.stage, 0);
    struct stage_sample sample;
    lane_sample(graph_lane(job.graph, 0), 0, &sample);
    ck_assert_uint_eq(sample.restarts, 2);
    graph_destroy(job.graph);
}
END_TEST

static const uint64_t blamed = UINT64_MAX;

static void begin_anew(void *state, const struct item_view *view)
{
    (void)state;
    content_of(view)->value = content_of(view)->number;
}

static void die_unless_blamed(void *state, const struct item_view *view)
{
    struct content *content = content_of(view);
    if (content->number == ((struct behaviour *)state)->kill_at && content->value != blamed)
        kill(getpid(), SIGKILL);
    content->sum = (content->number + 1) * 2;
    memcpy(view->output, &content->sum, sizeof content->sum);
}

static bool take_blame(void *job, const struct item_view *view, struct tm_fault fault)
{
    (void)job;
    (void)fault;
    content_of(view)->value = blamed;
    return true;
}

/* The mark of blame() is gone when the first stage has begun the item again. */
START_TEST(an_item_begun_anew_is_not_tried_for_ever)
{
    static const struct stage_ops first = {.name = "one", .begins_anew = true, .run = begin_anew};
    static const struct stage_ops second = {
        .name = "two", .open = keep_job, .run = die_unless_blamed, .blame = take_blame};
    struct job job = {.behaviour.kill_at = 21};
    struct graph_setup setup = {.lane_count = 1,
                                .lane[0] = {.stage_count = 2,
                                            .items = 4,
                                            .input_bytes = 4096,
                                            .output_bytes = 64,
                                            .sink = sink,
                                            .sink_context = &job,
                                            .ordered = true}};
    const struct stage_ops *ops[2] = {&first, &second};
    if (!WITH_PROCESSES)
        return;
    for (int s = 0; s < 2; s++)
        setup.lane[0].stage[s] = (struct stage_setup){.ops = ops[s],
                                                      .job = &job.behaviour,
                                                      .model = MODEL_PROCESSES,
                                                      .workers = 1,
                                                      .fused = s == 1};
    ck_assert_int_eq(graph_create(&setup, &job.graph), 0);
    ck_assert_int_eq(graph_start(job.graph), 0);
    for (uint64_t number = 0; number < 40; number++) {
        struct item_view view;
        ck_assert_int_eq(lane_acquire(graph_lane(job.graph, 0), &view), 0);
        *content_of(&view) = (struct content){.number = number};
        ck_assert_int_eq(lane_submit(graph_lane(job.graph, 0), &view), 0);
    }
    lane_finish(graph_lane(job.graph, 0));
    graph_finish(job.graph);
    ck_assert_uint_eq(job.delivered, 40);
    ck_assert_uint_eq(job.faults, 1);
    ck_assert_uint_eq(job.fault_number, 21);
    ck_assert_uint_eq(job.fault.stage, 1);
    graph_destroy(job.graph);
}
END_TEST

START_TEST(without_its_nursery_a_job_fails)
{
    struct job job = {0};
    if (!WITH_PROCESSES)
        return;
    make(&job, &shapes[6]);
    ck_assert_int_eq(graph_start(job.graph), 0);
    run_source(&job, 10);
    kill(supervisor_nursery(job.graph->supervisor), SIGKILL);
    while (!graph_is_cancelled(job.graph))
        usleep(1000);
    graph_finish(job.graph);
    expect_failure(&job, ECHILD);
}
END_TEST

/* A lane without a sink: the source takes each item back, in any order. */
START_TEST(items_are_waited_for_one_by_one)
{
    static const enum model models[] = {MODEL_INLINE, MODEL_THREADS, MODEL_PROCESSES};
    struct behaviour behaviour = {0};
    struct graph_setup setup = {
        .lane_count = 1,
        .lane[0] = {.stage = {{.ops = &one, .job = &behaviour, .model = models[_i], .workers = 2}},
                    .stage_count = 1,
                    .items = 5,
                    .input_bytes = 4096,
                    .output_bytes = 64},
    };
    struct tm_graph *graph;
    struct item_view view[4], spare;
    if (models[_i] == MODEL_PROCESSES && !WITH_PROCESSES)
        return;
    ck_assert_int_eq(graph_create(&setup, &graph), 0);
    ck_assert_int_eq(graph_start(graph), 0);
    struct tm_lane *lane = graph_lane(graph, 0);
    for (int round = 0; round < 100; round++) {
        for (uint64_t i = 0; i < 4; i++) {
            ck_assert_int_eq(lane_try_acquire(lane, &view[i], 1), 0);
            *content_of(&view[i]) = (struct content){.number = i};
            ck_assert_int_eq(lane_submit(lane, &view[i]), 0);
        }
        ck_assert_int_eq(lane_try_acquire(lane, &spare, 1), -EAGAIN); /* one is kept back */
        for (uint64_t i = 4; i-- > 0;) {
            ck_assert_int_eq(lane_wait(lane, &view[i]), 0);
            ck_assert_uint_eq(content_of(&view[i])->value, i + 1);
            lane_release(lane, &view[i]);
        }
    }
    ck_assert_uint_eq(queue_count(&lane->pool), 5); /* every credit is back */
    lane_finish(lane);
    graph_finish(graph);
    graph_destroy(graph);
}
END_TEST

START_TEST(wrong_setups_are_refused)
{
    struct behaviour behaviour = {0};
    struct graph_setup good = {
        .lane_count = 1,
        .lane[0] = {.stage = {{&one, &behaviour, MODEL_THREADS, 2, false},
                              {&two, &behaviour, MODEL_THREADS, 2, true}},
                    .stage_count = 2,
                    .items = 5,
                    .input_bytes = 64,
                    .output_bytes = 64},
    };
    struct tm_graph *graph;
    ck_assert_int_eq(graph_create(&good, &graph), 0);
    graph_destroy(graph);
    struct graph_setup bad = good;
    bad.lane[0].items = 0;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[0].workers = 0;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[1].workers = 3; /* fused with another count */
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[0].fused = true; /* with nothing before it */
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].stage[0].workers = GRAPH_WORKERS_MAX + 1;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane[0].every_chunk = true; /* to no sink */
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    bad = good, bad.lane_count = 0;
    ck_assert_int_eq(graph_create(&bad, &graph), -EINVAL);
    graph_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_item_once_and_in_order, 0, SHAPES);
    tcase_add_loop_test(tests, a_stage_fails_the_job, 0, SHAPES);
    tcase_add_loop_test(tests, the_sink_fails_the_job, 0, SHAPES);
    tcase_add_loop_test(tests, a_worker_that_cannot_open_fails_the_job, 0, SHAPES);
    tcase_add_loop_test(tests, cancelling_ends_it, 0, SHAPES);
    tcase_add_loop_test(tests, an_item_that_kills_its_workers_fails_alone, 0, 4);
    tcase_add_test(tests, an_item_begun_anew_is_not_tried_for_ever);
    tcase_add_test(tests, without_its_nursery_a_job_fails);
    tcase_add_loop_test(tests, items_are_waited_for_one_by_one, 0, 3);
    tcase_add_test(tests, wrong_setups_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
