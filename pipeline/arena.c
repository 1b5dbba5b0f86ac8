#include "pipeline/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/sync.h"

/* What a large page is on most machines. */
#define LARGE_PAGE_BYTES ((size_t)2 << 20)

static int create_private(struct tm_arena *arena, size_t size_bytes, bool large)
{
    size_t mapped = size_bytes + LARGE_PAGE_BYTES; /* so much at most is left out below */
    uint8_t *place = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        return -errno;
    uint8_t *base = (uint8_t *)align_up((uintptr_t)place, LARGE_PAGE_BYTES);
    size_t skipped = (size_t)(base - place), rest = align_up(size_bytes, 4096);
    if (skipped)
        munmap(place, skipped);
    if (mapped - skipped > rest)
        munmap(base + rest, mapped - skipped - rest);
    /* The advice is refused where there are none. */
    (void)madvise(base, rest, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    *arena = (struct tm_arena){.memory_fd = -1, .base = base, .size_bytes = size_bytes};
    return 0;
}

static int create_shared(struct tm_arena *arena, size_t size_bytes)
{
    int fd = memfd_create("treemill", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = 0;
    /* Takes all the memory, so that lack of it is an error here and no SIGBUS later. Its pages are
     * mapped when first used, by whoever uses them: a short job touches few, and mapping 45 MB at
     * once took 20 ms, longer than hashing a thousand files. */
    if (ftruncate(fd, (off_t)size_bytes) < 0 || fallocate(fd, 0, 0, (off_t)size_bytes) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    void *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        error = -errno;
        close(fd);
        return error;
    }
    *arena = (struct tm_arena){.memory_fd = fd, .base = base, .size_bytes = size_bytes};
    return 0;
}

int arena_create(struct tm_arena *arena, size_t size_bytes, enum arena_kind kind)
{
    *arena = (struct tm_arena){.memory_fd = -1};
    return kind == ARENA_SHARED ? create_shared(arena, size_bytes)
                                : create_private(arena, size_bytes, kind == ARENA_PRIVATE_LARGE);
}

void *arena_take(struct tm_arena *arena, size_t bytes, size_t alignment)
{
    size_t start = align_up(arena->used_bytes, alignment);
    ALWAYS(start <= arena->size_bytes && bytes <= arena->size_bytes - start);
    arena->used_bytes = start + bytes;
    return arena->base + start;
}

void arena_destroy(struct tm_arena *arena)
{
    if (!arena->base)
        return;
    munmap(arena->base, arena->size_bytes);
    if (arena->memory_fd >= 0)
        close(arena->memory_fd);
    *arena = (struct tm_arena){.memory_fd = -1};
}
