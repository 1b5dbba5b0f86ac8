/* untar: reads tar, pushed to it in pieces of any size: nothing is copied of the members' data.
 *
 * All dialects: v7, ustar (POSIX.1-1988), pax (POSIX.1-2017, "pax Interchange Format") with its
 * global headers, GNU tar's (long names and links, base-256 numbers, old sparse headers with
 * extensions, multi-volume and volume headers passed over) and its sparse forms in pax (GNU tar
 * manual, "Sparse Formats": 0.0, 0.1, 1.0); SCHILY.xattr, LIBARCHIVE.xattr, RHT.security.selinux
 * and SCHILY.acl attributes.
 *
 * Everything is hostile: sizes, numbers, records of headers, maps. Memory is bounded by
 * UNTAR_HEADER_MAX and UNTAR_EXTENTS_MAX whatever the archive says. A reader belongs to one thread.
 */
#ifndef TREEMILL_STAGES_UNTAR_H
#define TREEMILL_STAGES_UNTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/member.h"

/* What the extended headers and the long names of one member may take. */
#define UNTAR_HEADER_MAX ((size_t)1024 * 1024)
/* Most ranges of data that a sparse file may have; a map takes 16 bytes each. */
#define UNTAR_EXTENTS_MAX ((size_t)256 * 1024)

enum untar_event {
    UNTAR_MORE,   /* the input is used up: go on with the next piece, or untar_finish() */
    UNTAR_MEMBER, /* a member begins: *untar_member() */
    UNTAR_DATA,   /* `data_bytes` of its data at `data`, in the input, for the file's `offset` */
    UNTAR_DONE,   /* the member is complete */
    UNTAR_END,    /* the end-of-archive mark has come: the rest of the input is of no account */
    UNTAR_ERROR   /* see untar_error(); the reader is of no use any more */
};

struct untar_step {
    const uint8_t *input;
    size_t input_bytes; /* left */
    /* Of UNTAR_DATA. */
    const uint8_t *data;
    size_t data_bytes;
    uint64_t offset;
};

struct untar;
int untar_create(struct untar **untar);
/* NULL is allowed. */
void untar_destroy(struct untar *untar);
/* Attributes are passed over from here on, as if there were none. Otherwise users and groups that
 * an ACL names are looked up, which opens files. */
void untar_pass_attributes(struct untar *untar);
/* Begins another archive. */
void untar_reset(struct untar *untar);

/* The next event; takes from the input what belongs to it. */
enum untar_event untar_next(struct untar *untar, struct untar_step *step);
/* Of the member that has begun. Good until UNTAR_DONE. */
const struct member *untar_member(const struct untar *untar);
/* Whether its data is not all of it one after another from offset 0 on: a sparse file. */
bool untar_is_sparse(const struct untar *untar);
/* Where in the input of the whole archive the next event's bytes are: how many have been taken. */
uint64_t untar_position(const struct untar *untar);
/* Where the first header of the member was; after UNTAR_ERROR, of what is wrong. */
uint64_t untar_member_position(const struct untar *untar);
/* The input ends here. 0; -ENODATA: within a member or its padding, or between its headers;
 * -EBADMSG: after UNTAR_ERROR; 1: without the whole mark of its end, two zero blocks, which other
 * readers take, too, with or without a word. */
int untar_finish(const struct untar *untar);
/* What was wrong, in a few words without the path: "header's checksum is wrong". Static text. */
const char *untar_error(const struct untar *untar);

/* Whether this block of TAR_BLOCK_BYTES can be the first of a tar archive. A zero block is not one:
 * an archive without members begins so, but so do ISO 9660 images and much else. */
bool untar_detect(const uint8_t *block, size_t bytes);

#endif
