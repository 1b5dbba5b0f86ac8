/* A worker that is an event loop: many items in hand, many chains of operations in flight, one
 * thread that blocks in none of them.
 *
 * A *task* is an item in hand, with its own private state of each stage and its own number as the
 * item's owner, so that whoever repairs after a death finds all of them. A *strand* is one chain
 * of a task; there are as many as operations may be in flight (`depth`). Free strands go first to
 * an item that can use more, then to the next item: so few items are in hand, and what was read
 * is soon hashed.
 *
 * An item that has killed a worker before is worked on alone: the loop takes no other until those
 * in hand are done and then it, so that only a culprit is blamed for the next death.
 *
 * Stages that only compute run to their end on the item at once: the loop gains nothing by them,
 * and goes on with what has been completed after each.
 *
 * Waits. With nothing to begin and no chain done, the loop sleeps in its engine. It is woken by the
 * kernel's completions, and by its bell when a producer puts an item: the bell is armed, and the
 * queue looked into once more after that, so that no item is overlooked. A dead producer's ring
 * that never came is made good by queue_recover(), which rings all.
 */
#include "pipeline/graph_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/crash.h"
#include "pipeline/io_tombstone.h"

struct task {
    struct tm_worker worker;
    struct item_view view;
    bool is_open; /* the stages' states are made; on the first item */
    bool is_busy;
    bool owns_stream;     /* of a keyed queue: only this task may go on with it */
    bool wants_strands;   /* more of them may have something to do */
    unsigned stage;       /* number within the group */
    unsigned begun;       /* strands of this stage so far */
    unsigned active;      /* those that have not ended */
    struct task *wanting; /* in the loop's list of those that want strands */
};

struct strand {
    struct io_chain chain; /* first: the engine gives it back */
    struct task *task;
    struct strand *free;
};

struct event_loop {
    struct tm_group *group;
    struct tm_graph *graph;
    struct worker_slot *slot; /* the first task's: counts for all */
    unsigned bell;
    bool keyed;
    bool ended; /* no more items will come, or the job is over */
    const struct io_engine *engine;
    struct io_loop *io;
    unsigned depth;
    struct task *tasks;
    struct strand *strands;
    struct strand *free;
    struct task *wanting;
    struct task *alone; /* to be, or being, worked on with no other item in hand */
    unsigned busy;
};

static const struct stage_ops *stage_of(const struct event_loop *loop, const struct task *task)
{
    return loop->group->lane->setup.stage[loop->group->first_stage + task->stage].ops;
}

/* Items. */

static void release_task(struct event_loop *loop, struct task *task)
{
    atomic_store_explicit(&task->view.item->stage, STAGE_NONE, memory_order_relaxed);
    task->is_busy = false;
    loop->busy--;
    if (task == loop->alone)
        loop->alone = NULL;
    uint64_t before = clock_ns();
    if (group_hand_on(loop->group, &task->view) != QUEUE_OK)
        loop->ended = true;
    slot_add(&loop->slot->wait_output_ns, clock_ns() - before);
}

static void begin_strand(struct event_loop *loop, struct task *task);

/* Runs computing stages until one needs strands, or the item is done. */
static void begin_stage(struct event_loop *loop, struct task *task)
{
    struct tm_item *item = task->view.item;
    for (; task->stage < loop->group->stage_count; task->stage++) {
        const struct stage_ops *ops = stage_of(loop, task);
        unsigned number = loop->group->first_stage + task->stage;
        atomic_store_explicit(&item->stage, (uint8_t)number, memory_order_relaxed);
        atomic_store_explicit(&item->cursor, 0, memory_order_relaxed);
        CRASH_POINT(CRASH_WORK);
        if (!fault_is_set(item->fault) && ops->step) {
            task->begun = task->active = 0;
            task->wants_strands = ops->strands > 1 && item->tries == 0;
            if (task->wants_strands) {
                task->wanting = loop->wanting;
                loop->wanting = task;
            }
            begin_strand(loop, task);
            return;
        }
        if (!fault_is_set(item->fault)) {
            uint64_t before = clock_ns();
            ops->run(task->worker.state[task->stage], &task->view);
            slot_add(&loop->slot->stage[task->stage].busy_ns, clock_ns() - before);
        }
        worker_count_item(loop->slot, task->stage, &task->view);
    }
    release_task(loop, task);
}

