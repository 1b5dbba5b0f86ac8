/* The walk's parts: names (walk_names.c), listings (walk_frame.c), items (walk_emit.c). */
#ifndef TREEMILL_STAGES_WALK_PRIVATE_H
#define TREEMILL_STAGES_WALK_PRIVATE_H

#include "stages/archive.h"
#include "stages/links.h"
#include "stages/scan.h"
#include "stages/walk.h"

/* A sorted part of a directory's names. */
struct name_list {
    char *text;
    size_t text_bytes, text_capacity;
    struct listed {
        uint32_t offset;
        uint32_t bytes;
        bool is_directory;
    } * names;
    uint32_t count, capacity;
    uint32_t next;  /* the first that has not been asked for */
    bool truncated; /* there are more names after the last one */
};

/* Which names are wanted: those that sort after `after` (NULL: from the start), the lowest of them,
 * in about `memory_bytes`. The rest is name_list_add()'s, zero at first. */
struct name_range {
    const char *after;
    size_t after_bytes;
    bool after_is_directory;
    size_t memory_bytes;
    bool has_upper;
    struct listed upper; /* only names below it are still wanted; in the list's text */
};

/* Lists the names of a directory that are in the range, sorted; flags: enum scan_flags. 0 or
 * -errno. */
int name_list_read(struct name_list *list, const char *path, size_t path_bytes, uint8_t flags,
                   struct name_range *range);
/* Takes one name in, in any order; what does not fit any more is dropped from the end. 0 or
 * -ENOMEM. */
int name_list_add(struct name_list *list, struct name_range *range, const char *name,
                  bool is_directory);
void name_list_free(struct name_list *list);

/* Directories listed ahead in one frame; more would be taken from those deeper down. */
#define AHEAD_MAX 4
/* Status requests under way for one frame. */
#define STATUS_MAX 3
/* Longest name from the source, with its attachment surely small enough for a request's slabs. */
#define WALK_NAME_MAX 40960
/* Names in one status request: small enough that several workers share a large directory. */
#define STATUS_NAMES_MAX 512

/* One directory on the current path, or the operands (the first frame). */
struct frame {
    size_t path_bytes; /* of the directory's path in walk->path, with its slash */
    uint64_t device, inode;
    bool is_operands;
    bool only_cache_tag; /* --exclude-caches: a cache directory */
    /* Answer in work: a copy, so that its credit is free again. */
    uint8_t *entries;
    size_t entries_bytes, next_entry, ahead_entry;
    uint8_t *requested; /* for status answers: struct scan_name of each entry; else NULL */
    size_t next_requested;
    struct scan_entry *entry; /* the one returned last */
    struct scan_name *name;   /* and its request, or NULL */
    /* Directories asked for in advance, by their entry's offset. */
    struct {
        size_t entry;
        struct item_view view;
    } ahead[AHEAD_MAX];
    unsigned ahead_count;
    /* Where more entries come from once those are used up. */
    bool has_names;
    struct name_list names;
    struct item_view status[STATUS_MAX];
    unsigned status_count;
    bool source_ended; /* operands: no more names */
    bool dropped;      /* to save memory: list again after `resume` */
    char *resume;
    size_t resume_bytes;
    bool resume_is_directory;
};

/* A large file whose chunks are being submitted. Several are, so that each worker has one. */
struct open_stream {
    uint32_t stream;
    uint64_t number; /* its place in the order */
    uint64_t serial;
    struct file_stat stat;
    uint64_t offset; /* of the next chunk */
    uint32_t chunk;  /* number of the next chunk */
    uint32_t algorithms;
    uint16_t flags;
    char *path;                     /* owned; the attachment follows the path's NUL */
    struct archive_extent *extents; /* owned; of a sparse file, which has no other attachment */
    size_t extent_count, extent;
    void *cuts; /* of the setup's cutter, which reads from cuts_fd; NULL: blocks */
    int cuts_fd;
    uint64_t cut_offset; /* the next of them */
    size_t cut_bytes;
    int cut_got;
    size_t directory_bytes, name_bytes, attachment_bytes;
};

