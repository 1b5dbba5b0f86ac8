/* extract: makes the files of an archive below a directory, and nowhere else.
 *
 * The stage "write" makes what can be made at once, in any order and by many workers: directories
 * and whole files. All else is made in the archive's order, by the sink: pieces of large and sparse
 * files, and names that may still be in the work of others (FILE_LATER); or when all of that is
 * done, by extract_order_end(): hard links, then special files, then symbolic links, so that none
 * is in the way of a file, then hard links to these, and in the end modes and times of directories,
 * the deepest first.
 *
 * No path is ever followed: each is opened beneath the target (beneath.h); directories that are
 * missing are made with mode 0700. Files are published whole (publish.h): nothing that exists is
 * ever written to. What killed runs have left of theirs is removed from directories that are
 * members and were there before. A symbolic link or anything else that is no directory on the way
 * to a member is a fault of that member (ELOOP, ENOTDIR); it is neither followed nor removed, and
 * so is what has the name of a member that is a directory.
 *
 * Of members of one name the last is the one that stays, unless an earlier one is a directory, or
 * the last one is and another is not. Directories get owner, mode, times and attributes if the job
 * has made them or replaces all; those that are no members get 0777 less the umask, but never less
 * than 0300 (as with mkdir -p).
 *
 * A hard link that comes with data (cpio): its target is made with that data, and then linked to.
 * What is linked to may be anything but a directory, and need not be the archive's.
 *
 * Faults. What fails is the record's fault; ENOSPC, EDQUOT, EIO and EROFS are faults of TM_OP_WRITE
 * (or TM_OP_SYNC) whatever failed so; EFBIG, a fault of TM_OP_CREATE, is that member's alone. A
 * member that is not made and whose record has no fault has FILE_SKIPPED: there is one that is not
 * older (EXTRACT_OLDER), or it is a further piece of a file that has had its fault.
 *
 * Descriptors: a worker has two, its directory and its file, and BENEATH_KEPT directories as long
 * as they are not scarce; the sink the same, and one for a file in pieces.
 */
#ifndef TREEMILL_STAGES_EXTRACT_H
#define TREEMILL_STAGES_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/digest.h"
#include "stages/member.h"

/* What is to become of a file that is there already. */
enum extract_overwrite {
    EXTRACT_NEVER, /* it stays: the member has the fault EEXIST */
    EXTRACT_OLDER, /* it is replaced if its time of modification is before the member's; else it
                      stays, and the member is skipped without fault */
    EXTRACT_ALWAYS
};

/* The data of a member that is not in the slab (FILE_STREAM), read by whoever needs it; blocks. All
 * in the worker. */
struct member_source {
    int (*open)(void *context, const struct item_view *view, unsigned index, void **stream);
    /* Bytes, 0 at the end, -EBADMSG (corrupt, checksum included), -ENODATA, -errno. */
    ptrdiff_t (*read)(void *stream, void *data, size_t capacity);
    void (*close)(void *stream);
};

/* Constant while the job runs; owned by the caller. */
struct extract_job {
    int target; /* descriptor of the directory, open since before graph_start() */
    enum extract_overwrite overwrite;
    /* When the job began, in the clock of the target's file system: what was born since is the
     * job's own, and a later member of the same name replaces it. Where a file system does not know
     * times of birth, nothing is replaced so, and all directories count as the job's own. */
    int64_t began_ns;
    uint32_t umask;   /* the process's own */
    bool keeps_mode;  /* setuid, setgid and sticky bits too, and no umask */
    bool keeps_owner; /* where permitted: by name, else by number */
    bool makes_devices;
    /* Symbolic links that may lead out of the target are left out: absolute ones, those that go up
     * too far, or up from another place than their own ("a/../b"). */
    bool safe_links;
    unsigned attribute_kinds; /* to be set, of files and directories: enum metadata_kinds */
    bool sync;
    bool tests; /* nothing is made: streams are read to their end, and digests computed */
    const struct member_source *source; /* or NULL: no member is FILE_STREAM */
    void *source_context;
    /* Of FILE_STREAM members, computed while they are written, into the output slab at
     * index * digest_set_bytes(algorithms). 0: none. */
    uint32_t algorithms;
};

/* Job: struct extract_job. Leaves records with a fault, pieces and FILE_LATER alone. Never replaces
 * anything with EXTRACT_NEVER: the fault EEXIST that it leaves is to be settled by
 * extract_order_take(), which knows that no earlier member is in work any more. */
extern const struct stage_ops extract_stage;

/* The part in order: sink and afterwards, one thread at a time. */
struct extract_order;
int extract_order_create(const struct extract_job *job, struct extract_order **order);
/* Gives up what is not complete. NULL is allowed. */
void extract_order_destroy(struct extract_order *order);
/* A record that has been through the stage: made here, noted for the end, or nothing to do. For
 * every record, also those that have a fault, in the archive's order. Blocks. For the last piece of
 * a file the digests are put where those of streams are (struct extract_job, algorithms). 0;
 * -ENOMEM or an errno of its temporary file: the job is over. */
int extract_order_take(struct extract_order *order, const struct item_view *view, unsigned index);
/* What has waited for the end. Told of each link and special file that is made, or why not, and of
 * each directory whose mode, times or the like could not be set: with its kind of file, and what a
 * hard link is a link to, else NULL. Not of what stays since it is not older, or since a later
 * member has its name. May be called when the job was
 * cut short, too: directories are left with the modes they should have. 0 or -errno. */
typedef void (*extract_told)(void *context, const char *path, uint32_t mode, const char *linked,
                             struct tm_fault fault);
int extract_order_end(struct extract_order *order, extract_told told, void *context);

#endif
