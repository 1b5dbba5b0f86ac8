/* plan: turns options into the set-up of a graph: which model and how many workers each stage
 * gets, how much memory, and why. A job's graph is wired here, but for
 * that of cli/listing.c, which keeps the scan lane and reads nothing.
 *
 *     lane 0, data:  batches ─▶ read ─▶ hash ─▶ compress ─▶ write ─▶ sink
 *     lane 1, scan:  requests ─▶ scan ─▶ answers
 *
 * Of hash, compress and write a job has those that it asks for. A job that reads an archive has
 * one lane:
 *
 *     lane 0, data:  batches ─▶ read ─▶ compress ─▶ scan ─▶ hash ─▶ write ─▶ sink
 *
 * where compress decompresses, and scan finds the members. It has those that its archive needs.
 */
#ifndef TREEMILL_CLI_PLAN_H
#define TREEMILL_CLI_PLAN_H

#include <stddef.h>

#include "cli/cpus.h"
#include "cli/options.h"
#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/hash.h"
#include "stages/member_hash.h"

enum { LANE_DATA, LANE_SCAN };
struct plan {
    struct graph_setup graph;
    struct cpu_limits cpus;
    struct batch_shape shape;
    /* Which option each stage of each lane belongs to. */
    enum stage_kind kind[GRAPH_LANES_MAX][LANE_STAGES_MAX];
    unsigned main_stage; /* of the data lane: whose bytes are the job's progress */
    bool is_rotational;  /* what is read */
    /* Why each stage runs as it does, for -v and --stats. */
    char why[STAGE_COUNT][256];
};

struct plan_request {
    const struct options *options;
    void *scan; /* jobs of those stages, or NULL */
    void *read;
    struct hash_job *hash;                  /* NULL: no digests */
    const struct stage_ops *compress_stage; /* NULL: none */
    void *compress_job;
    const char *compress_text;           /* what it does, for -v */
    const struct stage_ops *write_stage; /* NULL: the sink does it */
    bool write_after_order;              /* see struct stage_setup */
    void *write_job;
    /* What batches are to be like. block_bytes 0: as large as memory allows, which the output must
     * not depend on then. */
    struct batch_shape shape;
    /* Bytes of the output slab besides the digests, for a shape; NULL: none. */
    size_t (*output_bytes)(const void *compress_job, const struct batch_shape *shape);
    bool every_chunk; /* see struct lane_setup */
    int (*sink)(void *context, const struct item_view *view);
    void *sink_context;
    const char *first_path; /* tells what device is read; may be NULL */
};

/* 0; -EINVAL with one line in error when the options ask for what cannot be, or not here. */
int plan_make(const struct plan_request *request, struct plan *plan, char *error, size_t capacity);

/* The same for a job that reads an archive. */
struct plan_archive_request {
    const struct options *options;
    void *read;                             /* struct fetch_job; NULL: none */
    const struct stage_ops *compress_stage; /* NULL: none */
    void *compress_job;
    void *scan;                   /* struct unpack_job; NULL: none */
    struct member_hash_job *hash; /* NULL: none */
    void *write;                  /* struct extract_job; NULL: none */
    struct batch_shape shape;
    size_t output_bytes; /* of the slab, behind the digests */
    int (*sink)(void *context, const struct item_view *view);
    void *sink_context;
};
int plan_archive(const struct plan_archive_request *request, struct plan *plan, char *error,
                 size_t capacity);

/* How a stage runs, as its flag would say it: "uring:64", "processes:2,io=epoll,depth=8". */
#define PLAN_SPEC_BYTES 64
const char *plan_spec(const struct stage_setup *stage, char spec[static PLAN_SPEC_BYTES]);

#endif
