/* Lines of checksum tools: untagged (sha256sum, md5sum, b3sum, xxhsum, BagIt), tagged (BSD md5,
 * sha256sum --tag, openssl dgst), SFV, and hashdeep's. */
#include <string.h>

#include "stages/manifest_private.h"

/* coreutils: a leading backslash says that the name has \\, \n and \r escaped. In place. */
static bool unescape(char *name, size_t *bytes)
{
    size_t to = 0;
    for (size_t from = 0; from < *bytes; from++) {
        char byte = name[from];
        if (byte == '\\') {
            if (++from == *bytes)
                return false;
            switch (name[from]) {
            case '\\':
                break;
            case 'n':
                name[from] = '\n';
                break;
            case 'r':
                name[from] = '\r';
                break;
            default:
                return false;
            }
            byte = name[from];
        }
        name[to++] = byte;
    }
    *bytes = to;
    return true;
}

/* BagIt, RFC 8493 2.1.3: CR, LF and % of a path are percent-encoded. In place. */
static void percent_decode(char *name, size_t *bytes)
{
    size_t to = 0;
    for (size_t from = 0; from < *bytes; from++) {
        if (name[from] == '%' && from + 2 < *bytes && hex_value(name[from + 1]) >= 0 &&
            hex_value(name[from + 2]) >= 0) {
            int value = hex_value(name[from + 1]) << 4 | hex_value(name[from + 2]);
            if (value == '\n' || value == '\r' || value == '%') {
                name[to++] = (char)value;
                from += 2;
                continue;
            }
        }
        name[to++] = name[from];
    }
    *bytes = to;
}

static enum line_result take_name(struct manifest_line *line, char *name, size_t bytes,
                                  bool escaped)
{
    if (escaped && !unescape(name, &bytes))
        return malformed(line, "bad escape in the file name");
    return set_path(line, name, bytes);
}

static size_t hex_length(const char *text, size_t bytes)
{
    size_t length = 0;
    while (length < bytes && hex_value(text[length]) >= 0)
        length++;
    return length;
}

/* "HEX  name", "HEX *name", "XXH3_HEX  name" */
static enum line_result untagged(struct manifest_context *context, char *text, size_t bytes,
                                 bool escaped, struct manifest_line *line)
{
    int id = -1;
    if (bytes > 5 && strncmp(text, "XXH3_", 5) == 0) {
        id = DIGEST_XXH3;
        text += 5;
        bytes -= 5;
    }
    size_t digits = hex_length(text, bytes);
    if (id < 0)
        id = untagged_algorithm(context, digits, line);
    bool is_unknown = id < 0 && line->reason;
    if (digits + 2 > bytes || text[digits] != ' ' ||
        (!is_unknown && (id < 0 || !add_digest(line, id, text, digits))))
        return malformed(line, "not a checksum line");
    line->has_other |= is_unknown;
    char *name = text + digits + 1;
    size_t name_bytes = bytes - digits - 1;
    /* A second blank or a star (binary) belongs to the separator; BSD's reversed form has one. */
    if (*name == ' ' || *name == '*') {
        name++;
        name_bytes--;
    }
    if (context->is_bagit) {
        while (name_bytes && (*name == ' ' || *name == '\t')) {
            name++;
            name_bytes--;
        }
        percent_decode(name, &name_bytes);
    }
    return take_name(line, name, name_bytes, escaped);
}

static const char *last_of(const char *text, size_t bytes, const char *what)
{
    size_t length = strlen(what);
    for (size_t at = bytes; at >= length; at--)
        if (memcmp(text + at - length, what, length) == 0)
            return text + at - length;
    return NULL;
}

/* "ALG (name) = HEX"; openssl: "ALG(name)= HEX". The name may hold ") = " itself, so the last one
 * counts. */
static enum line_result tagged(char *text, size_t bytes, bool escaped, struct manifest_line *line)
{
    char *open = memchr(text, '(', bytes);
    if (!open || open == text)
        return LINE_NOTHING;
    const char *close = last_of(text, bytes, ") = ");
    size_t close_bytes = 4;
    const char *close_openssl = last_of(text, bytes, ")= ");
    if (!close || close_openssl > close) {
        close = close_openssl;
        close_bytes = 3;
    }
    if (!close || close < open)
        return LINE_NOTHING;
    size_t tag_bytes = (size_t)(open - text);
    while (tag_bytes && text[tag_bytes - 1] == ' ') /* rhash aligns them */
        tag_bytes--;
    const char *hex = close + close_bytes;
    size_t hex_bytes = bytes - (size_t)(hex - text);
    /* A digest before a name with parentheses in it is no tag. */
    if (!tag_bytes || memchr(text, ' ', tag_bytes) || hex_length(text, tag_bytes) == tag_bytes)
        return LINE_NOTHING;
    int id = digest_by_name(text, tag_bytes);
    line->has_other = id < 0 && hex_bytes >= 8 && hex_length(hex, hex_bytes) == hex_bytes;
    if (id < 0 && !line->has_other)
        return malformed(line, "unknown digest algorithm");
    if (id >= 0 && !add_digest(line, id, hex, hex_bytes))
        return malformed(line, "digest of the wrong length");
    return take_name(line, open + 1, (size_t)(close - open) - 1, escaped);
}

