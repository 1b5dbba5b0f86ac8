/* estimate: how much the job will be, known before its walk is: for the share done and the time
 * left.
 *
 * The walk is only a few batches ahead of the work, since it waits for credits. So a job that shows
 * its progress and lasts longer than a moment gets a thread that counts its files ahead, by the
 * walk's rules, at the lowest priority. It counts and does nothing else: no output, no errors, and
 * the job never waits for it.
 */
#ifndef TREEMILL_CLI_ESTIMATE_H
#define TREEMILL_CLI_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

struct estimate;
struct options;
struct selection;

/* Everything is borrowed until estimate_destroy(). NULL: no memory, or the job's names are not in
 * its operands alone. */
struct estimate *estimate_create(const struct options *options, const struct selection *selection);

/* What is counted so far; true: this is all there is. Starts the count when half a second has gone
 * by since estimate_create(). One thread, until estimate_stop() was called by any. NULL allowed. */
bool estimate_ask(struct estimate *estimate, uint64_t *files, uint64_t *bytes);

/* The count is of no use any more. Does not wait. NULL is allowed. */
void estimate_stop(struct estimate *estimate);

/* After estimate_stop(), when nobody asks any more. False: the thread has not ended yet, being of
 * low priority or inside a slow file system, and nothing it uses may go: the process is to end
 * with it. NULL is allowed. */
bool estimate_destroy(struct estimate *estimate);

#endif
