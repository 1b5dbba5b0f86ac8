/* path_set: remembers paths by 128-bit hashes: 16 bytes a path instead of its name. Two paths of a
 * billion would share a hash with a chance of 1 in 10^20. Not for concurrent use. */
#ifndef TREEMILL_CLI_PATH_SET_H
#define TREEMILL_CLI_PATH_SET_H

#include <stdbool.h>
#include <stddef.h>

struct path_set;

/* NULL: out of memory. */
struct path_set *path_set_create(void);
void path_set_destroy(struct path_set *set);
/* "./a", ".//a" and "a" are the same path. 0 or -ENOMEM. */
int path_set_add(struct path_set *set, const char *path, size_t bytes);
bool path_set_has(const struct path_set *set, const char *path, size_t bytes);

#endif
