/* Reading a file again from its first byte and hashing it piece by piece; also what can be read
 * once only: standard input, FIFOs, sockets, devices. */
#include "stages/hash_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* As the kernel's readahead likes it, and small enough for the second-level cache. */
#define STREAM_BUFFER_BYTES (256 * 1024)

/* How often to try a socket whose listener has no room for one more that waits. */
#define REFUSALS_MAX 2000

void hasher_begin_reread(struct hasher *hasher, const struct file_record *file)
{
    opener_begin(&hasher->opener, AT_FDCWD);
    hasher->bytes = 0;
    hasher->fd = file->flags & FILE_STANDARD_INPUT ? 0 : -1;
    hasher->phase = HASHER_WALK;
}

static void add_read(struct hasher *hasher, struct file_record *file, struct io_chain *chain)
{
    chain->count = 0;
    if (file->flags & FILE_READ_ONCE) {
        file->flags |= FILE_CONSUMED; /* beforehand: this worker may be killed after the read */
        io_add(chain, (struct io_op){.code = IO_POLL, .fd = hasher->fd});
    }
    io_add(chain, (struct io_op){.code = IO_READ_NEXT,
                                 .fd = hasher->fd,
                                 .data = hasher->buffer,
                                 .size = STREAM_BUFFER_BYTES});
    hasher->phase = HASHER_READ;
}

static void begin_stream(struct hasher *hasher, struct file_record *file, struct io_chain *chain)
{
    int error = digest_begin(hasher->digests, file->algorithms);
    if (!hasher->buffer)
        hasher->buffer = malloc(STREAM_BUFFER_BYTES);
    if (!error && !hasher->buffer)
        error = -ENOMEM;
    if (!error) {
        add_read(hasher, file, chain);
        return;
    }
    file->fault = fault_system(TM_OP_HASH, error);
    chain->count = 0;
    if (!(file->flags & FILE_STANDARD_INPUT))
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
    hasher_next(hasher);
}

static void fail_open(struct hasher *hasher, struct file_record *file, int error,
                      struct io_chain *chain)
{
    bool may_pass = error == -EAGAIN ? hasher->refusals++ < REFUSALS_MAX
                                     : shortage_may_pass(&hasher->shortage, error, chain);
    if (!may_pass) {
        hasher_fail(hasher, file, fault_system(TM_OP_OPEN, error));
        return;
    }
    shortage_pause(&hasher->shortage, chain);
    hasher->phase = HASHER_PAUSE;
}

static void walk(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = hasher_file(hasher, view);
    int error = 0;
    if (file->flags & FILE_CONSUMED) { /* by a worker that has died */
        struct tm_fault fault = fault_of(TM_FAULT_CONSUMED);
        fault.stage = atomic_load_explicit(&view->item->stage, memory_order_relaxed);
        hasher_fail(hasher, file, fault);
        return;
    }
    if (file->flags & FILE_STANDARD_INPUT) {
        begin_stream(hasher, file, chain);
        return;
    }
    const char *path = batch_path(view, file);
    switch (opener_step(&hasher->opener, path, file->path_bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        fail_open(hasher, file, error, chain);
        return;
    case OPENER_REACHED:
        break;
    }
    io_add(chain, (struct io_op){.code = S_ISSOCK(file->stat.mode) ? IO_CONNECT : IO_OPEN,
                                 .dir = hasher->opener.base,
                                 .path = path + hasher->opener.offset,
                                 .flags = OPENER_FILE_FLAGS |
                                          (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0)});
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = &hasher->before,
                                 .size = file_stat_mask});
    opener_add_close(&hasher->opener, chain);
    hasher->phase = HASHER_OPENED;
}

static void opened(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = hasher_file(hasher, view);
    int64_t fd = chain->op[0].result;
    int64_t status = chain->op[1].result;
    chain->count = 0;
    if (fd < 0) {
        fail_open(hasher, file, (int)fd, chain);
        return;
    }
    hasher->fd = (int)fd;
    shortage_is_over(&hasher->shortage);
    if (status < 0 || (!S_ISREG(hasher->before.stx_mode) && !(file->flags & FILE_SPECIAL))) {
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
        hasher_fail(hasher, file,
                    status < 0 ? fault_system(TM_OP_STAT, (int)status)
                               : fault_of(TM_FAULT_SPECIAL));
        return;
    }
    begin_stream(hasher, file, chain);
}

