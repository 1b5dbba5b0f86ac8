/*
 * The physical limit of checksumming a tree, measured on the machine at hand.
 *
 *   bench_limit [-T THREADS] [-a sha256|NAME|xxh128|none] [-r REPEATS] [-V VARIANT|all] DIR
 *
 * read_s  reading every file of DIR once, by N threads that share nothing but a counter. The list
 *         of files is made beforehand and not timed; no size is asked for, no file is looked at
 *         twice, no byte is handed to anybody else.
 * hash_s  hashing that many messages of these sizes with N threads, from a buffer that stays in
 *         the second-level cache, with one context a thread and the algorithm fetched once.
 * sum_s   their sum: what a program reaches that does both on N CPUs and loses nothing to
 *         scanning, handing over, ordering and printing.
 *
 * A variant of the reading loop is FORM:SIZE, where FORM is
 *   dir    open each directory once per batch, openat() the files relative to it
 *   path   open() the whole path
 * and SIZE is the read buffer of a thread. `-V all` (the default) measures every variant REPEATS
 * times and keeps the one with the best time; naming one measures that alone. Output: KEY=VALUE
 * lines, times in seconds, each the best of REPEATS.
 *
 * Files above LARGE_BYTES are read in ranges by several threads, since a disk or a page cache sets
 * no order; but hashed whole, longest first, since a SHA-256 message has one order.
 */
#include "bench/filelist.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Header-only use, so that this program needs no further library. */
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BATCH_FILES = 64, /* files a thread takes at once: the counter is then touched rarely */
    LARGE_BYTES = 16 << 20,
    RANGE_BYTES = 16 << 20,
    HOT_BYTES = 256 << 10, /* hashed again and again: fits the second-level cache */
    MAX_THREADS = 256,
};

struct variant {
    const char *name;
    bool by_directory;
    size_t buffer_bytes;
};

static const struct variant variants[] = {
    {"dir:64K", true, 64 << 10}, {"dir:128K", true, 128 << 10},   {"dir:256K", true, 256 << 10},
    {"dir:1M", true, 1 << 20},   {"path:128K", false, 128 << 10}, {"path:256K", false, 256 << 10},
    {"path:1M", false, 1 << 20},
};
enum { VARIANT_COUNT = sizeof(variants) / sizeof(variants[0]) };

/* One piece of reading: files of one directory, or a range of one large file. */
struct unit {
    size_t first;
    uint32_t count;
    uint32_t directory_length; /* of the path of the first file */
    uint64_t offset_bytes;     /* ranges only */
    uint64_t length_bytes;     /* ranges only; 0 = whole files */
};

struct work {
    /* Written before the threads start, only read by them. */
    struct file_list list;
    struct unit *units;
    size_t unit_count;
    size_t *by_size; /* numbers of files, largest first */
    const struct variant *variant;
    const EVP_MD *digest; /* NULL: xxh128 */
    /* The next unit or file to take. Relaxed: it hands out numbers and publishes nothing. */
    _Atomic size_t next;
    _Atomic uint64_t bytes_done; /* each thread adds its sum once, at its end */
};

