/* extents: where the data of a sparse file is. */
#ifndef TREEMILL_STAGES_EXTENTS_H
#define TREEMILL_STAGES_EXTENTS_H

#include <stddef.h>

#include "stages/archive.h"

/* Most that are told apart; of a file with more, the smallest holes count as data. */
#define EXTENTS_MAX 2048

/* Whether a file with this status may have holes: it has fewer blocks than bytes. */
bool extents_are_likely(const struct file_stat *stat);

/* Asks the file system for the ranges that hold data, made fit for an archive. 1: *extents is to
 * be freed; 0: there are no holes, or they cannot be found; -ENOMEM. Blocks; any thread. */
int extents_find(const char *path, size_t path_bytes, const struct file_stat *stat,
                 struct archive_extent **extents, size_t *count);

#endif
