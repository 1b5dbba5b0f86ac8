#include "cli/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/progress.h"
#include "pipeline/graph.h"
#include "pipeline/sync.h"

/* Signals belong to the process: this one state does, too. */
static struct {
    struct signals job;
    pthread_t thread;
    bool runs;
    bool blocked;
    sigset_t mask; /* before signals_block() */
    int cancel_fd;
    _Atomic int caught; /* the thread writes it before it cancels; others read after the job */
    /* signals_stop() sets it and sends SIGUSR2 to wake the thread. */
    _Atomic bool stopping;
} state = {.cancel_fd = -1};

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH};
#define END_SECONDS 2
/* What follows within this time is the same order once more, not impatience: timeout(1) signals its
 * child and then the group that the child is in. Nobody presses a key twice as fast. */
#define SAME_ORDER_NS 100000000u

/* nohup(1), and shells for what they put into the background, start programs with signals ignored.
 * They stay so: a blocked signal would come to sigwaitinfo() in spite of that. */
static bool is_ignored(int number)
{
    struct sigaction action;
    bool is_ours = number == SIGUSR1 || number == SIGUSR2 || number == SIGWINCH;
    return !is_ours && sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static sigset_t watched_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        if (!is_ignored(watched[i]))
            sigaddset(&set, watched[i]);
    return set;
}

void signals_block(void)
{
    if (state.blocked)
        return;
    sigset_t set = watched_set();
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, &state.mask);
    state.blocked = true;
    if (state.cancel_fd < 0)
        state.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int signals_cancel_fd(void)
{
    return state.cancel_fd;
}

int signals_caught(void)
{
    return atomic_load(&state.caught);
}

_Noreturn static void leave_at_once(int number)
{
    if (state.job.temporary)
        unlink(state.job.temporary);
    _exit(128 + number);
}

static bool ends_job(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

/* The first one: cancel, then see that the job ends. */
static void end_job(int number, const sigset_t *set)
{
    atomic_store(&state.caught, number);
    eventfd_write(state.cancel_fd, 1);
    graph_cancel(state.job.graph);
    uint64_t settled_ns = clock_ns() + SAME_ORDER_NS;
    struct timespec wait = {.tv_sec = END_SECONDS};
    for (;;) {
        int next = sigtimedwait(set, NULL, &wait);
        if (next == SIGUSR2 && atomic_load(&state.stopping))
            return;
        bool insists = ends_job(next) && clock_ns() >= settled_ns;
        if (insists || (next < 0 && errno == EAGAIN))
            leave_at_once(number);
    }
}

/* Stops the process as the signal does by itself, the line being clean. All other threads have it
 * blocked, so it comes here; and returns when the process goes on, or at once where nobody could
 * let it go on (an orphaned process group). */
static void stop_process(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    if (state.job.progress)
        progress_suspend(state.job.progress);
    kill(getpid(), SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    if (state.job.progress)
        progress_resume(state.job.progress);
}

static void *wait_for_signals(void *unused)
{
    (void)unused;
    sigset_t set = watched_set();
    for (;;) {
        int number = sigwaitinfo(&set, NULL);
        if (number == SIGUSR2 && atomic_load(&state.stopping))
            return NULL;
        if (number == SIGUSR1 && state.job.progress)
            progress_print_status(state.job.progress);
        if (number == SIGWINCH && state.job.progress)
            progress_resized(state.job.progress);
        if (number == SIGTSTP)
            stop_process();
        if (ends_job(number)) {
            end_job(number, &set);
            return NULL;
        }
    }
}

int signals_start(const struct signals *signals)
{
    state.job = *signals;
    atomic_store(&state.stopping, false);
    int error = pthread_create(&state.thread, NULL, wait_for_signals, NULL);
    state.runs = error == 0;
    return -error;
}

/* What asks for a status only must not end the program now that nobody answers: it stays blocked.
 * So do all when the first has ended the job: the status is that one's, and little is left to do.
 */
static void unblock(void)
{
    sigset_t mask = state.mask;
    if (!state.blocked || signals_caught())
        return;
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    state.blocked = false;
}

void signals_stop(void)
{
    if (state.runs) {
        atomic_store(&state.stopping, true);
        pthread_kill(state.thread, SIGUSR2);
        pthread_join(state.thread, NULL);
        state.runs = false;
    }
    unblock();
}
