/* graph: the lanes, stages and workers of one job; building, running, ending it.
 *
 * A lane carries items from a source through its stages to a sink:
 *
 *     source ─▶ [queue] stage, stage ─▶ [queue] stage ─▶ [done queue] ─▶ sink
 *       ▲                                                                 │
 *       └───────────────────────── [pool queue] ◀─────────────────────────┘
 *
 * or, where stages are set up to come after the order:
 *
 *     source ─▶ [queue] stage ─▶ [done queue] ─▶ sink ─▶ [queue] stage behind the order
 *       ▲                                                      │
 *       └──────────────────── [pool queue] ◀───────────────────┘
 *
 * The source is the thread that calls lane_acquire() and lane_submit(); it gives sequence
 * numbers. The sink is a function called in that order (or in any order) by a thread of the
 * engine in the same process. A lane without a sink hands its finished items back to the source,
 * which asks for each with lane_wait().
 *
 * Neighbouring stages form a group when the later one is `inline` or fused: one worker runs an
 * item through all of them without a queue between. A group at the lane's start whose first stage
 * is `inline` runs in the source's own thread; if that is all stages, so does the sink, and the
 * lane has no thread at all.
 *
 * Behind the order (`after_order`). The sink is called in order as ever and decides where an item's
 * bytes go, an offset in a file, which it stores in the item's slab. What takes time, the writing,
 * is done by the stages that follow, several items at once and in any order. What an item has had
 * as its fault is the sink's to deal with, and is taken from it when the sink has seen it. A fault
 * that a stage behind the order leaves, or workers of it killed as often as an item is tried,
 * fails the job: the item's place has been given away, and its absence would be a hole. A worker's
 * death by itself does not: the item goes to another one, which does the work again, in full; so
 * such work must come to the same when it is done twice. If the first stage behind the order is
 * `inline`, it runs in the sink's thread.
 *
 * Streams. What is too large for one item is a stream of chunks. In most lanes several streams may
 * be under way at once, and only a stream's last chunk reaches the sink, under the number that the
 * stream was given when it began; the chunks before it go back to the pool when they are through.
 * In a lane with `every_chunk` all of them reach the sink, each under a number of its own.
 *
 * No item waits for a resource once it is acquired: the queues of a lane have room for all its
 * items, and the credits (items in the pool) are the bound. Finished items wait at the sink for
 * the lowest unfinished number, holding their credits; so the source must keep a credit for the
 * stream with the lowest number that it has not wholly submitted (`spare` of lane_try_acquire()),
 * and have at most as many such streams as the keyed group has workers (lane_streams_max()).
 * With `every_chunk` numbers are given as items are submitted, and the source submits nothing
 * between the chunks of one stream: the lowest unfinished number is always under way, and no
 * credit need be kept.
 *
 * Ending. When the source has finished and all admitted items have reached the sink, every queue
 * is closed and workers leave. Counting items at the sink, rather than workers that have left,
 * stays right when workers die. A lane with stages behind the order is finished when all its
 * credits are back in the pool: graph_finish() takes them out one by one. Each is put there by the
 * worker that has finished the item, and that wakes graph_finish(); an item whose worker died comes
 * by way of another worker, and a wake-up that died with its maker is made good by queue_recover()
 * after the death. Failing or cancelling closes every queue at once, the pool too.
 *
 * Threads of a job in the main process: the source, one sink thread for a lane that needs it, the
 * workers of `threads` stages, the supervisor when a stage has processes.
 */
#ifndef TREEMILL_PIPELINE_GRAPH_H
#define TREEMILL_PIPELINE_GRAPH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/confine.h"
#include "pipeline/fault.h"
#include "pipeline/io_loop.h"
#include "pipeline/item.h"

struct io_chain;
struct tm_graph;
struct tm_lane;

enum model {
    MODEL_INLINE,
    MODEL_THREADS,
    MODEL_PROCESSES,
    MODEL_URING, /* threads that each run an event loop on a ring */
    MODEL_EPOLL, /* the same with epoll */
    MODEL_COUNT
};
const char *model_name(enum model model);

/* An item as a stage sees it. */
struct item_view {
    struct tm_item *item;
    uint32_t index;
    uint8_t *input;
    uint8_t *output;
};

