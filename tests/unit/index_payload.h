/* Indexes of members made by hand, right and wrong, for the tests of what reads them. */
#ifndef TREEMILL_TESTS_INDEX_PAYLOAD_H
#define TREEMILL_TESTS_INDEX_PAYLOAD_H

#include <check.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/member_index.h"
#include "stages/member_index_format.h"
#include "stages/member_index_make.h"

/* Bytes that grow; as of codec_write. */
struct sink {
    uint8_t *bytes;
    size_t used, capacity;
};

static inline int sink_write(void *context, const void *data, size_t bytes)
{
    struct sink *sink = context;
    if (sink->capacity - sink->used < bytes) {
        sink->capacity = 2 * (sink->used + bytes);
        sink->bytes = realloc(sink->bytes, sink->capacity);
        if (!sink->bytes)
            ck_abort_msg("no memory");
    }
    if (bytes)
        memcpy(sink->bytes + sink->used, data, bytes);
    sink->used += bytes;
    return 0;
}

static inline void sink_byte(struct sink *sink, uint8_t byte)
{
    sink_write(sink, &byte, 1);
}

static inline void sink_free(struct sink *sink)
{
    free(sink->bytes);
    *sink = (struct sink){0};
}

static inline void payload_number(struct sink *payload, uint64_t number)
{
    for (; number > 0x7f; number >>= 7)
        sink_byte(payload, (uint8_t)(number | 0x80));
    sink_byte(payload, (uint8_t)number);
}

static inline void payload_begin(struct sink *payload, uint64_t data_end)
{
    sink_write(payload, member_index_signature, MEMBER_INDEX_SIGNATURE_BYTES);
    payload_number(payload, data_end);
}

static inline void payload_entry(struct sink *payload, uint64_t step, uint64_t shared,
                                 const char *rest)
{
    payload_number(payload, step);
    payload_number(payload, shared);
    payload_number(payload, strlen(rest));
    sink_write(payload, rest, strlen(rest));
}

static inline void payload_end(struct sink *payload)
{
    uint8_t crc[MEMBER_INDEX_CRC_BYTES];
    codec_put32(crc, libdeflate_crc32(0, payload->bytes, payload->used));
    sink_write(payload, crc, sizeof crc);
}

/* From memory that has no byte more, so that AddressSanitizer sees reading beyond. */
static inline int payload_parse(const uint8_t *bytes, size_t count, uint64_t data_end,
                                struct member_index **index)
{
    uint8_t *copy = malloc(count ? count : 1);
    if (!copy)
        ck_abort_msg("no memory");
    if (count)
        memcpy(copy, bytes, count);
    int got = member_index_parse(copy, count, data_end, index);
    free(copy);
    return got;
}

#endif
