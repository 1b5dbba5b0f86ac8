/* What the files of the display share; nothing for others. */
#ifndef TREEMILL_CLI_PROGRESS_PRIVATE_H
#define TREEMILL_CLI_PROGRESS_PRIVATE_H

#include <stddef.h>

#include "cli/line.h"

/* As much of the path's end as fits into so many columns; control characters escaped, and without
 * PROGRESS_UTF8 all that is not ASCII replaced. */
void progress_append_name(struct line *line, const char *path, size_t columns, unsigned flags);

#endif
