/* Running a graph: the source's calls, the sink's thread, failing, cancelling, ending, and what
 * happens after a worker's death. */
#include "pipeline/graph_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "pipeline/io_tombstone.h"

/* Sink. */

/* The sink has seen the item: its credit goes back to the pool, perhaps by way of the stages behind
 * the order. What its fault was the sink knows; one that it has from now on is another. */
static enum queue_result send_on(struct tm_lane *lane, const struct item_view *view)
{
    struct tm_group *next = &lane->group[lane->groups_before_order];
    if (lane->groups_before_order == lane->group_count) {
        lane_release(lane, view);
        return QUEUE_OK;
    }
    view->item->fault = TM_NO_FAULT;
    view->item->tries = 0;
    if (!next->in_sink)
        return queue_put(&next->queue, view->index);
    worker_process((struct tm_worker *const[]){&lane->sink_worker}, view, 1);
    return group_hand_on(next, view);
}

/* Hands the next finished item to the sink and sends it on. */
static enum queue_result deliver_next(struct tm_lane *lane, bool wait)
{
    struct take_policy policy = {.order = lane->setup.ordered ? TAKE_SEQUENCE : TAKE_FIRST,
                                 .key = lane->delivered};
    uint32_t index;
    enum queue_result result = wait ? queue_take(&lane->done, WORKER_MAIN, policy, &index)
                                    : queue_try_take(&lane->done, WORKER_MAIN, policy, &index);
    if (result != QUEUE_OK)
        return result;
    struct item_view view = lane_view(lane, index);
    int error = lane->setup.sink(lane->setup.sink_context, &view);
    if (error < 0) {
        graph_fail(lane->graph, fault_system(TM_OP_WRITE, error), "");
        return QUEUE_END;
    }
    lane->delivered++;
    return send_on(lane, &view);
}

static void *sink_main(void *argument)
{
    while (deliver_next(argument, true) == QUEUE_OK)
        ;
    return NULL;
}

/* The last group before the sink runs in the source's thread if all of them do; then so does the
 * sink. */
static bool lane_is_inline(const struct tm_lane *lane)
{
    return lane->group[lane->groups_before_order - 1].in_source;
}

static int start_sink(struct tm_lane *lane)
{
    if (!lane->setup.sink || lane_is_inline(lane))
        return 0;
    int error = pthread_create(&lane->sink_thread, NULL, sink_main, lane);
    if (error)
        return -error;
    lane->sink_thread_runs = true;
    pthread_setname_np(lane->sink_thread, "sink");
    return 0;
}

/* Starting and ending. */

static int start_all(struct tm_graph *graph)
{
    int error = 0;
    if (graph->supervisor)
        error = supervisor_start(graph->supervisor);
    for (unsigned l = 0; l < graph->lane_count && !error; l++)
        error = start_sink(&graph->lane[l]);
    /* Last group first: an item never waits for a stage that has not started. (The sink's thread
     * may be there before the worker that it runs `inline` stages with: nothing is submitted yet.)
     */
    for (unsigned l = 0; l < graph->lane_count; l++)
        for (unsigned g = graph->lane[l].group_count; g-- > 0 && !error;)
            error = graph->lane[l].group[g].exec->start(&graph->lane[l].group[g]);
    return error;
}

int graph_start(struct tm_graph *graph)
{
    bool needs_nursery = false;
    for (unsigned l = 0; l < graph->lane_count; l++)
        for (unsigned g = 0; g < graph->lane[l].group_count; g++)
            needs_nursery |= graph->lane[l].group[g].exec->needs_nursery;
    int error = needs_nursery ? supervisor_create(graph, &graph->supervisor) : 0;
    if (!error)
        error = start_all(graph);
    if (error) {
        graph_cancel(graph);
        graph_finish(graph);
    }
    return error;
}

void graph_close_queues(struct tm_graph *graph)
{
    for (unsigned l = 0; l < graph->lane_count; l++) {
        struct tm_lane *lane = &graph->lane[l];
        queue_finish_receive(&lane->pool);
        queue_finish_receive(&lane->done);
        for (unsigned g = 0; g < lane->group_count; g++)
            if (!group_is_inline(&lane->group[g]))
                queue_finish_receive(&lane->group[g].queue);
    }
}

/* Waits for the stages behind the order: see "Ending" in graph.h. */
static void take_all_credits(struct tm_lane *lane)
{
    const struct take_policy any = {.order = TAKE_FIRST};
    uint32_t index;
    if (lane->groups_before_order == lane->group_count)
        return;
    for (uint32_t i = 0; i < lane->setup.items; i++)
        if (queue_take(&lane->pool, WORKER_MAIN, any, &index) != QUEUE_OK)
            return; /* failed or cancelled */
}

