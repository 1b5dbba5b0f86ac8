/* expand: decompresses gzip and zstd files, or only tests them, and archives of any kind.
 *
 * A file whose index tells where its members are comes as chunks, each of whole members: they are
 * decompressed from the slab into the slab, and the sink puts them into the output in order. Any
 * other file comes as a whole (FILE_STREAM): the worker that has it reads, decompresses and writes
 * it, piece by piece.
 *
 * A test looks at what comes out as well: whether a tar in it is whole. Of chunks that is for the
 * sink to do, which has them in order (tar_check.h). What is neither gzip nor zstd is read by
 * archive_test.h: that blocks, in a loop, too.
 *
 * Output slab, from expand_job.output_start on: struct expanded, one a file | data of a chunk.
 */
#ifndef TREEMILL_STAGES_EXPAND_H
#define TREEMILL_STAGES_EXPAND_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/archive_test.h"
#include "stages/batch.h"
#include "stages/decode.h"
#include "stages/placing.h"

/* Constant while the job runs; owned by the caller. */
struct expand_job {
    struct placing placing;
    bool tests;                  /* nothing is written */
    struct unpack_limits limits; /* of a test; but `ratio` not for gzip and zstd */
    bool leaves_whole;           /* files that come as a whole are the sink's: see expand_to() */
    struct batch_shape shape;    /* of the batches; known once the job is planned */
    size_t output_start;
};

struct expanded {
    uint64_t bytes; /* decompressed */
    /* Of a test of a file that came as a whole; its fault is the record's. */
    struct archive_verdict verdict;
};

static inline struct expanded *expanded_of(const struct expand_job *job,
                                           const struct item_view *view, unsigned index)
{
    return (struct expanded *)(view->output + job->output_start) + index;
}
/* Of a chunk. */
const uint8_t *expanded_data(const struct expand_job *job, const struct item_view *view);

/* What a chunk may be, compressed and not; the blocks of our own files are smaller. */
#define EXPAND_CHUNK_BYTES ((size_t)5 << 19)
size_t expand_output_bytes(const void *job, const struct batch_shape *shape);

/* Faults of files: TM_FAULT_FORMAT, CORRUPT, TRUNCATED, SUFFIX (with FILE_SKIPPED). FILE_TRAILING:
 * garbage behind the compressed data was ignored. Of tests also TM_FAULT_LIMIT; struct
 * archive_verdict says more. */
extern const struct stage_ops expand_stage;

/* Decompresses the file of a record in the calling thread, and gives what comes out to `write`, to
 * a descriptor in order or anything. The record gets its fault; 0 or the errno of writing. */
int expand_to(const struct expand_job *job, const struct item_view *view, unsigned index,
              int (*write)(void *context, const void *data, size_t bytes), void *context);

/* walk.h's cutter of such files; context: none. */
struct walk_cutter;
extern const struct walk_cutter expand_cutter;

#endif
