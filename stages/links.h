/* links: files that have several names, so that what is known of one is known of all.
 *
 * Keeps a note, such as its first path, of every file with more than one link, until all its names
 * have been met or the job is over. Memory grows with the number of such files only. For one
 * thread.
 */
#ifndef TREEMILL_STAGES_LINKS_H
#define TREEMILL_STAGES_LINKS_H

#include <stddef.h>

#include "stages/batch.h"

struct links;

struct link_note {
    size_t bytes;
    char data[]; /* NUL-terminated beyond them */
};

/* NULL: no memory. */
struct links *links_create(void);
/* NULL is allowed. */
void links_destroy(struct links *links);

/* Tells of a name of a file. *first: the note that was given when it was met before, valid until
 * the next call; or NULL: now it is for the first time, and this note is kept. 0 or -ENOMEM. */
int links_meet(struct links *links, const struct file_stat *stat, const void *note, size_t bytes,
               const struct link_note **first);

#endif
