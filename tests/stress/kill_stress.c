/* Stress of the whole engine: a graph of worker processes, killed at random and at marked points,
 * while items, single ones and streams, go through three stages.
 *
 *   kill_stress [KILLS [AT-POINTS [SEED [ENGINE]]]]     default: 300 random kills, 100 at marked
 *                                                       points, blocking I/O
 *
 * The long form is `kill_stress 9000 1000`. ENGINE: sync, uring or epoll; with the last two each
 * process is an event loop with several items in hand, reads and writes in flight. Checked: every
 * item reaches the sink exactly once and in order, with the right content, and is then written, by
 * the stage behind the order, to its place in a file, which has no hole and nothing wrong in the
 * end; the chunks of a stream are summed up in order by one worker or, after its death, marked as
 * broken by its follower (as the hash stage does); all credits are back at the end; nothing hangs.
 * Needs a build with TREEMILL_CRASH_POINTS for the second kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "pipeline/crash.h"
#include "pipeline/io.h"
#include "pipeline/graph_private.h"
#include "tests/stress/harness.h"

struct content {
    uint64_t number; /* of the item or stream, set by the source */
    uint64_t steps;  /* which stages have worked on it: a bit each */
    uint64_t sum;    /* stage 2: of a stream's chunk numbers, on its last chunk */
    bool broken;     /* stage 2: not all chunks were seen by this worker */
};

static struct content *content_of(const struct item_view *view)
{
    return (struct content *)view->input;
}

/* Stages may be run again after a death: their work can be repeated. */
static void mark_first(void *state, const struct item_view *view)
{
    (void)state;
    content_of(view)->steps |= 1;
}

struct summer {
    uint64_t number;
    uint32_t next;
    uint64_t sum;
    bool whole;
};

static int summer_open(void *job, void **state)
{
    (void)job;
    *state = calloc(1, sizeof(struct summer));
    return *state ? 0 : -ENOMEM;
}

static void sum_stream(void *state, const struct item_view *view)
{
    struct summer *summer = state;
    struct content *content = content_of(view);
    const struct tm_item *item = view->item;
    CHECK(content->steps & 1);
    content->steps |= 2;
    if (!item->stream)
        return;
    if (item->chunk == 0)
        *summer = (struct summer){.number = content->number, .whole = true};
    if (summer->number != content->number || summer->next != item->chunk)
        summer->whole = false;
    summer->number = content->number;
    summer->next = item->chunk + 1;
    summer->sum += item->chunk + 1;
    content->sum = summer->sum;
    content->broken = !summer->whole;
}

/* Two streams of one worker: nothing to do but to be in hand together when it is killed. */
static void together(void *const states[2], const struct item_view views[2])
{
    CHECK(states[0] != states[1] && views[0].item->stream != views[1].item->stream);
}

/* Reads this program itself, so that there are operations in flight. */
#define READ_BYTES  1024
#define READ_OFFSET 2048

static int reader_open(void *job, void **state)
{
    (void)job;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    *state = (void *)(intptr_t)(fd + 1); /* not NULL */
    return fd < 0 ? -errno : 0;
}

static void reader_close(void *state)
{
    close((int)(intptr_t)state - 1);
}

static bool read_and_mark(void *state, const struct item_view *view, struct io_chain *chain)
{
    if (!chain->count) {
        io_add(chain, (struct io_op){.code = IO_READ,
                                     .fd = (int)(intptr_t)state - 1,
                                     .data = view->input + READ_OFFSET,
                                     .size = READ_BYTES,
                                     .minimum = READ_BYTES});
        return true;
    }
    CHECK(chain->op[0].result == READ_BYTES);
    CHECK(memcmp(view->input + READ_OFFSET, "\177ELF", 4) == 0);
    memset(view->input + READ_OFFSET, 0, READ_BYTES); /* whoever writes here later is found out */
    mark_first(NULL, view);
    return false;
}

static const struct stage_ops first_stage = {
    .name = "read", .open = reader_open, .close = reader_close, .step = read_and_mark};
static const struct stage_ops second_stage = {.name = "hash",
                                              .keyed = true,
                                              .open = summer_open,
                                              .close = free,
                                              .run = sum_stream,
                                              .together = together};

/* Behind the order: every item's number + 1, at its place in a file. A write of a dead worker that
 * came to the file late, from a slab that holds another item by then, would show. */
