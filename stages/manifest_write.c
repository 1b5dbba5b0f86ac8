/* The writing half of manifest.h.
 *
 * Every function appends to a cursor that stops at the end of the caller's buffer; one look at
 * `full` at the end decides between the length and -ENOSPC. A manifest of a tree of small files
 * is mostly written here, so nothing on the way of an ordinary name goes byte by byte through a
 * format string: names are copied in runs, and hexadecimal digits come in pairs from a table.
 *
 * Sources of the formats: GNU coreutils 9.1 (src/digest.c: print_filename(), output_file());
 * xxHash 0.8.1 (xxhsum(1), "-c"); libarchive 3.6.2 and mtree(5); hashdeep 4.4; RFC 8259.
 */
#include "stages/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stages/text.h"

/* What the format can hold. */
struct format {
    uint32_t algorithms;
    bool bare; /* an entry without any digest still makes sense */
};

#define ALL_ALGORITHMS ((1u << DIGEST_COUNT) - 1)

/* mtree: the keywords that libarchive reads and writes, without cksum= and rmd160digest=.
 * hashdeep: what it knows as well (tiger, whirlpool) is none of ours. */
static const struct format formats[MANIFEST_FORMAT_COUNT] = {
    [MANIFEST_GNU] = {ALL_ALGORITHMS, false},
    [MANIFEST_BSD] = {ALL_ALGORITHMS, false},
    [MANIFEST_GNU0] = {ALL_ALGORITHMS, false},
    [MANIFEST_MTREE] = {1u << DIGEST_MD5 | 1u << DIGEST_SHA1 | 1u << DIGEST_SHA256 |
                            1u << DIGEST_SHA384 | 1u << DIGEST_SHA512,
                        true},
    [MANIFEST_HASHDEEP] = {1u << DIGEST_MD5 | 1u << DIGEST_SHA1 | 1u << DIGEST_SHA256, false},
    [MANIFEST_JSON] = {ALL_ALGORITHMS, true},
};

const char *manifest_format_name(enum manifest_format format)
{
#define FORMAT_NAME(identifier, name) [identifier] = name,
    static const char *const names[] = {MANIFEST_FORMAT_LIST(FORMAT_NAME)};
#undef FORMAT_NAME
    return (unsigned)format < MANIFEST_FORMAT_COUNT ? names[format] : "unknown";
}

/* The cursor. */

struct cursor {
    char *at;
    char *end;
    bool full; /* something did not fit; nothing more is written */
};

static inline void put(struct cursor *out, const char *bytes, size_t count)
{
    if (out->full || count > (size_t)(out->end - out->at)) {
        out->full = true;
        return;
    }
    memcpy(out->at, bytes, count);
    out->at += count;
}

static inline void put_byte(struct cursor *out, char byte)
{
    put(out, &byte, 1);
}

static inline void put_text(struct cursor *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_hex(struct cursor *out, const uint8_t *bytes, size_t count)
{
    if (out->full || 2 * count > (size_t)(out->end - out->at)) {
        out->full = true;
        return;
    }
    text_hex(bytes, count, out->at);
    out->at += 2 * count;
}

/* At least `width` digits, with leading zeros. */
static inline void put_number(struct cursor *out, uint64_t value, unsigned base, int width)
{
    char digits[24]; /* 2^64 has 22 octal digits */
    char *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + value % base);
        value /= base;
        width--;
    } while (value || width > 0);
    put(out, first, (size_t)(digits + sizeof digits - first));
}

static void put_seconds(struct cursor *out, int64_t seconds, uint32_t nanoseconds)
{
    if (seconds < 0)
        put_byte(out, '-');
    put_number(out, seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds, 10, 1);
    put_byte(out, '.');
    put_number(out, nanoseconds, 10, 9);
}

/* A function of text.h into the rest of the buffer. Its NUL takes the place of the byte that
 * follows every name, so "does not fit with its NUL" is exactly "does not fit". */
