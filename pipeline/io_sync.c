/* The blocking engine, and what all engines share: the progress of a chain. */
#include "pipeline/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t read_at(const struct io_op *op, int fd)
{
    size_t done = 0;
    for (;;) {
        ssize_t got = syscall(SYS_pread64, fd, (uint8_t *)op->data + done, op->size - done,
                              op->offset + (off_t)done);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        done += (size_t)got;
        if (got == 0 || done >= op->minimum)
            return (int64_t)done;
    }
}

static int64_t wait_readable(int fd, int stop_fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0)
        return -errno;
    return fds[0].revents ? 0 : -ECANCELED;
}

/* A socket's address holds 108 bytes only; by its directory entry any path is short enough. */
static int64_t connect_to(const struct io_op *op)
{
    int entry = openat(op->dir, op->path, O_PATH | O_CLOEXEC);
    if (entry < 0)
        return -errno;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", entry);
    int64_t result = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (result >= 0 && connect((int)result, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close((int)result);
        errno = error;
        result = -1;
    }
    result = result < 0 ? -errno : result;
    close(entry);
    return result;
}

static int64_t execute(const struct io_op *op, int fd, int stop_fd)
{
    int64_t result;
    switch (op->code) {
    case IO_OPEN:
        result = syscall(SYS_openat, op->dir, op->path, op->flags, 0);
        break;
    case IO_CONNECT:
        return connect_to(op);
    case IO_READ:
        return read_at(op, fd);
    case IO_READ_NEXT:
        result = read(fd, op->data, op->size);
        break;
    case IO_POLL:
        return wait_readable(fd, stop_fd);
    case IO_STAT:
        result = statx(op->dir, op->path, op->flags, (unsigned)op->size, op->data);
        break;
    case IO_STAT_FD:
        result = statx(fd, "", AT_EMPTY_PATH, (unsigned)op->size, op->data);
        break;
    case IO_LIST:
        result = syscall(SYS_getdents64, fd, op->data, op->size);
        break;
    case IO_READLINK:
        result = readlinkat(op->dir, op->path, op->data, op->size);
        break;
    case IO_CLOSE:
        /* Linux frees the descriptor even when close() is interrupted: never again. */
        return syscall(SYS_close, fd) < 0 && errno != EINTR ? -errno : 0;
    case IO_PAUSE:
        nanosleep(&(struct timespec){.tv_nsec = (long)op->size}, NULL);
        return 0;
    default:
        return -ENOSYS;
    }
    return result < 0 ? -errno : result;
}

int64_t io_op_execute(const struct io_op *op, int fd, int stop_fd)
{
    int64_t result;
    do
        result = execute(op, fd, stop_fd);
    while (result == -EINTR);
    return result;
}

/* Chains. */

void io_chain_begin(struct io_chain *chain)
{
    chain->next = 0;
    chain->opened = -1;
    chain->failed = false;
    chain->attempts = 0;
    chain->done_bytes = 0;
    chain->direct = false;
}

int io_chain_fd(const struct io_chain *chain, const struct io_op *op)
{
    return op->fd == IO_FD_OF_CHAIN ? chain->opened : op->fd;
}

struct io_op *io_chain_next(struct io_chain *chain)
{
    for (; chain->next < chain->count; chain->next++) {
        struct io_op *op = &chain->op[chain->next];
        if (!chain->failed || (op->code == IO_CLOSE && io_chain_fd(chain, op) >= 0))
            return op;
        op->result = -ECANCELED;
    }
    return NULL;
}

void io_chain_result(struct io_chain *chain, int64_t result)
{
    struct io_op *op = &chain->op[chain->next++];
    op->result = result;
    chain->attempts = 0;
    chain->done_bytes = 0;
    if (result < 0 && op->code != IO_CLOSE)
        chain->failed = true;
    else if (op->code == IO_OPEN || op->code == IO_CONNECT)
        chain->opened = (int)result;
}

void io_sync_execute(struct io_chain *chain)
{
    struct io_op *op;
    io_chain_begin(chain);
    while ((op = io_chain_next(chain)))
        io_chain_result(chain, io_op_execute(op, io_chain_fd(chain, op), chain->stop_fd));
}