static int written_fd;

static bool write_number(void *state, const struct item_view *view, struct io_chain *chain)
{
    uint64_t *copy = (uint64_t *)view->output;
    (void)state;
    if (!chain->count) {
        const struct content *content = content_of(view);
        CHECK(content->steps == 3);
        *copy = content->number + 1;
        io_add(chain, (struct io_op){.code = IO_WRITE,
                                     .fd = written_fd,
                                     .data = copy,
                                     .size = sizeof *copy,
                                     .offset = (off_t)(content->number * sizeof *copy)});
        return true;
    }
    CHECK(chain->op[0].result == sizeof *copy);
    *copy = UINT64_MAX;
    return false;
}

static const struct stage_ops third_stage = {.name = "write", .step = write_number};

static void check_written(uint64_t count)
{
    static uint64_t numbers[8192];
    for (uint64_t number = 0; number < count;) {
        ssize_t got = pread(written_fd, numbers, sizeof numbers, (off_t)(number * sizeof *numbers));
        CHECK(got > 0 && got % (ssize_t)sizeof *numbers == 0);
        for (size_t i = 0; i < (size_t)got / sizeof *numbers; i++)
            CHECK(numbers[i] == ++number);
    }
    CHECK(lseek(written_fd, 0, SEEK_END) == (off_t)(count * sizeof *numbers));
}

/* The sink. */

static struct {
    struct tm_graph *graph;
    _Atomic uint64_t delivered;
    uint64_t streams, broken;
} seen;

static int take_item(void *context, const struct item_view *view)
{
    const struct content *content = content_of(view);
    const struct tm_item *item = view->item;
    (void)context;
    CHECK(!fault_is_set(item->fault));
    CHECK(content->number == atomic_load(&seen.delivered)); /* in order: none lost, none doubled */
    CHECK(content->steps == 3);
    for (unsigned i = 0; i < READ_BYTES; i++)
        CHECK(view->input[READ_OFFSET + i] == 0);
    if (item->stream) {
        uint64_t chunks = item->chunk + 1;
        CHECK(item->last);
        CHECK(content->broken || content->sum == chunks * (chunks + 1) / 2);
        seen.streams++;
        seen.broken += content->broken;
        lane_stream_end(graph_lane(seen.graph, 0), item->stream);
    }
    atomic_fetch_add(&seen.delivered, 1);
    get_on();
    return 0;
}

/* The killer: its own thread in the main process. */

static struct {
    unsigned random_kills, point_kills; /* wanted */
    unsigned slots;
    struct crash_plan *plan;
    uint64_t random;
    _Atomic bool finished;
    unsigned killed;
} killer;

static unsigned deaths_at_points(void)
{
    unsigned deaths = 0;
    for (unsigned p = 0; p < CRASH_POINT_COUNT; p++)
        deaths += atomic_load(&killer.plan->deaths[p]);
    return deaths;
}

static void *kill_workers(void *unused)
{
    (void)unused;
    unsigned round = 0;
    while (killer.killed < killer.random_kills || deaths_at_points() < killer.point_kills) {
        usleep((useconds_t)(next_random(&killer.random) % 3000));
        if (deaths_at_points() < killer.point_kills && round++ % 2 == 0)
            /* All points in turn, at a random one of the next passes. */
            atomic_store(&killer.plan->countdown[round / 2 % CRASH_POINT_COUNT],
                         1 + (uint32_t)(next_random(&killer.random) % 20));
        const char *stage;
        int pid;
        unsigned number = (unsigned)(next_random(&killer.random) % killer.slots);
        if (killer.killed < killer.random_kills && graph_worker(seen.graph, number, &stage, &pid) &&
            pid > 0 && kill(pid, SIGKILL) == 0)
            killer.killed++;
    }
    for (unsigned p = 0; p < CRASH_POINT_COUNT; p++)
        atomic_store(&killer.plan->countdown[p], 0);
    atomic_store(&killer.finished, true);
    return NULL;
}

/* The source. */

static void acquire(struct tm_lane *lane, struct item_view *view)
{
    if (lane_acquire(lane, view) == 0)
        return;
    struct tm_fault fault = TM_NO_FAULT;
    const char *path = "";
    char text[128];
    graph_failure(seen.graph, &fault, &path);
    fault_text(fault, NULL, text, sizeof text);
    fprintf(stderr, "kill_stress: the job has failed after %u kills: %s: %s\n", killer.killed, path,
            text);
    _exit(1);
}