static void forget_wanting(struct event_loop *loop, struct task *task)
{
    struct task **link = &loop->wanting;
    task->wants_strands = false;
    while (*link && *link != task)
        link = &(*link)->wanting;
    if (*link)
        *link = task->wanting;
}

/* True: it was the last of its task. */
static bool free_strand(struct event_loop *loop, struct strand *strand)
{
    strand->free = loop->free;
    loop->free = strand;
    forget_wanting(loop, strand->task); /* where one found nothing to do, another will not */
    return --strand->task->active == 0;
}

static void drop_item(struct event_loop *loop, struct task *task)
{
    task->is_busy = false;
    loop->busy--;
    loop->ended = true;
}

static void resume(struct event_loop *loop, struct strand *strand)
{
    struct task *task = strand->task;
    if (graph_is_cancelled(loop->graph)) {
        if (free_strand(loop, strand))
            drop_item(loop, task);
        return;
    }
    uint64_t before = clock_ns();
    bool goes_on =
        stage_of(loop, task)->step(task->worker.state[task->stage], &task->view, &strand->chain);
    slot_add(&loop->slot->stage[task->stage].busy_ns, clock_ns() - before);
    if (goes_on) {
        loop->engine->submit(loop->io, &strand->chain);
    } else if (free_strand(loop, strand)) {
        worker_count_item(loop->slot, task->stage, &task->view);
        task->stage++;
        begin_stage(loop, task);
    }
}

static void begin_strand(struct event_loop *loop, struct task *task)
{
    struct strand *strand = loop->free;
    loop->free = strand->free;
    strand->task = task;
    strand->chain.count = 0;
    strand->chain.strand = task->begun++;
    task->active++;
    const struct stage_ops *ops = stage_of(loop, task);
    if (task->wants_strands && task->begun == ops->strands)
        forget_wanting(loop, task);
    resume(loop, strand);
}

/* Taking. */

static enum queue_result take_for(struct event_loop *loop, struct task *task)
{
    uint32_t index;
    enum queue_result result = queue_try_take(&loop->group->queue, task->worker.number,
                                              (struct take_policy){.order = TAKE_FIRST}, &index);
    if (result != QUEUE_OK)
        return result;
    task->view = lane_view(loop->group->lane, index);
    const struct tm_item *item = task->view.item;
    if (loop->keyed && item->stream)
        task->owns_stream = !item->last;
    return QUEUE_OK;
}

/* The task that has got an item, or NULL. In a keyed queue only its owner may take a stream's
 * chunk; all tasks without a stream may take the same, so one of them is enough to ask. */
static struct task *take_item(struct event_loop *loop)
{
    bool asked = false;
    for (unsigned t = 0; t < loop->depth && !loop->ended; t++) {
        struct task *task = &loop->tasks[t];
        if (task->is_busy || (asked && !task->owns_stream))
            continue;
        asked |= !task->owns_stream;
        switch (take_for(loop, task)) {
        case QUEUE_OK:
            return task;
        case QUEUE_EMPTY:
            break;
        default:
            loop->ended = true;
        }
        if (!loop->keyed)
            break;
    }
    return NULL;
}

static void begin_item(struct event_loop *loop, struct task *task)
{
    if (!task->is_open) {
        if (worker_open(&task->worker, loop->group, task->worker.number) < 0) {
            loop->ended = true; /* and has failed the job */
            return;
        }
        task->is_open = true;
    }
    task->is_busy = true;
    task->stage = 0;
    task->begun = 0;
    loop->busy++;
    if (task->view.item->tries)
        loop->alone = task;
    else
        begin_stage(loop, task);
}

