/* Writing in a thread that may block, and what the epoll engine shares with it.
 *
 * To a file each call ends by itself. A pipe, a socket or a terminal takes what there is room for,
 * and has more room only when somebody reads: each call is one that does not wait, between them the
 * descriptor is waited for, together with the end of the job. It may be shared with other programs,
 * so it is not made nonblocking; RWF_NOWAIT asks for the same one call at a time. Where the kernel
 * does not know it for a kind of file (FIFOs, terminals), PIPE_BUF bytes surely fit into what has
 * been found ready.
 *
 * Sources: pwritev2(2), pipe(7).
 */
#include "pipeline/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pipeline/io_inject.h"

bool io_write_waits(const struct io_op *op, int fd)
{
    struct statx status;
    if (op->offset != IO_AT_POSITION ||
        statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
        return false;
    return S_ISFIFO(status.stx_mode) || S_ISSOCK(status.stx_mode) || S_ISCHR(status.stx_mode);
}

static ssize_t write_without_waiting(int fd, void *data, size_t bytes, bool ready)
{
    struct iovec rest = {data, bytes};
    ssize_t wrote = pwritev2(fd, &rest, 1, -1, RWF_NOWAIT);
    if (wrote >= 0 || errno != EOPNOTSUPP)
        return wrote;
    errno = EAGAIN;
    return ready ? write(fd, data, bytes < PIPE_BUF ? bytes : PIPE_BUF) : -1;
}

int64_t io_write_some(const struct io_op *op, int fd, size_t done, bool ready)
{
    uint8_t *data = (uint8_t *)op->data + done;
    size_t bytes = op->size - done;
    int injected = io_inject_write(&bytes);
    if (injected)
        return injected == -ECANCELED ? -EINTR : injected; /* only a ring says that */
    ssize_t wrote;
    if (op->offset != IO_AT_POSITION)
        wrote = pwrite(fd, data, bytes, op->offset + (off_t)done);
    else if (!io_write_waits(op, fd))
        wrote = write(fd, data, bytes);
    else
        wrote = write_without_waiting(fd, data, bytes, ready);
    if (wrote < 0)
        return -errno;
    return wrote || !bytes ? wrote : -EIO; /* a device that takes nothing and says no error */
}

int64_t io_write_all(const struct io_op *op, int fd, int stop_fd)
{
    size_t done = 0;
    bool ready = false;
    while (done < op->size) {
        int64_t result = io_write_some(op, fd, done, ready);
        ready = false;
        if (result == -EAGAIN) {
            result = io_wait_for(fd, POLLOUT, stop_fd);
            ready = result == 0;
        }
        if (result < 0 && result != -EINTR)
            return result;
        if (result > 0)
            done += (size_t)result;
    }
    return (int64_t)done;
}
