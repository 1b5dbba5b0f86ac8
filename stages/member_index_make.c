#include "stages/member_index_make.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "stages/member.h"
#include "stages/member_index_format.h"

struct member_index_maker {
    struct member_index_entries entries;
    uint64_t seen; /* entries, with those not kept */
    uint64_t step; /* of these, those whose number it divides are kept */
    bool is_lost;  /* members are not in order */
    /* The last member's key, and room to make another. */
    char *last, *next;
    size_t last_bytes, capacity;
    bool any;
};

int member_index_maker_create(struct member_index_maker **out)
{
    struct member_index_maker *maker = calloc(1, sizeof *maker);
    if (!maker)
        return -ENOMEM;
    maker->step = 1;
    *out = maker;
    return 0;
}

void member_index_maker_destroy(struct member_index_maker *maker)
{
    if (!maker)
        return;
    member_index_entries_free(&maker->entries);
    free(maker->last);
    free(maker->next);
    free(maker);
}

/* Collecting. */

static int make_room(struct member_index_maker *maker, size_t bytes)
{
    if (bytes <= maker->capacity)
        return 0;
    char *last = realloc(maker->last, 2 * bytes);
    if (!last)
        return -ENOMEM;
    maker->last = last;
    char *next = realloc(maker->next, 2 * bytes);
    if (!next)
        return -ENOMEM;
    maker->next = next;
    maker->capacity = 2 * bytes;
    return 0;
}

/* The key of a name, in maker->next. Its length; -EINVAL; -ENOMEM. */
static ptrdiff_t make_key(struct member_index_maker *maker, const char *path, size_t path_bytes,
                          bool is_directory)
{
    bool was_absolute;
    int error = make_room(maker, path_bytes + 3);
    if (error)
        return error;
    ptrdiff_t bytes = member_clean(path, path_bytes, maker->next, &was_absolute);
    if (bytes == 1 && *maker->next == '.')
        return 0;
    if (bytes > 0 && is_directory)
        maker->next[bytes++] = '/';
    return bytes;
}

/* Only every second entry stays. In place: a key moves down, if at all. */
static void thin_out(struct member_index_maker *maker)
{
    struct member_index_entries *entries = &maker->entries;
    size_t kept = 0, text_bytes = 0;
    for (size_t i = 0; i < entries->count; i += 2) {
        struct member_index_entry entry = entries->items[i];
        memmove(entries->text + text_bytes, entries->text + entry.key_at, entry.key_bytes);
        entry.key_at = (uint32_t)text_bytes;
        text_bytes += entry.key_bytes;
        entries->items[kept++] = entry;
    }
    entries->count = kept;
    entries->text_bytes = text_bytes;
    maker->step *= 2;
}

static int keep(struct member_index_maker *maker, uint64_t offset, size_t key_bytes)
{
    char *key;
    if (maker->seen++ % maker->step)
        return 0;
    int error = member_index_entries_add(&maker->entries, offset, key_bytes, &key);
    if (error)
        return error;
    memcpy(key, maker->next, key_bytes);
    while (member_index_entries_bytes(&maker->entries) > MEMBER_INDEX_BYTES_MAX)
        thin_out(maker);
    return 0;
}

int member_index_maker_add(struct member_index_maker *maker, const char *path, size_t path_bytes,
                           bool is_directory, uint64_t offset)
{
    if (maker->is_lost)
        return 0;
    ptrdiff_t bytes = make_key(maker, path, path_bytes, is_directory);
    if (bytes == -ENOMEM)
        return -ENOMEM;
    if (bytes < 0 || (size_t)bytes > MEMBER_INDEX_KEY_MAX ||
        (maker->any &&
         member_index_compare(maker->last, maker->last_bytes, maker->next, (size_t)bytes) >= 0)) {
        maker->is_lost = true;
        member_index_entries_free(&maker->entries);
        return 0;
    }
    int error = offset == MEMBER_INDEX_NO_BLOCK ? 0 : keep(maker, offset, (size_t)bytes);
    char *before = maker->last;
    maker->last = maker->next;
    maker->last_bytes = (size_t)bytes;
    maker->next = before;
    maker->any = true;
    return error;
}

