/* io: operation descriptors. A stage that does I/O never calls the kernel itself: its step()
 * describes the next operations as a chain and is called again with their results. The engine of
 * the worker's model carries them out: io_sync_execute() at once, an event loop when it can.
 */
#ifndef TREEMILL_PIPELINE_IO_H
#define TREEMILL_PIPELINE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct statx;

enum io_code {
    IO_OPEN,      /* openat(dir, path, flags): result is a descriptor */
    IO_READ,      /* pread(fd, data, size, offset), repeated until `minimum` bytes or end of file */
    IO_READ_NEXT, /* read(fd, data, size): pipes and other streams; may be short */
    IO_STAT,      /* statx(dir, path, flags, mask = size) into data */
    IO_STAT_FD,   /* statx of fd itself, mask = size, into data */
    IO_LIST,      /* getdents64(fd, data, size) */
    IO_CLOSE,     /* close(fd) */
    IO_PAUSE      /* let `size` nanoseconds pass: for a resource that others give back */
};

/* As `fd`: the descriptor that this chain's IO_OPEN has made. */
#define IO_FD_OF_CHAIN (-2)

struct io_op {
    enum io_code code;
    int fd;           /* or IO_FD_OF_CHAIN */
    int dir;          /* for OPEN and STAT: base directory or AT_FDCWD */
    int flags;        /* O_* for OPEN, AT_* for STAT */
    const char *path; /* stays valid until the result is there */
    void *data;       /* buffer or struct statx */
    size_t size;      /* bytes, or statx mask */
    size_t minimum;   /* for READ: short of this, it is tried again */
    off_t offset;
    int64_t result; /* >= 0, or -errno; -ECANCELED: an operation before it in the chain failed */
};

#define IO_CHAIN_MAX 6

/* Carried out in order; when one fails, those after it are cancelled, except a CLOSE, which is
 * done unless the IO_OPEN that it belongs to failed. A failed CLOSE cancels nothing. */
struct io_chain {
    unsigned count;
    struct io_op op[IO_CHAIN_MAX];
};

static inline struct io_op *io_add(struct io_chain *chain, struct io_op op)
{
    chain->op[chain->count] = op;
    return &chain->op[chain->count++];
}

/* Carries out the chain in the calling thread; EINTR is retried. Any thread or process. */
void io_sync_execute(struct io_chain *chain);

#endif