static void put_encoded(struct cursor *out, const char *path, size_t bytes,
                        size_t (*encode)(const char *, size_t, char *, size_t))
{
    if (out->full)
        return;
    size_t left = (size_t)(out->end - out->at);
    size_t length = encode(path, bytes, out->at, left);
    if (length >= left)
        out->full = true;
    else
        out->at += length;
}

/* The digests of an entry in order of their ids. */

struct walk {
    uint32_t left;
    const uint8_t *next;
};

struct digest {
    enum digest_id id;
    const struct digest_algorithm *algorithm;
    const uint8_t *bytes;
};

static bool next_digest(struct walk *walk, struct digest *digest)
{
    if (!walk->left)
        return false;
    digest->id = (enum digest_id)__builtin_ctz(walk->left);
    digest->algorithm = digest_algorithm(digest->id);
    digest->bytes = walk->next;
    walk->left &= walk->left - 1;
    walk->next += digest->algorithm->bytes;
    return true;
}

/* gnu, gnu0 and bsd. */

/* coreutils 9.1 escapes these three and marks the line with a backslash in front. */
static bool gnu_must_escape(const char *path, size_t bytes)
{
    return memchr(path, '\\', bytes) || memchr(path, '\n', bytes) || memchr(path, '\r', bytes);
}

static void put_gnu_name(struct cursor *out, const char *path, size_t bytes, bool escape)
{
    if (escape)
        put_encoded(out, path, bytes, text_gnu_escape);
    else
        put(out, path, bytes);
}

/* xxhsum -c takes 16 digits and a name for XXH64 and would call the file damaged. For XXH3
 * xxhsum 0.8.1 writes and reads the tagged line alone ("XXH3_" before the digits is read by later
 * versions only), so that is what stands in a gnu manifest too. */
static bool is_tagged(enum manifest_format format, enum digest_id id)
{
    return format == MANIFEST_BSD || (format == MANIFEST_GNU && id == DIGEST_XXH3);
}

static void put_lines(struct cursor *out, enum manifest_format format,
                      const struct manifest_entry *entry)
{
    bool raw = format == MANIFEST_GNU0;
    bool escape = !raw && gnu_must_escape(entry->path, entry->path_bytes);
    struct walk walk = {entry->algorithms, entry->digests};
    struct digest digest;

    while (next_digest(&walk, &digest)) {
        if (escape)
            put_byte(out, '\\');
        if (is_tagged(format, digest.id)) {
            put_text(out, digest.algorithm->tag);
            put(out, " (", 2);
            put_gnu_name(out, entry->path, entry->path_bytes, escape);
            put(out, ") = ", 4);
            put_hex(out, digest.bytes, digest.algorithm->bytes);
        } else {
            put_hex(out, digest.bytes, digest.algorithm->bytes);
            put(out, "  ", 2);
            put_gnu_name(out, entry->path, entry->path_bytes, escape);
        }
        put_byte(out, raw ? '\0' : '\n');
    }
}

/* mtree. */

/* libarchive (archive_write_set_format_mtree.c, safe_char[]) escapes blanks, control characters,
 * everything beyond ASCII, and "#", "=" and the backslash. The characters of patterns are escaped
 * here besides: BSD's mtree(8) takes an unescaped one for a pattern that matches other files. */
bool manifest_mtree_is_plain(unsigned char byte)
{
    switch (byte) {
    case '#':
    case '=':
    case '\\':
    case '*':
    case '?':
    case '[':
        return false;
    default:
        return byte > ' ' && byte < 0x7f;
    }
}

static void put_octal_escape(struct cursor *out, unsigned char byte)
{
    char escape[4] = {'\\', (char)('0' + (byte >> 6)), (char)('0' + (byte >> 3 & 7)),
                      (char)('0' + (byte & 7))};
    put(out, escape, sizeof escape);
}

