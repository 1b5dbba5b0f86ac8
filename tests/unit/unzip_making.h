/* Zip archives made by hand, of entries that may lie in every way. */
#ifndef TREEMILL_TESTS_UNIT_UNZIP_MAKING_H
#define TREEMILL_TESTS_UNIT_UNZIP_MAKING_H

#include <sys/mman.h>
#include <zlib.h>

#include "stages/zip.h"
#include "stages/zip_private.h"
#include "tests/unit/archive_pack.h"

/* An entry as its two headers have it. */
struct made {
    const char *name;
    size_t name_bytes; /* 0: as long as the text is */
    uint8_t host;
    uint16_t flags, method, disk;
    uint32_t attributes, dos_time, crc32;
    uint32_t compressed_bytes, uncompressed_bytes, offset;
    const void *extra; /* of the central header */
    size_t extra_bytes;
};

static inline size_t name_bytes_of(const struct made *made)
{
    return made->name_bytes ? made->name_bytes : strlen(made->name);
}

static inline uint8_t *put_shared(uint8_t *at, const struct made *made)
{
    at = zip_put16(at, 20);
    at = zip_put16(at, made->flags);
    at = zip_put16(at, made->method);
    at = zip_put32(at, made->dos_time);
    at = zip_put32(at, made->crc32);
    at = zip_put32(at, made->compressed_bytes);
    at = zip_put32(at, made->uncompressed_bytes);
    return zip_put16(at, (uint16_t)name_bytes_of(made));
}

/* Deflates, or stores, and fills in the numbers. */
static inline size_t made_data(struct made *made, const void *data, size_t bytes, uint8_t *output,
                               size_t capacity)
{
    size_t compressed = bytes;
    if (made->method == ZIP_DEFLATED) {
        z_stream stream = {0};
        ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (Bytef *)data;
        stream.avail_in = (uInt)bytes;
        stream.next_out = output;
        stream.avail_out = (uInt)capacity;
        ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
        compressed = stream.total_out;
        deflateEnd(&stream);
    } else {
        ck_assert_uint_le(bytes, capacity);
        memcpy(output, data, bytes);
    }
    made->crc32 = (uint32_t)crc32_z(0, data, bytes);
    made->compressed_bytes = (uint32_t)compressed;
    made->uncompressed_bytes = (uint32_t)bytes;
    return compressed;
}

/* Local header with an extra field of so many zeros, which mean nothing, and its data. */
static inline void made_local(struct pack *pack, struct made *made, size_t extra_bytes,
                              const void *data, size_t bytes)
{
    made->offset = (uint32_t)pack->used;
    uint8_t *at = zip_put32(pack_room(pack, 30), 0x04034b50);
    at = put_shared(at, made);
    zip_put16(at, (uint16_t)extra_bytes);
    pack->used += 30;
    pack_bytes(pack, made->name, name_bytes_of(made));
    pack_zeros(pack, extra_bytes);
    pack_bytes(pack, data, bytes);
}

static inline void made_central(struct pack *pack, const struct made *made)
{
    uint8_t *at = zip_put32(pack_room(pack, 46), 0x02014b50);
    at = zip_put16(at, (uint16_t)(made->host << 8 | 20));
    at = put_shared(at, made);
    at = zip_put16(at, (uint16_t)made->extra_bytes);
    at = zip_put16(at, 0); /* comment */
    at = zip_put16(at, made->disk);
    at = zip_put16(at, 0);
    at = zip_put32(at, made->attributes);
    zip_put32(at, made->offset);
    pack->used += 46;
    pack_bytes(pack, made->name, name_bytes_of(made));
    pack_bytes(pack, made->extra, made->extra_bytes);
}

static inline void made_end(struct pack *pack, unsigned count, size_t start)
{
    uint8_t *at = zip_put32(pack_room(pack, 22), 0x06054b50);
    at = zip_put32(at, 0); /* disks */
    at = zip_put16(at, (uint16_t)count);
    at = zip_put16(at, (uint16_t)count);
    at = zip_put32(at, (uint32_t)(pack->used - start));
    at = zip_put32(at, (uint32_t)start);
    zip_put16(at, 0);
    pack->used += 22;
}

/* The directory of these, and the end. */
static inline void made_directory(struct pack *pack, const struct made *made, unsigned count)
{
    size_t start = pack->used;
    for (unsigned i = 0; i < count; i++)
        made_central(pack, &made[i]);
    made_end(pack, count, start);
}

/* A file in memory that holds it. */
static inline void made_file(int fd, const struct pack *pack)
{
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, pack->bytes, pack->used, 0), pack->used);
}

#endif