static void submit_stream(struct tm_lane *lane, uint64_t random)
{
    uint64_t number;
    uint32_t stream = lane_stream_begin(lane, &number);
    uint32_t chunks = 1 + (uint32_t)(random % 30);
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
        struct item_view view;
        acquire(lane, &view);
        *content_of(&view) = (struct content){.number = number};
        view.item->stream = stream;
        view.item->chunk = chunk;
        view.item->last = chunk + 1 == chunks;
        CHECK(lane_submit_chunk(lane, &view, number) == 0);
    }
}

static uint64_t run_source(struct tm_lane *lane)
{
    uint64_t count = 0;
    while (!atomic_load(&killer.finished)) {
        uint64_t random = next_random(&killer.random);
        if (random % 16 == 0) {
            submit_stream(lane, random >> 8);
        } else {
            struct item_view view;
            acquire(lane, &view);
            *content_of(&view) = (struct content){.number = count};
            CHECK(lane_submit(lane, &view) == 0);
        }
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_THREAD__)
    puts("kill_stress: skipped: ThreadSanitizer does not follow forked workers");
    return 77;
#endif
    killer.random_kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 300;
    killer.point_kills = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) | 1 : 1;
    killer.random = seed;
    enum io_kind io = IO_SYNC;
    for (enum io_kind kind = IO_URING; argc > 4 && kind < IO_KIND_COUNT; kind++)
        if (strcmp(argv[4], io_kind_name(kind)) == 0)
            io = kind;
    char why[128];
    if (io != IO_SYNC && io_engine(io)->probe(why, sizeof why) < 0) {
        printf("kill_stress: skipped: %s: %s\n", argv[4], why);
        return 77;
    }
    unsigned depth = io == IO_SYNC ? 0 : 3;
#ifndef TREEMILL_CRASH_POINTS
    killer.point_kills = 0;
#endif
    running_mode = "kill_stress";
    struct tm_arena arena;
    CHECK(arena_create(&arena, sizeof *killer.plan, ARENA_SHARED) == 0);
    killer.plan = arena_take(&arena, sizeof *killer.plan, CACHE_LINE_BYTES);
    crash_set_plan(killer.plan);

    struct graph_setup setup = {
        .lane_count = 1,
        .max_tries = 255, /* no item is to blame: it is always the killer */
        .lane[0] =
            {
                .stage = {{.ops = &first_stage,
                           .model = MODEL_PROCESSES,
                           .workers = 2,
                           .io = io,
                           .depth = depth},
                          {.ops = &second_stage,
                           .model = MODEL_PROCESSES,
                           .workers = 3,
                           .io = io,
                           .depth = depth,
                           .paired = true},
                          {.ops = &third_stage,
                           .model = MODEL_PROCESSES,
                           .workers = 2,
                           .io = io,
                           .depth = depth,
                           .after_order = true}},
                .stage_count = 3,
                .items = 24,
                .input_bytes = 4096,
                .output_bytes = 64,
                .sink = take_item,
                .ordered = true,
            },
    };
    written_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(written_fd >= 0);
    time_t begun = time(NULL);
    CHECK(graph_create(&setup, &seen.graph) == 0);
    CHECK(graph_start(seen.graph) == 0);
    killer.slots = seen.graph->slot_count;
    start_watchdog();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, kill_workers, NULL) == 0);
    struct tm_lane *lane = graph_lane(seen.graph, 0);
    uint64_t count = run_source(lane);
    pthread_join(thread, NULL);
    lane_finish(lane);
    while (queue_count(&lane->pool) < setup.lane[0].items) /* or the watchdog ends it */
        usleep(1000);
    CHECK(atomic_load(&seen.delivered) == count);
    graph_finish(seen.graph);
    check_written(count);
    struct tm_fault fault;
    const char *path;
    CHECK(!graph_failure(seen.graph, &fault, &path));
    printf("kill_stress: %u random kills, %u at marked points, %llu items (%llu streams, %llu "
           "begun again), %ld s: 0 lost, 0 doubled, no hang\n",
           killer.killed, deaths_at_points(), (unsigned long long)count,
           (unsigned long long)seen.streams, (unsigned long long)seen.broken,
           (long)(time(NULL) - begun));
    graph_destroy(seen.graph);
    return 0;
}
