/* The epoll engine: what can be done without waiting is done at once; what can tell when it is
 * ready is watched; the rest goes to a small pool of helper threads.
 *
 * - Pipes, FIFOs, sockets, terminals: an IO_POLL is an epoll registration. Regular files are
 *   always ready, and epoll refuses them (EPERM).
 * - Reads of regular files: preadv2(RWF_NOWAIT) first, which gives what the page cache holds.
 *   What it does not hold (EAGAIN), and file systems without that flag (EOPNOTSUPP): a helper.
 * - Opening: openat2(RESOLVE_CACHED) first, which fails with EAGAIN rather than wait for a
 *   directory to be read (Linux 5.12). Status by path: the same, with O_PATH, and then a statx of
 *   the descriptor.
 * - Writes to what has a reader (io_write.c): as much as there is room for, then the descriptor is
 *   watched until there is more. Writes to files may wait for the device and have no nonblocking
 *   form that all file systems know: a helper.
 * - Listing a directory, connecting, syncing, and all that makes or changes names and attributes
 *   have no such form: a helper.
 * A chain that has missed stays with its helper as long as it can, to save hand-overs.
 *
 * Sources: epoll_ctl(2), preadv2(2), openat2(2).
 */
#include "pipeline/io_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pipeline/io_helpers.h"
#include "pipeline/io_inject.h"
#include "pipeline/sync.h"

/* Waiting for a device, not computing: as many as operations in flight, within reason. */
#define HELPERS_MAX 64

struct io_loop {
    struct io_loop_setup setup;
    int epoll_fd;
    int helpers_fd; /* eventfd: a helper has answered */
    struct io_helpers *helpers;
    struct io_chain **watched; /* by number: its IO_POLL or IO_WRITE is registered; NULL: not */
    struct io_list done;
    struct io_list paused; /* by no order; few */
    bool stopping;
    bool no_cached_open; /* the kernel does not know RESOLVE_CACHED */
};

/* epoll data that is no chain's number. */
enum { EVENT_BELL = -1, EVENT_STOP = -2, EVENT_HELPERS = -3 };

static int epoll_probe(char *why, size_t why_bytes)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        (void)!strerror_r(-error, why, why_bytes);
        return error;
    }
    close(fd);
    return 0;
}

static int watch(struct io_loop *loop, int fd, uint32_t events, int64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)data};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void epoll_destroy(struct io_loop *loop)
{
    if (!loop)
        return;
    helpers_destroy(loop->helpers);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->helpers_fd >= 0)
        close(loop->helpers_fd);
    free(loop->watched);
    free(loop);
}

static int open_all(struct io_loop *loop)
{
    const struct io_loop_setup *setup = &loop->setup;
    unsigned helpers = setup->depth < HELPERS_MAX ? setup->depth : HELPERS_MAX;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->helpers_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll_fd < 0 || loop->helpers_fd < 0)
        return -errno;
    loop->watched = calloc(setup->depth, sizeof(struct io_chain *));
    if (!loop->watched)
        return -ENOMEM;
    int error = watch(loop, loop->helpers_fd, EPOLLIN, EVENT_HELPERS);
    if (!error && setup->bell_fd >= 0)
        error = watch(loop, setup->bell_fd, EPOLLIN, EVENT_BELL);
    /* Once: it stays readable for ever. */
    if (!error && setup->stop_fd >= 0)
        error = watch(loop, setup->stop_fd, EPOLLIN | EPOLLONESHOT, EVENT_STOP);
    return error ? error : helpers_create(helpers, loop->helpers_fd, &loop->helpers);
}

static int epoll_create_loop(const struct io_loop_setup *setup, struct io_loop **out)
{
    struct io_loop *loop = malloc(sizeof *loop);
    if (!loop)
        return -ENOMEM;
    *loop = (struct io_loop){.setup = *setup, .epoll_fd = -1, .helpers_fd = -1};
    int error = open_all(loop);
    if (error) {
        epoll_destroy(loop);
        return error;
    }
    *out = loop;
    return 0;
}

/* Operations that may be done at once; -EAGAIN: not without waiting. */

