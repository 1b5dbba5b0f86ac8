/* member: an entry of an archive on its way out: what a reader says of it, and how it lies in a
 * batch.
 *
 * Every reader of archives (untar.h, unzip.h, foreign.h) describes what it finds as a struct
 * member; member_add() puts that into the batch of an item, where it is a file record like any
 * other, with these rules:
 *
 *   path    cleaned by member_clean(): relative, no ".", no "..", no empty component; "." alone is
 *           the target itself. A name that is refused stays as it was, and has a fault.
 *   stat    as the archive says, with the kind of file in its mode; nothing of it is trusted
 *   flags   FILE_NOT_FILE: has no data of its own: directory, link, special file
 *           FILE_HARD_LINK: another name of the member that is its target
 *           FILE_PIECE: the data in the slab is `data_bytes` from `offset` on of a file that is
 *           too large for one item, or sparse; pieces come in order, the last has FILE_PIECE_LAST
 *           (which may be the first, and have no data), and what no piece covers is zeros; where
 *           the archive does not say how large the file is, the last piece's record alone knows
 *           FILE_LATER: its name, or one on the way to it, may still be in the work of others: the
 *           sink makes it, in order
 *   state   FILE_READ: its data, all of it or a piece, is in the slab;
 *           FILE_STREAM: its data is not in the slab; see struct extract_job in extract.h
 *
 * Readers and batches hold whatever hostile bytes the archive has: nothing here is NUL-terminated
 * by trust, only by copy.
 */
#ifndef TREEMILL_STAGES_MEMBER_H
#define TREEMILL_STAGES_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"

/* All that is pointed to is the reader's, good until its next call. */
struct member {
    const char *path; /* as the archive has it: any bytes but NUL */
    size_t path_bytes;
    const char *target; /* of a symbolic or hard link; any bytes but NUL */
    size_t target_bytes;
    bool is_hard_link;
    /* size_bytes: what the file will have, holes included; 0 for all but regular files. Times, mode
     * with the kind of file, uid, gid, rdev; a kind that is unknown is 0. */
    struct file_stat stat;
    /* Names of the owner, NUL-terminated, or NULL. */
    const char *user, *group;
    /* As metadata_add() packs them, at most METADATA_MAX_BYTES; or NULL. */
    const void *attributes;
    size_t attribute_bytes;
    bool lost_attributes; /* it has some that are not among these */
};

/* What goes with a record besides its path and status. Points into the slab. */
struct member_extra {
    const char *target, *user, *group; /* NUL-terminated; NULL: none */
    size_t target_bytes;
    const void *attributes;
    size_t attribute_bytes;
};

/* Room that cleaning needs at most: as many bytes as the path has, and a NUL; at least 2. */
/* Copies a path in its safe form. Its length; or -EINVAL: it has a component "..", or a NUL.
 * *was_absolute: there was a leading slash, which is gone. */
ptrdiff_t member_clean(const char *path, size_t path_bytes, char *clean, bool *was_absolute);

/* Adds a record without data, cleaned: file->data and data_bytes are the caller's to set, as are
 * the flags of pieces. *was_absolute as member_clean() says. A refused name gets TM_FAULT_UNSAFE
 * with FILE_SKIPPED, and so does a hard link's target. The record of a member that the batch has no
 * room for: NULL. */
struct file_record *member_add(const struct item_view *view, const struct batch_shape *shape,
                               const struct member *member, bool *was_absolute);

/* What member_add() has stored with the record. */
struct member_extra member_extra_of(const struct item_view *view, const struct file_record *file);

#endif
