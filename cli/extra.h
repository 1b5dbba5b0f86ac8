/* extra: files of a tree that no manifest names, which other checkers cannot see. */
#ifndef TREEMILL_CLI_EXTRA_H
#define TREEMILL_CLI_EXTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct manifests;
struct path_set;

/* Walks the working directory with the job's selection and calls `tell` for each file that is not
 * in `known` and is no manifest itself, in canonical order. False: failed, said why. */
bool find_extra(struct job *job, const struct manifests *manifests, const struct path_set *known,
                int (*tell)(void *context, const char *path, size_t bytes, uint64_t size_bytes),
                void *context);

#endif