static int64_t open_cached(struct io_loop *loop, const struct io_op *op, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)flags, .resolve = RESOLVE_CACHED};
    if (loop->no_cached_open || io_open_creates(op))
        return -EAGAIN;
    long fd = syscall(SYS_openat2, op->dir, op->path, &how, sizeof how);
    if (fd >= 0)
        return fd;
    if (errno != ENOSYS && errno != EINVAL)
        return -errno;
    loop->no_cached_open = true;
    return -EAGAIN;
}

static int64_t status_cached(struct io_loop *loop, const struct io_op *op)
{
    int follow = op->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
    int64_t fd = open_cached(loop, op, O_PATH | O_CLOEXEC | follow);
    if (fd < 0)
        return fd;
    int64_t result = statx((int)fd, "", AT_EMPTY_PATH, (unsigned)op->size, op->data);
    result = result < 0 ? -errno : result;
    close((int)fd);
    return result;
}

static int64_t read_cached(struct io_chain *chain, const struct io_op *op, int fd)
{
    for (;;) {
        struct iovec rest = {(uint8_t *)op->data + chain->done_bytes, op->size - chain->done_bytes};
        ssize_t got = preadv2(fd, &rest, 1, op->offset + (off_t)chain->done_bytes, RWF_NOWAIT);
        int64_t result = io_inject(got < 0 ? -errno : got);
        if (result == -EINTR)
            continue;
        if (result < 0)
            return result == -EOPNOTSUPP || result == -ECANCELED ? -EAGAIN : result;
        chain->done_bytes += (size_t)result;
        if (result == 0 || chain->done_bytes >= op->minimum)
            return (int64_t)chain->done_bytes;
    }
}

/* After an IO_POLL there is something, unless another reader of the same pipe was faster. */
static int64_t read_ready(const struct io_op *op, int fd)
{
    struct iovec buffer = {op->data, op->size};
    ssize_t got = preadv2(fd, &buffer, 1, -1, RWF_NOWAIT);
    if (got < 0 && errno == EOPNOTSUPP)
        got = read(fd, op->data, op->size);
    return got < 0 ? -errno : got;
}

static int64_t try_at_once(struct io_loop *loop, struct io_chain *chain, const struct io_op *op,
                           int fd)
{
    switch (op->code) {
    case IO_OPEN:
        return open_cached(loop, op, op->flags);
    case IO_STAT:
        return status_cached(loop, op);
    case IO_READ:
        return read_cached(chain, op, fd);
    case IO_READ_NEXT:
        return read_ready(op, fd);
    case IO_STAT_FD: /* of an open file: its inode is in memory */
    case IO_CLOSE:   /* of one that was only read */
        return io_op_execute(op, fd, -1);
    default:
        return -EAGAIN;
    }
}

/* Carrying on. */

static void finish_poll(struct io_loop *loop, struct io_chain *chain)
{
    /* A duplicate was watched where the descriptor itself was already. */
    if (chain->polled_fd != io_chain_fd(chain, &chain->op[chain->next]))
        close(chain->polled_fd);
    else
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, chain->polled_fd, NULL);
    loop->watched[chain->number] = NULL;
}

/* 1: is being watched. 0: need not be. -errno. */
static int begin_poll(struct io_loop *loop, struct io_chain *chain, int fd, uint32_t events)
{
    int error = watch(loop, fd, events | EPOLLONESHOT, chain->number);
    if (error == -EEXIST) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        error = fd < 0 ? -errno : watch(loop, fd, events | EPOLLONESHOT, chain->number);
        if (error && fd >= 0)
            close(fd);
    }
    if (error)
        return error == -EPERM ? 0 : error;
    chain->polled_fd = fd;
    loop->watched[chain->number] = chain;
    return 1;
}

/* Writes to what has a reader. True: there is no more room, and the descriptor is watched. */
static bool write_as_ready(struct io_loop *loop, struct io_chain *chain, const struct io_op *op,
                           int fd)
{
    int64_t result = 0;
    while (chain->done_bytes < op->size && (result >= 0 || result == -EINTR)) {
        result = io_write_some(op, fd, chain->done_bytes, chain->polled);
        chain->polled = false;
        if (result > 0)
            chain->done_bytes += (size_t)result;
        if (result != -EAGAIN)
            continue;
        result = loop->stopping ? -ECANCELED : begin_poll(loop, chain, fd, EPOLLOUT);
        if (result > 0) {
            io_count(&loop->setup.counters->misses);
            return true;
        }
        chain->polled = result == 0; /* what cannot be watched is always ready */
    }
    io_count(&loop->setup.counters->hits);
    io_chain_result(chain, result < 0 ? result : (int64_t)chain->done_bytes);
    return false;
}

