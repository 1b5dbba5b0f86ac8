#include "stages/names_in_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define SLOTS_FIRST 4096

enum kinds { IS_DIRECTORY = 1, IS_OTHER = 2 };

struct slot {
    uint64_t fingerprint; /* 0: free */
    uint32_t chunk;       /* the latest that has it */
    uint32_t kinds;       /* what it has been in chunks that are in work */
};

struct names_in_work {
    unsigned window;
    uint64_t seed;
    struct slot *slot;
    size_t slots, used; /* a power of two */
    /* The way to the member before, in its chunk: mostly that to the next one, too. */
    char *way;
    size_t way_bytes, way_room;
    uint32_t way_chunk;
};

int names_in_work_create(unsigned window, struct names_in_work **out)
{
    struct names_in_work *names = calloc(1, sizeof *names);
    if (!names)
        return -ENOMEM;
    names->window = window;
    names->slots = SLOTS_FIRST;
    names->slot = calloc(names->slots, sizeof *names->slot);
    if (!names->slot) {
        free(names);
        return -ENOMEM;
    }
    if (getrandom(&names->seed, sizeof names->seed, GRND_NONBLOCK) < 0)
        names->seed = (uintptr_t)names; /* early at boot: the addresses of processes are random */
    *out = names;
    return 0;
}

void names_in_work_destroy(struct names_in_work *names)
{
    if (!names)
        return;
    free(names->slot);
    free(names->way);
    free(names);
}

void names_in_work_clear(struct names_in_work *names)
{
    memset(names->slot, 0, names->slots * sizeof *names->slot);
    names->used = 0;
    names->way_bytes = 0;
}

static bool is_in_work(const struct names_in_work *names, uint32_t now, uint32_t chunk)
{
    return now - chunk < names->window;
}

static struct slot *find(struct slot *slot, size_t slots, uint64_t fingerprint)
{
    size_t i = (size_t)fingerprint & (slots - 1);
    while (slot[i].fingerprint && slot[i].fingerprint != fingerprint)
        i = (i + 1) & (slots - 1);
    return &slot[i];
}

/* Leaves out what is not in work any more; doubles the room if that is not enough. */
static int make_room(struct names_in_work *names, uint32_t now)
{
    size_t live = 0, slots = names->slots;
    for (size_t i = 0; i < names->slots; i++)
        live += names->slot[i].fingerprint && is_in_work(names, now, names->slot[i].chunk);
    while (live * 4 > slots)
        slots *= 2;
    struct slot *slot = calloc(slots, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    for (size_t i = 0; i < names->slots; i++) {
        const struct slot *old = &names->slot[i];
        if (old->fingerprint && is_in_work(names, now, old->chunk))
            *find(slot, slots, old->fingerprint) = *old;
    }
    free(names->slot);
    names->slot = slot;
    names->slots = slots;
    names->used = live;
    return 0;
}

static int note(struct names_in_work *names, uint32_t chunk, const char *path, size_t bytes,
                unsigned kind)
{
    if (names->used * 2 >= names->slots && make_room(names, chunk))
        return -ENOMEM;
    uint64_t fingerprint = XXH3_64bits_withSeed(path, bytes, names->seed);
    fingerprint += !fingerprint;
    struct slot *slot = find(names->slot, names->slots, fingerprint);
    unsigned before = 0;
    if (!slot->fingerprint)
        names->used++;
    else if (is_in_work(names, chunk, slot->chunk))
        before = slot->kinds;
    *slot = (struct slot){fingerprint, chunk, before | kind};
    return before & IS_OTHER || (before && kind == IS_OTHER);
}

static bool is_same_way(const struct names_in_work *names, uint32_t chunk, const char *path,
                        size_t bytes)
{
    return names->way_chunk == chunk && names->way_bytes == bytes && names->way &&
           memcmp(names->way, path, bytes) == 0;
}

static int keep_way(struct names_in_work *names, uint32_t chunk, const char *path, size_t bytes)
{
    if (bytes > names->way_room) {
        char *way = realloc(names->way, bytes);
        if (!way)
            return -ENOMEM;
        names->way = way;
        names->way_room = bytes;
    }
    if (bytes)
        memcpy(names->way, path, bytes);
    names->way_bytes = bytes;
    names->way_chunk = chunk;
    return 0;
}

/* All directories on the way; 1: one of them is something else. */
static int note_way(struct names_in_work *names, uint32_t chunk, const char *path, size_t bytes)
{
    int collides = 0;
    if (!bytes || is_same_way(names, chunk, path, bytes))
        return 0;
    for (size_t at = bytes;;) {
        int got = note(names, chunk, path, at, IS_DIRECTORY);
        if (got < 0)
            return got;
        collides |= got;
        const char *slash = memrchr(path, '/', at);
        if (!slash)
            break;
        at = (size_t)(slash - path);
    }
    /* A way that collides is to be told of with each member on it. */
    return collides ? 1 : keep_way(names, chunk, path, bytes);
}

int names_in_work_add(struct names_in_work *names, uint32_t chunk, const char *path,
                      size_t path_bytes, bool is_directory)
{
    const char *slash = memrchr(path, '/', path_bytes);
    int on_way = note_way(names, chunk, path, slash ? (size_t)(slash - path) : 0);
    if (on_way < 0)
        return on_way;
    int itself = note(names, chunk, path, path_bytes, is_directory ? IS_DIRECTORY : IS_OTHER);
    /* What is no directory now was perhaps one on the way of those before. */
    if (!is_directory && path_bytes <= names->way_bytes)
        names->way_bytes = 0;
    return itself < 0 ? itself : on_way | itself;
}
