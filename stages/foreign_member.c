/* An entry of libarchive's as a member.
 *
 * The caller is in the UTF-8 locale (foreign.c), where libarchive gives names as follows: those
 * that an archive has as bytes unchanged; those in UTF-16 or said to be UTF-8 as UTF-8, in
 * Unicode's form C whatever they were in; what is not valid in the encoding that the archive claims
 * is lost, and the member gets a name made from its number.
 *
 * Sources: linux/posix_acl_xattr.h; posix_acl_valid() in Linux's fs/posix_acl.c for the order of
 * entries.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stages/foreign_private.h"

#define FORMAT(format) ((format)&ARCHIVE_FORMAT_BASE_MASK)

void foreign_packed_clear(struct foreign_packed *packed)
{
    free(packed->lha_path);
    free(packed->lha_target);
    packed->lha_path = packed->lha_target = NULL;
}

/* Names. */

/* lha's are bytes of no known encoding, which libarchive refuses to give where they are not valid
 * in the locale. Told that they are ISO 8859-1 it makes each byte a character: here back again.
 * NULL: no memory. */
static uint8_t *bytes_of_latin1(const char *text)
{
    size_t length = strlen(text), used = 0;
    uint8_t *bytes = malloc(length + 1);
    if (!bytes)
        return NULL;
    for (const uint8_t *at = (const uint8_t *)text; *at; at++) {
        if ((at[0] == 0xc2 || at[0] == 0xc3) && (at[1] & 0xc0) == 0x80) {
            bytes[used++] = (uint8_t)(at[0] << 6 | (at[1] & 0x3f));
            at++;
        } else if (at[0] < 0x80) {
            bytes[used++] = at[0];
        } else {
            /* Beyond that set: the archive has said what its encoding is. */
            memcpy(bytes, text, length);
            used = length;
            break;
        }
    }
    bytes[used] = '\0';
    return bytes;
}

static int set_names(struct archive_entry *entry, int format, uint64_t number,
                     struct foreign_packed *packed, struct member *member)
{
    const char *path = archive_entry_pathname(entry);
    const char *hard = archive_entry_hardlink(entry);
    const char *target = hard ? hard : archive_entry_symlink(entry);
    if (!path)
        path = archive_entry_pathname_utf8(entry);
    if (!path || !*path) {
        snprintf(packed->path, sizeof packed->path, "unnamed-%" PRIu64, number);
        path = packed->path;
    } else if (FORMAT(format) == ARCHIVE_FORMAT_LHA) {
        path = (char *)(packed->lha_path = bytes_of_latin1(path));
        if (path && target)
            target = (char *)(packed->lha_target = bytes_of_latin1(target));
        if (!path || (packed->lha_target && !target))
            return -ENOMEM;
    }
    member->path = path;
    member->path_bytes = strlen(path);
    member->is_hard_link = hard && archive_entry_filetype(entry) != AE_IFDIR;
    if (target && (member->is_hard_link || archive_entry_filetype(entry) == AE_IFLNK)) {
        member->target = target;
        member->target_bytes = strlen(target);
    }
    return 0;
}

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* Status. */

