/* unpack: from the bytes of an archive to batches of its members.
 *
 *     source ─▶ read ─▶ decompress ─▶ scan ─▶ hash ─▶ write ─▶ sink
 *
 * The items of the lane are the chunks of one stream, the archive. What comes in depends on its
 * kind (enum unpack_kind): pieces of a plain tar, read by many; blocks of a compressed one,
 * decompressed by many; or nothing, and scan gets its bytes by itself. Scan is one worker at a
 * time, for what it does has an order: it finds the headers and leaves the data where it is.
 *
 * Input slab:   struct batch, records, text | carry | window
 * Output slab:  digests | struct fetch_ticket | struct unpack_note | a compressed block
 *
 * The window has the archive's bytes, uncompressed. A member whose data is all there is a record
 * that points to it. One that ends in a later window, and is small, is gathered and comes in that
 * item's carry; a large one comes in pieces. Where windows end depends on the archive alone.
 *
 * Names in work. An item is out of the hands of workers when as many have followed it as the lane
 * has. Until then scan remembers its names, and marks a member whose name or way collides with one
 * of these (FILE_LATER). Memory is bounded by what so many items can hold.
 */
#ifndef TREEMILL_STAGES_UNPACK_H
#define TREEMILL_STAGES_UNPACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/codec.h"
#include "stages/decode.h"
#include "stages/fetch.h"
#include "stages/member.h"

enum unpack_kind {
    UNPACK_PLAIN,  /* tar, in a file */
    UNPACK_BLOCKS, /* tar in gzip or zstd that has an index: see decode.h */
    UNPACK_STREAM, /* tar that comes as one stream, with or without compression */
    UNPACK_FOREIGN /* what libarchive reads: see foreign.h */
};

/* What may come out of an archive; 0: any number. */
struct unpack_limits {
    uint64_t bytes;
    uint64_t members;
    /* Times the bytes of the archive, from UNPACK_RATIO_BYTES on; what is decompressed without
     * being a member's counts, too. */
    uint64_t ratio;
};
#define UNPACK_RATIO_BYTES ((uint64_t)1 << 30)
/* What an archive that comes by a pipe is taken to have at least: nobody knows. */
#define UNPACK_PIPE_BYTES ((uint64_t)64 << 20)

/* In memory that all processes share. */
struct unpack_shared {
    _Atomic bool ended; /* written by scan: nothing more will come; read by the source; relaxed: it
                           only saves items */
    /* Written by scan before it sets a note's fault, read by the sink after: ordered by the
     * queues' locks. What a library or reader says was wrong. */
    char message[256];
};

/* Constant while the job runs; owned by the caller. */
struct unpack_job {
    enum unpack_kind kind;
    int fd;                 /* of the archive */
    uint64_t archive_bytes; /* UNPACK_PLAIN: how large it is */
    bool is_seekable; /* else it is read from where it is on, after what has been read already: */
    const uint8_t *head;
    size_t head_bytes;
    enum { UNPACK_RAW, UNPACK_CODEC, UNPACK_FILTERS } stream;
    enum codec_format format; /* UNPACK_BLOCKS, UNPACK_CODEC */
    struct batch_shape shape; /* unpack_shape() */
    size_t window_bytes;      /* at most; likewise */
    /* UNPACK_BLOCKS, where a part of the archive has all that is wanted: it begins with the block
     * at `begin`, a member's header, and what begins at `end` or behind is not wanted. */
    bool is_part;
    uint64_t begin, end;
    struct fetch_job fetch; /* its ticket; the note is behind it */
    unsigned items;         /* of the lane: names in work */
    bool lists;             /* members without their data */
    bool attributes;        /* members with their attributes */
    bool hashes;            /* digests are wanted: zeros that the archive does not have cost time */
    struct unpack_limits limits;
    struct unpack_shared *shared;
    /* Whether a member is wanted, and under what name; NULL: all are. In scan's worker. */
    bool (*wants)(void *context, struct member *member);
    void *wants_context;
};

/* Written by decompress and scan, read by the sink; handed on under the queues' locks. */
struct unpack_note {
    uint64_t window_bytes;
    struct tm_fault fault; /* of the archive, from here on; job->shared->message says more */
    bool was_absolute;     /* a member's name began with a slash */
    bool has_no_end;       /* it ends without the mark of its end */
    char warning[160];     /* what libarchive says of members that it could give, the last; or "" */
};

static inline struct unpack_note *unpack_note_of(const struct unpack_job *job,
                                                 const struct item_view *view)
{
    return (struct unpack_note *)(fetch_ticket_of(&job->fetch, view) + 1);
}

/* Batches, and the window's size, of a kind. */
struct batch_shape unpack_shape(enum unpack_kind kind, size_t *window_bytes);
/* What the output slab holds from the ticket on. */
size_t unpack_output_bytes(enum unpack_kind kind);

/* The stage "compress": decompresses blocks; for UNPACK_BLOCKS only. */
extern const struct stage_ops unpack_blocks_stage;
/* The stage "scan". Job of both: struct unpack_job. */
extern const struct stage_ops unpack_scan_stage;

/* What units of an index are for UNPACK_BLOCKS. */
extern const struct decode_limits unpack_limits_of_blocks;

/* The source: sends the archive through the lane, and finishes it. The index is that of
 * UNPACK_BLOCKS, at its beginning. 0, -ECANCELED, or what decode_index_next() says. The thread that
 * started the graph. */
int unpack_run(const struct unpack_job *job, struct decode_index *index, struct tm_lane *lane);

#endif
