/* The reader: bytes to lines, lines to the parser of their format. */
#include "stages/manifest_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536

struct manifest_reader {
    struct manifest_reader_options options;
    struct manifest_context context;
    char *buffer;
    size_t capacity, start, end;
    bool ended;
    bool skipping; /* the rest of a line that is too long */
    bool begun;    /* the separator is known */
    char separator;
    uint64_t lines;
    enum { LINES_PLAIN, LINES_HASHDEEP, LINES_MTREE } mode;
    bool mode_known;
};

enum line_result malformed(struct manifest_line *line, const char *reason)
{
    line->reason = reason;
    return LINE_MALFORMED;
}

enum line_result set_path(struct manifest_line *line, char *path, size_t bytes)
{
    if (!bytes)
        return malformed(line, "no file name");
    if (bytes > MANIFEST_PATH_BYTES_MAX)
        return malformed(line, "file name is too long");
    if (memchr(path, '\0', bytes))
        return malformed(line, "file name holds a NUL byte");
    path[bytes] = '\0';
    line->path = path;
    line->path_bytes = bytes;
    return LINE_ENTRY;
}

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool add_digest(struct manifest_line *line, int id, const char *hex, size_t bytes)
{
    size_t size = digest_algorithm((enum digest_id)id)->bytes;
    if (bytes != 2 * size)
        return false;
    uint32_t before = line->algorithms;
    uint32_t after = before | 1u << id;
    size_t offset = digest_offset(after, (enum digest_id)id);
    uint8_t digest[DIGEST_MAX_BYTES];
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    /* Digests lie in order of their ids: those behind this one make room. */
    if (before != after)
        memmove(line->digests + offset + size, line->digests + offset,
                digest_set_bytes(before) - offset);
    memcpy(line->digests + offset, digest, size);
    line->algorithms = after;
    return true;
}

