/* processes:N: N processes forked by the nursery, on the same arena and queues. */
#include "pipeline/graph_private.h"

static int start(struct tm_group *group)
{
    struct tm_graph *graph = group->lane->graph;
    int error = 0;
    for (unsigned w = 0; w < group->worker_count && !error; w++)
        error =
            supervisor_spawn(graph->supervisor, (uint16_t)(group->first_slot + w * group->tasks));
    return error;
}

static void join(struct tm_group *group)
{
    (void)group; /* supervisor_destroy() waits for all processes of all groups */
}

const struct exec_model exec_processes = {.id = MODEL_PROCESSES,
                                          .name = "processes",
                                          .needs_nursery = true,
                                          .start = start,
                                          .join = join};
