/* What the parts of unzip share: the directory and its entries, and what the stage is told of each
 * record. Numbers of sections are those of APPNOTE.TXT. */
#ifndef TREEMILL_STAGES_UNZIP_PRIVATE_H
#define TREEMILL_STAGES_UNZIP_PRIVATE_H

#include <endian.h>
#include <string.h>

#include "pipeline/arena.h"
#include "stages/unzip.h"
#include "stages/zip.h"

#define UNZIP_LOCAL_BYTES 30 /* of a local header before the name */

#define UNZIP_FLAG_ENCRYPTED  0x0001
#define UNZIP_FLAG_DESCRIPTOR 0x0008

static inline uint16_t unzip_get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static inline uint32_t unzip_get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t unzip_get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

/* The directory: unzip_directory.c. */

/* An entry as the directory has it. What is pointed to is good until the next one is asked for. */
struct unzip_entry {
    uint16_t flags, method, disk;
    uint8_t host; /* that made it: the upper half of "version made by" */
    uint32_t dos_time, crc32;
    uint32_t attributes; /* external ones */
    uint64_t compressed_bytes, uncompressed_bytes;
    uint64_t offset; /* of the local header, in the file */
    const uint8_t *name, *extra;
    uint16_t name_bytes, extra_bytes;
};

struct unzip_directory {
    int fd;
    uint64_t start, bytes; /* in the file */
    uint64_t prefix;       /* bytes of the file before the archive: all offsets lack them */
    uint64_t count;        /* of entries, as the end record says it */
    bool is_zip64;         /* else the count is one of 16 bits only */
    /* The walk. */
    uint64_t at; /* of the next record, from `start` */
    uint64_t seen;
    uint64_t last_offset, last_end;    /* of the entry before */
    uint64_t taken_bytes, total_bytes; /* by entries so far; what is in them, decompressed */
    bool is_ordered;                   /* each behind the one before, so far */
    uint64_t window_start;             /* from `start` */
    size_t window_bytes;
    uint8_t *window;
};

/* Finds it by the records that end the archive. 0; -ENODATA: there is none; -EBADMSG; -ENOTSUP:
 * split over disks, or encrypted; -errno. What is found must be destroyed, and what is not too. */
int unzip_directory_open(int fd, struct unzip_directory *directory);
void unzip_directory_close(struct unzip_directory *directory);
/* Back to the first entry. */
void unzip_directory_rewind(struct unzip_directory *directory);
/* 1; 0: no more; -EBADMSG: it is wrong, or the entry shares bytes of the file with the one before
 * or with the directory; -ENODATA; -errno. */
int unzip_directory_next(struct unzip_directory *directory, struct unzip_entry *entry);

/* The extra field of this number: its bytes and how many; NULL: there is none. */
const uint8_t *unzip_extra(const uint8_t *extra, size_t extra_bytes, unsigned id, size_t *bytes);
/* The number, or what the zip64 field has instead, of which the first `*bytes` bytes from `*field`
 * on are not used up. False: it lacks it. */
bool unzip_wide(uint32_t number, const uint8_t **field, size_t *bytes, uint64_t *wide);

/* Members: unzip_member.c. */

#define UNZIP_NAME_MAX 65535

/* What is known where the archive is read; of one thread. */
struct unzip_scene {
    uint32_t uid, gid; /* the reader's own */
    /* The quarter of an hour last asked for, as the upper bits of an MS-DOS time, and its start in
     * seconds since 1970. Clocks are changed between two of them, and mktime(3) looks at the file
     * of the time zone each time. */
    bool has_quarter;
    uint32_t quarter;
    int64_t quarter_seconds;
    uint8_t name[UNZIP_NAME_MAX]; /* where a member's path may be */
};

void unzip_scene_init(struct unzip_scene *scene);
/* What an entry is, but for a symbolic link's target. */
void unzip_member_of(struct unzip_scene *scene, const struct unzip_entry *entry,
                     struct member *member);

/* Data: unzip_inflate.c. */

/* What is told of each file to those who read its data, in the output slab. */
struct unzip_record {
    uint64_t offset; /* of the local header, in the file */
    uint64_t end;    /* where its data must have ended */
    uint64_t compressed_bytes, uncompressed_bytes;
    uint64_t name_hash;
    uint32_t crc32;
    uint16_t name_bytes, method;
};

struct unzip_record unzip_record_of(const struct unzip_entry *entry);

static inline size_t unzip_table_bytes(const struct batch_shape *shape)
{
    return align_up(shape->files_max * sizeof(struct unzip_record), BATCH_DATA_ALIGNMENT);
}

/* Of the file, that an item may read. */
static inline size_t unzip_range_bytes(const struct batch_shape *shape)
{
    return shape->block_bytes + UNZIP_HEADERS_BYTES;
}

static inline struct unzip_record *unzip_record_at(const struct unzip_job *job,
                                                   const struct item_view *view, unsigned index)
{
    return (struct unzip_record *)(view->output + job->output_start) + index;
}

/* Compares the local header, of which `bytes` bytes are at hand, with what the directory says.
 * Bytes from there to the data; more than `bytes` if not all of the header is at hand, and then
 * nothing was compared; -EBADMSG. */
ptrdiff_t unzip_local_check(const struct unzip_record *record, const uint8_t *local, size_t bytes);

/* pread(2) until all is there or the file ends. Bytes, or -errno. */
ptrdiff_t unzip_read(int fd, void *data, size_t bytes, uint64_t offset);

/* Reads all of a small entry: a target of at most `capacity` bytes. Bytes; -EBADMSG, -ENODATA,
 * -ENOMEM, -errno. */
ptrdiff_t unzip_read_target(int fd, const struct unzip_record *record, char *target,
                            size_t capacity);

/* The fault of a record for such an error. */
struct tm_fault unzip_fault_of(int error);

#endif
