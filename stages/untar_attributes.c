/* untar: attributes of a member.
 *
 * Whoever wrote an attribute twice (libarchive does, as SCHILY.xattr and as LIBARCHIVE.xattr) means
 * one. They are packed in the order of their names, as metadata_read() packs those of a file.
 *
 * "=" in a name would end a record's keyword, so GNU tar and libarchive encode it as in an URL, and
 * "%" with it. libarchive encodes whatever else is not plain ASCII, too.
 */
#include <stdlib.h>
#include <string.h>

#include "stages/untar_private.h"

struct untar_packed {
    uint8_t bytes[METADATA_MAX_BYTES];
    uint8_t list[METADATA_MAX_BYTES]; /* an ACL on its way there */
};

void untar_attributes_destroy(struct untar *untar)
{
    free(untar->attributes);
    free(untar->packed);
}

bool untar_attribute_add(struct untar *untar, enum untar_form form, size_t name,
                         struct untar_text value)
{
    if (untar->passes_attributes)
        return true;
    if (!value.at || untar->attribute_count >= UNTAR_ATTRIBUTES_MAX) {
        untar->extended.lost_attributes = true;
        return true;
    }
    if (untar->attribute_count == untar->attribute_capacity) {
        size_t capacity = untar->attribute_capacity ? 4 * untar->attribute_capacity : 16;
        struct untar_attribute *grown = realloc(untar->attributes, capacity * sizeof *grown);
        if (!grown)
            return untar_fail(untar, "out of memory");
        untar->attributes = grown;
        untar->attribute_capacity = capacity;
    }
    untar->attributes[untar->attribute_count++] =
        (struct untar_attribute){(uint32_t)name, value, form};
    return true;
}

/* Names. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; returns what is left. What is not of the form %XX stays. */
static size_t decode_name(char *name, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        int high = name[i] == '%' && bytes - i > 2 ? hex_digit(name[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(name[i + 2]);
        name[used++] = low < 0 ? name[i] : (char)(high * 16 + low);
        i += low < 0 ? 0 : 2;
    }
    name[used] = '\0';
    return used;
}

bool untar_attribute_add_named(struct untar *untar, enum untar_form form, size_t name,
                               size_t name_bytes, struct untar_text value)
{
    char *text = untar->text + name;
    if (untar->passes_attributes)
        return true;
    size_t bytes = decode_name(text, name_bytes);
    if (memchr(text, '\0', bytes)) {
        untar->extended.lost_attributes = true;
        return true;
    }
    return untar_attribute_add(untar, form, name, value);
}

/* Values. */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place; with padding or, as libarchive has it, without. -1: it is not base64. */
static ptrdiff_t decode_base64(char *text, size_t bytes)
{
    size_t used = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    while (bytes && text[bytes - 1] == '=')
        bytes--;
    for (size_t i = 0; i < bytes; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[used++] = (char)(bits >> count & 0xff);
        }
    }
    return (ptrdiff_t)used;
}

/* The bytes of a value, and how many; negative: it is lost. */
static ptrdiff_t value_of(struct untar *untar, const struct untar_attribute *attribute,
                          const void **value)
{
    char *text = untar->text + attribute->value.at;
    size_t bytes = attribute->value.bytes;
    *value = text;
    switch (attribute->form) {
    case UNTAR_RAW:
        return (ptrdiff_t)bytes;
    case UNTAR_BASE64:
        return decode_base64(text, bytes);
    default:
        *value = untar->packed->list;
        return untar_acl(&untar->owners, text, bytes, untar->packed->list,
                         sizeof untar->packed->list);
    }
}

/* Packing. */

static const char *name_of(const struct untar *untar, const struct untar_attribute *attribute)
{
    return attribute->form == UNTAR_ACL_ACCESS    ? METADATA_ACL_ACCESS
           : attribute->form == UNTAR_ACL_DEFAULT ? METADATA_ACL_DEFAULT
                                                  : untar->text + attribute->name;
}

/* By name; of the same name, in the order they came. */
static int compare(const void *left, const void *right, void *context)
{
    const struct untar_attribute *a = left, *b = right;
    int order = strcmp(name_of(context, a), name_of(context, b));
    return order ? order : (a->value.at > b->value.at) - (a->value.at < b->value.at);
}

static size_t pack_one(struct untar *untar, const struct untar_attribute *attribute, size_t used)
{
    const void *value;
    ptrdiff_t bytes = value_of(untar, attribute, &value);
    ptrdiff_t now = bytes < 0 ? bytes
                              : metadata_add(untar->packed->bytes, used, METADATA_MAX_BYTES,
                                             name_of(untar, attribute), value, (size_t)bytes);
    if (now >= 0)
        return (size_t)now;
    untar->extended.lost_attributes = true;
    return used;
}

bool untar_attributes_pack(struct untar *untar)
{
    struct member *member = &untar->member;
    const struct untar_attribute *attributes = untar->attributes;
    size_t count = untar->attribute_count, used = 0;

    if (count && !untar->packed)
        untar->packed = malloc(sizeof *untar->packed);
    if (count && !untar->packed)
        return untar_fail(untar, "out of memory");
    if (count > 1)
        qsort_r(untar->attributes, count, sizeof *attributes, compare, untar);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count ||
            strcmp(name_of(untar, &attributes[i]), name_of(untar, &attributes[i + 1])) != 0)
            used = pack_one(untar, &attributes[i], used);
    if (used) {
        member->attributes = untar->packed->bytes;
        member->attribute_bytes = used;
    }
    member->lost_attributes = untar->extended.lost_attributes;
    return true;
}
