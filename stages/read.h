/* read: fills the slabs of items with the files' bytes.
 *
 * Files are read, never mapped: a file truncated under a mapping is SIGBUS. The status that the
 * scan took is the "before"; one statx after the last byte is the "after". A file that differs
 * from it is marked FILE_STREAM, for the stage that needs the bytes to read it anew; or, where the
 * slab's bytes are what the job keeps, settled here (struct read_job). Of symbolic links the target
 * is read.
 */
#ifndef TREEMILL_STAGES_READ_H
#define TREEMILL_STAGES_READ_H

#include "pipeline/graph.h"

enum on_change {
    ON_CHANGE_RETRY, /* read again, up to `retries` times; what then: see who does it */
    ON_CHANGE_FAIL,  /* FAULT_CHANGED at once */
    ON_CHANGE_WARN   /* keep what was read, set FILE_CHANGED */
};

/* For jobs that keep the bytes that the slab holds: a file that changes is read again while it
 * fits: one that has grown does not. In the end the slab holds as many bytes as its record says,
 * zeros for those that were not there, and FILE_CHANGED tells. A chunk is never read again: its
 * neighbours are on their way.
 * Constant while the job runs. */
struct read_job {
    enum on_change on_change;
    unsigned retries;
};

/* Job: struct read_job, or NULL: nothing is settled. */
extern const struct stage_ops read_stage;

#endif
