/* The io_uring engine: operations are submitted to a ring, many with one system call.
 *
 * What goes to the ring, and what does not:
 * - A small file is one linked chain, open, read, close, on a descriptor of the ring's own table
 *   (a "direct" one, which the process never sees). The read is hard-linked to the close: after a
 *   soft link a read that comes short would cancel it. O_CLOEXEC is refused for direct
 *   descriptors, and means nothing there.
 * - A statx is done by this thread: the kernel hands every one to its worker threads, which costs
 *   more than the call. Of a direct descriptor there is none (EBADF): the path is asked instead.
 * - So are all operations that make or change names and attributes, an open that creates among
 *   them: the kernel has some of them for rings, but hands each to its worker threads at once, and
 *   the fastest of them would take longer to hand over than to do.
 * - Writes go to the ring, and go on there when they come short; so does fsync, which has its
 * worker thread to wait in.
 * - There is no operation that lists directories, and connecting to a Unix socket does not wait:
 *   done by this thread. So is closing an ordinary descriptor, which does not wait either.
 *
 * O_NONBLOCK makes the kernel answer EAGAIN, rather than wait, for files of file systems that have
 * no nonblocking read (FUSE). The first such answer turns direct descriptors off for the loop, and
 * a regular file's descriptor then has the flag taken away before it is read.
 *
 * Reads end in the memory of others (slabs), writes begin there. When the process is killed, the
 * kernel takes the ring apart in its own time; the tombstone in its table of files is let go last.
 * See io_tombstone.h.
 *
 * Sources: io_uring(7), io_uring_enter(2), liburing's man pages, the kernel's io_uring/rw.c.
 */
#include "pipeline/io_uring_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "pipeline/io_inject.h"
#include "pipeline/sync.h"

/* A read that the kernel does not want to do is tried so often before this thread does it. */
#define ATTEMPTS_MAX 3

/* Bytes of one write: the field has 32 bits. */
#define TRANSFER_MAX (1U << 30)

/* What a completion belongs to: the chain's number and the operation's in the chain. */
#define USER_BELL   (UINT64_MAX - 1)
#define USER_STOP   (UINT64_MAX - 2)
#define USER_CANCEL (UINT64_MAX - 3)

static uint64_t user_data(const struct io_chain *chain, unsigned op)
{
    return (uint64_t)chain->number << 8 | op;
}

/* Submitting. */

/* Room for `count` entries that must not be torn apart. */
static void make_room(struct io_loop *loop, unsigned count)
{
    while (io_uring_sq_space_left(&loop->ring) < count) {
        int submitted = io_uring_submit(&loop->ring);
        ALWAYS(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN ||
               submitted == -EBUSY);
    }
}

static struct io_uring_sqe *next_entry(struct io_loop *loop)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&loop->ring);
    ALWAYS(entry);
    return entry;
}

static bool is_in_buffer(const struct io_loop *loop, const uint8_t *data, size_t bytes)
{
    const uint8_t *start = loop->setup.buffer;
    return loop->registered && data >= start && bytes <= loop->setup.buffer_bytes &&
           (size_t)(data - start) <= loop->setup.buffer_bytes - bytes;
}

static struct io_uring_sqe *add_read(struct io_loop *loop, const struct io_chain *chain,
                                     const struct io_op *op, int fd)
{
    struct io_uring_sqe *entry = next_entry(loop);
    uint8_t *data = (uint8_t *)op->data + chain->done_bytes;
    size_t bytes = op->size - chain->done_bytes;
    uint64_t offset = op->code == IO_READ ? (uint64_t)op->offset + chain->done_bytes
                                          : UINT64_MAX; /* where the descriptor is */
    if (is_in_buffer(loop, data, bytes))
        io_uring_prep_read_fixed(entry, fd, data, (unsigned)bytes, offset, 0);
    else
        io_uring_prep_read(entry, fd, data, (unsigned)bytes, offset);
    return entry;
}

