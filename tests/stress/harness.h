/* What the stress programs share: a watchdog that turns a hang into a failure, checks that say
 * what is wrong, random numbers with a seed. */
#ifndef TREEMILL_TESTS_STRESS_HARNESS_H
#define TREEMILL_TESTS_STRESS_HARNESS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

/* Increased by whoever gets on; the watchdog ends the program when it stands still. */
static _Atomic uint64_t progress_counter;
static const char *running_mode = "";

__attribute__((unused)) static void get_on(void)
{
    atomic_fetch_add_explicit(&progress_counter, 1, memory_order_relaxed);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s: %s:%d: failed: %s\n", running_mode, __FILE__, __LINE__,           \
                    #condition);                                                                   \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static unsigned watchdog_seconds = 20;

static void *watch(void *unused)
{
    (void)unused;
    uint64_t last = atomic_load(&progress_counter);
    for (unsigned still = 0;; still++) {
        sleep(1);
        uint64_t now = atomic_load(&progress_counter);
        if (now != last)
            still = 0;
        last = now;
        if (still >= watchdog_seconds) {
            fprintf(stderr, "%s: hang: nothing has moved for %u s\n", running_mode, still);
            _exit(1);
        }
    }
    return NULL;
}

__attribute__((unused)) static void start_watchdog(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, watch, NULL) == 0);
    pthread_detach(thread);
}

/* The same for a program that must not have a second thread yet, because it forks: once a second a
 * signal looks. It sees a loop without end inside the queue, too. */
static volatile uint64_t watched_last;
static volatile unsigned watched_still;

static void look(int number)
{
    static const char text[] = "hang: nothing has moved\n";
    uint64_t now = atomic_load(&progress_counter);
    (void)number;
    watched_still = now == watched_last ? watched_still + 1 : 0;
    watched_last = now;
    if (watched_still < watchdog_seconds)
        return;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 2 : 1);
}

/* Children have no timer: they do not inherit it. */
__attribute__((unused)) static void alarm_watchdog(bool on)
{
    struct itimerval second = {.it_interval = {.tv_sec = on}, .it_value = {.tv_sec = on}};
    struct sigaction action = {.sa_handler = look, .sa_flags = SA_RESTART};
    watched_still = 0;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &second, NULL) == 0);
}

/* xorshift64* */
__attribute__((unused)) static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

#endif
