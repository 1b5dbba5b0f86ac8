/* archive: how a member of a tree is written down in tar (pax) and in zip.
 *
 * Only headers are made here: the data between them is the caller's, as are order and place. All
 * writers belong to one thread each and are made after any fork; what they write depends on their
 * input alone. Functions return bytes written, or a negative errno; -ENOBUFS: the room given was
 * too small (ARCHIVE_HEADER_BOUND never is, for a member of ordinary size: see there).
 */
#ifndef TREEMILL_STAGES_ARCHIVE_H
#define TREEMILL_STAGES_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/batch.h"

/* A range of a sparse file that holds data. */
struct archive_extent {
    uint64_t offset, bytes;
};

/* One entry of the archive. Kind, size, owner, mode and times are those of `stat`. */
struct archive_member {
    const char *path; /* as it is to be stored, without leading slash; not NUL-terminated. The
                         writers add the slash that ends a directory's name. */
    size_t path_bytes;
    const char *target; /* of a symbolic link (by stat) or of a hard link */
    size_t target_bytes;
    bool is_hard_link; /* to `target`, an entry before it; has no data */
    struct file_stat stat;
    /* Of a sparse file: where its data is, in order, without overlap, within its size. The data
     * that follows the header is then that of the extents only, one after another. NULL: all of
     * the file is data; not NULL with a count of 0: none of it. tar only; regular files only.
     * archive_extents_align() makes them fit. */
    const struct archive_extent *extents;
    size_t extent_count;
    /* Extended attributes, ACLs among them, as metadata_read() packs them; or NULL. tar only. */
    const void *attributes;
    size_t attribute_bytes;
};

struct archive_options {
    bool numeric_owner; /* no names of users and groups */
    /* Nothing that differs from one machine or checkout to the next: owner 0:0 without names,
     * modes that only tell programs from other files, whole seconds. See archive_stat.c. */
    bool reproducible;
    bool clamp_mtime; /* times after `mtime_max_seconds` become that: SOURCE_DATE_EPOCH */
    int64_t mtime_max_seconds;
};

/* Room for the header of a member whose path, target, attributes and extents (at sizeof each) take
 * `extra` bytes together. An entry of an ACL is what grows most: 8 bytes become up to 54. */
#define ARCHIVE_HEADER_BOUND(extra) (8192 + 8 * (size_t)(extra))

/* tar: pax interchange format (POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended
 * Header"). What a plain ustar header can say is said by one; all else is left to libarchive, which
 * puts a pax header in front. A sparse file's map (GNU tar manual, "PAX Format, Version 1.0") is
 * part of what is returned, padding included. So after every header follow
 *
 *     archive_data_bytes(member) bytes of data, then tar_padding() of that number of zeros
 *
 * and then the next header. -ENOTSUP: a socket. -EINVAL: a path that is empty or holds NUL, a link
 * without target, extents out of order or beyond the file. */
struct tar_writer;
/* "libarchive 3.6.2": what makes the pax headers. */
const char *tar_library(void);
int tar_writer_create(const struct archive_options *options, struct tar_writer **writer);
void tar_writer_destroy(struct tar_writer *writer);
ptrdiff_t tar_header(struct tar_writer *writer, const struct archive_member *member, void *output,
                     size_t capacity);

/* Widens extents to whole blocks, within the file's size, and joins those that meet then; drops
 * empty ones. In place; returns how many are left. GNU tar begins each extent's data at a block of
 * the archive, which is where it is only if those before it are whole blocks; tar_header() takes
 * no others (-EINVAL), but the last may end anywhere. */
size_t archive_extents_align(struct archive_extent *extents, size_t count, uint64_t size_bytes);

/* Bytes of the file that the archive holds: 0 of all but regular files, of a hard link 0, of a
 * sparse file those of its extents. */
uint64_t archive_data_bytes(const struct archive_member *member);

#define TAR_BLOCK_BYTES 512
/* Zero bytes that follow so many bytes of data. */
static inline size_t tar_padding(uint64_t data_bytes)
{
    return (size_t)(-data_bytes & (TAR_BLOCK_BYTES - 1));
}

/* The end of the archive: two zero blocks, and what fills up the record of 20 blocks. Room for it:
 * TAR_END_MAX. */
#define TAR_RECORD_BYTES (20 * TAR_BLOCK_BYTES)
#define TAR_END_MAX      (2 * TAR_BLOCK_BYTES + TAR_RECORD_BYTES)
size_t tar_end_bytes(uint64_t archive_bytes);

#endif
