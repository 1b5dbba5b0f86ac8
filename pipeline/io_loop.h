/* io_loop: carries out many chains of operations at once, from one thread that never blocks in any
 * of them. Two engines: io_uring and epoll.
 *
 * Roles. One thread owns a loop, and calls everything here. A chain that has been submitted is the
 * loop's until io_engine.complete() returns it; its results are in it then.
 *
 * Waits. io_engine.wait() is woken by a finished operation, by the queue's bell (an eventfd that a
 * producer writes, see queue_arm()), and by the job's stop descriptor, which stays readable once
 * the job is over: then operations that may take for ever are given up with -ECANCELED.
 */
#ifndef TREEMILL_PIPELINE_IO_LOOP_H
#define TREEMILL_PIPELINE_IO_LOOP_H

#include <stdatomic.h>

#include "pipeline/io.h"

struct io_loop;

enum io_kind {
    IO_SYNC, /* no loop: each operation blocks its worker */
    IO_URING,
    IO_EPOLL,
    IO_KIND_COUNT
};

/* Written by the loop's thread, read by samplers at any time; relaxed, for display. */
struct io_counters {
    _Atomic uint64_t hits;   /* operations that were done without waiting */
    _Atomic uint64_t misses; /* those that something else had to wait for: kernel or helper */
};

struct io_loop_setup {
    unsigned depth; /* chains in flight at most; numbered below this */
    int bell_fd;    /* an eventfd, or -1 */
    int stop_fd;    /* see above, or -1 */
    void *buffer;   /* memory that most reads go to, to be registered; may be NULL */
    size_t buffer_bytes;
    /* A descriptor that the loop's kernel side is to hold for as long as any of its operations may
     * still write to memory, even after this process is killed; or -1. */
    int tombstone_fd;
    struct io_counters *counters;
};

struct io_engine {
    enum io_kind id;
    const char *name;
    const char *library; /* and the version of it that this was built with; NULL: none */
    /* 0; or -errno, and why it cannot be used here. Any thread. */
    int (*probe)(char *why, size_t why_bytes);
    /* In the thread that will use it. 0 or -errno. */
    int (*create)(const struct io_loop_setup *setup, struct io_loop **loop);
    /* No chain may be in flight. NULL is allowed. */
    void (*destroy)(struct io_loop *loop);
    /* Begins a chain; may or may not do a part of it at once. */
    void (*submit)(struct io_loop *loop, struct io_chain *chain);
    /* A chain that is done, or NULL: none is at the moment. Does not block. */
    struct io_chain *(*complete)(struct io_loop *loop);
    /* Sleeps until complete() may have something, the bell has rung since the last call, or the
     * job is over. May return early. */
    void (*wait)(struct io_loop *loop);
};

/* NULL for IO_SYNC. */
const struct io_engine *io_engine(enum io_kind kind);
const char *io_kind_name(enum io_kind kind);

extern const struct io_engine io_uring_engine, io_epoll_engine;

static inline void io_count(_Atomic uint64_t *counter)
{
    /* One writer: no atomic addition is needed. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* A list of chains, first in first out. */
struct io_list {
    struct io_chain *first, *last;
};

static inline void io_list_add(struct io_list *list, struct io_chain *chain)
{
    chain->link = NULL;
    if (list->last)
        list->last->link = chain;
    else
        list->first = chain;
    list->last = chain;
}

static inline struct io_chain *io_list_take(struct io_list *list)
{
    struct io_chain *chain = list->first;
    if (!chain)
        return NULL;
    list->first = chain->link;
    if (!list->first)
        list->last = NULL;
    return chain;
}

#endif
