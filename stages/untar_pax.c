/* untar: records of extended headers: "30 mtime=1350244992.023960108\n".
 *
 * Values lie where they came, in untar->text, with a NUL in place of the newline. What is in
 * UTF-8 and what is not (hdrcharset) makes no difference: names are bytes.
 *
 * A name that has a NUL within it is cut there, as GNU tar 1.34 and libarchive 3.6.2 do: no file
 * can have it, and so all see the same name.
 *
 * Of global headers only owners and times are taken. Path, target, size, map, device and attributes
 * are of one file: POSIX lets a global header say them, but then every member would be the same
 * file. libarchive 3.6.2 takes nothing from them. What is left are the defaults that
 * "pax -o mtime:=..." is for.
 *
 * Sources: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "Sparse Formats"; star(5).
 */
#include <string.h>

#include "stages/untar_private.h"

struct record {
    char *key, *value; /* both NUL-terminated, and may have NULs within */
    size_t key_bytes, value_bytes;
};

/* Numbers. */

bool untar_decimal(const char *text, size_t bytes, uint64_t *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *value = number;
    return bytes;
}

static bool decimal(const struct record *record, uint64_t *value)
{
    return untar_decimal(record->value, record->value_bytes, value);
}

/* An owner's number; what fits no uid_t is nobody's. */
static bool owner(const struct record *record, uint32_t *owner_number)
{
    uint64_t number;
    bool is_negative = *record->value == '-';
    if (!untar_decimal(record->value + is_negative, record->value_bytes - is_negative, &number))
        return false;
    *owner_number = untar_owner(is_negative || number > UINT32_MAX ? -1 : (int64_t)number);
    return true;
}

/* "-1.25" is a quarter of a second before -1; nanoseconds count upwards. */
static bool time_of(const struct record *record, int64_t *seconds, uint32_t *ns)
{
    const char *text = record->value, *end = text + record->value_bytes;
    bool is_negative = *text == '-';
    text += is_negative;
    const char *point = memchr(text, '.', (size_t)(end - text));
    uint64_t whole, fraction = 0;
    if (!untar_decimal(text, (size_t)((point ? point : end) - text), &whole) || whole > INT64_MAX)
        return false;
    unsigned digits = 0;
    for (const char *at = point ? point + 1 : end; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        if (digits < 9) {
            fraction = fraction * 10 + (unsigned)(*at - '0');
            digits++;
        }
    }
    for (; digits < 9; digits++)
        fraction *= 10;
    *seconds = is_negative ? -(int64_t)whole - (fraction != 0) : (int64_t)whole;
    *ns = (uint32_t)(is_negative && fraction ? 1000000000 - fraction : fraction);
    return true;
}

/* Records. */

enum key {
    KEY_PATH,
    KEY_TARGET,
    KEY_SIZE,
    KEY_MTIME,
    KEY_UID,
    KEY_GID,
    KEY_USER,
    KEY_GROUP,
    KEY_MAJOR,
    KEY_MINOR,
    KEY_STAR_SIZE,
    KEY_ACL_ACCESS,
    KEY_ACL_DEFAULT,
    KEY_ACL_NFS4,
    KEY_SELINUX,
    KEY_SPARSE_SIZE,
    KEY_SPARSE_NAME,
    KEY_SPARSE_COUNT,
    KEY_SPARSE_OFFSET,
    KEY_SPARSE_BYTES,
    KEY_SPARSE_MAP,
    KEY_SPARSE_MAJOR,
    KEY_SPARSE_MINOR,
    KEY_XATTR,
    KEY_XATTR_BASE64,
    KEY_UNKNOWN
};

#define NAMED(text) text, sizeof(text) - 1
static const struct {
    const char *name;
    size_t bytes;
    enum key key;
    bool is_prefix;
} keys[] = {
    {NAMED("path"), KEY_PATH, false},
    {NAMED("linkpath"), KEY_TARGET, false},
    {NAMED("size"), KEY_SIZE, false},
    {NAMED("mtime"), KEY_MTIME, false},
    {NAMED("uid"), KEY_UID, false},
    {NAMED("gid"), KEY_GID, false},
    {NAMED("uname"), KEY_USER, false},
    {NAMED("gname"), KEY_GROUP, false},
    {NAMED("SCHILY.devmajor"), KEY_MAJOR, false},
    {NAMED("SCHILY.devminor"), KEY_MINOR, false},
    {NAMED("SCHILY.realsize"), KEY_STAR_SIZE, false},
    {NAMED("SCHILY.acl.access"), KEY_ACL_ACCESS, false},
    {NAMED("SCHILY.acl.default"), KEY_ACL_DEFAULT, false},
    {NAMED("SCHILY.acl.ace"), KEY_ACL_NFS4, false},
    {NAMED("RHT.security.selinux"), KEY_SELINUX, false},
    {NAMED("GNU.sparse.size"), KEY_SPARSE_SIZE, false},
    {NAMED("GNU.sparse.realsize"), KEY_SPARSE_SIZE, false},
    {NAMED("GNU.sparse.name"), KEY_SPARSE_NAME, false},
    {NAMED("GNU.sparse.numblocks"), KEY_SPARSE_COUNT, false},
    {NAMED("GNU.sparse.offset"), KEY_SPARSE_OFFSET, false},
    {NAMED("GNU.sparse.numbytes"), KEY_SPARSE_BYTES, false},
    {NAMED("GNU.sparse.map"), KEY_SPARSE_MAP, false},
    {NAMED("GNU.sparse.major"), KEY_SPARSE_MAJOR, false},
    {NAMED("GNU.sparse.minor"), KEY_SPARSE_MINOR, false},
    {NAMED("SCHILY.xattr."), KEY_XATTR, true},
    {NAMED("LIBARCHIVE.xattr."), KEY_XATTR_BASE64, true},
};

