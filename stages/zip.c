/* The headers of a zip member. See zip.h; numbers of sections are those of APPNOTE.TXT. */
#include "stages/zip.h"

#include <errno.h>
#include <time.h>
#include <zlib.h>

#include "stages/archive_private.h"
#include "stages/text.h"
#include "stages/zip_private.h"

#define SIGNATURE_LOCAL      0x04034b50u
#define SIGNATURE_CENTRAL    0x02014b50u
#define SIGNATURE_DESCRIPTOR 0x08074b50u

/* General purpose bits, 4.4.4. */
#define FLAG_DESCRIPTOR 0x0008
#define FLAG_UTF8       0x0800

#define EXTRA_ZIP64     0x0001
#define EXTRA_TIMESTAMP 0x5455
#define EXTRA_OWNER     0x7875

/* From this size on a streamed file has room for 8-byte numbers in its headers: it may come out
 * larger than it went in, by far less than the 16th that is left to 4 GiB. */
#define STREAMED_ZIP64_BYTES 0xf0000000u

int zip_entry_of(const struct archive_member *member, struct zip_entry *entry)
{
    int error = archive_member_check(member);
    if (error)
        return error;
    if (member->is_hard_link)
        return -ENOTSUP;
    if (member->path_bytes + archive_adds_slash(member) > ZIP_MAX_16)
        return -ENAMETOOLONG;
    *entry = (struct zip_entry){.member = member, .method = ZIP_STORED};
    switch (member->stat.mode & S_IFMT) {
    case S_IFREG:
        entry->method = ZIP_DEFLATED;
        entry->streamed = true;
        return 0;
    case S_IFLNK:
        entry->crc32 = (uint32_t)crc32_z(0, (const Bytef *)member->target, member->target_bytes);
        entry->compressed_bytes = entry->uncompressed_bytes = member->target_bytes;
        return 0;
    case S_IFDIR:
        return 0;
    default:
        return -ENOTSUP;
    }
}

/* Whether the local header has a zip64 field, and the descriptor 8-byte numbers (4.3.9.2). Of a
 * streamed file it must be decided before its numbers are known, and the same way again after. */
static bool local_is_zip64(const struct zip_entry *entry)
{
    if (entry->streamed)
        return entry->member->stat.size_bytes >= STREAMED_ZIP64_BYTES;
    return entry->compressed_bytes >= ZIP_MAX_32 || entry->uncompressed_bytes >= ZIP_MAX_32;
}

/* Parts that both headers have. */

/* 4.4.3: 1.0 for stored files, 2.0 for directories and deflate. */
static uint16_t version_needed(const struct zip_entry *entry, bool zip64)
{
    if (zip64)
        return ZIP_VERSION_ZIP64;
    return entry->method == ZIP_DEFLATED || archive_is_directory(entry->member) ? 20 : 10;
}

/* The name is UTF-8 or of an unknown character set; ASCII needs no saying. */
static bool is_marked_utf8(const struct archive_member *member)
{
    for (size_t i = 0; i < member->path_bytes; i++)
        if (member->path[i] & 0x80)
            return text_is_utf8(member->path, member->path_bytes);
    return false;
}

/* 4.4.6: two 16-bit words in steps of two seconds, from 1980 to 2107, of local time where it was
 * made. */
