#include "pipeline/queue.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pipeline/crash.h"

/* tests/stress builds this file once for each seeded fault and expects the stress to find it. */
#ifndef QUEUE_FAULT
#define QUEUE_FAULT 0
#endif
#define SEEDED(fault) (QUEUE_FAULT == (fault))

/* Who is to be woken once the lock is left. */
struct wake {
    uint32_t takers;
    uint32_t putters;
    uint32_t bell_count;
    int bell_fd[QUEUE_BELLS_MAX];
};

void queue_init(struct tm_queue *queue, uint8_t id, uint32_t capacity, bool keyed)
{
    struct queue_state *state = queue->state;
    lock_init(&state->lock);
    state->id = id;
    state->keyed = keyed;
    state->capacity = capacity;
    state->head = ITEM_NONE;
    state->tail = ITEM_NONE;
    state->end_taken = UINT64_MAX;
    for (uint32_t s = 0; s < queue->stream_count; s++)
        queue->streams[s].owner = WORKER_NONE;
}

/* The list. */

static void link_item_locked(struct tm_queue *queue, uint32_t index)
{
    struct queue_state *state = queue->state;
    struct tm_item *item = &queue->items[index];
    /* From the tail: items come nearly in order, so the walk is short. */
    uint32_t before = state->tail;
    while (before != ITEM_NONE && queue->items[before].sequence > item->sequence)
        before = queue->items[before].previous;
    uint32_t after = before == ITEM_NONE ? state->head : queue->items[before].next;
    item->previous = before;
    item->next = after;
    if (before == ITEM_NONE)
        state->head = index;
    else
        queue->items[before].next = index;
    CRASH_POINT(CRASH_PUT_LINKED);
    if (after == ITEM_NONE)
        state->tail = index;
    else
        queue->items[after].previous = index;
    state->count++;
}

static void unlink_item_locked(struct tm_queue *queue, uint32_t index)
{
    struct queue_state *state = queue->state;
    struct tm_item *item = &queue->items[index];
    if (item->previous == ITEM_NONE)
        state->head = item->next;
    else
        queue->items[item->previous].next = item->next;
    CRASH_POINT(CRASH_TAKE_UNLINKED);
    if (item->next == ITEM_NONE)
        state->tail = item->previous;
    else
        queue->items[item->next].previous = item->previous;
    state->count--;
}

/* The words are right whatever the list looks like. May itself die and be done again. */
static void rebuild_locked(struct tm_queue *queue)
{
    struct queue_state *state = queue->state;
    if (SEEDED(5))
        return;
    state->head = ITEM_NONE;
    state->tail = ITEM_NONE;
    state->count = 0;
    for (uint32_t i = 0; i < queue->item_count; i++) {
        struct item_word word = item_word_load(&queue->items[i]);
        if ((word.state == ITEM_QUEUED || SEEDED(4)) && word.queue == state->id)
            link_item_locked(queue, i);
        CRASH_POINT(CRASH_REBUILD);
    }
}

static void lock_queue(struct tm_queue *queue)
{
    if (lock_take(&queue->state->lock)) {
        rebuild_locked(queue);
        lock_repaired(&queue->state->lock);
    }
}

static void store_word_locked(struct tm_item *item, uint8_t state, uint8_t queue, uint16_t worker)
{
    struct item_word word = item_word_load(item);
    word = (struct item_word){state, queue, worker, word.generation + 1};
    atomic_store_explicit(&item->word, item_word_pack(word), memory_order_relaxed);
}

/* Waking. */

static void wake_takers_locked(struct tm_queue *queue, struct wake *wake, bool all)
{
    struct queue_state *state = queue->state;
    if (!SEEDED(2))
        atomic_fetch_add_explicit(&state->event_take, 1, memory_order_relaxed);
    if (state->takers_asleep)
        wake->takers = all ? WAKE_ALL : 1;
    if (SEEDED(9) && !all && state->count > 1)
        wake->takers = 0;
    /* Beside a woken sleeper one bell rings too: the sleeper may be dead and only still counted. */
    for (uint32_t b = 0; b < state->bell_count; b++) {
        if (!state->bell[b].armed)
            continue;
        state->bell[b].armed = false;
        wake->bell_fd[wake->bell_count++] = state->bell[b].event_fd;
        if (!all)
            break;
    }
}

