/* mtree: members of an archive as lines of mtree(5), in the form that libarchive reads: what they
 * are, without digests. (Manifests of files: manifest.h.) Pure; any thread. */
#ifndef TREEMILL_STAGES_MTREE_H
#define TREEMILL_STAGES_MTREE_H

#include <stddef.h>
#include <sys/types.h>

#include "stages/member.h"

/* What the list begins with. */
#define MTREE_HEADER "#mtree\n"

/* The line of a member with a safe name. mtree has no word for hard links: one is a file whose size
 * is not said. Bytes written, no NUL; -ENOSPC. */
ptrdiff_t mtree_render(const char *path, size_t path_bytes, const struct file_stat *stat,
                       bool is_hard_link, const struct member_extra *extra, char *buffer,
                       size_t capacity);
/* A capacity that is always enough. */
size_t mtree_bytes(size_t path_bytes, const struct member_extra *extra);

#endif
