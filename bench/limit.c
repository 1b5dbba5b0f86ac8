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
 * `-V all` (the default) measures every variant of the reading loop (bench/read_loop.h) REPEATS
 * times and keeps the one with the best time; naming one measures that alone. Output: KEY=VALUE
 * lines, times in seconds, each the best of REPEATS.
 *
 * Large files are read in ranges by several threads; but hashed whole, longest first, since a
 * SHA-256 message has one order.
 */
#include "bench/read_loop.h"

#include <openssl/evp.h>

/* Header-only use, so that this program needs no further library. */
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    HOT_BYTES = 256 << 10, /* hashed again and again: fits the second-level cache */
};

struct work {
    struct progress progress;
    /* Written before the threads start, only read by them. */
    struct file_list list;
    size_t *by_size;      /* numbers of files, largest first */
    const EVP_MD *digest; /* NULL: xxh128 */
};

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
        size_t first = atomic_load_explicit(&work->progress.next, memory_order_relaxed);
        size_t count;

        do {
            if (first >= work->list.count)
                goto done;
            size_t number = work->by_size[first];

            count = work->list.entries[number].size_bytes > (1 << 20) ? 1 : BATCH_FILES;
            if (count > work->list.count - first)
                count = work->list.count - first;
        } while (!atomic_compare_exchange_weak_explicit(&work->progress.next, &first, first + count,
                                                        memory_order_relaxed,
                                                        memory_order_relaxed));
        for (size_t i = first; i < first + count; i++) {
            uint64_t size_bytes = work->list.entries[work->by_size[i]].size_bytes;

            hash_message(work, context, state, hot, size_bytes);
            total += size_bytes;
        }
    }
done:
    progress_add(&work->progress, total);
    XXH3_freeState(state);
    EVP_MD_CTX_free(context);
    free(hot);
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned threads = default_threads();
    unsigned repeats = 3;
    const char *algorithm = "sha256";
    const char *wanted = "all";
    struct work work = {0};
    struct reading reading = {.list = &work.list};
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
    make_units(&reading);
    sort_by_size(&work);
    printf("files=%zu\nbytes=%" PRIu64 "\nthreads=%u\nalgorithm=%s\n", work.list.count,
           work.list.bytes, threads, algorithm);
    double read_s = measure_reading(&reading, threads, repeats, wanted);
    double hash_s =
        hashes ? best_of(&work.progress, threads, work.list.bytes, repeats, hash_thread) : 0;

    printf("read_s=%.6f\nhash_s=%.6f\nsum_s=%.6f\n", read_s, hash_s, read_s + hash_s);
    EVP_MD_free(fetched);
    free(reading.units);
    free(work.by_size);
    file_list_destroy(&work.list);
    return 0;
}
