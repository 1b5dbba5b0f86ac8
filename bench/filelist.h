/*
 * A list of the regular files of a tree, with their sizes, in bytewise order of their paths.
 *
 * Every bench/NAME.c is a program of its own, so what two of them need lives here as static
 * functions. Nothing here is part of treemill.
 */
#ifndef BENCH_FILELIST_H
#define BENCH_FILELIST_H

#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct file_entry {
    char *path; /* root as it was given, '/', path below it */
    uint64_t size_bytes;
};

struct file_list {
    struct file_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t bytes;
};

static inline int file_list_append(struct file_list *list, const char *path, uint64_t size_bytes)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity != 0 ? list->capacity * 2 : 4096;
        struct file_entry *entries = reallocarray(list->entries, capacity, sizeof(*entries));

        if (entries == NULL)
            return -ENOMEM;
        list->entries = entries;
        list->capacity = capacity;
    }
    char *copy = strdup(path);

    if (copy == NULL)
        return -ENOMEM;
    list->entries[list->count++] = (struct file_entry){.path = copy, .size_bytes = size_bytes};
    list->bytes += size_bytes;
    return 0;
}

static inline int file_entry_compare(const void *left, const void *right)
{
    const struct file_entry *a = left;
    const struct file_entry *b = right;

    return strcmp(a->path, b->path);
}

/*
 * Appends the regular files below ROOT that have at most MAX_BYTES bytes, sorted by path.
 * Symbolic links are not followed and other file systems not entered; directories that cannot be
 * read are left out. Returns 0 or a negative errno.
 */
static inline int file_list_add_tree(struct file_list *list, const char *root, uint64_t max_bytes)
{
    char *argument = strdup(root);

    if (argument == NULL)
        return -ENOMEM;
    char *roots[] = {argument, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    size_t first = list->count;
    int error = 0;

    if (walk == NULL) {
        error = -errno;
        free(argument);
        return error;
    }
    errno = 0;
    for (FTSENT *entry; error == 0 && (entry = fts_read(walk)) != NULL; errno = 0) {
        if (entry->fts_level == FTS_ROOTLEVEL && entry->fts_info == FTS_NS)
            error = -entry->fts_errno;
        else if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode) &&
                 (uint64_t)entry->fts_statp->st_size <= max_bytes)
            error = file_list_append(list, entry->fts_path, (uint64_t)entry->fts_statp->st_size);
    }
    if (error == 0 && errno != 0)
        error = -errno;
    fts_close(walk);
    free(argument);
    if (list->count > first)
        qsort(list->entries + first, list->count - first, sizeof(*list->entries),
              file_entry_compare);
    return error;
}

static inline void file_list_destroy(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].path);
    free(list->entries);
    *list = (struct file_list){0};
}

#endif
