#include "stages/text.h"

#include <string.h>

/* The output of one call. A piece is put whole or not at all, and after the first piece that does
 * not fit nothing more is put, so that the result is a prefix. */
struct sink {
    char *out;
    size_t capacity;
    size_t written;
    size_t needed;
};

static void sink_put(struct sink *sink, const char *piece, size_t length)
{
    if (sink->written == sink->needed && sink->capacity - sink->written > length) {
        memcpy(sink->out + sink->written, piece, length);
        sink->written += length;
    }
    sink->needed += length;
}

static size_t sink_finish(struct sink *sink)
{
    if (sink->capacity > 0)
        sink->out[sink->written] = '\0';
    return sink->needed;
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t text_utf8_length(const char *bytes, size_t length)
{
    if (length == 0)
        return 0;
    const unsigned char *byte = (const unsigned char *)bytes;
    unsigned char first = byte[0];
    if (first < 0x80)
        return 1;
    /* The table of well-formed sequences of RFC 3629 section 4: only the second byte's range
     * depends on the first byte. */
    size_t wanted = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (wanted == 0 || length < wanted)
        return 0;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i < wanted; i++)
        if (!is_continuation(byte[i]))
            return 0;
    return wanted;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        /* Nearly all names are ASCII: eight bytes at a time. */
        uint64_t word;
        while (length - at >= sizeof word) {
            memcpy(&word, bytes + at, sizeof word);
            if (word & UINT64_C(0x8080808080808080))
                break;
            at += sizeof word;
        }
        if (at == length)
            break;
        size_t step = text_utf8_length(bytes + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

#define HEX_ROW(h)                                                                                 \
    {h, '0'}, {h, '1'}, {h, '2'}, {h, '3'}, {h, '4'}, {h, '5'}, {h, '6'}, {h, '7'}, {h, '8'},      \
        {h, '9'}, {h, 'a'}, {h, 'b'}, {h, 'c'}, {h, 'd'}, {h, 'e'},                                \
    {                                                                                              \
        h, 'f'                                                                                     \
    }

static const char hex_pairs[256][2] = {
    HEX_ROW('0'), HEX_ROW('1'), HEX_ROW('2'), HEX_ROW('3'), HEX_ROW('4'), HEX_ROW('5'),
    HEX_ROW('6'), HEX_ROW('7'), HEX_ROW('8'), HEX_ROW('9'), HEX_ROW('a'), HEX_ROW('b'),
    HEX_ROW('c'), HEX_ROW('d'), HEX_ROW('e'), HEX_ROW('f'),
};

void text_hex(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        memcpy(out + 2 * i, hex_pairs[bytes[i]], 2);
}

size_t text_columns(const char *text)
{
    size_t columns = 0;
    while (*text) {
        if (text[0] == '\033' && text[1] == '[') {
            text += strcspn(text, "m");
            text += *text == 'm';
            continue;
        }
        columns += !is_continuation((unsigned char)*text);
        text++;
    }
    return columns;
}

size_t text_json_escape(const char *bytes, size_t length, char *out, size_t capacity)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_from[] = "\"\\\b\f\n\r\t";
    static const char short_to[] = "\"\\bfnrt";
    struct sink sink = {.out = out, .capacity = capacity};
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_length(bytes + at, length - at);
        unsigned char byte = (unsigned char)bytes[at];
        const char *pair = byte ? strchr(short_from, byte) : NULL;
        if (step == 0) {
            sink_put(&sink, "\\ufffd", 6);
            step = 1;
        } else if (pair) {
            sink_put(&sink, (char[]){'\\', short_to[pair - short_from]}, 2);
        } else if (byte < 0x20 || byte == 0x7f) {
            /* DEL is allowed raw, but a JSON line may be looked at on a terminal. */
            sink_put(&sink, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
        } else {
            sink_put(&sink, bytes + at, step);
        }
        at += step;
    }
    return sink_finish(&sink);
}

size_t text_gnu_escape(const char *bytes, size_t length, char *out, size_t capacity)
{
    struct sink sink = {.out = out, .capacity = capacity};
    size_t run = 0;
    for (size_t at = 0; at < length; at++) {
        const char *as = bytes[at] == '\\'   ? "\\\\"
                         : bytes[at] == '\n' ? "\\n"
                         : bytes[at] == '\r' ? "\\r"
                                             : NULL;
        if (!as)
            continue;
        sink_put(&sink, bytes + run, at - run);
        sink_put(&sink, as, 2);
        run = at + 1;
    }
    sink_put(&sink, bytes + run, length - run);
    return sink_finish(&sink);
}

size_t text_base64(const char *bytes, size_t length, char *out, size_t capacity)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = (const unsigned char *)bytes;
    struct sink sink = {.out = out, .capacity = capacity};
    for (size_t at = 0; at < length; at += 3) {
        size_t left = length - at;
        uint32_t group = (uint32_t)byte[at] << 16 | (left > 1 ? (uint32_t)byte[at + 1] << 8 : 0) |
                         (left > 2 ? byte[at + 2] : 0u);
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        sink_put(&sink, four, sizeof four);
    }
    return sink_finish(&sink);
}

/* Characters of several bytes that move the cursor, end a line or reorder what follows. */
static bool is_treacherous(const unsigned char *byte, size_t length)
{
    if (length == 2) {
        return (byte[0] == 0xc2 && byte[1] <= 0x9f) || /* C1 controls, U+0080 to U+009F */
               (byte[0] == 0xd8 && byte[1] == 0x9c);   /* Arabic letter mark, U+061C */
    }
    if (length != 3 || byte[0] != 0xe2)
        return false;
    uint32_t character = 0x2000u | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu);
    return character == 0x200e || character == 0x200f ||   /* left-to-right, right-to-left mark */
           (character >= 0x2028 && character <= 0x202e) || /* separators, embeddings, overrides */
           (character >= 0x2066 && character <= 0x2069);   /* isolates */
}

static void put_octal(struct sink *sink, unsigned char byte)
{
    sink_put(sink,
             (char[]){'\\', (char)('0' + (byte >> 6)), (char)('0' + (byte >> 3 & 7)),
                      (char)('0' + (byte & 7))},
             4);
}

static size_t escape_terminal(const char *bytes, size_t length, bool escape_backslash, char *out,
                              size_t capacity)
{
    struct sink sink = {.out = out, .capacity = capacity};
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_length(bytes + at, length - at);
        unsigned char byte = (unsigned char)bytes[at];
        if (byte == '\n' || byte == '\r' || byte == '\t') {
            sink_put(&sink, byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t", 2);
        } else if (byte == '\\' && escape_backslash) {
            sink_put(&sink, "\\\\", 2);
        } else if (step == 0 || byte < 0x20 || byte == 0x7f ||
                   is_treacherous((const unsigned char *)bytes + at, step)) {
            for (size_t i = 0; i < (step ? step : 1); i++)
                put_octal(&sink, (unsigned char)bytes[at + i]);
        } else {
            sink_put(&sink, bytes + at, step);
        }
        at += step ? step : 1;
    }
    return sink_finish(&sink);
}

size_t text_escape_terminal(const char *bytes, size_t length, char *out, size_t capacity)
{
    return escape_terminal(bytes, length, true, out, capacity);
}

size_t text_escape_message(const char *bytes, size_t length, char *out, size_t capacity)
{
    return escape_terminal(bytes, length, false, out, capacity);
}