static void put_mtree_path(struct cursor *out, const char *path, size_t bytes)
{
    size_t run = 0;
    size_t i = 0;

    if (bytes > 0 && path[0] == '/') {
        /* A line that begins with a slash is a command (/set, /unset) for libarchive, or an
         * error; escaped, the slash is a part of the name. */
        put_octal_escape(out, '/');
        run = i = 1;
    } else if (bytes < 2 || path[0] != '.' || path[1] != '/') {
        /* With a slash it is a full path; without, it would be one in the directory above. */
        put(out, "./", 2);
    }
    for (; i < bytes; i++) {
        if (manifest_mtree_is_plain((unsigned char)path[i]))
            continue;
        put(out, path + run, i - run);
        put_octal_escape(out, (unsigned char)path[i]);
        run = i + 1;
    }
    put(out, path + run, bytes - run);
}

/* No uid and gid: they are not of the content, and differ from one machine to the next. */
static void put_mtree(struct cursor *out, const struct manifest_entry *entry)
{
    struct walk walk = {entry->algorithms, entry->digests};
    struct digest digest;

    put_mtree_path(out, entry->path, entry->path_bytes);
    put_text(out, " type=file mode=");
    put_number(out, entry->mode & 07777, 8, 4);
    put_text(out, " size=");
    put_number(out, entry->size_bytes, 10, 1);
    /* Two numbers, not a fraction: half a second before 1970 is -1.500000000, as libarchive
     * writes and reads it. Nine digits are what mtree(5) demands. */
    put_text(out, " time=");
    put_seconds(out, entry->mtime_seconds, entry->mtime_ns);
    while (next_digest(&walk, &digest)) {
        put_byte(out, ' ');
        put_text(out, digest.algorithm->name);
        put_text(out, "digest=");
        put_hex(out, digest.bytes, digest.algorithm->bytes);
    }
    put_byte(out, '\n');
}

/* hashdeep. */

/* The name is the last column and stands as it is: hashdeep 4.4 knows no quoting, and reads all
 * after the last comma it expects. It writes even a newline as it is and then cannot read its own
 * line ("Invalid md5 hash in line N"); no other spelling would be understood by it, though. */
static void put_hashdeep(struct cursor *out, const struct manifest_entry *entry)
{
    struct walk walk = {entry->algorithms, entry->digests};
    struct digest digest;

    put_number(out, entry->size_bytes, 10, 1);
    while (next_digest(&walk, &digest)) {
        put_byte(out, ',');
        put_hex(out, digest.bytes, digest.algorithm->bytes);
    }
    put_byte(out, ',');
    put(out, entry->path, entry->path_bytes);
    put_byte(out, '\n');
}

/* json. */

static bool json_is_plain(const char *path, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)path[i];
        if (byte < ' ' || byte >= 0x7f || byte == '"' || byte == '\\')
            return false;
    }
    return true;
}

static void put_json(struct cursor *out, const struct manifest_entry *entry)
{
    struct walk walk = {entry->algorithms, entry->digests};
    struct digest digest;

    if (json_is_plain(entry->path, entry->path_bytes)) {
        put_text(out, "{\"path\":\"");
        put(out, entry->path, entry->path_bytes);
    } else if (text_is_utf8(entry->path, entry->path_bytes)) {
        put_text(out, "{\"path\":\"");
        put_encoded(out, entry->path, entry->path_bytes, text_json_escape);
    } else {
        put_text(out, "{\"path_b64\":\"");
        put_encoded(out, entry->path, entry->path_bytes, text_base64);
    }
    put_text(out, "\",\"size\":");
    put_number(out, entry->size_bytes, 10, 1);
    /* A string, for a double has no room for nanoseconds; and a decimal fraction, as people read
     * it: half a second before 1970 is -0.500000000. */
    put_text(out, ",\"mtime\":\"");
    if (entry->mtime_seconds < 0 && entry->mtime_ns > 0) {
        if (entry->mtime_seconds == -1)
            put_byte(out, '-'); /* there is no -0 to carry the sign */
        put_seconds(out, entry->mtime_seconds + 1, 1000000000 - entry->mtime_ns);
    } else {
        put_seconds(out, entry->mtime_seconds, entry->mtime_ns);
    }
    put_text(out, "\",\"mode\":\"");
    put_number(out, entry->mode & 07777, 8, 4);
    put_byte(out, '"');
    while (next_digest(&walk, &digest)) {
        put_text(out, ",\"");
        put_text(out, digest.algorithm->name);
        put_text(out, "\":\"");
        put_hex(out, digest.bytes, digest.algorithm->bytes);
        put_byte(out, '"');
    }
    put_text(out, "}\n");
}

