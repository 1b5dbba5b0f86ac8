/* render: the write stage of `hash`: turns records with digests into the lines of a manifest.
 *
 * The text of a batch takes the place of its data, which nobody needs any more. The engine's sink
 * only has to write it out, in order; so it does not matter which worker rendered it, and a worker
 * that dies while rendering has published nothing.
 */
#ifndef TREEMILL_STAGES_RENDER_H
#define TREEMILL_STAGES_RENDER_H

#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/hash.h"
#include "stages/manifest.h"

/* Constant while the job runs; owned by the caller. */
struct render_job {
    const struct hash_job *hash;
    enum manifest_format format;
    size_t block_bytes;
    bool nothing; /* no manifest is wanted (events only) */
};

extern const struct stage_ops render_stage;

/* The same text when it did not fit (batch->rendered_bytes is BATCH_NOT_RENDERED): returns the
 * bytes, or -ENOSPC. Any thread of the item's owner. */
ptrdiff_t render_batch(const struct render_job *job, const struct item_view *view, char *buffer,
                       size_t capacity);

/* The record as the manifest's line knows it; digests point into the output slab. */
void render_entry(const struct hash_job *job, const struct item_view *view, unsigned index,
                  struct manifest_entry *entry);

/* Whether the record has a digest to show: for a large file, on its last chunk only. */
bool record_is_complete(const struct item_view *view, const struct file_record *file);

#endif
