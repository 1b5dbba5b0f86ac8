/* member_hash: the stage "hash" of archives: digests of the members whose data is whole in the
 * slab, several at once where the engine can. Pieces of large files are hashed by whoever puts them
 * together, and streams by whoever reads them (extract.h). */
#ifndef TREEMILL_STAGES_MEMBER_HASH_H
#define TREEMILL_STAGES_MEMBER_HASH_H

#include "stages/hash.h"

/* Constant while the job runs; owned by the caller. */
struct member_hash_job {
    const struct hash_job *hash; /* algorithms, engine */
    uint32_t files_max;          /* of a batch */
};

/* Digests lie as hash.h says. */
extern const struct stage_ops member_hash_stage;

#endif
