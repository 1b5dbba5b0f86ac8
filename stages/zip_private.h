/* What the headers of zip and its directory share. */
#ifndef TREEMILL_STAGES_ZIP_PRIVATE_H
#define TREEMILL_STAGES_ZIP_PRIVATE_H

#include <endian.h>
#include <string.h>

#include "stages/zip.h"

/* A field with all bits set refers to the zip64 field of the extra data or to the zip64 record. */
#define ZIP_MAX_16 0xffffu
#define ZIP_MAX_32 0xffffffffu

/* "Version made by": host 3, Unix, whose modes the external attributes hold; specification 4.5,
 * which has zip64. */
#define ZIP_VERSION_ZIP64 45
#define ZIP_MADE_BY       (3u << 8 | ZIP_VERSION_ZIP64)

static inline uint8_t *zip_put16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    return (uint8_t *)memcpy(at, &value, sizeof value) + sizeof value;
}

static inline uint8_t *zip_put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    return (uint8_t *)memcpy(at, &value, sizeof value) + sizeof value;
}

static inline uint8_t *zip_put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    return (uint8_t *)memcpy(at, &value, sizeof value) + sizeof value;
}

/* The value, or what says that it stands elsewhere. */
static inline uint32_t zip_cut32(uint64_t value)
{
    return value < ZIP_MAX_32 ? (uint32_t)value : ZIP_MAX_32;
}

/* A member's record in the central directory, ZIP_HEADER_BOUND() bytes at most. */
size_t zip_central_record(const struct archive_options *options, const struct zip_entry *entry,
                          uint8_t *output);

#endif