/* The public functions. */

/* "md5, sha1, sha256" */
static void put_names(struct cursor *out, uint32_t set)
{
    for (const char *between = ""; set; set &= set - 1, between = ", ") {
        put_text(out, between);
        put_text(out, digest_algorithm((enum digest_id)__builtin_ctz(set))->name);
    }
}

bool manifest_supports(enum manifest_format format, uint32_t algorithms, char *why,
                       size_t why_bytes)
{
    if ((unsigned)format >= MANIFEST_FORMAT_COUNT) {
        snprintf(why, why_bytes, "no such manifest format");
        return false;
    }
    const struct format *row = &formats[format];
    if (algorithms >> DIGEST_COUNT) {
        snprintf(why, why_bytes, "no such checksum algorithm");
        return false;
    }
    if (!algorithms && !row->bare) {
        snprintf(why, why_bytes, "the %s format needs at least one checksum algorithm",
                 manifest_format_name(format));
        return false;
    }
    uint32_t missing = algorithms & ~row->algorithms;
    if (!missing)
        return true;

    char bad[160], good[160]; /* all names with ", " between take 124 bytes */
    struct cursor out = {bad, bad + sizeof bad - 1, false};
    put_names(&out, missing);
    *out.at = '\0';
    out = (struct cursor){good, good + sizeof good - 1, false};
    put_names(&out, row->algorithms);
    *out.at = '\0';
    snprintf(why, why_bytes, "the %s format cannot hold %s (it takes %s)",
             manifest_format_name(format), bad, good);
    return false;
}

static ptrdiff_t finish(const struct cursor *out, const char *buffer)
{
    return out->full ? -ENOSPC : out->at - buffer;
}

ptrdiff_t manifest_render(enum manifest_format format, const struct manifest_entry *entry,
                          char *buffer, size_t capacity)
{
    struct cursor out = {buffer, buffer + capacity, false};

    if ((unsigned)format >= MANIFEST_FORMAT_COUNT ||
        entry->algorithms & ~formats[format].algorithms)
        return -EINVAL;
    switch (format) {
    case MANIFEST_MTREE:
        put_mtree(&out, entry);
        break;
    case MANIFEST_HASHDEEP:
        /* Unquoted, a newline in a name would end the line and could forge the next one. */
        if (memchr(entry->path, '\n', entry->path_bytes))
            return -EILSEQ;
        put_hashdeep(&out, entry);
        break;
    case MANIFEST_JSON:
        put_json(&out, entry);
        break;
    default:
        put_lines(&out, format, entry);
        break;
    }
    return finish(&out, buffer);
}

ptrdiff_t manifest_header(enum manifest_format format, uint32_t algorithms, char *buffer,
                          size_t capacity)
{
    struct cursor out = {buffer, buffer + capacity, false};

    if (format == MANIFEST_MTREE) {
        put_text(&out, "#mtree\n");
    } else if (format == MANIFEST_HASHDEEP) {
        put_text(&out, "%%%% HASHDEEP-1.0\n%%%% size");
        for (uint32_t left = algorithms & formats[format].algorithms; left; left &= left - 1) {
            put_byte(&out, ',');
            put_text(&out, digest_algorithm((enum digest_id)__builtin_ctz(left))->name);
        }
        /* hashdeep has its working directory and command line here and skips both when it reads.
         * The same tree shall give the same bytes everywhere, so these name neither. */
        put_text(&out, ",filename\n## Invoked from: .\n## $ treemill\n## \n");
    }
    return finish(&out, buffer);
}
