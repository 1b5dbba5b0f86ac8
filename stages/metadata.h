/* metadata: the extended attributes of a file, ACLs among them, packed into one piece of memory.
 *
 * The packed form holds names and values one after another and no pointers, so it may lie in an
 * arena that other processes see. POSIX ACLs are the attributes system.posix_acl_access and
 * system.posix_acl_default, whose values are in the kernel's form (linux/posix_acl_xattr.h).
 *
 * No function keeps state or follows a symbolic link; any thread may call any.
 */
#ifndef TREEMILL_STAGES_METADATA_H
#define TREEMILL_STAGES_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METADATA_ACL_ACCESS  "system.posix_acl_access"
#define METADATA_ACL_DEFAULT "system.posix_acl_default"

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

#endif
