/* squeeze: compresses each file of a batch by itself.
 *
 * A file that is in the batch as a whole becomes a whole compressed file; a chunk becomes a block
 * of one, around which the sink puts what belongs there (struct codec_stream).
 *
 * Input: a batch that read has settled (struct read_job). Output slab, from
 * squeeze_job.output_start on: struct squeezed, one a file | their bytes.
 */
#ifndef TREEMILL_STAGES_SQUEEZE_H
#define TREEMILL_STAGES_SQUEEZE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/codec.h"

/* Constant while the job runs; owned by the caller. */
struct squeeze_job {
    struct codec_plan codec;
    struct batch_shape shape; /* of the batches; known once the job is planned */
    size_t output_start;      /* likewise */
    bool checks;              /* decompress each block again and compare it */
    bool takes_compressed;    /* files that are compressed already are no exception */
};

struct squeezed {
    uint64_t start; /* from output_start on */
    uint64_t bytes;
    struct codec_block block; /* of a chunk */
};

static inline const struct squeezed *squeezed_of(const struct squeeze_job *job,
                                                 const struct item_view *view, unsigned index)
{
    return (const struct squeezed *)(view->output + job->output_start) + index;
}

/* Room in the output slab. */
size_t squeeze_output_bytes(const void *job, const struct batch_shape *shape);

/* Whether a file that begins with these bytes is compressed already, by the marks of the usual
 * formats. */
bool squeeze_is_compressed(const void *start, size_t bytes);

/* Faults of files: TM_FAULT_COMPRESSED, with FILE_SKIPPED, for those that are compressed already;
 * for a chunk only if it is the first. */
extern const struct stage_ops squeeze_stage;

#endif
