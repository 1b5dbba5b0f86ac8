/* sync: the two primitives that everything shared is built on, safe when a process is killed.
 *
 * tm_lock is a robust, process-shared mutex: when its holder dies, the next locker is told, and
 * repairs what the lock guards. An event word is a counter that only grows; a waiter reads it
 * under the lock, leaves the lock, and sleeps while it still has that value (shared futex).
 * There is no pthread_cond_t here: after a waiter in another process is killed, a condition
 * variable loses signals or hangs the signaller.
 *
 * The functions that cannot fail in a correct program abort and name the expression.
 */
#ifndef TREEMILL_PIPELINE_SYNC_H
#define TREEMILL_PIPELINE_SYNC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tm_lock {
    pthread_mutex_t mutex;
};

void lock_init(struct tm_lock *lock);

/* Takes the lock. True: the former holder died inside; the caller now holds the lock, must repair
 * what it guards, and then call lock_repaired(). */
bool lock_take(struct tm_lock *lock);
void lock_repaired(struct tm_lock *lock);
void lock_release(struct tm_lock *lock);

/* Sleeps while *event == seen. May return early (signal, spurious): re-check the condition. */
void event_wait(_Atomic uint32_t *event, uint32_t seen);
/* Wakes up to `count` sleepers of any process; the caller has changed *event before. */
void event_wake(_Atomic uint32_t *event, uint32_t count);

#define WAKE_ALL INT32_MAX

/* Monotonic clock in nanoseconds. */
uint64_t clock_ns(void);

/* Aborts with the expression's text unless it is true; never compiled out. */
#define ALWAYS(expression) ((expression) ? (void)0 : always_failed(#expression, __FILE__, __LINE__))
_Noreturn void always_failed(const char *expression, const char *file, int line);

#endif