static void add_end(struct hasher *hasher, const struct file_record *file, struct io_chain *chain)
{
    chain->count = 0;
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = hasher->fd,
                                 .data = &hasher->after,
                                 .size = file_stat_mask});
    if (!(file->flags & FILE_STANDARD_INPUT))
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
    hasher->phase = HASHER_CLOSED;
}

static void piece_read(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = hasher_file(hasher, view);
    int64_t ready = chain->op[0].result; /* of the IO_POLL, or the read itself */
    int64_t got = ready < 0 ? ready : chain->op[chain->count - 1].result;
    if (got == -EAGAIN) { /* somebody else was faster */
        add_read(hasher, file, chain);
        return;
    }
    if (got > 0) {
        int error = digest_update(hasher->digests, hasher->buffer, (size_t)got);
        hasher->bytes += (uint64_t)got;
        atomic_store_explicit(&view->item->live_bytes, hasher->bytes, memory_order_relaxed);
        if (!error) {
            add_read(hasher, file, chain);
            return;
        }
        file->fault = fault_system(TM_OP_HASH, error);
    } else if (got < 0) {
        file->fault = fault_system(TM_OP_READ, (int)got);
    }
    add_end(hasher, file, chain);
}

/* A file of /proc says it is empty and is not: its size cannot be compared. */
static bool changed_meanwhile(const struct hasher *hasher)
{
    struct file_stat before, after;
    file_stat_from(&before, &hasher->before);
    file_stat_from(&after, &hasher->after);
    bool has_size = before.size_bytes != 0 || hasher->bytes == 0;
    bool is_pseudo = before.size_bytes == 0 && after.size_bytes == 0 && hasher->bytes > 0;
    return !is_pseudo &&
           (!file_stat_same(&before, &after) || (has_size && before.size_bytes != hasher->bytes));
}

static void reread_done(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = hasher_file(hasher, view);
    int64_t status = chain->op[0].result;
    chain->count = 0;
    hasher->fd = -1;
    if (fault_is_set(file->fault)) {
        hasher_next(hasher);
        return;
    }
    if (!(file->flags & FILE_READ_ONCE)) {
        if (status < 0) {
            hasher_fail(hasher, file, fault_system(TM_OP_STAT, (int)status));
            return;
        }
        if (changed_meanwhile(hasher)) {
            if (hasher->job->on_change == ON_CHANGE_RETRY &&
                hasher->attempts++ < hasher->job->retries) {
                hasher_begin_reread(hasher, file);
                return;
            }
            if (hasher->job->on_change != ON_CHANGE_WARN) {
                hasher_fail(hasher, file, fault_of(TM_FAULT_CHANGED));
                return;
            }
            file->flags |= FILE_CHANGED;
        }
        file_stat_from(&file->stat, &hasher->after);
    }
    file->stat.size_bytes = hasher->bytes;
    if (file->flags & FILE_READ_ONCE) /* which had no size before */
        view->item->bytes += hasher->bytes;
    int error = digest_finish(hasher->digests, hasher_output(hasher, view));
    if (error)
        file->fault = fault_system(TM_OP_HASH, error);
    else
        file->state = FILE_HASHED;
    hasher_next(hasher);
}

void hasher_reread(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    switch (hasher->phase) {
    case HASHER_NEXT:
        break;
    case HASHER_WALK:
        walk(hasher, view, chain);
        break;
    case HASHER_OPENED:
        opened(hasher, view, chain);
        break;
    case HASHER_PAUSE:
        chain->count = 0;
        hasher_begin_reread(hasher, hasher_file(hasher, view));
        break;
    case HASHER_READ:
        piece_read(hasher, view, chain);
        break;
    case HASHER_CLOSED:
        reread_done(hasher, view, chain);
        break;
    }
}
