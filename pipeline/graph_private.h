/* The engine's own view of a graph; nothing outside pipeline/ includes this. */
#ifndef TREEMILL_PIPELINE_GRAPH_PRIVATE_H
#define TREEMILL_PIPELINE_GRAPH_PRIVATE_H

#include <pthread.h>

#include "pipeline/arena.h"
#include "pipeline/graph.h"
#include "pipeline/queue.h"

/* Worker numbers: one for each thread or process, and for each task of a loop. */
#define GRAPH_WORKERS_MAX 8192

/* In the arena: one a worker. Counters are written by the worker with relaxed atomics and read at
 * any time by samplers; nothing is inferred from one about another, so no ordering is needed. */
struct worker_slot {
    _Alignas(CACHE_LINE_BYTES) _Atomic int32_t pid; /* nursery writes; 0: not running */
    _Atomic uint64_t wait_input_ns;
    _Atomic uint64_t wait_output_ns;
    struct {
        _Atomic uint64_t items, bytes, busy_ns;
    } stage[LANE_STAGES_MAX];  /* by number within the group */
    struct io_counters io;     /* of a loop, or of bursts */
    _Atomic uint64_t restarts; /* supervisor writes */
};

/* In the arena. `claim` is won by compare-and-swap; the winner fills the rest and then stores
 * `ready` (release), which readers load (acquire). `cancelled` alone is set by cancelling. */
struct graph_shared {
    _Atomic uint32_t cancelled;
    _Atomic uint32_t claim;
    _Atomic uint32_t ready;
    struct tm_fault fault;
    char path[512];
};

struct exec_model;

struct tm_group {
    struct tm_lane *lane;
    unsigned first_stage;
    unsigned stage_count;
    bool in_source; /* runs in the source's thread, has no queue */
    bool in_sink;   /* runs in the sink's thread, has no queue */
    bool after_order;
    const struct exec_model *exec;
    unsigned worker_count;
    enum io_kind io;
    enum confinement confinement;
    unsigned burst; /* chains that a blocking worker hands to the kernel at once; 0: one by one */
    /* Items that a worker may have in hand: one, two where it has streams in pairs, or a loop's
     * depth. Each has a slot, whose number is the item's owner: worker w has those from
     * first_slot + w * tasks on. */
    unsigned tasks;
    unsigned first_slot;
    struct tm_queue queue;
    struct tm_queue
        *output; /* the next group's queue, or the done queue; behind the order the pool */
    /* Supervisor only: to see whether workers die without getting anywhere. */
    uint64_t items_at_death;
    unsigned deaths_without_work;
};

/* Private side of a worker, or of one task of a loop: what its stages' open() made. */
struct tm_worker {
    struct tm_group *group;
    uint16_t number;
    struct worker_slot *slot;
    struct burst *burst; /* NULL: none, or another task's of the same worker */
    void *state[LANE_STAGES_MAX];
};

struct tm_lane {
    struct tm_graph *graph;
    struct lane_setup setup;
    struct tm_item *items;
    uint8_t *input;
    uint8_t *output;
    struct tm_stream *streams;
    uint32_t stream_count;
    struct tm_queue pool;
    struct tm_queue done;
    struct tm_group group[LANE_STAGES_MAX];
    unsigned group_count;
    unsigned groups_before_order; /* the others are behind it */
    /* Source's thread only. */
    uint64_t admitted;
    struct tm_worker source_worker;
    bool source_worker_open;
    /* Sink's thread only. */
    uint64_t delivered;
    struct tm_worker sink_worker; /* made and closed by the source's thread, before and after */
    bool sink_worker_open;
    pthread_t sink_thread;
    bool sink_thread_runs;
};

