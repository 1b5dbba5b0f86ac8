/* opener: opens a path of any length, as a part of a stage's step machine.
 *
 * The kernel takes at most PATH_MAX bytes at once; a longer path is walked in pieces, each opened
 * relative to the one before. One descriptor is held at a time.
 */
#ifndef TREEMILL_STAGES_OPENER_H
#define TREEMILL_STAGES_OPENER_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/io.h"

/* How a file is opened whose kind is not known for sure: should a FIFO or a terminal have taken its
 * place, opening it neither waits nor takes it over. */
#define OPENER_FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

struct opener {
    int base;      /* descriptor of the directory reached so far, or where to begin */
    bool owns;     /* `base` is to be closed */
    size_t offset; /* of the rest of the path */
    bool pending;  /* the chain holds this opener's result, at open_at */
    unsigned open_at;
    char piece[PATH_MAX];
};

/* Begins with a path relative to `base` (AT_FDCWD). */
void opener_begin(struct opener *opener, int base);

enum opener_result {
    OPENER_PENDING, /* has added to the chain: call again with its results */
    OPENER_REACHED, /* path + opener->offset is short enough, relative to opener->base */
    OPENER_FAILED   /* *error is the errno, negative; nothing is left open */
};

/* Walks down until the rest of the path fits into one call. What the chain holds already when the
 * walk begins is carried out with its first piece; results are consumed and the chain emptied. */
enum opener_result opener_step(struct opener *opener, const char *path, size_t path_bytes,
                               struct io_chain *chain, int *error);

/* Adds the closing of what the opener holds open, if anything, to the chain. */
void opener_add_close(struct opener *opener, struct io_chain *chain);

/* Opens the whole path in the calling thread. A descriptor or -errno. */
int opener_open(const char *path, size_t path_bytes, int flags);

/* The errors that mean "too many open files": they pass when others close theirs. */
static inline bool opener_is_descriptor_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE;
}

#endif
