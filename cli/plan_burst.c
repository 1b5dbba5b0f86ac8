/* plan's choice of bursts: whether a reading thread hands several small files to the kernel at once
 * (pipeline/worker_burst.c). That depends on what entering the kernel costs, which differs between
 * machines by a multiple: on one virtual machine a tree of 200,000 small files took 0.78 of the
 * time, and one of sources 0.87, on another 0.98 each. So it is measured, on the file of the
 * program itself, which is in the page cache because it runs. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/plan_private.h"
#include "pipeline/burst.h"

/* 4, 8 and 32 come close. */
#define BURST_DEFAULT 16

/* Below this percentage of the time it takes one by one: what is less is lost in the noise. */
#define SHARE_MAX 90

void plan_choose_burst(const struct options *options, bool is_tree, struct plan *plan)
{
    struct stage_setup *read = &plan->graph.lane[LANE_DATA].stage[0];
    char path[PATH_MAX];
    unsigned asked = options->stage[STAGE_READ].burst;
    if (read->model != MODEL_THREADS || read->io != IO_SYNC)
        return;
    if (asked)
        read->burst = asked > 1 ? asked : 0;
    if (asked || !plan_is_auto(options, STAGE_READ) || !is_tree)
        return;
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof path);
    if (bytes <= 0 || (size_t)bytes >= sizeof path)
        return;
    path[bytes] = '\0';
    unsigned share = burst_measure(path, BURST_DEFAULT);
    if (!share)
        return;
    read->burst = share < SHARE_MAX ? BURST_DEFAULT : 0;
    char *why = plan->why[STAGE_READ];
    size_t used = strlen(why);
    snprintf(why + used, sizeof plan->why[STAGE_READ] - used,
             "; %u files at once take %u %% of the time", BURST_DEFAULT, share);
}
