/* hash's halves: what the slabs hold (hash.c), and files read again from their start
 * (hash_reread.c). */
#ifndef TREEMILL_STAGES_HASH_PRIVATE_H
#define TREEMILL_STAGES_HASH_PRIVATE_H

#include <sys/stat.h>

#include "stages/batch.h"
#include "stages/digest.h"
#include "stages/hash.h"
#include "stages/opener.h"
#include "stages/shortage.h"

enum hasher_phase {
    HASHER_NEXT,   /* look at the next file of the batch */
    HASHER_WALK,   /* re-reading: going down to the file */
    HASHER_OPENED, /* the file's open and first status */
    HASHER_PAUSE,  /* out of descriptors: others will close theirs */
    HASHER_READ,   /* a piece of it */
    HASHER_CLOSED  /* its last status and close */
};

/* One task's state. */
struct hasher {
    const struct hash_job *job;
    struct digest_hasher *digests;        /* of files that are hashed by themselves */
    struct digest_hasher *stream_digests; /* of the stream, between its chunks */
    /* Small files that are hashed together, and which of the batch they are. */
    struct digest_message message[BATCH_FILES_MAX];
    uint16_t member[BATCH_FILES_MAX];
    enum hasher_phase phase;
    unsigned index; /* of the file in the batch */
    /* The stream in hand. */
    uint64_t serial;
    uint32_t next_chunk;
    uint64_t stream_bytes; /* that went through stream_digests: of sparse files, zeros included */
    bool stream_is_whole;  /* all chunks before next_chunk went through stream_digests, unchanged */
    int stream_error;      /* of stream_digests */
    /* Of the chunk in hand: begin_chunk() was called, and said that its data is to be hashed. */
    bool is_begun, wants_data;
    /* Re-reading. */
    struct opener opener;
    int fd;
    unsigned attempts, refusals;
    struct shortage shortage;
    uint64_t bytes;
    struct statx before, after;
    uint8_t *buffer;
};

static inline struct file_record *hasher_file(const struct hasher *hasher,
                                              const struct item_view *view)
{
    return &batch_of(view)->file[hasher->index];
}

static inline uint8_t *hasher_output(const struct hasher *hasher, const struct item_view *view)
{
    return view->output + hasher->index * hash_stride_bytes(hasher->job);
}

static inline void hasher_next(struct hasher *hasher)
{
    hasher->index++;
    hasher->phase = HASHER_NEXT;
}

static inline void hasher_fail(struct hasher *hasher, struct file_record *file,
                               struct tm_fault fault)
{
    file->fault = fault;
    hasher_next(hasher);
}

/* Begins to read the file in hand from its start; hasher_reread() then goes on. */
void hasher_begin_reread(struct hasher *hasher, const struct file_record *file);
/* A step in any phase but HASHER_NEXT: takes the chain's results, and fills it anew or comes to
 * another phase. */
void hasher_reread(struct hasher *hasher, const struct item_view *view, struct io_chain *chain);

#endif
