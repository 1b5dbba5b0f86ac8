/*
 * What the programs that measure have in common: the clock, numbers of the command line, and a
 * body run by so many threads at once over work that they take from one counter.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

static inline void die(const char *what, int error)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
            strerror(error < 0 ? -error : error));
    exit(2);
}

static inline double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline unsigned parse_count(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < 1 || value > max)
        die(text, EINVAL);
    return (unsigned)value;
}

/* One thread for each CPU that is there. */
static inline unsigned default_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return cpus > 0 && cpus < MAX_THREADS ? (unsigned)cpus : 1;
}

/* How far the threads of one run are: first member of what their body gets. */
struct progress {
    /* The next piece of work to take. Relaxed: it hands out numbers and publishes nothing. */
    _Atomic size_t next;
    _Atomic uint64_t bytes_done; /* each thread adds its sum once, at its end */
};

static inline size_t progress_take(struct progress *progress)
{
    return atomic_fetch_add_explicit(&progress->next, 1, memory_order_relaxed);
}

static inline void progress_add(struct progress *progress, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->bytes_done, bytes, memory_order_relaxed);
}

/*
 * Runs BODY in COUNT threads over everything once; each is given PROGRESS. Returns the seconds
 * from first start to last end. All together must do BYTES.
 */
static inline double run_threads(struct progress *progress, unsigned count, uint64_t bytes,
                                 void *(*body)(void *))
{
    pthread_t threads[MAX_THREADS];

    atomic_store_explicit(&progress->next, 0, memory_order_relaxed);
    atomic_store_explicit(&progress->bytes_done, 0, memory_order_relaxed);
    double start = now_s();

    for (unsigned i = 0; i < count; i++) {
        int error = pthread_create(&threads[i], NULL, body, progress);

        if (error != 0)
            die("thread", error);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    double seconds = now_s() - start;

    if (atomic_load_explicit(&progress->bytes_done, memory_order_relaxed) != bytes)
        die("the tree changed while it was measured", ESTALE);
    return seconds;
}

static inline double best_of(struct progress *progress, unsigned threads, uint64_t bytes,
                             unsigned repeats, void *(*body)(void *))
{
    double best = run_threads(progress, threads, bytes, body);

    for (unsigned i = 1; i < repeats; i++) {
        double seconds = run_threads(progress, threads, bytes, body);

        if (seconds < best)
            best = seconds;
    }
    return best;
}

#endif
