/* metadata: what a file has besides its data: extended attributes, ACLs among them, owner, mode and
 * times.
 *
 * Attributes are packed into one piece of memory, names and values one after another and no
 * pointers, so it may lie in an arena that other processes see. POSIX ACLs are the attributes
 * system.posix_acl_access and system.posix_acl_default, whose values are in the kernel's form
 * (linux/posix_acl_xattr.h).
 *
 * No function keeps state or follows a symbolic link; any thread may call any.
 */
#ifndef TREEMILL_STAGES_METADATA_H
#define TREEMILL_STAGES_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/batch.h"

#define METADATA_ACL_ACCESS  "system.posix_acl_access"
#define METADATA_ACL_DEFAULT "system.posix_acl_default"

/* Kinds of attributes, a set. No other attribute is ever read: what else there is under "system."
 * are controls of the file system. */
enum metadata_kinds {
    METADATA_USER = 1,    /* user.* */
    METADATA_ACL = 2,     /* the two above */
    METADATA_SYSTEM = 4,  /* security.* (labels, capabilities) */
    METADATA_TRUSTED = 8, /* trusted.*, seen by the superuser alone */
    METADATA_ALL = 15
};

/* Most that a file's attributes may take when packed. */
#define METADATA_MAX_BYTES 65536

/* Packs a file's attributes in the order of their names, for the system's order is any. The file is
 * `name` beneath the directory `fd`, or AT_FDCWD; a path in it is followed except for its end.
 * NULL: the file `fd` itself, which may be open with O_PATH. Returns the bytes packed: 0 if it has
 * none or its file system knows none. -E2BIG: more than `capacity` or METADATA_MAX_BYTES; or
 * another -errno. Where /proc is not mounted only AT_FDCWD and plain descriptors work: -ENOENT. */
ptrdiff_t metadata_read(int fd, const char *name, unsigned kinds, void *packed, size_t capacity);

/* One attribute within the packed form. */
struct metadata_attribute {
    const char *name; /* NUL-terminated */
    const void *value;
    size_t value_bytes;
};

/* Goes through the attributes in their order: `cursor` begins as 0. False: no more, or what there
 * is is cut short. */
bool metadata_next(const void *packed, size_t packed_bytes, size_t *cursor,
                   struct metadata_attribute *attribute);

/* Adds an attribute behind `used` bytes of packed form; returns what is used then, or -E2BIG. */
ptrdiff_t metadata_add(void *packed, size_t used, size_t capacity, const char *name,
                       const void *value, size_t value_bytes);

/* Told of an attribute that could not be set, and why, as -errno. */
typedef void (*metadata_refused)(void *context, const char *name, int error);

/* Gives the attributes of the kinds asked for to the file, which is not O_PATH: all that the system
 * permits. Returns how many it refused. After metadata_copy_status(): a new owner takes
 * capabilities away, and a new mode changes the mask of an ACL. */
size_t metadata_apply(int fd, const void *packed, size_t packed_bytes, unsigned kinds,
                      metadata_refused refused, void *context);

/* Gives owner, mode and time of modification to a file that nobody is to write to afterwards.
 * Returns which of these were not permitted, a set: a file then grants nobody more than the
 * original did. Or -errno. */
enum metadata_status { METADATA_NOT_OWNER = 1, METADATA_NOT_GROUP = 2 };
int metadata_copy_status(int fd, const struct file_stat *stat);
/* The mode for a file whose owner or group is `missing` (enum metadata_status) what it should be.
 */
uint32_t metadata_safe_mode(uint32_t mode, unsigned missing);
/* Which of enum metadata_kinds an attribute is; 0: none of them. */
unsigned metadata_kind_of(const char *name);

#endif
