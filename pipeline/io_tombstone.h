/* tombstone: tells when the ring of a killed process can no longer write to memory.
 *
 * A process that is killed leaves its io_uring to the kernel, which takes it apart in its own time:
 * by exit, and by waitpid(2), it waits only for some of the operations. Those in flight may still
 * write to slabs, which live in shared memory, or from slabs that meanwhile hold something else to
 * a file. So each ring holds, in its table of files, the only reference to an open file with a
 * lock: the kernel lets go of the table when the last operation has ended, and the lock with it.
 * The supervisor, before it gives the slabs to anybody else, waits for that lock.
 *
 * The lock is one byte, at the worker's number, of the arena's memfd, opened anew by way of /proc:
 * a lock of an open file description (F_OFD_SETLK, fcntl(2)) belongs to no process.
 */
#ifndef TREEMILL_PIPELINE_IO_TOMBSTONE_H
#define TREEMILL_PIPELINE_IO_TOMBSTONE_H

#include <stdint.h>

#include "pipeline/arena.h"

/* A descriptor to be registered with the ring and then closed; or -errno. */
int tombstone_open(const struct tm_arena *arena, uint16_t number);
/* Waits until no ring has the worker's tombstone. The supervisor, after the worker's death. */
void tombstone_wait(const struct tm_arena *arena, uint16_t number);

#endif
