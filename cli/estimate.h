/* estimate: how much the job will be, known before its walk is: for the share done and the time
 * left.
 *
 * The walk is only a few batches ahead of the work, since it waits for credits. So a job that shows
 * its progress and lasts longer than a moment gets a thread that counts its files ahead, by the
 * walk's rules, at the lowest priority. It counts and does nothing else: no output, no errors, and
 * the job does not wait for it, unless it was asked to (--scan-first).
 */
#ifndef TREEMILL_CLI_ESTIMATE_H
#define TREEMILL_CLI_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

struct count_setup;
struct estimate;
struct options;

/* Whether the names can be gone through twice: they are operands, or lines of lists that are
 * regular files. */
bool estimate_is_possible(const struct options *options);

/* `rules`: of the walk; copied, its totals, stop and links are not looked at. What it and the
 * options point to is borrowed until estimate_destroy(). finds_links: see struct walk_setup. NULL:
 * no memory, or it is not possible. */
struct estimate *estimate_create(const struct options *options, const struct count_setup *rules,
                                 bool finds_links);

/* What is counted so far; true: this is all there is. Starts the count when half a second has gone
 * by since estimate_create(). One thread, until estimate_stop() was called by any. NULL allowed. */
bool estimate_ask(struct estimate *estimate, uint64_t *files, uint64_t *bytes);

/* Begins to count at once, and not at the lowest priority. Before anybody asks. NULL is allowed. */
void estimate_begin(struct estimate *estimate);
/* After that: waits until all is counted, or until cancel_fd becomes readable. False: it could not
 * be counted to the end. NULL is allowed. */
bool estimate_wait(struct estimate *estimate, int cancel_fd);

/* The count is of no use any more. Does not wait. NULL is allowed. */
void estimate_stop(struct estimate *estimate);

/* After estimate_stop(), when nobody asks any more. False: the thread has not ended yet, being of
 * low priority or inside a slow file system, and nothing it uses may go: the process is to end
 * with it. NULL is allowed. */
bool estimate_destroy(struct estimate *estimate);

#endif
