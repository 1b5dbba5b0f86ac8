/* Stress of pipeline/queue.c: items go round between threads, and between processes that are
 * killed, and each must be where it should be exactly once.
 *
 *   queue_stress [ITEMS [SEED [KILLS]]]      default: 300,000 items, 200 kills
 *
 * The long form is `queue_stress 10000000 1 2000`, under ThreadSanitizer too (without kills there).
 * Built with -DQUEUE_FAULT=N, the queue has seeded fault N, and this program must fail: see
 * faults.sh.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "pipeline/arena.h"
#include "pipeline/crash.h"
#include "pipeline/queue.h"
#include "tests/stress/harness.h"

#define ITEMS   64
#define STREAMS 8

/* Shared by threads and processes. */

struct world {
    struct tm_arena arena;
    struct tm_item *items;
    struct tm_stream *streams;
    struct tm_queue free_items, work, done;
    /* Not atomic on purpose: only who holds an item touches its entry, and the queue alone orders
     * one holder after the other. ThreadSanitizer sees it when that is not so. */
    uint64_t *payload;
    uint64_t *stream_position;
    struct crash_plan *plan;
};

static struct world world;

static struct tm_queue make_queue(uint8_t id, uint32_t capacity, bool keyed)
{
    struct tm_queue queue = {
        .state = arena_take(&world.arena, sizeof(struct queue_state), CACHE_LINE_BYTES),
        .items = world.items,
        .item_count = ITEMS,
        .streams = keyed ? world.streams : NULL,
        .stream_count = keyed ? STREAMS : 0,
    };
    queue_init(&queue, id, capacity, keyed);
    return queue;
}

static void make_world(uint32_t items, uint32_t capacity, bool keyed)
{
    arena_destroy(&world.arena);
    CHECK(arena_create(&world.arena, 1 << 20, ARENA_SHARED) == 0);
    world.items = arena_take(&world.arena, ITEMS * sizeof *world.items, CACHE_LINE_BYTES);
    world.streams = arena_take(&world.arena, STREAMS * sizeof *world.streams, CACHE_LINE_BYTES);
    world.payload = arena_take(&world.arena, ITEMS * sizeof *world.payload, CACHE_LINE_BYTES);
    world.stream_position =
        arena_take(&world.arena, STREAMS * sizeof *world.stream_position, CACHE_LINE_BYTES);
    world.plan = arena_take(&world.arena, sizeof *world.plan, CACHE_LINE_BYTES);
    world.free_items = make_queue(0, ITEMS, false);
    world.work = make_queue(1, capacity, keyed);
    world.done = make_queue(2, ITEMS, false);
    /* Items beyond `items` belong to nobody. */
    for (uint32_t i = 0; i < ITEMS; i++)
        atomic_store(&world.items[i].word,
                     item_word_pack((struct item_word){ITEM_OWNED, 0, WORKER_MAIN, 0}));
    for (uint32_t i = 0; i < items; i++)
        CHECK(queue_put(&world.free_items, i) == QUEUE_OK);
}

static const struct take_policy first = {.order = TAKE_FIRST};

/* Flow: producers and consumers. */

static _Atomic uint64_t to_produce, consumed, sum_in, sum_out;

static void *produce(void *argument)
{
    uint16_t worker = (uint16_t)(uintptr_t)argument;
    uint32_t item;
    for (;;) {
        uint64_t number = atomic_fetch_sub(&to_produce, 1);
        if ((int64_t)number <= 0)
            break;
        if (queue_take(&world.free_items, worker, first, &item) != QUEUE_OK)
            break;
        CHECK(world.payload[item] == 0);
        world.payload[item] = number;
        world.items[item].sequence = number;
        atomic_fetch_add_explicit(&sum_in, number, memory_order_relaxed);
        CHECK(queue_put(&world.work, item) == QUEUE_OK);
        get_on();
    }
    return NULL;
}

