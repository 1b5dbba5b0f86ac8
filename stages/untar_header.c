/* untar: the fields of a header's block.
 *
 * Sources: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 */
#include <string.h>

#include "stages/untar_private.h"

/* Numbers. */

/* Two's complement, most significant byte first; the first bit is the mark of this form. */
static bool number_of_bytes(const char *field, size_t width, int64_t *value)
{
    bool is_negative = *field & 0x40;
    uint64_t bits = is_negative ? UINT64_MAX : 0;
    bool fits = true;
    for (size_t i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)field[i];
        if (!i)
            byte = (uint8_t)((byte & 0x7f) | (is_negative ? 0x80 : 0));
        /* What is pushed out is more of the sign, and the sign stays. */
        if (bits >> 55 != (is_negative ? 0x1ff : 0))
            fits = false;
        bits = bits << 8 | byte;
    }
    *value = fits ? (int64_t)bits : is_negative ? INT64_MIN : INT64_MAX;
    return fits;
}

/* Digits end with a blank or NUL, or at the field's end. Widths are at most 12: nothing overflows.
 */
bool untar_number(const char *field, size_t width, int64_t *value)
{
    const char *end = field + width;
    if (*field & 0x80)
        return number_of_bytes(field, width, value);
    while (field < end && (*field == ' ' || *field == '\t'))
        field++;
    bool is_negative = field < end && *field == '-';
    field += is_negative;
    int64_t number = 0;
    while (field < end && *field >= '0' && *field <= '7')
        number = number * 8 + (*field++ - '0');
    *value = is_negative ? -number : number;
    return field == end || !*field || *field == ' ' || *field == '\t';
}

bool untar_size(const char *field, size_t width, uint64_t *size)
{
    int64_t value;
    if (!untar_number(field, width, &value) || value < 0)
        return false;
    *size = (uint64_t)value;
    return true;
}

uint32_t untar_owner(int64_t value)
{
    return value < 0 || value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* The checksum. */

/* The sum of all bytes: even and odd ones apart in lanes of 16 bits, of which none can overflow
 * with 512 bytes. */
static unsigned sum_of(const void *block)
{
    const uint64_t mask = 0x00ff00ff00ff00ff;
    uint64_t lanes = 0, word;
    for (size_t i = 0; i < TAR_BLOCK_BYTES / sizeof word; i++) {
        memcpy(&word, (const uint8_t *)block + i * sizeof word, sizeof word);
        lanes += (word & mask) + (word >> 8 & mask);
    }
    return (unsigned)((lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) +
                      (lanes >> 48));
}

/* How much less the sum is if bytes are signed, as some old programs took them. */
static unsigned signed_difference(const struct ustar *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    unsigned count = 0;
    for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
        count += bytes[i] >> 7;
    return 256 * count;
}

bool untar_header_is_valid(const struct ustar *header)
{
    int64_t stored;
    if (header->checksum[0] & 0x80 ||
        !untar_number(header->checksum, sizeof header->checksum, &stored))
        return false;
    /* Its own field counts as blanks. There are only digits and the like in it, or the sum of the
     * signed bytes would have to leave it out. */
    int64_t sum = sum_of(header);
    for (size_t i = 0; i < sizeof header->checksum; i++) {
        uint8_t byte = (uint8_t)header->checksum[i];
        if (byte >> 7)
            return false;
        sum += ' ' - byte;
    }
    return stored == sum || stored == sum - (int64_t)signed_difference(header);
}

enum untar_dialect untar_dialect_of(const struct ustar *header)
{
    if (memcmp(header->magic, "ustar", 5) != 0)
        return UNTAR_V7;
    return memcmp(header->magic + 5, "  ", 3) != 0 ? UNTAR_USTAR : UNTAR_GNU;
}

bool untar_detect(const uint8_t *block, size_t bytes)
{
    const struct ustar *header = (const struct ustar *)block;
    int64_t ignored;
    return bytes >= TAR_BLOCK_BYTES && *block && untar_header_is_valid(header) &&
           untar_number(header->mode, sizeof header->mode, &ignored) &&
           untar_number(header->size, sizeof header->size, &ignored);
}