/* Begins one thing; false: there is nothing to begin now. */
static bool begin_more(struct event_loop *loop)
{
    if (!loop->free)
        return false;
    if (loop->wanting) {
        begin_strand(loop, loop->wanting);
        return true;
    }
    if (loop->alone && loop->busy == 1 && !loop->alone->begun) {
        begin_stage(loop, loop->alone);
        return true;
    }
    if (loop->ended || loop->alone || loop->busy == loop->depth)
        return false;
    struct task *task = take_item(loop);
    if (!task && !loop->ended) {
        queue_arm(&loop->group->queue, loop->bell);
        task = take_item(loop); /* one that was put before the bell was armed */
    }
    if (task)
        begin_item(loop, task);
    return task != NULL;
}

static void run(struct event_loop *loop)
{
    for (;;) {
        while (begin_more(loop))
            ;
        struct io_chain *chain = loop->engine->complete(loop->io);
        if (chain) {
            resume(loop, (struct strand *)chain);
            continue;
        }
        if (loop->ended && !loop->busy)
            return;
        if (loop->busy)
            CRASH_POINT(CRASH_IN_FLIGHT);
        uint64_t before = clock_ns();
        loop->engine->wait(loop->io);
        slot_add(loop->busy ? &loop->slot->stage[0].busy_ns : &loop->slot->wait_input_ns,
                 clock_ns() - before);
    }
}

/* Setting up. */

static int open_io(struct event_loop *loop, uint16_t first_number)
{
    struct tm_lane *lane = loop->group->lane;
    bool may_be_killed = loop->group->exec->needs_nursery && loop->group->io == IO_URING;
    int tombstone = -1;
    if (may_be_killed) {
        tombstone = tombstone_open(&loop->graph->arena, first_number);
        if (tombstone < 0)
            return tombstone;
    }
    struct io_loop_setup setup = {
        .depth = loop->depth,
        .bell_fd = loop->group->queue.state->bell[loop->bell].event_fd,
        .stop_fd = loop->graph->stop_fd,
        .buffer = lane->input,
        .buffer_bytes = lane->setup.items * lane->setup.input_bytes,
        .tombstone_fd = tombstone,
        .counters = &loop->slot->io,
    };
    int error = loop->engine->create(&setup, &loop->io);
    if (tombstone >= 0)
        close(tombstone); /* the ring alone holds it now */
    return error;
}

static int open_loop(struct event_loop *loop, uint16_t first_number)
{
    loop->tasks = calloc(loop->depth, sizeof *loop->tasks);
    loop->strands = calloc(loop->depth, sizeof *loop->strands);
    if (!loop->tasks || !loop->strands)
        return -ENOMEM;
    for (unsigned i = loop->depth; i-- > 0;) {
        loop->tasks[i].worker.number = (uint16_t)(first_number + i);
        loop->strands[i].chain.number = i;
        loop->strands[i].chain.stop_fd = loop->graph->stop_fd;
        loop->strands[i].free = loop->free;
        loop->free = &loop->strands[i];
    }
    return open_io(loop, first_number);
}

void worker_loop_main(struct tm_group *group, uint16_t first_number)
{
    struct tm_graph *graph = group->lane->graph;
    struct event_loop loop = {
        .group = group,
        .graph = graph,
        .slot = &graph->slot[first_number],
        .bell = (first_number - group->first_slot) / group->tasks,
        .keyed = group->queue.state->keyed,
        .engine = io_engine(group->io),
        .depth = group->tasks,
    };
    int error = open_loop(&loop, first_number);
    if (error)
        graph_fail(graph, fault_system(TM_OP_START, error), io_kind_name(group->io));
    else
        run(&loop);
    loop.engine->destroy(loop.io);
    for (unsigned t = 0; loop.tasks && t < loop.depth; t++)
        if (loop.tasks[t].is_open)
            worker_close(&loop.tasks[t].worker);
    free(loop.tasks);
    free(loop.strands);
}