static void *consume(void *argument)
{
    uint16_t worker = (uint16_t)(uintptr_t)argument;
    uint32_t item;
    while (queue_take(&world.work, worker, first, &item) == QUEUE_OK) {
        struct item_word word = item_word_load(&world.items[item]);
        CHECK(word.state == ITEM_OWNED && word.worker == worker);
        CHECK(world.payload[item] != 0);
        atomic_fetch_add_explicit(&sum_out, world.payload[item], memory_order_relaxed);
        world.payload[item] = 0;
        CHECK(queue_count(&world.work) <= world.work.state->capacity);
        atomic_fetch_add_explicit(&consumed, 1, memory_order_relaxed);
        CHECK(queue_put(&world.free_items, item) == QUEUE_OK);
        get_on();
    }
    return NULL;
}

static void flow(uint64_t count, uint32_t items, uint32_t capacity, unsigned producers,
                 unsigned consumers)
{
    pthread_t producer[8], consumer[8];
    make_world(items, capacity, false);
    atomic_store(&to_produce, count);
    atomic_store(&consumed, 0);
    atomic_store(&sum_in, 0);
    atomic_store(&sum_out, 0);
    for (unsigned i = 0; i < consumers; i++)
        CHECK(pthread_create(&consumer[i], NULL, consume, (void *)(uintptr_t)(20 + i)) == 0);
    for (unsigned i = 0; i < producers; i++)
        CHECK(pthread_create(&producer[i], NULL, produce, (void *)(uintptr_t)(1 + i)) == 0);
    for (unsigned i = 0; i < producers; i++)
        pthread_join(producer[i], NULL);
    queue_finish_send(&world.work);
    for (unsigned i = 0; i < consumers; i++)
        pthread_join(consumer[i], NULL);
    CHECK(atomic_load(&consumed) == count);
    CHECK(atomic_load(&sum_in) == atomic_load(&sum_out));
    CHECK(queue_count(&world.free_items) == items);
}

/* Close: everybody who sleeps must leave. */

static void *take_until_end(void *argument)
{
    uint32_t item;
    CHECK(queue_take(&world.work, (uint16_t)(uintptr_t)argument, first, &item) == QUEUE_END);
    get_on();
    return NULL;
}

static void *put_until_closed(void *argument)
{
    uint32_t item = (uint32_t)(uintptr_t)argument;
    CHECK(queue_put(&world.work, item) == QUEUE_CLOSED);
    CHECK(item_word_load(&world.items[item]).state == ITEM_OWNED);
    get_on();
    return NULL;
}

