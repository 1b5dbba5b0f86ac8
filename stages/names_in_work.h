/* names_in_work: which names of an archive's members may still be in the hands of workers.
 *
 * Members come in chunks, and at most `window` chunks are under way at once: what came before them
 * has been dealt with. Names are remembered as 64-bit fingerprints with a seed of the process: a
 * collision, which nobody can provoke, costs some time and nothing else. One thread.
 */
#ifndef TREEMILL_STAGES_NAMES_IN_WORK_H
#define TREEMILL_STAGES_NAMES_IN_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names_in_work;

int names_in_work_create(unsigned window, struct names_in_work **names);
/* NULL is allowed. */
void names_in_work_destroy(struct names_in_work *names);
/* Forgets all. */
void names_in_work_clear(struct names_in_work *names);

/* Notes a clean path of the chunk, and the directories on the way to it. 1: it collides with one in
 * work: the same name, unless both are directories, or something on the way to it that is none; 0:
 * it does not; -ENOMEM. Chunks do not decrease. */
int names_in_work_add(struct names_in_work *names, uint32_t chunk, const char *path,
                      size_t path_bytes, bool is_directory);

#endif
