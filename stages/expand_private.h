/* The parts of expand: expand.c (the stage, files that come as a whole), expand_chunk.c (chunks),
 * expand_cut.c (how files are divided into these). */
#ifndef TREEMILL_STAGES_EXPAND_PRIVATE_H
#define TREEMILL_STAGES_EXPAND_PRIVATE_H

#include "stages/expand.h"

/* The chunk of an item, from slab to slab. */
void expand_chunk(const struct expand_job *job, struct decoder *decoder,
                  const struct item_view *view);

/* What an error of decode.h is to a file. */
struct tm_fault expand_fault(int error);

#endif