static void die(const char *what, int error)
{
    fprintf(stderr, "bench_limit: %s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(2);
}

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void add_unit(struct work *work, size_t *capacity, struct unit unit)
{
    if (work->unit_count == *capacity) {
        *capacity = *capacity != 0 ? *capacity * 2 : 1024;
        work->units = reallocarray(work->units, *capacity, sizeof(*work->units));
        if (work->units == NULL)
            die("list of units", ENOMEM);
    }
    work->units[work->unit_count++] = unit;
}

static uint32_t directory_length(const char *path)
{
    return (uint32_t)(strrchr(path, '/') - path);
}

static void make_units(struct work *work)
{
    const struct file_entry *entries = work->list.entries;
    size_t capacity = 0;
    struct unit unit = {0};

    for (size_t i = 0; i < work->list.count; i++) {
        uint32_t length = directory_length(entries[i].path);

        if (entries[i].size_bytes > LARGE_BYTES) {
            for (uint64_t offset = 0; offset < entries[i].size_bytes; offset += RANGE_BYTES) {
                uint64_t left = entries[i].size_bytes - offset;

                add_unit(work, &capacity,
                         (struct unit){.first = i,
                                       .count = 1,
                                       .directory_length = length,
                                       .offset_bytes = offset,
                                       .length_bytes = left < RANGE_BYTES ? left : RANGE_BYTES});
            }
            continue;
        }
        bool joins = unit.count != 0 && unit.count < BATCH_FILES && unit.first + unit.count == i &&
                     length == unit.directory_length &&
                     memcmp(entries[i].path, entries[unit.first].path, length) == 0;

        if (!joins) {
            if (unit.count != 0)
                add_unit(work, &capacity, unit);
            unit = (struct unit){.first = i, .directory_length = length};
        }
        unit.count++;
    }
    if (unit.count != 0)
        add_unit(work, &capacity, unit);
}

static const struct file_list *sorted_list; /* for the comparison only, set before qsort() */

static int compare_size(const void *left, const void *right)
{
    size_t a = *(const size_t *)left;
    size_t b = *(const size_t *)right;
    uint64_t a_bytes = sorted_list->entries[a].size_bytes;
    uint64_t b_bytes = sorted_list->entries[b].size_bytes;

    if (a_bytes != b_bytes)
        return a_bytes > b_bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void sort_by_size(struct work *work)
{
    work->by_size = calloc(work->list.count, sizeof(*work->by_size));
    if (work->by_size == NULL)
        die("order by size", ENOMEM);
    for (size_t i = 0; i < work->list.count; i++)
        work->by_size[i] = i;
    sorted_list = &work->list;
    qsort(work->by_size, work->list.count, sizeof(*work->by_size), compare_size);
}

/* Reads to the end of the file: stops at a short read, as every file here is a regular one. */
static uint64_t read_whole(int fd, char *buffer, size_t size_bytes)
{
    uint64_t total = 0;

    for (;;) {
        ssize_t got = read(fd, buffer, size_bytes);

        if (got < 0)
            die("read", errno);
        total += (uint64_t)got;
        if ((size_t)got < size_bytes)
            return total;
    }
}

static uint64_t read_range(int fd, char *buffer, size_t size_bytes, const struct unit *unit)
{
    uint64_t done = 0;

    while (done < unit->length_bytes) {
        uint64_t left = unit->length_bytes - done;
        ssize_t got = pread(fd, buffer, left < size_bytes ? (size_t)left : size_bytes,
                            (off_t)(unit->offset_bytes + done));

        if (got < 0)
            die("pread", errno);
        if (got == 0)
            break;
        done += (uint64_t)got;
    }
    return done;
}

static void *read_thread(void *argument)
{
    struct work *work = argument;
    const struct variant *variant = work->variant;
    char *buffer = aligned_alloc(4096, variant->buffer_bytes);
    uint64_t total = 0;

    if (buffer == NULL)
        die("read buffer", ENOMEM);
    for (;;) {
        size_t number = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);

        if (number >= work->unit_count)
            break;
        const struct unit *unit = &work->units[number];
        char *first = work->list.entries[unit->first].path;
        int directory = AT_FDCWD;
        size_t skip = 0;

        if (variant->by_directory && unit->count > 1) {
            char *path = strndup(first, unit->directory_length);

            if (path == NULL)
                die("path", ENOMEM);
            directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (directory < 0)
                die(path, errno);
            free(path);
            skip = unit->directory_length + 1;
        }
        for (size_t i = unit->first; i < unit->first + unit->count; i++) {
            const char *path = work->list.entries[i].path;
            int fd = openat(directory, path + skip, O_RDONLY | O_CLOEXEC);

            if (fd < 0)
                die(path, errno);
            total += unit->length_bytes != 0 ? read_range(fd, buffer, variant->buffer_bytes, unit)
                                             : read_whole(fd, buffer, variant->buffer_bytes);
            close(fd);
        }
        if (directory != AT_FDCWD)
            close(directory);
    }
    free(buffer);
    atomic_fetch_add_explicit(&work->bytes_done, total, memory_order_relaxed);
    return NULL;
}

static void hash_message(const struct work *work, EVP_MD_CTX *context, XXH3_state_t *state,
                         const char *hot, uint64_t size_bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    uint64_t left = size_bytes;

    if (work->digest == NULL)
        XXH3_128bits_reset(state);
    else if (!EVP_DigestInit_ex2(context, work->digest, NULL))
        die("digest", EINVAL);
    while (left > 0) {
        size_t part = left < HOT_BYTES ? (size_t)left : HOT_BYTES;

        if (work->digest == NULL)
            XXH3_128bits_update(state, hot, part);
        else
            EVP_DigestUpdate(context, hot, part);
        left -= part;
    }
    if (work->digest == NULL) {
        XXH128_hash_t hash = XXH3_128bits_digest(state);

        memcpy(digest, &hash, sizeof(hash));
    } else if (!EVP_DigestFinal_ex(context, digest, NULL)) {
        die("digest", EINVAL);
    }
    __asm__ volatile("" : : "r"(digest) : "memory"); /* the result counts as used */
}

static void *hash_thread(void *argument)
{
    struct work *work = argument;
    char *hot = aligned_alloc(4096, HOT_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    XXH3_state_t *state = XXH3_createState();
    uint64_t total = 0;

    if (hot == NULL || context == NULL || state == NULL)
        die("hash buffers", ENOMEM);
    for (size_t i = 0; i < HOT_BYTES; i++)
        hot[i] = (char)(i * 131 + (i >> 8));
    for (;;) {
        /* The few large ones singly, so that the threads end together; the rest in batches. */
        size_t first = atomic_load_explicit(&work->next, memory_order_relaxed);
        size_t count;

        do {
            if (first >= work->list.count)
                goto done;
            size_t number = work->by_size[first];

            count = work->list.entries[number].size_bytes > (1 << 20) ? 1 : BATCH_FILES;
            if (count > work->list.count - first)
                count = work->list.count - first;
        } while (!atomic_compare_exchange_weak_explicit(
            &work->next, &first, first + count, memory_order_relaxed, memory_order_relaxed));
        for (size_t i = first; i < first + count; i++) {
            uint64_t size_bytes = work->list.entries[work->by_size[i]].size_bytes;

            hash_message(work, context, state, hot, size_bytes);
            total += size_bytes;
        }
    }
done:
    atomic_fetch_add_explicit(&work->bytes_done, total, memory_order_relaxed);
    XXH3_freeState(state);
    EVP_MD_CTX_free(context);
    free(hot);
    return NULL;
}

/* Runs the threads over everything once. Returns the seconds from first start to last end. */
static double run_threads(struct work *work, unsigned count, void *(*body)(void *))
{
    pthread_t threads[MAX_THREADS];

    atomic_store_explicit(&work->next, 0, memory_order_relaxed);
    atomic_store_explicit(&work->bytes_done, 0, memory_order_relaxed);
    double start = now_s();

    for (unsigned i = 0; i < count; i++) {
        int error = pthread_create(&threads[i], NULL, body, work);

        if (error != 0)
            die("thread", error);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    double seconds = now_s() - start;

    if (atomic_load_explicit(&work->bytes_done, memory_order_relaxed) != work->list.bytes)
        die("the tree changed while it was measured", ESTALE);
    return seconds;
}

static double best_of(struct work *work, unsigned threads, unsigned repeats, void *(*body)(void *))
{
    double best = run_threads(work, threads, body);

    for (unsigned i = 1; i < repeats; i++) {
        double seconds = run_threads(work, threads, body);

        if (seconds < best)
            best = seconds;
    }
    return best;
}

static double measure_reading(struct work *work, unsigned threads, unsigned repeats,
                              const char *wanted)
{
    const struct variant *best = NULL;
    double best_s = 0;
    bool all = strcmp(wanted, "all") == 0;

    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        if (!all && strcmp(variants[i].name, wanted) != 0)
            continue;
        work->variant = &variants[i];
        double seconds = best_of(work, threads, repeats, read_thread);

        if (all)
            printf("read_%s_s=%.6f\n", variants[i].name, seconds);
        if (best == NULL || seconds < best_s) {
            best = &variants[i];
            best_s = seconds;
        }
    }
    if (best == NULL)
        die(wanted, EINVAL);
    printf("variant=%s\n", best->name);
    return best_s;
}

static unsigned parse_count(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < 1 || value > max)
        die(text, EINVAL);
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cpus > 0 && cpus < MAX_THREADS ? (unsigned)cpus : 1;
    unsigned repeats = 3;
    const char *algorithm = "sha256";
    const char *wanted = "all";
    struct work work = {0};
    EVP_MD *fetched = NULL;
    int option;

    while ((option = getopt(argc, argv, "T:a:r:V:")) != -1) {
        if (option == 'T')
            threads = parse_count(optarg, MAX_THREADS);
        else if (option == 'a')
            algorithm = optarg;
        else if (option == 'r')
            repeats = parse_count(optarg, 1000);
        else if (option == 'V')
            wanted = optarg;
        else
            return 2;
    }
    if (optind + 1 != argc) {
        fputs("usage: bench_limit [-T THREADS] [-a sha256|NAME|xxh128|none] [-r REPEATS] "
              "[-V VARIANT|all] DIR\n",
              stderr);
        return 2;
    }
    bool hashes = strcmp(algorithm, "none") != 0;

    if (hashes && strcmp(algorithm, "xxh128") != 0) {
        fetched = EVP_MD_fetch(NULL, algorithm, NULL);
        if (fetched == NULL)
            die(algorithm, EINVAL);
        work.digest = fetched;
    }
    int error = file_list_add_tree(&work.list, argv[optind], UINT64_MAX);

    if (error == 0 && work.list.count == 0)
        error = -ENODATA;
    if (error != 0)
        die(argv[optind], error);
    make_units(&work);
    sort_by_size(&work);
    printf("files=%zu\nbytes=%" PRIu64 "\nthreads=%u\nalgorithm=%s\n", work.list.count,
           work.list.bytes, threads, algorithm);
    double read_s = measure_reading(&work, threads, repeats, wanted);
    double hash_s = hashes ? best_of(&work, threads, repeats, hash_thread) : 0;

    printf("read_s=%.6f\nhash_s=%.6f\nsum_s=%.6f\n", read_s, hash_s, read_s + hash_s);
    EVP_MD_free(fetched);
    free(work.units);
    free(work.by_size);
    file_list_destroy(&work.list);
    return 0;
}
