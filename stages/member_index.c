#include "stages/member_index.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/decode.h"
#include "stages/member_index_format.h"

const uint8_t member_index_signature[MEMBER_INDEX_SIGNATURE_BYTES] = {'T', 'M', 'I', 1};
const char member_index_piece_name[2] = {'T', 'I'};
const char member_index_end_name[2] = {'T', 'X'};

struct member_index {
    struct member_index_entries entries;
    uint64_t data_end;
};

/* Entries. */

int member_index_entries_add(struct member_index_entries *entries, uint64_t offset,
                             size_t key_bytes, char **key)
{
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? entries->capacity * 2 : 64;
        void *larger = realloc(entries->items, capacity * sizeof *entries->items);
        if (!larger)
            return -ENOMEM;
        entries->items = larger;
        entries->capacity = capacity;
    }
    if (entries->text_capacity - entries->text_bytes < key_bytes || !entries->text) {
        size_t capacity = 2 * (entries->text_bytes + key_bytes) + 1024;
        char *larger = realloc(entries->text, capacity);
        if (!larger)
            return -ENOMEM;
        entries->text = larger;
        entries->text_capacity = capacity;
    }
    entries->items[entries->count++] =
        (struct member_index_entry){.offset = offset,
                                    .key_at = (uint32_t)entries->text_bytes,
                                    .key_bytes = (uint32_t)key_bytes};
    *key = entries->text + entries->text_bytes;
    entries->text_bytes += key_bytes;
    return 0;
}

void member_index_entries_free(struct member_index_entries *entries)
{
    free(entries->items);
    free(entries->text);
    *entries = (struct member_index_entries){0};
}

int member_index_compare(const char *left, size_t left_bytes, const char *right, size_t right_bytes)
{
    int order = memcmp(left, right, left_bytes < right_bytes ? left_bytes : right_bytes);
    return order ? order : (left_bytes > right_bytes) - (left_bytes < right_bytes);
}

/* The payload. */

struct input {
    const uint8_t *at, *end;
};

static bool take_number(struct input *input, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 63 && input->at < input->end; shift += 7) {
        uint8_t byte = *input->at++;
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* 0; -EBADMSG; -ENOMEM. */
static int take_entry(struct member_index *index, struct input *input)
{
    struct member_index_entries *entries = &index->entries;
    struct member_index_entry last = {0};
    uint64_t step, shared, rest;
    bool is_first = entries->count == 0;
    char *key;
    if (!is_first)
        last = entries->items[entries->count - 1];
    if (!take_number(input, &step) || !take_number(input, &shared) || !take_number(input, &rest) ||
        (step == 0) != is_first || step >= index->data_end - last.offset ||
        shared > last.key_bytes || rest > (uint64_t)(input->end - input->at) ||
        shared + rest > MEMBER_INDEX_KEY_MAX ||
        shared + rest + MEMBER_INDEX_ENTRY_BYTES >
            MEMBER_INDEX_BYTES_MAX - member_index_entries_bytes(entries))
        return -EBADMSG;
    int error = member_index_entries_add(entries, last.offset + step, shared + rest, &key);
    if (error)
        return error;
    const char *before = entries->text + last.key_at;
    memcpy(mempcpy(key, before, shared), input->at, rest);
    input->at += rest;
    return is_first || member_index_compare(before, last.key_bytes, key, shared + rest) < 0
               ? 0
               : -EBADMSG;
}

static int parse(struct member_index *index, const uint8_t *payload, size_t bytes)
{
    if (bytes < MEMBER_INDEX_SIGNATURE_BYTES + MEMBER_INDEX_CRC_BYTES ||
        memcmp(payload, member_index_signature, MEMBER_INDEX_SIGNATURE_BYTES) != 0)
        return -EBADMSG;
    struct input input = {payload + MEMBER_INDEX_SIGNATURE_BYTES,
                          payload + bytes - MEMBER_INDEX_CRC_BYTES};
    if (libdeflate_crc32(0, payload, (size_t)(input.end - payload)) != codec_get32(input.end))
        return -EBADMSG;
    uint64_t start;
    if (!take_number(&input, &start) || start != index->data_end)
        return -EBADMSG;
    int error = 0;
    while (input.at < input.end && !error)
        error = take_entry(index, &input);
    return error || index->entries.count ? error : -EBADMSG;
}

int member_index_parse(const uint8_t *payload, size_t bytes, uint64_t data_end,
                       struct member_index **out)
{
    struct member_index *index = calloc(1, sizeof *index);
    if (!index)
        return -ENOMEM;
    index->data_end = data_end;
    int error = parse(index, payload, bytes);
    if (!error) {
        *out = index;
        return 1;
    }
    member_index_close(index);
    return error == -EBADMSG ? 0 : error;
}

void member_index_close(struct member_index *index)
{
    if (!index)
        return;
    member_index_entries_free(&index->entries);
    free(index);
}

/* Where it is in the file. */

/* 0; -EBADMSG: the file is shorter; or an errno of reading. */
static int read_at(int fd, void *data, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, (char *)data + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EBADMSG;
        done += (size_t)got;
    }
    return 0;
}

