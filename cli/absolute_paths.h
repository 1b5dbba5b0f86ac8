/* -C of hash and create: names of what they read are relative to a directory, and nothing else. */
#ifndef TREEMILL_CLI_ABSOLUTE_PATHS_H
#define TREEMILL_CLI_ABSOLUTE_PATHS_H

#include "cli/options.h"

/* Before a verb that walks goes to options->directory: what else the options name (outputs, lists,
 * the file of --newer) is to stay what it is, so these paths become absolute ones. They are freed by
 * options_release(). 0, also if there is nothing to do; or -errno. */
int options_make_paths_absolute(struct options *options);

#endif
