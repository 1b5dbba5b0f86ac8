#include "stages/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "stages/opener.h"
#include "stages/shortage.h"

/* Below this a map costs more than the zeros. */
#define SPARSE_BYTES_MIN 65536

bool extents_are_likely(const struct file_stat *stat)
{
    return stat->size_bytes >= SPARSE_BYTES_MIN && stat->blocks < stat->size_bytes / 512;
}

/* Joins ranges with less than `gap` bytes between them. */
static size_t join(struct archive_extent *extents, size_t count, uint64_t gap)
{
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        uint64_t end = extents[kept].offset + extents[kept].bytes;
        if (extents[i].offset - end < gap)
            extents[kept].bytes = extents[i].offset + extents[i].bytes - extents[kept].offset;
        else
            extents[++kept] = extents[i];
    }
    return count ? kept + 1 : 0;
}

/* 0, or -errno: SEEK_DATA is not known there, or the file is shorter by now. */
static int collect(int fd, uint64_t size_bytes, struct archive_extent *extents, size_t *count)
{
    uint64_t gap = 1;
    off_t at = 0;
    *count = 0;
    while ((uint64_t)at < size_bytes) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) /* a hole to the end */
            return 0;
        off_t hole = data < 0 ? data : lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        while (*count == EXTENTS_MAX)
            *count = join(extents, *count, gap *= 2);
        extents[(*count)++] = (struct archive_extent){(uint64_t)data, (uint64_t)(hole - data)};
        at = hole;
    }
    return 0;
}

int extents_find(const char *path, size_t path_bytes, const struct file_stat *stat,
                 struct archive_extent **out, size_t *count)
{
    int fd = -EMFILE;
    /* Without the map the archive would be another one: what can be waited for is. */
    for (int tries = 0; tries < 10 && opener_is_descriptor_shortage(fd); tries++)
        fd = shortage_open(path, path_bytes, OPENER_FILE_FLAGS | O_NOFOLLOW);
    if (fd < 0)
        return 0; /* reading it will tell why */
    struct archive_extent *extents = malloc(EXTENTS_MAX * sizeof *extents);
    int error = extents ? collect(fd, stat->size_bytes, extents, count) : -ENOMEM;
    close(fd);
    if (!error)
        *count = archive_extents_align(extents, *count, stat->size_bytes);
    bool is_whole = !error && *count == 1 && extents->bytes == stat->size_bytes;
    if (error || is_whole) {
        free(extents);
        return error == -ENOMEM ? error : 0;
    }
    *out = extents;
    return 1;
}
