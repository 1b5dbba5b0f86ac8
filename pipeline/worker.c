/* The loop that every model runs: take an item, run it through the group's stages, hand it on. */
#include "pipeline/graph_private.h"

#include <errno.h>

#include "pipeline/crash.h"
#include "pipeline/io.h"

void worker_count_item(struct worker_slot *slot, unsigned k, const struct item_view *view)
{
    slot_add(&slot->stage[k].items, 1);
    slot_add(&slot->stage[k].bytes, view->item->bytes);
    atomic_store_explicit(&view->item->live_bytes, 0, memory_order_relaxed);
}

int worker_open(struct tm_worker *worker, struct tm_group *group, uint16_t number)
{
    *worker = (struct tm_worker){
        .group = group, .number = number, .slot = &group->lane->graph->slot[number]};
    for (unsigned k = 0; k < group->stage_count; k++) {
        const struct stage_setup *stage = &group->lane->setup.stage[group->first_stage + k];
        if (!stage->ops->open)
            continue;
        int error = stage->ops->open(stage->job, &worker->state[k]);
        if (error < 0) {
            worker_close(worker);
            graph_fail(group->lane->graph, fault_system(TM_OP_START, error), stage->ops->name);
            return error;
        }
    }
    return 0;
}

void worker_close(struct tm_worker *worker)
{
    for (unsigned k = 0; k < worker->group->stage_count; k++) {
        const struct stage_setup *stage =
            &worker->group->lane->setup.stage[worker->group->first_stage + k];
        if (worker->state[k] && stage->ops->close)
            stage->ops->close(worker->state[k]);
        worker->state[k] = NULL;
    }
}

static void run_stage(const struct tm_worker *first, const struct stage_ops *ops, void *state,
                      const struct item_view *view)
{
    const struct tm_graph *graph = first->group->lane->graph;
    if (ops->run) {
        ops->run(state, view);
        return;
    }
    if (first->burst && ops->strands > 1 && !view->item->stream && !view->item->tries) {
        burst_run(first->burst, ops, state, view);
        return;
    }
    struct io_chain chain;
    chain.count = 0;
    chain.strand = 0;
    chain.stop_fd = graph->stop_fd;
    while (ops->step(state, view, &chain))
        io_sync_execute(&chain);
}

/* One stage, of one item or of chunks of two streams. */
static void run_on_all(struct tm_worker *const workers[], const struct item_view views[],
                       unsigned count, unsigned k)
{
    unsigned number = workers[0]->group->first_stage + k;
    const struct stage_ops *ops = workers[0]->group->lane->setup.stage[number].ops;
    bool whole = true;
    for (unsigned i = 0; i < count; i++) {
        atomic_store_explicit(&views[i].item->stage, (uint8_t)number, memory_order_relaxed);
        atomic_store_explicit(&views[i].item->cursor, 0, memory_order_relaxed);
        whole = whole && !fault_is_set(views[i].item->fault);
    }
    CRASH_POINT(CRASH_WORK);
    if (count == 2 && whole && ops->together)
        ops->together((void *const[2]){workers[0]->state[k], workers[1]->state[k]}, views);
    for (unsigned i = 0; i < count; i++)
        if (!fault_is_set(views[i].item->fault))
            run_stage(workers[0], ops, workers[i]->state[k], &views[i]);
}

void worker_process(struct tm_worker *const workers[], const struct item_view views[],
                    unsigned count)
{
    struct worker_slot *slot = workers[0]->slot;
    uint64_t before = clock_ns();
    for (unsigned k = 0; k < workers[0]->group->stage_count; k++) {
        run_on_all(workers, views, count, k);
        uint64_t after = clock_ns();
        for (unsigned i = 0; i < count; i++)
            worker_count_item(slot, k, &views[i]);
        slot_add(&slot->stage[k].busy_ns, after - before);
        before = after;
    }
    for (unsigned i = 0; i < count; i++) /* whoever dies now, it is not the item's doing */
        atomic_store_explicit(&views[i].item->stage, STAGE_NONE, memory_order_relaxed);
}

