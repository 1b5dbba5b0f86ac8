/* read: fills the slabs of items with the files' bytes.
 *
 * Files are read, never mapped: a file truncated under a mapping is SIGBUS. The status that the
 * scan took is the "before"; one statx after the last byte is the "after". A file that differs
 * from it is marked FILE_STREAM, for the stage that needs the bytes to read it anew.
 */
#ifndef TREEMILL_STAGES_READ_H
#define TREEMILL_STAGES_READ_H

#include "pipeline/graph.h"

/* Job: none. */
extern const struct stage_ops read_stage;

#endif
