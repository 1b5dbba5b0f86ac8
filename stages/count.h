/* count: how many files a walk will find and how many bytes, without the walk's order, items or
 * messages: for display, ahead of it. What cannot be read is left out; the walk reports it.
 *
 * Memory is bounded: where the names of directories still to visit are more than that, it gives up.
 */
#ifndef TREEMILL_STAGES_COUNT_H
#define TREEMILL_STAGES_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "stages/walk.h"

struct links;
struct selection;

struct count_setup {
    const struct selection *selection;
    /* As in struct walk_setup. */
    bool follow_links, one_file_system, read_special, all_kinds, finds_holes, directories_fail;
    const struct walk_place *left_out;
    unsigned left_out_count;
    struct links *links;        /* finds_links: for all operands of a count; NULL: does not */
    struct walk_totals *totals; /* `final` is left alone */
    const _Atomic bool *stop;   /* set by any thread, to end it early */
};

/* Counts what is at or below an operand of the walk. False: stopped or given up, and the totals are
 * not complete. Any thread. */
bool count_operand(const struct count_setup *setup, const char *operand);

#endif
