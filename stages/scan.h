/* scan: lists directories and takes the status of files; the workers of the scan stage.
 *
 * It is the one stage of the scan lane. The walk (stages/walk.h) is that lane's source: it asks
 * for the directories it will come to next, so that several are listed at once, and puts the
 * answers in order.
 *
 * Input slab:   struct scan_request | path | for SCAN_STATUS: struct scan_name and name, ...
 * Output slab:  struct scan_answer | struct scan_entry and name, ...
 */
#ifndef TREEMILL_STAGES_SCAN_H
#define TREEMILL_STAGES_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/arena.h"
#include "pipeline/graph.h"
#include "stages/batch.h"

enum scan_kind {
    SCAN_DIRECTORY, /* the entries of the directory at `path`, sorted, files with their status */
    SCAN_STATUS     /* the status of each given name, relative to `path`, in the order given */
};

enum scan_flags {
    SCAN_FOLLOW = 1,   /* symbolic links among the entries or names count as what they point to */
    SCAN_ALL_KINDS = 2 /* links and special files are listed with their status, not left out */
};

struct scan_request {
    uint8_t kind;
    uint8_t flags; /* enum scan_flags */
    uint32_t path_bytes;
    uint32_t name_count;
    uint32_t used_bytes; /* of the input slab */
};

/* A name whose status is asked for; name and attachment follow, the name NUL-terminated. */
struct scan_name {
    uint32_t name_bytes;
    uint32_t attachment_bytes;
    uint32_t algorithms;
    uint32_t flags; /* FILE_STANDARD_INPUT: not looked up */
};

struct scan_answer {
    struct tm_fault fault; /* of the directory itself */
    bool too_large;        /* more entries than the slab holds: none is given */
    struct file_stat stat; /* of the directory */
    uint32_t entry_count;
    uint32_t used_bytes; /* of the output slab */
};

struct scan_entry {
    struct file_stat stat; /* for directories of SCAN_DIRECTORY: mode only */
    struct tm_fault fault;
    uint32_t name_bytes;
    uint32_t entry_bytes; /* to the next entry */
};

static inline const char *scan_entry_name(const struct scan_entry *entry)
{
    return (const char *)(entry + 1);
}

/* Slab sizes: a directory of up to about 2,000 names is one answer; a longer one is listed by the
 * walk, and only its status taken here. */
#define SCAN_INPUT_BYTES  65536
#define SCAN_OUTPUT_BYTES (256 * 1024)
/* Longest directory path a request can hold. */
#define SCAN_PATH_MAX (SCAN_INPUT_BYTES - sizeof(struct scan_request) - 8192)

extern const struct stage_ops scan_stage;

void scan_request_directory(const struct item_view *view, const char *path, size_t path_bytes,
                            uint8_t flags);
void scan_request_status(const struct item_view *view, const char *path, size_t path_bytes,
                         uint8_t flags);
/* Adds a name to a status request; false: the slabs are full. */
bool scan_request_add(const struct item_view *view, const struct scan_name *name, const char *text,
                      const void *attachment);

/* Where the first name of a status request begins, and how far it is from one to the next. */
static inline size_t scan_names_offset(const struct scan_request *request)
{
    return align_up(sizeof *request + request->path_bytes + 1, 8);
}
static inline size_t scan_name_stride(const struct scan_name *name)
{
    return align_up(sizeof *name + name->name_bytes + 1 + name->attachment_bytes, 8);
}

/* The same for the entries of an answer. */
static inline size_t scan_entry_stride(size_t name_bytes)
{
    return align_up(sizeof(struct scan_entry) + name_bytes + 1, 8);
}

static inline struct scan_request *scan_request_of(const struct item_view *view)
{
    return (struct scan_request *)view->input;
}
static inline struct scan_answer *scan_answer_of(const struct item_view *view)
{
    return (struct scan_answer *)view->output;
}
static inline char *scan_path_of(const struct item_view *view)
{
    return (char *)view->input + sizeof(struct scan_request);
}

/* Entries sort as their paths do, bytewise: a directory as if its name ended with a slash.
 * Exposed for the walk's own lists. */
int scan_name_compare(const char *a, size_t a_bytes, bool a_is_directory, const char *b,
                      size_t b_bytes, bool b_is_directory);

#endif
