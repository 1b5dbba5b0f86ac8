/* output: where the data goes: standard output, or a file that appears whole or not at all.
 *
 * A file is written under no name (O_TMPFILE), or under a temporary one where the file system
 * cannot do that, and gets its name when it is complete. Temporary files that killed runs for the
 * same path left behind are removed. Not for concurrent use.
 */
#ifndef TREEMILL_CLI_OUTPUT_H
#define TREEMILL_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/walk.h"

struct output;
struct report;

struct output_options {
    const char *path; /* NULL or "-": standard output; must outlive the output */
    bool replace;     /* an existing file */
    bool sync;        /* on disk before output_publish() returns */
    /* If its bar may be on the terminal that standard output is: it makes way. May be NULL; must
     * outlive the output. */
    struct report *report;
};

/* 0 or -errno; -EEXIST: the file is there and must not be replaced. */
int output_open(const struct output_options *options, struct output **output);
/* Buffers; an error is returned once, and by every later call. */
int output_write(struct output *output, const void *data, size_t bytes);
/* Lets a reader see what was written so far. */
int output_flush(struct output *output);
/* Makes the file appear. 0 or -errno; then nothing has appeared. */
int output_publish(struct output *output);
/* Frees; what was not published goes. NULL is allowed. */
void output_discard(struct output *output);
/* The file that is written, and the one at its path now; how many there are of these two. */
unsigned output_places(const struct output *output, struct walk_place places[static 2]);
/* Where to write by offset, after what was written before has been flushed; -1: it must be written
 * in order, being no regular file. */
int output_placed_fd(const struct output *output);
/* For messages: the path or "standard output". */
const char *output_name(const struct output *output);
/* Name of a temporary file that a forced exit has to remove, or NULL. Constant from output_open()
 * to output_discard(). */
const char *output_temporary(const struct output *output);

#endif
