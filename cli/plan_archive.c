/* The stages of a job that reads an archive: see plan.h. */
#include "cli/plan_private.h"

#include <errno.h>
#include <stdio.h>

#include "stages/extract.h"
#include "stages/fetch.h"
#include "stages/member_hash.h"
#include "stages/unpack.h"

/* The stages that compute, and those that make files, which mostly wait for the kernel's work. */
static struct plan_choice workers_of(const struct options *options, const struct plan *plan,
                                     char text[static 96])
{
    unsigned workers = options->threads ? options->threads : plan->cpus.usable;
    if (options->threads)
        snprintf(text, 96, "--threads");
    else
        snprintf(text, 96, "%u usable CPUs", workers);
    return (struct plan_choice){.model = MODEL_THREADS, .workers = workers};
}

static struct stage_setup *last_stage(struct plan *plan)
{
    struct lane_setup *lane = &plan->graph.lane[LANE_DATA];
    return &lane->stage[lane->stage_count - 1];
}

/* Blocks are decompressed where they were read. */
static void set_input(const struct plan_archive_request *request, struct plan *plan)
{
    const struct options *options = request->options;
    struct plan_choice one = {.model = MODEL_THREADS, .workers = 1};
    char text[96];
    struct plan_choice many = workers_of(options, plan, text), reading, next;
    if (request->read) {
        bool alone = !request->compress_stage;
        reading = plan_choose(plan, options, STAGE_READ, alone ? one : many,
                              alone ? "one reader feeds the stage after it"
                                    : "in the worker of the stage after it");
        plan_set_stage(plan, LANE_DATA, STAGE_READ, &fetch_stage, request->read, reading);
    }
    if (request->compress_stage) {
        next = plan_choose(plan, options, STAGE_COMPRESS, many, text);
        plan_set_stage(plan, LANE_DATA, STAGE_COMPRESS, request->compress_stage,
                       request->compress_job, next);
        last_stage(plan)->fused =
            request->read && plan_is_auto(options, STAGE_READ) && plan_is_same(&reading, &next);
    }
    if (request->scan) {
        next = plan_choose(plan, options, STAGE_SCAN, one, "members come one after another");
        plan_set_stage(plan, LANE_DATA, STAGE_SCAN, &unpack_scan_stage, request->scan, next);
    }
}

static void set_output(const struct plan_archive_request *request, struct plan *plan)
{
    const struct options *options = request->options;
    char text[96];
    struct plan_choice many = workers_of(options, plan, text);
    if (request->hash)
        plan_set_stage(plan, LANE_DATA, STAGE_HASH, &member_hash_stage, request->hash,
                       plan_choose(plan, options, STAGE_HASH, many, text));
    if (!request->write)
        return;
    if (request->hash) {
        many = (struct plan_choice){.model = MODEL_INLINE};
        snprintf(text, sizeof text, "in the worker of the stage before it");
    }
    plan_set_stage(plan, LANE_DATA, STAGE_WRITE, &extract_stage, request->write,
                   plan_choose(plan, options, STAGE_WRITE, many, text));
}

int plan_archive(const struct plan_archive_request *request, struct plan *plan, char *error,
                 size_t capacity)
{
    *plan = (struct plan){.cpus = cpus_detect()};
    plan->graph.confines = plan_confines(request->options);
    plan->graph.lane_count = 1;
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    data->sink = request->sink;
    data->sink_context = request->sink_context;
    data->ordered = data->every_chunk = true;
    set_input(request, plan);
    set_output(request, plan);
    if (plan_check(request->options, request->hash ? request->hash->hash : NULL, plan, error,
                   capacity))
        return -EINVAL;
    return plan_archive_memory(request, plan, error, capacity);
}