void graph_finish(struct tm_graph *graph)
{
    for (unsigned l = 0; l < graph->lane_count; l++)
        if (graph->lane[l].sink_thread_runs) {
            ALWAYS(pthread_join(graph->lane[l].sink_thread, NULL) == 0);
            graph->lane[l].sink_thread_runs = false;
        }
    for (unsigned l = 0; l < graph->lane_count; l++)
        take_all_credits(&graph->lane[l]);
    graph_close_queues(graph);
    for (unsigned l = 0; l < graph->lane_count; l++)
        for (unsigned g = 0; g < graph->lane[l].group_count; g++)
            graph->lane[l].group[g].exec->join(&graph->lane[l].group[g]);
    supervisor_destroy(graph->supervisor);
    graph->supervisor = NULL;
}

void graph_cancel(struct tm_graph *graph)
{
    atomic_store_explicit(&graph->shared->cancelled, 1, memory_order_relaxed);
    graph_close_queues(graph); /* its locks order the flag before what waiters see next */
    /* For those who wait for something else than a queue. It is never read: not full. */
    (void)eventfd_write(graph->stop_fd, 1);
}

bool graph_is_cancelled(const struct tm_graph *graph)
{
    return atomic_load_explicit(&graph->shared->cancelled, memory_order_relaxed);
}

void graph_fail(struct tm_graph *graph, struct tm_fault fault, const char *path)
{
    struct graph_shared *shared = graph->shared;
    uint32_t unclaimed = 0;
    if (atomic_compare_exchange_strong(&shared->claim, &unclaimed, 1)) {
        shared->fault = fault;
        strncpy(shared->path, path, sizeof shared->path - 1);
        atomic_store_explicit(&shared->ready, 1, memory_order_release);
    }
    graph_cancel(graph);
}

bool graph_failure(const struct tm_graph *graph, struct tm_fault *fault, const char **path)
{
    if (!atomic_load(&graph->shared->claim))
        return false;
    if (!atomic_load_explicit(&graph->shared->ready, memory_order_acquire)) {
        /* All workers are gone: this one died while it wrote what had failed. */
        *fault = fault_system(TM_OP_START, ECHILD);
        *path = "worker";
        return true;
    }
    *fault = graph->shared->fault;
    *path = graph->shared->path;
    return true;
}

/* The source's calls. */

static int prepare_acquired(struct tm_lane *lane, enum queue_result result, uint32_t index,
                            struct item_view *view)
{
    if (result != QUEUE_OK)
        return result == QUEUE_EMPTY ? -EAGAIN : -ECANCELED;
    *view = lane_view(lane, index);
    struct tm_item *item = view->item;
    item->stream = 0;
    item->chunk = 0;
    item->last = false;
    item->tries = 0;
    item->fault = TM_NO_FAULT;
    item->bytes = 0;
    atomic_store_explicit(&item->live_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&item->stage, STAGE_NONE, memory_order_relaxed);
    return 0;
}

/* TAKE_LAST: the credit released last has the warmest slabs. */
static const struct take_policy from_pool = {.order = TAKE_LAST};

int lane_acquire(struct tm_lane *lane, struct item_view *view)
{
    uint32_t index = ITEM_NONE;
    enum queue_result result = queue_take(&lane->pool, WORKER_MAIN, from_pool, &index);
    return prepare_acquired(lane, result, index, view);
}

int lane_try_acquire(struct tm_lane *lane, struct item_view *view, uint32_t spare)
{
    uint32_t index = ITEM_NONE;
    /* The source alone takes from the pool: the count can only grow meanwhile. */
    if (queue_count(&lane->pool) <= spare)
        return -EAGAIN;
    enum queue_result result = queue_try_take(&lane->pool, WORKER_MAIN, from_pool, &index);
    return prepare_acquired(lane, result, index, view);
}

static int submit(struct tm_lane *lane, const struct item_view *view, uint64_t number)
{
    struct tm_group *first = &lane->group[0];
    view->item->sequence = number;
    if (first->in_source)
        worker_process((struct tm_worker *const[]){&lane->source_worker}, view, 1);
    if ((first->in_source ? group_hand_on(first, view) : queue_put(&first->queue, view->index)) !=
        QUEUE_OK)
        return -ECANCELED;
    if (lane->setup.sink && lane_is_inline(lane))
        while (deliver_next(lane, false) == QUEUE_OK)
            ;
    return graph_is_cancelled(lane->graph) ? -ECANCELED : 0;
}

int lane_submit(struct tm_lane *lane, const struct item_view *view)
{
    return submit(lane, view, lane->admitted++);
}

int lane_submit_chunk(struct tm_lane *lane, const struct item_view *view, uint64_t number)
{
    return submit(lane, view, lane->setup.every_chunk ? lane->admitted++ : number);
}

int lane_wait(struct tm_lane *lane, const struct item_view *view)
{
    uint32_t index;
    enum queue_result result =
        queue_take(&lane->done, WORKER_MAIN,
                   (struct take_policy){.order = TAKE_ITEM, .key = view->index}, &index);
    return result == QUEUE_OK ? 0 : -ECANCELED;
}

void lane_release(struct tm_lane *lane, const struct item_view *view)
{
    (void)queue_put(&lane->pool, view->index); /* closed: the job is over, credits are moot */
}