static struct tm_queue *output_for(const struct tm_group *group, const struct tm_item *item)
{
    bool is_through = item->stream && !item->last && !group->lane->setup.every_chunk;
    return is_through && group->output == &group->lane->done ? &group->lane->pool : group->output;
}

enum queue_result group_hand_on(struct tm_group *group, const struct item_view *view)
{
    /* Before the item is back in the pool: whoever finds all credits there knows that all is well.
     * A worker that is killed in the middle of it still has the item, and the next one does it. Of
     * a job that is over already, what it left undone is no failure. */
    if (group->after_order && fault_is_set(view->item->fault) &&
        !graph_is_cancelled(group->lane->graph))
        graph_fail(group->lane->graph, view->item->fault, "");
    return queue_put(output_for(group, view->item), view->index);
}

/* A blocking worker: one item at a time, or chunks of two streams. */
struct blocking_worker {
    struct tm_group *group;
    struct tm_worker tasks[2];
    /* In hand. */
    struct item_view views[2];
    struct tm_worker *owners[2];
};

static enum queue_result take_next(struct blocking_worker *worker, struct take_policy policy,
                                   unsigned place)
{
    struct tm_group *group = worker->group;
    uint16_t number = worker->tasks[0].number;
    uint32_t index;
    policy.numbers = (uint16_t)group->tasks;
    enum queue_result result = place == 0 ? queue_take(&group->queue, number, policy, &index)
                                          : queue_try_take(&group->queue, number, policy, &index);
    if (result != QUEUE_OK)
        return result;
    worker->views[place] = lane_view(group->lane, index);
    unsigned task = item_word_load(worker->views[place].item).worker - number;
    worker->owners[place] = &worker->tasks[task];
    return QUEUE_OK;
}

/* How many items it has then. An item that has killed a worker before is worked on alone. */
static unsigned take_partner(struct blocking_worker *worker)
{
    const struct tm_item *item = worker->views[0].item;
    struct take_policy partner = {.order = TAKE_PARTNER, .key = worker->owners[0]->number};
    if (worker->group->tasks < 2 || !item->stream || item->tries)
        return 1;
    return take_next(worker, partner, 1) == QUEUE_OK ? 2 : 1;
}

static void process_taken(struct blocking_worker *worker, unsigned count)
{
    if (count == 2 && worker->views[1].item->tries) {
        worker_process(worker->owners, worker->views, 1);
        worker_process(worker->owners + 1, worker->views + 1, 1);
    } else {
        worker_process(worker->owners, worker->views, count);
    }
}

static void run_blocking(struct blocking_worker *worker)
{
    struct tm_group *group = worker->group;
    struct worker_slot *slot = worker->tasks[0].slot;
    uint64_t start = clock_ns();
    while (take_next(worker, (struct take_policy){.order = TAKE_FIRST}, 0) == QUEUE_OK) {
        unsigned count = take_partner(worker);
        slot_add(&slot->wait_input_ns, clock_ns() - start);
        process_taken(worker, count);
        uint64_t done = clock_ns();
        for (unsigned i = 0; i < count; i++)
            if (group_hand_on(group, &worker->views[i]) != QUEUE_OK)
                return;
        start = clock_ns();
        slot_add(&slot->wait_output_ns, start - done);
    }
}

void worker_main(struct tm_group *group, uint16_t number)
{
    if (group->io != IO_SYNC) {
        worker_loop_main(group, number);
        return;
    }
    struct blocking_worker worker = {.group = group};
    unsigned opened = 0;
    while (opened < group->tasks &&
           worker_open(&worker.tasks[opened], group, (uint16_t)(number + opened)) == 0)
        opened++;
    struct burst *burst = NULL;
    if (group->burst)
        burst = burst_open(group->burst, group->lane->graph->stop_fd, &worker.tasks[0].slot->io);
    worker.tasks[0].burst = worker.tasks[1].burst = burst;
    if (opened == group->tasks && worker_confine(group))
        run_blocking(&worker);
    burst_close(burst);
    while (opened > 0)
        worker_close(&worker.tasks[--opened]);
}
