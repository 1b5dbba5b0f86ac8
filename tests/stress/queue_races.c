/* Races of pipeline/queue.c played move by move: what the random stress meets by luck is brought
 * about on purpose. Actors are processes that make one call each; the marked points of the queue
 * hold them there, or kill them there, as the scene asks.
 *
 *   queue_races        0: each scene went well; 1: a scene saw a loss, a doubling or a hang
 *
 * No clock decides what a hang is. A scene is settled when every actor that has not ended sleeps
 * in the kernel, and none has run between two looks: from then on nobody can wake anybody, so an
 * actor that has not got what it is owed never will. On a slow machine that takes longer to come
 * about, and is as true. (The alarm is for this program's own faults: it dies of it, status 142.)
 *
 * Built with -DQUEUE_FAULT=N the queue has seeded fault N, and a scene must see it: faults.sh.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "pipeline/arena.h"
#include "pipeline/crash.h"
#include "pipeline/queue.h"
#include "tests/stress/harness.h"

#define ITEMS   4
#define ACTORS  2
#define PENDING (-1)

enum order { PASS, HOLD, DIE }; /* DIE: the first who comes; the others pass */

/* In the arena. Written by the scene while the actors cannot see it change, or atomically. */
struct script {
    _Atomic uint32_t order[CRASH_POINT_COUNT];
    _Atomic uint32_t arrived[CRASH_POINT_COUNT]; /* how many are held there */
    _Atomic int result[ACTORS];                  /* enum queue_result of the actor's call */
    _Atomic uint32_t item[ACTORS];               /* what it took */
};

static struct tm_arena arena;
static struct tm_item *items;
static struct tm_queue work, done;
static struct script *script;
static pid_t actor_pid[ACTORS]; /* 0: reaped, or never there */
static bool is_actor;           /* the main process passes all points */

static const struct take_policy first = {.order = TAKE_FIRST};

/* Takes the place of crash.c. */
void crash_point(enum crash_point point)
{
    _Atomic uint32_t *order = &script->order[point];
    uint32_t die = DIE;
    if (!is_actor)
        return;
    if (atomic_compare_exchange_strong(order, &die, PASS)) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (atomic_load(order) == HOLD)
        atomic_fetch_add(&script->arrived[point], 1);
    while (atomic_load(order) == HOLD)
        event_wait(order, HOLD);
}

static void open_gate(enum crash_point point)
{
    atomic_store(&script->order[point], PASS);
    event_wake(&script->order[point], WAKE_ALL);
}

/* The scene. */

static struct tm_queue make_queue(uint8_t id, uint32_t capacity, struct tm_stream *streams)
{
    struct tm_queue queue = {
        .state = arena_take(&arena, sizeof(struct queue_state), CACHE_LINE_BYTES),
        .items = items,
        .item_count = ITEMS,
        .streams = streams,
        .stream_count = streams ? 1 : 0,
    };
    queue_init(&queue, id, capacity, streams != NULL);
    return queue;
}

/* All items are the main process's; item i is number i. */
static void begin(const char *name, uint32_t capacity, bool keyed)
{
    running_mode = name;
    arena_destroy(&arena);
    CHECK(arena_create(&arena, 1 << 16, ARENA_SHARED) == 0);
    items = arena_take(&arena, ITEMS * sizeof *items, CACHE_LINE_BYTES);
    script = arena_take(&arena, sizeof *script, CACHE_LINE_BYTES);
    struct tm_stream *streams =
        keyed ? arena_take(&arena, sizeof *streams, CACHE_LINE_BYTES) : NULL;
    work = make_queue(1, capacity, streams);
    done = make_queue(2, ITEMS, NULL);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].sequence = i;
        atomic_store(&items[i].word,
                     item_word_pack((struct item_word){ITEM_OWNED, 0, WORKER_MAIN, 0}));
    }
}

enum call { TAKE, PUT, TAKE_AND_PUT };

/* Actor `number` calls: takes from `work`, puts `item` to `work`, or takes and puts to `done`. */
static void act(unsigned number, enum call call, uint32_t item)
{
    pid_t parent = getpid();
    atomic_store(&script->result[number], PENDING);
    actor_pid[number] = fork();
    CHECK(actor_pid[number] >= 0);
    if (actor_pid[number])
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    is_actor = true;
    enum queue_result result = QUEUE_OK;
    if (call != PUT)
        result = queue_take(&work, (uint16_t)number, first, &item);
    if (call == PUT)
        result = queue_put(&work, item);
    if (call == TAKE_AND_PUT && result == QUEUE_OK)
        result = queue_put(&done, item);
    atomic_store(&script->item[number], item);
    atomic_store(&script->result[number], (int)result);
    _exit(0);
}