/* Allocated; -EBADMSG, -ENOMEM or an errno of reading. */
static int read_range(int fd, uint64_t start, size_t bytes, uint8_t **data)
{
    *data = malloc(bytes);
    if (!*data)
        return -ENOMEM;
    int error = read_at(fd, *data, bytes, start);
    if (error) {
        free(*data);
        *data = NULL;
    }
    return error;
}

/* Room for one member, to compare with: each has to be, byte for byte, as we write it. */
#define PIECE_MAX (CODEC_EMPTY_MEMBER_BYTES + CODEC_EMPTY_DATA_MAX)

/* Moves the content of the pieces together, to their beginning. False: they are none. */
static bool join_pieces(uint8_t *data, size_t bytes, uint8_t room[static PIECE_MAX], size_t *joined)
{
    size_t used = 0;
    for (size_t at = 0; at < bytes;) {
        size_t rest = bytes - at;
        if (rest < CODEC_EMPTY_MEMBER_BYTES)
            return false;
        size_t piece = codec_get32(data + at + CODEC_EMPTY_HEADER_BYTES - 4) >> 16;
        if (!piece || piece > CODEC_EMPTY_DATA_MAX || piece > rest - CODEC_EMPTY_MEMBER_BYTES)
            return false;
        const uint8_t *content = data + at + CODEC_EMPTY_HEADER_BYTES;
        size_t member = codec_empty_member(room, member_index_piece_name, content, piece);
        if (memcmp(data + at, room, member) != 0)
            return false;
        memmove(data + used, content, piece);
        used += piece;
        at += member;
    }
    *joined = used;
    return true;
}

static int parse_pieces(uint8_t *data, size_t bytes, uint64_t data_end, struct member_index **index)
{
    size_t joined;
    uint8_t *room = malloc(PIECE_MAX);
    if (!room)
        return -ENOMEM;
    int got = join_pieces(data, bytes, room, &joined)
                  ? member_index_parse(data, joined, data_end, index)
                  : 0;
    free(room);
    return got;
}

#define PIECES_MAX       (MEMBER_INDEX_PAYLOAD_MAX / CODEC_EMPTY_DATA_MAX + 1)
#define PIECES_BYTES_MAX (MEMBER_INDEX_PAYLOAD_MAX + PIECES_MAX * CODEC_EMPTY_MEMBER_BYTES)

/* The last member says where the first of the index is: 1, or as member_index_open(). */
static int find_pieces(int fd, uint64_t file_bytes, uint64_t *start)
{
    uint8_t end[MEMBER_INDEX_END_BYTES], expected[MEMBER_INDEX_END_BYTES];
    if (file_bytes < sizeof end)
        return 0;
    int error = read_at(fd, end, sizeof end, file_bytes - sizeof end);
    if (error)
        return error == -EBADMSG ? 0 : error;
    const uint8_t *offset = end + CODEC_EMPTY_HEADER_BYTES;
    codec_empty_member(expected, member_index_end_name, offset, 8);
    *start = codec_get32(offset) | (uint64_t)codec_get32(offset + 4) << 32;
    return memcmp(end, expected, sizeof end) == 0 && *start < file_bytes - sizeof end &&
           file_bytes - sizeof end - *start <= PIECES_BYTES_MAX;
}

