/* The parts of extract. */
#ifndef TREEMILL_STAGES_EXTRACT_PRIVATE_H
#define TREEMILL_STAGES_EXTRACT_PRIVATE_H

#include <string.h>

#include "stages/beneath.h"
#include "stages/extract.h"
#include "stages/later.h"
#include "stages/owners.h"
#include "stages/publish.h"

/* What a worker has, and the sink. One thread. */
struct extract_maker {
    const struct extract_job *job;
    struct beneath *beneath;
    struct owner_ids *owners; /* NULL: nobody's are kept */
    bool knows_births;        /* the target's file system says when a file was made */
};

/* 0 or -errno; closed by extract_maker_close() in any case. */
int extract_maker_open(struct extract_maker *maker, const struct extract_job *job);
void extract_maker_close(struct extract_maker *maker);

/* The owner as it is here, the mode as it is to be. `stat` as the archive says. */
void extract_resolve(struct extract_maker *maker, const struct member_extra *extra,
                     struct file_stat *stat);
/* Whether something was made by this job, as far as can be known. */
bool extract_is_own(const struct extract_job *job, const struct statx *found);
/* Whether what is there already may be replaced by a member of that time, as the job says: by the
 * stage; or in order, where a member of the job's own may be. */
bool extract_replaces(const struct extract_job *job, const struct file_stat *stat,
                      const struct statx *found);
/* A failed system call: what means that nothing more can be written is a fault of writing. */
struct tm_fault extract_fault(enum tm_operation operation, int error);

/* The directory that a path is in: how much of it, without the slash. */
static inline size_t extract_parent_bytes(const char *path, size_t path_bytes)
{
    const char *slash = memrchr(path, '/', path_bytes);
    return slash ? (size_t)(slash - path) : 0;
}
static inline const char *extract_name(const char *path, size_t path_bytes)
{
    size_t parent = extract_parent_bytes(path, path_bytes);
    return path + (parent ? parent + 1 : 0);
}

/* One member that is to be made: a directory, or a file with data. All that is pointed to stays
 * valid until it is done. */
struct making_member {
    const char *path; /* cleaned, NUL-terminated */
    size_t path_bytes;
    struct file_stat stat; /* as the archive says */
    struct member_extra extra;
    const void *data; /* all of it; or by publish_write(), with `more` */
    size_t bytes;
    bool more;
    uint64_t size_bytes;         /* at least this long, zeros behind what was written */
    bool in_order;               /* nobody else is at work on the name */
    uint32_t *made_from;         /* see struct file_record */
    struct publish_trace *trace; /* where one may be left; NULL: no other attempt will follow */
};

enum making_result {
    MAKING_PENDING, /* has added to the chain: call again with its results */
    MAKING_OPEN,    /* with `more`: see PUBLISH_OPEN */
    MAKING_DONE     /* see `fault` and `is_skipped` */
};

/* Makes them one after another, as a part of a step machine. */
struct making {
    struct tm_fault fault;
    bool is_skipped; /* without fault: what is there is not older */
    /* The rest is extract_make.c's, but for publish_write() and publish_end(). */
    struct publisher publisher;
    struct extract_maker *maker;
    struct making_member member;
    struct file_stat stat;                     /* as it is to be here */
    const struct beneath_directory *directory; /* that it is in, pinned; NULL: none */
    bool is_begun;                             /* the publisher is at work */
    bool is_paused;                            /* the chain waits for descriptors */
    bool was_open, was_given_up;
    bool is_late;               /* its data has been taken already */
    bool is_second;             /* its directory had gone: found again */
    struct publish_trace trace; /* where the member has none */
    struct shortage shortage;
};

/* Once, on any memory: holds nothing open. */
void making_init(struct making *making, struct extract_maker *maker);
/* After making_init() or the end of the one before. */
void making_begin(struct making *making, const struct making_member *member);
/* First called with an empty chain; results are consumed and the chain emptied. */
enum making_result making_step(struct making *making, struct io_chain *chain);
/* After MAKING_OPEN: the member is given up; the fault is what the caller says. */
void making_give_up(struct making *making, struct tm_fault fault);
/* After MAKING_OPEN: nothing but publish_write() and making_step() for it will follow for a while;
 * gives its directory back, if descriptors are scarce. Then has it again: blocks. 0 or -errno. */
void making_put_down(struct making *making);
int making_pick_up(struct making *making);
/* For a stage's close(): as publish_discard(). */
void making_discard(struct making *making);
/* Blocks until there is something else than MAKING_PENDING. */
enum making_result making_run(struct making *making);

/* The data of a member that is not in the slab, piece by piece; blocks. */
struct extract_stream {
    const struct extract_job *job; /* set by whoever has it, before it is opened */
    void *stream;                  /* NULL: none is open */
    uint8_t *buffer;
    struct digest_hasher *hasher; /* NULL: no digests are wanted */
    uint64_t offset;
};

/* 0 or -errno; closed by extract_stream_close() in any case. */
int extract_stream_open(struct extract_stream *stream, const struct item_view *view,
                        unsigned index);
void extract_stream_close(struct extract_stream *stream);
/* Frees what is kept from one to the next. */
void extract_stream_free(struct extract_stream *stream);
/* Reads the next piece into the buffer, *bytes; 0: it was complete, and *output (if there are
 * digests to be computed) has them. `stop_fd`: of the chain. */
struct tm_fault extract_stream_read(struct extract_stream *stream, int stop_fd, uint8_t *output,
                                    size_t *bytes);
/* Of a member that is made of it: opens it if it is not open, and gives the next piece, the end, or
 * what is wrong to the making. */
void extract_stream_feed(struct extract_stream *stream, const struct item_view *view,
                         unsigned index, int stop_fd, struct making *making);
