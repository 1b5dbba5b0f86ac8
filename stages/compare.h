/* compare: the write stage of `verify`: computed digests against the expected ones, which came
 * with each file as its attachment. Sets FILE_MATCHES. */
#ifndef TREEMILL_STAGES_COMPARE_H
#define TREEMILL_STAGES_COMPARE_H

#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/digest.h"

/* The attachment: this header, then the digests of the record's algorithms in order of their ids.
 * Copied byte by byte: an attachment is not aligned. */
struct expectation {
    uint64_t size_bytes;
    uint8_t has_size;
    uint8_t is_guess; /* which algorithm it is was told by the digest's length alone */
};

#define EXPECTATION_BYTES_MAX (sizeof(struct expectation) + DIGEST_COUNT * DIGEST_MAX_BYTES)

/* The expectation of a record that has one. */
void expectation_of(const struct item_view *view, const struct file_record *file,
                    struct expectation *expectation);

/* Job: struct hash_job. */
extern const struct stage_ops compare_stage;

#endif
