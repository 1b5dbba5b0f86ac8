/* temporary: how files are called that have not got their own name yet, and the removal of what
 * killed runs have left of them.
 *
 *     .NAME.treemill-NUMBER-COUNT
 *
 * NAME is the file's own name or its beginning, NUMBER that of the thread that made it, COUNT tells
 * apart what it made. A file is a leftover when no process or thread has its number any more and
 * nobody has it locked: what looks dead from one container may be alive in another.
 *
 * Any thread may call anything here.
 */
#ifndef TREEMILL_STAGES_TEMPORARY_H
#define TREEMILL_STAGES_TEMPORARY_H

#include <stdbool.h>

#define TEMPORARY_NAME_BYTES 256

/* A name that this process has not used before. */
void temporary_name(const char *name, char temporary[static TEMPORARY_NAME_BYTES]);

/* Says to other runs that the open file is in use, for as long as it is open. False: somebody else
 * has it. Where the file system knows no locks they go by the number alone: true. */
bool temporary_lock(int fd);

/* Removes the leftovers of `name` in the open directory; of all names if it is NULL: for a
 * directory that many files are made in, once. Blocks; takes two descriptors meanwhile. Nothing
 * depends on its success. */
void temporary_sweep(int directory, const char *name);

/* Where these are made: $TMPDIR, or /tmp. */
const char *temporary_directory(void);
/* A file without a name, for what outgrows the memory, in that directory; NULL: in that above.
 * A descriptor or -errno. */
int temporary_unnamed(const char *directory);

#endif
