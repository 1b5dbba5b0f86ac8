/* plan: turns options into the set-up of a graph: which model and how many workers each stage
 * gets, how much memory, and why. A job's graph is wired here, but for
 * that of cli/listing.c, which keeps the scan lane and reads nothing.
 *
 *     lane 0, scan:  requests ─▶ scan ─▶ answers
 *     lane 1, data:  batches ─▶ read ─▶ hash ─▶ write ─▶ sink
 */
#ifndef TREEMILL_CLI_PLAN_H
#define TREEMILL_CLI_PLAN_H

#include <stddef.h>

#include "cli/cpus.h"
#include "cli/options.h"
#include "pipeline/graph.h"
#include "stages/hash.h"

enum { LANE_SCAN, LANE_DATA };
/* Stages of the data lane. */
enum { DATA_STAGE_READ, DATA_STAGE_HASH, DATA_STAGE_WRITE };

struct plan {
    struct graph_setup graph;
    struct cpu_limits cpus;
    size_t block_bytes;
    /* Why each stage runs as it does, for -v and --stats. */
    char why[STAGE_COUNT][256];
};

struct plan_request {
    const struct options *options;
    struct hash_job *hash;
    const struct stage_ops *write_stage;
    void *write_job;
    int (*sink)(void *context, const struct item_view *view);
    void *sink_context;
    const char *first_path; /* tells what device is read; may be NULL */
};

/* 0; -EINVAL with one line in error when the options ask for what cannot be, or not here. */
int plan_make(const struct plan_request *request, struct plan *plan, char *error, size_t capacity);

/* How a stage runs, as its flag would say it: "uring:64", "processes:2,io=epoll,depth=8". */
#define PLAN_SPEC_BYTES 64
const char *plan_spec(const struct stage_setup *stage, char spec[static PLAN_SPEC_BYTES]);

#endif
