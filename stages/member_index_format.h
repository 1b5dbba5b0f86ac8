/* member_index_format: the index of members as it is written and read; for member_index.c,
 * member_index_make.c and their tests.
 *
 * Payload:
 *
 *   4 bytes   'T' 'M' 'I', version 1
 *   number    the offset in the file where the index begins: behind others, it is not theirs
 *   entries   each: the offset in the file of a block that begins with a member, less that of the
 *             entry before (the first entry's is 0); how many bytes of its key are those that the
 *             key of the entry before begins with; how many follow; these
 *   4 bytes   CRC-32 of all that comes before, little-endian
 *
 * Numbers are unsigned LEB128, of less than 2^63: 7 bits a byte, the lowest first, the highest bit
 * set in all bytes but the last.
 *
 * Offsets and keys increase strictly, keys bytewise. All entries together take at most
 * MEMBER_INDEX_BYTES_MAX, at MEMBER_INDEX_ENTRY_BYTES and their whole keys.
 *
 * In a gzip file it lies behind all other members, in members without content (codec_format.h): in
 * their subfields 'T' 'I', one after another, CODEC_EMPTY_DATA_MAX bytes in each but the last; then
 * a last one has the subfield 'T' 'X', 8 bytes: the offset of the first. In a zstd file it is a
 * skippable frame of MEMBER_INDEX_MAGIC, whose row is the last one of the seek table.
 */
#ifndef TREEMILL_STAGES_MEMBER_INDEX_FORMAT_H
#define TREEMILL_STAGES_MEMBER_INDEX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "stages/codec_format.h"

#define MEMBER_INDEX_SIGNATURE_BYTES 4
extern const uint8_t member_index_signature[MEMBER_INDEX_SIGNATURE_BYTES];
#define MEMBER_INDEX_CRC_BYTES   4
#define MEMBER_INDEX_BYTES_MAX   ((size_t)4 << 20)
#define MEMBER_INDEX_ENTRY_BYTES 16
#define MEMBER_INDEX_KEY_MAX     ((size_t)1 << 20)
/* What stands before the entries, and an upper bound of all. A number has up to 9 bytes, that of a
 * key's length 3: those of an entry are no more than MEMBER_INDEX_ENTRY_BYTES. */
#define MEMBER_INDEX_HEAD_MAX (MEMBER_INDEX_SIGNATURE_BYTES + 9)
#define MEMBER_INDEX_PAYLOAD_MAX                                                                   \
    (MEMBER_INDEX_HEAD_MAX + MEMBER_INDEX_BYTES_MAX + MEMBER_INDEX_CRC_BYTES)

#define MEMBER_INDEX_MAGIC              0x184D2A5AU
#define MEMBER_INDEX_FRAME_HEADER_BYTES 8
extern const char member_index_piece_name[2], member_index_end_name[2];
#define MEMBER_INDEX_END_BYTES (CODEC_EMPTY_MEMBER_BYTES + 8)

/* Entries in memory. */
struct member_index_entry {
    uint64_t offset;
    uint32_t key_at, key_bytes; /* in the text */
};
struct member_index_entries {
    struct member_index_entry *items;
    size_t count, capacity;
    char *text;
    size_t text_bytes, text_capacity;
};

/* Adds one, its key's bytes not yet set: they are at *key. 0; -ENOMEM. */
int member_index_entries_add(struct member_index_entries *entries, uint64_t offset,
                             size_t key_bytes, char **key);
/* What counts for MEMBER_INDEX_BYTES_MAX. */
static inline size_t member_index_entries_bytes(const struct member_index_entries *entries)
{
    return entries->count * MEMBER_INDEX_ENTRY_BYTES + entries->text_bytes;
}
void member_index_entries_free(struct member_index_entries *entries);
/* As memcmp(); a key that another begins with comes before it. */
int member_index_compare(const char *left, size_t left_bytes, const char *right,
                         size_t right_bytes);

#endif
