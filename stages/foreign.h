/* foreign: what libarchive reads for us: archives of other kinds than tar (zip where unzip.h does
 * not do it, 7z, cpio, ISO 9660, ar, xar, cab, rar, lha, warc; tar too), and filters other than
 * gzip and zstd (bzip2, xz, lzma, lzip, lz4, compress, uu, rpm; lzop if the library has it built
 * in). Not mtree, which is a list of files and no archive.
 *
 * libarchive parses hostile input in C: it is called from a worker that may be a process, and from
 * nowhere else but foreign_detect(). No filter that runs another program is ever enabled. Of one
 * thread each.
 *
 * Names are the archive's bytes, whatever the locale; where the archive has them in UTF-16 or says
 * that they are UTF-8, they are UTF-8, in Unicode's form C. One that is not valid then is lost, and
 * the member is called "unnamed-" and its number.
 */
#ifndef TREEMILL_STAGES_FOREIGN_H
#define TREEMILL_STAGES_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stages/member.h"

/* As the size of a regular file: the archive does not say beforehand. */
#define FOREIGN_SIZE_UNKNOWN UINT64_MAX

/* Filters one behind another: more is not an archive but an attack. */
#define FOREIGN_FILTERS_MAX 4

struct foreign;

/* Opens what the descriptor has, from where it is on: as an archive; or only as the stream of bytes
 * that is behind filters (`filters_only`). The descriptor stays the caller's, and must not be used
 * meanwhile. It need not be seekable, but 7z is only read then, and a zip from a pipe lacks what
 * its central directory alone says: modes, and which files are symbolic links. 0 or -errno:
 * -EINVAL: no known format, or no filter; -E2BIG: too many filters; others as of foreign_read(). */
int foreign_open(int fd, bool filters_only, struct foreign **foreign);
/* The same where the first bytes have been read already, to see what they are: they must stay until
 * foreign_close(). What needs to seek cannot be read then. */
int foreign_open_behind(const void *start, size_t start_bytes, int fd, bool filters_only,
                        struct foreign **foreign);
/* NULL is allowed. */
void foreign_close(struct foreign *foreign);

/* Archives. The next member: 1; 0: no more; or an error as of foreign_read(): it may concern one
 * member only; if not, the next call says the same again. Of a file's several names in cpio the one
 * with the data comes first, the others are hard links to it; a hard link has no data. */
int foreign_next(struct foreign *foreign, const struct member **member);
/* Of the member: whether its data has holes that come as such: pieces of foreign_read() then leave
 * out parts of the file. */
bool foreign_is_sparse(const struct foreign *foreign);
/* The next bytes of the member's data, at most `capacity`: how many, and for which offset of the
 * file (always the next one unless it is sparse); 0: no more. Streams: likewise.
 * -EBADMSG: corrupt; -ENODATA: cut short; -ENOTSUP: a method or encryption that is not known;
 * -ENOMEM; -errno of reading. */
ptrdiff_t foreign_read(struct foreign *foreign, void *data, size_t capacity, uint64_t *offset);
/* What the library says was wrong, in its words, one line, printable. After foreign_next() has
 * returned 1: what it found odd about the member, or "". Good until the next call. */
const char *foreign_error(const struct foreign *foreign);
/* "ISO9660, gzip": format and filters, once the first member is there. */
const char *foreign_format(struct foreign *foreign, char *text, size_t capacity);
/* Bytes of the file that have been read so far. */
uint64_t foreign_position(const struct foreign *foreign);

/* What begins a file, without decompressing more than its first blocks. The descriptor must be able
 * to seek, and is read with pread(2) only, from where it is on. What cannot be read is
 * FOREIGN_NONE, and so is a file of no bytes: an archive that was cut down to nothing must not pass
 * for one without members. */
enum foreign_kind {
    FOREIGN_TAR,            /* plain; zeros alone, some MiB at most, are one without members */
    FOREIGN_COMPRESSED_TAR, /* behind filters that are ours: gzip, zstd */
    FOREIGN_FILTERED_TAR,   /* behind others of libarchive's */
    FOREIGN_ZIP,
    FOREIGN_OTHER, /* libarchive knows it */
    FOREIGN_FILE,  /* gzip or zstd, and what is in it is no archive */
    FOREIGN_NONE
};
enum foreign_kind foreign_detect(int fd);
/* The same of what cannot seek, from its first bytes: so many, in which each filter has got a whole
 * block (bzip2's are the largest), or all, if there are not more. */
#define FOREIGN_START_BYTES ((size_t)1024 * 1024)
enum foreign_kind foreign_detect_start(const void *start, size_t bytes, bool has_more);

/* The same, of a descriptor that can be read only once: it is read on until that tells, or says
 * that it is none of these after some MiB. What has been read, allocated, is in *start, where
 * something may be already that was read before, else NULL. 0, -ENOMEM or an errno of reading. */
int foreign_detect_stream(int fd, uint8_t **start, size_t *start_bytes, enum foreign_kind *kind);

/* Loads what opening and reading would load from other files, for a process that is about to lose
 * the right to open any (confine.h). What cannot be loaded is not missed before it is needed. Any
 * thread. */
void foreign_prepare(void);

#endif
