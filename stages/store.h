/* store: the stage "write", behind the order of a lane (see pipeline/graph.h): puts each item's
 * bytes where the sink has decided that they go, in one file for all items.
 *
 * Output slab:  ... | struct store_ticket | ... | the bytes, from slab_offset on
 *
 * The sink fills in the ticket; the bytes are there by then, or it puts them there. Several
 * workers, of any model, write to the file at once, each at its own offset: the file is complete
 * when the job is finished, and any failure to write has failed the job. Written again after the
 * death of a worker an item comes to the same. What has no offsets, a pipe, is not for this stage.
 */
#ifndef TREEMILL_STAGES_STORE_H
#define TREEMILL_STAGES_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"

/* The stage's job. */
struct store_job {
    int fd; /* open for writing since before graph_start(), until after graph_finish() */
    size_t ticket_offset; /* in the output slab, a multiple of 8 */
};

/* Written by the sink's thread, read by the stage's worker; handed on under the queue's lock. */
struct store_ticket {
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* 0: there is nothing to write; must always be set */
    uint32_t slab_offset;
};

static inline struct store_ticket *store_ticket_of(const struct store_job *job,
                                                   const struct item_view *view)
{
    return (struct store_ticket *)(view->output + job->ticket_offset);
}

extern const struct stage_ops store_stage;

#endif
