#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/signals.h"

/* Readable once input_stop() was called; -1: no list is open. Made before there is any other
 * thread, and the same from then on. */
static int stop_fd = -1;

int input_open(const char *path)
{
    if (stop_fd < 0)
        stop_fd = eventfd(0, EFD_CLOEXEC);
    if (stop_fd < 0)
        return -errno;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* 0: there is something to read, if only the end. */
static int wait_for(int fd, bool wait)
{
    struct pollfd fds[3] = {{.fd = fd, .events = POLLIN},
                            {.fd = signals_cancel_fd(), .events = POLLIN},
                            {.fd = stop_fd, .events = POLLIN}};
    while (poll(fds, 3, wait ? -1 : 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (fds[0].revents)
        return 0;
    return wait ? -ECANCELED : -EAGAIN;
}

ssize_t input_read(int fd, void *buffer, size_t bytes, bool wait)
{
    for (;;) {
        int error = wait_for(fd, wait);
        if (error)
            return error;
        ssize_t got = read(fd, buffer, bytes);
        if (got >= 0)
            return got;
        /* Another reader of a shared pipe may have been faster. */
        if (errno != EINTR && (errno != EAGAIN || !wait))
            return -errno;
    }
}

void input_stop(void)
{
    if (stop_fd >= 0)
        eventfd_write(stop_fd, 1);
}
