/* pack: makes a batch's files into a piece of an archive, compressed.
 *
 * The pieces, one after another in the order of the batches, are the archive; what stands before
 * and after them is the sink's (struct codec_stream, tar_end_bytes(), struct zip_directory). What
 * a piece holds depends on its batch alone.
 *
 * Input: a batch that read has settled (struct read_job). A file that failed is left out; a chunk
 * that failed, its file's header being written already, becomes zeros of its length, so that what
 * follows is in its place. The fault stays in the record.
 *
 * Output slab, from pack_job.output_start on: struct packed | blocks or members | bytes.
 */
#ifndef TREEMILL_STAGES_PACK_H
#define TREEMILL_STAGES_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/archive.h"
#include "stages/batch.h"
#include "stages/codec.h"
#include "stages/store.h"

enum pack_format { PACK_TAR, PACK_ZIP };

/* Constant while the job runs; owned by the caller. */
struct pack_job {
    enum pack_format format;
    bool is_compressed;
    struct codec_plan codec; /* if it is; for zip: of the members that gain by it */
    struct archive_options archive;
    struct batch_shape shape; /* of the batches; known once the job is planned */
    size_t output_start;      /* likewise */
    bool attributes; /* store extended attributes and ACLs; FILE_NO_ATTRIBUTES where it fails */
};

/* One file's part of a zip. Of a file in chunks: of this chunk. */
struct packed_member {
    uint64_t header_at; /* of the local header, from the piece's start; for chunks after the first
                           and what is not stored: PACKED_NO_HEADER */
    uint64_t input_bytes, compressed_bytes;
    uint32_t crc32;
    uint16_t method; /* 0 stored, 8 deflated */
};
#define PACKED_NO_HEADER UINT64_MAX

struct packed {
    struct store_ticket ticket; /* the sink's, for who writes the piece */
    uint64_t bytes;             /* of the piece */
    uint32_t data_start;        /* where it begins, from this struct on */
    uint32_t count; /* blocks of a compressed tar; members of a zip: one for each record */
};

static inline struct packed *packed_of(const struct pack_job *job, const struct item_view *view)
{
    return (struct packed *)(view->output + job->output_start);
}
static inline const struct codec_block *packed_blocks(const struct packed *packed)
{
    return (const struct codec_block *)(packed + 1);
}
static inline struct packed_member *packed_members(struct packed *packed)
{
    return (struct packed_member *)(packed + 1);
}

/* What each member takes of a block besides its data. */
uint32_t pack_overhead_bytes(const struct pack_job *job);
/* Room for a piece in the output slab. */
size_t pack_output_bytes(const void *job, const struct batch_shape *shape);

/* The path of a member as it is stored: without leading slashes and without what leads out of the
 * tree ("../"). */
void pack_stored_path(const char **path, size_t *bytes);

/* Whether a record has a place in the archive; once it has been packed: whether it is there. Of a
 * file in chunks the first chunk tells. */
bool pack_wants(const struct file_record *file);
/* A record as a member of an archive. */
void pack_member(const struct item_view *view, const struct file_record *file,
                 struct archive_member *member);

extern const struct stage_ops pack_stage;

#endif