/* Whoever disarmed a bell may have been killed before it rang: after a death, and for the last
 * time, all ring. */
static void arm_bells_locked(struct tm_queue *queue)
{
    for (uint32_t b = 0; b < queue->state->bell_count; b++)
        queue->state->bell[b].armed = true;
}

static void wake_putters_locked(struct tm_queue *queue, struct wake *wake, bool all)
{
    struct queue_state *state = queue->state;
    atomic_fetch_add_explicit(&state->event_put, 1, memory_order_relaxed);
    if (state->putters_asleep && !SEEDED(10))
        wake->putters = all ? WAKE_ALL : 1;
}

static void unlock_and_wake(struct tm_queue *queue, const struct wake *wake)
{
    lock_release(&queue->state->lock);
    if (wake->takers)
        event_wake(&queue->state->event_take, wake->takers);
    if (wake->putters)
        event_wake(&queue->state->event_put, wake->putters);
    for (uint32_t b = 0; b < wake->bell_count; b++)
        ALWAYS(eventfd_write(wake->bell_fd[b], 1) == 0 || errno == EAGAIN);
}

/* Leaves the lock, sleeps until *event changes, takes the lock again. */
static void sleep_locked(struct tm_queue *queue, _Atomic uint32_t *event, uint32_t *asleep)
{
    ++*asleep;
    uint32_t seen = atomic_load_explicit(event, memory_order_relaxed);
    lock_release(&queue->state->lock);
    CRASH_POINT(CRASH_TAKE_ASLEEP);
    if (SEEDED(2) || SEEDED(3))
        sched_yield(); /* these faults are rare; make them less so */
    if (SEEDED(3))
        seen = atomic_load_explicit(event, memory_order_relaxed);
    event_wait(event, seen);
    CRASH_POINT(CRASH_TAKE_WOKEN);
    lock_queue(queue);
    --*asleep;
}

/* Putting. */

static void put_locked(struct tm_queue *queue, uint32_t index, struct wake *wake)
{
    struct queue_state *state = queue->state;
    struct tm_item *item = &queue->items[index];
    CRASH_POINT(CRASH_PUT_LOCKED);
    store_word_locked(item, ITEM_QUEUED, state->id, WORKER_NONE); /* it changes hands here */
    CRASH_POINT(CRASH_PUT_WORD);
    link_item_locked(queue, index);
    CRASH_POINT(CRASH_PUT_COUNTED);
    state->puts++;
    state->fill_sum += state->count;
    if (state->peak < state->count)
        state->peak = state->count;
    /* The one woken sleeper must be one that may take this item. A chunk may be meant for one
     * certain worker, so all look. (Queues taken from by sequence or by item have one taker.) */
    wake_takers_locked(queue, wake, state->keyed && item->stream);
}

enum queue_result queue_put(struct tm_queue *queue, uint32_t index)
{
    struct queue_state *state = queue->state;
    struct wake wake = {0};
    if (!SEEDED(1))
        lock_queue(queue);
    while (!state->receive_finished && state->count >= state->capacity && !SEEDED(8))
        sleep_locked(queue, &state->event_put, &state->putters_asleep);
    if (state->receive_finished) {
        lock_release(&state->lock);
        return QUEUE_CLOSED;
    }
    put_locked(queue, index, &wake);
    if (SEEDED(1))
        lock_queue(queue);
    unlock_and_wake(queue, &wake);
    CRASH_POINT(CRASH_PUT_UNLOCKED);
    return QUEUE_OK;
}

void queue_requeue(struct tm_queue *queue, uint32_t index)
{
    struct tm_item *item = &queue->items[index];
    struct wake wake = {0};
    lock_queue(queue);
    if (queue->state->keyed && item->stream) {
        struct tm_stream *stream = &queue->streams[item->stream - 1];
        stream->owner = WORKER_NONE;
        stream->next = item->chunk;
    }
    put_locked(queue, index, &wake);
    unlock_and_wake(queue, &wake);
}

/* Taking. */

