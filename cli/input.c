#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"

int input_open(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* 0: there is something to read, if only the end. */
static int wait_for(int fd, bool wait)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = signals_cancel_fd(), .events = POLLIN}};
    while (poll(fds, 2, wait ? -1 : 0) < 0)
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
