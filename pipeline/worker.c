/* The loop that every model runs: take an item, run it through the group's stages, hand it on. */
#include "pipeline/graph_private.h"

#include <errno.h>

#include "pipeline/crash.h"
#include "pipeline/io.h"

void worker_count_item(struct worker_slot *slot, unsigned k, const struct item_view *view)
{
    slot_add(&slot->stage[k].items, 1);
    slot_add(&slot->stage[k].bytes, view->item->bytes);
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

static void run_stage(const struct tm_graph *graph, const struct stage_ops *ops, void *state,
                      const struct item_view *view)
{
    if (ops->run) {
        ops->run(state, view);
        return;
    }
    struct io_chain chain;
    chain.count = 0;
    chain.strand = 0;
    chain.stop_fd = graph->stop_fd;
    while (ops->step(state, view, &chain))
        io_sync_execute(&chain);
}

void worker_process(struct tm_worker *worker, const struct item_view *view)
{
    struct tm_group *group = worker->group;
    uint64_t before = clock_ns();
    for (unsigned k = 0; k < group->stage_count; k++) {
        unsigned number = group->first_stage + k;
        const struct stage_ops *ops = group->lane->setup.stage[number].ops;
        atomic_store_explicit(&view->item->stage, (uint8_t)number, memory_order_relaxed);
        atomic_store_explicit(&view->item->cursor, 0, memory_order_relaxed);
        CRASH_POINT(CRASH_WORK);
        if (!fault_is_set(view->item->fault))
            run_stage(group->lane->graph, ops, worker->state[k], view);
        uint64_t after = clock_ns();
        worker_count_item(worker->slot, k, view);
        slot_add(&worker->slot->stage[k].busy_ns, after - before);
        before = after;
    }
}

struct tm_queue *group_output(const struct tm_group *group, const struct tm_item *item)
{
    bool is_inner_chunk = item->stream && !item->last;
    return is_inner_chunk && group->output == &group->lane->done ? &group->lane->pool
                                                                 : group->output;
}

void worker_main(struct tm_group *group, uint16_t number)
{
    struct tm_worker worker;
    if (group->io != IO_SYNC) {
        worker_loop_main(group, number);
        return;
    }
    if (worker_open(&worker, group, number) < 0)
        return;
    uint64_t start = clock_ns();
    uint32_t index;
    while (queue_take(&group->queue, number, (struct take_policy){.order = TAKE_FIRST}, &index) ==
           QUEUE_OK) {
        struct item_view view = lane_view(group->lane, index);
        slot_add(&worker.slot->wait_input_ns, clock_ns() - start);
        worker_process(&worker, &view);
        uint64_t done = clock_ns();
        if (queue_put(group_output(group, view.item), index) != QUEUE_OK)
            break;
        start = clock_ns();
        slot_add(&worker.slot->wait_output_ns, start - done);
    }
    worker_close(&worker);
}
