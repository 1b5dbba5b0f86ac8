/* tar_check: whether a tar archive is whole, pushed to it in pieces of any size. Of the members'
 * data nothing is kept; memory is bounded as untar.h says. One thread each. */
#ifndef TREEMILL_STAGES_TAR_CHECK_H
#define TREEMILL_STAGES_TAR_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/unpack.h"

struct tar_check;
/* Of the limits only those of bytes and members are looked at. 0 or -ENOMEM. */
int tar_check_create(const struct unpack_limits *limits, struct tar_check **check);
/* NULL is allowed. */
void tar_check_destroy(struct tar_check *check);
/* Begins another one. `is_tar`: it is known to be one; else its first block tells, and what is none
 * is passed over without a look. */
void tar_check_begin(struct tar_check *check, bool is_tar);
/* The next bytes. TM_NO_FAULT, TM_FAULT_CORRUPT, TM_FAULT_LIMIT; the first fault stays. */
struct tm_fault tar_check_push(struct tar_check *check, const void *data, size_t bytes);
/* It ends here. The same, or TM_FAULT_TRUNCATED. *has_no_end: it lacks the mark of its end, so that
 * members behind the last one may be missing. */
struct tm_fault tar_check_finish(struct tar_check *check, bool *has_no_end);
/* What is wrong, and where: printable, without the archive's name. "" if there is no more to say
 * than the fault does. */
void tar_check_text(const struct tar_check *check, char *text, size_t capacity);

#endif
