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

/* After the walk: lines that could not be used, and whether a manifest had no usable line. */
uint64_t manifests_malformed(const struct manifests *manifests);
bool manifests_all_usable(const struct manifests *manifests);
/* Whether this is one of the manifest files. */
bool manifests_include(const struct manifests *manifests, uint64_t device, uint64_t inode);

#endif