/* What a stage is. A const table; all functions but blame() run in a worker. */
struct stage_ops {
    const char *name;
    /* Chunks of a stream must come to one worker, in order. */
    bool keyed;
    /* Begins what is in the item anew: blame() of a stage behind it in the same worker would mark
     * what is not there any more when the item is tried again, and it would be tried for ever. */
    bool begins_anew;
    /* Makes a worker's private state, in the worker, after any fork. 0 or -errno. */
    int (*open)(void *job, void **state);
    void (*close)(void *state);
    /* A computing stage works on the item and returns. */
    void (*run)(void *state, const struct item_view *view);
    /* An I/O stage: first called with an empty chain; true: the chain is to be carried out and
     * step() called again; false: there is no more to do. Exactly one of run and step is set.
     *
     * Strands. An event loop may work on several parts of an item at once, each with a chain of
     * its own: chain->strand tells which, from 0 to strands - 1. Strand 0 is the first to be
     * called, and alone when the item has killed a worker before, so that `cursor` names the
     * culprit. The item is done when each strand that was begun has answered false. */
    bool (*step)(void *state, const struct item_view *view, struct io_chain *chain);
    unsigned strands; /* most that an item may have; 0: one */
    /* Keyed stages whose set-up says `paired`: called with chunks of two streams that are at hand,
     * each with the private state of its stream, before run() or step() is called for each; does
     * a part of their work at once. May be NULL. */
    void (*together)(void *const states[2], const struct item_view views[2]);
    /* Main process, supervisor: the item has killed its workers. Marks the part under
     * item->cursor as failed and answers true, so that the rest is tried again; or false: the
     * whole item fails. May be NULL. */
    bool (*blame)(void *job, const struct item_view *view, struct tm_fault fault);
    /* The least that run() or step(), together() and close() can do with; the main process. NULL:
     * CONFINE_NONE. A wrong answer kills workers: see confine.h. */
    enum confinement (*confinement)(const void *job);
};
/* For stages that only compute, whatever the job. */
static inline enum confinement stage_only_computes(const void *job)
{
    (void)job;
    return CONFINE_COMPUTING;
}

struct stage_setup {
    const struct stage_ops *ops;
    void *job; /* given to open() and blame(); in forked workers a copy as of graph_start() */
    enum model model;
    unsigned workers; /* threads, processes or loops; 0 for inline */
    bool fused;       /* same worker as the stage before it, which has the same model and counts */
    bool after_order; /* works on items that have been to the sink; so must all stages after it */
    bool paired;      /* a blocking worker has two streams at a time if it can: see together() */
    enum io_kind io;  /* how a worker does its I/O; given by the model, but for processes */
    unsigned depth;   /* for loops: chains in flight in each; else 0 */
    unsigned burst;   /* for blocking threads: chains of an item handed to the kernel at once, by
                       * io_uring if there is one; 0: one by one */
};

#define LANE_STAGES_MAX 6
#define GRAPH_LANES_MAX 2

struct lane_setup {
    struct stage_setup stage[LANE_STAGES_MAX];
    unsigned stage_count;
    uint32_t items;     /* credits */
    size_t input_bytes; /* slab sizes of each item */
    size_t output_bytes;
    /* Called with every item that has been through all stages but those behind the order; a
     * negative errno fails the job. NULL: see lane_wait(). */
    int (*sink)(void *context, const struct item_view *view);
    void *sink_context;
    bool ordered; /* the sink gets items in order of their sequence numbers */
    /* The sink gets every chunk of a stream, not only its last: see "Streams" above. Needs a sink.
     * A chunk that has killed its workers comes with its fault like any other item. */
    bool every_chunk;
};

struct graph_setup {
    struct lane_setup lane[GRAPH_LANES_MAX];
    unsigned lane_count;
    unsigned max_tries; /* how often an item may kill a worker before it is blamed; 0: 2 */
    /* Blocking worker processes are confined to what their stages need, once these are open; those
     * of a group to what the neediest of its stages does. confine_probe() says whether it can be:
     * a worker that cannot be fails the job. */
    bool confines;
    /* Without worker processes: see ARENA_PRIVATE_LARGE. */
    bool large_pages;
};

/* Bytes of shared memory that the set-up needs. */
size_t graph_memory_bytes(const struct graph_setup *setup);

/* Checks the set-up, takes the memory. 0 or -errno; -EINVAL is a wrong set-up. */
int graph_create(const struct graph_setup *setup, struct tm_graph **graph);
/* Starts workers, sinks first. The calling process must be single-threaded if any stage has
 * processes. 0 or -errno. */
int graph_start(struct tm_graph *graph);
/* Waits until every lane is finished and every worker gone. Sources must have called
 * lane_finish(), and hold no item. The source's thread. */
