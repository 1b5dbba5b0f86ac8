/*
 * Writing as many bytes to new files as the machine does it: by threads that share nothing but a
 * counter, from a buffer in the cache, no two of them to the same file or directory.
 */
#ifndef BENCH_WRITE_LOOP_H
#define BENCH_WRITE_LOOP_H

#include "bench/measure.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { WRITE_BYTES = 256 << 10 };

/* Writing: pieces of a stream, or a file for each file. */
struct writing {
    struct progress progress;
    /* Written before the threads start, only read by them. */
    const uint64_t *file_bytes; /* NULL: a stream */
    size_t file_count;
    uint64_t out_bytes;
    int directory;
    /* Each thread takes one number at its start. */
    _Atomic unsigned thread_count;
    int outputs[MAX_THREADS]; /* directories or nameless files, one for each thread */
};

static inline void write_all(int fd, const char *buffer, uint64_t bytes)
{
    while (bytes > 0) {
        ssize_t done = write(fd, buffer, bytes < WRITE_BYTES ? (size_t)bytes : WRITE_BYTES);

        if (done < 0)
            die("write", errno);
        bytes -= (uint64_t)done;
    }
}

static inline void *write_thread(void *argument)
{
    struct writing *writing = argument;
    int output = writing->outputs[atomic_fetch_add(&writing->thread_count, 1)];
    char *buffer = aligned_alloc(4096, WRITE_BYTES);
    uint64_t total = 0;

    if (buffer == NULL)
        die("write buffer", ENOMEM);
    memset(buffer, 'x', WRITE_BYTES);
    for (;;) {
        size_t number = progress_take(&writing->progress);

        if (writing->file_bytes == NULL) {
            uint64_t at = (uint64_t)number * WRITE_BYTES;

            if (at >= writing->out_bytes)
                break;
            uint64_t left = writing->out_bytes - at;
            uint64_t part = left < WRITE_BYTES ? left : WRITE_BYTES;

            write_all(output, buffer, part);
            total += part;
            continue;
        }
        if (number >= writing->file_count)
            break;
        char name[32];

        snprintf(name, sizeof(name), "%zu", number);
        int fd = openat(output, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        if (fd < 0)
            die("create", errno);
        write_all(fd, buffer, writing->file_bytes[number]);
        close(fd);
        total += writing->file_bytes[number];
    }
    free(buffer);
    progress_add(&writing->progress, total);
    return NULL;
}

/* A place for each thread. Its name goes before anything is written: after a stream it vanishes
 * with its descriptor. Files are removed one by one, which takes no part in the time. */
static inline void open_outputs(struct writing *writing, unsigned threads)
{
    for (unsigned t = 0; t < threads; t++) {
        char name[32];

        snprintf(name, sizeof(name), "limit.%u", t);
        if (writing->file_bytes != NULL && mkdirat(writing->directory, name, 0777) != 0)
            die(name, errno);
        writing->outputs[t] =
            writing->file_bytes != NULL
                ? openat(writing->directory, name, O_PATH | O_DIRECTORY | O_CLOEXEC)
                : openat(writing->directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writing->outputs[t] < 0)
            die(name, errno);
        if (writing->file_bytes == NULL)
            unlinkat(writing->directory, name, 0);
    }
}

static inline void close_outputs(struct writing *writing, unsigned threads)
{
    for (unsigned t = 0; t < threads; t++) {
        char name[32];

        /* Which thread wrote which file is not known: each name is tried in each directory. */
        for (size_t i = 0; writing->file_bytes != NULL && i < writing->file_count; i++) {
            snprintf(name, sizeof(name), "%zu", i);
            unlinkat(writing->outputs[t], name, 0);
        }
        close(writing->outputs[t]);
        snprintf(name, sizeof(name), "limit.%u", t);
        if (writing->file_bytes != NULL)
            unlinkat(writing->directory, name, AT_REMOVEDIR);
    }
}

/*
 * Seconds of writing OUT_BYTES to new files in DIRECTORY, best of REPEATS: to one for each thread
 * or, with FILE_BYTES, to FILE_COUNT files of these sizes, whose sum OUT_BYTES is. Nothing of
 * them stays.
 */
static inline double measure_writing(const char *directory, uint64_t out_bytes,
                                     const uint64_t *file_bytes, size_t file_count,
                                     unsigned threads, unsigned repeats)
{
    struct writing writing = {
        .file_bytes = file_bytes, .file_count = file_count, .out_bytes = out_bytes};
    double best = 0;

    writing.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (writing.directory < 0)
        die(directory, errno);
    for (unsigned i = 0; i < repeats; i++) {
        open_outputs(&writing, threads);
        atomic_store(&writing.thread_count, 0);
        double seconds = run_threads(&writing.progress, threads, out_bytes, write_thread);

        close_outputs(&writing, threads);
        best = i == 0 || seconds < best ? seconds : best;
    }
    close(writing.directory);
    return best;
}

#endif