struct tm_graph {
    struct tm_arena arena;
    struct graph_shared *shared;
    struct tm_lane lane[GRAPH_LANES_MAX];
    unsigned lane_count;
    unsigned max_tries;
    bool confines;
    int stop_fd; /* eventfd, the same number in every process: readable once the job is over */
    struct worker_slot *slot;
    unsigned slot_count;
    struct tm_group *slot_group[GRAPH_WORKERS_MAX];
    pthread_t thread[GRAPH_WORKERS_MAX]; /* by slot, for threads */
    bool thread_runs[GRAPH_WORKERS_MAX];
    struct supervisor *supervisor;
};

/* How the workers of a group are run. One table a model. */
struct exec_model {
    enum model id;
    const char *name;
    bool needs_nursery;
    int (*start)(struct tm_group *group);
    void (*join)(struct tm_group *group);
};
extern const struct exec_model exec_inline, exec_threads, exec_processes, exec_uring, exec_epoll;

static inline struct item_view lane_view(const struct tm_lane *lane, uint32_t index)
{
    return (struct item_view){
        .item = &lane->items[index],
        .index = index,
        .input = lane->input + (size_t)index * lane->setup.input_bytes,
        .output = lane->output + (size_t)index * lane->setup.output_bytes,
    };
}

/* worker.c: the loop that every model runs. */
int worker_open(struct tm_worker *worker, struct tm_group *group, uint16_t number);
void worker_close(struct tm_worker *worker);
/* Runs items, one or two with a private side for each, through the group's stages. */
void worker_process(struct tm_worker *const workers[], const struct item_view views[],
                    unsigned count);
/* The item's group is done with it: it goes where it has to go next, and is not the caller's any
 * more. Fails the job for an item that has a fault behind the order. Not QUEUE_OK: the job is over.
 */
enum queue_result group_hand_on(struct tm_group *group, const struct item_view *view);
/* The group has no worker of its own. */
static inline bool group_is_inline(const struct tm_group *group)
{
    return group->in_source || group->in_sink;
}
/* What a worker has done on a stage, by its number within the group, for samplers. */
void worker_count_item(struct worker_slot *slot, unsigned k, const struct item_view *view);
/* Takes, processes, puts until the queue ends. Fails the job when open() fails. */
void worker_main(struct tm_group *group, uint16_t number);

/* worker_burst.c: the worker's thread calls all of it. */
struct burst;
/* For so many chains at once. NULL: there is no ring to be had, and chains are carried out one by
 * one, which comes to the same. `stop_fd`, `counters`: see struct io_loop_setup. */
struct burst *burst_open(unsigned depth, int stop_fd, struct io_counters *counters);
/* NULL is allowed. */
void burst_close(struct burst *burst);
/* Does the item's part of a stage with strands, as many at once as the burst is large. */
void burst_run(struct burst *burst, const struct stage_ops *ops, void *state,
               const struct item_view *view);

/* worker_loop.c: the same for a worker that is an event loop. */
void worker_loop_main(struct tm_group *group, uint16_t first_number);

/* One writer: a plain addition would do, but samplers read meanwhile. */
static inline void slot_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* worker_confine.c: gives up what the group's stages do not need. Fails the job if that cannot be:
 * false. */
bool worker_confine(const struct tm_group *group);

/* graph_run.c */
void graph_close_queues(struct tm_graph *graph);
/* Supervisor: the worker whose first slot is `number` is dead and reaped. True: start it again. */
bool graph_worker_died(struct tm_graph *graph, uint16_t number, int wait_status);

/* supervisor.c */
struct supervisor;
/* Forks the nursery; the caller must be single-threaded. 0 or -errno. */
int supervisor_create(struct tm_graph *graph, struct supervisor **supervisor);
/* Starts the thread that listens to the nursery. */
int supervisor_start(struct supervisor *supervisor);
int supervisor_spawn(struct supervisor *supervisor, uint16_t number);
/* Its process id, for tests that kill it. */
int supervisor_nursery(const struct supervisor *supervisor);
/* Waits for all workers and the nursery to end. NULL is allowed. */
void supervisor_destroy(struct supervisor *supervisor);

#endif