/* How often the process has left a processor so far, and whether it sleeps or has ended. */
static bool is_at_rest(pid_t pid, unsigned long *switches)
{
    char path[64], line[256], state = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    CHECK(file);
    *switches = 0;
    while (fgets(line, sizeof line, file)) {
        unsigned long number;
        sscanf(line, "State: %c", &state);
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &number) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %lu", &number) == 1)
            *switches += number;
    }
    fclose(file);
    return state == 'S' || state == 'Z';
}

/* Waits until nobody can move any more, as said above. */
static void settle(void)
{
    unsigned long last[ACTORS] = {0};
    unsigned same = 0;
    while (same < 2) {
        bool still = true;
        for (unsigned a = 0; a < ACTORS; a++) {
            unsigned long switches;
            if (!actor_pid[a])
                continue;
            still = is_at_rest(actor_pid[a], &switches) && switches == last[a] && still;
            last[a] = switches;
        }
        same = still ? same + 1 : 0;
        usleep(200);
    }
}

static bool is_dead(unsigned number)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)actor_pid[number], &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid && info.si_code == CLD_KILLED && info.si_status == SIGKILL;
}

/* What the supervisor does after a death. */
static void bury(unsigned number)
{
    CHECK(waitpid(actor_pid[number], NULL, 0) == actor_pid[number]);
    actor_pid[number] = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct item_word word = item_word_load(&items[i]);
        if (word.state == ITEM_OWNED && word.worker == number)
            queue_requeue(&work, i);
    }
    queue_recover(&work, (uint16_t)number);
    queue_recover(&done, (uint16_t)number);
}

static int result_of(unsigned number)
{
    return atomic_load(&script->result[number]);
}

static void end(void)
{
    for (unsigned a = 0; a < ACTORS; a++)
        if (actor_pid[a]) {
            kill(actor_pid[a], SIGKILL);
            waitpid(actor_pid[a], NULL, 0);
            actor_pid[a] = 0;
        }
}

/* main holds the lock | actor: put, waits for it        | nothing may have changed
 * main leaves it      | actor: changes the queue, ends  | */
static void lock_keeps_others_out(void)
{
    begin("a put waits for the lock", 2, false);
    CHECK(!lock_take(&work.state->lock));
    act(0, PUT, 0);
    settle();
    CHECK(item_word_load(&items[0]).state == ITEM_OWNED);
    CHECK(work.state->count == 0);
    lock_release(&work.state->lock);
    settle();
    CHECK(result_of(0) == QUEUE_OK);
    CHECK(queue_count(&work) == 1);
    end();
}

/* actor: take, empty, leaves the lock, held before it sleeps
 * main:  puts, wakes (nobody sleeps yet), lets the actor go     | it must see the change */
static void put_before_sleep(void)
{
    begin("a put between a taker's look and its sleep", 2, false);
    atomic_store(&script->order[CRASH_TAKE_ASLEEP], HOLD);
    act(0, TAKE, ITEM_NONE);
    settle();
    CHECK(atomic_load(&script->arrived[CRASH_TAKE_ASLEEP]) == 1);
    CHECK(queue_put(&work, 3) == QUEUE_OK);
    open_gate(CRASH_TAKE_ASLEEP);
    settle();
    CHECK(result_of(0) == QUEUE_OK);
    CHECK(atomic_load(&script->item[0]) == 3);
    end();
}

/* The same with a putter, who waits for room. */
static void take_before_sleep(void)
{
    uint32_t item;
    begin("a take between a putter's look and its sleep", 1, false);
    CHECK(queue_put(&work, 0) == QUEUE_OK);
    atomic_store(&script->order[CRASH_TAKE_ASLEEP], HOLD);
    act(0, PUT, 1);
    settle();
    CHECK(atomic_load(&script->arrived[CRASH_TAKE_ASLEEP]) == 1);
    CHECK(queue_try_take(&work, WORKER_MAIN, first, &item) == QUEUE_OK && item == 0);
    open_gate(CRASH_TAKE_ASLEEP);
    settle();
    CHECK(result_of(0) == QUEUE_OK);
    CHECK(queue_count(&work) == 1);
    end();
}

/* An actor takes and puts on, and dies at `point`: its item is in one queue afterwards, once, and
 * so is another one, which the main process holds meanwhile. */
static void death_at(enum crash_point point)
{
    uint32_t item;
    begin("a death at a marked point", ITEMS, false);
    CHECK(queue_put(&work, 0) == QUEUE_OK);
    CHECK(queue_take(&work, WORKER_MAIN, first, &item) == QUEUE_OK && item == 0);
    CHECK(queue_put(&work, 1) == QUEUE_OK);
    atomic_store(&script->order[point], DIE);
    act(0, TAKE_AND_PUT, ITEM_NONE);
    settle();
    CHECK(is_dead(0));
    bury(0);
    CHECK(queue_count(&work) + queue_count(&done) == 1);
    struct tm_queue *queue = queue_count(&work) ? &work : &done;
    CHECK(queue_try_take(queue, WORKER_MAIN, first, &item) == QUEUE_OK && item == 1);
    CHECK(queue_try_take(&work, WORKER_MAIN, first, &item) == QUEUE_EMPTY);
    CHECK(queue_try_take(&done, WORKER_MAIN, first, &item) == QUEUE_EMPTY);
    CHECK(queue_put(&work, 0) == QUEUE_OK && queue_put(&work, 1) == QUEUE_OK);
    end();
}

