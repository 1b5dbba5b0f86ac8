/* plan's parts: the stages (plan.c, plan_burst.c), those of jobs that read an archive
 * (plan_archive.c), and the memory between them (plan_memory.c). */
#ifndef TREEMILL_CLI_PLAN_PRIVATE_H
#define TREEMILL_CLI_PLAN_PRIVATE_H

#include "cli/plan.h"

struct plan_choice {
    enum model model;
    unsigned workers;
    enum io_kind io;
    unsigned depth; /* of each worker's loop */
};

/* What the options ask of a stage, or else `automatic`, because of `why`. */
struct plan_choice plan_choose(struct plan *plan, const struct options *options,
                               enum stage_kind stage, struct plan_choice automatic,
                               const char *why);
/* Nothing is said of the stage. */
bool plan_is_auto(const struct options *options, enum stage_kind stage);
bool plan_is_same(const struct plan_choice *a, const struct plan_choice *b);
/* Adds the stage to the lane. */
void plan_set_stage(struct plan *plan, unsigned lane, enum stage_kind kind,
                    const struct stage_ops *ops, void *job, struct plan_choice choice);
/* The last steps, once the stages are chosen. 0; -EINVAL with one line. */
int plan_check(const struct options *options, const struct hash_job *hash, struct plan *plan,
               char *error, size_t capacity);
/* plan_burst.c: whether the data lane's reading threads, which are chosen, hand several files to
 * the kernel at once; `is_tree`: there may be many small ones, in the page cache. */
void plan_choose_burst(const struct options *options, bool is_tree, struct plan *plan);
/* Whether worker processes are to be confined, and can be. */
bool plan_confines(const struct options *options);

/* Threads, processes and loops of the lane. */
unsigned plan_lane_workers(const struct lane_setup *lane);

/* Block size, slabs and numbers of items, once the stages are chosen. 0; -EINVAL with one line. */
int plan_choose_memory(const struct plan_request *request, struct plan *plan, char *error,
                       size_t capacity);

/* The same for plan_archive(): shape and slabs are given. */
int plan_archive_memory(const struct plan_archive_request *request, struct plan *plan, char *error,
                        size_t capacity);

#endif