static struct io_uring_sqe *add_write(struct io_loop *loop, struct io_chain *chain,
                                      const struct io_op *op)
{
    struct io_uring_sqe *entry = next_entry(loop);
    uint8_t *data = (uint8_t *)op->data + chain->done_bytes;
    size_t rest = op->size - chain->done_bytes;
    size_t bytes = rest < TRANSFER_MAX ? rest : TRANSFER_MAX;
    uint64_t offset =
        op->offset == IO_AT_POSITION ? UINT64_MAX : (uint64_t)op->offset + chain->done_bytes;
    int fd = io_chain_fd(chain, op);
    chain->injected = io_inject_write(&bytes);
    if (chain->injected)
        io_uring_prep_nop(entry);
    else if (is_in_buffer(loop, data, bytes))
        io_uring_prep_write_fixed(entry, fd, data, (unsigned)bytes, offset, 0);
    else
        io_uring_prep_write(entry, fd, data, (unsigned)bytes, offset);
    return entry;
}

/* Whether open, read, status and close of one file follow, and nobody needs its descriptor. */
static bool is_whole_file(const struct io_loop *loop, const struct io_chain *chain)
{
    const struct io_op *op = &chain->op[chain->next];
    static const enum io_code codes[] = {IO_OPEN, IO_READ, IO_STAT_FD, IO_CLOSE};
    if (!loop->direct || chain->attempts >= ATTEMPTS_MAX || chain->count - chain->next < 4)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (op[i].code != codes[i] || (i && op[i].fd != IO_FD_OF_CHAIN))
            return false;
    return true;
}

static void submit_whole_file(struct io_loop *loop, struct io_chain *chain)
{
    const struct io_op *op = &chain->op[chain->next];
    unsigned slot = chain->number;
    make_room(loop, LINKED_MAX);
    struct io_uring_sqe *entry = next_entry(loop);
    io_uring_prep_openat_direct(entry, op[0].dir, op[0].path, op[0].flags & ~O_CLOEXEC, 0, slot);
    entry->flags |= IOSQE_IO_LINK;
    entry->user_data = user_data(chain, chain->next);
    entry = add_read(loop, chain, &op[1], (int)slot);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    entry->user_data = user_data(chain, chain->next + 1);
    entry = next_entry(loop);
    io_uring_prep_close_direct(entry, slot);
    entry->user_data = user_data(chain, chain->next + 3);
    chain->direct = true;
    chain->awaited = LINKED_MAX;
}

static void submit_poll(struct io_loop *loop, struct io_chain *chain, struct io_op *op,
                        unsigned events)
{
    make_room(loop, 1);
    struct io_uring_sqe *entry = next_entry(loop);
    io_uring_prep_poll_add(entry, io_chain_fd(chain, op), events);
    entry->user_data = user_data(chain, chain->next);
    chain->awaited = 1;
}

static void submit_alone(struct io_loop *loop, struct io_chain *chain, struct io_op *op)
{
    struct io_uring_sqe *entry;
    make_room(loop, 1);
    switch (op->code) {
    case IO_OPEN:
        entry = next_entry(loop);
        io_uring_prep_openat(entry, op->dir, op->path, op->flags, 0);
        break;
    case IO_WRITE:
        entry = add_write(loop, chain, op);
        break;
    case IO_FSYNC:
        entry = next_entry(loop);
        io_uring_prep_fsync(entry, io_chain_fd(chain, op), 0);
        break;
    case IO_POLL:
        submit_poll(loop, chain, op, POLLIN);
        return;
    case IO_PAUSE:
        loop->pause[chain->number] = (struct __kernel_timespec){.tv_nsec = (long long)op->size};
        entry = next_entry(loop);
        io_uring_prep_timeout(entry, &loop->pause[chain->number], 0, 0);
        break;
    default:
        entry = add_read(loop, chain, op, io_chain_fd(chain, op));
        break;
    }
    entry->user_data = user_data(chain, chain->next);
    chain->awaited = 1;
}

static bool is_for_ring(const struct io_loop *loop, const struct io_op *op)
{
    switch (op->code) {
    case IO_OPEN:
        return loop->can_open && !io_open_creates(op);
    case IO_WRITE:
        return loop->can_write;
    case IO_FSYNC:
        return loop->can_sync;
    case IO_PAUSE:
        return loop->can_time;
    case IO_READ:
    case IO_READ_NEXT:
    case IO_POLL:
        return true;
    default:
        return false;
    }
}

