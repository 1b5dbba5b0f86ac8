/* target: a file that appears under its name when it is complete, or not at all.
 *
 * It is written under no name (O_TMPFILE), or under a temporary one where the file system cannot do
 * that, and gets its name in the end. Temporary files that killed runs for the same path left
 * behind are removed. A target belongs to one thread at a time; its calls block, but are few and
 * concern names and status only: those never complete at once in a ring either, which hands them
 * to threads of the kernel. The data goes to target_fd() in whatever way.
 */
#ifndef TREEMILL_STAGES_TARGET_H
#define TREEMILL_STAGES_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "stages/batch.h"

struct target;

struct target_options {
    bool replace;             /* an existing file */
    int64_t replace_until_ns; /* only one that was changed before this time; 0: any */
    bool sync;              /* its name is on disk before target_publish() returns; the data is the
                               caller's to sync */
    bool makes_directories; /* those on the way that are missing */
    bool in_place;          /* a device or pipe at the path is what is written to; else it is in the
                               way like any file */
    mode_t mode;            /* permissions, less the umask */
};

/* 0 or -errno; -EEXIST: there is one that must not be replaced; -EISDIR. The path is copied. */
int target_open(const char *path, const struct target_options *options, struct target **target);
int target_fd(const struct target *target);
/* At the path there is a device or pipe, which is written in place (options.in_place). */
bool target_is_special(const struct target *target);
/* The temporary name that it has or may get, for who must remove it; NULL: none. Constant from
 * target_open() to the end. */
const char *target_temporary(const struct target *target);
/* Makes the file appear. 0 or -errno; then nothing has appeared, or it is not known to be on disk.
 */
int target_publish(struct target *target);
/* mkdir -p of what leads to the path; `sync`: what is there then is on disk. 0 or -errno. */
int target_make_directories(const char *path, bool sync);
/* Frees; what was not published goes. NULL is allowed. */
void target_discard(struct target *target);

#endif