/* Reads it to its end, for nothing but its digests. */
struct tm_fault extract_stream_test(struct extract_stream *stream, const struct item_view *view,
                                    unsigned index, int stop_fd);
/* Where the digests of a record belong. */
static inline uint8_t *extract_digests(const struct extract_job *job, const struct item_view *view,
                                       unsigned index)
{
    return view->output + index * digest_set_bytes(job->algorithms);
}

/* Whether the stage makes the record. */
bool extract_is_for_stage(const struct extract_job *job, const struct file_record *file);
/* What is to be made of a record that is whole: its data, or `more` if that is a stream. */
struct making_member extract_member(const struct item_view *view, struct file_record *file);

/* beneath_open() for who may block: waits for descriptors. */
int extract_open_directory(struct extract_maker *maker, const char *path, size_t path_bytes,
                           uint32_t *made_from, const struct beneath_directory **directory);

/* Files that come in pieces, one after another, in order (extract_pieces.c). */
struct extract_pieces {
    struct extract_maker *maker;
    struct making making;
    char *path; /* of the one in work, as its pieces have it; NULL: none */
    char *name; /* under which it is made */
    void *attributes;
    bool is_lost; /* failed or skipped: its other pieces are of no account */
    uint32_t made_from;
    uint64_t reached;             /* the end of the last piece */
    struct digest_hasher *hasher; /* NULL: no digests are wanted */
};
/* 0 or -errno; closed by extract_pieces_close() in any case. */
int extract_pieces_open(struct extract_pieces *pieces, struct extract_maker *maker);
void extract_pieces_close(struct extract_pieces *pieces);
/* Fault and FILE_SKIPPED are the record's; the digests, with the last piece, where those of other
 * records are. `path`: under which it is made. 0 or -ENOMEM. */
int extract_pieces_take(struct extract_pieces *pieces, const struct item_view *view, unsigned index,
                        const char *path);

/* Names of links and special files that wait for the end, so that a file of the same name that
 * comes later in the archive is not replaced by them. Numbers instead of the names themselves, and
 * no more than EXTRACT_NAMES_MAX: what waits beyond that is made, whatever came later. */
#define EXTRACT_NAMES_MAX ((size_t)1 << 18)
struct extract_names;
/* 0 or -ENOMEM. */
int extract_names_create(struct extract_names **names);
void extract_names_destroy(struct extract_names *names);
/* The name waits. 0 or -ENOMEM. */
int extract_names_add(struct extract_names *names, const char *path, size_t path_bytes);
/* A file got it: what was noted before this number in the archive's order is not to be made. */
void extract_names_void(struct extract_names *names, const char *path, size_t path_bytes,
                        uint64_t sequence);
bool extract_names_is_void(const struct extract_names *names, const char *path, size_t path_bytes,
                           uint64_t sequence);

/* A record of the logs. Behind it: path, target, attributes, texts with their NUL. */
struct waiting {
    uint64_t sequence; /* in the archive's order */
    int64_t mtime_seconds;
    uint64_t rdev;
    uint32_t mtime_ns;
    uint32_t mode, uid, gid; /* as they are to be here */
    uint32_t depth;          /* components of the path */
    uint32_t made_from;      /* of those that are ways */
    uint32_t path_bytes, target_bytes, attribute_bytes;
    bool is_hard_link;
    char text[];
};
static inline const char *waiting_target(const struct waiting *waiting)
{
    return waiting->text + waiting->path_bytes + 1;
}
static inline const void *waiting_attributes(const struct waiting *waiting)
{
    return waiting_target(waiting) + waiting->target_bytes + 1;
}

/* How much there is of the directories of one depth. */
struct depth_count {
    uint64_t bytes, count;
};

struct extract_order {
    const struct extract_job *job;
    struct extract_maker maker;
    struct making making;
    struct extract_stream stream;
    struct extract_pieces pieces;
    uint64_t sequence;         /* records that have been taken */
    struct later *links;       /* hard links, symbolic links, special files */
    struct later *directories; /* that are members */
    struct later *ways;        /* directories that had to be made on the way to members */
    struct extract_names *names;
    struct depth_count *depth; /* of `directories`; depth_count_max of them, or NULL */
};
/* Depths are below this: a component has a byte at least, and a slash. */
#define EXTRACT_DEPTH_MAX (BATCH_PATH_MAX / 2 + 2)

/* Notes that directories were made on the way to the path. 0 or -errno. */
int extract_note_way(struct extract_order *order, const char *path, size_t path_bytes,
                     uint32_t made_from);
/* Whether a symbolic link's text leads out of the target: if it is absolute, or goes up too far, or
 * up from anything but where the link is. Where a name in it is a link itself, "up" may be
 * anywhere. */
bool extract_leads_out(const char *path, size_t path_bytes, const char *text);
/* Makes something that has waited, no directory (extract_links.c). 0; 1: it stays as it is, without
 * a word; 2: a hard link, and what it is to be a link to is not there; -errno: of the log. */
int extract_make_waiting(struct extract_order *order, const struct waiting *waiting,
                         struct tm_fault *fault);
/* Gives owner, mode (and bits besides), times, attributes to what is open; with O_PATH (then
 * without attributes) or without. */
struct tm_fault extract_dress(const struct extract_job *job, int fd, bool is_path,
                              const struct waiting *waiting, uint32_t more_mode);
/* fsync of the directory, if the job wants it. */
struct tm_fault extract_sync(const struct extract_job *job, int directory);
/* Modes and times of directories (extract_directories.c). 0 or -errno. */
int extract_end_ways(struct extract_order *order, extract_told told, void *context);
int extract_end_directories(struct extract_order *order, extract_told told, void *context);

#endif
