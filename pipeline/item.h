/* item: one unit of work on its way through a lane, and the word that says where it is.
 *
 * Items live in the arena and are addressed by index. One credit = one item with its input slab,
 * its output slab and its place in the order: whoever holds an item never needs anything else to
 * finish it, so no worker ever waits for a second resource while it holds one.
 */
#ifndef TREEMILL_PIPELINE_ITEM_H
#define TREEMILL_PIPELINE_ITEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/fault.h"

#define ITEM_NONE  UINT32_MAX
#define STAGE_NONE UINT8_MAX

/* Worker numbers that are no slot of the worker table. */
#define WORKER_NONE UINT16_MAX
#define WORKER_MAIN (UINT16_MAX - 1) /* the process that started the job: its death ends it */

enum item_state {
    ITEM_QUEUED, /* waits in `queue` */
    ITEM_OWNED   /* a worker took it from `queue` and has it */
};

/* The unpacked state word. The word in the item is the truth about where the item is: it is stored
 * at once, under the lock of the queue that the item enters or leaves, and every list can be
 * rebuilt from the words. */
struct item_word {
    uint8_t state;
    uint8_t queue;
    uint16_t worker;
    uint32_t generation; /* +1 with every change: tells one visit from the next */
};

static inline uint64_t item_word_pack(struct item_word word)
{
    return (uint64_t)word.state | (uint64_t)word.queue << 8 | (uint64_t)word.worker << 16 |
           (uint64_t)word.generation << 32;
}

static inline struct item_word item_word_unpack(uint64_t word)
{
    return (struct item_word){.state = (uint8_t)word,
                              .queue = (uint8_t)(word >> 8),
                              .worker = (uint16_t)(word >> 16),
                              .generation = (uint32_t)(word >> 32)};
}

struct tm_item {
    /* Written under the lock of the queue entered or left; read under it, and by the supervisor
     * after a death. */
    _Atomic uint64_t word;
    /* Set by the source before the item is submitted, constant until it is released. */
    uint64_t sequence;
    uint32_t stream; /* 0: none; else 1 + index of the keyed stream it is a part of */
    uint32_t chunk;  /* number within the stream, from 0 */
    bool last;       /* the stream's last chunk */
    /* Zeroed by the source on acquiring and by the sink behind which there are stages; else written
     * by the supervisor only, while no worker has the item. */
    uint8_t tries;
    /* Written by the owner before each step, read by the supervisor after the owner's death. */
    _Atomic uint8_t stage;   /* index in the lane; STAGE_NONE: nobody has begun on it */
    _Atomic uint32_t cursor; /* which part of the item is in work, meaning known to the stage */
    /* Written by the owner, handed on under the queues' locks. */
    struct tm_fault fault; /* the item as a whole failed: stages after it leave it alone */
    uint64_t bytes;        /* payload, for the counters */
    /* Written by the owner during a step that may take long, read by samplers at any time, relaxed:
     * a figure for people, from which nothing is inferred. How many bytes of the item are done; 0
     * again when they are counted in `bytes`. */
    _Atomic uint64_t live_bytes;
    /* Links of the queue that holds it, guarded by that queue's lock. */
    uint32_t next;
    uint32_t previous;
};

static inline struct item_word item_word_load(const struct tm_item *item)
{
    return item_word_unpack(atomic_load_explicit(&item->word, memory_order_relaxed));
}

#endif
