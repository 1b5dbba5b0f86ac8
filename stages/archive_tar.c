/* tar: the plain ustar header, and the choice between it and a pax header.
 *
 * Most members of most trees need no more than 512 bytes whose fields are filled in here at the
 * price of a copy and a checksum. Whatever does not fit goes to archive_pax.c.
 *
 * Names are stored as the bytes they are, even those beyond ASCII, of which POSIX says nothing: GNU
 * tar writes them so, and it and libarchive extract them byte by byte in every locale. A pax header
 * would have to call them UTF-8, which not all of them are.
 *
 * Source: POSIX.1-2017, pax, "ustar Interchange Format".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "stages/archive_private.h"
#include "stages/ustar.h"

struct tar_writer {
    struct archive_options options;
    struct owner_names *names; /* NULL where no names are stored */
    struct pax_writer *pax;
};

int tar_writer_create(const struct archive_options *options, struct tar_writer **created)
{
    struct tar_writer *writer = *created = calloc(1, sizeof *writer);
    if (!writer)
        return -ENOMEM;
    writer->options = *options;
    int error = pax_writer_create(&writer->pax);
    if (!error && !options->numeric_owner && !options->reproducible)
        error = owner_names_create(&writer->names);
    if (error) {
        tar_writer_destroy(writer);
        *created = NULL;
    }
    return error;
}

void tar_writer_destroy(struct tar_writer *writer)
{
    if (!writer)
        return;
    pax_writer_destroy(writer->pax);
    owner_names_destroy(writer->names);
    free(writer);
}

/* The fields. Each says whether the value fits; the header begins as zeros. */

/* All digits but the last place, which is NUL. */
static bool put_octal(char *field, size_t width, uint64_t value)
{
    for (size_t i = width - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
    return !value;
}

static bool put_text(char *field, size_t width, const char *text, size_t bytes)
{
    if (bytes > width)
        return false;
    memcpy(field, text, bytes);
    return true;
}

/* Names of owners end with NUL even where they fill the field. */
static bool put_owner(char *field, size_t width, const char *name)
{
    return !name || put_text(field, width - 1, name, strlen(name));
}

/* A name that is too long may be divided at a slash, which is not stored itself. Neither part may
 * be empty. */
static bool put_name(struct ustar *header, const struct archive_member *member)
{
    const char *path = member->path;
    size_t bytes = member->path_bytes;
    bool slash = archive_adds_slash(member);
    size_t whole = bytes + slash;
    size_t prefix = 0, name = 0; /* where one ends and the other begins */

    if (whole > sizeof header->name) {
        size_t least = whole - sizeof header->name - 1;
        if (!least)
            least = 1;
        const char *at = memchr(path + least, '/', bytes - least);
        if (!at || (size_t)(at - path) > sizeof header->prefix || at + 1 == path + bytes)
            return false;
        prefix = (size_t)(at - path);
        name = prefix + 1;
    }
    memcpy(header->prefix, path, prefix);
    memcpy(header->name, path + name, bytes - name);
    if (slash)
        header->name[bytes - name] = '/';
    return true;
}

static char kind_of(const struct archive_member *member)
{
    if (member->is_hard_link)
        return '1';
    switch (member->stat.mode & S_IFMT) {
    case S_IFLNK:
        return '2';
    case S_IFCHR:
        return '3';
    case S_IFBLK:
        return '4';
    case S_IFDIR:
        return '5';
    case S_IFIFO:
        return '6';
    default:
        return '0';
    }
}

static bool put_kind(struct ustar *header, const struct archive_member *member)
{
    header->kind = kind_of(member);
    bool is_link = header->kind == '1' || header->kind == '2';
    bool is_device = header->kind == '3' || header->kind == '4';
    uint64_t rdev = is_device ? member->stat.rdev : 0;

    return (!is_link || put_text(header->target, sizeof header->target, member->target,
                                 member->target_bytes)) &&
           put_octal(header->device_major, sizeof header->device_major, major(rdev)) &&
           put_octal(header->device_minor, sizeof header->device_minor, minor(rdev));
}

/* The sum of all bytes, those of its own field taken for blanks. */
static void put_checksum(struct ustar *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;

    memset(header->checksum, ' ', sizeof header->checksum);
    for (size_t i = 0; i < sizeof *header; i++)
        sum += bytes[i];
    header->checksum[6] = '\0';
    put_octal(header->checksum, 7, sum);
}

void ustar_set_mode(void *block, uint32_t mode)
{
    struct ustar *header = block;
    put_octal(header->mode, sizeof header->mode, mode & 07777);
    put_checksum(header);
}

/* Whether a plain header says it all. */
static bool ustar_header(const struct tar_entry *entry, struct ustar *header)
{
    const struct archive_member *member = entry->member;
    const struct file_stat *stat = &entry->stat;

    if (member->extents || member->attribute_bytes)
        return false;
    memset(header, 0, sizeof *header);
    memcpy(header->magic,
           "ustar\0"
           "00",
           sizeof header->magic);
    if (!put_name(header, member) || !put_kind(header, member) ||
        !put_octal(header->mode, sizeof header->mode, stat->mode & 07777) ||
        !put_octal(header->uid, sizeof header->uid, stat->uid) ||
        !put_octal(header->gid, sizeof header->gid, stat->gid) ||
        !put_octal(header->size, sizeof header->size, stat->size_bytes) ||
        /* Before 1970 the number is larger than any that fits. */
        !put_octal(header->mtime, sizeof header->mtime, (uint64_t)stat->mtime_seconds) ||
        !put_owner(header->user, sizeof header->user, entry->user) ||
        !put_owner(header->group, sizeof header->group, entry->group))
        return false;
    put_checksum(header);
    return true;
}

ptrdiff_t tar_header(struct tar_writer *writer, const struct archive_member *member, void *output,
                     size_t capacity)
{
    int error = archive_member_check(member);
    if (error)
        return error;
    struct tar_entry entry = {
        .member = member,
        .stat = archive_stat(&writer->options, member),
        .names = writer->names,
    };
    if (writer->names) {
        entry.user = owner_name(writer->names, OWNER_USER, entry.stat.uid);
        entry.group = owner_name(writer->names, OWNER_GROUP, entry.stat.gid);
    }
    if (capacity < sizeof(struct ustar))
        return -ENOBUFS;
    if (ustar_header(&entry, output))
        return sizeof(struct ustar);
    return pax_header(writer->pax, &entry, output, capacity);
}

size_t tar_end_bytes(uint64_t archive_bytes)
{
    uint64_t end = archive_bytes + 2 * TAR_BLOCK_BYTES;
    return (size_t)(2 * TAR_BLOCK_BYTES +
                    (TAR_RECORD_BYTES - end % TAR_RECORD_BYTES) % TAR_RECORD_BYTES);
}
