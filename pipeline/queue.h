/* queue: a lock-protected, bounded queue of items between two stages, for threads and processes.
 *
 * Roles. Producers put, consumers take, either may be a thread or a process and may be killed at
 * any instruction; the supervisor (in the process that started the job) repairs. A queue is the
 * set of items whose word says "queued here", kept as a list ordered by sequence number, so the
 * oldest work always goes first and a rebuilt list is the same list.
 *
 * Ownership. After QUEUE_OK from a put the item is not the caller's; after any other result it is
 * untouched and still the caller's. After QUEUE_OK from a take it is the caller's.
 *
 * Death. The one 64-bit store of the item's word, under the lock, is the moment at which the item
 * changes hands. A worker that dies inside the lock leaves the list half-changed but each word
 * right: the next locker learns of the death and rebuilds the list from the words, so a claim is
 * either wholly made or wholly undone. Items whose word names the dead worker are put back by the
 * supervisor, queue_recover() and queue_requeue().
 *
 * No lost wake-up. Every change that may let a sleeper go on increments an event word under the
 * lock; a sleeper reads that word under the lock before it leaves it, and the kernel refuses to
 * put it to sleep if the word has changed. A wake-up of one sleeper may be spent on a process
 * that is being killed, or never be made because its maker is killed: queue_recover(), which
 * follows every death, wakes all sleepers and rings all bells. A sleeper that dies leaves a sleeper
 * count too high: that costs needless system calls, never a wake-up.
 *
 * Streams. In a keyed queue the chunks of one stream go to one worker, in order: see tm_stream. A
 * worker with two numbers may have two streams, and takes chunks of both at once; but it begins the
 * second one only when no other worker sleeps, who would have nothing else to do.
 *
 * Lock order: no function holds two queues' locks.
 */
#ifndef TREEMILL_PIPELINE_QUEUE_H
#define TREEMILL_PIPELINE_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/item.h"
#include "pipeline/sync.h"

#define QUEUE_BELLS_MAX 32

/* How an event loop hears of a queue: an eventfd, written by the next put after it was armed. */
struct queue_bell {
    int event_fd; /* made before any fork, the same number in every process; constant */
    bool armed;   /* under the queue's lock */
};

/* A keyed stream: chunks that one worker must process in order, because what it knows of them (a
 * digest's state) cannot be shared. Written under the lock of the keyed queue, but for the reset of
 * `next` when a stream begins and has no chunk in any queue yet. `in_use` is set by the source
 * (relaxed) and cleared by the sink (release, read with acquire), both in the main process. */
struct tm_stream {
    uint16_t owner; /* worker that has processed the chunks before `next`; WORKER_NONE: nobody */
    /* The chunk that may be taken next. The source reads it without the lock, to see how far the
     * stream is: an old value is as good. */
    _Atomic uint32_t next;
    _Atomic bool in_use;
};

/* In the arena. Every field under `lock`, but for the event words, which are read by futex(2). */
struct queue_state {
    struct tm_lock lock;
    uint8_t id;
    bool keyed;
    bool send_finished;    /* no more input: takers drain, then get QUEUE_END */
    bool receive_finished; /* consumers gone: putters get QUEUE_CLOSED, takers QUEUE_END */
    uint32_t capacity;
    uint32_t count;
    uint32_t head;
    uint32_t tail;
    uint32_t takers_asleep;
    uint32_t putters_asleep;
    uint64_t taken;     /* items taken so far */
    uint64_t end_taken; /* QUEUE_END once `taken` reaches this; UINT64_MAX: not known yet */
    uint32_t bell_count;
    struct queue_bell bell[QUEUE_BELLS_MAX];
    /* For --stats. */
    uint32_t peak;
    uint64_t puts;
    uint64_t fill_sum;                        /* of `count` as each put left it */
    _Alignas(64) _Atomic uint32_t event_take; /* changes when a taker may go on */
    _Alignas(64) _Atomic uint32_t event_put;  /* changes when a putter may go on */
};

/* A process's handle; copied freely, valid in forked children. */
struct tm_queue {
    struct queue_state *state;
    struct tm_item *items; /* all items of the lane */
    uint32_t item_count;
    struct tm_stream *streams; /* NULL unless keyed */
    uint32_t stream_count;
};

enum queue_result {
    QUEUE_OK,
    QUEUE_END,    /* finished and empty, or cancelled */
    QUEUE_CLOSED, /* nobody will take this item any more */
    QUEUE_EMPTY   /* try only: nothing that the policy accepts */
};

enum take_order {
    TAKE_FIRST,    /* lowest sequence; in a keyed queue the first that this worker may have */
    TAKE_PARTNER,  /* keyed queues: a chunk for another of the worker's numbers than `key` */
    TAKE_LAST,     /* highest sequence */
    TAKE_SEQUENCE, /* the item with sequence `key` */
    TAKE_ITEM      /* the item with index `key` */
};

struct take_policy {
    enum take_order order;
    uint64_t key;
    /* Keyed queues: the taker has this many numbers, from its own on, and may have a stream for
     * each; the item's word tells which of them got it. 0: one. */
    uint16_t numbers;
};

/* Sets up a queue on zeroed shared memory. Before any other process or thread uses it. */
void queue_init(struct tm_queue *queue, uint8_t id, uint32_t capacity, bool keyed);

/* Blocks while the queue is full. */
enum queue_result queue_put(struct tm_queue *queue, uint32_t item);
/* Blocks until there is an item that the policy accepts. `worker` becomes its owner. */
enum queue_result queue_take(struct tm_queue *queue, uint16_t worker, struct take_policy policy,
                             uint32_t *item);
/* As queue_take(), but answers QUEUE_EMPTY instead of blocking. */
enum queue_result queue_try_take(struct tm_queue *queue, uint16_t worker, struct take_policy policy,
                                 uint32_t *item);

/* No more puts will come: takers drain the rest and then get QUEUE_END. */
void queue_finish_send(struct tm_queue *queue);
/* No more takes will come: puts answer QUEUE_CLOSED and takes QUEUE_END at once. */
void queue_finish_receive(struct tm_queue *queue);
/* Takers get QUEUE_END once `count` items have been taken in all. */
void queue_end_after(struct tm_queue *queue, uint64_t count);

/* For event loops: a bell's eventfd or -errno. Before any fork. */
int queue_add_bell(struct tm_queue *queue);
/* Drain, arm, drain again, wait: an item put before the arming is found by the second drain, one
 * put after it rings the bell. A ring disarms. */
void queue_arm(struct tm_queue *queue, uint32_t bell);
/* Closes the eventfds of this process. */
void queue_close_bells(struct tm_queue *queue);

/* After the death of `worker`, which has been reaped, and after queue_requeue() of all it had:
 * repairs the list if it died inside the lock, frees the streams it had, wakes everybody. The
 * supervisor only. */
void queue_recover(struct tm_queue *queue, uint16_t worker);
/* Puts an item of a dead worker back, whatever the capacity; a chunk is the next of its stream
 * again. The supervisor only. */
void queue_requeue(struct tm_queue *queue, uint32_t item);

/* Items in the queue at this moment. */
uint32_t queue_count(struct tm_queue *queue);
struct queue_stats {
    uint32_t count, capacity, peak;
    double mean;
};
struct queue_stats queue_get_stats(struct tm_queue *queue);

#endif
