/* watcher: a program that follows the job through a descriptor of its own (--progress-fd).
 *
 * It gets events, whole lines of NDJSON, and the job does not depend on it: a watcher that has gone
 * or fails is forgotten, one that does not read loses events, and none of that is an error. One
 * thread at a time.
 */
#ifndef TREEMILL_CLI_WATCHER_H
#define TREEMILL_CLI_WATCHER_H

#include "cli/json.h"

struct watcher;

/* The descriptor stays the caller's; it is closed on exec from here on. 0; -EBADF: it is not open
 * for writing; -ENOMEM. */
int watcher_create(int fd, struct watcher **watcher);
/* NULL is allowed. */
void watcher_destroy(struct watcher *watcher);

/* Writes the lines in `json`, or drops them if the watcher has not read what came before; clears
 * it. */
void watcher_write(struct watcher *watcher, struct json_writer *json);
/* The same, but waits for a watcher that is slow, for a second at most. NULL is allowed. */
void watcher_write_last(struct watcher *watcher, struct json_writer *json);

#endif
