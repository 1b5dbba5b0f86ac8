/* Making a ring: what the kernel offers, and what it lets us register. */
#include "pipeline/io_uring_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ring_init(struct io_uring *ring, unsigned entries)
{
    /* Newest kernels first: completions are handled in this thread, and when it asks for them. */
    static const unsigned flags[] = {
        IORING_SETUP_CLAMP | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CLAMP};
    int error = -EINVAL;
    for (unsigned i = 0; i < sizeof flags / sizeof *flags && error == -EINVAL; i++) {
        struct io_uring_params parameters = {.flags = flags[i]};
        error = io_uring_queue_init_params(entries, ring, &parameters);
    }
    return error;
}

static const char *why_no_ring(int error)
{
    switch (-error) {
    case ENOSYS:
        return "the kernel has no io_uring, or a seccomp filter hides it";
    case EPERM:
        return "not permitted (sysctl kernel.io_uring_disabled or a seccomp filter)";
    case ENOMEM:
        return "no memory for the ring (RLIMIT_MEMLOCK)";
    default:
        return strerror(-error);
    }
}

int uring_probe(char *why, size_t why_bytes)
{
    struct io_uring ring;
    int error = ring_init(&ring, 4);
    if (error) {
        snprintf(why, why_bytes, "%s", why_no_ring(error));
        return error;
    }
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
    bool enough = probe && io_uring_opcode_supported(probe, IORING_OP_READ) &&
                  io_uring_opcode_supported(probe, IORING_OP_POLL_ADD);
    io_uring_free_probe(probe);
    io_uring_queue_exit(&ring);
    if (enough)
        return 0;
    snprintf(why, why_bytes, "the kernel's io_uring cannot read or poll");
    return -EOPNOTSUPP;
}

static void find_operations(struct io_loop *loop)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&loop->ring);
    if (!probe)
        return;
    loop->can_open = io_uring_opcode_supported(probe, IORING_OP_OPENAT);
    loop->can_time = io_uring_opcode_supported(probe, IORING_OP_TIMEOUT);
    loop->can_cancel = io_uring_opcode_supported(probe, IORING_OP_ASYNC_CANCEL);
    loop->can_write = io_uring_opcode_supported(probe, IORING_OP_WRITE);
    loop->can_sync = io_uring_opcode_supported(probe, IORING_OP_FSYNC);
    loop->direct = loop->can_open && io_uring_opcode_supported(probe, IORING_OP_CLOSE);
    io_uring_free_probe(probe);
}

/* The table of direct descriptors: one for each chain, and the tombstone behind them. It may not be
 * larger than RLIMIT_NOFILE; the tombstone alone always fits. */
static int register_files(struct io_loop *loop)
{
    int tombstone = loop->setup.tombstone_fd;
    unsigned depth = loop->setup.depth;
    if (io_uring_register_files_sparse(&loop->ring, depth + 1) == 0) {
        if (tombstone < 0)
            return 0;
        int updated = io_uring_register_files_update(&loop->ring, depth, &tombstone, 1);
        return updated == 1 ? 0 : updated < 0 ? updated : -EINVAL;
    }
    loop->direct = false;
    return tombstone < 0 ? 0 : io_uring_register_files(&loop->ring, &tombstone, 1);
}

static void register_buffer(struct io_loop *loop)
{
    struct iovec buffer = {loop->setup.buffer, loop->setup.buffer_bytes};
    /* Refused where RLIMIT_MEMLOCK is small: reads then name their buffers each time. */
    loop->registered = buffer.iov_base && buffer.iov_len <= 1U << 30 &&
                       io_uring_register_buffers(&loop->ring, &buffer, 1) == 0;
}

void uring_destroy(struct io_loop *loop)
{
    if (!loop)
        return;
    if (loop->ring_is_open)
        io_uring_queue_exit(&loop->ring);
    free(loop->chains);
    free(loop->pause);
    free(loop);
}

int uring_create(const struct io_loop_setup *setup, struct io_loop **out)
{
    struct io_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->setup = *setup;
    loop->chains = calloc(setup->depth, sizeof *loop->chains);
    loop->pause = calloc(setup->depth, sizeof *loop->pause);
    int error = loop->chains && loop->pause ? 0 : -ENOMEM;
    if (!error)
        error = ring_init(&loop->ring, setup->depth * LINKED_MAX + OTHERS_MAX);
    if (!error) {
        loop->ring_is_open = true;
        find_operations(loop);
        error = register_files(loop);
    }
    if (error) {
        uring_destroy(loop);
        return error;
    }
    register_buffer(loop);
    /* The kernel may use as many threads for what it cannot do without waiting as there are
     * operations to wait for, and no more. */
    unsigned workers[2] = {setup->depth, setup->depth};
    (void)io_uring_register_iowq_max_workers(&loop->ring, workers);
    *out = loop;
    return 0;
}