/* *name: where what is behind a prefix begins. */
static enum key key_of(const struct record *record, size_t *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if ((keys[i].is_prefix ? record->key_bytes > keys[i].bytes
                               : record->key_bytes == keys[i].bytes) &&
            !memcmp(record->key, keys[i].name, keys[i].bytes)) {
            *name = keys[i].bytes;
            return keys[i].key;
        }
    return KEY_UNKNOWN;
}

/* Cut at a NUL; nothing at all is none. */
static struct untar_text text_of(const struct untar *untar, const struct record *record)
{
    size_t bytes = strnlen(record->value, record->value_bytes);
    if (!bytes)
        return (struct untar_text){0};
    return (struct untar_text){(uint32_t)(record->value - untar->text), (uint32_t)bytes};
}

static struct untar_text bytes_of(const struct untar *untar, const struct record *record)
{
    return (struct untar_text){(uint32_t)(record->value - untar->text),
                               (uint32_t)record->value_bytes};
}

static bool take_size(struct untar *untar, const struct record *record, enum untar_given which,
                      uint64_t *size)
{
    if (!decimal(record, size) || *size > INT64_MAX)
        return untar_fail(untar, "a size in an extended header is no number, or out of range");
    untar->extended.given |= which;
    return true;
}

static bool take_device(struct untar *untar, const struct record *record, enum untar_given which,
                        uint32_t *number)
{
    uint64_t value;
    if (decimal(record, &value) && value <= UINT32_MAX) {
        *number = (uint32_t)value;
        untar->extended.given |= which;
    }
    return true;
}

static bool take_sparse_number(struct untar *untar, const struct record *record, uint64_t *number)
{
    if (!decimal(record, number))
        return untar_fail(untar, "a number of a sparse file's map is none");
    return true;
}

/* GNU.sparse: the forms 0.0 (an offset and a number of bytes, again and again), 0.1 (a list), and
 * 1.0, whose map is not here. */
static bool take_sparse(struct untar *untar, const struct record *record, enum key key)
{
    struct untar_extended *extended = &untar->extended;
    uint64_t number;
    switch (key) {
    case KEY_SPARSE_COUNT:
        extended->given |= UNTAR_HAS_MAP;
        untar_map_clear(untar);
        return true;
    case KEY_SPARSE_MAP:
        extended->given |= UNTAR_HAS_MAP;
        untar_map_clear(untar);
        return untar_map_take_list(untar, record->value, record->value_bytes);
    case KEY_SPARSE_OFFSET:
        extended->has_offset = true;
        return take_sparse_number(untar, record, &extended->sparse_offset);
    case KEY_SPARSE_BYTES:
        if (!extended->has_offset)
            return untar_fail(untar, "a sparse file's map has a length without an offset");
        extended->has_offset = false;
        extended->given |= UNTAR_HAS_MAP;
        return take_sparse_number(untar, record, &number) &&
               untar_map_add(untar, extended->sparse_offset, number);
    case KEY_SPARSE_MAJOR:
        extended->given |= UNTAR_HAS_FORM;
        return take_sparse_number(untar, record, &extended->sparse_major);
    default:
        extended->given |= UNTAR_HAS_FORM;
        return take_sparse_number(untar, record, &extended->sparse_minor);
    }
}

static bool take_attribute(struct untar *untar, const struct record *record, enum key key,
                           size_t name)
{
    struct untar_text value = bytes_of(untar, record);
    size_t at = (size_t)(record->key - untar->text);
    switch (key) {
    case KEY_ACL_ACCESS:
    case KEY_ACL_DEFAULT:
        /* Directories without a default list may have an empty one. */
        return !value.bytes ||
               untar_attribute_add(
                   untar, key == KEY_ACL_ACCESS ? UNTAR_ACL_ACCESS : UNTAR_ACL_DEFAULT, 0, value);
    case KEY_SELINUX:
        /* The kernel's form of a label has its NUL, which is there. */
        value.bytes = (uint32_t)strlen(record->value) + 1;
        return untar_attribute_add(untar, UNTAR_RAW, at + strlen("RHT."), value);
    case KEY_XATTR:
    case KEY_XATTR_BASE64:
        return untar_attribute_add_named(untar, key == KEY_XATTR ? UNTAR_RAW : UNTAR_BASE64,
                                         at + name, record->key_bytes - name, value);
    default: /* Lists of NFSv4: Linux keeps none for local files. */
        untar->extended.lost_attributes = true;
        return true;
    }
}