/* "name HEX8" */
static bool ends_as_sfv(const char *text, size_t bytes)
{
    enum { CRC_DIGITS = 8 };
    return bytes > CRC_DIGITS + 1 && text[bytes - CRC_DIGITS - 1] == ' ' &&
           hex_length(text + bytes - CRC_DIGITS, CRC_DIGITS) == CRC_DIGITS;
}

static enum line_result sfv(char *text, size_t bytes, struct manifest_line *line)
{
    const char *blank = last_of(text, bytes, " ");
    if (!blank || !add_digest(line, DIGEST_CRC32, blank + 1, bytes - (size_t)(blank - text) - 1))
        return malformed(line, "not an SFV line");
    size_t name_bytes = (size_t)(blank - text);
    while (name_bytes && text[name_bytes - 1] == ' ')
        name_bytes--;
    return set_path(line, text, name_bytes);
}

enum line_result parse_checksum_line(struct manifest_context *context, char *text, size_t bytes,
                                     struct manifest_line *line)
{
    if (*text == '#' || *text == ';') {
        context->is_sfv |= *text == ';';
        return LINE_NOTHING;
    }
    /* Lists written on other systems: the CR belongs to the line's end, as a name's own CR is
     * escaped; but not before a NUL, where names stand as they are. */
    if (context->ends_in_newline && bytes && text[bytes - 1] == '\r')
        text[--bytes] = '\0';
    if (!bytes)
        return LINE_NOTHING;
    /* coreutils skips blanks before the digest; in SFV they would be the name's. */
    while (!context->is_sfv && (*text == ' ' || *text == '\t')) {
        text++;
        bytes--;
    }
    bool escaped = *text == '\\';
    if (escaped) {
        text++;
        bytes--;
    }
    enum line_result result = tagged(text, bytes, escaped, line);
    if (result != LINE_NOTHING)
        return result;
    /* Some put lists of other kinds behind the comments of SFV. But a name may begin with digits.
     */
    size_t digits = hex_length(text, bytes);
    bool may_be_other = digits >= 8 && digits < bytes && text[digits] == ' ';
    if (context->is_sfv && (!may_be_other || ends_as_sfv(text, bytes)))
        return sfv(text, bytes, line);
    return untagged(context, text, bytes, escaped, line);
}

/* hashdeep(1): "%%%% HASHDEEP-1.0", "%%%% size,md5,sha256,filename", "## comment", then lines. */

static enum line_result hashdeep_header(struct manifest_context *context, char *text,
                                        struct manifest_line *line)
{
    while (*text == '%' || *text == ' ')
        text++;
    if (strncmp(text, "HASHDEEP", 8) == 0)
        return LINE_NOTHING;
    context->column_count = 0;
    char *rest = text;
    for (char *name; (name = strsep(&rest, ","));) {
        if (context->column_count == HASHDEEP_COLUMNS_MAX)
            return malformed(line, "too many columns");
        int id = digest_by_name(name, strlen(name));
        int column = id >= 0                         ? id
                     : strcmp(name, "size") == 0     ? COLUMN_SIZE
                     : strcmp(name, "filename") == 0 ? COLUMN_FILENAME
                                                     : COLUMN_UNKNOWN;
        context->column[context->column_count++] = column;
    }
    return LINE_NOTHING;
}

enum line_result parse_hashdeep_line(struct manifest_context *context, char *text, size_t bytes,
                                     struct manifest_line *line)
{
    bool is_header = strncmp(text, "%%%%", 4) == 0;
    bool has_cr = bytes && text[bytes - 1] == '\r';
    if (is_header)
        context->has_cr = has_cr;
    /* A name is not escaped: where the header has no CR before its end, this one is the name's. */
    if (has_cr && context->has_cr)
        text[--bytes] = '\0';
    if (is_header)
        return hashdeep_header(context, text, line);
    if (*text == '#' || !bytes)
        return LINE_NOTHING;
    char *rest = text;
    size_t rest_bytes = bytes;
    for (unsigned i = 0; i < context->column_count; i++) {
        int column = context->column[i];
        if (column == COLUMN_FILENAME) /* always the last: commas in it are its own */
            return set_path(line, rest, rest_bytes);
        char *comma = rest_bytes ? memchr(rest, ',', rest_bytes) : NULL;
        if (!comma)
            return malformed(line, "too few columns");
        size_t field = (size_t)(comma - rest);
        if (column == COLUMN_SIZE) {
            line->has_size = parse_number(rest, field, &line->size_bytes);
            if (!line->has_size)
                return malformed(line, "bad size");
        } else if (column >= 0 && !add_digest(line, column, rest, field)) {
            return malformed(line, "digest of the wrong length");
        }
        rest = comma + 1;
        rest_bytes -= field + 1;
    }
    return malformed(line, "no column for the file name");
}