/* Writing. */

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    for (; number > 0x7f; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

static size_t shared_bytes(const char *left, size_t left_bytes, const char *right,
                           size_t right_bytes)
{
    size_t shared = 0;
    while (shared < left_bytes && shared < right_bytes && left[shared] == right[shared])
        shared++;
    return shared;
}

/* Its bytes. */
static size_t put_payload(const struct member_index_entries *entries, uint64_t start,
                          uint8_t *payload)
{
    uint8_t *at = mempcpy(payload, member_index_signature, MEMBER_INDEX_SIGNATURE_BYTES);
    struct member_index_entry last = {0};
    at = put_number(at, start);
    for (size_t i = 0; i < entries->count; i++) {
        struct member_index_entry entry = entries->items[i];
        const char *key = entries->text + entry.key_at;
        size_t shared =
            shared_bytes(entries->text + last.key_at, last.key_bytes, key, entry.key_bytes);
        at = put_number(at, entry.offset - last.offset);
        at = put_number(at, shared);
        at = put_number(at, entry.key_bytes - shared);
        at = mempcpy(at, key + shared, entry.key_bytes - shared);
        last = entry;
    }
    codec_put32(at, libdeflate_crc32(0, payload, (size_t)(at - payload)));
    return (size_t)(at - payload) + MEMBER_INDEX_CRC_BYTES;
}

static int64_t write_frame(const uint8_t *payload, size_t bytes, codec_write write, void *context)
{
    uint8_t header[MEMBER_INDEX_FRAME_HEADER_BYTES];
    codec_put32(header, MEMBER_INDEX_MAGIC);
    codec_put32(header + 4, (uint32_t)bytes);
    int error = write(context, header, sizeof header);
    if (!error)
        error = write(context, payload, bytes);
    return error ? error : (int64_t)(sizeof header + bytes);
}

static int64_t write_members(const uint8_t *payload, size_t bytes, uint64_t start,
                             codec_write write, void *context)
{
    uint8_t offset[8];
    uint8_t *member = malloc(CODEC_EMPTY_MEMBER_BYTES + CODEC_EMPTY_DATA_MAX);
    int64_t written = 0;
    int error = member ? 0 : -ENOMEM;
    for (size_t done = 0; done < bytes && !error;) {
        size_t rest = bytes - done;
        size_t piece = rest < CODEC_EMPTY_DATA_MAX ? rest : CODEC_EMPTY_DATA_MAX;
        size_t made = codec_empty_member(member, member_index_piece_name, payload + done, piece);
        error = write(context, member, made);
        written += (int64_t)made;
        done += piece;
    }
    if (!error) {
        codec_put32(offset, (uint32_t)start);
        codec_put32(offset + 4, (uint32_t)(start >> 32));
        size_t made = codec_empty_member(member, member_index_end_name, offset, sizeof offset);
        error = write(context, member, made);
        written += (int64_t)made;
    }
    free(member);
    return error ? error : written;
}

int64_t member_index_maker_end(struct member_index_maker *maker, enum codec_format format,
                               uint64_t start, codec_write write, void *context)
{
    const struct member_index_entries *entries = &maker->entries;
    if (maker->is_lost || entries->count < 2)
        return 0;
    uint8_t *payload = malloc(MEMBER_INDEX_HEAD_MAX + MEMBER_INDEX_CRC_BYTES +
                              member_index_entries_bytes(entries));
    if (!payload)
        return -ENOMEM;
    size_t bytes = put_payload(entries, start, payload);
    int64_t written = format == CODEC_GZIP ? write_members(payload, bytes, start, write, context)
                                           : write_frame(payload, bytes, write, context);
    free(payload);
    return written;
}
