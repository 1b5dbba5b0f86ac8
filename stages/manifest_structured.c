/* Lines of mtree(5) and of our own JSON. */
#include <string.h>

#include "stages/manifest_private.h"

/* mtree. */

/* vis(3) as mtree writes it: \ooo, \s \n \t \r \a \b \f \v \\ \# and such. Returns the length in
 * `out`, or -1 when it does not fit. */
static ptrdiff_t unvis(const char *text, size_t bytes, char *out, size_t capacity)
{
    static const char letters[] = "abfnrstv", values[] = "\a\b\f\n\r \t\v";
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        char byte = text[i];
        if (byte == '\\' && i + 1 < bytes) {
            char next = text[i + 1];
            const char *letter = next ? strchr(letters, next) : NULL;
            if (i + 3 < bytes && next >= '0' && next <= '3' && text[i + 2] >= '0' &&
                text[i + 2] <= '7' && text[i + 3] >= '0' && text[i + 3] <= '7') {
                byte = (char)((next - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
                i += 3;
            } else if (letter) {
                byte = values[letter - letters];
                i++;
            } else {
                byte = next;
                i++;
            }
        }
        if (used == capacity)
            return -1;
        out[used++] = byte;
    }
    return (ptrdiff_t)used;
}

struct mtree_entry {
    bool is_file;
    bool has_type;
};

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* Our digest of that name, -1: one that is not ours, -2: none. */
static int mtree_digest(const char *key, size_t bytes)
{
    bool is_digest = bytes > 6 && strncmp(key + bytes - 6, "digest", 6) == 0;
    int id = digest_by_name(key, is_digest ? bytes - 6 : bytes);
    if (id >= 0)
        return id;
    return is_digest || is_word(key, bytes, "cksum") || is_word(key, bytes, "rmd160") ||
                   is_word(key, bytes, "ripemd160")
               ? -1
               : -2;
}

/* One keyword; false: malformed. */
static bool take_keyword(struct mtree_entry *entry, const char *word, size_t bytes,
                         struct manifest_line *line)
{
    const char *equals = memchr(word, '=', bytes);
    if (!equals)
        return true; /* "optional", "nochange" */
    size_t key_bytes = (size_t)(equals - word);
    const char *value = equals + 1;
    size_t value_bytes = bytes - key_bytes - 1;
    if (is_word(word, key_bytes, "type")) {
        entry->has_type = true;
        entry->is_file = is_word(value, value_bytes, "file");
        return true;
    }
    if (is_word(word, key_bytes, "size")) {
        line->has_size = true;
        return parse_number(value, value_bytes, &line->size_bytes);
    }
    int id = mtree_digest(word, key_bytes);
    line->has_other |= id == -1;
    return id < 0 || add_digest(line, id, value, value_bytes);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n';
}

/* The next word of a line; a backslash before a newline is white space. */
static const char *next_word(const char **rest, const char *end, size_t *bytes)
{
    const char *at = *rest;
    while (at < end && (is_blank(*at) || (*at == '\\' && at + 1 < end && at[1] == '\n')))
        at++;
    const char *word = at;
    while (at < end && !is_blank(*at) && !(*at == '\\' && at + 1 < end && at[1] == '\n'))
        at++;
    *bytes = (size_t)(at - word);
    *rest = at;
    return *bytes ? word : NULL;
}

static bool take_keywords(struct mtree_entry *entry, const char *rest, const char *end,
                          struct manifest_line *line)
{
    size_t bytes;
    for (const char *word; (word = next_word(&rest, end, &bytes));)
        if (!take_keyword(entry, word, bytes, line))
            return false;
    return true;
}

static enum line_result set_defaults(struct manifest_context *context, const char *rest,
                                     const char *end, struct manifest_line *line)
{
    struct mtree_entry defaults = {.is_file = context->set_is_file};
    if (!take_keywords(&defaults, rest, end, line))
        return malformed(line, "bad value after /set");
    context->set_is_file = defaults.is_file;
    context->set_has_size = line->has_size;
    context->set_size = line->size_bytes;
    return LINE_NOTHING;
}

static void leave_directory(struct manifest_context *context)
{
    size_t bytes = context->directory_bytes;
    if (bytes)
        bytes--; /* the slash */
    while (bytes && context->directory[bytes - 1] != '/')
        bytes--;
    context->directory_bytes = bytes;
}

/* A relative entry (no slash in it) is in the current directory; one with a slash is a whole path
 * and changes nothing. */
static enum line_result place_entry(struct manifest_context *context,
                                    const struct mtree_entry *entry, const char *name,
                                    size_t name_bytes, struct manifest_line *line)
{
    bool is_whole = memchr(name, '/', name_bytes) != NULL;
    size_t base = is_whole ? 0 : context->directory_bytes;
    memcpy(context->path, context->directory, base);
    ptrdiff_t bytes = unvis(name, name_bytes, context->path + base, MANIFEST_PATH_BYTES_MAX - base);
    if (bytes < 0)
        return malformed(line, "file name is too long");
    size_t path_bytes = base + (size_t)bytes;
    if (entry->is_file)
        return set_path(line, context->path, path_bytes);
    if (is_whole || !entry->has_type)
        return LINE_NOTHING;
    if (path_bytes >= MANIFEST_PATH_BYTES_MAX)
        return malformed(line, "directory name is too long");
    memcpy(context->directory, context->path, path_bytes);
    context->directory[path_bytes] = '/';
    context->directory_bytes = path_bytes + 1;
    return LINE_NOTHING;
}

/* Only a directory is entered; other kinds are neither files nor places. */
static bool is_directory(const char *rest, const char *end)
{
    size_t bytes;
    for (const char *word; (word = next_word(&rest, end, &bytes));)
        if (bytes == 8 && strncmp(word, "type=dir", 8) == 0)
            return true;
    return false;
}

enum line_result parse_mtree_line(struct manifest_context *context, char *text, size_t bytes,
                                  struct manifest_line *line)
{
    const char *rest = text, *end = text + bytes;
    size_t name_bytes;
    const char *name = next_word(&rest, end, &name_bytes);
    if (!name || *name == '#')
        return LINE_NOTHING;
    if (*name == '/' && name_bytes == 4 && strncmp(name, "/set", 4) == 0)
        return set_defaults(context, rest, end, line);
    if (*name == '/' && name_bytes == 6 && strncmp(name, "/unset", 6) == 0) {
        context->set_is_file = true;
        context->set_has_size = false;
        return LINE_NOTHING;
    }
    if (name_bytes == 2 && strncmp(name, "..", 2) == 0) {
        leave_directory(context);
        return LINE_NOTHING;
    }
    struct mtree_entry entry = {.is_file = context->set_is_file};
    line->has_size = context->set_has_size;
    line->size_bytes = context->set_size;
    if (!take_keywords(&entry, rest, end, line))
        return malformed(line, "bad value of a keyword");
    if (!entry.is_file && !is_directory(rest, end))
        entry.has_type = false;
    if (!entry.is_file) {
        line->has_size = false;
        line->algorithms = 0;
    }
    return place_entry(context, &entry, name, name_bytes, line);
}

/* JSON: one flat object a line, as manifest_write.c makes it. */

struct json_text {
    char *at;
    char *end;
};

static void skip_blanks(struct json_text *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\r'))
        json->at++;
}

static bool take(struct json_text *json, char byte)
{
    skip_blanks(json);
    if (json->at == json->end || *json->at != byte)
        return false;
    json->at++;
    return true;
}

static long four_digits(const struct json_text *json)
{
    long value = 0;
    if (json->end - json->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(json->at[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *out, long code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* \uXXXX, with a second one where the first is half of a pair. -1: bad. */
static long take_code(struct json_text *json)
{
    long code = four_digits(json);
    if (code < 0)
        return -1;
    json->at += 4;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || json->end - json->at < 6 || json->at[0] != '\\' || json->at[1] != 'u')
        return -1;
    json->at += 2;
    long low = four_digits(json);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    json->at += 4;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

/* A string, unescaped in place (it never grows). */
static bool take_string(struct json_text *json, char **text, size_t *bytes)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (!take(json, '"'))
        return false;
    char *out = json->at;
    *text = out;
    while (json->at < json->end && *json->at != '"') {
        unsigned char byte = (unsigned char)*json->at++;
        if (byte < 0x20)
            return false;
        if (byte != '\\') {
            *out++ = (char)byte;
            continue;
        }
        if (json->at == json->end)
            return false;
        char escape = *json->at++;
        const char *letter = escape ? strchr(letters, escape) : NULL;
        if (letter) {
            *out++ = values[letter - letters];
            continue;
        }
        long code = escape == 'u' ? take_code(json) : -1;
        if (code < 0)
            return false;
        out = put_utf8(out, code);
    }
    *bytes = (size_t)(out - *text);
    return take(json, '"');
}

/* RFC 4648 section 4, in place. */
static bool decode_base64(char *text, size_t *bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = *bytes, used = 0;
    unsigned bits = 0, count = 0;
    if (length % 4)
        return false;
    for (int pads = 0; pads < 2 && length && text[length - 1] == '='; pads++)
        length--;
    for (size_t i = 0; i < length; i++) {
        const char *digit = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (unsigned)(digit - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[used++] = (char)(bits >> count);
        }
    }
    *bytes = used;
    return true;
}

static bool take_literal(struct json_text *json)
{
    skip_blanks(json);
    char *start = json->at;
    while (json->at < json->end && *json->at != ',' && *json->at != '}' && *json->at != '"' &&
           *json->at != '[' && *json->at != '{')
        json->at++;
    return json->at > start;
}

/* One member; NULL or what is wrong. */
static const char *take_member(struct json_text *json, struct manifest_line *line, char **path,
                               size_t *path_bytes)
{
    char *key, *value;
    size_t key_bytes, value_bytes;
    if (!take_string(json, &key, &key_bytes) || !take(json, ':'))
        return "not a JSON object";
    skip_blanks(json);
    if (json->at < json->end && *json->at != '"') {
        value = json->at;
        if (!take_literal(json))
            return "nested JSON";
        value_bytes = (size_t)(json->at - value);
        while (value_bytes && value[value_bytes - 1] == ' ')
            value_bytes--;
        if (key_bytes == 4 && strncmp(key, "size", 4) == 0) {
            line->has_size = parse_number(value, value_bytes, &line->size_bytes);
            return line->has_size ? NULL : "bad size";
        }
        return NULL;
    }
    if (!take_string(json, &value, &value_bytes))
        return "bad JSON string";
    bool is_base64 = key_bytes == 8 && strncmp(key, "path_b64", 8) == 0;
    if (is_base64 || (key_bytes == 4 && strncmp(key, "path", 4) == 0)) {
        if (is_base64 && !decode_base64(value, &value_bytes))
            return "bad base64";
        *path = value;
        *path_bytes = value_bytes;
        return NULL;
    }
    int id = digest_by_name(key, key_bytes);
    return id < 0 || add_digest(line, id, value, value_bytes) ? NULL : "digest of the wrong length";
}

enum line_result parse_json_line(struct manifest_context *context, char *text, size_t bytes,
                                 struct manifest_line *line)
{
    (void)context;
    struct json_text json = {text, text + bytes};
    char *path = NULL;
    size_t path_bytes = 0;
    if (!take(&json, '{'))
        return malformed(line, "not a JSON object");
    do {
        const char *wrong = take_member(&json, line, &path, &path_bytes);
        if (wrong)
            return malformed(line, wrong);
    } while (take(&json, ','));
    if (!take(&json, '}'))
        return malformed(line, "not a JSON object");
    skip_blanks(&json);
    if (json.at != json.end)
        return malformed(line, "text after the JSON object");
    if (!path)
        return malformed(line, "no file name");
    return set_path(line, path, path_bytes); /* its NUL: at the latest over the closing quote */
}
