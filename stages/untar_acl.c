/* untar: access control lists, from the text in headers to the kernel's form.
 *
 *     user::rw-,user:alice:r-x:1000,group::r--,mask::r-x,other::---
 *
 * Entries end with a comma or newline, "#" begins a comment, and a fourth field is the number that
 * the name has where the list was made. As with owners of files, a name that is known here counts
 * for more than that number; and a list that names somebody of whom neither is known is lost as a
 * whole, for without one entry it would grant something else.
 *
 * Sources: POSIX.1e draft 17, 23.3.1; star(5); acl(5); linux/posix_acl_xattr.h.
 */
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

#include "stages/untar_private.h"

/* Owners. */

/* Of a user's or group's name. */
#define NAME_MAX_BYTES 256

/* 1: found; 0: there is none of that name; -ENOMEM. */
static int find(struct owner_ids **owners, bool is_group, const char *name, size_t bytes,
                uint32_t *id)
{
    char text[NAME_MAX_BYTES];
    if (bytes >= sizeof text || memchr(name, '\0', bytes))
        return 0;
    int error = *owners ? 0 : owner_ids_create(owners);
    if (error)
        return error;
    memcpy(text, name, bytes);
    text[bytes] = '\0';
    return owner_id(*owners, is_group ? OWNER_GROUP : OWNER_USER, text, id);
}

/* Text. */

struct field {
    const char *text;
    size_t bytes;
};

#define FIELDS_MAX 4

static struct field trimmed(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct field){text, (size_t)(end - text)};
}

/* How many there are; fields behind the last that is known are left out. */
static unsigned split(const char *text, const char *end, struct field field[FIELDS_MAX])
{
    unsigned count = 0;
    while (count < FIELDS_MAX) {
        const char *colon = memchr(text, ':', (size_t)(end - text));
        field[count++] = trimmed(text, colon ? colon : end);
        if (!colon)
            break;
        text = colon + 1;
    }
    return count;
}

static bool is_word(const struct field *field, const char *word)
{
    return (field->bytes == strlen(word) || field->bytes == 1) &&
           !memcmp(field->text, word, field->bytes);
}

static bool permissions_of(const struct field *field, uint16_t *permissions)
{
    *permissions = 0;
    for (size_t i = 0; i < field->bytes; i++)
        switch (field->text[i]) {
        case 'r':
        case 'R':
            *permissions |= ACL_READ;
            break;
        case 'w':
        case 'W':
            *permissions |= ACL_WRITE;
            break;
        case 'x':
        case 'X':
            *permissions |= ACL_EXECUTE;
            break;
        case '-':
            break;
        default:
            return false;
        }
    return field->bytes;
}

static bool number_of(const struct field *field, uint32_t *id)
{
    uint64_t number;
    if (!untar_decimal(field->text, field->bytes, &number) || number >= UINT32_MAX)
        return false;
    *id = (uint32_t)number;
    return true;
}

/* 0; -EINVAL: nobody of that name; -ENOMEM. */
static int who(struct owner_ids **owners, bool is_group, const struct field *field, unsigned count,
               uint32_t *id)
{
    if (number_of(&field[1], id))
        return 0;
    int found = find(owners, is_group, field[1].text, field[1].bytes, id);
    if (found < 0)
        return found;
    return found || (count > 3 && number_of(&field[3], id)) ? 0 : -EINVAL;
}

/* Solaris leaves the empty field of "mask" and "other" out. */
static int entry_of(struct owner_ids **owners, const struct field *field, unsigned count,
                    struct posix_acl_xattr_entry *entry)
{
    bool is_user = is_word(&field[0], "user"), is_group = is_word(&field[0], "group");
    bool is_mask = is_word(&field[0], "mask"), is_other = is_word(&field[0], "other");
    bool is_short = (is_mask || is_other) && count == 2;
    uint16_t permissions;
    uint32_t id = (uint32_t)ACL_UNDEFINED_ID;
    int tag = is_user ? ACL_USER_OBJ : is_group ? ACL_GROUP_OBJ : is_mask ? ACL_MASK : ACL_OTHER;

