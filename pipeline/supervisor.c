/* supervisor: starts worker processes, hears of their deaths, has them repaired and replaced.
 *
 * Roles. The nursery is a single-threaded process, forked before the main process has any thread;
 * it forks the workers (forking from a threaded process leaves locks of libraries held for ever)
 * and reaps them. The supervisor's thread in the main process reads the nursery's reports and
 * calls graph_worker_died() for each death, in the order of the deaths.
 *
 * Waits. The nursery waits for requests and for SIGCHLD. The supervisor's thread waits for a
 * report; it is woken by one, or by the end of the nursery, which closes the socket.
 *
 * Deaths. Worker: reported. Nursery: its workers get SIGKILL from the kernel (PDEATHSIG), the
 * supervisor reads end-of-file and fails the job. Main process: the nursery gets SIGKILL, and so
 * its workers. After PDEATHSIG is set the parent is checked again: it may have died just before.
 *
 * Ending. supervisor_destroy() asks the nursery to quit; it forks nothing any more, waits for the
 * workers (whose queues have been closed by then), reports them, and exits.
 */
#include "pipeline/graph_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/crash.h"

struct supervisor {
    struct tm_graph *graph;
    int socket; /* SOCK_SEQPACKET: sends are whole messages, from any thread */
    pid_t nursery;
    pthread_t thread;
    bool thread_runs;
    _Atomic bool quitting; /* set once by supervisor_destroy(), read by the thread */
};

#define REQUEST_QUIT UINT16_MAX

/* A request is a worker's number, or REQUEST_QUIT. */
struct report {
    uint16_t number;
    int32_t wait_status;
};

/* The nursery. */

struct nursery {
    struct tm_graph *graph;
    int socket;
    int signal_fd;
    unsigned alive;
    bool quitting;
    sigset_t worker_mask; /* the signal mask that workers run with */
};

static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

_Noreturn static void worker_process_main(struct nursery *nursery, pid_t parent, uint16_t number)
{
    struct tm_group *group = nursery->graph->slot_group[number];
    char name[16];
    die_with_parent(parent);
    close(nursery->socket);
    close(nursery->signal_fd);
    sigprocmask(SIG_SETMASK, &nursery->worker_mask, NULL);
    snprintf(name, sizeof name, "%.10s-%u", lane_stage_name(group->lane, group->first_stage),
             (number - group->first_slot) % 1000);
    prctl(PR_SET_NAME, name);
    crash_enable();
    worker_main(group, number);
    _exit(0);
}

static void send_report(const struct nursery *nursery, uint16_t number, int wait_status)
{
    struct report report = {number, wait_status};
    /* A main process that is gone takes this process with it: nothing to do about a failure. */
    (void)!send(nursery->socket, &report, sizeof report, MSG_NOSIGNAL);
}

static void nursery_spawn(struct nursery *nursery, uint16_t number)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        worker_process_main(nursery, parent, number);
    if (pid < 0) {
        send_report(nursery, number, W_EXITCODE(1, 0)); /* counts as a death without work */
        return;
    }
    nursery->alive++;
    atomic_store_explicit(&nursery->graph->slot[number].pid, pid, memory_order_relaxed);
}

static void nursery_reap(struct nursery *nursery)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        nursery->alive--;
        for (unsigned n = 0; n < nursery->graph->slot_count; n++) {
            _Atomic int32_t *slot_pid = &nursery->graph->slot[n].pid;
            if (atomic_load_explicit(slot_pid, memory_order_relaxed) != pid)
                continue;
            atomic_store_explicit(slot_pid, 0, memory_order_relaxed);
            send_report(nursery, (uint16_t)n, status);
        }
    }
}

_Noreturn static void nursery_main(struct nursery *nursery)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &nursery->worker_mask);
    /* The main process may have it blocked, to do something first: a worker has nothing to do. */
    sigdelset(&nursery->worker_mask, SIGTSTP);
    signal(SIGCHLD, SIG_DFL); /* ignored by whoever started us: deaths would not be told */
    nursery->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (nursery->signal_fd < 0)
        _exit(1);
    prctl(PR_SET_NAME, "nursery");
    while (!nursery->quitting || nursery->alive) {
        struct pollfd fds[2] = {{.fd = nursery->socket, .events = POLLIN},
                                {.fd = nursery->signal_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue; /* EINTR */
        if (fds[1].revents) {
            struct signalfd_siginfo info;
            while (read(nursery->signal_fd, &info, sizeof info) > 0)
                ;
            nursery_reap(nursery);
        }
        if (fds[0].revents) {
            uint16_t request;
            ssize_t got = recv(nursery->socket, &request, sizeof request, MSG_DONTWAIT);
            if (got == 0)
                _exit(1); /* the main process is gone */
            if (got == sizeof request && request == REQUEST_QUIT)
                nursery->quitting = true;
            else if (got == sizeof request && !nursery->quitting)
                nursery_spawn(nursery, request);
        }
    }
    _exit(0);
}

/* The main process's side. */

int supervisor_create(struct tm_graph *graph, struct supervisor **out)
{
    int sockets[2];
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
        int error = -errno;
        free(supervisor);
        return error;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        die_with_parent(parent);
        close(sockets[0]);
        struct nursery nursery = {.graph = graph, .socket = sockets[1]};
        nursery_main(&nursery);
    }
    int error = -errno;
    close(sockets[1]);
    if (pid < 0) {
        close(sockets[0]);
        free(supervisor);
        return error;
    }
    *supervisor = (struct supervisor){.graph = graph, .socket = sockets[0], .nursery = pid};
    *out = supervisor;
    return 0;
}

static void *supervisor_main(void *argument)
{
    struct supervisor *supervisor = argument;
    for (;;) {
        struct report report;
        ssize_t got = recv(supervisor->socket, &report, sizeof report, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof report)
            break;
        if (graph_worker_died(supervisor->graph, report.number, report.wait_status))
            supervisor_spawn(supervisor, report.number);
    }
    if (!atomic_load_explicit(&supervisor->quitting, memory_order_acquire))
        graph_fail(supervisor->graph, fault_system(TM_OP_START, ECHILD), "worker nursery");
    return NULL;
}

int supervisor_start(struct supervisor *supervisor)
{
    int error = pthread_create(&supervisor->thread, NULL, supervisor_main, supervisor);
    supervisor->thread_runs = error == 0;
    if (!error)
        pthread_setname_np(supervisor->thread, "supervisor");
    return -error;
}

int supervisor_spawn(struct supervisor *supervisor, uint16_t number)
{
    if (send(supervisor->socket, &number, sizeof number, MSG_NOSIGNAL) < 0)
        return -errno;
    return 0;
}

int supervisor_nursery(const struct supervisor *supervisor)
{
    return supervisor->nursery;
}

void supervisor_destroy(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    atomic_store_explicit(&supervisor->quitting, true, memory_order_release);
    supervisor_spawn(supervisor, REQUEST_QUIT);
    if (supervisor->thread_runs)
        ALWAYS(pthread_join(supervisor->thread, NULL) == 0);
    while (waitpid(supervisor->nursery, NULL, 0) < 0 && errno == EINTR)
        ;
    close(supervisor->socket);
    free(supervisor);
}
