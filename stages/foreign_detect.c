/* What begins a file.
 *
 * What is ours to read is told from its first bytes, gzip and zstd decompressed by decode.h. All
 * else is for libarchive to say, which has the whole file for it where that can seek.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/decode.h"
#include "stages/foreign_private.h"
#include "stages/untar.h"

#define TAR_BLOCK 512
/* An archive without members: its two blocks at least, zeros to the end of its last record at most,
 * and that is 1 MiB with GNU tar's largest. What begins with zeros may be all else, too: an image
 * of ISO 9660 after 32 KiB of them, any file of which a crash has left only the length. */
#define EMPTY_TAR     (2 * TAR_BLOCK)
#define EMPTY_TAR_MAX ((size_t)4 << 20)
/* What is read at once. */
#define PIECE_BYTES ((size_t)64 * 1024)
/* What is looked at of a compressed file for the first bytes of its content: frames may be empty or
 * be skipped. */
#define COMPRESSED_MAX ((uint64_t)1024 * 1024)
/* Where zip's end-of-central-directory record may begin: itself and its longest comment. */
#define ZIP_END_BYTES ((size_t)22 + 65535)

/* Either a descriptor with what it has from `base` on, or its first bytes alone. */
struct view {
    int fd; /* -1: only the first bytes are there */
    off_t base;
    uint8_t *start;
    size_t start_bytes;
    bool has_more; /* of which `start` is not all */
};

/* tar. */

static bool is_zero(const uint8_t *bytes, size_t count)
{
    return !count || (!bytes[0] && !memcmp(bytes, bytes + 1, count - 1));
}

/* The first bytes of what may be a tar, as many as are there. */
typedef size_t content_start(const struct view *view, uint8_t *content, size_t capacity);

static bool begins_tar(const struct view *view, content_start *read)
{
    uint8_t first[EMPTY_TAR];
    size_t bytes = read(view, first, sizeof first);
    if (bytes < sizeof first || !is_zero(first, bytes))
        return untar_detect(first, bytes);
    uint8_t *all = view->has_more ? NULL : malloc(EMPTY_TAR_MAX + 1);
    bytes = all ? read(view, all, EMPTY_TAR_MAX + 1) : 0;
    bool is_empty = bytes && bytes <= EMPTY_TAR_MAX && is_zero(all, bytes);
    free(all);
    return is_empty;
}

/* Reading. */

static ssize_t read_at(const struct view *view, uint64_t offset, void *data, size_t capacity)
{
    size_t done = 0;
    if (view->fd < 0) {
        size_t from = offset < view->start_bytes ? (size_t)offset : view->start_bytes;
        done = view->start_bytes - from < capacity ? view->start_bytes - from : capacity;
        memcpy(data, view->start + from, done);
        return (ssize_t)done;
    }
    while (done < capacity) {
        ssize_t bytes = pread(view->fd, (char *)data + done, capacity - done,
                              view->base + (off_t)(offset + done));
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return -errno;
        if (!bytes)
            break;
        done += (size_t)bytes;
    }
    return (ssize_t)done;
}

static size_t read_plain(const struct view *view, uint8_t *content, size_t capacity)
{
    ssize_t bytes = read_at(view, 0, content, capacity);
    return bytes < 0 ? 0 : (size_t)bytes;
}

/* Of what is compressed; fewer if it is corrupt. */
static size_t decompress(const struct view *view, enum codec_format format, uint8_t *content,
                         size_t capacity)
{
    struct decode_stream *stream;
    uint8_t *input = malloc(PIECE_BYTES);
    struct decode_step step = {.output = content, .output_bytes = capacity};
    if (!input)
        return 0;
    if (decode_stream_create(format, &stream) != 0) {
        free(input);
        return 0;
    }
    for (uint64_t offset = 0; step.output_bytes && offset < COMPRESSED_MAX;) {
        ssize_t bytes = read_at(view, offset, input, PIECE_BYTES);
        if (bytes <= 0)
            break;
        offset += (uint64_t)bytes;
        step.input = input;
        step.input_bytes = (size_t)bytes;
        if (decode_stream_run(stream, &step) != 0)
            break;
    }
    decode_stream_destroy(stream);
    free(input);
    return capacity - step.output_bytes;
}

static size_t read_gzip(const struct view *view, uint8_t *content, size_t capacity)
{
    return decompress(view, CODEC_GZIP, content, capacity);
}

static size_t read_zstd(const struct view *view, uint8_t *content, size_t capacity)
{
    return decompress(view, CODEC_ZSTD, content, capacity);
}

/* What libarchive says. */

static int open_view(const struct view *view, enum foreign_mode mode, struct foreign **foreign)
{
    if (view->fd >= 0)
        return foreign_open_as(NULL, 0, view->fd, mode, foreign);
    return foreign_open_as(view->start, view->start_bytes, -1, mode, foreign);
}

