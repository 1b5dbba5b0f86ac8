/* in_work: the name of a file that is being worked on, from the thread that sees all names to the
 * one that shows them.
 *
 * A box for one name, that belongs to one of them at a time: the showing thread empties it, at its
 * own pace, and whoever comes by with a name next fills it. So a name is copied a few times a
 * second and not for each of a million files; otherwise offering one costs a load from a cache line
 * that hardly ever changes. Nobody waits, and no name is read half-written.
 */
#ifndef TREEMILL_STAGES_IN_WORK_H
#define TREEMILL_STAGES_IN_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define IN_WORK_BYTES 512

/* Zero-initialised: empty. */
struct in_work {
    /* Whose the rest is: false, the offering thread's, which sets it (release) when it has filled
     * the box; true, the taking thread's, which clears it (release) when it has copied the name.
     * Each loads it with acquire before it touches the rest. */
    _Atomic bool is_full;
    size_t bytes;
    char name[IN_WORK_BYTES]; /* the end of it, if it is longer; no NUL */
};

/* For in_work_offer(). */
void in_work_fill(struct in_work *box, const char *directory, size_t directory_bytes,
                  const char *name, size_t name_bytes);

/* Offers the name `directory` followed by `name`. One thread. NULL: nobody wants to know. */
static inline void in_work_offer(struct in_work *box, const char *directory, size_t directory_bytes,
                                 const char *name, size_t name_bytes)
{
    if (box && !atomic_load_explicit(&box->is_full, memory_order_acquire))
        in_work_fill(box, directory, directory_bytes, name, name_bytes);
}

/* The name that was offered since the last call, NUL-terminated, the end of it if it is longer than
 * that. False: none was, and `out` is as before. One thread. */
bool in_work_take(struct in_work *box, char out[static IN_WORK_BYTES + 1]);

#endif
