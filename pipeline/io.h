/* io: operation descriptors. A stage that does I/O never calls the kernel itself: its step()
 * describes the next operations as a chain and is called again with their results. The engine of
 * the worker's model carries them out: io_sync_execute() at once, the loops of io_loop.h when they
 * can.
 */
#ifndef TREEMILL_PIPELINE_IO_H
#define TREEMILL_PIPELINE_IO_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct statx;

enum io_code {
    IO_OPEN,      /* openat(dir, path, flags, mode): result is a descriptor */
    IO_CONNECT,   /* connects to the Unix stream socket (dir, path): result is a descriptor */
    IO_READ,      /* pread(fd, data, size, offset), repeated until `minimum` bytes or end of file */
    IO_READ_NEXT, /* read(fd, data, size): pipes and other streams; may be short */
    IO_POLL,      /* wait until reading from fd will not block: data, end, or error */
    IO_STAT,      /* statx(dir, path, flags, mask = size) into data */
    IO_STAT_FD,   /* statx of fd itself, mask = size, into data */
    IO_LIST,      /* getdents64(fd, data, size) */
    IO_READLINK,  /* readlinkat(dir, path, data, size): the text's length, `size` if cut */
    IO_WRITE,     /* pwrite(fd, data, size, offset), repeated until all is written; the result is
                   * `size`. Offset IO_AT_POSITION: where the descriptor is, or to a pipe, a socket,
                   * a terminal; one writer at a time. On an error a part may have been written.
                   * A pipe without a reader raises SIGPIPE, unless that is ignored. */
    IO_FSYNC,     /* fsync(fd); a failed one must not be tried again: what it lost stays lost */
    IO_MKDIR,     /* mkdirat(dir, path, mode) */
    IO_UNLINK,    /* unlinkat(dir, path, flags) */
    IO_LINK,      /* linkat(dir, path, to_dir, to_path, flags) */
    IO_LINK_FD,   /* gives the open file fd, which may have no name, the name (to_dir, to_path) */
    IO_RENAME,    /* renameat2(dir, path, to_dir, to_path, flags) */
    IO_SET_SIZE,  /* ftruncate(fd, offset) */
    IO_SET_MODE,  /* fchmod(fd, mode) */
    IO_SET_OWNER, /* fchown(fd, *(struct io_owner *)data) */
    IO_SET_TIMES, /* futimens(fd, data) */
    IO_SET_XATTR, /* fsetxattr(fd, path, data, size) */
    IO_LOCK,      /* flock(fd, flags); with LOCK_NB */
    IO_CLOSE,     /* close(fd) */
    IO_PAUSE      /* let `size` nanoseconds pass: for a resource that others give back */
};

#define IO_AT_POSITION (-1)

struct io_owner {
    uid_t uid;
    gid_t gid;
};

/* As `fd`: the descriptor that this chain's IO_OPEN or IO_CONNECT has made. A chain that also
 * closes it may never see it: loops then use one that is not in the process's table. */
#define IO_FD_OF_CHAIN (-2)

struct io_op {
    enum io_code code;
    int fd;           /* or IO_FD_OF_CHAIN */
    int dir;          /* for those with a path: base directory or AT_FDCWD */
    int flags;        /* O_* for OPEN, AT_* for STAT, UNLINK and LINK, RENAME_* for RENAME */
    const char *path; /* stays valid until the result is there */
    int to_dir;       /* for LINK, LINK_FD and RENAME, like dir */
    const char *to_path;
    uint32_t mode;  /* permission bits */
    void *data;     /* buffer or struct statx; an IO_WRITE only reads it */
    size_t size;    /* bytes, or statx mask */
    size_t minimum; /* for READ: short of this, it is tried again */
    off_t offset;
    int64_t result; /* >= 0, or -errno; -ECANCELED: an operation before it in the chain failed */
};

#define IO_CHAIN_MAX 8

/* Carried out in order; when one fails, those after it are cancelled, except a CLOSE, which is
 * done unless the IO_OPEN that it belongs to failed. A failed CLOSE cancels nothing.
 *
 * The stage fills in count and op; the worker number, strand and stop_fd; the rest is the
 * engine's. One thread at a time has a chain. */
struct io_chain {
    unsigned count;
    struct io_op op[IO_CHAIN_MAX];
    unsigned strand; /* which of the chains of its item this is, see struct stage_ops */
    unsigned number; /* which of the worker's chains this is */
    int stop_fd;     /* becomes readable when the job is over: ends an IO_POLL; -1: none */
    unsigned next;   /* the first operation without a result */
    int opened;      /* what IO_FD_OF_CHAIN stands for; -1: nothing */
    bool failed;
    unsigned attempts;     /* of the operation in work */
    size_t done_bytes;     /* by an IO_READ or IO_WRITE that came short */
    bool polled;           /* the descriptor of the IO_WRITE in work was, or is, waited for */
    int injected;          /* what the IO_WRITE in work shall fail with: tests only */
    bool direct;           /* its descriptor is the loop's own */
    unsigned awaited;      /* answers of the kernel */
    struct io_chain *link; /* in a list of the engine */
    uint64_t due_ns;       /* when the IO_PAUSE in work is over */
    int polled_fd;         /* what the IO_POLL in work watches */
};

/* An IO_OPEN that changes the directory: always waits for the file system. */
static inline bool io_open_creates(const struct io_op *op)
{
    return (op->flags & (O_CREAT | O_TRUNC)) || (op->flags & O_TMPFILE) == O_TMPFILE;
}

static inline struct io_op *io_add(struct io_chain *chain, struct io_op op)
{
    chain->op[chain->count] = op;
    return &chain->op[chain->count++];
}

/* Carries out the chain in the calling thread; EINTR is retried. Any thread or process. */
void io_sync_execute(struct io_chain *chain);

/* For engines. */

void io_chain_begin(struct io_chain *chain);
/* The operation to be carried out now, those that are cancelled having been passed over; NULL: the
 * chain is done. */
struct io_op *io_chain_next(struct io_chain *chain);
/* The descriptor that the operation is about. */
int io_chain_fd(const struct io_chain *chain, const struct io_op *op);
/* Stores the result of io_chain_next()'s operation and goes on to the one after it. */
void io_chain_result(struct io_chain *chain, int64_t result);
/* Whether an IO_WRITE may have to wait for a reader, for ever: not so with files. */
bool io_write_waits(const struct io_op *op, int fd);
/* Goes on with an IO_WRITE of which `done` bytes have been written, as far as one call does.
 * If it may wait for a reader: what there is room for, else -EAGAIN. `ready`: the descriptor has
 * just been found ready. Bytes, or -errno. */
int64_t io_write_some(const struct io_op *op, int fd, size_t done, bool ready);
/* All of it, blocking; -ECANCELED: stop_fd ended the wait for a reader. */
int64_t io_write_all(const struct io_op *op, int fd, int stop_fd);
/* poll(2) until `events` or stop_fd: 0, -ECANCELED, -errno. */
int64_t io_wait_for(int fd, short events, int stop_fd);

/* Carries out one operation, blocking. The result. */
int64_t io_op_execute(const struct io_op *op, int fd, int stop_fd);

#endif
