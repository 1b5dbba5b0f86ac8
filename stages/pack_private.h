/* pack's halves: pieces of a tar (pack.c) and of a zip (pack_zip.c). */
#ifndef TREEMILL_STAGES_PACK_PRIVATE_H
#define TREEMILL_STAGES_PACK_PRIVATE_H

#include <errno.h>

#include "stages/extents.h"
#include "stages/pack.h"

/* Longest header of a tar member without attributes. The buffer for headers holds one of them
 * beside those of a usual batch. */
#define PACK_HEADER_MAX                                                                            \
    ARCHIVE_HEADER_BOUND(2 * (size_t)BATCH_PATH_MAX + EXTENTS_MAX * sizeof(struct archive_extent))

/* One worker's state. */
struct packer {
    const struct pack_job *job;
    struct tar_writer *tar;
    struct codec_encoder *encoder; /* NULL: not compressed */
    /* The block in the making: its pieces in order, in the slab or in `headers`. */
    struct iovec *pieces;
    unsigned piece_count, piece_capacity;
    size_t piece_bytes, block_capacity;
    uint8_t *headers;
    size_t headers_used, headers_capacity;
    struct archive_extent extents[EXTENTS_MAX]; /* of a sparse file's header */
    uint8_t *attributes;                        /* of one member; NULL: none are stored */
    /* The item in hand. */
    size_t attributes_used; /* of the room for them */
    const struct item_view *view;
    struct packed *packed;
    uint8_t *output; /* the piece of the archive, which has this much room */
    size_t output_capacity;
};

static inline size_t pack_room(const struct packer *packer)
{
    return packer->output_capacity - (size_t)packer->packed->bytes;
}

/* Compresses the pieces, or copies them, to the end of the output. 0 or -errno. */
int pack_flush(struct packer *packer);
/* Packs the item of a zip. 0 or -errno. */
int pack_zip_item(struct packer *packer);

#endif