void lane_finish(struct tm_lane *lane)
{
    if (lane->setup.sink)
        queue_end_after(&lane->done, lane->admitted);
}

uint32_t lane_stream_begin(struct tm_lane *lane, uint64_t *number)
{
    for (uint32_t s = 0; s < lane->stream_count; s++) {
        struct tm_stream *stream = &lane->streams[s];
        if (atomic_load_explicit(&stream->in_use, memory_order_acquire))
            continue;
        /* Whoever took the last chunk of the stream before has left it without an owner. */
        atomic_store_explicit(&stream->next, 0, memory_order_relaxed);
        atomic_store_explicit(&stream->in_use, true, memory_order_relaxed);
        *number = lane->admitted;
        if (!lane->setup.every_chunk) /* there each chunk takes one of its own */
            lane->admitted++;
        return s + 1;
    }
    bool kept_to_lane_streams_max = false;
    ALWAYS(kept_to_lane_streams_max); /* else a stream would have been free */
    return 0;
}

uint32_t lane_stream_taken(const struct tm_lane *lane, uint32_t stream)
{
    return atomic_load_explicit(&lane->streams[stream - 1].next, memory_order_relaxed);
}

void lane_stream_end(struct tm_lane *lane, uint32_t stream)
{
    atomic_store_explicit(&lane->streams[stream - 1].in_use, false, memory_order_release);
}

/* After a death. */

/* When so many workers of a group have died one after another and none has finished an item
 * meanwhile, the next one will not do better. */
#define DEATHS_WITHOUT_WORK_MAX 100

/* Whether what a stage marks in an item is still there when the group works on it again. */
static bool keeps_marks(const struct tm_group *group, unsigned stage)
{
    for (unsigned k = group->first_stage; k < stage; k++)
        if (group->lane->setup.stage[k].ops->begins_anew)
            return false;
    return true;
}

static void put_back(struct tm_group *group, uint32_t index, struct tm_fault fault)
{
    struct tm_lane *lane = group->lane;
    struct item_view view = lane_view(lane, index);
    unsigned stage = atomic_load_explicit(&view.item->stage, memory_order_relaxed);
    bool begun = stage >= group->first_stage && stage < group->first_stage + group->stage_count;
    /* Only claimed when the worker died: not this item's doing. */
    if (begun && ++view.item->tries >= lane->graph->max_tries) {
        const struct stage_setup *setup = &lane->setup.stage[stage];
        fault.stage = (uint16_t)stage;
        view.item->tries = 0;
        if (!setup->ops->blame || !keeps_marks(group, stage) ||
            !setup->ops->blame(setup->job, &view, fault))
            view.item->fault = fault;
    }
    atomic_store_explicit(&view.item->stage, STAGE_NONE, memory_order_relaxed);
    queue_requeue(&group->queue, index);
}

static uint64_t items_done(const struct tm_group *group)
{
    uint64_t items = 0;
    for (unsigned w = 0; w < group->worker_count; w++)
        items += atomic_load_explicit(
            &group->lane->graph->slot[group->first_slot + w * group->tasks].stage[0].items,
            memory_order_relaxed);
    return items;
}

bool graph_worker_died(struct tm_graph *graph, uint16_t number, int wait_status)
{
    struct tm_group *group = graph->slot_group[number];
    struct tm_lane *lane = group->lane;
    struct worker_slot *slot = &graph->slot[number];
    if (graph_is_cancelled(graph)) {
        graph_close_queues(graph); /* the dead one may have been half-way through doing it */
        return false;
    }
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
        return false;
    struct tm_fault fault = {
        .kind = WIFSIGNALED(wait_status) ? TM_FAULT_SIGNAL : TM_FAULT_EXIT,
        .operation = TM_OP_NONE,
        .stage = (uint16_t)group->first_stage,
        .detail = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status),
    };
    if (group->io == IO_URING)
        tombstone_wait(&graph->arena, number);
    for (uint32_t i = 0; i < lane->setup.items; i++) {
        struct item_word word = item_word_load(&lane->items[i]);
        if (word.state == ITEM_OWNED && word.worker >= number &&
            word.worker < number + group->tasks)
            put_back(group, i, fault);
    }
    /* Only now its streams are free: before its chunk was back, another worker would have gone on
     * with the next one. */
    for (unsigned t = 0; t < group->tasks; t++)
        queue_recover(&group->queue, (uint16_t)(number + t));
    queue_recover(group->output, number);
    queue_recover(&lane->pool, number);
    uint64_t items = items_done(group);
    group->deaths_without_work =
        items == group->items_at_death ? group->deaths_without_work + 1 : 0;
    group->items_at_death = items;
    if (group->deaths_without_work >= DEATHS_WITHOUT_WORK_MAX) {
        graph_fail(graph, fault, lane_stage_name(lane, group->first_stage));
        return false;
    }
    atomic_fetch_add_explicit(&slot->restarts, 1, memory_order_relaxed);
    return true;
}
