/* What has waited for the end: hard links, special files, symbolic links; then hard links to those;
 * then directories. */
#include <errno.h>
#include <sys/stat.h>

#include "stages/extract_private.h"

enum pass { PASS_HARD, PASS_SPECIAL, PASS_SYMBOLIC, PASS_HARD_AGAIN };

struct ending {
    struct extract_order *order;
    extract_told told;
    void *context;
    enum pass pass;
    struct later *again; /* hard links whose targets were not there yet */
};

static enum pass pass_of(const struct waiting *waiting)
{
    if (waiting->is_hard_link)
        return PASS_HARD;
    return S_ISLNK(waiting->mode) ? PASS_SYMBOLIC : PASS_SPECIAL;
}

static int postpone(struct later *again, const void *record, size_t bytes)
{
    int error;
    void *copy = later_add(again, bytes, &error);
    if (copy)
        memcpy(copy, record, bytes);
    return error;
}

static int take(void *context, const void *record, size_t bytes)
{
    struct ending *ending = context;
    const struct waiting *waiting = record;
    struct tm_fault fault;
    bool is_again = ending->pass == PASS_HARD_AGAIN;
    if (!is_again && pass_of(waiting) != ending->pass)
        return 0;
    if (extract_names_is_void(ending->order->names, waiting->text, waiting->path_bytes,
                              waiting->sequence))
        return 0;
    int result = extract_make_waiting(ending->order, waiting, &fault);
    if (result == 2 && !is_again)
        return postpone(ending->again, record, bytes);
    if (result == 2)
        fault = fault_system(TM_OP_CREATE, ENOENT);
    if (result < 0)
        return result;
    if (result != 1)
        ending->told(ending->context, waiting->text, waiting->mode,
                     waiting->is_hard_link ? waiting_target(waiting) : NULL, fault);
    return 0;
}

static int end_links(struct ending *ending)
{
    struct extract_order *order = ending->order;
    int error = 0;
    for (ending->pass = PASS_HARD; !error && ending->pass < PASS_HARD_AGAIN; ending->pass++)
        error = later_replay(order->links, take, ending);
    ending->pass = PASS_HARD_AGAIN;
    return error ? error : later_replay(ending->again, take, ending);
}

int extract_order_end(struct extract_order *order, extract_told told, void *context)
{
    struct ending ending = {.order = order, .told = told, .context = context};
    if (order->job->tests)
        return 0;
    int error = later_create(LATER_MEMORY_BYTES, NULL, &ending.again);
    if (!error)
        error = end_links(&ending);
    later_destroy(ending.again);
    if (!error)
        error = extract_end_ways(order, told, context);
    return error ? error : extract_end_directories(order, told, context);
}
