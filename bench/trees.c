/*
 * Makes the trees that the benchmarks read, from real files of the machine.
 *
 *   bench_trees source DIR FILES BYTES MAX ROOT...  copies files of at most MAX bytes
 *   bench_trees small  DIR FILES MAX ROOT...        cuts FILES files of 0 to MAX bytes; or MIN-MAX
 *   bench_trees large  DIR SIZE,SIZE,... ROOT...    concatenates files to these sizes
 *   bench_trees mixed  DIR FILES MAX SIZE,... ROOT...
 *                                                   DIR/small and DIR/large
 *   bench_trees digest DIR                          prints files=, bytes= and digest=
 *   bench_trees evict  DIR                          drops the tree's data from the page cache
 *
 * The same files below the same ROOTs give the same tree, byte for byte: the material is taken in
 * the order of the roots, bytewise by path within each, and what looks random (the sizes and the
 * cuts of `small`) is a hash of the file's number. trees.sh is the usual way to call this.
 */
#include "bench/filelist.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    COPY_BYTES = 1 << 20,
    POOL_BYTES = 64 << 20, /* material that `small` cuts its files from */
    FILES_PER_DIRECTORY = 500,
    DIRECTORIES_PER_PARENT = 64,
    MAX_THREADS = 64,
    MAX_PARTS = 1000, /* how often `source` repeats its material at most */
};