static uint32_t owner_number(la_int64_t number)
{
    return number >= 0 && number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static void set_status(struct archive_entry *entry, int format, struct member *member)
{
    struct file_stat *stat = &member->stat;
    long ns = archive_entry_mtime_nsec(entry);
    stat->mode = archive_entry_mode(entry) & (S_IFMT | 07777);
    /* A hard link of which no more is known is one to a file; in ar there is nothing else. */
    if (!(stat->mode & S_IFMT) && (member->is_hard_link || FORMAT(format) == ARCHIVE_FORMAT_AR))
        stat->mode |= S_IFREG;
    stat->uid = owner_number(archive_entry_uid(entry));
    stat->gid = owner_number(archive_entry_gid(entry));
    stat->mtime_seconds = archive_entry_mtime(entry);
    stat->mtime_ns = ns >= 0 && ns < 1000000000 ? (uint32_t)ns : 0;
    stat->links = archive_entry_nlink(entry);
    if (S_ISCHR(stat->mode) || S_ISBLK(stat->mode))
        stat->rdev = makedev((unsigned)archive_entry_rdevmajor(entry),
                             (unsigned)archive_entry_rdevminor(entry));
    if (!S_ISREG(stat->mode) || member->is_hard_link)
        return;
    la_int64_t size = archive_entry_size(entry);
    stat->size_bytes = !archive_entry_size_is_set(entry) ? FOREIGN_SIZE_UNKNOWN
                       : size > 0                        ? (uint64_t)size
                                                         : 0;
}

/* Access control lists. */

static const struct acl_tag {
    int libarchive;
    uint16_t kernel;
} acl_tags[] = {
    {ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ},   {ARCHIVE_ENTRY_ACL_USER, ACL_USER},
    {ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ}, {ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP},
    {ARCHIVE_ENTRY_ACL_MASK, ACL_MASK},           {ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER},
};

/* False: a list has no such entry, or it has a name instead of a number. */
static bool convert_acl_entry(int tag, int permissions, int id, struct posix_acl_xattr_entry *to)
{
    for (size_t i = 0; i < sizeof acl_tags / sizeof *acl_tags; i++) {
        if (acl_tags[i].libarchive != tag)
            continue;
        bool has_id = acl_tags[i].kernel == ACL_USER || acl_tags[i].kernel == ACL_GROUP;
        unsigned set = (permissions & ARCHIVE_ENTRY_ACL_READ ? ACL_READ : 0) |
                       (permissions & ARCHIVE_ENTRY_ACL_WRITE ? ACL_WRITE : 0) |
                       (permissions & ARCHIVE_ENTRY_ACL_EXECUTE ? ACL_EXECUTE : 0);
        to->e_tag = htole16(acl_tags[i].kernel);
        to->e_perm = htole16((uint16_t)set);
        to->e_id = htole32(has_id ? (uint32_t)id : (uint32_t)ACL_UNDEFINED_ID);
        return !has_id || id != -1;
    }
    return false;
}

static int compare_acl_entries(const void *left, const void *right)
{
    const struct posix_acl_xattr_entry *a = left, *b = right;
    int tags = (le16toh(a->e_tag) > le16toh(b->e_tag)) - (le16toh(a->e_tag) < le16toh(b->e_tag));
    return tags ? tags
                : (le32toh(a->e_id) > le32toh(b->e_id)) - (le32toh(a->e_id) < le32toh(b->e_id));
}

/* Within METADATA_MAX_BYTES. */
#define ACL_ENTRIES_MAX 8000

struct acl {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[ACL_ENTRIES_MAX];
};

/* How many entries the list has; 0: there is none; -EINVAL: it cannot be said in the kernel's form.
 */
static int read_acl(struct archive_entry *entry, int type, struct acl *acl)
{
    int count = 0, ignored, permissions, tag, id;
    const char *name;
    if (archive_entry_acl_reset(entry, type) <= 0)
        return 0;
    while (archive_entry_acl_next(entry, type, &ignored, &permissions, &tag, &id, &name) ==
           ARCHIVE_OK) {
        if (count == ACL_ENTRIES_MAX ||
            !convert_acl_entry(tag, permissions, id, &acl->entries[count]))
            return -EINVAL;
        count++;
    }
    acl->header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
    qsort(acl->entries, (size_t)count, sizeof *acl->entries, compare_acl_entries);
    return count;
}

/* As the kernel shows it: where there is a mask, it stands for the group in the mode. */
static void mask_mode(const struct acl *acl, int count, struct file_stat *stat)
{
    for (int i = 0; i < count; i++)
        if (le16toh(acl->entries[i].e_tag) == ACL_MASK)
            stat->mode = (stat->mode & ~(uint32_t)070) |
                         (uint32_t)(le16toh(acl->entries[i].e_perm) & 7) << 3;
}

/* Attributes. */

struct attribute_list {
    struct metadata_attribute *list;
    size_t count;
};

static void pack_one(struct member *member, struct foreign_packed *packed,
                     const struct metadata_attribute *attribute)
{
    ptrdiff_t used = metadata_add(packed->attributes, member->attribute_bytes, METADATA_MAX_BYTES,
                                  attribute->name, attribute->value, attribute->value_bytes);
    if (used < 0) {
        member->lost_attributes = true;
        return;
    }
    member->attributes = packed->attributes;
    member->attribute_bytes = (size_t)used;
}

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const struct metadata_attribute *)a)->name,
                  ((const struct metadata_attribute *)b)->name);
}

/* Adds a list to those attributes, if there is one. */
static void list_acl(struct archive_entry *entry, int type, struct acl *acl,
                     struct attribute_list *attributes, struct member *member)
{
    int count = read_acl(entry, type, acl);
    if (count < 0)
        member->lost_attributes = true;
    if (count <= 0)
        return;
    bool is_access = type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    if (is_access)
        mask_mode(acl, count, &member->stat);
    attributes->list[attributes->count++] =
        (struct metadata_attribute){is_access ? METADATA_ACL_ACCESS : METADATA_ACL_DEFAULT, acl,
                                    sizeof acl->header + (size_t)count * sizeof *acl->entries};
}

/* The lists come from their own place alone: as plain attributes they would be there twice. */
static void list_attributes(struct archive_entry *entry, struct attribute_list *attributes,
                            struct member *member)
{
    const char *name;
    const void *value;
    size_t bytes;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &bytes) == ARCHIVE_OK) {
        unsigned kind = name ? metadata_kind_of(name) : 0;
        if (!kind || kind == METADATA_ACL) {
            member->lost_attributes = true;
            continue;
        }
        attributes->list[attributes->count++] = (struct metadata_attribute){name, value, bytes};
    }
}

/* In the order of their names, as metadata_read() has them. */
static int set_attributes(struct archive_entry *entry, struct foreign_packed *packed,
                          struct member *member)
{
    int count = archive_entry_xattr_count(entry);
    int types = archive_entry_acl_types(entry);
    bool has_acl = types & ARCHIVE_ENTRY_ACL_TYPE_POSIX1E;
    member->lost_attributes = types & ARCHIVE_ENTRY_ACL_TYPE_NFS4;
    if (!has_acl && count <= 0)
        return 0;
    struct attribute_list attributes = {calloc((size_t)count + 2, sizeof *attributes.list), 0};
    struct acl *acls = has_acl ? calloc(2, sizeof *acls) : NULL;
    if (!attributes.list || (has_acl && !acls)) {
        free(attributes.list);
        free(acls);
        return -ENOMEM;
    }
    if (has_acl) {
        list_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &acls[0], &attributes, member);
        list_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &acls[1], &attributes, member);
    }
    list_attributes(entry, &attributes, member);
    qsort(attributes.list, attributes.count, sizeof *attributes.list, compare_attributes);
    for (size_t i = 0; i < attributes.count; i++)
        pack_one(member, packed, &attributes.list[i]);
    free(attributes.list);
    free(acls);
    return 0;
}

int foreign_member_make(struct archive_entry *entry, int format, uint64_t number,
                        struct foreign_packed *packed, struct member *member)
{
    *member = (struct member){0};
    foreign_packed_clear(packed);
    int error = set_names(entry, format, number, packed, member);
    if (error)
        return error;
    set_status(entry, format, member);
    member->user = text_or_null(archive_entry_uname(entry));
    member->group = text_or_null(archive_entry_gname(entry));
    return set_attributes(entry, packed, member);
}
