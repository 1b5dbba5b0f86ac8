/* batch: what lies in the slabs of an item on the data lane.
 *
 * Input slab:   struct batch, records | text (paths, attachments) | data of the files
 *               ◀───────────────── meta bytes ─────────────────▶ ◀─ block size ─▶
 * Output slab:  the digests of file 0, of file 1, ...; then what the job makes of the files
 *
 * A bundle is many small files with their data one after another. A chunk is one block of a large
 * file: a batch of one file whose item belongs to a stream. Which files share a bundle and where a
 * chunk begins depends on the sorted tree and the block size only.
 *
 * The scan fills in everything but the data and `state`; read fills those; hash the digests;
 * write replaces the data by the rendered text. Each is the item's owner while it does so.
 */
#ifndef TREEMILL_STAGES_BATCH_H
#define TREEMILL_STAGES_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/fault.h"
#include "pipeline/graph.h"

/* How large batches are: the same for all of a job. */
struct batch_shape {
    size_t block_bytes;  /* data of a bundle, at most; of a chunk; files from here on are chunks */
    uint32_t files_max;  /* at most BATCH_FILES_MAX */
    uint32_t meta_bytes; /* see batch_meta_bytes() */
    /* What each file takes of the block besides its data: an archive's header and padding. */
    uint32_t overhead_bytes;
};

/* Handing an item over costs about 0.2 us a hop and sometimes the waking of a thread, opening and
 * reading a small file 2 us: with 128 files an item took 4 % less CPU time than with 64 on 200,000
 * files of 0 to 4 KB. Compression gains by larger blocks. */
#define BATCH_FILES_DEFAULT 128
#define BATCH_FILES_MAX     1024

/* Files begin on cache lines. */
#define BATCH_DATA_ALIGNMENT 64

/* What the scan knows of a file, enough to tell later whether it has changed. */
struct file_stat {
    uint64_t size_bytes;
    int64_t mtime_seconds;
    int64_t ctime_seconds;
    uint32_t mtime_ns;
    uint32_t ctime_ns;
    uint64_t inode;
    uint64_t device;
    uint64_t rdev; /* of a device: which, as makedev() puts it */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint64_t blocks; /* of 512 bytes that it takes */
    uint32_t links;  /* how many names it has */
};

enum file_state {
    FILE_PENDING, /* not read yet */
    FILE_READ,    /* its data is in the slab */
    FILE_HASHED,  /* its digests are in the output slab; its data may be overwritten */
    /* The slab does not hold the file as it is now: it differs from what the scan saw, its length
     * is not known beforehand (/proc, standard input), or a chunk's worker died. Whoever needs the
     * bytes reads the file from its start. */
    FILE_STREAM
};

enum file_flags {
    FILE_NO_FOLLOW = 1,      /* a symbolic link there now is an error */
    FILE_SAME_DIRECTORY = 2, /* the file before it in the batch has the same directory */
    FILE_STANDARD_INPUT = 4,
    FILE_CHANGED = 8,  /* changed while it was read; the digest is of some mixture */
    FILE_SKIPPED = 16, /* not a failure: a kind of file that is not read */
    FILE_MATCHES = 32, /* verify: all expected digests were found */
    /* Nothing to hash: a note about a path, with a fault to report; or, without one, an entry that
     * is no file, of which only a symbolic link's target is read. */
    FILE_NOT_FILE = 64,
    FILE_SPECIAL = 128,   /* FIFO, socket or device, to be read to its end all the same */
    FILE_CONSUMED = 256,  /* bytes have been read that cannot be read again */
    FILE_HARD_LINK = 512, /* another name of the file whose path is the attachment */
    FILE_SPARSE = 1024,   /* its chunks are those of its extents; what is between them is zeros */
    FILE_TRAILING = 4096, /* something behind the compressed data was ignored */
    FILE_NO_ATTRIBUTES = 2048, /* its extended attributes could not be kept */
    /* Of members of archives: see member.h. */
    FILE_PIECE = 8192,
    FILE_PIECE_LAST = 16384,
    FILE_LATER = 32768
};

/* What can be read only once, and has no length that is known beforehand. */
#define FILE_READ_ONCE (FILE_STANDARD_INPUT | FILE_SPECIAL)

