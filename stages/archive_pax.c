/* tar: what a ustar header cannot say, by libarchive's "restricted pax" writer.
 *
 * libarchive writes archives, not headers. For each such entry, and they are few, a new archive is
 * begun whose output is the caller's memory; once the header is there, the output fails on purpose,
 * so that freeing the archive does not have to write the entry's data as zeros.
 *
 * It takes names to be in the locale's character set, and pax headers are in UTF-8. The program may
 * run in the C locale, whose character set is ASCII; so the conversion happens in the C.UTF-8
 * locale, which changes no byte. Names that are not UTF-8 go unchanged under "hdrcharset=BINARY",
 * as POSIX has it; GNU tar says that it does not know the keyword, and takes the bytes as they are.
 *
 * Sources: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "PAX Format, Version 1.0" of
 * sparse files; linux/posix_acl_xattr.h.
 */
#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "stages/archive_private.h"
#include "stages/metadata.h"
#include "stages/text.h"

struct pax_writer {
    locale_t utf8; /* 0: the system has no such locale; names beyond ASCII are BINARY then */
    char *text;    /* room for a name that needs its NUL */
    size_t text_bytes;
};

int pax_writer_create(struct pax_writer **created)
{
    struct pax_writer *pax = *created = calloc(1, sizeof *pax);
    if (!pax)
        return -ENOMEM;
    pax->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return 0;
}

void pax_writer_destroy(struct pax_writer *pax)
{
    if (!pax)
        return;
    if (pax->utf8)
        freelocale(pax->utf8);
    free(pax->text);
    free(pax);
}

const char *tar_library(void)
{
    return archive_version_string();
}

/* The output. */

struct sink {
    uint8_t *at;
    size_t left;
    bool full;   /* the room was too small; the rest is dropped */
    bool closed; /* what comes now is not wanted */
};

static la_ssize_t take(struct archive *archive, void *context, const void *bytes, size_t count)
{
    (void)archive;
    struct sink *sink = context;
    if (sink->closed)
        return -1;
    /* Not an error for libarchive, which leaks memory where one ends a header (3.6.2). */
    if (sink->full || count > sink->left) {
        sink->full = true;
        return (la_ssize_t)count;
    }
    memcpy(sink->at, bytes, count);
    sink->at += count;
    sink->left -= count;
    return (la_ssize_t)count;
}

static int failure(struct archive *archive)
{
    /* libarchive has numbers of its own, which are negative. */
    int error = archive_errno(archive);
    return error > 0 ? -error : -EIO;
}

/* Access control lists. */

static const struct acl_tag {
    uint16_t kernel;
    int libarchive;
    enum owner_kind kind; /* of whom the number is; OWNER_KIND_COUNT: there is none */
} acl_tags[] = {
    {ACL_USER_OBJ, ARCHIVE_ENTRY_ACL_USER_OBJ, OWNER_KIND_COUNT},
    {ACL_USER, ARCHIVE_ENTRY_ACL_USER, OWNER_USER},
    {ACL_GROUP_OBJ, ARCHIVE_ENTRY_ACL_GROUP_OBJ, OWNER_KIND_COUNT},
    {ACL_GROUP, ARCHIVE_ENTRY_ACL_GROUP, OWNER_GROUP},
    {ACL_MASK, ARCHIVE_ENTRY_ACL_MASK, OWNER_KIND_COUNT},
    {ACL_OTHER, ARCHIVE_ENTRY_ACL_OTHER, OWNER_KIND_COUNT},
};

static const struct acl_tag *acl_tag(uint16_t kernel)
{
    for (size_t i = 0; i < sizeof acl_tags / sizeof *acl_tags; i++)
        if (acl_tags[i].kernel == kernel)
            return &acl_tags[i];
    return NULL;
}

/* ARCHIVE_HEADER_BOUND has room for no longer names; the number says it too. */
#define ACL_NAME_MAX 31