static void closing(unsigned rounds, uint64_t *random)
{
    for (unsigned round = 0; round < rounds; round++) {
        pthread_t thread[4];
        bool full = round % 2;
        make_world(0, 1, false);
        if (full)
            CHECK(queue_put(&world.work, 0) == QUEUE_OK);
        for (uintptr_t i = 0; i < 4; i++)
            CHECK(pthread_create(&thread[i], NULL, full ? put_until_closed : take_until_end,
                                 (void *)(i + 1)) == 0);
        usleep((useconds_t)(next_random(random) % 400));
        if (full)
            queue_finish_receive(&world.work);
        else
            queue_finish_send(&world.work);
        for (unsigned i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
    }
}

/* Streams: chunks of one stream in order, each stream by one worker at a time. */

static void *consume_keyed(void *argument)
{
    uint16_t worker = (uint16_t)(uintptr_t)argument;
    uint32_t index;
    while (queue_take(&world.work, worker, first, &index) == QUEUE_OK) {
        const struct tm_item *item = &world.items[index];
        if (item->stream) {
            uint64_t *position = &world.stream_position[item->stream - 1];
            CHECK(*position == item->chunk);
            *position = item->last ? 0 : item->chunk + 1;
        }
        CHECK(queue_put(&world.free_items, index) == QUEUE_OK);
        get_on();
    }
    return NULL;
}

/* Shuffles a few chunks, as readers of different speed do. */
static void put_shuffled(uint32_t *waiting, unsigned *count, unsigned keep, uint64_t *random)
{
    while (*count > keep) {
        unsigned pick = (unsigned)(next_random(random) % *count);
        CHECK(queue_put(&world.work, waiting[pick]) == QUEUE_OK);
        waiting[pick] = waiting[--*count];
    }
}

static void keyed(uint64_t count, unsigned consumers, uint64_t *random)
{
    pthread_t consumer[8];
    uint32_t chunk[STREAMS] = {0}, waiting[8];
    unsigned waiting_count = 0;
    make_world(ITEMS, ITEMS, true);
    for (unsigned i = 0; i < consumers; i++)
        CHECK(pthread_create(&consumer[i], NULL, consume_keyed, (void *)(uintptr_t)(20 + i)) == 0);
    for (uint64_t number = 0; number < count; number++) {
        uint32_t index;
        if (queue_try_take(&world.free_items, WORKER_MAIN, first, &index) != QUEUE_OK) {
            /* What is held back here may be what all consumers wait for. */
            put_shuffled(waiting, &waiting_count, 0, random);
            CHECK(queue_take(&world.free_items, WORKER_MAIN, first, &index) == QUEUE_OK);
        }
        struct tm_item *item = &world.items[index];
        /* At most as many unfinished streams as consumers, as the graph's sources keep it. */
        unsigned stream = (unsigned)(next_random(random) % consumers);
        bool loose = next_random(random) % 4 == 0;
        item->sequence = number;
        item->stream = loose ? 0 : stream + 1;
        item->chunk = loose ? 0 : chunk[stream]++;
        item->last = !loose && next_random(random) % 10 == 0;
        waiting[waiting_count++] = index;
        bool last = item->last;
        put_shuffled(waiting, &waiting_count, last ? 0 : 3, random);
        if (last) {
            /* A slot is used again when its stream is through. */
            while (queue_count(&world.free_items) != ITEMS)
                usleep(10);
            CHECK(atomic_load(&world.streams[stream].next) == chunk[stream]);
            chunk[stream] = 0;
            atomic_store(&world.streams[stream].next, 0);
        }
    }
    put_shuffled(waiting, &waiting_count, 0, random);
    queue_finish_send(&world.work);
    for (unsigned i = 0; i < consumers; i++)
        pthread_join(consumer[i], NULL);
    CHECK(queue_count(&world.free_items) == ITEMS);
}

/* Kills: worker processes take from `work` and put to `done`; they die at marked points and at
 * random. The main process is source, collector and supervisor at once. */

#define WORKERS 4

static pid_t worker_pid[WORKERS];

static void spawn(unsigned worker)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid) {
        worker_pid[worker] = pid;
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    crash_enable();
    uint32_t item;
    while (queue_take(&world.work, (uint16_t)worker, first, &item) == QUEUE_OK) {
        crash_point(CRASH_WORK);
        if (queue_put(&world.done, item) != QUEUE_OK)
            break;
    }
    _exit(0);
}

static void repair(unsigned worker)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct item_word word = item_word_load(&world.items[i]);
        if (word.state == ITEM_OWNED && word.worker == worker)
            queue_requeue(&world.work, i);
    }
    queue_recover(&world.work, (uint16_t)worker);
    queue_recover(&world.done, (uint16_t)worker);
}

static unsigned alive(void)
{
    unsigned count = 0;
    for (unsigned w = 0; w < WORKERS; w++)
        count += worker_pid[w] != 0;
    return count;
}

/* A new worker finds by itself what the dead one should have woken somebody for. So that those
 * asleep are put to the test, `late` waits with the replacement until one worker is left. */
static void respawn(bool late)
{
    if (late && alive() > 1)
        return;
    for (unsigned w = 0; w < WORKERS; w++)
        if (!worker_pid[w])
            spawn(w);
}

/* Reaps the dead and makes good for them; returns how many there were. */
static unsigned reap(void)
{
    unsigned dead = 0;
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned w = 0; w < WORKERS; w++)
            if (worker_pid[w] == pid) {
                CHECK(WIFSIGNALED(status));
                worker_pid[w] = 0;
                repair(w);
                dead++;
            }
    return dead;
}

static void hurt_somebody(uint64_t *random)
{
    uint64_t kind = next_random(random);
    pid_t victim = worker_pid[(kind >> 8) % WORKERS];
    if (kind % 3 == 0 && victim) {
        kill(victim, SIGKILL);
        return;
    }
    unsigned point = (unsigned)((kind >> 8) % CRASH_POINT_COUNT);
    atomic_store(&world.plan->countdown[point], 1 + (uint32_t)((kind >> 32) % 50));
}