static void advance(struct io_loop *loop, struct io_chain *chain)
{
    struct io_op *op;
    while ((op = io_chain_next(chain))) {
        int fd = io_chain_fd(chain, op);
        if (op->code == IO_WRITE && io_write_waits(op, fd)) {
            if (write_as_ready(loop, chain, op, fd))
                return;
            continue;
        }
        if (op->code == IO_POLL) {
            int watched = loop->stopping ? -ECANCELED : begin_poll(loop, chain, fd, EPOLLIN);
            if (watched > 0)
                return;
            io_chain_result(chain, watched);
            continue;
        }
        if (op->code == IO_PAUSE) {
            chain->due_ns = clock_ns() + op->size;
            io_list_add(&loop->paused, chain);
            return;
        }
        int64_t result = try_at_once(loop, chain, op, fd);
        if (result == -EAGAIN && helpers_may_do(chain, op)) {
            io_count(&loop->setup.counters->misses);
            helpers_give(loop->helpers, chain);
            return;
        }
        if (op->code != IO_CLOSE && op->code != IO_STAT_FD)
            io_count(&loop->setup.counters->hits);
        io_chain_result(chain, result);
    }
    io_list_add(&loop->done, chain);
}

static void epoll_submit(struct io_loop *loop, struct io_chain *chain)
{
    io_chain_begin(chain);
    advance(loop, chain);
}

static struct io_chain *epoll_complete(struct io_loop *loop)
{
    return io_list_take(&loop->done);
}

/* Waiting. */

static void end_pauses(struct io_loop *loop)
{
    struct io_list still = {0};
    struct io_chain *chain;
    uint64_t now = clock_ns();
    while ((chain = io_list_take(&loop->paused))) {
        if (chain->due_ns > now && !loop->stopping) {
            io_list_add(&still, chain);
            continue;
        }
        io_chain_result(chain, 0);
        advance(loop, chain);
    }
    loop->paused = still;
}

/* Milliseconds until the first pause ends, rounded up; -1: there is none. */
static int pause_timeout(const struct io_loop *loop)
{
    uint64_t now = clock_ns();
    uint64_t least = UINT64_MAX;
    for (const struct io_chain *chain = loop->paused.first; chain; chain = chain->link)
        least = chain->due_ns < least ? chain->due_ns : least;
    if (least == UINT64_MAX)
        return -1;
    return least <= now ? 0 : (int)((least - now + 999999) / 1000000);
}

static void stop(struct io_loop *loop)
{
    loop->stopping = true;
    for (unsigned n = 0; n < loop->setup.depth; n++) {
        struct io_chain *chain = loop->watched[n];
        if (!chain)
            continue;
        finish_poll(loop, chain);
        io_chain_result(chain, -ECANCELED);
        advance(loop, chain);
    }
}

static void handle(struct io_loop *loop, int64_t data)
{
    eventfd_t value;
    struct io_chain *chain;
    switch (data) {
    case EVENT_BELL:
        (void)eventfd_read(loop->setup.bell_fd, &value);
        return;
    case EVENT_STOP:
        stop(loop);
        return;
    case EVENT_HELPERS:
        (void)eventfd_read(loop->helpers_fd, &value);
        while ((chain = helpers_take(loop->helpers))) {
            advance(loop, chain);
        }
        return;
    default:
        chain = loop->watched[data];
        if (!chain)
            return;
        finish_poll(loop, chain);
        if (chain->op[chain->next].code == IO_WRITE)
            chain->polled = true;
        else
            io_chain_result(chain, 0);
        advance(loop, chain);
    }
}

static void epoll_wait_loop(struct io_loop *loop)
{
    struct epoll_event events[64];
    int count = epoll_wait(loop->epoll_fd, events, 64, pause_timeout(loop));
    ALWAYS(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++)
        handle(loop, (int64_t)events[i].data.u64);
    end_pauses(loop);
}

const struct io_engine io_epoll_engine = {
    .id = IO_EPOLL,
    .name = "epoll",
    .probe = epoll_probe,
    .create = epoll_create_loop,
    .destroy = epoll_destroy,
    .submit = epoll_submit,
    .complete = epoll_complete,
    .wait = epoll_wait_loop,
};
