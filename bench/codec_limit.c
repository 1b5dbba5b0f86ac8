/*
 * The physical limit of compressing a tree, or of decompressing what it became, measured on the
 * machine at hand.
 *
 *   bench_codec_limit [-T THREADS] [-c LIBRARY:LEVEL|none] [-b BLOCK] [-m] [-d LIBRARY]
 *                     [-w DIR | -W DIR] [-r REPEATS] [-V VARIANT|all] PATH
 *
 * read_s   reading every file of PATH once, as in bench_limit (bench/read_loop.h); 0 with -d
 * codec_s  compressing them from memory by N threads, with one context and one output buffer a
 *          thread: the contents one after another as in a tar archive, with headers of 512 bytes
 *          and padding, cut into blocks of BLOCK bytes (1M) that are compressed by themselves.
 *          With -m each file by itself, as in a zip archive, cut where it is longer than a block.
 *          With -d decompressing these blocks by LIBRARY instead; compressing them is not timed
 * sum_s    both: what a program reaches that reads and compresses on N CPUs and loses nothing to
 *          scanning, handing over, ordering and writing
 * write_s  -w: writing as many bytes as came out to new files in DIR, one for each thread; -W: to
 *          a new file for each file (which -d or no codec bring forth again). 0 without either
 * all_s    all three. This, too, is as if nothing waited: the threads write to no common file
 * files, bytes, out_bytes, threads, variant: what that was done with
 *
 * LIBRARY is isal (gzip members, levels 0 to 3), libdeflate (gzip members, 1 to 12) or zstd
 * (frames with checksums). The data lies in memory for the whole run: PATH must fit.
 */
#include "bench/codec_libraries.h"
#include "bench/read_loop.h"
#include "bench/write_loop.h"

#include <sys/mman.h>

enum {
    RECORD_BYTES = 512, /* of a tar archive */
    BLOCK_BYTES_MAX = 64 << 20,
};

/* What is compressed by itself. */
struct block {
    const char *data;
    size_t bytes;
    size_t file; /* of -m: its number */
    /* By the thread that took the block. */
    size_t made_bytes;
    void *made; /* kept for -d, else NULL */
};

struct work {
    struct progress progress;
    /* Written before the threads start, only read by them. */
    struct file_list list;
    const struct library *library; /* NULL: none */
    int level;
    const struct library *reverse; /* NULL: compressing is what is measured */
    size_t block_bytes;
    bool by_member;
    char *data;
    size_t data_bytes;
    struct block *blocks;
    size_t block_count;
};

static void parse_codec(struct work *work, const char *text)
{
    const char *colon = strchr(text, ':');
    char *end;

    if (strcmp(text, "none") == 0)
        return;
    if (colon == NULL)
        die(text, EINVAL);
    work->library = find_library(text, (size_t)(colon - text));
    work->level = (int)strtol(colon + 1, &end, 10);
    void *state = work->library->open(work->level);

    if (end == colon + 1 || *end != '\0' || state == NULL)
        die(text, EINVAL);
    work->library->close(state);
}

static size_t parse_bytes(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*end == 'K' || *end == 'M')
        value <<= *end++ == 'K' ? 10 : 20;
    if (*end != '\0' || value < 1 || value > BLOCK_BYTES_MAX)
        die(text, EINVAL);
    return (size_t)value;
}