    if (!(is_user || is_group || is_mask || is_other) || (count < 3 && !is_short) ||
        !permissions_of(&field[is_short ? 1 : 2], &permissions))
        return -EINVAL;
    if (!is_short && field[1].bytes) {
        if (is_mask || is_other)
            return -EINVAL;
        tag = is_user ? ACL_USER : ACL_GROUP;
        int error = who(owners, is_group, field, count, &id);
        if (error)
            return error;
    }
    *entry =
        (struct posix_acl_xattr_entry){htole16((uint16_t)tag), htole16(permissions), htole32(id)};
    return 0;
}

/* The kernel wants the tags in order, and libacl sorts by number: so do we, and the list is the one
 * that was read from the file. */
static int compare(const void *left, const void *right)
{
    const struct posix_acl_xattr_entry *a = left, *b = right;
    uint16_t tag_a = le16toh(a->e_tag), tag_b = le16toh(b->e_tag);
    uint32_t id_a = le32toh(a->e_id), id_b = le32toh(b->e_id);
    if (tag_a != tag_b)
        return tag_a < tag_b ? -1 : 1;
    return (id_a > id_b) - (id_a < id_b);
}

/* Where the entry ends that begins here. */
static const char *end_of(const char *text, const char *end)
{
    while (text < end && *text != ',' && *text != '\n')
        text++;
    return text;
}

/* How many entries there are; or -errno. */
static ptrdiff_t take_entries(struct owner_ids **owners, const char *text, const char *end,
                              struct posix_acl_xattr_entry *entries, size_t capacity)
{
    size_t used = 0;
    for (const char *next; text < end; text = next + 1) {
        struct field field[FIELDS_MAX];
        next = end_of(text, end);
        const char *comment = memchr(text, '#', (size_t)(next - text));
        struct field entry = trimmed(text, comment ? comment : next);
        if (!entry.bytes)
            continue;
        unsigned count = split(entry.text, entry.text + entry.bytes, field);
        if (used == capacity)
            return -E2BIG;
        int error = entry_of(owners, field, count, &entries[used++]);
        if (error)
            return error;
    }
    return (ptrdiff_t)used;
}

ptrdiff_t untar_acl(struct owner_ids **owners, const char *text, size_t bytes, void *list,
                    size_t capacity)
{
    struct posix_acl_xattr_header header = {htole32(POSIX_ACL_XATTR_VERSION)};
    struct posix_acl_xattr_entry *entries =
        (struct posix_acl_xattr_entry *)((char *)list + sizeof header);
    ptrdiff_t count = take_entries(owners, text, text + bytes, entries,
                                   (capacity - sizeof header) / sizeof *entries);
    if (count <= 0)
        return count ? count : -EINVAL;
    memcpy(list, &header, sizeof header);
    qsort(entries, (size_t)count, sizeof *entries, compare);
    return (ptrdiff_t)(sizeof header + (size_t)count * sizeof *entries);
}

/* "1000006", a NUL, the list: octal digits say of what kind it is (POSIX.1e: 1000000) and how many
 * entries it has. */
struct untar_text untar_acl_of_solaris(const struct untar *untar, struct untar_text body)
{
    const char *text = untar->text + body.at;
    size_t digits = strnlen(text, body.bytes);
    uint32_t kind = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '7' || kind > 077777777)
            return (struct untar_text){0};
        kind = kind * 8 + (uint32_t)(text[i] - '0');
    }
    if (digits == body.bytes || (kind & ~0777777u) != 01000000)
        return (struct untar_text){0};
    size_t bytes = strnlen(text + digits + 1, body.bytes - digits - 1);
    return (struct untar_text){body.at + (uint32_t)digits + 1, (uint32_t)bytes};
}
