/* inline: no worker of its own. The stage runs in the worker of the stage before it; at the start
 * of a lane, in the source's thread (lane_submit() calls it); at once behind the order, in the
 * sink's thread, which begins after start() and has ended before join(). */
#include "pipeline/graph_private.h"

static int start(struct tm_group *group)
{
    struct tm_lane *lane = group->lane;
    struct tm_worker *worker = group->in_sink ? &lane->sink_worker : &lane->source_worker;
    int error = worker_open(worker, group, (uint16_t)group->first_slot);
    *(group->in_sink ? &lane->sink_worker_open : &lane->source_worker_open) = error == 0;
    return error;
}

static void join(struct tm_group *group)
{
    struct tm_lane *lane = group->lane;
    bool *is_open = group->in_sink ? &lane->sink_worker_open : &lane->source_worker_open;
    if (*is_open)
        worker_close(group->in_sink ? &lane->sink_worker : &lane->source_worker);
    *is_open = false;
}

const struct exec_model exec_inline = {
    .id = MODEL_INLINE, .name = "inline", .start = start, .join = join};
