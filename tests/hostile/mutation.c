#include "tests/hostile/mutation.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512

struct mutation {
    uint64_t state;
    uint8_t *bytes;
    size_t count, capacity;
};

/* xorshift64*. */
static uint64_t draw(struct mutation *mutation)
{
    uint64_t x = mutation->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    mutation->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(struct mutation *mutation, size_t limit)
{
    return limit ? (size_t)((draw(mutation) >> 16) % limit) : 0;
}

/* Mostly where headers are: at the beginning or the end. */
static size_t any_place(struct mutation *mutation)
{
    size_t count = mutation->count, near = count < 1024 ? count : 1024;
    switch (draw(mutation) >> 60) {
    case 0:
    case 1:
    case 2:
    case 3:
        return below(mutation, near);
    case 4:
    case 5:
    case 6:
        return count - near + below(mutation, near);
    default:
        return below(mutation, count);
    }
}

static void put(struct mutation *mutation, size_t at, const void *bytes, size_t count)
{
    if (at >= mutation->count)
        return;
    if (count > mutation->count - at)
        count = mutation->count - at;
    memcpy(mutation->bytes + at, bytes, count);
}

static void put_number(struct mutation *mutation)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       0x7f,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x7fffffff,
                                       0xfffffffff,
                                       0x80,
                                       0x8000,
                                       0x80000000,
                                       INT64_MAX,
                                       (uint64_t)1 << 63,
                                       UINT64_MAX};
    uint64_t number = numbers[below(mutation, sizeof numbers / sizeof *numbers)];
    if (draw(mutation) >> 63)
        number = __builtin_bswap64(number);
    put(mutation, any_place(mutation), &number, (size_t)1 << below(mutation, 4));
}

static void put_text(struct mutation *mutation)
{
    static const char *const texts[] = {"../",     "/",   "..",  "/../../", "\n",  "77777777777",
                                        "-1",      "a/b", "ff",  "PK\3\4",  "%00", "\x1b[2J",
                                        "9999999", "=",   "x\n", "0 "};
    const char *text = texts[below(mutation, sizeof texts / sizeof *texts)];
    put(mutation, any_place(mutation), text, strlen(text));
}

/* One digit becomes another: a number that still is one. */
static void change_digit(struct mutation *mutation)
{
    size_t at = any_place(mutation);
    for (size_t i = 0; i < 200 && at + i < mutation->count; i++) {
        uint8_t *byte = &mutation->bytes[at + i];
        if (*byte >= '0' && *byte <= '9') {
            *byte = (uint8_t)('0' + below(mutation, 10));
            return;
        }
    }
}

static void move_piece(struct mutation *mutation)
{
    size_t from = any_place(mutation), to = any_place(mutation);
    size_t bytes = below(mutation, 700);
    if (from + bytes > mutation->count || to + bytes > mutation->count)
        return;
    memmove(mutation->bytes + to, mutation->bytes + from, bytes);
}

/* Whole blocks now and then, so that what follows is still where it should be. */
static size_t any_length(struct mutation *mutation)
{
    return draw(mutation) >> 63 ? BLOCK * (1 + below(mutation, 4)) : 1 + below(mutation, 100);
}

static void take_out(struct mutation *mutation)
{
    size_t at = any_place(mutation), bytes = any_length(mutation);
    if (bytes > mutation->count - at)
        bytes = mutation->count - at;
    memmove(mutation->bytes + at, mutation->bytes + at + bytes, mutation->count - at - bytes);
    mutation->count -= bytes;
}

static void put_in(struct mutation *mutation)
{
    size_t at = any_place(mutation), bytes = any_length(mutation);
    if (bytes > mutation->capacity - mutation->count || at + bytes > mutation->count)
        return;
    memmove(mutation->bytes + at + bytes, mutation->bytes + at, mutation->count - at);
    mutation->count += bytes;
}

static void cut(struct mutation *mutation)
{
    mutation->count = any_place(mutation);
}

static void join(struct mutation *mutation, const struct seed *other)
{
    size_t from = below(mutation, other->count);
    size_t bytes = other->count - from;
    if (bytes > mutation->capacity - mutation->count)
        return;
    size_t at = mutation->count ? below(mutation, mutation->count) : 0;
    memcpy(mutation->bytes + at, other->bytes + from, bytes);
    if (at + bytes > mutation->count)
        mutation->count = at + bytes;
}

static void change(struct mutation *mutation, const struct seed *other)
{
    size_t at = any_place(mutation);
    switch (below(mutation, 16)) {
    case 0:
    case 1:
    case 2:
        if (at < mutation->count)
            mutation->bytes[at] ^= (uint8_t)(1u << below(mutation, 8));
        break;
    case 3:
    case 4:
        if (at < mutation->count)
            mutation->bytes[at] = (uint8_t)draw(mutation);
        break;
    case 5:
    case 6:
        put_number(mutation);
        break;
    case 7:
    case 8:
        put_text(mutation);
        break;
    case 9:
    case 10:
        change_digit(mutation);
        break;
    case 11:
        move_piece(mutation);
        break;
    case 12:
        take_out(mutation);
        break;
    case 13:
        put_in(mutation);
        break;
    case 14:
        cut(mutation);
        break;
    default:
        join(mutation, other);
        break;
    }
}

/* A reader that stopped at the first wrong checksum would see little of what was changed. */
static void mend_checksums(struct mutation *mutation)
{
    for (size_t at = 0; at + BLOCK <= mutation->count; at += BLOCK) {
        uint8_t *block = mutation->bytes + at;
        char text[9];
        unsigned sum = 0;
        if (memcmp(block + 257, "ustar", 5) != 0)
            continue;
        memset(block + 148, ' ', 8);
        for (unsigned i = 0; i < BLOCK; i++)
            sum += block[i];
        snprintf(text, sizeof text, "%06o", sum);
        memcpy(block + 148, text, 7);
    }
}

size_t mutate(const struct seed *seed, const struct seed *other, uint64_t number, uint8_t *bytes,
              size_t capacity)
{
    struct mutation mutation = {.state = (number + 1) * UINT64_C(0x9e3779b97f4a7c15),
                                .bytes = bytes,
                                .count = seed->count,
                                .capacity = capacity};
    const char *suffix = strrchr(seed->name, '.');
    memcpy(bytes, seed->bytes, seed->count);
    for (size_t left = 1 + below(&mutation, 6); left; left--)
        change(&mutation, other);
    if (suffix && strcmp(suffix, ".tar") == 0 && draw(&mutation) >> 62)
        mend_checksums(&mutation);
    return mutation.count;
}
