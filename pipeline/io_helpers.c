#include "pipeline/io_helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "pipeline/sync.h"

struct io_helpers {
    struct tm_lock lock;
    _Atomic uint32_t event; /* changes under the lock when a helper may go on */
    /* Under the lock. */
    struct io_list waiting, answered;
    unsigned idle;
    unsigned waiting_count;
    bool ending;
    /* The loop's thread only. */
    int event_fd;
    unsigned thread_count, thread_max;
    pthread_t *threads;
};

bool helpers_may_do(const struct io_chain *chain, const struct io_op *op)
{
    if (op->code == IO_WRITE)
        return !io_write_waits(op, io_chain_fd(chain, op));
    return op->code != IO_POLL && op->code != IO_READ_NEXT && op->code != IO_PAUSE;
}

static void carry_out(struct io_chain *chain)
{
    struct io_op *op;
    while ((op = io_chain_next(chain)) && helpers_may_do(chain, op))
        io_chain_result(chain, io_op_execute(op, io_chain_fd(chain, op), -1));
}

static void lock(struct io_helpers *helpers)
{
    ALWAYS(!lock_take(&helpers->lock)); /* nobody dies alone here */
}

static void unlock_and_wake(struct io_helpers *helpers, uint32_t count)
{
    atomic_fetch_add_explicit(&helpers->event, 1, memory_order_relaxed);
    lock_release(&helpers->lock);
    event_wake(&helpers->event, count);
}

static void *helper_main(void *argument)
{
    struct io_helpers *helpers = argument;
    lock(helpers);
    for (;;) {
        struct io_chain *chain = io_list_take(&helpers->waiting);
        if (chain) {
            helpers->waiting_count--;
            lock_release(&helpers->lock);
            carry_out(chain);
            lock(helpers);
            io_list_add(&helpers->answered, chain);
            ALWAYS(eventfd_write(helpers->event_fd, 1) == 0 || errno == EAGAIN);
            continue;
        }
        if (helpers->ending)
            break;
        helpers->idle++;
        uint32_t seen = atomic_load_explicit(&helpers->event, memory_order_relaxed);
        lock_release(&helpers->lock);
        event_wait(&helpers->event, seen);
        lock(helpers);
        helpers->idle--;
    }
    lock_release(&helpers->lock);
    return NULL;
}

/* Without a single helper chains would wait for ever. */
static int start_helper(struct io_helpers *helpers)
{
    pthread_t *thread = &helpers->threads[helpers->thread_count];
    int error = pthread_create(thread, NULL, helper_main, helpers);
    if (error)
        return -error;
    pthread_setname_np(*thread, "helper");
    helpers->thread_count++;
    return 0;
}

int helpers_create(unsigned threads, int event_fd, struct io_helpers **out)
{
    struct io_helpers *helpers = calloc(1, sizeof *helpers);
    if (!helpers)
        return -ENOMEM;
    lock_init(&helpers->lock);
    helpers->event_fd = event_fd;
    helpers->thread_max = threads;
    helpers->threads = calloc(threads, sizeof *helpers->threads);
    int error = helpers->threads ? start_helper(helpers) : -ENOMEM;
    if (error) {
        helpers_destroy(helpers);
        return error;
    }
    *out = helpers;
    return 0;
}

void helpers_destroy(struct io_helpers *helpers)
{
    if (!helpers)
        return;
    lock(helpers);
    helpers->ending = true;
    unlock_and_wake(helpers, WAKE_ALL);
    for (unsigned t = 0; t < helpers->thread_count; t++)
        ALWAYS(pthread_join(helpers->threads[t], NULL) == 0);
    free(helpers->threads);
    free(helpers);
}

void helpers_give(struct io_helpers *helpers, struct io_chain *chain)
{
    lock(helpers);
    io_list_add(&helpers->waiting, chain);
    bool want_more = ++helpers->waiting_count > helpers->idle;
    unlock_and_wake(helpers, 1);
    if (want_more && helpers->thread_count < helpers->thread_max)
        (void)start_helper(helpers); /* with fewer it only takes longer */
}

struct io_chain *helpers_take(struct io_helpers *helpers)
{
    lock(helpers);
    struct io_chain *chain = io_list_take(&helpers->answered);
    lock_release(&helpers->lock);
    return chain;
}
