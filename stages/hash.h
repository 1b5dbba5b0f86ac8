/* hash: computes the digests of files, several algorithms in one pass over the data.
 *
 * Small files are hashed from the slab, those of a bundle together where the engine computes
 * several messages at once. If a worker dies over a bundle they are taken one by one on the second
 * try, so that the one that kills workers is known. A large file is a stream: one worker gets its
 * chunks in order. A file that the slab does not hold as it is (FILE_STREAM), and a stream whose
 * worker has died in the middle, is read again from its first byte by the hashing worker itself,
 * which then checks by the file's status before and after that it did not change under it.
 */
#ifndef TREEMILL_STAGES_HASH_H
#define TREEMILL_STAGES_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/digest.h"
#include "stages/read.h"

/* Constant while the job runs; owned by the caller. */
struct hash_job {
    uint32_t algorithms; /* all that any file of the job asks for */
    enum digest_engine engine;
    bool pairs; /* streams are worth being hashed two at a time: see digest_update_two() */
    enum on_change on_change;
    unsigned retries;
};

extern const struct stage_ops hash_stage;

/* Bytes that the digests of one file take in the output slab: file i's begin at i times this. */
size_t hash_stride_bytes(const struct hash_job *job);
size_t hash_output_bytes(const struct hash_job *job, uint32_t files_max);

#endif
