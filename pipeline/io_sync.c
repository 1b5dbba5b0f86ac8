/* The blocking engine, and what all engines share: the progress of a chain. */
#include "pipeline/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
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

int64_t io_wait_for(int fd, short events, int stop_fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = stop_fd, .events = POLLIN}};
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

/* AT_EMPTY_PATH needs a capability before Linux 6.10, and says ENOENT without it; the way by /proc
 * needs /proc, and takes longer. */
static int link_descriptor(const struct io_op *op, int fd)
{
    /* Any thread may set it; only which way is tried first depends on it. */
    static _Atomic bool goes_by_proc;
    bool by_proc = atomic_load_explicit(&goes_by_proc, memory_order_relaxed);
    if (!by_proc && linkat(fd, "", op->to_dir, op->to_path, AT_EMPTY_PATH) == 0)
        return 0;
    if (!by_proc && errno != ENOENT)
        return -1;
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, op->to_dir, op->to_path, AT_SYMLINK_FOLLOW) == 0) {
        atomic_store_explicit(&goes_by_proc, true, memory_order_relaxed);
        return 0;
    }
    if (errno != ENOENT || !by_proc)
        return -1;
    return linkat(fd, "", op->to_dir, op->to_path, AT_EMPTY_PATH);
}

/* What changes names and attributes: none of it waits for anybody but the device. */
static int64_t change(const struct io_op *op, int fd)
{
    const struct io_owner *owner = op->data;
    switch (op->code) {
    case IO_FSYNC:
        return fsync(fd);
    case IO_MKDIR:
        return mkdirat(op->dir, op->path, op->mode);
    case IO_UNLINK:
        return unlinkat(op->dir, op->path, op->flags);
    case IO_LINK:
        return linkat(op->dir, op->path, op->to_dir, op->to_path, op->flags);
    case IO_LINK_FD:
        return link_descriptor(op, fd);
    case IO_RENAME:
        return renameat2(op->dir, op->path, op->to_dir, op->to_path, (unsigned)op->flags);
    case IO_SET_SIZE:
        return ftruncate(fd, op->offset);
    case IO_SET_MODE:
        return fchmod(fd, op->mode);
    case IO_SET_OWNER:
        return fchown(fd, owner->uid, owner->gid);
    case IO_SET_TIMES:
        return futimens(fd, op->data);
    case IO_SET_XATTR:
        return fsetxattr(fd, op->path, op->data, op->size, 0);
    case IO_LOCK:
        return flock(fd, op->flags);
    default:
        errno = ENOSYS;
        return -1;
    }
}

static int64_t execute(const struct io_op *op, int fd, int stop_fd)
{
    int64_t result;
    switch (op->code) {
    case IO_OPEN:
        result = openat(op->dir, op->path, op->flags, op->mode);
        break;
    case IO_WRITE:
        return io_write_all(op, fd, stop_fd);
    case IO_READLINK:
        result = readlinkat(op->dir, op->path, op->data, op->size);
        break;
    case IO_CONNECT:
        return connect_to(op);
    case IO_READ:
        return read_at(op, fd);
    case IO_READ_NEXT:
        result = read(fd, op->data, op->size);
        break;
    case IO_POLL:
        return io_wait_for(fd, POLLIN, stop_fd);
    case IO_STAT:
        result = statx(op->dir, op->path, op->flags, (unsigned)op->size, op->data);
        break;
    case IO_STAT_FD:
        result = statx(fd, "", AT_EMPTY_PATH, (unsigned)op->size, op->data);
        break;
    case IO_LIST:
        result = syscall(SYS_getdents64, fd, op->data, op->size);
        break;
    case IO_CLOSE:
        /* Linux frees the descriptor even when close() is interrupted: never again. */
        return close(fd) < 0 && errno != EINTR ? -errno : 0;
    case IO_PAUSE:
        nanosleep(&(struct timespec){.tv_nsec = (long)op->size}, NULL);
        return 0;
    default:
        result = change(op, fd);
        break;
    }
    return result < 0 ? -errno : result;
}

int64_t io_op_execute(const struct io_op *op, int fd, int stop_fd)
{
    int64_t result;
    do
        result = execute(op, fd, stop_fd);
    while (result == -EINTR && op->code != IO_FSYNC);
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
    chain->polled = false;
    chain->injected = 0;
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
    chain->polled = false;
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
