/* threads:N: N threads of the main process, blocking calls.
 * uring:D and epoll:D: one thread for each loop; D operations are in flight in it. */
#include "pipeline/graph_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct thread_start {
    struct tm_group *group;
    uint16_t number;
};

static void *thread_main(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    worker_main(start.group, start.number);
    return NULL;
}

static void name_thread(pthread_t thread, const struct tm_group *group, unsigned worker)
{
    char name[16]; /* the kernel's limit */
    snprintf(name, sizeof name, "%.10s-%u", lane_stage_name(group->lane, group->first_stage),
             worker % 1000);
    pthread_setname_np(thread, name);
}

static int start(struct tm_group *group)
{
    struct tm_graph *graph = group->lane->graph;
    for (unsigned w = 0; w < group->worker_count; w++) {
        struct thread_start *argument = malloc(sizeof *argument);
        if (!argument)
            return -ENOMEM;
        unsigned slot = group->first_slot + w * group->tasks;
        *argument = (struct thread_start){group, (uint16_t)slot};
        int error = pthread_create(&graph->thread[slot], NULL, thread_main, argument);
        if (error) {
            free(argument);
            return -error;
        }
        graph->thread_runs[slot] = true;
        name_thread(graph->thread[slot], group, w);
    }
    return 0;
}

static void join(struct tm_group *group)
{
    struct tm_graph *graph = group->lane->graph;
    for (unsigned w = 0; w < group->worker_count; w++) {
        unsigned slot = group->first_slot + w * group->tasks;
        if (!graph->thread_runs[slot])
            continue;
        ALWAYS(pthread_join(graph->thread[slot], NULL) == 0);
        graph->thread_runs[slot] = false;
    }
}

const struct exec_model exec_threads = {
    .id = MODEL_THREADS, .name = "threads", .start = start, .join = join};

const struct exec_model exec_uring = {
    .id = MODEL_URING, .name = "uring", .start = start, .join = join};

const struct exec_model exec_epoll = {
    .id = MODEL_EPOLL, .name = "epoll", .start = start, .join = join};