/* One of the taker's numbers that owns no stream; WORKER_NONE: all do. */
static uint16_t free_number_locked(const struct tm_queue *queue, uint16_t worker,
                                   struct take_policy policy)
{
    uint32_t owning = policy.order == TAKE_PARTNER ? 1u << (policy.key - worker) : 0;
    for (uint32_t s = 0; s < queue->stream_count; s++) {
        unsigned number = (unsigned)(queue->streams[s].owner - worker);
        if (number < policy.numbers)
            owning |= 1u << number;
    }
    unsigned free = (unsigned)__builtin_ctz(~owning);
    return free < policy.numbers ? (uint16_t)(worker + free) : WORKER_NONE;
}

/* Which of the taker's numbers may have the item; WORKER_NONE: none. `*free` is looked up once. */
static uint16_t taker_locked(const struct tm_queue *queue, const struct tm_item *item,
                             uint16_t worker, struct take_policy policy, int *free)
{
    bool partner = policy.order == TAKE_PARTNER;
    if (!item->stream)
        return partner ? WORKER_NONE : worker;
    const struct tm_stream *stream = &queue->streams[item->stream - 1];
    if (item->chunk != stream->next && !SEEDED(7))
        return WORKER_NONE;
    if ((unsigned)(stream->owner - worker) < policy.numbers)
        return partner && stream->owner == policy.key ? WORKER_NONE : stream->owner;
    if (stream->owner != WORKER_NONE || (partner && queue->state->takers_asleep))
        return WORKER_NONE;
    if (*free < 0)
        *free = free_number_locked(queue, worker, policy);
    return (uint16_t)*free;
}

/* The first item that the worker may have. While it waits for its streams' next chunks it takes
 * items without a stream. */
static uint32_t find_keyed_locked(const struct tm_queue *queue, uint16_t *worker,
                                  struct take_policy policy)
{
    int free = -1; /* not looked up yet */
    for (uint32_t i = queue->state->head; i != ITEM_NONE; i = queue->items[i].next) {
        uint16_t taker = taker_locked(queue, &queue->items[i], *worker, policy, &free);
        if (taker == WORKER_NONE)
            continue;
        *worker = taker;
        return i;
    }
    return ITEM_NONE;
}

/* *worker: the number that gets it. */
static uint32_t find_locked(const struct tm_queue *queue, uint16_t *worker,
                            struct take_policy policy)
{
    const struct queue_state *state = queue->state;
    uint32_t i;
    policy.numbers = policy.numbers ? policy.numbers : 1;
    switch (policy.order) {
    case TAKE_FIRST:
        return state->keyed ? find_keyed_locked(queue, worker, policy) : state->head;
    case TAKE_PARTNER:
        return state->keyed ? find_keyed_locked(queue, worker, policy) : ITEM_NONE;
    case TAKE_LAST:
        return state->tail;
    case TAKE_SEQUENCE:
        /* Nothing below the awaited number is left in the queue, so it is first or not there. */
        i = state->head;
        return i != ITEM_NONE && queue->items[i].sequence == policy.key ? i : ITEM_NONE;
    case TAKE_ITEM:
        for (i = state->head; i != ITEM_NONE && i != policy.key;)
            i = queue->items[i].next;
        return i;
    }
    return ITEM_NONE;
}

static void claim_locked(struct tm_queue *queue, uint32_t index, uint16_t worker, struct wake *wake)
{
    struct queue_state *state = queue->state;
    struct tm_item *item = &queue->items[index];
    CRASH_POINT(CRASH_TAKE_LOCKED);
    store_word_locked(item, ITEM_OWNED, state->id, worker); /* it changes hands here */
    CRASH_POINT(CRASH_TAKE_WORD);
    if (state->keyed && item->stream) {
        struct tm_stream *stream = &queue->streams[item->stream - 1];
        stream->owner = item->last ? WORKER_NONE : worker;
        stream->next = item->chunk + 1;
    }
    unlink_item_locked(queue, index);
    state->taken++;
    wake_putters_locked(queue, wake, false);
    /* Takers that may not have what was left in a keyed queue wait for its end. */
    bool was_last = state->send_finished && state->head == ITEM_NONE;
    if (was_last || state->taken == state->end_taken)
        wake_takers_locked(queue, wake, true);
    CRASH_POINT(CRASH_TAKE_COUNTED);
}