/* A header as compressible as one of tar is: a name, then numbers that mostly repeat. */
static void make_header(char *header, const char *path, uint64_t size_bytes)
{
    size_t length = strlen(path);

    memcpy(header, path + (length < 100 ? 0 : length - 100), length < 100 ? length : 100);
    snprintf(header + 100, RECORD_BYTES - 100,
             "0000644%c0001750%c0001750%c%011" PRIo64 "%c14312345670%c%06o%c 0", 0, 0, 0,
             size_bytes, 0, 0, (unsigned)(length * 997), 0);
    memcpy(header + 257, "ustar\00000user", 13);
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static void load_file(const struct file_entry *entry, char *data)
{
    int fd = open(entry->path, O_RDONLY | O_CLOEXEC);
    uint64_t done = 0;

    if (fd < 0)
        die(entry->path, errno);
    while (done < entry->size_bytes) {
        ssize_t got = read(fd, data + done, entry->size_bytes - done);

        if (got <= 0)
            die(entry->path, got < 0 ? errno : ESTALE);
        done += (uint64_t)got;
    }
    close(fd);
}

static void cut(struct work *work, const char *data, size_t bytes, size_t file)
{
    size_t done = 0;

    do {
        size_t part = bytes - done < work->block_bytes ? bytes - done : work->block_bytes;

        work->blocks[work->block_count++] =
            (struct block){.data = data + done, .bytes = part, .file = file};
        done += part;
    } while (done < bytes);
}

/* Everything into memory, and the blocks. */
static void load(struct work *work)
{
    size_t header_bytes = work->by_member ? 0 : RECORD_BYTES;
    size_t unit = work->by_member ? 1 : RECORD_BYTES;
    size_t block_max = 1;
    size_t at = 0;

    for (size_t i = 0; i < work->list.count; i++) {
        work->data_bytes += header_bytes + round_up(work->list.entries[i].size_bytes, unit);
        block_max += work->by_member + work->list.entries[i].size_bytes / work->block_bytes;
    }
    block_max += work->data_bytes / work->block_bytes;
    work->blocks = calloc(block_max, sizeof(*work->blocks));
    work->data = mmap(NULL, work->data_bytes + 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (work->blocks == NULL || work->data == MAP_FAILED)
        die("the tree in memory", ENOMEM);
    /* Fewer misses of the TLB: that a page is small is no limit of a codec. */
    madvise(work->data, work->data_bytes + 1, MADV_HUGEPAGE);
    for (size_t i = 0; i < work->list.count; i++) {
        const struct file_entry *entry = &work->list.entries[i];

        if (!work->by_member)
            make_header(work->data + at, entry->path, entry->size_bytes);
        at += header_bytes;
        load_file(entry, work->data + at);
        if (work->by_member)
            cut(work, work->data + at, entry->size_bytes, i);
        at += round_up(entry->size_bytes, unit);
    }
    if (!work->by_member)
        cut(work, work->data, work->data_bytes, 0);
}

static void *compress_thread(void *argument)
{
    struct work *work = argument;
    const struct library *library = work->library;
    void *state = library->open(work->level);
    size_t capacity = library->bound(work->block_bytes);
    char *output = malloc(capacity);
    uint64_t total = 0;

    if (state == NULL || output == NULL)
        die("compressor", ENOMEM);
    for (size_t i; (i = progress_take(&work->progress)) < work->block_count;) {
        struct block *block = &work->blocks[i];

        block->made_bytes = library->compress(state, block->data, block->bytes, output, capacity);
        if (block->made_bytes == 0)
            die("compress", EINVAL);
        if (work->reverse != NULL) {
            block->made = malloc(block->made_bytes);
            if (block->made == NULL)
                die("compressed block", ENOMEM);
            memcpy(block->made, output, block->made_bytes);
        }
        total += block->bytes;
    }
    free(output);
    library->close(state);
    progress_add(&work->progress, total);
    return NULL;
}

static void *decompress_thread(void *argument)
{
    struct work *work = argument;
    const struct library *library = work->reverse;
    void *state = library->open_reverse();
    char *output = malloc(work->block_bytes);
    uint64_t total = 0;

    if (state == NULL || output == NULL)
        die("decompressor", ENOMEM);
    for (size_t i; (i = progress_take(&work->progress)) < work->block_count;) {
        const struct block *block = &work->blocks[i];

        if (!library->decompress(state, block->made, block->made_bytes, output, block->bytes) ||
            memcmp(output, block->data, block->bytes < 64 ? block->bytes : 64) != 0)
            die("decompress", EBADMSG);
        total += block->bytes;
    }
    free(output);
    library->close_reverse(state);
    progress_add(&work->progress, total);
    return NULL;
}

/* Seconds of the codec; 0 if there is none. Afterwards each block knows what it came to. */
static double measure_codec(struct work *work, unsigned threads, unsigned repeats)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < work->block_count; i++) {
        bytes += work->blocks[i].bytes;
        work->blocks[i].made_bytes = work->blocks[i].bytes;
    }
    if (work->library == NULL)
        return 0;
    if (work->reverse == NULL)
        return best_of(&work->progress, threads, bytes, repeats, compress_thread);
    run_threads(&work->progress, default_threads(), bytes, compress_thread);
    return best_of(&work->progress, threads, bytes, repeats, decompress_thread);
}

