#include "cli/estimate.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/names.h"
#include "cli/options.h"
#include "cli/report.h"
#include "pipeline/sync.h"
#include "stages/count.h"
#include "stages/links.h"
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
    _Atomic bool stop;         /* any thread sets it, the counting one looks at it, relaxed */
    bool is_urgent;            /* constant once the thread runs */
    int ended_fd;              /* eventfd, written when the count has ended; -1: nobody waits */
    /* Of the asking thread, once it is there; before, of the one that makes this. */
    bool has_begun; /* or will not */
    bool has_thread;
    uint64_t due_ns;
    pthread_t thread;
};

bool estimate_is_possible(const struct options *options)
{
    for (size_t i = 0; i < options->files_from.count; i++) {
        struct stat status;
        if (stat(options->files_from.items[i], &status) < 0 || !S_ISREG(status.st_mode))
            return false;
    }
    return true;
}

struct estimate *estimate_create(const struct options *options, const struct count_setup *rules,
                                 bool finds_links)
{
    struct estimate *estimate = estimate_is_possible(options) ? calloc(1, sizeof *estimate) : NULL;
    if (!estimate)
        return NULL;
    estimate->options = options;
    estimate->ended_fd = -1;
    estimate->due_ns = clock_ns() + patience_ns;
    estimate->count = *rules;
    estimate->count.totals = &estimate->totals;
    estimate->count.stop = &estimate->stop;
    estimate->count.links = finds_links ? links_create() : NULL;
    if (finds_links && !estimate->count.links) {
        free(estimate);
        return NULL;
    }
    return estimate;
}

/* On Linux, all of them are of the calling thread alone. They fail where nothing can be done about
 * it. */
static void yield_to_all_others(void)
{
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    syscall(SYS_ioprio_set, IOPRIO_OF_THIS_THREAD, 0, IOPRIO_IDLE);
}

static bool count_name(const struct estimate *estimate, const struct walk_name *name)
{
    char *path = strndup(name->text, name->bytes);
    if (!path)
        return false;
    /* A line "-" of a list is a file of that name. */
    bool is_file = strcmp(path, "-") == 0 && !name->is_standard_input;
    bool goes_on = count_operand(&estimate->count, is_file ? "./-" : path);
    free(path);
    return goes_on;
}

/* What is wrong with a list is told by the walk. */
static bool count_names(const struct estimate *estimate)
{
    struct report *nobody = report_create(&(struct report_options){.program = "", .fd = -1});
    struct names *names = NULL;
    struct walk_name name;
    const char *failed_path;
    bool goes_on = nobody && names_create(estimate->options, 0, nobody, &names, &failed_path) == 0;
    while (goes_on && names_next(names, true, &name) == WALK_NAME)
        goes_on = count_name(estimate, &name);
    names_destroy(names);
    report_destroy(nobody);
    return goes_on;
}

static void *run(void *argument)
{
    struct estimate *estimate = argument;
    if (!estimate->is_urgent)
        yield_to_all_others();
    if (count_names(estimate))
        atomic_store_explicit(&estimate->totals.final, true, memory_order_release);
    if (estimate->ended_fd >= 0)
        eventfd_write(estimate->ended_fd, 1);
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
    if (estimate->has_thread)
        pthread_setname_np(estimate->thread, "count");
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

void estimate_begin(struct estimate *estimate)
{
    if (!estimate)
        return;
    estimate->has_begun = estimate->is_urgent = true;
    estimate->ended_fd = eventfd(0, EFD_CLOEXEC);
    if (estimate->ended_fd >= 0)
        begin(estimate);
}

bool estimate_wait(struct estimate *estimate, int cancel_fd)
{
    if (!estimate || !estimate->has_thread)
        return false;
    struct pollfd ends[] = {{.fd = estimate->ended_fd, .events = POLLIN},
                            {.fd = cancel_fd, .events = POLLIN}};
    while (!(ends[0].revents | ends[1].revents))
        poll(ends, 2, -1);
    return atomic_load_explicit(&estimate->totals.final, memory_order_acquire);
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
    if (estimate->ended_fd >= 0)
        close(estimate->ended_fd);
    links_destroy(estimate->count.links);
    free(estimate);
    return true;
}
