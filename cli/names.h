/* names: where a job's names come from: the operands, then the lines of --files-from. */
#ifndef TREEMILL_CLI_NAMES_H
#define TREEMILL_CLI_NAMES_H

#include "cli/options.h"
#include "stages/walk.h"

struct report;
struct names;

/* The operand "-" means the data of standard input. 0, or -errno with the path that could not be
 * opened. */
int names_create(const struct options *options, uint32_t algorithms, struct report *report,
                 struct names **names, const char **failed_path);
void names_destroy(struct names *names);
/* After the walk: whether a list turned out to be none; said so. */
bool names_failed(const struct names *names);

/* The walk's source; context: struct names. The walk's thread. */
enum walk_next names_next(void *context, bool wait, struct walk_name *name);

#endif
