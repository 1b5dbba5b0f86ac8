/* helpers: a small pool of threads that does what has no nonblocking form, for one event loop.
 *
 * Roles. The loop's thread gives a chain and takes back those that are done; helpers carry out
 * operations of the chains they were given until one that helpers_may_do() refuses, or the end.
 *
 * Waits. A helper sleeps on an event word (see sync.h) and is woken by helpers_give() or
 * helpers_destroy(); all are threads of one process and die together. The loop hears of an answer
 * by the eventfd. Helpers are started one by one as chains find none of them idle.
 */
#ifndef TREEMILL_PIPELINE_IO_HELPERS_H
#define TREEMILL_PIPELINE_IO_HELPERS_H

#include "pipeline/io_loop.h"

struct io_helpers;

/* At most `threads` of them; `event_fd` is written after each answer. 0 or -errno. */
int helpers_create(unsigned threads, int event_fd, struct io_helpers **helpers);
/* Waits for those at work. NULL is allowed; no chain may be with them. */
void helpers_destroy(struct io_helpers *helpers);

/* Whether the chain's next operation `op` is one for a helper: it ends by itself in reasonable
 * time. */
bool helpers_may_do(const struct io_chain *chain, const struct io_op *op);
/* The chain's next operation must be one. Does not block. */
void helpers_give(struct io_helpers *helpers, struct io_chain *chain);
/* A chain that has come back, or NULL. Does not block. */
struct io_chain *helpers_take(struct io_helpers *helpers);

#endif