static uint64_t kills(unsigned wanted, uint32_t items, uint32_t capacity, uint64_t *random)
{
    make_world(items, capacity, false);
    crash_set_plan(world.plan);
    respawn(false);
    uint64_t sent = 0, received = 0, sequence = 0;
    unsigned dead = 0;
    while (dead < wanted || received < sent) {
        uint32_t index;
        dead += reap();
        respawn(items == 1);
        if (dead < wanted && queue_count(&world.work) < capacity &&
            queue_try_take(&world.free_items, WORKER_MAIN, first, &index) == QUEUE_OK) {
            world.payload[index]++;
            world.items[index].sequence = sequence++;
            CHECK(world.payload[index] == 1);
            /* With a single item the put wakes one sleeper, and nothing is put until that item is
             * through: killing who was woken loses the wake-up unless the repair makes it good. */
            bool alone = items == 1 && next_random(random) % 2 == 0;
            if (alone)
                atomic_store(&world.plan->countdown[CRASH_TAKE_WOKEN], 1);
            CHECK(queue_put(&world.work, index) == QUEUE_OK);
            sent++;
            get_on();
            if (!alone && next_random(random) % (items == 1 ? 4 : 40) == 0)
                hurt_somebody(random);
        }
        if (queue_try_take(&world.done, WORKER_MAIN, first, &index) == QUEUE_OK) {
            /* Twice in `done`, or once while still elsewhere: the payload would not be 1. */
            CHECK(world.payload[index] == 1);
            world.payload[index] = 0;
            CHECK(queue_put(&world.free_items, index) == QUEUE_OK);
            received++;
            get_on();
        }
    }
    CHECK(sent == received);
    CHECK(queue_count(&world.free_items) == items);
    queue_finish_receive(&world.work);
    crash_set_plan(NULL);
    for (unsigned w = 0; w < WORKERS; w++) {
        if (!worker_pid[w])
            continue;
        kill(worker_pid[w], SIGKILL);
        waitpid(worker_pid[w], NULL, 0);
        worker_pid[w] = 0;
    }
    return received;
}

static bool has_thread_sanitizer(void)
{
#if defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

int main(int argc, char **argv)
{
    uint64_t items = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    uint64_t random = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 1;
    unsigned wanted = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 200;
    const char *seconds = getenv("WATCHDOG_SECONDS");
    if (seconds)
        watchdog_seconds = (unsigned)strtoul(seconds, NULL, 10);
    static const struct {
        uint32_t items, capacity;
        unsigned producers, consumers;
        unsigned percent; /* of all items; where each hand-over is a sleep, fewer are enough */
    } shapes[] = {{1, 1, 1, 1, 1}, {1, 1, 2, 2, 1},  {2, 1, 2, 3, 1},
                  {3, 2, 3, 3, 2}, {8, 4, 2, 2, 10}, {64, 64, 4, 4, 65}};
    uint64_t killed_items = 0;

    /* Processes first: forking is for single-threaded programs. */
    running_mode = "kills";
    if (has_thread_sanitizer())
        wanted = 0;
    alarm_watchdog(true);
    for (unsigned round = 0; wanted && round < 4; round++)
        killed_items +=
            kills(wanted / 4, (uint32_t[]){32, 4, 1, 1}[round], round % 2 ? 1 : 32, &random);
    alarm_watchdog(false);
    make_world(0, 1, false);
    start_watchdog();
    running_mode = "closing";
    closing(300, &random);
    running_mode = "keyed";
    for (unsigned consumers = 1; consumers <= 4; consumers++)
        keyed(items / 20, consumers, &random);
    running_mode = "flow";
    for (unsigned s = 0; s < sizeof shapes / sizeof *shapes; s++)
        flow(items * shapes[s].percent / 100, shapes[s].items, shapes[s].capacity,
             shapes[s].producers, shapes[s].consumers);
    printf("queue_stress: %llu items between threads, %llu between processes with %u kills: "
           "0 lost, 0 doubled, no hang%s\n",
           (unsigned long long)items, (unsigned long long)killed_items, wanted,
           has_thread_sanitizer() ? " (no kills: processes under ThreadSanitizer)" : "");
    return 0;
}