static void die(const char *what, int error)
{
    fprintf(stderr, "bench_trees: %s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(2);
}

static uint64_t parse_number(const char *text)
{
    char *end;

    errno = 0;
    uint64_t value = strtoumax(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0' || text[0] == '-')
        die(text, EINVAL);
    return value;
}

static void parse_range(const char *text, uint64_t *min, uint64_t *max)
{
    const char *dash = strchr(text, '-');

    *min = 0;
    *max = parse_number(dash != NULL ? dash + 1 : text);
    if (dash != NULL && (sscanf(text, "%" SCNu64, min) != 1 || *min > *max))
        die(text, EINVAL);
}

static bool path_is_below(const char *path, const char *root)
{
    size_t length = strlen(root);

    return strncmp(path, root, length) == 0 && path[length] == '/';
}

/* The material: the files below the roots, each once even where one root holds another. */
static struct file_list list_material(char **roots, uint64_t max_bytes)
{
    struct file_list all = {0};
    struct file_list once = {0};

    for (size_t r = 0; roots[r] != NULL; r++) {
        size_t first = all.count;
        int error = file_list_add_tree(&all, roots[r], max_bytes);

        if (error != 0 && error != -ENOENT)
            die(roots[r], error);
        for (size_t i = first; i < all.count; i++) {
            bool seen = false;

            for (size_t earlier = 0; earlier < r && !seen; earlier++)
                seen = path_is_below(all.entries[i].path, roots[earlier]);
            if (seen)
                continue;
            error = file_list_append(&once, all.entries[i].path, all.entries[i].size_bytes);
            if (error != 0)
                die("list of material", error);
        }
    }
    file_list_destroy(&all);
    if (once.count == 0)
        die("no readable material below the given roots", ENOENT);
    return once;
}

/* Reads up to CAPACITY bytes of PATH. Returns the count, or -1 where the file cannot be read. */
static ssize_t read_file(const char *path, char *buffer, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t length = 0;

    if (fd < 0)
        return -1;
    while (length < capacity) {
        ssize_t got = read(fd, buffer + length, capacity - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            close(fd);
            return -1;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    close(fd);
    return (ssize_t)length;
}

static void write_all(int fd, const char *data, size_t length, const char *path)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            die(path, errno);
        data += written;
        length -= (size_t)written;
    }
}

static void write_file(int directory, const char *path, const char *data, size_t length)
{
    int fd = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        die(path, errno);
    write_all(fd, data, length, path);
    if (close(fd) != 0)
        die(path, errno);
}

/* Makes PATH and what is missing above it; PATH is unchanged on return. */
static void make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            die(path, errno);
        *slash = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        die(path, errno);
}

static void make_source(const char *directory, char **arguments)
{
    uint64_t want_files = parse_number(arguments[0]);
    uint64_t want_bytes = parse_number(arguments[1]);
    uint64_t max_bytes = parse_number(arguments[2]);
    struct file_list material = list_material(arguments + 3, max_bytes);
    char *buffer = malloc(max_bytes + 1);
    char path[PATH_MAX];
    char last_directory[PATH_MAX] = "";
    uint64_t files = 0;
    uint64_t bytes = 0;

    if (buffer == NULL)
        die("copy buffer", ENOMEM);
    for (unsigned part = 1; files < want_files || bytes < want_bytes; part++) {
        uint64_t before = files;

        for (size_t i = 0; i < material.count; i++) {
            if (files >= want_files && bytes >= want_bytes)
                break;
            const char *from = material.entries[i].path;
            ssize_t length = read_file(from, buffer, max_bytes);
            int printed = part == 1
                              ? snprintf(path, sizeof(path), "%s%s", directory, from)
                              : snprintf(path, sizeof(path), "%s/part-%u%s", directory, part, from);

            if (length < 0 || printed < 0 || (size_t)printed >= sizeof(path))
                continue;
            char *slash = strrchr(path, '/');

            *slash = '\0';
            if (strcmp(path, last_directory) != 0) {
                make_directories(path);
                memcpy(last_directory, path, strlen(path) + 1);
            }
            *slash = '/';
            write_file(AT_FDCWD, path, buffer, (size_t)length);
            files++;
            bytes += (uint64_t)length;
        }
        if (files == before || part == MAX_PARTS)
            die("too little material", ENODATA);
    }
    free(buffer);
    file_list_destroy(&material);
}

/* SplitMix64 (Steele, Lea, Flood 2014): the output is a pure function of the number. */
static uint64_t mix(uint64_t number)
{
    uint64_t z = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct small_job {
    /* Set before the threads start, only read afterwards. */
    const char *directory;
    const char *pool;
    size_t pool_bytes;
    uint64_t files;
    uint64_t min_bytes;
    uint64_t max_bytes;
    /* The next directory to fill: each thread takes one; relaxed, nothing is published by it. */
    _Atomic uint64_t next;
};

static void *small_thread(void *argument)
{
    struct small_job *job = argument;
    uint64_t directories = (job->files + FILES_PER_DIRECTORY - 1) / FILES_PER_DIRECTORY;

    for (;;) {
        uint64_t number = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        char path[PATH_MAX];

        if (number >= directories)
            return NULL;
        int printed = snprintf(path, sizeof(path), "%s/group-%03" PRIu64 "/part-%05" PRIu64,
                               job->directory, number / DIRECTORIES_PER_PARENT, number);

        if (printed < 0 || (size_t)printed >= sizeof(path))
            die(job->directory, ENAMETOOLONG);
        make_directories(path);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            die(path, errno);
        uint64_t first = number * FILES_PER_DIRECTORY;

        for (uint64_t i = first; i < first + FILES_PER_DIRECTORY && i < job->files; i++) {
            char name[32];
            size_t length =
                (size_t)(job->min_bytes + mix(2 * i) % (job->max_bytes - job->min_bytes + 1));
            size_t offset = (size_t)(mix(2 * i + 1) % (job->pool_bytes - length + 1));

            snprintf(name, sizeof(name), "file-%07" PRIu64, i);
            write_file(fd, name, job->pool + offset, length);
        }
        close(fd);
    }
}

static unsigned usable_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (cpus < 1)
        return 1;
    return cpus > MAX_THREADS ? MAX_THREADS : (unsigned)cpus;
}

/* RANGE: MAX, or MIN-MAX. */
static void make_small(const char *directory, const char *files, const char *range, char **roots)
{
    struct small_job job = {.directory = directory, .files = parse_number(files)};
    struct file_list material = list_material(roots, COPY_BYTES);
    char *pool = malloc(POOL_BYTES);
    pthread_t threads[MAX_THREADS];
    unsigned count = usable_threads();

    if (pool == NULL)
        die("pool of material", ENOMEM);
    parse_range(range, &job.min_bytes, &job.max_bytes);
    for (size_t i = 0; i < material.count && job.pool_bytes < POOL_BYTES; i++) {
        ssize_t length =
            read_file(material.entries[i].path, pool + job.pool_bytes, POOL_BYTES - job.pool_bytes);

        if (length > 0)
            job.pool_bytes += (size_t)length;
    }
    if (job.pool_bytes < job.max_bytes)
        die("too little material", ENODATA);
    job.pool = pool;
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s", directory) >= (int)sizeof(path))
        die(directory, ENAMETOOLONG);
    make_directories(path);
    for (unsigned i = 0; i < count; i++) {
        int error = pthread_create(&threads[i], NULL, small_thread, &job);

        if (error != 0)
            die("thread", error);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(pool);
    file_list_destroy(&material);
}

static void make_large(const char *directory, char *sizes, char **roots)
{
    struct file_list material = list_material(roots, UINT64_MAX);
    char *buffer = malloc(COPY_BYTES);
    char path[PATH_MAX];
    size_t next = 0;
    int from = -1;

    if (buffer == NULL)
        die("copy buffer", ENOMEM);
    if (snprintf(path, sizeof(path), "%s", directory) >= (int)sizeof(path))
        die(directory, ENAMETOOLONG);
    make_directories(path);
    char *state = NULL;
    unsigned number = 1;

    for (char *size = strtok_r(sizes, ",", &state); size != NULL;
         size = strtok_r(NULL, ",", &state), number++) {
        uint64_t left = parse_number(size);
        size_t failures = 0;

        if (snprintf(path, sizeof(path), "%s/large-%u.bin", directory, number) >= (int)sizeof(path))
            die(directory, ENAMETOOLONG);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0)
            die(path, errno);
        while (left > 0) {
            if (from < 0) {
                from = open(material.entries[next++ % material.count].path,
                            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
                if (from < 0 && ++failures > material.count)
                    die("too little material", ENODATA);
                continue;
            }
            ssize_t got = read(from, buffer, left < COPY_BYTES ? (size_t)left : COPY_BYTES);

            if (got <= 0) {
                close(from);
                from = -1;
                if (++failures > material.count)
                    die("too little material", ENODATA);
                continue;
            }
            failures = 0;
            write_all(fd, buffer, (size_t)got, path);
            left -= (uint64_t)got;
        }
        if (close(fd) != 0)
            die(path, errno);
    }
    if (from >= 0)
        close(from);
    free(buffer);
    file_list_destroy(&material);
}

static void make_mixed(const char *directory, char **arguments)
{
    char path[PATH_MAX - 8];

    if (snprintf(path, sizeof(path), "%s/small", directory) >= (int)sizeof(path))
        die(directory, ENAMETOOLONG);
    make_small(path, arguments[0], arguments[1], arguments + 3);
    memcpy(strrchr(path, '/'), "/large", sizeof("/large"));
    make_large(path, arguments[2], arguments + 3);
}

/* SHA-256 over each file's path below the root, its size and its bytes, in order of the paths. */
static void print_digest(const char *directory)
{
    struct file_list list = {0};
    int error = file_list_add_tree(&list, directory, UINT64_MAX);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    char *buffer = malloc(COPY_BYTES);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;

    if (error != 0)
        die(directory, error);
    if (context == NULL || buffer == NULL || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        die("digest", ENOMEM);
    for (size_t i = 0; i < list.count; i++) {
        const char *path = list.entries[i].path;
        const char *below = path + strlen(directory);
        char size[32];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got;

        if (fd < 0)
            die(path, errno);
        snprintf(size, sizeof(size), "%" PRIu64, list.entries[i].size_bytes);
        EVP_DigestUpdate(context, below, strlen(below) + 1);
        EVP_DigestUpdate(context, size, strlen(size) + 1);
        while ((got = read(fd, buffer, COPY_BYTES)) > 0)
            EVP_DigestUpdate(context, buffer, (size_t)got);
        if (got < 0)
            die(path, errno);
        close(fd);
    }
    EVP_DigestFinal_ex(context, digest, &digest_bytes);
    printf("files=%zu\nbytes=%" PRIu64 "\ndigest=", list.count, list.bytes);
    for (unsigned i = 0; i < digest_bytes; i++)
        printf("%02x", digest[i]);
    putchar('\n');
    EVP_MD_CTX_free(context);
    free(buffer);
    file_list_destroy(&list);
}

/* Needs no privilege, but only drops clean data: names and inodes stay cached. */
static void evict(const char *directory)
{
    struct file_list list = {0};
    int error = file_list_add_tree(&list, directory, UINT64_MAX);

    if (error != 0)
        die(directory, error);
    for (size_t i = 0; i < list.count; i++) {
        int fd = open(list.entries[i].path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            die(list.entries[i].path, errno);
        error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        if (error != 0)
            die(list.entries[i].path, error);
        close(fd);
    }
    file_list_destroy(&list);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[1] : "";

    if (strcmp(verb, "source") == 0 && argc > 6)
        make_source(argv[2], argv + 3);
    else if (strcmp(verb, "small") == 0 && argc > 5)
        make_small(argv[2], argv[3], argv[4], argv + 5);
    else if (strcmp(verb, "large") == 0 && argc > 4)
        make_large(argv[2], argv[3], argv + 4);
    else if (strcmp(verb, "mixed") == 0 && argc > 6)
        make_mixed(argv[2], argv + 3);
    else if (strcmp(verb, "digest") == 0 && argc == 3)
        print_digest(argv[2]);
    else if (strcmp(verb, "evict") == 0 && argc == 3)
        evict(argv[2]);
    else {
        fputs("usage: bench_trees source DIR FILES BYTES MAX ROOT...\n"
              "       bench_trees small DIR FILES [MIN-]MAX ROOT...\n"
              "       bench_trees large DIR SIZE,SIZE,... ROOT...\n"
              "       bench_trees mixed DIR FILES [MIN-]MAX SIZE,SIZE,... ROOT...\n"
              "       bench_trees digest|evict DIR\n",
              stderr);
        return 2;
    }
    return 0;
}
