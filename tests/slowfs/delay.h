/*
 * Requests that wait for their time. Any number may wait at once: what a device with latency and
 * an endless queue does. One thread owns all of it.
 */
#ifndef SLOWFS_DELAY_H
#define SLOWFS_DELAY_H

#define FUSE_USE_VERSION 35

#include <fuse_lowlevel.h>
#include <stddef.h>
#include <stdint.h>

struct slowfs;

/* A request on its way; what it does not need is zero. */
struct request {
    int64_t due_ns;  /* CLOCK_MONOTONIC */
    uint64_t number; /* in the order of arrival: the same time, the same order */
    void (*answer)(struct slowfs *fs, struct request *request);
    fuse_req_t fuse;
    fuse_ino_t inode;
    struct fuse_file_info file;
    char *name; /* owned by the request */
    size_t size_bytes;
    off_t offset;
};

struct delay_heap {
    struct request *requests; /* a binary heap: the first one is due first */
    size_t count;
    size_t capacity;
    uint64_t next_number;
};

int64_t delay_now_ns(void);

/* Takes over REQUEST, which is due LATENCY_NS from now. Returns 0 or a negative errno. */
int delay_put(struct delay_heap *heap, const struct request *request, int64_t latency_ns);

/* Takes the request that is due first, if it is due at NOW_NS. Returns 1, or 0 if none is due. */
int delay_take(struct delay_heap *heap, int64_t now_ns, struct request *request);

/* The time from NOW_NS to the first one that is due, 0 if it is late, -1 if none waits. */
int64_t delay_until_next_ns(const struct delay_heap *heap, int64_t now_ns);

void delay_destroy(struct delay_heap *heap);

#endif
