/* What libarchive reads from: pread(2) where that can be done, so that nobody's position matters,
 * else read(2). Bytes that somebody has read already, to see what they are, can come first. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/foreign_private.h"

#define BUFFER_BYTES ((size_t)256 * 1024)

/* Where what follows is an ordinary file, or a device that has an end. */
static int find_range(struct foreign_source *source)
{
    struct stat status;
    if (fstat(source->fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return 0;
    off_t base = lseek(source->fd, 0, SEEK_CUR);
    off_t end = S_ISREG(status.st_mode) ? status.st_size : lseek(source->fd, 0, SEEK_END);
    if (base < 0 || end < 0 || (S_ISBLK(status.st_mode) && lseek(source->fd, base, SEEK_SET) < 0))
        return -errno;
    source->is_seekable = true;
    source->base = source->position = (uint64_t)base;
    source->end = end > base ? (uint64_t)end : (uint64_t)base;
    return 0;
}

int foreign_source_open(struct foreign_source *source, int fd, const void *start,
                        size_t start_bytes)
{
    *source = (struct foreign_source){.fd = fd, .start = start, .start_bytes = start_bytes};
    /* With bytes in front of them the descriptor's are not where libarchive would look. */
    int error = start_bytes ? 0 : find_range(source);
    if (error)
        return error;
    source->buffer = malloc(BUFFER_BYTES);
    return source->buffer ? 0 : -ENOMEM;
}

void foreign_source_close(struct foreign_source *source)
{
    free(source->buffer);
    source->buffer = NULL;
}

/* Callbacks. */

static la_ssize_t read_some(struct archive *archive, void *context, const void **data)
{
    struct foreign_source *source = context;
    ssize_t bytes;
    *data = source->buffer;
    if (source->start_bytes) {
        bytes = (ssize_t)source->start_bytes;
        *data = source->start;
        source->start_bytes = 0;
        source->read_bytes += (uint64_t)bytes;
        return bytes;
    }
    if (source->fd < 0) {
        source->reached_end = true;
        return 0;
    }
    do {
        bytes = source->is_seekable
                    ? pread(source->fd, source->buffer, BUFFER_BYTES, (off_t)source->position)
                    : read(source->fd, source->buffer, BUFFER_BYTES);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0) {
        source->error = source->error ? source->error : -errno;
        archive_set_error(archive, errno, "reading failed");
        return ARCHIVE_FATAL;
    }
    source->position += (uint64_t)bytes;
    source->read_bytes += (uint64_t)bytes;
    if (!bytes || (source->is_seekable && source->position >= source->end))
        source->reached_end = true;
    return bytes;
}

/* Never behind the end: that there is nothing is to be seen by reading. */
static la_int64_t skip(struct archive *archive, void *context, la_int64_t bytes)
{
    (void)archive;
    struct foreign_source *source = context;
    uint64_t left = source->end > source->position ? source->end - source->position : 0;
    uint64_t skipped = (uint64_t)bytes < left ? (uint64_t)bytes : left;
    source->position += skipped;
    source->read_bytes += skipped;
    return (la_int64_t)skipped;
}

static la_int64_t seek(struct archive *archive, void *context, la_int64_t offset, int whence)
{
    (void)archive;
    struct foreign_source *source = context;
    uint64_t from = whence == SEEK_SET   ? source->base
                    : whence == SEEK_CUR ? source->position
                                         : source->end;
    int64_t target;
    if (__builtin_add_overflow((int64_t)from, offset, &target) || target < (int64_t)source->base)
        return ARCHIVE_FATAL;
    source->position = (uint64_t)target;
    return target - (int64_t)source->base;
}

void foreign_source_attach(struct foreign_source *source, struct archive *archive)
{
    archive_read_set_callback_data(archive, source);
    archive_read_set_read_callback(archive, read_some);
    if (!source->is_seekable)
        return;
    archive_read_set_skip_callback(archive, skip);
    archive_read_set_seek_callback(archive, seek);
}
