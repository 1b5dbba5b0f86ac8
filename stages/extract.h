/* extract: makes the files of an archive below a directory, and nowhere else.
 *
 * The stage "write" makes what can be made at once, in any order and by many workers: directories
 * and whole files. All else is made in the archive's order, by the sink: pieces of large and sparse
 * files, and names that may still be in the work of others (FILE_LATER); or when all of that is
 * done, by extract_end(): hard links, then special files, then symbolic links, so that none is in
 * the way of a file, and in the end modes and times of directories, the deepest first.
 *
 * No path is ever followed: each is opened beneath the target with openat2(2) and
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, or component by component where
 * the kernel lacks that; directories that are missing are made with mode 0700. Files are published
 * whole (publish.h): nothing that exists is ever written to.
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
     * job's own, and a later member of the same name replaces it. */
    int64_t began_ns;
    uint32_t umask;
    bool keeps_mode;  /* setuid, setgid and sticky bits too, and no umask */
    bool keeps_owner; /* where permitted: by name, else by number */
    bool makes_devices;
    bool safe_links;          /* symbolic links that lead out of the target are left out */
    unsigned attribute_kinds; /* to be set: enum metadata_kinds */
    bool sync;
    bool tests; /* nothing is made: streams are read to their end, and digests computed */
    const struct member_source *source; /* or NULL: no member is FILE_STREAM */
    void *source_context;
    /* Of FILE_STREAM members, computed while they are written, into the output slab at
     * index * digest_set_bytes(algorithms). 0: none. */
    uint32_t algorithms;
};

/* Job: struct extract_job. Leaves records with a fault, pieces and FILE_LATER alone. */
extern const struct stage_ops extract_stage;

/* The part in order: sink and afterwards, one thread at a time. */
struct extract_order;
int extract_order_create(const struct extract_job *job, struct extract_order **order);
/* Gives up what is not complete. NULL is allowed. */
void extract_order_destroy(struct extract_order *order);
/* A record that has been through the stage: made here, noted for the end, or nothing to do. What
 * fails is the record's fault. For the last piece of a file `algorithms` digests are at
 * extract_order_digests(). 0; -ENOMEM or an errno of its temporary file: the job is over. */
int extract_order_take(struct extract_order *order, const struct item_view *view, unsigned index);
/* Of the file whose last piece has just been taken. */
const uint8_t *extract_order_digests(const struct extract_order *order);
/* What has waited for the end. Told of each member with its fault, or none, and kind of file. May
 * be called when the job was cut short, too: directories are left with the modes they should have.
 * 0 or -errno. */
typedef void (*extract_told)(void *context, const char *path, uint32_t mode, bool is_hard_link,
                             struct tm_fault fault);
int extract_order_end(struct extract_order *order, extract_told told, void *context);

#endif
