/* The io_uring engine's two halves: making a ring (io_uring_setup.c), using it (io_uring.c). */
#ifndef TREEMILL_PIPELINE_IO_URING_PRIVATE_H
#define TREEMILL_PIPELINE_IO_URING_PRIVATE_H

#include <liburing.h>

#include "pipeline/io_loop.h"

/* A chain has at most this many operations in the ring. */
#define LINKED_MAX 3

/* Beside the chains' operations: the two polls and one cancellation. */
#define OTHERS_MAX 4

struct io_loop {
    struct io_loop_setup setup;
    struct io_uring ring;
    bool ring_is_open;
    bool can_open, can_time, can_cancel, can_write, can_sync; /* operations the kernel offers */
    bool direct;     /* the ring has a table of its own for descriptors */
    bool registered; /* setup.buffer is */
    bool bell_polled, stop_polled;
    bool rung; /* the bell's completion was met outside of wait(), whose caller must hear of it */
    bool stopping;
    struct io_chain **chains;        /* in flight, by number; NULL: none */
    struct __kernel_timespec *pause; /* by number of chain */
    struct io_list done;
};

/* As the engine's table has them, see struct io_engine. */
int uring_probe(char *why, size_t why_bytes);
int uring_create(const struct io_loop_setup *setup, struct io_loop **loop);
void uring_destroy(struct io_loop *loop);

#endif
