/* owners: names of users and groups by their numbers, and numbers by their names, as the system has
 * them.
 *
 * The answers, "no such user" too, are remembered: the system's may come from a server. A tree has
 * few owners, and neighbouring files mostly the same one, so that a small table is enough, which
 * unlike a map of all that were ever seen is bounded. Asking opens files; where descriptors are
 * scarce it waits for them, for with another answer the archive, or the file, would be another one.
 * Of one thread each.
 */
#ifndef TREEMILL_STAGES_OWNERS_H
#define TREEMILL_STAGES_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

enum owner_kind { OWNER_USER, OWNER_GROUP, OWNER_KIND_COUNT };

struct owner_names;
int owner_names_create(struct owner_names **names);
/* NULL is allowed. */
void owner_names_destroy(struct owner_names *names);
/* NULL: has none. Good until the next question for the same kind. */
const char *owner_name(struct owner_names *names, enum owner_kind kind, uint32_t id);

struct owner_ids;
int owner_ids_create(struct owner_ids **ids);
/* NULL is allowed. */
void owner_ids_destroy(struct owner_ids *ids);
/* The number of that name. False: nobody has it; *id is as it was. */
bool owner_id(struct owner_ids *ids, enum owner_kind kind, const char *name, uint32_t *id);

#endif
