/* Confining a worker process: what it may still write to are the bells of all queues, any of which
 * it may ring or close, the descriptor that ends the job, and standard error. */
#include "pipeline/graph_private.h"

#include <unistd.h>

#define QUEUES_MAX   (GRAPH_LANES_MAX * (LANE_STAGES_MAX + 2))
#define WRITABLE_MAX (QUEUES_MAX * QUEUE_BELLS_MAX + 2)

static unsigned add_bells(const struct tm_queue *queue, int *fds)
{
    unsigned count = queue->state ? queue->state->bell_count : 0; /* a group may have no queue */
    for (unsigned b = 0; b < count; b++)
        fds[b] = queue->state->bell[b].event_fd;
    return count;
}

static unsigned list_writable(const struct tm_graph *graph, int fds[static WRITABLE_MAX])
{
    unsigned count = 0;
    fds[count++] = STDERR_FILENO;
    fds[count++] = graph->stop_fd;
    for (unsigned l = 0; l < graph->lane_count; l++) {
        const struct tm_lane *lane = &graph->lane[l];
        count += add_bells(&lane->pool, fds + count);
        count += add_bells(&lane->done, fds + count);
        for (unsigned g = 0; g < lane->group_count; g++)
            count += add_bells(&lane->group[g].queue, fds + count);
    }
    return count;
}

bool worker_confine(const struct tm_group *group)
{
    struct tm_graph *graph = group->lane->graph;
    int writable[WRITABLE_MAX];
    if (group->confinement == CONFINE_NONE)
        return true;
    unsigned count = list_writable(graph, writable);
    int error = confine_enter(group->confinement, writable, count);
    if (error)
        graph_fail(graph, fault_system(TM_OP_CONFINE, error),
                   lane_stage_name(group->lane, group->first_stage));
    return !error;
}