/* Of what is behind filters. */
static size_t read_filtered(const struct view *view, uint8_t *content, size_t capacity)
{
    struct foreign *foreign;
    uint64_t offset;
    size_t bytes = 0;
    if (open_view(view, FOREIGN_STREAM, &foreign) != 0)
        return 0;
    while (bytes < capacity) {
        ptrdiff_t got = foreign_read(foreign, content + bytes, capacity - bytes, &offset);
        if (got <= 0)
            break;
        bytes += (size_t)got;
    }
    foreign_close(foreign);
    return bytes;
}

static bool has_zip_end(const struct view *view)
{
    struct stat status;
    if (view->fd < 0 || fstat(view->fd, &status) != 0 || status.st_size <= view->base)
        return false;
    uint64_t all = (uint64_t)(status.st_size - view->base);
    size_t tail_bytes = all < ZIP_END_BYTES ? (size_t)all : ZIP_END_BYTES;
    uint8_t *tail = malloc(tail_bytes);
    ssize_t bytes = tail ? read_at(view, all - tail_bytes, tail, tail_bytes) : 0;
    bool found = bytes > 0 && memmem(tail, (size_t)bytes, "PK\5\6", 4);
    free(tail);
    return found;
}

/* What libarchive has opened: whether it is a zip behind something else, such as a program that
 * extracts it. */
static bool is_zip(const struct view *view, struct foreign *foreign)
{
    const struct member *member;
    char name[64];
    return has_zip_end(view) && foreign_next(foreign, &member) >= 0 &&
           !strncmp(foreign_format(foreign, name, sizeof name), "ZIP", 3);
}

static enum foreign_kind detect_by_library(const struct view *view)
{
    struct foreign *foreign;
    if (begins_tar(view, read_filtered))
        return FOREIGN_FILTERED_TAR;
    /* What begins_tar() refuses libarchive might take, such as one block of zeros. */
    if (open_view(view, FOREIGN_ARCHIVE_NOT_TAR, &foreign) != 0)
        return FOREIGN_NONE;
    enum foreign_kind kind = is_zip(view, foreign) ? FOREIGN_ZIP : FOREIGN_OTHER;
    foreign_close(foreign);
    return kind;
}

/* gzip or zstd. */
static enum foreign_kind detect_compressed(const struct view *view, enum codec_format format)
{
    if (begins_tar(view, format == CODEC_GZIP ? read_gzip : read_zstd))
        return FOREIGN_COMPRESSED_TAR;
    enum foreign_kind kind = detect_by_library(view);
    return kind == FOREIGN_NONE ? FOREIGN_FILE : kind;
}

static enum foreign_kind detect(const struct view *view)
{
    const uint8_t *start = view->start;
    size_t bytes = view->start_bytes;
    enum codec_format format;
    if (!bytes)
        return FOREIGN_NONE;
    if (bytes >= 4 && (!memcmp(start, "PK\3\4", 4) || !memcmp(start, "PK\5\6", 4)))
        return FOREIGN_ZIP;
    if (decode_detect(start, bytes, &format))
        return detect_compressed(view, format);
    return begins_tar(view, read_plain) ? FOREIGN_TAR : detect_by_library(view);
}

enum foreign_kind foreign_detect(int fd)
{
    struct view view = {.fd = fd, .base = lseek(fd, 0, SEEK_CUR)};
    enum foreign_kind kind = FOREIGN_NONE;
    if (view.base < 0)
        return FOREIGN_NONE;
    view.start = malloc(PIECE_BYTES);
    ssize_t bytes = view.start ? read_at(&view, 0, view.start, PIECE_BYTES) : 0;
    if (bytes > 0) {
        view.start_bytes = (size_t)bytes;
        kind = detect(&view);
    }
    free(view.start);
    return kind;
}

enum foreign_kind foreign_detect_start(const void *start, size_t bytes, bool has_more)
{
    return detect(&(struct view){
        .fd = -1, .start = (uint8_t *)start, .start_bytes = bytes, .has_more = has_more});
}

/* Enough of a stream to tell what it is: mostly the first; the last holds a whole block of lz4. */
#define STREAM_START_BYTES     ((size_t)64 * 1024)
#define STREAM_START_BYTES_MAX ((size_t)8 << 20)

/* Reads on until there are so many bytes, or all. 0 or -errno. */
static int read_on(int fd, size_t bytes, uint8_t **start, size_t *start_bytes)
{
    uint8_t *larger = realloc(*start, bytes);
    if (!larger)
        return -ENOMEM;
    *start = larger;
    while (*start_bytes < bytes) {
        ssize_t got = read(fd, larger + *start_bytes, bytes - *start_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        *start_bytes += (size_t)got;
    }
    return 0;
}

int foreign_detect_stream(int fd, uint8_t **start, size_t *start_bytes, enum foreign_kind *kind)
{
    *kind = FOREIGN_NONE;
    for (size_t bytes = STREAM_START_BYTES; bytes <= STREAM_START_BYTES_MAX; bytes *= 2) {
        if (bytes <= *start_bytes)
            continue;
        int error = read_on(fd, bytes, start, start_bytes);
        if (error)
            return error;
        *kind = foreign_detect_start(*start, *start_bytes, *start_bytes == bytes);
        if ((*kind != FOREIGN_NONE && *kind != FOREIGN_FILE) || *start_bytes < bytes)
            break;
    }
    return 0;
}
