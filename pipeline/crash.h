/* crash: marked points where a test kills a worker process.
 *
 * Compiled in by TREEMILL_CRASH_POINTS only (the developer presets); otherwise CRASH_POINT() is
 * nothing. A point does nothing unless it is armed and the process has called crash_enable().
 */
#ifndef TREEMILL_PIPELINE_CRASH_H
#define TREEMILL_PIPELINE_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

enum crash_point {
    CRASH_PUT_LOCKED,    /* holds the lock, nothing changed yet */
    CRASH_PUT_WORD,      /* word stored, not yet in the list */
    CRASH_PUT_LINKED,    /* half of the links set */
    CRASH_PUT_COUNTED,   /* all done, still holding the lock */
    CRASH_PUT_UNLOCKED,  /* before the wake-up */
    CRASH_TAKE_LOCKED,   /* holds the lock, nothing changed yet */
    CRASH_TAKE_WORD,     /* claim in the word, item still in the list */
    CRASH_TAKE_UNLINKED, /* unlinked, not yet counted */
    CRASH_TAKE_COUNTED,  /* all done, still holding the lock */
    CRASH_TAKE_UNLOCKED, /* owns the item, woke nobody */
    CRASH_TAKE_ASLEEP,   /* counted as a sleeper, lock left */
    CRASH_TAKE_WOKEN,    /* woken, and the wake-up was for it alone */
    CRASH_REBUILD,       /* in the middle of repairing after another death */
    CRASH_WORK,          /* while a stage works on an item */
    CRASH_IN_FLIGHT,     /* an event loop, with operations in flight */
    CRASH_POINT_COUNT
};

/* In shared memory. countdown[p]: 0 = not armed, n = the n-th worker to pass point p dies.
 * Written by the test, decremented by workers with relaxed atomics: the exact victim does not
 * matter, only that there is one. */
struct crash_plan {
    _Atomic uint32_t countdown[CRASH_POINT_COUNT];
    _Atomic uint32_t deaths[CRASH_POINT_COUNT];
    _Atomic uint32_t more[CRASH_POINT_COUNT]; /* that pass it next after that die, too */
};

#ifdef TREEMILL_CRASH_POINTS
#define CRASH_POINT(point) crash_point(point)
#else
#define CRASH_POINT(point) ((void)0)
#endif

/* Names the plan that points consult; before fork, by the test. NULL disarms. */
void crash_set_plan(struct crash_plan *plan);
/* This process may die at points from now on: called by worker processes only. */
void crash_enable(void);
void crash_point(enum crash_point point);
/* Arms points from text as "work:3,take_word:10,put_word:2x4" (the second to pass dies, and the
 * next, until there are four). Dev builds read $TREEMILL_CRASH. 0 or -EINVAL. */
int crash_plan_parse(struct crash_plan *plan, const char *text);

#endif
