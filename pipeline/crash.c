#include "pipeline/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const point_names[CRASH_POINT_COUNT] = {
    [CRASH_PUT_LOCKED] = "put_locked",     [CRASH_PUT_WORD] = "put_word",
    [CRASH_PUT_LINKED] = "put_linked",     [CRASH_PUT_COUNTED] = "put_counted",
    [CRASH_PUT_UNLOCKED] = "put_unlocked", [CRASH_TAKE_LOCKED] = "take_locked",
    [CRASH_TAKE_WORD] = "take_word",       [CRASH_TAKE_UNLINKED] = "take_unlinked",
    [CRASH_TAKE_COUNTED] = "take_counted", [CRASH_TAKE_UNLOCKED] = "take_unlocked",
    [CRASH_TAKE_ASLEEP] = "take_asleep",   [CRASH_TAKE_WOKEN] = "take_woken",
    [CRASH_REBUILD] = "rebuild",           [CRASH_WORK] = "work",
    [CRASH_IN_FLIGHT] = "in_flight",
};

/* Set before the first fork, then constant. */
static struct crash_plan *plan_in_use;
/* Private to the process; set once at its start. */
static bool enabled;

void crash_set_plan(struct crash_plan *plan)
{
    plan_in_use = plan;
}

void crash_enable(void)
{
    enabled = true;
}

void crash_point(enum crash_point point)
{
    if (!enabled || !plan_in_use)
        return;
    _Atomic uint32_t *countdown = &plan_in_use->countdown[point];
    uint32_t left = atomic_load_explicit(countdown, memory_order_relaxed);
    while (left && !atomic_compare_exchange_weak_explicit(
                       countdown, &left, left - 1, memory_order_relaxed, memory_order_relaxed))
        ;
    if (left != 1)
        return;
    uint32_t more = atomic_load_explicit(&plan_in_use->more[point], memory_order_relaxed);
    if (more) { /* nobody else comes here while the countdown is at zero */
        atomic_store_explicit(&plan_in_use->more[point], more - 1, memory_order_relaxed);
        atomic_store_explicit(countdown, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&plan_in_use->deaths[point], 1, memory_order_relaxed);
    kill(getpid(), SIGKILL);
    pause(); /* the signal is on its way to this process; no instruction of it may run on */
}

int crash_plan_parse(struct crash_plan *plan, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, ":,");
        int point = 0;
        while (point < CRASH_POINT_COUNT && (strlen(point_names[point]) != length ||
                                             strncmp(point_names[point], text, length) != 0))
            point++;
        if (point == CRASH_POINT_COUNT)
            return -EINVAL;
        text += length;
        unsigned long count = 1, deaths = 1;
        if (*text == ':')
            count = strtoul(text + 1, (char **)&text, 10);
        if (*text == 'x')
            deaths = strtoul(text + 1, (char **)&text, 10);
        atomic_store_explicit(&plan->more[point], (uint32_t)(deaths ? deaths - 1 : 0),
                              memory_order_relaxed);
        atomic_store_explicit(&plan->countdown[point], (uint32_t)count, memory_order_relaxed);
        if (*text == ',')
            text++;
        else if (*text)
            return -EINVAL;
    }
    return 0;
}