void graph_finish(struct tm_graph *graph);
/* NULL is allowed. After graph_finish(), or without graph_start(). */
void graph_destroy(struct tm_graph *graph);

struct tm_lane *graph_lane(struct tm_graph *graph, unsigned index);

/* The source's calls, all from one thread. */

/* Takes a credit; blocks until there is one. Its payload is what its last user left.
 * 0, or -ECANCELED: the job is over. */
int lane_acquire(struct tm_lane *lane, struct item_view *view);
/* As lane_acquire(), but -EAGAIN instead of blocking. `spare`: leave that many in the pool. */
int lane_try_acquire(struct tm_lane *lane, struct item_view *view, uint32_t spare);
/* Sends an acquired item on its way under the next sequence number. 0 or -ECANCELED; the item is
 * gone either way. */
int lane_submit(struct tm_lane *lane, const struct item_view *view);
/* Sends a chunk, item->stream and so on being set, under its stream's number; in a lane with
 * `every_chunk` under the next one, and `number` is of no account. */
int lane_submit_chunk(struct tm_lane *lane, const struct item_view *view, uint64_t number);
/* Lanes without a sink: waits until this submitted item is done. 0 or -ECANCELED. */
int lane_wait(struct tm_lane *lane, const struct item_view *view);
/* Gives back an item that was acquired but not submitted, or waited for. */
void lane_release(struct tm_lane *lane, const struct item_view *view);
/* No more items will be submitted. */
void lane_finish(struct tm_lane *lane);

/* Begins a stream: a value for item->stream, and its sequence number; in a lane with `every_chunk`
 * that which its first chunk will get. The source's thread. */
uint32_t lane_stream_begin(struct tm_lane *lane, uint64_t *number);
/* How many chunks of a begun stream a worker has taken so far, to see which stream is in need. */
uint32_t lane_stream_taken(const struct tm_lane *lane, uint32_t stream);
/* Whether the lane was set up with `every_chunk`. Any thread. */
bool lane_delivers_every_chunk(const struct tm_lane *lane);
/* How many streams the source may have begun and not wholly submitted; 1 with `every_chunk`. */
unsigned lane_streams_max(const struct tm_lane *lane);
/* How many chunks of one stream may usefully be under way before its worker takes them: as many as
 * the stages before it work on at once, and some that wait. */
unsigned lane_backlog_max(const struct tm_lane *lane);
/* The stream's last chunk has reached the sink. The sink's thread. */
void lane_stream_end(struct tm_lane *lane, uint32_t stream);

/* Ends the job early: workers finish the item in hand and leave; nothing more reaches the sink.
 * Any thread or worker; not from a signal handler. */
void graph_cancel(struct tm_graph *graph);
bool graph_is_cancelled(const struct tm_graph *graph);
/* The first failure wins, and cancels. `path` is cut to what fits. Any thread or worker. */
void graph_fail(struct tm_graph *graph, struct tm_fault fault, const char *path);
/* False when nothing failed. After graph_finish(). */
bool graph_failure(const struct tm_graph *graph, struct tm_fault *fault, const char **path);

/* What a stage has done so far, summed over its workers. Any thread, at any time. */
struct stage_sample {
    const char *name;
    enum model model;
    bool fused;
    enum io_kind io;
    unsigned workers;
    unsigned depth;        /* chains in flight of each loop, or burst of each thread; 0: neither */
    uint64_t hits, misses; /* of those, see struct io_counters; at the group's first stage */
    uint64_t items;
    uint64_t bytes;
    uint64_t busy_ns;
    uint64_t wait_input_ns;  /* of the group, at its first stage */
    uint64_t wait_output_ns; /* of the group, at its last stage */
    uint64_t restarts;
    bool has_queue;
    uint32_t queue_count, queue_capacity, queue_peak;
    double queue_mean;
};
unsigned lane_stage_count(const struct tm_lane *lane);
void lane_sample(struct tm_lane *lane, unsigned stage, struct stage_sample *sample);
/* Bytes done of items whose steps take long and that lane_sample() does not know of yet. Any
 * thread, at any time. */
uint64_t lane_live_bytes(const struct tm_lane *lane);
const char *lane_stage_name(const struct tm_lane *lane, unsigned stage);
/* What the stage's workers are confined to. */
enum confinement lane_confinement(const struct tm_lane *lane, unsigned stage);

/* Process id of a worker (0: none now) by its number; returns false past the last one.
 * For tests that kill workers and for -v. Any thread. */
bool graph_worker(const struct tm_graph *graph, unsigned number, const char **stage, int *pid);

#endif
