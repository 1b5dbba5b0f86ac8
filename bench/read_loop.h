/*
 * Reading every file of a tree once, as fast as the machine does it: by threads that share nothing
 * but a counter, from a list of files made beforehand; no size is asked for, no file is looked at
 * twice, no byte is handed to anybody else.
 *
 * A variant of the loop is FORM:SIZE, where FORM is
 *   dir    open each directory once per batch, openat() the files relative to it
 *   path   open() the whole path
 * and SIZE is the read buffer of a thread. Files above LARGE_BYTES are read in ranges by several
 * threads, since a disk or a page cache sets no order.
 */
#ifndef BENCH_READ_LOOP_H
#define BENCH_READ_LOOP_H

#include "bench/filelist.h"
#include "bench/measure.h"

#include <fcntl.h>
#include <stdbool.h>

enum {
    BATCH_FILES = 64, /* files a thread takes at once: the counter is then touched rarely */
    LARGE_BYTES = 16 << 20,
    RANGE_BYTES = 16 << 20,
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

struct reading {
    struct progress progress;
    /* Written before the threads start, only read by them. */
    const struct file_list *list;
    struct unit *units;
    size_t unit_count;
    const struct variant *variant;
};

static inline void add_unit(struct reading *reading, size_t *capacity, struct unit unit)
{
    if (reading->unit_count == *capacity) {
        *capacity = *capacity != 0 ? *capacity * 2 : 1024;
        reading->units = reallocarray(reading->units, *capacity, sizeof(*reading->units));
        if (reading->units == NULL)
            die("list of units", ENOMEM);
    }
    reading->units[reading->unit_count++] = unit;
}

static inline uint32_t directory_length(const char *path)
{
    return (uint32_t)(strrchr(path, '/') - path);
}

/* To be called once, when the list is complete. */
static inline void make_units(struct reading *reading)
{
    const struct file_entry *entries = reading->list->entries;
    size_t capacity = 0;
    struct unit unit = {0};

    for (size_t i = 0; i < reading->list->count; i++) {
        uint32_t length = directory_length(entries[i].path);

        if (entries[i].size_bytes > LARGE_BYTES) {
            for (uint64_t offset = 0; offset < entries[i].size_bytes; offset += RANGE_BYTES) {
                uint64_t left = entries[i].size_bytes - offset;

                add_unit(reading, &capacity,
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
                add_unit(reading, &capacity, unit);
            unit = (struct unit){.first = i, .directory_length = length};
        }
        unit.count++;
    }
    if (unit.count != 0)
        add_unit(reading, &capacity, unit);
}

/* Reads to the end of the file: stops at a short read, as every file here is a regular one. */
static inline uint64_t read_whole(int fd, char *buffer, size_t size_bytes)
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

static inline uint64_t read_range(int fd, char *buffer, size_t size_bytes, const struct unit *unit)
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

static inline void *read_thread(void *argument)
{
    struct reading *reading = argument;
    const struct variant *variant = reading->variant;
    char *buffer = aligned_alloc(4096, variant->buffer_bytes);
    uint64_t total = 0;

    if (buffer == NULL)
        die("read buffer", ENOMEM);
    for (;;) {
        size_t number = progress_take(&reading->progress);

        if (number >= reading->unit_count)
            break;
        const struct unit *unit = &reading->units[number];
        char *first = reading->list->entries[unit->first].path;
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
            const char *path = reading->list->entries[i].path;
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
    progress_add(&reading->progress, total);
    return NULL;
}

/*
 * Seconds of reading READING->list, best of REPEATS: by the variant WANTED or, if it is "all", by
 * the best one. Prints which it was and, of all, the seconds of each.
 */
static inline double measure_reading(struct reading *reading, unsigned threads, unsigned repeats,
                                     const char *wanted)
{
    const struct variant *best = NULL;
    double best_s = 0;
    bool all = strcmp(wanted, "all") == 0;

    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        if (!all && strcmp(variants[i].name, wanted) != 0)
            continue;
        reading->variant = &variants[i];
        double seconds =
            best_of(&reading->progress, threads, reading->list->bytes, repeats, read_thread);

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

#endif