bool parse_number(const char *text, size_t bytes, uint64_t *number)
{
    uint64_t value = 0;
    if (!bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return true;
}

int manifest_reader_create(const struct manifest_reader_options *options,
                           struct manifest_reader **out)
{
    struct manifest_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return -ENOMEM;
    reader->options = *options;
    reader->context.options = &reader->options;
    reader->context.set_is_file = true;
    learn_from_name(&reader->context);
    *out = reader;
    return 0;
}

void manifest_reader_destroy(struct manifest_reader *reader)
{
    if (!reader)
        return;
    free(reader->buffer);
    free(reader);
}

/* 1: more bytes or the end is known, or -errno. */
static int fill(struct manifest_reader *reader, bool wait)
{
    if (reader->start) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    /* One byte is kept for the NUL behind a last line without an end. */
    if (reader->capacity - reader->end <= READ_BYTES) {
        size_t capacity = reader->capacity ? reader->capacity * 2 : 2 * READ_BYTES;
        char *larger = realloc(reader->buffer, capacity);
        if (!larger)
            return -ENOMEM;
        reader->buffer = larger;
        reader->capacity = capacity;
    }
    ssize_t got = reader->options.read(reader->options.context, reader->buffer + reader->end,
                                       READ_BYTES, wait);
    if (got < 0)
        return (int)got;
    reader->ended = got == 0;
    reader->end += (size_t)got;
    return 1;
}

/* Lists made for xargs -0 and the like end their lines in NUL. A name may hold a newline there, so
 * a NUL anywhere in the first READ_BYTES decides. False: wait for more of them. */
static bool find_separator(struct manifest_reader *reader)
{
    size_t bytes = reader->end - reader->start;
    if (bytes > READ_BYTES) /* more has come, in pieces that did not add up: others might not */
        bytes = READ_BYTES;
    bool has_nul = bytes && memchr(reader->buffer + reader->start, '\0', bytes);
    if (!has_nul && !reader->ended && bytes < READ_BYTES)
        return false;
    reader->separator = has_nul ? '\0' : '\n';
    reader->begun = true;
    return true;
}

/* The end of the line, or NULL. In mtree a line whose last byte is a backslash goes on. */
static char *find_end(const struct manifest_reader *reader)
{
    char *text = reader->buffer + reader->start;
    char *limit = reader->buffer + reader->end;
    char *stop = text;
    while (stop < limit && (stop = memchr(stop, reader->separator, (size_t)(limit - stop)))) {
        size_t backslashes = 0;
        while (stop - backslashes > text && stop[-1 - (ptrdiff_t)backslashes] == '\\')
            backslashes++;
        if (reader->mode != LINES_MTREE || backslashes % 2 == 0)
            return stop;
        stop++;
    }
    return NULL;
}

/* 1: a line, 0: the end, -errno. A line that is too long is NULL. */
static int next_line(struct manifest_reader *reader, bool wait, char **text, size_t *bytes)
{
    for (;;) {
        size_t unread = reader->end - reader->start;
        char *start = unread ? reader->buffer + reader->start : NULL; /* no buffer at first */
        char *stop = NULL;
        if (reader->begun || find_separator(reader))
            stop = unread ? find_end(reader) : NULL;
        if (!stop && unread > MANIFEST_LINE_BYTES_MAX) {
            reader->skipping = true;
            reader->start = reader->end;
        } else if (stop || (reader->ended && unread)) {
            *bytes = stop ? (size_t)(stop - start) : unread;
            reader->start += *bytes + (stop ? 1 : 0);
            reader->lines++;
            start[*bytes] = '\0';
            *text = reader->skipping || *bytes > MANIFEST_LINE_BYTES_MAX ? NULL : start;
            reader->skipping = false;
            return 1;
        }
        if (reader->ended) {
            bool was_skipping = reader->skipping;
            reader->skipping = false;
            *text = NULL;
            reader->lines += was_skipping;
            return was_skipping;
        }
        int error = fill(reader, wait);
        if (error < 0)
            return error;
    }
}

static void find_mode(struct manifest_reader *reader, const char *text)
{
    reader->mode_known = true;
    if (strncmp(text, "%%%% HASHDEEP", 13) == 0)
        reader->mode = LINES_HASHDEEP;
    else if (strncmp(text, "#mtree", 6) == 0)
        reader->mode = LINES_MTREE;
}

static enum line_result parse(struct manifest_reader *reader, char *text, size_t bytes,
                              struct manifest_line *line)
{
    if (reader->mode == LINES_MTREE)
        return parse_mtree_line(&reader->context, text, bytes, line);
    if (reader->mode == LINES_HASHDEEP)
        return parse_hashdeep_line(&reader->context, text, bytes, line);
    if (text[0] == '{')
        return parse_json_line(&reader->context, text, bytes, line);
    return parse_checksum_line(&reader->context, text, bytes, line);
}

/* A file of which no digest is known must never be taken for a good one. Only mtree lists files
 * with nothing but their size on purpose, and then names no digest at all. */
static bool can_compare(const struct manifest_reader *reader, const struct manifest_line *line)
{
    return line->algorithms || (reader->mode == LINES_MTREE && line->has_size && !line->has_other);
}

int manifest_next(struct manifest_reader *reader, bool wait, struct manifest_line *line)
{
    for (;;) {
        char *text = NULL;
        size_t bytes = 0;
        int got = next_line(reader, wait, &text, &bytes);
        if (got <= 0)
            return got;
        *line = (struct manifest_line){.line_number = reader->lines};
        enum line_result result = LINE_NOTHING;
        reader->context.ends_in_newline = reader->separator == '\n';
        if (text && !reader->mode_known && bytes)
            find_mode(reader, text);
        if (!text)
            result = malformed(line, "line is too long");
        else if (bytes)
            result = parse(reader, text, bytes, line);
        if (result == LINE_NOTHING)
            continue;
        line->kind = result == LINE_MALFORMED    ? MANIFEST_LINE_MALFORMED
                     : can_compare(reader, line) ? MANIFEST_LINE_ENTRY
                                                 : MANIFEST_LINE_UNCHECKED;
        if (line->kind == MANIFEST_LINE_UNCHECKED && !line->reason)
            line->reason = "no digest that can be checked";
        return 1;
    }
}
