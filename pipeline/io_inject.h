/* inject: makes reads go wrong on purpose, in ways in which the kernel may: developer builds only
 * (TREEMILL_CRASH_POINTS), and only when $TREEMILL_IO_FAULT asks for it, as
 * "short:7,eintr:5,again:3,cancel:11": every 7th read comes short, every 5th is interrupted, ...
 */
#ifndef TREEMILL_PIPELINE_IO_INJECT_H
#define TREEMILL_PIPELINE_IO_INJECT_H

#include <stdint.h>

#ifdef TREEMILL_CRASH_POINTS
/* The result of a read as the engine is to see it. Any thread. */
int64_t io_inject(int64_t result);
#else
static inline int64_t io_inject(int64_t result)
{
    return result;
}
#endif

#endif
