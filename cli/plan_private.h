/* plan's parts: the stages (plan.c) and the memory between them (plan_memory.c). */
#ifndef TREEMILL_CLI_PLAN_PRIVATE_H
#define TREEMILL_CLI_PLAN_PRIVATE_H

#include "cli/plan.h"

/* Threads, processes and loops of the lane. */
unsigned plan_lane_workers(const struct lane_setup *lane);

/* Block size, slabs and numbers of items, once the stages are chosen. 0; -EINVAL with one line. */
int plan_choose_memory(const struct plan_request *request, struct plan *plan, char *error,
                       size_t capacity);

#endif
