/* untar: maps of sparse files: where in the file the data goes that the archive has of it, one
 * extent after another.
 *
 * Sources: GNU tar manual, "Old GNU Format", "Sparse Formats"; star(5) for its header 'S', whose
 * fields are elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "stages/untar_private.h"

void untar_map_clear(struct untar *untar)
{
    untar->map_count = 0;
    untar->map_end = untar->map_bytes = 0;
    untar->map_text = (struct untar_map_text){0};
}

static bool grow(struct untar *untar)
{
    if (untar->map_count < untar->map_capacity)
        return true;
    if (untar->map_capacity >= UNTAR_EXTENTS_MAX)
        return untar_fail(untar, "a sparse file's map is too large");
    size_t capacity = untar->map_capacity ? 4 * untar->map_capacity : 256;
    struct archive_extent *grown = realloc(untar->map, capacity * sizeof *grown);
    if (!grown)
        return untar_fail(untar, "out of memory");
    untar->map = grown;
    untar->map_capacity = capacity;
    return true;
}

/* The end is checked against the file's when the map is whole. */
bool untar_map_add(struct untar *untar, uint64_t offset, uint64_t bytes)
{
    if (offset > INT64_MAX || bytes > INT64_MAX - offset)
        return untar_fail(untar, "a number of a sparse file's map is out of range");
    if (offset < untar->map_end)
        return untar_fail(untar, "a sparse file's map is out of order");
    untar->map_end = offset + bytes;
    if (!bytes)
        return true;
    untar->map_bytes += bytes;
    struct archive_extent *last = untar->map_count ? &untar->map[untar->map_count - 1] : NULL;
    if (last && last->offset + last->bytes == offset) {
        last->bytes += bytes;
        return true;
    }
    if (!grow(untar))
        return false;
    untar->map[untar->map_count++] = (struct archive_extent){offset, bytes};
    return true;
}

bool untar_map_take_list(struct untar *untar, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    uint64_t number[2];
    unsigned count = 0;
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma ? comma : end;
        if (!untar_decimal(text, (size_t)(stop - text), &number[count++]))
            return untar_fail(untar, "a number of a sparse file's map is none");
        if (count == 2) {
            if (!untar_map_add(untar, number[0], number[1]))
                return false;
            count = 0;
        }
        text = stop + 1;
    }
    return count ? untar_fail(untar, "a sparse file's map has an offset without a length") : true;
}

/* In headers. */

#define ENTRY_BYTES 24 /* offset and number of bytes, 12 each */

struct layout {
    size_t entries, entry_count;
    size_t more;      /* not NUL: a block with more follows */
    size_t real_size; /* 12 */
};
static const struct layout gnu = {386, 4, 482, 483};
static const struct layout star = {356, 4, 355, 452};
static const struct layout block_layout = {0, 21, 504, 0};

/* The first entry that is blank is the end. */
static bool take_entries(struct untar *untar, const uint8_t *block, const struct layout *layout,
                         bool *more)
{
    const char *entry = (const char *)block + layout->entries;
    *more = block[layout->more];
    for (size_t i = 0; i < layout->entry_count; i++, entry += ENTRY_BYTES) {
        uint64_t offset, bytes;
        if (!entry[0] || !entry[12])
            return true;
        if (!untar_size(entry, 12, &offset) || !untar_size(entry + 12, 12, &bytes))
            return untar_fail(untar, "a number of a sparse file's map is none");
        if (!untar_map_add(untar, offset, bytes))
            return false;
    }
    return true;
}

bool untar_map_take_header(struct untar *untar, const struct ustar *header, bool *more)
{
    bool is_star = untar_dialect_of(header) == UNTAR_USTAR;
    const struct layout *layout = is_star ? &star : &gnu;
    const char *real_size = (const char *)header + layout->real_size;

    untar_map_clear(untar);
    if (is_star && untar->extended.given & UNTAR_HAS_STAR_SIZE)
        untar->extended.real_size = untar->extended.star_size;
    else if (!untar_size(real_size, 12, &untar->extended.real_size))
        return untar_fail(untar, "a sparse file's size is no number, or out of range");
    return take_entries(untar, (const uint8_t *)header, layout, more);
}

bool untar_map_take_block(struct untar *untar, const uint8_t *block, bool *more)
{
    return take_entries(untar, block, &block_layout, more);
}

/* Before the data. */

/* A number is complete. */
static bool take_number(struct untar *untar)
{
    struct untar_map_text *text = &untar->map_text;
    uint64_t number = text->number;
    text->number = 0;
    text->has_digit = false;
    if (!text->has_count) {
        text->has_count = true;
        text->entries_left = number;
        return true;
    }
    text->has_offset = !text->has_offset;
    if (text->has_offset) {
        text->offset = number;
        return true;
    }
    text->entries_left--;
    return untar_map_add(untar, text->offset, number);
}

/* Decimal numbers, a line each: how many extents, then offset and number of bytes of each; the rest
 * of the last block is padding. */
bool untar_map_take_text(struct untar *untar, const uint8_t *block, bool *more)
{
    struct untar_map_text *text = &untar->map_text;
    for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
        unsigned digit = block[i] - (unsigned)'0';
        if (digit <= 9) {
            text->has_digit = true;
            if (__builtin_mul_overflow(text->number, 10, &text->number) ||
                __builtin_add_overflow(text->number, digit, &text->number))
                return untar_fail(untar, "a number of a sparse file's map is out of range");
            continue;
        }
        if (block[i] != '\n' || !text->has_digit)
            return untar_fail(untar, "a number of a sparse file's map is none");
        if (!take_number(untar))
            return false;
        if (!text->entries_left) {
            *more = false;
            return true;
        }
    }
    *more = true;
    return true;
}