static enum queue_result take(struct tm_queue *queue, uint16_t worker, struct take_policy policy,
                              uint32_t *index, bool wait)
{
    struct queue_state *state = queue->state;
    struct wake wake = {0};
    enum queue_result result = QUEUE_EMPTY;
    lock_queue(queue);
    for (;;) {
        if (state->receive_finished || state->taken >= state->end_taken) {
            result = QUEUE_END;
            break;
        }
        uint16_t taker = worker;
        uint32_t found = find_locked(queue, &taker, policy);
        if (found != ITEM_NONE) {
            claim_locked(queue, found, taker, &wake);
            *index = found;
            result = QUEUE_OK;
            break;
        }
        if (state->send_finished && state->head == ITEM_NONE) {
            result = QUEUE_END;
            break;
        }
        if (!wait)
            break;
        sleep_locked(queue, &state->event_take, &state->takers_asleep);
    }
    unlock_and_wake(queue, &wake);
    if (result == QUEUE_OK)
        CRASH_POINT(CRASH_TAKE_UNLOCKED);
    return result;
}

enum queue_result queue_take(struct tm_queue *queue, uint16_t worker, struct take_policy policy,
                             uint32_t *index)
{
    return take(queue, worker, policy, index, true);
}

enum queue_result queue_try_take(struct tm_queue *queue, uint16_t worker, struct take_policy policy,
                                 uint32_t *index)
{
    return take(queue, worker, policy, index, false);
}

/* Ending. */

static void finish(struct tm_queue *queue, bool *flag)
{
    struct wake wake = {0};
    lock_queue(queue);
    *flag = true;
    arm_bells_locked(queue);
    wake_takers_locked(queue, &wake, true);
    wake_putters_locked(queue, &wake, true);
    if (SEEDED(6) && wake.takers)
        wake.takers = 1;
    unlock_and_wake(queue, &wake);
}

void queue_finish_send(struct tm_queue *queue)
{
    finish(queue, &queue->state->send_finished);
}

void queue_finish_receive(struct tm_queue *queue)
{
    finish(queue, &queue->state->receive_finished);
}

void queue_end_after(struct tm_queue *queue, uint64_t count)
{
    struct wake wake = {0};
    lock_queue(queue);
    queue->state->end_taken = count;
    wake_takers_locked(queue, &wake, true);
    unlock_and_wake(queue, &wake);
}

/* Event loops. */

int queue_add_bell(struct tm_queue *queue)
{
    struct queue_state *state = queue->state;
    if (state->bell_count == QUEUE_BELLS_MAX)
        return -ENOSPC;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    state->bell[state->bell_count++].event_fd = fd;
    return fd;
}

void queue_close_bells(struct tm_queue *queue)
{
    for (uint32_t b = 0; b < queue->state->bell_count; b++)
        close(queue->state->bell[b].event_fd);
    queue->state->bell_count = 0;
}

void queue_arm(struct tm_queue *queue, uint32_t bell)
{
    lock_queue(queue);
    queue->state->bell[bell].armed = true;
    lock_release(&queue->state->lock);
}

/* Repair. */

void queue_recover(struct tm_queue *queue, uint16_t worker)
{
    struct wake wake = {0};
    lock_queue(queue);
    if (queue->state->keyed)
        for (uint32_t s = 0; s < queue->stream_count; s++)
            if (queue->streams[s].owner == worker)
                queue->streams[s].owner = WORKER_NONE;
    /* The dead may have been woken for somebody: everybody looks again. */
    arm_bells_locked(queue);
    wake_takers_locked(queue, &wake, true);
    wake_putters_locked(queue, &wake, true);
    if (SEEDED(11))
        wake.takers = wake.putters = 0;
    unlock_and_wake(queue, &wake);
}

uint32_t queue_count(struct tm_queue *queue)
{
    return queue_get_stats(queue).count;
}

struct queue_stats queue_get_stats(struct tm_queue *queue)
{
    const struct queue_state *state = queue->state;
    lock_queue(queue);
    struct queue_stats stats = {
        .count = state->count,
        .capacity = state->capacity,
        .peak = state->peak,
        .mean = state->puts ? (double)state->fill_sum / (double)state->puts : 0.0,
    };
    lock_release(&queue->state->lock);
    return stats;
}
