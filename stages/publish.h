/* publish: makes one file that appears under its name when it is complete, or not at all; as a part
 * of a stage's step machine, like opener.h.
 *
 * The file is made without a name (O_TMPFILE) or, where the file system cannot do that, under a
 * temporary one (temporary.h); it is filled, dressed, brought to the disk if that is asked for, and
 * only then gets its name: at no instant, whoever is killed, is there anything under that name but
 * what was there before or the whole file. A name that is to be replaced is replaced by a rename;
 * else the name is given in a way that fails when there is one already. What fails leaves nothing.
 *
 * A worker that is killed leaves a temporary name only in a file system without O_TMPFILE, or
 * between the last two operations of a replacement; see temporary_sweep().
 *
 * As few chains as possible: a file that asks for nothing special is one.
 *
 * Descriptors: the file and, unless the caller has it open, its directory; two on the way down a
 * path longer than PATH_MAX.
 */
#ifndef TREEMILL_STAGES_PUBLISH_H
#define TREEMILL_STAGES_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pipeline/fault.h"
#include "pipeline/io.h"
#include "stages/batch.h"
#include "stages/metadata.h"
#include "stages/opener.h"
#include "stages/shortage.h"
#include "stages/temporary.h"

/* All that is pointed to stays valid and unchanged until PUBLISH_DONE, _EXISTS or _FAILED. */
struct publish_request {
    int base;                 /* AT_FDCWD or an open directory, may be O_PATH */
    const char *directory;    /* path from there, links in it being followed */
    size_t directory_bytes;   /* 0: `base` itself */
    const char *name;         /* a single component, NUL-terminated */
    bool replace;             /* what has the name already, if it is no directory; a link itself */
    int64_t replace_until_ns; /* only what was changed before this time; 0: whatever it is */
    /* What may be replaced besides: told of its kind, times of birth and modification. NULL: all.
     */
    bool (*may_replace)(const struct publish_request *request, const struct statx *found);
    const void *context; /* of may_replace() */
    bool sync;           /* file and name are on disk before it is done */
    bool more;           /* data comes by publish_write(): see PUBLISH_OPEN */
    const void *data;    /* all of it, or the first piece */
    size_t bytes;
    uint64_t size_bytes; /* with `more`: at least this long, zeros behind what was written */
    uint32_t mode;       /* permissions, less the umask; if `stat` is NULL or ignores_mode */
    /* Owner and group as far as they are permitted, mode, time of modification. May be NULL. */
    const struct file_stat *stat;
    bool ignores_owner, ignores_mode; /* those of `stat` */
    /* Too few descriptors are a failure at once: for a caller who holds some that it had better
     * close before it waits. */
    bool fails_on_shortage;
    const void *attributes; /* as metadata_read() packs them, or NULL */
    size_t attribute_bytes;
    unsigned attribute_kinds;    /* those to be set: enum metadata_kinds */
    struct publish_trace *trace; /* or NULL */
};

enum publish_result {
    PUBLISH_PENDING, /* has added to the chain: call again with its results */
    PUBLISH_OPEN, /* with `more`: wants publish_write() or publish_end(), then to be called again */
    PUBLISH_DONE, /* see `missing` and `refused` */
    PUBLISH_EXISTS, /* there is one of this name, which is not to be replaced */
    PUBLISH_FAILED  /* see `fault` */
};

struct publisher {
    struct publish_request request;
    /* What came of it. */
    struct tm_fault fault; /* none when given up by publish_abandon() */
    unsigned missing;      /* enum metadata_status: not permitted */
    unsigned refused;      /* attributes that could not be set */
    /* The rest is publish.c's. */
    unsigned phase;                /* the next to be planned */
    uint8_t planned[IO_CHAIN_MAX]; /* the phase that each operation of the chain belongs to */
    bool pending;                  /* the chain holds results */
    bool may_fail;                 /* something in the chain may fail and be gone on from */
    bool without_nameless;         /* learned once, kept: slower, but works everywhere */
    bool by_link;                  /* learned likewise: renaming always replaces here */
    int directory, fd;             /* -1: none */
    bool owns_directory;
    bool has_temporary; /* there may be one of that name, which is ours */
    unsigned name_attempts;
    uint64_t offset;      /* of `data` */
    uint64_t written_end; /* of the furthest piece */
    const void *data;
    size_t bytes;
    size_t cursor;              /* within the attributes, for those of a phase */
    enum publish_result result; /* to be answered once all is cleaned up */
    struct shortage shortage;
    struct io_owner owner;
    struct timespec times[2];
    struct statx status;
    char temporary[TEMPORARY_NAME_BYTES];
    struct opener opener;
};

/* Once, on any memory: holds nothing open. */
void publish_init(struct publisher *publisher);
/* After publish_init() or the end of the one before. */
void publish_begin(struct publisher *publisher, const struct publish_request *request);
/* First called with an empty chain; results are consumed and the chain emptied. */
enum publish_result publish_step(struct publisher *publisher, struct io_chain *chain);

/* After PUBLISH_OPEN: writes a piece at its offset, which may leave a hole before it. */
void publish_write(struct publisher *publisher, const void *data, size_t bytes, uint64_t offset);
/* After PUBLISH_OPEN, for a request without `directory`: its base has another descriptor now. The
 * caller may close the one before, if there is no temporary name (has_temporary): until then the
 * file can be written to or given up, but not ended. */
void publish_move(struct publisher *publisher, int base);
/* After PUBLISH_OPEN: that was all. */
void publish_end(struct publisher *publisher);
/* After PUBLISH_OPEN: gives the file up; the last answer will be PUBLISH_FAILED. */
void publish_abandon(struct publisher *publisher);

/* For a stage's close(): gives up what is not finished, blocking, whether or not the last chain was
 * carried out. */
void publish_discard(struct publisher *publisher);

/* The whole of it, blocking, for a request without `more`: PUBLISH_DONE, _EXISTS or _FAILED, then
 * with *fault. */
enum publish_result publish_file(const struct publish_request *request, struct tm_fault *fault);

#endif
