/* walk: the source of a job. Turns names into a tree, a tree into files in canonical order, files
 * into bundles and chunks on the data lane.
 *
 * Order: operands as they are given; below a directory, bytewise by path. That is the order of a
 * walk that visits each directory's entries sorted as if names of directories ended in a slash.
 * Numbers are given in that order. On a data lane with `every_chunk` items are also submitted in
 * it, all chunks of a large file before the next file; on others large files overlap.
 *
 * Memory does not grow with the tree: one listing for each directory on the current path, a few
 * ahead, all of them within a fixed budget. When that is used up, the outermost listings are
 * dropped and made again from where they were; a directory whose names do not fit is listed in
 * several passes, each taking the next names in order.
 */
#ifndef TREEMILL_STAGES_WALK_H
#define TREEMILL_STAGES_WALK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"
#include "stages/batch.h"

struct in_work;
struct selection;

/* A name to start from: an operand, a line of --files-from, an entry of a manifest. All pointers
 * need to live until the next call of the source only. */
struct walk_name {
    const char *text;
    size_t bytes;
    const void *attachment; /* reaches the sink with the file; at most WALK_ATTACHMENT_MAX bytes */
    size_t attachment_bytes;
    uint32_t algorithms;
    bool is_standard_input;
};
#define WALK_ATTACHMENT_MAX 4096

enum walk_next {
    WALK_NAME, /* *name is filled in */
    WALK_WAIT, /* none at the moment; only when not asked to wait */
    WALK_END
};

/* A file or directory, whatever its name. */
struct walk_place {
    uint64_t device, inode;
};

/* Divides large files otherwise than into blocks. All in the walk's thread. */
struct walk_cutter {
    /* 1: the file can be divided; 0: it goes as a whole, as FILE_STREAM; -ENOMEM. */
    int (*begin)(void *context, int fd, const struct file_stat *stat, void **state);
    /* The next chunk, of at most the shape's block. 1; 0: there are no more; -errno: the file is
     * not what it was, and its last chunk gets the fault. */
    int (*next)(void *state, uint64_t *offset, size_t *bytes);
    void (*end)(void *state);
};

/* Written by the walk's thread, read by any (relaxed: they are for display, and final when the
 * job is over). */
struct walk_totals {
    _Atomic uint64_t files;
    _Atomic uint64_t bytes;
    _Atomic bool final;
};

struct walk_setup {
    struct tm_graph *graph;
    struct tm_lane *scan_lane;
    struct tm_lane *data_lane;
    struct batch_shape shape;
    const struct selection *selection;
    bool follow_links;    /* below operands; operands themselves are always followed */
    bool one_file_system; /* do not enter directories of other file systems than the operand's */
    bool read_special;    /* operands that are FIFOs, sockets or devices are read, not skipped */
    /* Everything there is becomes an entry: directories (before what is in them), symbolic links,
     * special files. Operands that are links are not followed, unless follow_links. */
    bool all_kinds;
    /* Another name of a file that came before is an entry, too: FILE_HARD_LINK, its attachment is
     * the path of the first. */
    bool finds_links;
    /* Of sparse files only what is data becomes chunks (FILE_SPARSE); the first chunk has none, and
     * as its attachment the array of struct archive_extent. */
    bool finds_holes;
    /* The job's own outputs, which are not taken: files, with a note; directories, unless they are
     * asked for by name. */
    const struct walk_place *left_out;
    unsigned left_out_count;
    /* Standard input goes in chunks of a block, read by the walk itself: one reader is all that a
     * pipe can have. Needs a lane that delivers every chunk. */
    bool streams_input;
    /* All regular files go as a whole, those that reach the shape's block and can be cut excepted.
     */
    const struct walk_cutter *cutter;
    void *cutter_context;
    bool directories_fail; /* a name that is a directory is an error, not a tree to walk */
    size_t memory_bytes;   /* for listings; 0: default */
    enum walk_next (*next)(void *context, bool wait, struct walk_name *name);
    void *context;
    struct walk_totals *totals;
    struct in_work *in_work; /* gets names of files as they are sent off; or NULL */
};

/* Walks to the end and finishes the data lane. 0, -ECANCELED when the job was ended, -ENOMEM.
 * The thread that started the graph. */
int walk_run(const struct walk_setup *setup);

#endif
