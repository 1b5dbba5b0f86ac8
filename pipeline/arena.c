#include "pipeline/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/sync.h"

int arena_create(struct tm_arena *arena, size_t size_bytes)
{
    *arena = (struct tm_arena){.memory_fd = -1};
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
    close(arena->memory_fd);
    *arena = (struct tm_arena){.memory_fd = -1};
}
