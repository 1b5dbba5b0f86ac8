/* unzip: reads zip archives by their central directory, so that entries can be decompressed and
 * made at the same time (PKWARE APPNOTE.TXT 6.3.10; zip64, "UT" and "ux" extra fields of Info-ZIP).
 *
 * Only what can be read so: entries stored or deflated, not encrypted, whose places in the file
 * follow one another without overlap. Anything else is for foreign.h: unzip_open() says so.
 *
 * Source: unzip_fill() puts the next entries into an item: small ones, one after another in the
 * file, with the ticket for fetch.h to read them at once; one that is larger than the shape's block
 * alone, as FILE_STREAM. Then unzip_stage ("compress") inflates those of an item into its input
 * slab, checks sizes and CRC-32, and compares local with central headers. unzip_source reads those
 * that are streams.
 */
#ifndef TREEMILL_STAGES_UNZIP_H
#define TREEMILL_STAGES_UNZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"
#include "stages/extract.h"
#include "stages/fetch.h"

/* Constant while the job runs; owned by the caller. */
struct unzip_job {
    int fd;
    struct batch_shape shape;
    struct fetch_job fetch; /* its ticket */
    size_t output_start;    /* in the output slab, behind digests and ticket: the stage's own */
    bool lists;             /* no data is read: for `list` */
};

struct unzip;
/* 0; -ENOTSUP: it is a zip that is not for us; -EBADMSG, -ENODATA: it is broken; -errno. The
 * descriptor must be seekable and stays the caller's; used with pread(2) only. */
int unzip_open(int fd, struct unzip **unzip);
/* NULL is allowed. */
void unzip_close(struct unzip *unzip);
/* What the central directory says of all entries together. */
uint64_t unzip_entries(const struct unzip *unzip);
uint64_t unzip_total_bytes(const struct unzip *unzip); /* decompressed */

/* Fills the item's batch and ticket. 1; 0: no more entries; -EBADMSG, -ENODATA, -errno.
 * `wants`: which members are wanted, or NULL; the others are passed over. */
int unzip_fill(struct unzip *unzip, const struct unzip_job *job, const struct item_view *view,
               bool (*wants)(void *context, struct member *member), void *context);

/* Bytes of the output slab from output_start on. */
size_t unzip_output_bytes(const struct batch_shape *shape);

extern const struct stage_ops unzip_stage;
/* context: struct unzip_job. */
extern const struct member_source unzip_source;

#endif
