/* The models, counts and engines that the tests of pipeline/graph go through: three stages each. */
#ifndef TREEMILL_TESTS_UNIT_GRAPH_SHAPES_H
#define TREEMILL_TESTS_UNIT_GRAPH_SHAPES_H

#include "pipeline/graph.h"

#if defined(__SANITIZE_THREAD__)
#define WITH_PROCESSES 0 /* ThreadSanitizer does not follow forked workers */
#else
#define WITH_PROCESSES 1
#endif

/* Each row: models and counts of three stages, and whether the second is fused to the first. */
static const struct shape {
    enum model model[3];
    unsigned workers[3];
    bool fused;
    enum io_kind io[3];
    unsigned depth[3];
    bool paired;    /* the second stage */
    unsigned burst; /* of each stage's threads */
} shapes[] = {
    {{MODEL_INLINE, MODEL_INLINE, MODEL_INLINE}, {0, 0, 0}, false},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_THREADS}, {1, 1, 1}, false},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_THREADS}, {7, 2, 7}, false},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_INLINE}, {2, 2, 0}, true},
    {{MODEL_INLINE, MODEL_THREADS, MODEL_INLINE}, {0, 7, 0}, false},
    {{MODEL_THREADS, MODEL_INLINE, MODEL_THREADS}, {2, 0, 1}, false},
    {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_PROCESSES}, {2, 2, 2}, false},
    {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE}, {7, 7, 0}, true},
    {{MODEL_THREADS, MODEL_PROCESSES, MODEL_INLINE}, {2, 1, 0}, false},
    {{MODEL_PROCESSES, MODEL_THREADS, MODEL_PROCESSES}, {1, 7, 1}, false},
    {{MODEL_URING, MODEL_URING, MODEL_URING},
     {1, 1, 1},
     false,
     {IO_URING, IO_URING, IO_URING},
     {1, 1, 1}},
    {{MODEL_EPOLL, MODEL_EPOLL, MODEL_EPOLL},
     {2, 2, 2},
     false,
     {IO_EPOLL, IO_EPOLL, IO_EPOLL},
     {3, 4, 5}},
    {{MODEL_URING, MODEL_URING, MODEL_INLINE}, {3, 3, 0}, true, {IO_URING, IO_URING}, {4, 4}},
    {{MODEL_EPOLL, MODEL_INLINE, MODEL_THREADS}, {1, 0, 2}, false, {IO_EPOLL}, {16}},
    {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_URING},
     {2, 2, 1},
     false,
     {IO_URING, IO_EPOLL, IO_URING},
     {4, 4, 4}},
    {{MODEL_THREADS, MODEL_PROCESSES, MODEL_INLINE}, {2, 3, 0}, false, {IO_SYNC, IO_URING}, {0, 2}},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_INLINE}, {1, 1, 0}, true, {IO_SYNC}, {0}, true},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_THREADS}, {2, 3, 1}, false, {IO_SYNC}, {0}, true},
    {{MODEL_PROCESSES, MODEL_PROCESSES, MODEL_INLINE}, {2, 2, 0}, true, {IO_SYNC}, {0}, true},
    {{MODEL_INLINE, MODEL_INLINE, MODEL_INLINE}, {0, 0, 0}, false, {IO_SYNC}, {0}, true},
    {{MODEL_THREADS, MODEL_THREADS, MODEL_INLINE}, {2, 3, 0}, false, .burst = 5},
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

/* Whether it can be had here. */
static inline bool is_available(const struct shape *shape)
{
    char why[128];
    if (shape->burst && io_uring_engine.probe(why, sizeof why) < 0)
        return false;
    for (int s = 0; s < 3; s++) {
        const struct io_engine *engine = io_engine(shape->io[s]);
        if (shape->model[s] == MODEL_PROCESSES && !WITH_PROCESSES)
            return false;
        if (engine && engine->probe(why, sizeof why) < 0)
            return false;
    }
    return true;
}

#endif