/* What would be written: for each file (-m), and the sum. */
static uint64_t count_output(const struct work *work, uint64_t *file_bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < work->block_count; i++) {
        const struct block *block = &work->blocks[i];
        uint64_t bytes = work->reverse != NULL ? block->bytes : block->made_bytes;

        file_bytes[block->file] += bytes;
        sum += bytes;
    }
    return sum;
}

static void unload(struct work *work)
{
    for (size_t i = 0; i < work->block_count; i++)
        free(work->blocks[i].made);
    free(work->blocks);
    munmap(work->data, work->data_bytes + 1);
    file_list_destroy(&work->list);
}

int main(int argc, char **argv)
{
    unsigned threads = default_threads();
    unsigned repeats = 3;
    const char *wanted = "all";
    const char *codec = "libdeflate:6";
    const char *directory = NULL; /* to write to */
    bool by_file = false;         /* -W */
    struct work work = {.block_bytes = 1 << 20};
    int option;

    while ((option = getopt(argc, argv, "T:c:b:md:w:W:r:V:")) != -1) {
        if (option == 'T')
            threads = parse_count(optarg, MAX_THREADS);
        else if (option == 'c')
            codec = optarg;
        else if (option == 'b')
            work.block_bytes = parse_bytes(optarg);
        else if (option == 'm')
            work.by_member = true;
        else if (option == 'd')
            work.reverse = find_library(optarg, strlen(optarg));
        else if (option == 'w' || option == 'W')
            directory = optarg, by_file = option == 'W';
        else if (option == 'r')
            repeats = parse_count(optarg, 1000);
        else if (option == 'V')
            wanted = optarg;
        else
            return 2;
    }
    parse_codec(&work, codec);
    if (optind + 1 != argc ||
        (by_file && !work.by_member && work.library != NULL && work.reverse == NULL) ||
        (work.reverse != NULL && work.library == NULL)) {
        fputs("usage: bench_codec_limit [-T THREADS] [-c LIBRARY:LEVEL|none] [-b BLOCK] [-m] "
              "[-d LIBRARY] [-w DIR | -W DIR (with -m, -d or none)] [-r REPEATS] [-V VARIANT|all] "
              "PATH\n",
              stderr);
        return 2;
    }
    int error = file_list_add_tree(&work.list, argv[optind], UINT64_MAX);

    if (error == 0 && work.list.count == 0)
        error = -ENODATA;
    if (error != 0)
        die(argv[optind], error);
    struct reading reading = {.list = &work.list};
    double read_s = 0;

    if (work.reverse == NULL) {
        make_units(&reading);
        read_s = measure_reading(&reading, threads, repeats, wanted);
        free(reading.units);
    }
    load(&work);
    double codec_s = measure_codec(&work, threads, repeats);
    uint64_t *file_bytes = calloc(work.list.count, sizeof(*file_bytes));

    if (file_bytes == NULL)
        die("sizes", ENOMEM);
    uint64_t out_bytes = count_output(&work, file_bytes);
    if (by_file && !work.by_member) { /* the files themselves, without an archive's headers */
        out_bytes = work.list.bytes;
        for (size_t i = 0; i < work.list.count; i++)
            file_bytes[i] = work.list.entries[i].size_bytes;
    }
    double write_s = directory != NULL
                         ? measure_writing(directory, out_bytes, by_file ? file_bytes : NULL,
                                           work.list.count, threads, repeats)
                         : 0;

    printf("files=%zu\nbytes=%" PRIu64 "\nout_bytes=%" PRIu64 "\nthreads=%u\n", work.list.count,
           work.list.bytes, out_bytes, threads);
    printf("read_s=%.6f\ncodec_s=%.6f\nsum_s=%.6f\nwrite_s=%.6f\nall_s=%.6f\n", read_s, codec_s,
           read_s + codec_s, write_s, read_s + codec_s + write_s);
    free(file_bytes);
    unload(&work);
    return 0;
}