/* The last row of the seek table is that of the index's frame. 1, or as member_index_open(). */
static int find_frame(int fd, uint64_t file_bytes, uint64_t *start, size_t *bytes)
{
    uint8_t footer[CODEC_SEEK_FOOTER_BYTES], row[CODEC_SEEK_ROW_BYTES];
    uint8_t header[MEMBER_INDEX_FRAME_HEADER_BYTES];
    uint32_t frames, row_bytes;
    if (file_bytes < sizeof footer)
        return 0;
    int error = read_at(fd, footer, sizeof footer, file_bytes - sizeof footer);
    if (error || !decode_footer_parse(footer, file_bytes, &frames, &row_bytes) || !frames)
        return error == -EBADMSG ? 0 : error;
    uint64_t table_bytes = (uint64_t)frames * row_bytes + 8 + sizeof footer;
    uint64_t table = file_bytes - table_bytes; /* the frame of it */
    error = read_at(fd, row, sizeof row, file_bytes - sizeof footer - row_bytes);
    if (error)
        return error == -EBADMSG ? 0 : error;
    *bytes = codec_get32(row);
    if (codec_get32(row + 4) != 0 || *bytes < sizeof header || *bytes > table ||
        *bytes - sizeof header > MEMBER_INDEX_PAYLOAD_MAX)
        return 0;
    *start = table - *bytes;
    error = read_at(fd, header, sizeof header, *start);
    if (error)
        return error == -EBADMSG ? 0 : error;
    *bytes -= sizeof header;
    return codec_get32(header) == MEMBER_INDEX_MAGIC && codec_get32(header + 4) == *bytes;
}

int member_index_open(int fd, uint64_t file_bytes, struct member_index **index)
{
    uint64_t start = 0;
    size_t bytes = 0, header = 0;
    uint8_t *data;
    int found = find_pieces(fd, file_bytes, &start);
    if (found > 0) {
        bytes = (size_t)(file_bytes - MEMBER_INDEX_END_BYTES - start);
    } else if (found == 0) {
        found = find_frame(fd, file_bytes, &start, &bytes);
        header = MEMBER_INDEX_FRAME_HEADER_BYTES;
    }
    if (found <= 0)
        return found;
    int error = read_range(fd, start + header, bytes, &data);
    if (error)
        return error == -EBADMSG ? 0 : error;
    int got = header ? member_index_parse(data, bytes, start, index)
                     : parse_pieces(data, bytes, start, index);
    free(data);
    return got;
}

/* Looking up. */

/* Entries whose keys come before the name and all that is below it (`below` false), or before what
 * comes behind these (true). */
static size_t count_before(const struct member_index *index, const char *path, size_t path_bytes,
                           bool (*is_before)(const char *key, size_t key_bytes, const char *path,
                                             size_t path_bytes))
{
    size_t low = 0, high = index->entries.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct member_index_entry *entry = &index->entries.items[middle];
        if (is_before(index->entries.text + entry->key_at, entry->key_bytes, path, path_bytes))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_not_behind_name(const char *key, size_t key_bytes, const char *path,
                               size_t path_bytes)
{
    return member_index_compare(key, key_bytes, path, path_bytes) <= 0;
}

/* Between "a" and "a/b" there may be "a.c"; behind all of "a/" is first what goes on with a byte
 * above the slash. */
static bool is_not_behind_tree(const char *key, size_t key_bytes, const char *path,
                               size_t path_bytes)
{
    if (key_bytes > path_bytes && memcmp(key, path, path_bytes) == 0)
        return (uint8_t)key[path_bytes] <= '/';
    return member_index_compare(key, key_bytes, path, path_bytes) <= 0;
}

bool member_index_range(const struct member_index *index, const char *path, size_t path_bytes,
                        uint64_t *begin, uint64_t *end)
{
    const struct member_index_entries *entries = &index->entries;
    bool is_all = path_bytes == 1 && *path == '.';
    size_t first = is_all ? 0 : count_before(index, path, path_bytes, is_not_behind_name);
    size_t behind =
        is_all ? entries->count : count_before(index, path, path_bytes, is_not_behind_tree);
    if (behind == 0)
        return false;
    *begin = entries->items[first ? first - 1 : 0].offset;
    *end = behind < entries->count ? entries->items[behind].offset : index->data_end;
    return true;
}
