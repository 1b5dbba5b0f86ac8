/* What the parts of unpack share: unpack.c (shapes, blocks, the source), unpack_scan.c (the stage),
 * unpack_members.c (members into batches). */
#ifndef TREEMILL_STAGES_UNPACK_PRIVATE_H
#define TREEMILL_STAGES_UNPACK_PRIVATE_H

#include "stages/decode.h"
#include "stages/foreign.h"
#include "stages/names_in_work.h"
#include "stages/unpack.h"
#include "stages/untar.h"

/* Members that go over the end of a window are gathered up to this size. */
#define UNPACK_CARRY_BYTES ((size_t)1 << 20)

/* What becomes of the member in hand. */
enum unpack_way {
    UNPACK_PASSED,  /* nothing more: it is not wanted, or has a record and no data */
    UNPACK_WHOLE,   /* its data is in this window */
    UNPACK_CARRIED, /* it is being gathered, and gets its record at its end */
    UNPACK_PIECES
};

struct scanner {
    const struct unpack_job *job;
    /* Of the archive in hand. */
    uint32_t next_chunk;
    bool is_live;   /* its chunks came here from the first on */
    bool is_ended;  /* nothing more is expected of it */
    bool is_behind; /* the tar has ended, but not what it is compressed with */
    uint64_t input_bytes, output_bytes, members;
    uint64_t decompressed_bytes; /* members or not */
    struct untar *untar;
    struct names_in_work *names;
    /* UNPACK_STREAM, UNPACK_FOREIGN. */
    struct foreign *foreign;
    struct decode_stream *decoder;
    uint8_t *input; /* of the decoder */
    const uint8_t *input_at;
    size_t input_left;
    bool input_ended;
    const struct member *pending; /* the member that the last item had no room for */
    /* The member in hand. */
    enum unpack_way way;
    struct member member;       /* as it is wanted */
    bool lacks_size;            /* the archive does not say how large it is: its end does */
    struct file_record *record; /* in this item: of the whole member, or its latest piece */
    uint8_t *carry;
    size_t carry_used;
    uint64_t piece_end; /* how far the latest piece goes */
};

static inline uint8_t *unpack_carry(const struct unpack_job *job, const struct item_view *view)
{
    return view->input + job->shape.meta_bytes;
}

static inline uint8_t *unpack_window(const struct unpack_job *job, const struct item_view *view)
{
    return unpack_carry(job, view) + UNPACK_CARRY_BYTES;
}

/* The archive is of no use from here on; `text` may be NULL. */
void unpack_fail(struct scanner *scanner, const struct item_view *view, struct tm_fault fault,
                 const char *text);

/* So much more has been decompressed. False: that is more than may be; the archive has failed. */
bool unpack_count(struct scanner *scanner, const struct item_view *view, uint64_t bytes);

/* A member begins, whose data may be in the window as far as `window_bytes` go; then its data;
 * then its end. */
void unpack_begin_member(struct scanner *scanner, const struct item_view *view,
                         const struct member *member, bool is_sparse, uint64_t window_bytes);
/* `data` is in the item's slab, or is copied (the carry). */
void unpack_add_data(struct scanner *scanner, const struct item_view *view, const uint8_t *data,
                     size_t bytes, uint64_t offset);
void unpack_end_member(struct scanner *scanner, const struct item_view *view);

#endif
