/* later: records that wait, in the order in which they came: in memory as long as they are few,
 * then in a file without a name.
 *
 * They can be gone through any number of times. One thread.
 */
#ifndef TREEMILL_STAGES_LATER_H
#define TREEMILL_STAGES_LATER_H

#include <stddef.h>
#include <stdint.h>

/* Records in memory, at most; one record may have no more. */
#define LATER_MEMORY_BYTES ((size_t)8 << 20)

struct later;

/* `memory_bytes`: LATER_MEMORY_BYTES, less for tests. `directory`: where the file goes, copied;
 * NULL: $TMPDIR or /tmp. 0 or -ENOMEM. */
int later_create(size_t memory_bytes, const char *directory, struct later **later);
/* NULL is allowed. */
void later_destroy(struct later *later);

/* Room for one more record, to be filled in at once, aligned for any type. NULL and *error:
 * -ENOMEM, -E2BIG (more than the memory), -errno of the file. */
void *later_add(struct later *later, size_t bytes, int *error);

/* Calls `take` with each record, aligned likewise and good until it returns; ends when that is not
 * 0, and returns it. Else 0; -errno of the file, -ENOMEM. `take` adds no records. */
typedef int (*later_take)(void *context, const void *record, size_t bytes);
int later_replay(struct later *later, later_take take, void *context);

/* Bytes that are in the file. */
uint64_t later_spilled(const struct later *later);

#endif
