/* Bursts: how a blocking worker does many chains of one item with few system calls.
 *
 * A bundle of small files is many short chains that have nothing to do with each other. A worker
 * that does one after another enters the kernel for each operation; where entering it is dear (in
 * virtual machines, with mitigations) that is most of the time. So the worker has a ring of its
 * own, gives it as many chains as the burst is large, and enters the kernel once for all of them.
 * It still has one item in hand, and goes on to the group's next stage with it, its data in the
 * cache: it is a blocking worker in all but the number of its calls.
 *
 * Waits. The worker sleeps in its engine until a chain is done; the job's stop descriptor ends
 * those that may take for ever, as io_sync_execute() has it. Nobody else's doing is waited for.
 *
 * For threads only: a process may be killed with its ring in flight (see io_tombstone.h). */
#include "pipeline/graph_private.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline/burst.h"

struct burst {
    const struct io_engine *engine;
    struct io_loop *io;
    unsigned depth;
    struct io_chain *chains;
};

struct burst *burst_open(unsigned depth, int stop_fd, struct io_counters *counters)
{
    struct burst *burst = calloc(1, sizeof *burst);
    if (!burst)
        return NULL;
    *burst = (struct burst){.engine = io_engine(IO_URING), .depth = depth};
    burst->chains = calloc(burst->depth, sizeof *burst->chains);
    /* The slabs are not registered: that would bring in all their pages at once, and takes longer
     * than it saves with small files. */
    struct io_loop_setup setup = {.depth = burst->depth,
                                  .bell_fd = -1,
                                  .stop_fd = stop_fd,
                                  .tombstone_fd = -1,
                                  .counters = counters};
    if (!burst->chains || burst->engine->create(&setup, &burst->io) < 0) {
        burst_close(burst);
        return NULL;
    }
    for (unsigned n = 0; n < burst->depth; n++) {
        burst->chains[n].number = n;
        burst->chains[n].stop_fd = stop_fd;
    }
    return burst;
}

void burst_close(struct burst *burst)
{
    if (!burst)
        return;
    burst->engine->destroy(burst->io);
    free(burst->chains);
    free(burst);
}

/* Other strands open their files by longer ways until it is there. */
static bool opens_directory(const struct io_chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        if (chain->op[i].code == IO_OPEN && chain->op[i].flags & O_DIRECTORY)
            return true;
    return false;
}

/* Whether the chain is under way again; else the strand has ended. */
static bool go_on(struct burst *burst, const struct stage_ops *ops, void *state,
                  const struct item_view *view, struct io_chain *chain)
{
    while (ops->step(state, view, chain)) {
        if (!opens_directory(chain)) {
            burst->engine->submit(burst->io, chain);
            return true;
        }
        io_sync_execute(chain);
    }
    return false;
}

void burst_run(struct burst *burst, const struct stage_ops *ops, void *state,
               const struct item_view *view)
{
    unsigned active = 0;
    for (unsigned n = 0; n < burst->depth && n < ops->strands; n++) {
        burst->chains[n].count = 0;
        burst->chains[n].strand = n;
        if (!go_on(burst, ops, state, view, &burst->chains[n]))
            break; /* where one found nothing to do, another will not */
        active++;
    }
    while (active) {
        struct io_chain *chain = burst->engine->complete(burst->io);
        if (!chain)
            burst->engine->wait(burst->io);
        else if (!go_on(burst, ops, state, view, chain))
            active--;
    }
}

/* Measuring: a stage that reads one file again and again. */

#define MEASURED_FILES 32
#define MEASURED_BYTES 1024
#define ROUNDS         4 /* of which the best counts */

struct measuring {
    const char *path;
    unsigned left; /* files to begin */
    bool failed;
    struct statx status;
    char data[MEASURED_BYTES];
};

static bool measuring_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct measuring *measuring = state;
    (void)view;
    for (unsigned i = 0; i < chain->count; i++)
        measuring->failed = measuring->failed || chain->op[i].result < 0;
    chain->count = 0;
    if (!measuring->left || measuring->failed)
        return false;
    measuring->left--;
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = AT_FDCWD,
                                 .path = measuring->path,
                                 .flags = O_RDONLY | O_CLOEXEC});
    io_add(chain, (struct io_op){.code = IO_READ,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = measuring->data,
                                 .size = sizeof measuring->data,
                                 .minimum = 1});
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = &measuring->status,
                                 .size = STATX_BASIC_STATS});
    io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    return true;
}

/* Nanoseconds; 0: it failed. */
static uint64_t measure_once(struct burst *burst, struct measuring *measuring)
{
    static const struct stage_ops ops = {.step = measuring_step, .strands = MEASURED_FILES};
    struct item_view none = {0};
    struct io_chain chain = {.stop_fd = -1};
    measuring->left = MEASURED_FILES;
    uint64_t start = clock_ns();
    if (burst)
        burst_run(burst, &ops, measuring, &none);
    else
        while (measuring_step(measuring, &none, &chain))
            io_sync_execute(&chain);
    return measuring->failed ? 0 : clock_ns() - start;
}

unsigned burst_measure(const char *path, unsigned depth)
{
    struct io_counters counters = {0};
    struct measuring measuring = {.path = path};
    struct burst *burst = burst_open(depth, -1, &counters);
    uint64_t alone = UINT64_MAX, together = UINT64_MAX;
    for (unsigned round = 0; burst && round < ROUNDS; round++) {
        uint64_t one = measure_once(NULL, &measuring), other = measure_once(burst, &measuring);
        alone = one < alone ? one : alone;
        together = other < together ? other : together;
    }
    burst_close(burst);
    return burst && alone ? (unsigned)(together * 100 / alone) : 0;
}
