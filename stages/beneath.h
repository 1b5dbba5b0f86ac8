/* beneath: directories below a root, opened without ever leaving it, and some of them kept open.
 *
 * A path is opened with openat2(2) and RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_MAGICLINKS; where the kernel lacks that or a filter forbids it, component by component
 * with O_NOFOLLOW. Either way a symbolic link on the way is -ELOOP, and what is no directory
 * -ENOTDIR: nothing is followed, nothing is removed. Paths are relative, of any length, without
 * ".", ".." or empty components (member_clean() makes them so); "" and "." are the root itself.
 *
 * A directory that somebody moves while it is open is still the one that was opened.
 *
 * Descriptors: BENEATH_KEPT at most, and none but those that are pinned where they are scarce (see
 * shortage.h); one more while a path is walked. All of it blocks, but only for the file system's
 * names. One thread each.
 */
#ifndef TREEMILL_STAGES_BENEATH_H
#define TREEMILL_STAGES_BENEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than the strands of a stage can have in use at once. */
#define BENEATH_KEPT 32

struct beneath_options {
    int root; /* stays the caller's, and open */
    /* The mode of directories that are made is 0700 whatever the process's umask. */
    uint32_t umask;
    bool without_openat2; /* as if the kernel lacked it: for tests */
};

struct beneath;
/* 0 or -ENOMEM. */
int beneath_create(const struct beneath_options *options, struct beneath **beneath);
/* Nothing may be pinned. NULL is allowed. */
void beneath_destroy(struct beneath *beneath);

/* A directory that is open, with O_PATH. */
struct beneath_directory {
    int fd;
    /* The rest is beneath.c's. */
    unsigned pins;
    bool is_stale;
    uint64_t used; /* when it was last asked for, counted in requests */
    char *path;
    size_t path_bytes;
};

/* The directory of a path, which stays open until beneath_release(). With `made_from` what is
 * missing on the way and it itself are made, with mode 0700; before the first is made, 1 + how much
 * of the path was there is stored, unless there is a smaller number already that is not 0. NULL:
 * nothing is made. 0; -ENOENT, -ELOOP, -ENOTDIR, -EMFILE (when nothing more can be closed),
 * -ENOMEM, -errno. */
int beneath_open(struct beneath *beneath, const char *path, size_t path_bytes, uint32_t *made_from,
                 const struct beneath_directory **directory);
void beneath_release(struct beneath *beneath, const struct beneath_directory *directory);

/* Closes it as soon as nobody has it: it is not what the path names any more. */
void beneath_forget(struct beneath *beneath, const struct beneath_directory *directory);
/* Closes all that is not in use: the caller is about to wait for descriptors. */
void beneath_drop(struct beneath *beneath);

/* Makes a directory of mode 0700 in an open one. 0 or -errno. */
int beneath_make(const struct beneath *beneath, int directory, const char *name);

/* Opens something in an open directory, or the directory itself ("."), with more flags of open(2)
 * than O_PATH, without following anything. A descriptor or -errno. */
int beneath_open_at(int directory, const char *name, int flags);

#endif
