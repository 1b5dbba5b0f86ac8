/* zip: the headers of a zip archive and its central directory.
 *
 * As in archive.h only headers are made here. An archive is
 *
 *     for each member:  zip_local_header(), its data, zip_descriptor() if it is streamed,
 *                       zip_directory_add()
 *     at the end:       zip_directory_end()
 *
 * and the caller counts the bytes, for the directory says where each header stands. Source of the
 * format: PKWARE's APPNOTE.TXT 6.3.10, and for the fields of Unix Info-ZIP's proginfo/extrafld.txt.
 *
 * Zip knows regular files, directories and symbolic links, whose data is their target. Of hard
 * links it knows nothing: the caller stores the data again.
 */
#ifndef TREEMILL_STAGES_ZIP_H
#define TREEMILL_STAGES_ZIP_H

#include "stages/archive.h"

enum zip_method { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

/* A member and what is known of its data. */
struct zip_entry {
    const struct archive_member *member;
    enum zip_method method;
    /* The three numbers below are not known yet when the header is written, and follow the data in
     * a descriptor. For deflated data only: who reads the archive as a stream finds the end of
     * deflated data by itself, and of stored data not at all. */
    bool streamed;
    uint32_t crc32; /* of the data before compression */
    uint64_t compressed_bytes, uncompressed_bytes;
    uint64_t offset; /* of the local header in the archive; for zip_directory_add() */
};

/* How the member is stored: a regular file deflated and streamed, which the caller may change; a
 * directory and a symbolic link complete, without data or with `target` as it is. The entry points
 * to the member. -ENOTSUP: a hard link, device, FIFO or socket; -ENAMETOOLONG; -EINVAL as in
 * tar_header(). */
int zip_entry_of(const struct archive_member *member, struct zip_entry *entry);

/* Room for a header, and for a descriptor. */
#define ZIP_HEADER_BOUND(path_bytes) (128 + (size_t)(path_bytes))
#define ZIP_DESCRIPTOR_BOUND         24

/* Bytes written, or -errno: -ENOBUFS. Any thread. */
ptrdiff_t zip_local_header(const struct archive_options *options, const struct zip_entry *entry,
                           void *output, size_t capacity);

/* Of a streamed member, whose numbers are known now. -EOVERFLOW: the member has become larger
 * than its local header can say, which was made for a file of less than about 4 GiB by its status;
 * it cannot be stored so. */
ptrdiff_t zip_descriptor(const struct zip_entry *entry, void *output, size_t capacity);

/* The central directory. Belongs to one thread. What it needs is about 100 bytes a member; beyond
 * `memory_bytes` it goes to a temporary file without a name in `directory` (NULL: $TMPDIR, or
 * /tmp). */
struct zip_directory;
#define ZIP_DIRECTORY_MEMORY (8u << 20)
int zip_directory_create(const struct archive_options *options, size_t memory_bytes,
                         const char *directory, struct zip_directory **created);
void zip_directory_destroy(struct zip_directory *directory);

/* The member's numbers are known, streamed or not. 0 or -errno, of the temporary file too. */
int zip_directory_add(struct zip_directory *directory, const struct zip_entry *entry);

/* Gives pieces of the output on; 0 or -errno, which is passed on. */
typedef int (*zip_write)(void *context, const void *data, size_t bytes);

/* Writes the directory and the records that end the archive; `offset`: where it begins, which is
 * how many bytes there are before it. Once. */
int zip_directory_end(struct zip_directory *directory, uint64_t offset, zip_write write,
                      void *context);

#endif