static int add_acl_entry(struct archive_entry *entry, int type, struct owner_names *names,
                         const struct posix_acl_xattr_entry *from)
{
    const struct acl_tag *tag = acl_tag(le16toh(from->e_tag));
    unsigned permissions = le16toh(from->e_perm);
    uint32_t id = le32toh(from->e_id);
    const char *name = NULL;

    if (!tag)
        return -EINVAL;
    bool has_id = tag->kind != OWNER_KIND_COUNT;
    if (has_id && names)
        name = owner_name(names, tag->kind, id);
    if (name && (strlen(name) > ACL_NAME_MAX || !text_is_utf8(name, strlen(name))))
        name = NULL;
    int set = (permissions & ACL_READ ? ARCHIVE_ENTRY_ACL_READ : 0) |
              (permissions & ACL_WRITE ? ARCHIVE_ENTRY_ACL_WRITE : 0) |
              (permissions & ACL_EXECUTE ? ARCHIVE_ENTRY_ACL_EXECUTE : 0);
    int status =
        archive_entry_acl_add_entry(entry, type, set, tag->libarchive, has_id ? (int)id : -1, name);
    return status == ARCHIVE_OK ? 0 : -ENOMEM;
}

/* A list that this code does not understand is -EINVAL. */
static int add_acl(struct archive_entry *entry, int type, struct owner_names *names,
                   const struct metadata_attribute *attribute)
{
    const char *bytes = attribute->value;
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry from;

    if (attribute->value_bytes < sizeof header ||
        (attribute->value_bytes - sizeof header) % sizeof from)
        return -EINVAL;
    memcpy(&header, bytes, sizeof header);
    if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
        return -EINVAL;
    for (size_t at = sizeof header; at < attribute->value_bytes; at += sizeof from) {
        memcpy(&from, bytes + at, sizeof from);
        int error = add_acl_entry(entry, type, names, &from);
        if (error)
            return error;
    }
    return 0;
}

/* The entry. */

static const char *terminated(struct pax_writer *pax, const char *text, size_t bytes, bool slash)
{
    if (pax->text_bytes < bytes + 2) {
        char *grown = realloc(pax->text, bytes + 2);
        if (!grown)
            return NULL;
        pax->text = grown;
        pax->text_bytes = bytes + 2;
    }
    memcpy(pax->text, text, bytes);
    memcpy(pax->text + bytes, slash ? "/" : "", 2 - !slash);
    return pax->text;
}

static int add_names(struct pax_writer *pax, struct archive_entry *to,
                     const struct tar_entry *entry)
{
    const struct archive_member *member = entry->member;
    const char *path =
        terminated(pax, member->path, member->path_bytes, archive_adds_slash(member));
    if (!path)
        return -ENOMEM;
    archive_entry_copy_pathname(to, path);
    if (member->is_hard_link || (entry->stat.mode & S_IFMT) == S_IFLNK) {
        const char *target = terminated(pax, member->target, member->target_bytes, false);
        if (!target)
            return -ENOMEM;
        if (member->is_hard_link)
            archive_entry_copy_hardlink(to, target);
        else
            archive_entry_copy_symlink(to, target);
    }
    if (entry->user)
        archive_entry_copy_uname(to, entry->user);
    if (entry->group)
        archive_entry_copy_gname(to, entry->group);
    return 0;
}

/* Times before 1970 lose their fractions: libarchive writes and reads them as counted upwards from
 * the second before, GNU tar as part of a negative number. */
static void add_time(struct archive_entry *to, const struct file_stat *stat)
{
    archive_entry_set_mtime(to, stat->mtime_seconds,
                            stat->mtime_seconds < 0 ? 0 : (long)stat->mtime_ns);
}

static void add_status(struct archive_entry *to, const struct file_stat *stat)
{
    archive_entry_set_mode(to, stat->mode);
    archive_entry_set_uid(to, stat->uid);
    archive_entry_set_gid(to, stat->gid);
    archive_entry_set_size(to, (la_int64_t)stat->size_bytes);
    add_time(to, stat);
    archive_entry_set_rdevmajor(to, major(stat->rdev));
    archive_entry_set_rdevminor(to, minor(stat->rdev));
}

static void add_extents(struct archive_entry *to, const struct archive_member *member)
{
    bool empty = true;
    for (size_t i = 0; i < member->extent_count; i++) {
        if (!member->extents[i].bytes)
            continue;
        archive_entry_sparse_add_entry(to, (la_int64_t)member->extents[i].offset,
                                       (la_int64_t)member->extents[i].bytes);
        empty = false;
    }
    /* A file that is one hole: without an entry it would be one that is all data. */
    if (empty)
        archive_entry_sparse_add_entry(to, (la_int64_t)member->stat.size_bytes, 0);
}