/* Which file an attempt has made, so that the one after the death of its worker can tell whether
 * that file has got its name already: then it is done, and not in the way of itself. In the item,
 * zeroed by its source; written by the owner before the name is given. */
struct publish_trace {
    uint64_t device, inode; /* inode 0: no attempt has come so far */
    int64_t born_ns;        /* numbers of inodes are used again, and soon; 0: not known here */
};

struct file_record {
    struct file_stat stat;
    uint64_t serial; /* number of the file within the job: tells one stream from the next */
    uint64_t offset; /* of a chunk within its file */
    uint32_t path;   /* offset in the slab; NUL-terminated */
    uint32_t path_bytes;
    uint32_t name;       /* offset of the last component within the path */
    uint32_t attachment; /* offset in the slab: bytes that the source gives to the sink */
    uint32_t attachment_bytes;
    uint32_t algorithms; /* set of digests to compute */
    uint32_t data;       /* offset in the slab */
    uint32_t data_bytes; /* room for the file or chunk; once read, the bytes there */
    uint8_t state;       /* enum file_state */
    uint16_t flags;      /* enum file_flags */
    /* Of a member: 1 + how much of its path was there before directories on the way have been made;
     * 0: none has. */
    uint32_t made_from;
    struct tm_fault fault;
    struct publish_trace trace; /* of its output, if it gets one of its own */
};

struct batch {
    uint32_t file_count;
    uint32_t meta_bytes;   /* used, from the slab's start */
    uint32_t data_start;   /* offset of the data in the slab */
    uint32_t data_bytes;   /* used, from there */
    uint32_t packed_bytes; /* the same with the files' overhead */
    /* Set by write: bytes of text where the data was, or BATCH_NOT_RENDERED. */
    uint32_t rendered_bytes;
    struct file_record file[];
};

#define BATCH_NOT_RENDERED UINT32_MAX

/* Longest path that fits, with room for its attachment. */
#define BATCH_PATH_MAX 40000

/* Room for so many records and for their text: at least one of the longest path with the longest
 * attachment, and for many a path of usual length each. */
static inline uint32_t batch_meta_bytes(uint32_t files_max)
{
    size_t text = files_max * (size_t)112 > 49152 ? files_max * (size_t)112 : 49152;
    return (
        uint32_t)((sizeof(struct batch) + files_max * sizeof(struct file_record) + text + 4095) /
                  4096 * 4096);
}

static inline struct batch_shape batch_shape_of(size_t block_bytes, uint32_t files_max,
                                                uint32_t overhead_bytes)
{
    return (struct batch_shape){block_bytes, files_max, batch_meta_bytes(files_max),
                                overhead_bytes};
}

static inline struct batch *batch_of(const struct item_view *view)
{
    return (struct batch *)view->input;
}

static inline char *batch_path(const struct item_view *view, const struct file_record *file)
{
    return (char *)view->input + file->path;
}

/* Input slab: room for the end-of-file probe of one byte more than the block. */
static inline size_t batch_input_bytes(const struct batch_shape *shape)
{
    return shape->meta_bytes + shape->block_bytes + BATCH_DATA_ALIGNMENT;
}

static inline bool batch_is_chunk(const struct item_view *view)
{
    return view->item->stream != 0;
}

/* Bundles: empties the batch; adds a file, NULL when it does not fit any more (then the batch is
 * to be submitted and the file added to an empty one, where every file fits whose path is at most
 * BATCH_PATH_MAX and whose size is at most block_bytes). The new record's remaining fields are
 * zero. The source only. */
void batch_clear(const struct item_view *view, const struct batch_shape *shape);
struct file_record *batch_add(const struct item_view *view, const struct batch_shape *shape,
                              const char *directory, size_t directory_bytes, const char *name,
                              size_t name_bytes, const void *attachment, size_t attachment_bytes,
                              size_t data_bytes);

/* blame() of the stages that work on batches: marks the file at the cursor. */
bool batch_blame(void *job, const struct item_view *view, struct tm_fault fault);

struct statx;
void file_stat_from(struct file_stat *stat, const struct statx *status);
/* The fields that file_stat_from() needs, as a statx mask. */
extern const unsigned file_stat_mask;
/* Whether size, modification and change time are still the same. */
bool file_stat_same(const struct file_stat *a, const struct file_stat *b);

#endif
