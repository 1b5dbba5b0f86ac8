/* listing: walks names without reading any file: for --dry-run and for `verify --extra`. */
#ifndef TREEMILL_CLI_LISTING_H
#define TREEMILL_CLI_LISTING_H

#include <stdbool.h>

#include "stages/batch.h"
#include "stages/walk.h"

struct job;

/* Calls `take` for each record of the walk, in canonical order, faults included; a negative errno
 * ends it as a failure of writing. Uses the job's plan, selection and options; job->graph must
 * not be running. False: failed (said why) or ended by a signal. */
bool list_names(struct job *job,
                enum walk_next (*next)(void *context, bool wait, struct walk_name *name),
                void *next_context,
                int (*take)(void *context, const char *path, const struct file_record *file),
                void *take_context);

#endif
