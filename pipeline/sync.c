#include "pipeline/sync.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Noreturn void always_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "treemill: internal error: %s:%d: %s\n", file, line, expression);
    abort();
}

void lock_init(struct tm_lock *lock)
{
    pthread_mutexattr_t attributes;
    ALWAYS(pthread_mutexattr_init(&attributes) == 0);
    ALWAYS(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    ALWAYS(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    ALWAYS(pthread_mutex_init(&lock->mutex, &attributes) == 0);
    ALWAYS(pthread_mutexattr_destroy(&attributes) == 0);
}

bool lock_take(struct tm_lock *lock)
{
    int error = pthread_mutex_lock(&lock->mutex);
    ALWAYS(error == 0 || error == EOWNERDEAD);
    return error == EOWNERDEAD;
}

void lock_repaired(struct tm_lock *lock)
{
    ALWAYS(pthread_mutex_consistent(&lock->mutex) == 0);
}

void lock_release(struct tm_lock *lock)
{
    ALWAYS(pthread_mutex_unlock(&lock->mutex) == 0);
}

/* FUTEX_WAIT and FUTEX_WAKE without FUTEX_PRIVATE_FLAG: the word is shared between processes. */
void event_wait(_Atomic uint32_t *event, uint32_t seen)
{
    long result = syscall(SYS_futex, event, FUTEX_WAIT, seen, NULL, NULL, 0);
    ALWAYS(result == 0 || errno == EAGAIN || errno == EINTR);
}

void event_wake(_Atomic uint32_t *event, uint32_t count)
{
    ALWAYS(syscall(SYS_futex, event, FUTEX_WAKE, count, NULL, NULL, 0) >= 0);
}

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
