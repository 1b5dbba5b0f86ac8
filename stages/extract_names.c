#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "stages/extract_private.h"

#define FIRST_SLOTS 256

struct slot {
    uint64_t hash;        /* 0: free */
    uint64_t void_before; /* sequence number; 0: nothing is void */
};

/* An open table, half full at most. The seed is not to be guessed: two names of one number would
 * make one of them vanish. */
struct extract_names {
    struct slot *slots;
    size_t slot_count, used;
    uint64_t seed;
};

int extract_names_create(struct extract_names **created)
{
    struct extract_names *names = *created = calloc(1, sizeof *names);
    if (!names)
        return -ENOMEM;
    if (getrandom(&names->seed, sizeof names->seed, 0) != sizeof names->seed)
        names->seed = (uintptr_t)names;
    return 0;
}

void extract_names_destroy(struct extract_names *names)
{
    if (!names)
        return;
    free(names->slots);
    free(names);
}

static uint64_t hash_of(const struct extract_names *names, const char *path, size_t path_bytes)
{
    uint64_t hash = XXH3_64bits_withSeed(path, path_bytes, names->seed);
    return hash ? hash : 1;
}

/* The name's, or the free one where it belongs. */
static struct slot *find(const struct slot *slots, size_t slot_count, uint64_t hash)
{
    size_t at = hash & (slot_count - 1);
    while (slots[at].hash && slots[at].hash != hash)
        at = (at + 1) & (slot_count - 1);
    return (struct slot *)&slots[at];
}

static int grow(struct extract_names *names)
{
    size_t slot_count = names->slot_count ? 2 * names->slot_count : FIRST_SLOTS;
    struct slot *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < names->slot_count; i++)
        if (names->slots[i].hash)
            *find(slots, slot_count, names->slots[i].hash) = names->slots[i];
    free(names->slots);
    names->slots = slots;
    names->slot_count = slot_count;
    return 0;
}

int extract_names_add(struct extract_names *names, const char *path, size_t path_bytes)
{
    if (names->used == EXTRACT_NAMES_MAX)
        return 0;
    int error = 2 * (names->used + 1) > names->slot_count ? grow(names) : 0;
    if (error)
        return error;
    uint64_t hash = hash_of(names, path, path_bytes);
    struct slot *slot = find(names->slots, names->slot_count, hash);
    names->used += !slot->hash;
    slot->hash = hash;
    return 0;
}

void extract_names_void(struct extract_names *names, const char *path, size_t path_bytes,
                        uint64_t sequence)
{
    if (!names->used)
        return;
    struct slot *slot = find(names->slots, names->slot_count, hash_of(names, path, path_bytes));
    if (slot->hash)
        slot->void_before = sequence;
}

bool extract_names_is_void(const struct extract_names *names, const char *path, size_t path_bytes,
                           uint64_t sequence)
{
    return names->used &&
           find(names->slots, names->slot_count, hash_of(names, path, path_bytes))->void_before >
               sequence;
}