static int add_attributes(struct archive_entry *to, const struct tar_entry *entry, bool *has_acl)
{
    const struct archive_member *member = entry->member;
    struct metadata_attribute attribute;
    size_t cursor = 0;

    while (metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute)) {
        int type = !strcmp(attribute.name, METADATA_ACL_ACCESS)    ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS
                   : !strcmp(attribute.name, METADATA_ACL_DEFAULT) ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT
                                                                   : 0;
        if (!type) {
            /* "=" and "%" in the name are encoded by libarchive, as by GNU tar. */
            archive_entry_xattr_add_entry(to, attribute.name, attribute.value,
                                          attribute.value_bytes);
            continue;
        }
        int error = add_acl(to, type, entry->names, &attribute);
        if (error)
            return error;
        *has_acl |= type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    }
    return 0;
}

/* The header. */

static bool is_utf8(const char *text)
{
    return !text || text_is_utf8(text, strlen(text));
}

static bool names_are_utf8(const struct tar_entry *entry)
{
    const struct archive_member *member = entry->member;
    return text_is_utf8(member->path, member->path_bytes) &&
           (!member->target || text_is_utf8(member->target, member->target_bytes)) &&
           is_utf8(entry->user) && is_utf8(entry->group);
}

static struct archive *begin(struct sink *sink, bool binary)
{
    struct archive *archive = archive_write_new();
    if (!archive)
        return NULL;
    /* Attributes in the form that GNU tar, star and libarchive read; LIBARCHIVE.xattr would say
     * them again. Size 0 of blocks: no buffer in between. */
    if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
        (binary &&
         archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK) ||
        archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
        archive_write_open(archive, sink, NULL, take, NULL) != ARCHIVE_OK) {
        archive_write_free(archive);
        return NULL;
    }
    return archive;
}

static int write_header(struct archive *archive, struct archive_entry *to,
                        const struct tar_entry *entry, struct sink *sink, bool has_acl)
{
    /* ARCHIVE_WARN: the names went as BINARY, or a number does not fit into its ustar field. The
     * pax header has it all. */
    if (archive_write_header(archive, to) < ARCHIVE_WARN)
        return failure(archive);
    /* libarchive makes the owning group's permissions those of its entry in the list, which may
     * be more than the mask allows; whoever extracts without lists would grant them. */
    if (has_acl && !sink->full)
        ustar_set_mode(sink->at - TAR_BLOCK_BYTES, entry->stat.mode);
    /* The sparse map comes before the first data. */
    if (archive_write_data(archive, "", 0) < 0)
        return failure(archive);
    return sink->full ? -ENOBUFS : 0;
}

static int write_entry(struct pax_writer *pax, struct archive_entry *to,
                       const struct tar_entry *entry, struct sink *sink)
{
    bool has_acl = false;

    add_status(to, &entry->stat);
    int error = add_names(pax, to, entry);
    if (!error)
        error = add_attributes(to, entry, &has_acl);
    if (error)
        return error;
    if (entry->member->extents && !entry->member->is_hard_link)
        add_extents(to, entry->member);
    struct archive *archive = begin(sink, !names_are_utf8(entry));
    if (!archive)
        return -ENOMEM;
    error = write_header(archive, to, entry, sink, has_acl);
    sink->closed = true;
    archive_write_free(archive);
    return error;
}

ptrdiff_t pax_header(struct pax_writer *pax, const struct tar_entry *entry, void *output,
                     size_t capacity)
{
    struct sink sink = {.at = output, .left = capacity};
    struct archive_entry *to = archive_entry_new();
    if (!to)
        return -ENOMEM;
    locale_t before = pax->utf8 ? uselocale(pax->utf8) : (locale_t)0;
    int error = write_entry(pax, to, entry, &sink);
    if (before)
        uselocale(before);
    archive_entry_free(to);
    return error ? error : (ptrdiff_t)(capacity - sink.left);
}
