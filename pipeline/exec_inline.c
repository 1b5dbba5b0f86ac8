/* inline: no worker of its own. The stage runs in the worker of the stage before it; at the start
 * of a lane, in the source's thread (lane_submit() calls it). */
#include "pipeline/graph_private.h"

static int start(struct tm_group *group)
{
    struct tm_lane *lane = group->lane;
    int error = worker_open(&lane->source_worker, group, (uint16_t)group->first_slot);
    lane->source_worker_open = error == 0;
    return error;
}

static void join(struct tm_group *group)
{
    if (group->lane->source_worker_open)
        worker_close(&group->lane->source_worker);
    group->lane->source_worker_open = false;
}

const struct exec_model exec_inline = {
    .id = MODEL_INLINE, .name = "inline", .start = start, .join = join};
