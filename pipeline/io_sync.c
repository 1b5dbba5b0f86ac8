#include "pipeline/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t read_at(const struct io_op *op, int fd)
{
    size_t done = 0;
    for (;;) {
        ssize_t got =
            syscall(SYS_pread64, fd, (uint8_t *)op->data + done, op->size - done, op->offset + (off_t)done);
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

static int64_t execute(const struct io_op *op, int fd)
{
    int64_t result;
    do {
        switch (op->code) {
        case IO_OPEN:
            result = syscall(SYS_openat, op->dir, op->path, op->flags, 0);
            break;
        case IO_READ:
            return read_at(op, fd);
        case IO_READ_NEXT:
            result = read(fd, op->data, op->size);
            break;
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
            return syscall(SYS_close, fd) < 0 && errno != EINTR ? -errno : 0;
        case IO_PAUSE:
            nanosleep(&(struct timespec){.tv_nsec = (long)op->size}, NULL);
            return 0;
        default:
            return -ENOSYS;
        }
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

void io_sync_execute(struct io_chain *chain)
{
    int opened = -1;
    int failed = 0;
    for (unsigned i = 0; i < chain->count; i++) {
        struct io_op *op = &chain->op[i];
        int fd = op->fd == IO_FD_OF_CHAIN ? opened : op->fd;
        if (failed && !(op->code == IO_CLOSE && fd >= 0)) {
            op->result = -ECANCELED;
            continue;
        }
        op->result = execute(op, fd);
        if (op->result < 0 && op->code != IO_CLOSE)
            failed = 1;
        else if (op->code == IO_OPEN)
            opened = (int)op->result;
    }
}
