#include "cli/estimate.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/options.h"
#include "pipeline/sync.h"
#include "stages/count.h"
#include "stages/shortage.h"

/* A job that is over sooner is not waited for by anybody, and is not to be slowed. */
static const uint64_t patience_ns = 500000000;

/* What ioprio_set(2) takes; glibc has no names for it. */
#define IOPRIO_OF_THIS_THREAD 1
#define IOPRIO_IDLE           (3 << 13)

struct estimate {
    const struct options *options;
    struct count_setup count;
    struct walk_totals totals; /* the thread writes; `final` is stored last, released */
    _Atomic bool stop;
    bool has_begun; /* or will not; the asking thread's */
    bool has_thread;
    uint64_t due_ns;
    pthread_t thread;
};

struct estimate *estimate_create(const struct options *options, const struct selection *selection)
{
    struct estimate *estimate = options->files_from.count ? NULL : calloc(1, sizeof *estimate);
    if (!estimate)
        return NULL;
    estimate->options = options;
    estimate->due_ns = clock_ns() + patience_ns;
    estimate->count = (struct count_setup){
        .selection = selection,
        .follow_links = options->dereference,
        .one_file_system = options->one_file_system,
        .read_special = options->special == SPECIAL_READ,
        .totals = &estimate->totals,
        .stop = &estimate->stop,
    };
    return estimate;
}

/* On Linux, both are of the calling thread alone. They fail where nothing can be done about it. */
static void yield_to_all_others(void)
{
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    syscall(SYS_ioprio_set, IOPRIO_OF_THIS_THREAD, 0, IOPRIO_IDLE);
}

static void *run(void *argument)
{
    struct estimate *estimate = argument;
    const struct option_list *operands = &estimate->options->operands;
    yield_to_all_others();
    for (size_t i = 0; i < operands->count; i++)
        if (!count_operand(&estimate->count, operands->items[i]))
            return NULL;
    atomic_store_explicit(&estimate->totals.final, true, memory_order_release);
    return NULL;
}

/* The thread takes no signals: they are for the one that waits for them. */
static void begin(struct estimate *estimate)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    estimate->has_thread = pthread_create(&estimate->thread, NULL, run, estimate) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool estimate_ask(struct estimate *estimate, uint64_t *files, uint64_t *bytes)
{
    *files = *bytes = 0;
    if (!estimate)
        return false;
    if (!estimate->has_begun && clock_ns() >= estimate->due_ns) {
        estimate->has_begun = true;
        if (!atomic_load(&estimate->stop) && !shortage_is_expected())
            begin(estimate);
    }
    bool is_final = atomic_load_explicit(&estimate->totals.final, memory_order_acquire);
    *files = atomic_load_explicit(&estimate->totals.files, memory_order_relaxed);
    *bytes = atomic_load_explicit(&estimate->totals.bytes, memory_order_relaxed);
    return is_final;
}

void estimate_stop(struct estimate *estimate)
{
    if (estimate)
        atomic_store(&estimate->stop, true);
}

bool estimate_destroy(struct estimate *estimate)
{
    if (!estimate)
        return true;
    if (estimate->has_thread && pthread_tryjoin_np(estimate->thread, NULL) != 0)
        return false;
    free(estimate);
    return true;
}
