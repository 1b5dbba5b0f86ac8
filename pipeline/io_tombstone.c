#include "pipeline/io_tombstone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "pipeline/sync.h"

static struct flock lock_of(short type, uint16_t number)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
}

int tombstone_open(const struct tm_arena *arena, uint16_t number)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", arena->memory_fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct flock lock = lock_of(F_WRLCK, number);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void tombstone_wait(const struct tm_arena *arena, uint16_t number)
{
    struct flock lock = lock_of(F_WRLCK, number);
    int result;
    do
        result = fcntl(arena->memory_fd, F_OFD_SETLKW, &lock);
    while (result < 0 && errno == EINTR);
    ALWAYS(result == 0);
    lock.l_type = F_UNLCK;
    ALWAYS(fcntl(arena->memory_fd, F_OFD_SETLK, &lock) == 0);
}
