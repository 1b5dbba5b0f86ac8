/* links: files that have several names, so that each is stored once.
 *
 * Remembers the first path of every file with more than one link, until all its names have been
 * met or the job is over. Memory grows with the number of such files only. For one thread.
 */
#ifndef TREEMILL_STAGES_LINKS_H
#define TREEMILL_STAGES_LINKS_H

#include <stddef.h>

#include "stages/batch.h"

struct links;

struct link_name {
    size_t bytes;
    char path[];
};

/* NULL: no memory. */
struct links *links_create(void);
/* NULL is allowed. */
void links_destroy(struct links *links);

/* Tells of a name of a file. *first: the path under which it was met before, valid until the next
 * call; or NULL: now for the first time. 0 or -ENOMEM. */
int links_meet(struct links *links, const struct file_stat *stat, const char *path,
               size_t path_bytes, const struct link_name **first);

#endif
