/*
 * What a process and its descendants hold together, from /proc. For bench/paired.c.
 */
#ifndef BENCH_PROCESS_MEMORY_H
#define BENCH_PROCESS_MEMORY_H

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { PROCESS_TREE_MAX = 4096 };

struct process_entry {
    pid_t pid;
    pid_t parent;
    bool ours;
};

static inline pid_t process_parent(const char *pid)
{
    char path[64];
    char text[512];
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof(text) - 1, file);

    fclose(file);
    text[length] = '\0';
    char *end = strrchr(text, ')'); /* the name before it may hold anything */

    if (end == NULL || sscanf(end + 1, " %*c %d", &parent) != 1)
        return 0;
    return parent;
}

static inline long process_proportional_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Pss: %ld", &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}

/*
 * The memory that ROOT and everything descended from it hold now, in KiB: the sum of their
 * proportional set sizes, in which a page shared by two processes counts once. Processes that end
 * meanwhile count as nothing. Of a machine with more processes than PROCESS_TREE_MAX some are not
 * looked at. Not thread-safe: the table is static.
 */
static inline long process_tree_kib(pid_t root)
{
    static struct process_entry processes[PROCESS_TREE_MAX];
    size_t count = 0;
    long kib = 0;
    DIR *directory = opendir("/proc");

    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < PROCESS_TREE_MAX;) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = (pid_t)atoi(entry->d_name);

        processes[count++] =
            (struct process_entry){pid, process_parent(entry->d_name), pid == root};
    }
    closedir(directory);
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < count && !processes[i].ours; j++) {
                if (processes[j].ours && processes[j].pid == processes[i].parent)
                    processes[i].ours = changed = true;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (processes[i].ours)
            kib += process_proportional_kib(processes[i].pid);
    }
    return kib;
}

#endif
