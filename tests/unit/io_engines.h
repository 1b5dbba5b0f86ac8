/* Carrying out chains of operations under each engine, for tests. */
#ifndef TREEMILL_TESTS_UNIT_IO_ENGINES_H
#define TREEMILL_TESTS_UNIT_IO_ENGINES_H

#include <check.h>
#include <stdlib.h>

#include "pipeline/io_loop.h"

/* Whether $TREEMILL_IO_FAULT is heeded. */
#ifdef TREEMILL_CRASH_POINTS
#define WITH_FAULTS 1
#else
#define WITH_FAULTS 0
#endif

struct engine {
    enum io_kind kind;
    int stop_fd; /* or -1 */
    struct io_loop *loop;
    struct io_counters counters;
};

/* False: it cannot be had here. */
static bool engine_open(struct engine *engine, enum io_kind kind, int stop_fd)
{
    char why[128];
    *engine = (struct engine){.kind = kind, .stop_fd = stop_fd};
    if (kind == IO_SYNC)
        return true;
    if (io_engine(kind)->probe(why, sizeof why) < 0)
        return false;
    struct io_loop_setup setup = {.depth = 2,
                                  .bell_fd = -1,
                                  .stop_fd = stop_fd,
                                  .tombstone_fd = -1,
                                  .counters = &engine->counters};
    ck_assert_int_eq(io_engine(kind)->create(&setup, &engine->loop), 0);
    return true;
}

static void engine_close(struct engine *engine)
{
    if (engine->kind != IO_SYNC)
        io_engine(engine->kind)->destroy(engine->loop);
}

static void engine_run(struct engine *engine, struct io_chain *chain)
{
    chain->number = 1;
    chain->stop_fd = engine->stop_fd;
    if (engine->kind == IO_SYNC) {
        io_sync_execute(chain);
        return;
    }
    const struct io_engine *table = io_engine(engine->kind);
    table->submit(engine->loop, chain);
    struct io_chain *done;
    while (!(done = table->complete(engine->loop)))
        table->wait(engine->loop);
    ck_assert_ptr_eq(done, chain);
}

#endif
