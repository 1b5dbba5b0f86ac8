/* fetch: the stage "read" of archives: reads a range of one file into the item's slab.
 *
 * The source says which range, and where in which slab it is to be; what was read is said in the
 * same ticket.
 */
#ifndef TREEMILL_STAGES_FETCH_H
#define TREEMILL_STAGES_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"

/* Constant while the job runs. */
struct fetch_job {
    int fd;               /* open since before graph_start(), until after graph_finish() */
    size_t ticket_offset; /* in the output slab, a multiple of 8 */
};

/* Filled in by the source; `got` by the stage. */
struct fetch_ticket {
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* 0: nothing is read */
    uint64_t slab_offset;
    bool to_input; /* slab; else the output slab */
    uint64_t got;  /* less than `bytes`: the file ends before */
};

static inline struct fetch_ticket *fetch_ticket_of(const struct fetch_job *job,
                                                   const struct item_view *view)
{
    return (struct fetch_ticket *)(view->output + job->ticket_offset);
}

/* A failed read is the item's fault. */
extern const struct stage_ops fetch_stage;

#endif
