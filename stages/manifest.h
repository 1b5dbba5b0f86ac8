/* manifest: lists of files with their digests, in the formats that tools exchange.
 *
 *   gnu       sha256sum(1): HEX, two spaces, name; escaped names after a leading backslash
 *   gnu0      the same, lines end in NUL, names as they are (sha256sum --zero)
 *   bsd       sha256sum --tag, BSD md5(1): ALGORITHM (name) = HEX
 *   mtree     mtree(5) as libarchive writes and reads it: one full path a line
 *   hashdeep  hashdeep(1) 4.x: header of columns, comma-separated
 *   json      one object a line: {"path": ..., "size": ..., "mtime": ..., "sha256": ...}
 *
 * Everything here is pure: no I/O, no state but the reader's. A reader belongs to one thread.
 * What is read is hostile: any bytes give entries, malformed lines or an end, in bounded memory.
 */
#ifndef TREEMILL_STAGES_MANIFEST_H
#define TREEMILL_STAGES_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stages/digest.h"

#define MANIFEST_FORMAT_LIST(X)                                                                    \
    X(MANIFEST_GNU, "gnu")                                                                         \
    X(MANIFEST_BSD, "bsd")                                                                         \
    X(MANIFEST_GNU0, "gnu0")                                                                       \
    X(MANIFEST_MTREE, "mtree")                                                                     \
    X(MANIFEST_HASHDEEP, "hashdeep")                                                               \
    X(MANIFEST_JSON, "json")

#define MANIFEST_ENUM(identifier, name) identifier,
enum manifest_format { MANIFEST_FORMAT_LIST(MANIFEST_ENUM) MANIFEST_FORMAT_COUNT };
#undef MANIFEST_ENUM

/* Writing (manifest_write.c). */

struct manifest_entry {
    const char *path; /* any bytes but NUL */
    size_t path_bytes;
    uint64_t size_bytes;
    int64_t mtime_seconds;
    uint32_t mtime_ns;
    uint32_t mode, uid, gid;
    uint32_t algorithms;    /* set */
    const uint8_t *digests; /* of that set, placed by digest_offset() */
};

/* Whether the format can hold these algorithms; if not, `why` gets one line for the user. */
bool manifest_supports(enum manifest_format format, uint32_t algorithms, char *why,
                       size_t why_bytes);

/* The entry's lines. With several algorithms gnu, gnu0 and bsd have one line for each. Bytes
 * written (no NUL), -ENOSPC (a part may have been written), -EINVAL when the format does not
 * support the algorithms, -EILSEQ when it cannot hold the name. Any thread. */
ptrdiff_t manifest_render(enum manifest_format format, const struct manifest_entry *entry,
                          char *buffer, size_t capacity);

/* Whether a byte of a name stands as it is in mtree; else as a backslash and three octal digits. */
bool manifest_mtree_is_plain(unsigned char byte);

/* What comes before the first entry; often nothing. 1024 bytes are enough. */
ptrdiff_t manifest_header(enum manifest_format format, uint32_t algorithms, char *buffer,
                          size_t capacity);

/* Reading (manifest_read.c and others): the format is recognised line by line; see the list above,
 * and: BSD tags as openssl, rhash, b3sum --tag and BSD tools write them, BagIt manifest-ALG.txt
 * (RFC 8493), rhash's SFV lines. */

struct manifest_reader;

struct manifest_reader_options {
    /* For lines that do not name their algorithm; 0: by the manifest's name, then the length of
     * the digest where that is enough. */
    uint32_t algorithms;
    const char *name; /* of the manifest's file, or NULL; borrowed */
    /* As read(2): bytes, 0 at the end, or -errno (which manifest_next() returns); `wait` false: may
     * answer -EAGAIN. */
    ssize_t (*read)(void *context, void *buffer, size_t bytes, bool wait);
    void *context;
};

enum manifest_line_kind {
    MANIFEST_LINE_ENTRY,
    MANIFEST_LINE_UNCHECKED, /* names a file, but nothing that it could be compared with */
    MANIFEST_LINE_MALFORMED
};

#define MANIFEST_PATH_BYTES_MAX 65535

/* Valid until the next call on the reader. */
struct manifest_line {
    enum manifest_line_kind kind;
    uint64_t line_number; /* from 1 */
    const char *reason;   /* unchecked, malformed: what is wrong, without the line number */
    const char *path;     /* NUL-terminated, unescaped; not of malformed lines */
    size_t path_bytes;
    bool has_size;
    uint64_t size_bytes;
    uint32_t algorithms; /* set of the digests given; may be 0 in mtree (size only) */
    bool has_other;      /* digests of algorithms that are not ours were given, too */
    bool is_guess; /* nothing but its length told the algorithm, and others have that length */
    const char *foreign; /* unchecked: this algorithm, of which the manifest's name speaks */
    uint8_t digests[DIGEST_MAX_BYTES * DIGEST_COUNT]; /* placed by digest_offset() */
};

/* 0 or -ENOMEM. */
int manifest_reader_create(const struct manifest_reader_options *options,
                           struct manifest_reader **reader);
/* NULL is allowed. */
void manifest_reader_destroy(struct manifest_reader *reader);

/* 1: *line is filled in; 0: the end; -EAGAIN: nothing at the moment (only with `wait` false);
 * other -errno: of reading. Comments, blank lines and directories are not entries. */
int manifest_next(struct manifest_reader *reader, bool wait, struct manifest_line *line);

/* "gnu", ... */
const char *manifest_format_name(enum manifest_format format);

#endif
