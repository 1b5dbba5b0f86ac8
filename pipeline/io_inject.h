/* inject: makes reads and writes go wrong on purpose, in ways in which the kernel may: developer
 * builds only (TREEMILL_CRASH_POINTS), and only when $TREEMILL_IO_FAULT asks for it, as
 * "short:7,eintr:5,again:3,cancel:11": every 7th read and every 7th write comes short, every 5th
 * is interrupted, ... "enospc:9" and "eio:9" are for writes only: every 9th fails. Read once.
 */
#ifndef TREEMILL_PIPELINE_IO_INJECT_H
#define TREEMILL_PIPELINE_IO_INJECT_H

#include <stddef.h>
#include <stdint.h>

#ifdef TREEMILL_CRASH_POINTS
/* The result of a read as the engine is to see it. Any thread. */
int64_t io_inject(int64_t result);
/* Before a write of *bytes, which may be made fewer: 0, or the -errno that it is to fail with
 * without being tried. Any thread. */
int io_inject_write(size_t *bytes);
#else
static inline int64_t io_inject(int64_t result)
{
    return result;
}
static inline int io_inject_write(size_t *bytes)
{
    (void)bytes;
    return 0;
}
#endif

#endif
