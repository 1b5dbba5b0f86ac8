/* manifests: the source of `verify`: the lines of all manifests named on the command line, each
 * with its expectation as attachment. */
#ifndef TREEMILL_CLI_MANIFESTS_H
#define TREEMILL_CLI_MANIFESTS_H

#include "cli/options.h"
#include "stages/walk.h"

struct report;
struct manifests;
struct path_set;

/* Opens all of them. 0, or -errno with the path that failed. `known`: gets every path, or NULL. */
int manifests_open(const struct options *options, uint32_t available, struct report *report,
                   struct path_set *known, struct manifests **manifests, const char **failed_path);
/* NULL is allowed. */
void manifests_close(struct manifests *manifests);

/* The walk's source; context: struct manifests. */
enum walk_next manifests_next(void *context, bool wait, struct walk_name *name);

/* After the walk: -errno if it had to be given up. */
int manifests_error(const struct manifests *manifests);

/* After the walk: whether all manifests were read to their ends. */
bool manifests_have_ended(const struct manifests *manifests);

struct manifests_totals {
    uint64_t malformed; /* lines that could not be used */
    uint64_t unchecked; /* files without a digest that can be checked */
    uint64_t outside;   /* names that lead out of the directory; counted for --extra only */
    bool are_usable;    /* none of those read to the end is without any checksum line */
};

/* After the walk, once: warns of malformed lines and of manifests without any other. */
struct manifests_totals manifests_conclude(const struct manifests *manifests);
/* Whether this is one of the manifest files. */
bool manifests_include(const struct manifests *manifests, uint64_t device, uint64_t inode);

#endif
