#include "pipeline/io_helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "pipeline/sync.h"

struct io_helpers {
    pthread_mutex_t mutex;
    pthread_cond_t given; /* signalled for each chain given, broadcast at the end */
    /* Under the mutex. */
    struct io_list waiting, answered;
    unsigned idle;
    unsigned waiting_count;
    bool ending;
    /* The loop's thread only. */
    int event_fd;
    unsigned thread_count, thread_max;
    pthread_t *threads;
};

bool helpers_may_do(const struct io_op *op)
{
    return op->code != IO_POLL && op->code != IO_READ_NEXT && op->code != IO_PAUSE;
}

static void carry_out(struct io_chain *chain)
{
    struct io_op *op;
    while ((op = io_chain_next(chain)) && helpers_may_do(op))
        io_chain_result(chain, io_op_execute(op, io_chain_fd(chain, op), -1));
}

static void *helper_main(void *argument)
{
    struct io_helpers *helpers = argument;
    ALWAYS(pthread_mutex_lock(&helpers->mutex) == 0);
    for (;;) {
        struct io_chain *chain = io_list_take(&helpers->waiting);
        if (chain) {
            helpers->waiting_count--;
            ALWAYS(pthread_mutex_unlock(&helpers->mutex) == 0);
            carry_out(chain);
            ALWAYS(pthread_mutex_lock(&helpers->mutex) == 0);
            io_list_add(&helpers->answered, chain);
            ALWAYS(eventfd_write(helpers->event_fd, 1) == 0 || errno == EAGAIN);
            continue;
        }
        if (helpers->ending)
            break;
        helpers->idle++;
        ALWAYS(pthread_cond_wait(&helpers->given, &helpers->mutex) == 0);
        helpers->idle--;
    }
    ALWAYS(pthread_mutex_unlock(&helpers->mutex) == 0);
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
    ALWAYS(pthread_mutex_init(&helpers->mutex, NULL) == 0);
    ALWAYS(pthread_cond_init(&helpers->given, NULL) == 0);
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
    ALWAYS(pthread_mutex_lock(&helpers->mutex) == 0);
    helpers->ending = true;
    ALWAYS(pthread_cond_broadcast(&helpers->given) == 0);
    ALWAYS(pthread_mutex_unlock(&helpers->mutex) == 0);
    for (unsigned t = 0; t < helpers->thread_count; t++)
        ALWAYS(pthread_join(helpers->threads[t], NULL) == 0);
    free(helpers->threads);
    pthread_cond_destroy(&helpers->given);
    pthread_mutex_destroy(&helpers->mutex);
    free(helpers);
}

void helpers_give(struct io_helpers *helpers, struct io_chain *chain)
{
    ALWAYS(pthread_mutex_lock(&helpers->mutex) == 0);
    io_list_add(&helpers->waiting, chain);
    bool want_more = ++helpers->waiting_count > helpers->idle;
    ALWAYS(pthread_cond_signal(&helpers->given) == 0);
    ALWAYS(pthread_mutex_unlock(&helpers->mutex) == 0);
    if (want_more && helpers->thread_count < helpers->thread_max)
        (void)start_helper(helpers); /* with fewer it only takes longer */
}

struct io_chain *helpers_take(struct io_helpers *helpers)
{
    ALWAYS(pthread_mutex_lock(&helpers->mutex) == 0);
    struct io_chain *chain = io_list_take(&helpers->answered);
    ALWAYS(pthread_mutex_unlock(&helpers->mutex) == 0);
    return chain;
}