/* Carries the chain on until it waits for the kernel or is done. */
static void advance(struct io_loop *loop, struct io_chain *chain)
{
    struct io_op *op;
    while ((op = io_chain_next(chain))) {
        if (is_whole_file(loop, chain)) {
            submit_whole_file(loop, chain);
            return;
        }
        /* A write that has begun cannot be begun again. */
        if (is_for_ring(loop, op) && (chain->attempts < ATTEMPTS_MAX || op->code == IO_WRITE)) {
            submit_alone(loop, chain, op);
            return;
        }
        io_chain_result(chain, io_op_execute(op, io_chain_fd(chain, op), loop->setup.stop_fd));
    }
    loop->chains[chain->number] = NULL;
    io_list_add(&loop->done, chain);
}

static void uring_submit(struct io_loop *loop, struct io_chain *chain)
{
    io_chain_begin(chain);
    loop->chains[chain->number] = chain;
    advance(loop, chain);
}

/* Completing. */

/* Whether the answer to a read is not its last: it goes on where it was. */
static bool read_goes_on(const struct io_loop *loop, struct io_chain *chain, const struct io_op *op,
                         int64_t *result)
{
    if (*result == -EINTR || (*result == -ECANCELED && !loop->stopping) || *result == -EAGAIN)
        return ++chain->attempts <= ATTEMPTS_MAX;
    if (*result < 0 || op->code == IO_READ_NEXT)
        return false;
    bool is_end = *result == 0;
    chain->done_bytes += (size_t)*result;
    *result = (int64_t)chain->done_bytes;
    return !is_end && chain->done_bytes < op->minimum;
}

/* The flag is there so that opening a FIFO does not wait. */
static void let_regular_file_wait(int fd)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0 &&
        S_ISREG(status.stx_mode))
        (void)fcntl(fd, F_SETFL, 0);
}

static int64_t status_by_path(const struct io_op *open, const struct io_op *op)
{
    int follow = open->flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    struct io_op stat = *op;
    stat.code = IO_STAT;
    stat.dir = open->dir;
    stat.path = open->path;
    stat.flags = follow;
    return io_op_execute(&stat, -1, -1);
}

/* All three answers for a whole file are there. */
static void whole_file_done(struct io_loop *loop, struct io_chain *chain)
{
    struct io_op *op = &chain->op[chain->next];
    int64_t opened = op[0].result;
    int64_t got = op[1].result;
    chain->direct = false;
    if (opened == -EINTR || (opened == -ECANCELED && !loop->stopping)) {
        advance(loop, chain); /* again */
        return;
    }
    if (opened >= 0 && got == -EAGAIN)
        loop->direct = false;
    if (opened >= 0 && read_goes_on(loop, chain, &op[1], &got)) {
        advance(loop, chain); /* opens it again, and reads from where it was */
        return;
    }
    io_chain_result(chain, opened);
    chain->opened = -1;
    if (opened >= 0) {
        io_chain_result(chain, got);
        if (!chain->failed)
            io_chain_result(chain, status_by_path(&op[0], &op[2]));
        if (!chain->failed)
            io_chain_result(chain, 0);
    }
    advance(loop, chain);
}

/* An answer to a write, or to the poll for its descriptor. */
static void write_answered(struct io_loop *loop, struct io_chain *chain, struct io_op *op,
                           int64_t result)
{
    bool was_poll = chain->polled;
    chain->polled = false;
    if (chain->injected)
        result = chain->injected;
    chain->injected = 0;
    if (result == -ECANCELED && !loop->stopping)
        result = -EINTR;
    if (result == -EAGAIN && !was_poll && !loop->stopping) {
        /* Somebody has made it nonblocking: else the ring itself would wait. */
        submit_poll(loop, chain, op, POLLOUT);
        chain->polled = true;
        return;
    }
    if (result > 0 && !was_poll)
        chain->done_bytes += (size_t)result;
    else if (result == 0 && !was_poll && op->size)
        result = -EIO; /* see io_write.c */
    bool goes_on = was_poll ? result >= 0 : result > 0 && chain->done_bytes < op->size;
    if (!goes_on && result != -EINTR)
        io_chain_result(chain, result < 0 ? result : (int64_t)chain->done_bytes);
    advance(loop, chain);
}

