/* advice: after a job, the one flag that would have made it faster, if the figures say so.
 *
 * A pure function of what the stages counted. It speaks only where the reason is plain: a stage
 * whose workers had no rest while CPUs were idle, or one that waited for its files one after
 * another. A job that was over soon, one that used all CPUs, one large file that only one worker
 * can hash, a disk that is better read by one: all of these get no advice.
 */
#ifndef TREEMILL_CLI_ADVICE_H
#define TREEMILL_CLI_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/parse.h"
#include "cli/report.h"

#define ADVICE_STAGES_MAX 16
#define ADVICE_BYTES      160

struct advice_job {
    uint64_t elapsed_ns;
    uint64_t cpu_ns; /* of all its threads and processes together */
    unsigned cpus;   /* usable */
    uint64_t files, bytes;
    uint64_t largest_bytes; /* of one file */
    bool is_rotational;     /* the disk that was read */
    bool has_uring;         /* rings are to be had */
    bool is_keyed;          /* compress, too, has one worker for each file, however large */
    /* Of each stage in the statistics. */
    enum stage_kind kind[ADVICE_STAGES_MAX];
    bool is_fused[ADVICE_STAGES_MAX]; /* it has the workers of the stage before it */
};

/* "compress was busy 97 % of the time on 2 of 8 CPUs: --compress=threads:8". False: there is
 * nothing to say. */
bool advice_text(const struct advice_job *job, const struct stage_stats *stages, size_t count,
                 char *out, size_t capacity);

#endif
