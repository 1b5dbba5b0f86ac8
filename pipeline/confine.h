/* confine: takes from a worker process what its stages do not need, by a seccomp filter: system
 * calls that reach files, sockets, programs or other processes.
 *
 * For workers that take apart what others have made: whoever finds a fault in a codec has the
 * arena then, and nothing else. What such a worker is left with is memory, futexes, clocks, random
 * numbers, the bells of the queues, standard error for a last word, and its own end.
 *
 * What a call that is not allowed comes to. Those that would reach out (open, socket, execve, fork,
 * kill, ptrace, io_uring_setup, mapping files or code, changes of files, ...) kill the process: no
 * stage that declares itself confined makes one, so it is a fault or an attack, and neither may go
 * on with what it has. The death is reported like any other: "worker killed by signal 31 (Bad
 * system call)", and the item is tried again or fails. All other calls fail with EPERM: they only
 * ask for something (whose number, what time, which limits), libraries may do that when they like,
 * and they know how to do without the answer.
 *
 * Not for event loops: what a ring is told to do no filter sees, and epoll's helpers are threads
 * that open files for it.
 */
#ifndef TREEMILL_PIPELINE_CONFINE_H
#define TREEMILL_PIPELINE_CONFINE_H

#include <stddef.h>

/* What a stage's work can do with, the strictest last; open() and what came before it have more. */
enum confinement {
    CONFINE_NONE,     /* it opens files, or nobody has said */
    CONFINE_READING,  /* it reads what is open already: read, pread, lseek, fstat, poll */
    CONFINE_COMPUTING /* its item's slabs are all that it needs */
};

/* 0; or -errno, and why no worker can be confined here. Any thread. */
int confine_probe(char *why, size_t why_bytes);
/* The calling thread and what it starts, for ever; it must be the process's only one. `writable`:
 * descriptors that it may still write to. 0 or -errno. */
int confine_enter(enum confinement confinement, const int *writable, unsigned count);

#endif
