#include "stages/later.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/arena.h"
#include "stages/temporary.h"

#define FIRST_BYTES ((size_t)64 << 10)
#define ALIGNMENT   alignof(max_align_t)

/* Each record has its length in front, and is padded: both keep those behind it aligned. */
union head {
    size_t bytes;
    max_align_t align;
};

struct later {
    size_t memory_bytes;
    char *directory;
    uint8_t *records;
    size_t used, capacity;
    int spool; /* -1: all is in memory */
    uint64_t spooled_bytes;
};

int later_create(size_t memory_bytes, const char *directory, struct later **created)
{
    struct later *later = *created = calloc(1, sizeof *later);
    if (!later)
        return -ENOMEM;
    later->spool = -1;
    later->memory_bytes = memory_bytes / ALIGNMENT * ALIGNMENT;
    later->directory = directory ? strdup(directory) : NULL;
    if (directory && !later->directory) {
        later_destroy(later);
        *created = NULL;
        return -ENOMEM;
    }
    return 0;
}

void later_destroy(struct later *later)
{
    if (!later)
        return;
    if (later->spool >= 0)
        close(later->spool);
    free(later->directory);
    free(later->records);
    free(later);
}

uint64_t later_spilled(const struct later *later)
{
    return later->spooled_bytes;
}

static int spill(struct later *later)
{
    if (later->spool < 0) {
        int fd = temporary_unnamed(later->directory);
        if (fd < 0)
            return fd;
        later->spool = fd;
    }
    for (size_t done = 0; done < later->used;) {
        ssize_t count = pwrite(later->spool, later->records + done, later->used - done,
                               (off_t)(later->spooled_bytes + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count ? -errno : -EIO;
        done += (size_t)count;
    }
    later->spooled_bytes += later->used;
    later->used = 0;
    return 0;
}

static int grow(struct later *later, size_t needed)
{
    size_t wanted = later->capacity ? 2 * later->capacity : FIRST_BYTES;
    if (wanted < needed)
        wanted = needed;
    if (wanted > later->memory_bytes)
        wanted = later->memory_bytes;
    uint8_t *grown = realloc(later->records, wanted);
    if (!grown)
        return -ENOMEM;
    later->records = grown;
    later->capacity = wanted;
    return 0;
}

static int make_room(struct later *later, size_t bytes)
{
    int error = 0;
    if (bytes > later->memory_bytes)
        return -E2BIG;
    if (later->used + bytes > later->memory_bytes)
        error = spill(later);
    if (!error && later->used + bytes > later->capacity)
        error = grow(later, later->used + bytes);
    return error;
}

void *later_add(struct later *later, size_t bytes, int *error)
{
    size_t taken = sizeof(union head) + align_up(bytes, ALIGNMENT);
    *error = bytes > later->memory_bytes ? -E2BIG : make_room(later, taken);
    if (*error)
        return NULL;
    uint8_t *record = later->records + later->used;
    memset(record, 0, taken);
    ((union head *)record)->bytes = bytes;
    later->used += taken;
    return record + sizeof(union head);
}

/* Going through them. */

/* Those that are complete in a piece of memory; *rest: where the first that is not begins. */
static int take_records(uint8_t *records, size_t used, later_take take, void *context, size_t *rest)
{
    int result = 0;
    *rest = 0;
    while (!result && used - *rest >= sizeof(union head)) {
        size_t bytes = ((const union head *)(records + *rest))->bytes;
        size_t taken = sizeof(union head) + align_up(bytes, ALIGNMENT);
        if (taken > used - *rest)
            break;
        result = take(context, records + *rest + sizeof(union head), bytes);
        *rest += taken;
    }
    return result;
}

/* Bytes, at least one; -errno. */
static ssize_t read_spooled(const struct later *later, uint8_t *buffer, size_t capacity,
                            uint64_t offset)
{
    ssize_t count;
    if (capacity > later->spooled_bytes - offset)
        capacity = (size_t)(later->spooled_bytes - offset);
    do
        count = pread(later->spool, buffer, capacity, (off_t)offset);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    return count ? count : -EIO;
}

static int replay_spooled(const struct later *later, later_take take, void *context)
{
    uint8_t *buffer = malloc(later->memory_bytes); /* has room for any record */
    uint64_t offset = 0;
    size_t held = 0, rest;
    int result = buffer ? 0 : -ENOMEM;
    while (!result && offset < later->spooled_bytes) {
        ssize_t got = read_spooled(later, buffer + held, later->memory_bytes - held, offset);
        if (got < 0) {
            result = (int)got;
            break;
        }
        offset += (uint64_t)got;
        held += (size_t)got;
        result = take_records(buffer, held, take, context, &rest);
        memmove(buffer, buffer + rest, held - rest);
        held -= rest;
    }
    free(buffer);
    return result;
}

int later_replay(struct later *later, later_take take, void *context)
{
    size_t rest;
    int result = later->spooled_bytes ? replay_spooled(later, take, context) : 0;
    return result ? result : take_records(later->records, later->used, take, context, &rest);
}
