/*
 * Runs one command and measures it. For bench/paired.c.
 */
#ifndef BENCH_RUN_COMMAND_H
#define BENCH_RUN_COMMAND_H

#include "bench/measure.h"
#include "bench/process_memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OUTPUT_BYTES = 16384, /* of a command that measures by itself */
    SAMPLE_NS = 5000000,
};

/* The process group to end on SIGALRM; written before the timer is armed. */
static volatile sig_atomic_t running_group;
static volatile sig_atomic_t timed_out;

static inline void on_alarm(int signal)
{
    (void)signal;
    timed_out = 1;
    if (running_group > 0)
        kill(-(pid_t)running_group, SIGKILL);
}

/* Our own end must not leave a command running in its group. */
static inline void on_end(int number)
{
    if (running_group > 0)
        kill(-(pid_t)running_group, SIGKILL);
    signal(number, SIG_DFL);
    raise(number);
}

struct outcome {
    double wall_s;
    struct rusage usage;
    long together_kib;
    int status;
    char output[OUTPUT_BYTES];
};

static inline pid_t start(const char *text, int output)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork", errno);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        setpgid(0, 0);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(output >= 0 ? output : null, STDOUT_FILENO) < 0)
            _exit(127);
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid); /* by both, as either may come first */
    return pid;
}

/*
 * Runs one command to its end. wait4()'s peak also covers the moment before execl(), when the
 * child is a copy of this process, so this process stays small.
 */
static inline void run(const char *text, bool capture, bool sample, unsigned kill_s,
                       struct outcome *out)
{
    int pipe_ends[2] = {-1, -1};
    size_t length = 0;
    long peak_kib = 0;

    if (capture && pipe2(pipe_ends, O_CLOEXEC) != 0)
        die("pipe", errno);
    timed_out = 0;
    double begin = now_s();
    pid_t pid = start(text, pipe_ends[1]);

    running_group = pid;
    alarm(kill_s);
    if (capture) {
        close(pipe_ends[1]);
        for (;;) {
            ssize_t got = read(pipe_ends[0], out->output + length, OUTPUT_BYTES - 1 - length);

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            length += (size_t)got;
        }
        close(pipe_ends[0]);
    }
    out->output[length] = '\0';
    for (;;) {
        pid_t got = wait4(pid, &out->status, sample ? WNOHANG : 0, &out->usage);

        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            die("wait4", errno);
        if (got == 0) {
            long kib = process_tree_kib(pid);

            peak_kib = kib > peak_kib ? kib : peak_kib;
            nanosleep(&(struct timespec){.tv_nsec = SAMPLE_NS}, NULL);
        }
    }
    out->wall_s = now_s() - begin;
    alarm(0);
    running_group = 0;
    out->together_kib = peak_kib;
}

/* To be called once, before the first command. */
static inline void catch_signals(void)
{
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_end}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_end}, NULL);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_end}, NULL);
}

#endif