/* Owners' numbers and times that are none are as if they were not there: the header has some. */
static bool take_record(struct untar *untar, const struct record *record)
{
    struct untar_extended *extended = &untar->extended;
    size_t name = 0;
    enum key key = key_of(record, &name);
    switch (key) {
    case KEY_PATH:
        extended->path = text_of(untar, record);
        return true;
    case KEY_TARGET:
        extended->target = text_of(untar, record);
        return true;
    case KEY_SPARSE_NAME:
        extended->sparse_name = text_of(untar, record);
        return true;
    case KEY_USER:
        extended->user = text_of(untar, record);
        extended->given |= UNTAR_HAS_USER;
        return true;
    case KEY_GROUP:
        extended->group = text_of(untar, record);
        extended->given |= UNTAR_HAS_GROUP;
        return true;
    case KEY_MTIME:
        if (time_of(record, &extended->mtime_seconds, &extended->mtime_ns))
            extended->given |= UNTAR_HAS_MTIME;
        return true;
    case KEY_UID:
        if (owner(record, &extended->uid))
            extended->given |= UNTAR_HAS_UID;
        return true;
    case KEY_GID:
        if (owner(record, &extended->gid))
            extended->given |= UNTAR_HAS_GID;
        return true;
    case KEY_SIZE:
        return take_size(untar, record, UNTAR_HAS_SIZE, &extended->size);
    case KEY_SPARSE_SIZE:
        return take_size(untar, record, UNTAR_HAS_REAL_SIZE, &extended->real_size);
    case KEY_STAR_SIZE:
        return take_size(untar, record, UNTAR_HAS_STAR_SIZE, &extended->star_size);
    case KEY_MAJOR:
        return take_device(untar, record, UNTAR_HAS_MAJOR, &extended->device_major);
    case KEY_MINOR:
        return take_device(untar, record, UNTAR_HAS_MINOR, &extended->device_minor);
    case KEY_SPARSE_COUNT:
    case KEY_SPARSE_OFFSET:
    case KEY_SPARSE_BYTES:
    case KEY_SPARSE_MAP:
    case KEY_SPARSE_MAJOR:
    case KEY_SPARSE_MINOR:
        return take_sparse(untar, record, key);
    case KEY_UNKNOWN:
        return true;
    default:
        return take_attribute(untar, record, key, name);
    }
}

/* Global headers. */

static void take_global_owner(struct untar_global *global, const struct record *record,
                              enum untar_given which, char *name)
{
    size_t bytes = strnlen(record->value, record->value_bytes);
    global->given &= ~(unsigned)which;
    if (!bytes || bytes >= UNTAR_OWNER_BYTES)
        return;
    memcpy(name, record->value, bytes + 1);
    global->given |= which;
}

static void take_global(struct untar_global *global, const struct record *record)
{
    size_t ignored;
    switch (key_of(record, &ignored)) {
    case KEY_MTIME:
        global->given &= ~(unsigned)UNTAR_HAS_MTIME;
        if (time_of(record, &global->mtime_seconds, &global->mtime_ns))
            global->given |= UNTAR_HAS_MTIME;
        break;
    case KEY_UID:
        global->given &= ~(unsigned)UNTAR_HAS_UID;
        if (owner(record, &global->uid))
            global->given |= UNTAR_HAS_UID;
        break;
    case KEY_GID:
        global->given &= ~(unsigned)UNTAR_HAS_GID;
        if (owner(record, &global->gid))
            global->given |= UNTAR_HAS_GID;
        break;
    case KEY_USER:
        take_global_owner(global, record, UNTAR_HAS_USER, global->user);
        break;
    case KEY_GROUP:
        take_global_owner(global, record, UNTAR_HAS_GROUP, global->group);
        break;
    default:
        break;
    }
}

/* The length counts itself. NULL: the record is not one; else where the next begins. */
static char *next_record(char *text, const char *end, struct record *record)
{
    size_t length = 0;
    char *at = text;
    while (at < end && *at >= '0' && *at <= '9' && length <= UNTAR_HEADER_MAX)
        length = length * 10 + (size_t)(*at++ - '0');
    if (at == text || at == end || *at != ' ' || length > (size_t)(end - text))
        return NULL;
    char *key = at + 1, *last = text + length - 1;
    char *equals = key < last ? memchr(key, '=', (size_t)(last - key)) : NULL;
    if (!equals || equals == key || *last != '\n')
        return NULL;
    *equals = *last = '\0';
    *record = (struct record){key, equals + 1, (size_t)(equals - key), (size_t)(last - equals - 1)};
    return last + 1;
}

/* Zeros behind the records are padding that somebody has counted, as GNU tar takes them. */
bool untar_pax_take(struct untar *untar, size_t start, size_t bytes, bool is_global)
{
    char *text = untar->text + start, *end = text + bytes;
    struct record record;
    while (text < end && *text) {
        text = next_record(text, end, &record);
        if (!text)
            return untar_fail(untar, "an extended header's record is broken");
        if (is_global)
            take_global(&untar->global, &record);
        else if (!take_record(untar, &record))
            return false;
    }
    return true;
}
