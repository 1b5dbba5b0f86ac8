#include "cli/path_set.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Open addressing, at most half full; a slot of zeros is empty. */
struct path_set {
    XXH128_hash_t *slots;
    size_t capacity; /* power of two */
    size_t count;
    XXH3_state_t *state; /* of the path being hashed */
};

#define CAPACITY_FIRST 4096

struct path_set *path_set_create(void)
{
    struct path_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->capacity = CAPACITY_FIRST;
    set->slots = calloc(set->capacity, sizeof *set->slots);
    set->state = XXH3_createState();
    if (!set->slots || !set->state) {
        path_set_destroy(set);
        return NULL;
    }
    return set;
}

void path_set_destroy(struct path_set *set)
{
    if (!set)
        return;
    XXH3_freeState(set->state);
    free(set->slots);
    free(set);
}

/* Without "." components and doubled slashes, which do not change what a path names. */
static XXH128_hash_t hash_of(XXH3_state_t *state, const char *path, size_t bytes)
{
    XXH3_128bits_reset(state);
    if (bytes && path[0] == '/')
        XXH3_128bits_update(state, "/", 1);
    for (size_t i = 0; i < bytes;) {
        const char *slash = memchr(path + i, '/', bytes - i);
        size_t length = slash ? (size_t)(slash - path) - i : bytes - i;
        if (length && !(length == 1 && path[i] == '.')) {
            XXH3_128bits_update(state, path + i, length);
            XXH3_128bits_update(state, "/", 1);
        }
        i += length + 1;
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    if (!hash.low64 && !hash.high64)
        hash.low64 = 1;
    return hash;
}

static XXH128_hash_t *find(XXH128_hash_t *slots, size_t capacity, XXH128_hash_t hash)
{
    size_t at = (size_t)hash.low64 & (capacity - 1);
    while ((slots[at].low64 || slots[at].high64) && !XXH128_isEqual(slots[at], hash))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static int grow(struct path_set *set)
{
    size_t capacity = set->capacity * 2;
    XXH128_hash_t *larger = calloc(capacity, sizeof *larger);
    if (!larger)
        return -ENOMEM;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i].low64 || set->slots[i].high64)
            *find(larger, capacity, set->slots[i]) = set->slots[i];
    free(set->slots);
    set->slots = larger;
    set->capacity = capacity;
    return 0;
}

int path_set_add(struct path_set *set, const char *path, size_t bytes)
{
    if (set->count * 2 >= set->capacity && grow(set))
        return -ENOMEM;
    XXH128_hash_t hash = hash_of(set->state, path, bytes);
    XXH128_hash_t *slot = find(set->slots, set->capacity, hash);
    if (!XXH128_isEqual(*slot, hash))
        set->count++;
    *slot = hash;
    return 0;
}

bool path_set_has(const struct path_set *set, const char *path, size_t bytes)
{
    XXH128_hash_t hash = hash_of(set->state, path, bytes);
    return XXH128_isEqual(*find(set->slots, set->capacity, hash), hash);
}
