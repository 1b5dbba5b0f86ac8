/* arena: all memory that workers share, taken once before the first worker starts.
 *
 * One that forked processes use is a memfd mapped MAP_SHARED. Every page is allocated when it is
 * made: lack of memory is an error then, not a SIGBUS later. One that only threads use is private
 * memory, whose pages come when they are first used. Either is used by the same code: structures in
 * the arena refer to each other by index, never by pointer. Pointers *into* the arena are private
 * to a process; they stay valid in its forked children.
 */
#ifndef TREEMILL_PIPELINE_ARENA_H
#define TREEMILL_PIPELINE_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum arena_kind {
    ARENA_SHARED,       /* with forked processes */
    ARENA_PRIVATE,      /* of one process */
    ARENA_PRIVATE_LARGE /* the same in large pages, where the system has them: a tenth of the page
                         * faults and less for the TLB, but what is touched counts by 2 MiB */
};

struct tm_arena {
    int memory_fd; /* -1: not shared */
    uint8_t *base;
    size_t size_bytes;
    size_t used_bytes;
};

/* Rounds up to a multiple of `alignment`, a power of two. */
static inline size_t align_up(size_t bytes, size_t alignment)
{
    return (bytes + alignment - 1) & ~(alignment - 1);
}

#define CACHE_LINE_BYTES 64

/* 0 or -errno (-ENOMEM, -ENOSPC, -EMFILE). The memory is zero. */
int arena_create(struct tm_arena *arena, size_t size_bytes, enum arena_kind kind);

/* Takes zeroed memory, aligned to a power of two. Only before workers start, by the creating
 * thread. The sizes were added up beforehand: running out is a bug and aborts. */
void *arena_take(struct tm_arena *arena, size_t bytes, size_t alignment);

/* Unmaps and closes; an arena that is all zero is left alone. */
void arena_destroy(struct tm_arena *arena);

#endif