static uint32_t dos_time(const struct archive_options *options, int64_t seconds)
{
    time_t time = seconds;
    struct tm tm;
    if (!(options->reproducible ? gmtime_r(&time, &tm) : localtime_r(&time, &tm)))
        return 1u << 21 | 1u << 16;
    int year = tm.tm_year - 80;
    if (year < 0)
        return 1u << 21 | 1u << 16; /* 1980-01-01 00:00:00 */
    if (year > 127)
        return 127u << 25 | 12u << 21 | 31u << 16 | 23u << 11 | 59u << 5 | 29u;
    return (uint32_t)year << 25 | (uint32_t)(tm.tm_mon + 1) << 21 | (uint32_t)tm.tm_mday << 16 |
           (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 | (uint32_t)tm.tm_sec / 2;
}

/* Version needed, bits, method and time, 10 bytes that are the same in both headers. */
static uint8_t *put_common(uint8_t *at, const struct archive_options *options,
                           const struct zip_entry *entry, const struct file_stat *stat, bool zip64)
{
    at = zip_put16(at, version_needed(entry, zip64));
    at = zip_put16(at, (uint16_t)((entry->streamed ? FLAG_DESCRIPTOR : 0) |
                                  (is_marked_utf8(entry->member) ? FLAG_UTF8 : 0)));
    at = zip_put16(at, (uint16_t)entry->method);
    return zip_put32(at, dos_time(options, stat->mtime_seconds));
}

static uint16_t name_bytes(const struct zip_entry *entry)
{
    return (uint16_t)(entry->member->path_bytes + archive_adds_slash(entry->member));
}

static uint8_t *put_name(uint8_t *at, const struct zip_entry *entry)
{
    const struct archive_member *member = entry->member;
    memcpy(at, member->path, member->path_bytes);
    at += member->path_bytes;
    if (archive_adds_slash(member))
        *at++ = '/';
    return at;
}

/* The time in whole seconds of UTC, where it fits its 32 bits, and the owner. */
static uint8_t *put_unix(uint8_t *at, const struct archive_options *options,
                         const struct file_stat *stat)
{
    if (stat->mtime_seconds >= INT32_MIN && stat->mtime_seconds <= INT32_MAX) {
        at = zip_put16(at, EXTRA_TIMESTAMP);
        at = zip_put16(at, 5);
        *at++ = 1; /* the time of modification, and no other */
        at = zip_put32(at, (uint32_t)stat->mtime_seconds);
    }
    if (!options->reproducible) {
        at = zip_put16(at, EXTRA_OWNER);
        at = zip_put16(at, 11);
        *at++ = 1; /* version */
        *at++ = 4;
        at = zip_put32(at, stat->uid);
        *at++ = 4;
        at = zip_put32(at, stat->gid);
    }
    return at;
}

/* The headers. */

ptrdiff_t zip_local_header(const struct archive_options *options, const struct zip_entry *entry,
                           void *output, size_t capacity)
{
    struct file_stat stat = archive_stat(options, entry->member);
    bool zip64 = local_is_zip64(entry);
    uint64_t compressed = entry->streamed ? 0 : entry->compressed_bytes;
    uint64_t uncompressed = entry->streamed ? 0 : entry->uncompressed_bytes;

    if (capacity < ZIP_HEADER_BOUND(entry->member->path_bytes))
        return -ENOBUFS;
    uint8_t *at = zip_put32(output, SIGNATURE_LOCAL);
    at = put_common(at, options, entry, &stat, zip64);
    at = zip_put32(at, entry->streamed ? 0 : entry->crc32);
    /* 4.5.3: in a local header zip64 must hold both sizes, and does so only if both say it. */
    at = zip_put32(at, zip64 ? ZIP_MAX_32 : (uint32_t)compressed);
    at = zip_put32(at, zip64 ? ZIP_MAX_32 : (uint32_t)uncompressed);
    at = zip_put16(at, name_bytes(entry));
    uint8_t *extra_bytes = at;
    at = put_name(at + 2, entry);
    uint8_t *extra = at;
    if (zip64) {
        at = zip_put16(at, EXTRA_ZIP64);
        at = zip_put16(at, 16);
        at = zip_put64(at, uncompressed);
        at = zip_put64(at, compressed);
    }
    at = put_unix(at, options, &stat);
    zip_put16(extra_bytes, (uint16_t)(at - extra));
    return at - (uint8_t *)output;
}

ptrdiff_t zip_descriptor(const struct zip_entry *entry, void *output, size_t capacity)
{
    bool zip64 = local_is_zip64(entry);

    if (!zip64 &&
        (entry->compressed_bytes >= ZIP_MAX_32 || entry->uncompressed_bytes >= ZIP_MAX_32))
        return -EOVERFLOW;
    if (capacity < ZIP_DESCRIPTOR_BOUND)
        return -ENOBUFS;
    uint8_t *at = zip_put32(output, SIGNATURE_DESCRIPTOR);
    at = zip_put32(at, entry->crc32);
    if (zip64) {
        at = zip_put64(at, entry->compressed_bytes);
        at = zip_put64(at, entry->uncompressed_bytes);
    } else {
        at = zip_put32(at, (uint32_t)entry->compressed_bytes);
        at = zip_put32(at, (uint32_t)entry->uncompressed_bytes);
    }
    return at - (uint8_t *)output;
}

/* 4.5.3: those numbers only whose own fields refer to it, in this order. */
static uint8_t *put_central_zip64(uint8_t *at, const struct zip_entry *entry)
{
    const uint64_t numbers[] = {entry->uncompressed_bytes, entry->compressed_bytes, entry->offset};
    uint8_t *head = at;

    at += 4;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] >= ZIP_MAX_32)
            at = zip_put64(at, numbers[i]);
    if (at == head + 4)
        return head;
    zip_put16(head, EXTRA_ZIP64);
    zip_put16(head + 2, (uint16_t)(at - head - 4));
    return at;
}

size_t zip_central_record(const struct archive_options *options, const struct zip_entry *entry,
                          uint8_t *output)
{
    struct file_stat stat = archive_stat(options, entry->member);
    bool zip64 = local_is_zip64(entry) || entry->offset >= ZIP_MAX_32 ||
                 entry->compressed_bytes >= ZIP_MAX_32 || entry->uncompressed_bytes >= ZIP_MAX_32;

    uint8_t *at = zip_put32(output, SIGNATURE_CENTRAL);
    at = zip_put16(at, ZIP_MADE_BY);
    at = put_common(at, options, entry, &stat, zip64);
    at = zip_put32(at, entry->crc32);
    at = zip_put32(at, zip_cut32(entry->compressed_bytes));
    at = zip_put32(at, zip_cut32(entry->uncompressed_bytes));
    at = zip_put16(at, name_bytes(entry));
    uint8_t *extra_bytes = at;
    at += 2;
    at = zip_put16(at, 0); /* comment */
    at = zip_put16(at, 0); /* disk */
    at = zip_put16(at, 0); /* internal attributes */
    /* 4.4.15, and Info-ZIP: st_mode above, the attributes of MS-DOS below: 0x10 a directory. */
    at = zip_put32(at, stat.mode << 16 | (archive_is_directory(entry->member) ? 0x10 : 0));
    at = zip_put32(at, zip_cut32(entry->offset));
    at = put_name(at, entry);
    uint8_t *extra = at;
    at = put_central_zip64(at, entry);
    at = put_unix(at, options, &stat);
    zip_put16(extra_bytes, (uint16_t)(at - extra));
    return (size_t)(at - output);
}
