/* unzip: reads zip archives by their central directory, so that entries can be decompressed and
 * made at the same time (PKWARE APPNOTE.TXT 6.3.10; zip64, "UT" and "ux" extra fields of Info-ZIP).
 *
 * Only what can be read so: entries stored or deflated, not encrypted, whose places in the file
 * follow one another without overlap. Anything else is for foreign.h: unzip_open() says so.
 *
 * Source: unzip_fill() puts the next entries into an item: small ones, one after another in the
 * file, with the ticket for fetch.h to read them at once; one that is larger than the shape's block
 * alone, as FILE_STREAM. Then unzip_stage ("decompress") inflates those of an item into its input
 * slab, checks sizes and CRC-32, and compares local with central headers. unzip_source reads those
 * that are streams. What is wrong with one entry is its record's fault.
 *
 * Everything is hostile. The directory is read through a window, so memory does not grow with it;
 * unzip_open() reads it once from end to end, before anything is made of any entry, and refuses
 * entries that share bytes of the file: with them a small archive could be one of any size. Of
 * entries in another order than that of their places it tells only whether neighbours share bytes,
 * or all together take more than there is; the others are not for us anyway. Local headers of
 * directories are not looked at: nothing is taken from them.
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
    /* For `list`: no data is read but targets of symbolic links, and of the output slab only the
     * ticket is used, which asks for nothing. */
    bool lists;
    unsigned items; /* of the lane: names in work, see unpack.h; 0: nobody makes anything */
};

struct unzip;
/* 0; -ENOTSUP: it is a zip that is not for us; -EBADMSG: it is broken, or its entries overlap;
 * -ENODATA: it has no end; -errno. The descriptor must be a regular file's and stays the caller's;
 * used with pread(2) only. Of one thread. */
int unzip_open(int fd, struct unzip **unzip);
/* NULL is allowed. */
void unzip_close(struct unzip *unzip);
/* What the central directory says of all entries together. */
uint64_t unzip_entries(const struct unzip *unzip);
uint64_t unzip_total_bytes(const struct unzip *unzip); /* decompressed; UINT64_MAX: or more */

/* Fills the item's batch and ticket. 1; 0: no more entries; -EBADMSG, -ENODATA, -errno: the file is
 * not what it was when it was opened, or cannot be read.
 * `wants`: which members are wanted, or NULL; the others are passed over. It is asked before the
 * target of a symbolic link is read. An entry without owner belongs to whoever reads it. */
int unzip_fill(struct unzip *unzip, const struct unzip_job *job, const struct item_view *view,
               bool (*wants)(void *context, struct member *member), void *context);

/* Whether a name that was put into an item had a leading slash, which is gone. */
bool unzip_was_absolute(const struct unzip *unzip);

/* What an item's entries take of the file beyond a block, at most: the headers of the last one,
 * whose extra field may have any length up to 65,535 bytes. An entry that does not fit so is a
 * stream. */
#define UNZIP_HEADERS_BYTES ((size_t)68 * 1024)

/* Bytes of the output slab from output_start on, which must be a multiple of 8. */
size_t unzip_output_bytes(const struct batch_shape *shape);

extern const struct stage_ops unzip_stage;
/* context: struct unzip_job. Of records that unzip_fill() has made, anywhere behind it. */
extern const struct member_source unzip_source;

#endif