static void operation_done(struct io_loop *loop, struct io_chain *chain, int64_t result)
{
    struct io_op *op = &chain->op[chain->next];
    switch (op->code) {
    case IO_OPEN:
        if (result == -EINTR) {
            advance(loop, chain);
            return;
        }
        if (result >= 0 && op->flags & O_NONBLOCK)
            let_regular_file_wait((int)result);
        break;
    case IO_READ:
    case IO_READ_NEXT:
        if (read_goes_on(loop, chain, op, &result)) {
            advance(loop, chain);
            return;
        }
        break;
    case IO_WRITE:
        write_answered(loop, chain, op, result);
        return;
    case IO_POLL:
        result = result < 0 ? result : 0;
        break;
    case IO_PAUSE:
        result = 0; /* -ETIME is what it was waiting for */
        break;
    default:
        break;
    }
    io_chain_result(chain, result);
    advance(loop, chain);
}

static void completed(struct io_loop *loop, uint64_t data, int64_t result, bool was_waiting)
{
    if (data == USER_BELL) {
        eventfd_t value;
        loop->bell_polled = false;
        loop->rung = true;
        (void)eventfd_read(loop->setup.bell_fd, &value);
        return;
    }
    if (data == USER_STOP) {
        loop->stopping = true;
        return;
    }
    if (data == USER_CANCEL)
        return;
    struct io_chain *chain = loop->chains[data >> 8];
    struct io_op *op = &chain->op[data & 0xff];
    bool is_read = op->code == IO_READ || op->code == IO_READ_NEXT;
    if (is_read || op->code == IO_WRITE)
        io_count(was_waiting ? &loop->setup.counters->misses : &loop->setup.counters->hits);
    op->result = is_read ? io_inject(result) : result;
    if (--chain->awaited)
        return;
    if (chain->direct)
        whole_file_done(loop, chain);
    else
        operation_done(loop, chain, op->result);
}

static bool take_completions(struct io_loop *loop, bool was_waiting)
{
    struct io_uring_cqe *entries[64];
    unsigned count = io_uring_peek_batch_cqe(&loop->ring, entries, 64);
    for (unsigned i = 0; i < count; i++) {
        uint64_t data = entries[i]->user_data;
        int64_t result = entries[i]->res;
        io_uring_cqe_seen(&loop->ring, entries[i]);
        completed(loop, data, result, was_waiting);
    }
    return count > 0;
}

static struct io_chain *uring_complete(struct io_loop *loop)
{
    while (!loop->done.first && take_completions(loop, true))
        ;
    return io_list_take(&loop->done);
}

/* Waiting. */

static void poll_descriptor(struct io_loop *loop, int fd, uint64_t data, bool *polled)
{
    if (fd < 0 || *polled)
        return;
    make_room(loop, 1);
    struct io_uring_sqe *entry = next_entry(loop);
    io_uring_prep_poll_add(entry, fd, POLLIN);
    entry->user_data = data;
    *polled = true;
}

/* Operations that may never end by themselves. Reads of files end, and are let; so would writes,
 * but those of pipes look the same, and no write is wanted any more. */
static void cancel_endless(struct io_loop *loop)
{
    for (unsigned n = 0; n < loop->setup.depth; n++) {
        struct io_chain *chain = loop->chains[n];
        if (!chain || !chain->awaited || !loop->can_cancel)
            continue;
        enum io_code code = chain->op[chain->next].code;
        if (code != IO_POLL && code != IO_READ_NEXT && code != IO_WRITE)
            continue;
        make_room(loop, 1);
        struct io_uring_sqe *entry = next_entry(loop);
        io_uring_prep_cancel64(entry, user_data(chain, chain->next), 0);
        entry->user_data = USER_CANCEL;
    }
}

static void uring_wait(struct io_loop *loop)
{
    if (loop->rung) {
        loop->rung = false;
        return;
    }
    if (loop->stopping)
        cancel_endless(loop);
    else
        poll_descriptor(loop, loop->setup.stop_fd, USER_STOP, &loop->stop_polled);
    poll_descriptor(loop, loop->setup.bell_fd, USER_BELL, &loop->bell_polled);
    /* What the kernel can do at once it does within the submission: those are the hits. */
    int result = io_uring_submit_and_get_events(&loop->ring);
    if (result >= 0 && take_completions(loop, false))
        return;
    result = io_uring_submit_and_wait(&loop->ring, 1);
    ALWAYS(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
}

const struct io_engine io_uring_engine = {
    .id = IO_URING,
    .name = "uring",
    .library = "liburing " LIBURING_VERSION,
    .probe = uring_probe,
    .create = uring_create,
    .destroy = uring_destroy,
    .submit = uring_submit,
    .complete = uring_complete,
    .wait = uring_wait,
};
