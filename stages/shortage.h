/* shortage: what a job does when there are too few file descriptors.
 *
 * "Too many open files" passes when others close theirs, so whoever meets it gives up all that it
 * holds, waits a little and begins again; nobody waits while holding one. Threads share one table
 * of descriptors: once it has been too small, or where it is so small that this can be expected,
 * it is scarce for the rest of the process's life, and workers keep nothing open for later.
 *
 * Descriptors that one worker holds at most, at any time:
 *     scan  3   the directory; two on the way down a path longer than PATH_MAX
 *     read  5   two directories and a large file for later; two on the way down
 *     hash  3   the file that it reads itself; two on the way down
 *     publish 2 the file and its directory; two on the way down
 *     extract 2 likewise; its sink another one, for a file that comes in pieces; see beneath.h for
 *             what is kept open as long as they are not scarce
 * and no more than SHORTAGE_LEAST when they are scarce; the walk's own thread like a scan worker.
 * Chains in flight on one event loop share the directories: 2 more for each chain.
 */
#ifndef TREEMILL_STAGES_SHORTAGE_H
#define TREEMILL_STAGES_SHORTAGE_H

#include <stdbool.h>

#include "pipeline/io.h"

/* A job ends, if slowly, when this many descriptors are free once its workers run. */
#define SHORTAGE_LEAST 3

/* How often somebody has waited since it last got one; zero at first, and at each success. */
struct shortage {
    unsigned pauses;
};

/* How many descriptors of SHORTAGE_LEAST are lacking at this moment. */
unsigned shortage_lacking(void);

/* Whether nothing is to be kept open for later. Any thread. */
bool shortage_is_expected(void);

/* Whether the error is a shortage that may pass. Then the caller closes all it holds, pauses, and
 * begins again. False: another error, or waited long enough, or the job is over. */
bool shortage_may_pass(struct shortage *shortage, int error, const struct io_chain *chain);
/* Adds the pause to the chain, behind what closes. */
void shortage_pause(const struct shortage *shortage, struct io_chain *chain);

/* opener_open() for a thread that may block: waits for a descriptor as the stages do. */
int shortage_open(const char *path, size_t path_bytes, int flags);

/* A descriptor was to be had. */
static inline void shortage_is_over(struct shortage *shortage)
{
    shortage->pauses = 0;
}

#endif