struct walk {
    const struct walk_setup *setup;
    struct frame *frames;
    unsigned depth, frame_capacity;
    char *path; /* of the current directory, with its slash */
    size_t path_capacity;
    size_t operand_bytes; /* how much of it is the operand */
    uint32_t algorithms;  /* that the operand asks for, and so all files below it */
    size_t held_bytes;    /* by listings */
    size_t memory_bytes;
    struct item_view bundle;
    bool bundle_open;
    struct open_stream *streams; /* room for lane_streams_max(), oldest first */
    unsigned stream_count;
    uint64_t serial;
    struct walk_name pending_name; /* taken from the source, did not fit the last request */
    bool name_is_pending;
    struct links *links; /* finds_links: files that have more names than one */
};

/* walk_frame.c. -errno ends the walk. */
int frame_push(struct walk *walk, size_t path_bytes, const struct item_view *answered);
int frame_push_operands(struct walk *walk);
void frame_pop(struct walk *walk);
/* The next entry of the innermost frame in frame->entry and frame->name: 1; 0: none left. */
int frame_next(struct walk *walk);
/* Asks for directories that will be entered soon. */
void walk_look_ahead(struct walk *walk);
/* The listing of the directory frame->entry whose full path is walk->path[0..path_bytes); waited
 * for; to be released. */
int frame_enter(struct walk *walk, size_t path_bytes, struct item_view *view);

/* Puts a name behind the innermost directory's path; with a slash if asked. New length or 0 when
 * out of memory. */
size_t walk_path_append(struct walk *walk, size_t base_bytes, const char *name, size_t bytes,
                        bool slash);

/* walk_stream.c. A file in chunks; some may be sent at once, or all. */
int stream_begin(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                 const struct scan_name *name);
/* Standard input, to its end. */
int stream_input(struct walk *walk, const struct scan_entry *entry);
/* Whether a cutter can divide it: then it is begun, 1; 0; -errno. */
int stream_begin_cut(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                     const struct scan_name *name);
/* One chunk of an open stream; waits for the credit. */
int stream_send(struct walk *walk);

/* walk_emit.c */
uint16_t emit_flags(const struct walk *walk); /* of a file of the innermost frame */
int emit_file(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
              const struct scan_name *name);
/* Standard input, a FIFO, ...; `flag` says which (enum file_flags). */
int emit_read_once(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
                   const struct scan_name *requested, uint16_t flag);
/* A fault of a path that is not read. */
int emit_note(struct walk *walk, size_t directory_bytes, const char *name, size_t name_bytes,
              const struct scan_name *requested, struct tm_fault fault, uint16_t flags);
/* What has no data of its own to be read: a directory, link or special file. */
int emit_entry(struct walk *walk, size_t directory_bytes, const struct scan_entry *entry,
               const struct file_stat *stat);
/* Sends the bundle that is being filled. */
int emit_flush(struct walk *walk);
/* Sends chunks of the open streams as far as credits are free; costs nothing if none is open. */
int emit_pump(struct walk *walk);
/* Sends all that is left. */
int emit_finish(struct walk *walk);
void emit_free(struct walk *walk);

static inline uint8_t walk_scan_flags(const struct walk *walk)
{
    return (uint8_t)((walk->setup->follow_links ? SCAN_FOLLOW : 0) |
                     (walk->setup->all_kinds ? SCAN_ALL_KINDS : 0));
}

static inline struct frame *walk_top(struct walk *walk)
{
    return &walk->frames[walk->depth - 1];
}

static inline const void *scan_name_attachment(const struct scan_name *name)
{
    return (const uint8_t *)(name + 1) + name->name_bytes + 1;
}

#endif
