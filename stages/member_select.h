/* member_select: which members of an archive are wanted, and under which names. */
#ifndef TREEMILL_STAGES_MEMBER_SELECT_H
#define TREEMILL_STAGES_MEMBER_SELECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "stages/member.h"

struct selection;

struct member_select_options {
    /* Members by name, with all that is below them, or by pattern (glob.h), which may match a
     * directory above them, too. None: all members. */
    const char *const *names;
    size_t name_count;
    const struct selection *selection; /* rules besides; outlives the selection made of it */
    /* For each name whether a member of that name has come: in memory that all processes share, set
     * by whoever asks; relaxed, read when the job is over. */
    _Atomic bool *found;
    unsigned
        strip_components; /* that names lose at their beginning; what has no more is left out */
};

struct member_select;
/* Whether a name is taken for a pattern: it has wildcards. */
bool member_select_is_pattern(const char *name);
/* 0; -ENOMEM; -EINVAL or another error of glob_compile(), *bad being the name. */
int member_select_create(const struct member_select_options *options, struct member_select **select,
                         const char **bad);
/* NULL is allowed. */
void member_select_destroy(struct member_select *select);
/* Context: struct member_select. Cuts the member's name, and its target's if it is a hard link. One
 * thread at a time in each process. */
bool member_select_wants(void *select, struct member *member);

#endif
