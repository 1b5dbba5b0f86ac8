/*
 * A slow device for tests and benchmarks: a read-only view of a directory in which each read is
 * answered late, and any number of reads are late at the same time. See main.c.
 */
#ifndef SLOWFS_SLOWFS_H
#define SLOWFS_SLOWFS_H

#include "tests/slowfs/delay.h"

#include <stdbool.h>

struct slowfs {
    /* Set from the command line before the session starts. */
    int64_t read_latency_ns;
    int64_t open_latency_ns;
    int64_t lookup_latency_ns; /* names looked up and directories listed */
    size_t max_read_bytes;     /* 0: what the kernel allows */
    bool buffered;
    bool short_reads;
    uint64_t fail_read;    /* the number, from 1, of the read that fails; 0: none does */
    const char *fail_name; /* a pattern of names; NULL: all files */

    int source; /* the directory that is shown */
    struct delay_heap delays;
    void *nodes; /* tsearch() tree of struct node, by path */
    char *buffer;
    size_t buffer_bytes;
};

/* The user data of a session with these operations is a struct slowfs. */
extern const struct fuse_lowlevel_ops slowfs_operations;

void slowfs_destroy(struct slowfs *fs);

#endif