/* Both actors sleep when the queue ends: both must leave. */
static void ending_wakes_all(enum call call)
{
    begin(call == PUT ? "all putters leave a closed queue" : "all takers leave an ended queue", 1,
          false);
    if (call == PUT)
        CHECK(queue_put(&work, 3) == QUEUE_OK);
    act(0, call, 0);
    act(1, call, 1);
    settle();
    CHECK(result_of(0) == PENDING && result_of(1) == PENDING);
    if (call == PUT)
        queue_finish_receive(&work);
    else
        queue_finish_send(&work);
    settle();
    CHECK(result_of(0) == (call == PUT ? QUEUE_CLOSED : QUEUE_END));
    CHECK(result_of(1) == (call == PUT ? QUEUE_CLOSED : QUEUE_END));
    end();
}

static void chunks_in_order(void)
{
    uint32_t item;
    begin("chunks of a stream in their order", ITEMS, true);
    for (uint32_t i = 0; i < 2; i++) {
        items[i].stream = 1;
        items[i].chunk = 1 - i; /* item 0 is the second chunk */
    }
    CHECK(queue_put(&work, 0) == QUEUE_OK);
    CHECK(queue_try_take(&work, 0, first, &item) == QUEUE_EMPTY);
    CHECK(queue_put(&work, 1) == QUEUE_OK);
    CHECK(queue_try_take(&work, 0, first, &item) == QUEUE_OK && item == 1);
    CHECK(queue_try_take(&work, 1, first, &item) == QUEUE_EMPTY); /* the stream is worker 0's */
    CHECK(queue_try_take(&work, 0, first, &item) == QUEUE_OK && item == 0);
}

static void capacity_holds(void)
{
    uint32_t item;
    begin("a put waits while the queue is full", 1, false);
    CHECK(queue_put(&work, 0) == QUEUE_OK);
    act(0, PUT, 1);
    settle();
    CHECK(result_of(0) == PENDING && queue_count(&work) == 1);
    running_mode = "a put goes on when there is room";
    CHECK(queue_try_take(&work, WORKER_MAIN, first, &item) == QUEUE_OK && item == 0);
    settle();
    CHECK(result_of(0) == QUEUE_OK && queue_count(&work) == 1);
    end();
}

/* Both actors sleep | main puts two items before the first woken one has moved
 * two wake-ups, and neither actor may be left asleep beside an item. */
static void each_put_wakes(void)
{
    begin("two puts wake two takers", 2, false);
    act(0, TAKE, ITEM_NONE);
    act(1, TAKE, ITEM_NONE);
    settle();
    atomic_store(&script->order[CRASH_TAKE_WOKEN], HOLD);
    CHECK(queue_put(&work, 0) == QUEUE_OK);
    CHECK(queue_put(&work, 1) == QUEUE_OK);
    settle();
    open_gate(CRASH_TAKE_WOKEN);
    settle();
    CHECK(result_of(0) == QUEUE_OK && result_of(1) == QUEUE_OK);
    CHECK(atomic_load(&script->item[0]) + atomic_load(&script->item[1]) == 1);
    end();
}

/* Both actors sleep | main puts the only item, which wakes one: it dies of that
 * the wake-up died with it, so the repair must wake the other. */
static void death_of_the_woken(void)
{
    begin("a wake-up spent on the dead", 1, false);
    act(0, TAKE, ITEM_NONE);
    act(1, TAKE, ITEM_NONE);
    settle();
    atomic_store(&script->order[CRASH_TAKE_WOKEN], DIE);
    CHECK(queue_put(&work, 2) == QUEUE_OK);
    settle();
    CHECK(is_dead(0) != is_dead(1));
    unsigned dead = is_dead(0) ? 0 : 1;
    bury(dead);
    settle();
    CHECK(result_of(1 - dead) == QUEUE_OK);
    CHECK(atomic_load(&script->item[1 - dead]) == 2);
    end();
}

int main(void)
{
    alarm(120);
    lock_keeps_others_out();
    put_before_sleep();
    take_before_sleep();
    for (enum crash_point point = 0; point < CRASH_POINT_COUNT; point++)
        if (point <= CRASH_TAKE_UNLOCKED)
            death_at(point);
    ending_wakes_all(TAKE);
    ending_wakes_all(PUT);
    chunks_in_order();
    capacity_holds();
    each_put_wakes();
    death_of_the_woken();
    printf("queue_races: every scene went well\n");
    return 0;
}
