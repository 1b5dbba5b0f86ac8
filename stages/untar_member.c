/* untar: a member, of its header's block and of what extended headers and long names have said of
 * it before. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stages/untar_private.h"

/* Names. */

/* NUL-terminated; `to` has room for one byte more than the field. */
static size_t copy_field(char *to, const char *field, size_t width)
{
    size_t bytes = strnlen(field, width);
    memcpy(to, field, bytes);
    to[bytes] = '\0';
    return bytes;
}

static size_t copy_path(struct untar *untar, const struct ustar *header, enum untar_dialect dialect)
{
    size_t used = 0;
    if (dialect == UNTAR_USTAR && *header->prefix) {
        used = copy_field(untar->path, header->prefix, sizeof header->prefix);
        untar->path[used++] = '/';
    }
    return used + copy_field(untar->path + used, header->name, sizeof header->name);
}

static bool set_text(const struct untar *untar, struct untar_text text, const char **to,
                     size_t *bytes)
{
    if (!text.bytes)
        return false;
    *to = untar->text + text.at;
    *bytes = text.bytes;
    return true;
}

/* pax before GNU's long names, these before the header. With sparse files GNU tar has a made-up
 * name where readers look that do not know such files. */
static void set_names(struct untar *untar, const struct ustar *header, enum untar_dialect dialect)
{
    const struct untar_extended *extended = &untar->extended;
    struct member *member = &untar->member;

    if (!set_text(untar, extended->sparse_name, &member->path, &member->path_bytes) &&
        !set_text(untar, extended->path, &member->path, &member->path_bytes) &&
        !set_text(untar, extended->long_path, &member->path, &member->path_bytes)) {
        member->path = untar->path;
        member->path_bytes = copy_path(untar, header, dialect);
    }
    member->is_hard_link = header->kind == '1';
    if (header->kind != '1' && header->kind != '2')
        return;
    if (!set_text(untar, extended->target, &member->target, &member->target_bytes) &&
        !set_text(untar, extended->long_target, &member->target, &member->target_bytes)) {
        member->target = untar->target;
        member->target_bytes = copy_field(untar->target, header->target, sizeof header->target);
    }
}

/* An extended header's, which may say that there is none; a global one's; the header's. */
static const char *owner_name_of(const struct untar *untar, unsigned given, struct untar_text text,
                                 const char *global, char *room, const char *field, size_t width)
{
    if (untar->extended.given & given)
        return text.bytes ? untar->text + text.at : NULL;
    if (untar->global.given & given)
        return global;
    return field && copy_field(room, field, width) ? room : NULL;
}

static void set_owner_names(struct untar *untar, const struct ustar *header, bool has_fields)
{
    const struct untar_extended *extended = &untar->extended;
    untar->member.user =
        owner_name_of(untar, UNTAR_HAS_USER, extended->user, untar->global.user, untar->user,
                      has_fields ? header->user : NULL, sizeof header->user);
    untar->member.group =
        owner_name_of(untar, UNTAR_HAS_GROUP, extended->group, untar->global.group, untar->group,
                      has_fields ? header->group : NULL, sizeof header->group);
}

/* Status. */

/* The kind of a hard link's file is not known; as good as always it is a regular one. Kinds that
 * are not known are regular files, says POSIX. */
static uint32_t mode_of(char kind)
{
    switch (kind) {
    case '2':
        return S_IFLNK;
    case '3':
        return S_IFCHR;
    case '4':
        return S_IFBLK;
    case '5':
    case 'D': /* GNU: its data is the list of its entries */
        return S_IFDIR;
    case '6':
        return S_IFIFO;
    case 'M': /* GNU: the rest of a file that another volume begins */
        return 0;
    default:
        return S_IFREG;
    }
}

/* What is no number counts as far as it is one, as for libarchive. */
static int64_t lenient(const char *field, size_t width)
{
    int64_t value;
    untar_number(field, width, &value);
    return value;
}

static void set_owners(const struct untar *untar, const struct ustar *header,
                       struct file_stat *stat)
{
    const struct untar_extended *extended = &untar->extended;
    const struct untar_global *global = &untar->global;

    stat->uid = extended->given & UNTAR_HAS_UID ? extended->uid
                : global->given & UNTAR_HAS_UID
                    ? global->uid
                    : untar_owner(lenient(header->uid, sizeof header->uid));
    stat->gid = extended->given & UNTAR_HAS_GID ? extended->gid
                : global->given & UNTAR_HAS_GID
                    ? global->gid
                    : untar_owner(lenient(header->gid, sizeof header->gid));
}

static void set_time(const struct untar *untar, const struct ustar *header, struct file_stat *stat)
{
    if (untar->extended.given & UNTAR_HAS_MTIME) {
        stat->mtime_seconds = untar->extended.mtime_seconds;
        stat->mtime_ns = untar->extended.mtime_ns;
    } else if (untar->global.given & UNTAR_HAS_MTIME) {
        stat->mtime_seconds = untar->global.mtime_seconds;
        stat->mtime_ns = untar->global.mtime_ns;
    } else {
        stat->mtime_seconds = lenient(header->mtime, sizeof header->mtime);
    }
}

static uint64_t device_of(const struct untar *untar, const struct ustar *header, bool has_fields)
{
    const struct untar_extended *extended = &untar->extended;
    unsigned numbers[2] = {0, 0};
    if (has_fields) {
        numbers[0] = (unsigned)lenient(header->device_major, sizeof header->device_major);
        numbers[1] = (unsigned)lenient(header->device_minor, sizeof header->device_minor);
    }
    if (extended->given & UNTAR_HAS_MAJOR)
        numbers[0] = extended->device_major;
    if (extended->given & UNTAR_HAS_MINOR)
        numbers[1] = extended->device_minor;
    return makedev(numbers[0], numbers[1]);
}

/* Sizes. */

/* POSIX has no data behind links, directories and special files, whatever their size says; some
 * programs note the size of a link's file there. Nor have libarchive 3.6.2 and, when it extracts,
 * GNU tar 1.34 behind what is a directory by the slash in its name. A dump's directory has. */
static bool set_stored(struct untar *untar, const struct ustar *header)
{
    bool is_directory = S_ISDIR(untar->member.stat.mode) && header->kind != 'D';
    untar->stored = 0;
    if (is_directory || (header->kind >= '2' && header->kind <= '6'))
        return true;
    if (untar->extended.given & UNTAR_HAS_SIZE) {
        untar->stored = untar->extended.size;
        return true;
    }
    if (!untar_size(header->size, sizeof header->size, &untar->stored))
        return untar_fail(untar, "a header's size is no number, or out of range");
    return true;
}

/* Before POSIX, and GNU tar ever since: a hard link's size is that of its file. */
static void forget_size_of_link(struct untar *untar, enum untar_dialect dialect)
{
    if (untar->member.is_hard_link && !untar->has_pax && dialect != UNTAR_USTAR)
        untar->stored = 0;
}

static bool set_sparse(struct untar *untar, const struct ustar *header, bool is_file)
{
    const struct untar_extended *extended = &untar->extended;
    const unsigned forms = UNTAR_HAS_MAP | UNTAR_HAS_FORM;

    untar->map_begins_data = false;
    untar->is_sparse = is_file && (header->kind == 'S' || extended->given & forms);
    if (!untar->is_sparse || header->kind == 'S')
        return true;
    if (extended->given & UNTAR_HAS_FORM && extended->sparse_major) {
        if (extended->sparse_major != 1 || extended->sparse_minor)
            return untar_fail(untar, "a sparse file's form is not known");
        untar->map_begins_data = true;
        untar_map_clear(untar);
    } else if (!(extended->given & UNTAR_HAS_MAP)) {
        return untar_fail(untar, "a sparse file has no map");
    }
    if (!(extended->given & UNTAR_HAS_REAL_SIZE))
        return untar_fail(untar, "a sparse file's size is missing");
    return true;
}

bool untar_member_begin(struct untar *untar, const struct ustar *header)
{
    struct member *member = &untar->member;
    enum untar_dialect dialect = untar_dialect_of(header);

    *member = (struct member){0};
    set_names(untar, header, dialect);
    set_owner_names(untar, header, dialect != UNTAR_V7);
    set_owners(untar, header, &member->stat);
    set_time(untar, header, &member->stat);
    uint32_t kind = mode_of(header->kind);
    /* BSD's v7 has no other way to say so, and some that came later do it still. */
    if (kind == S_IFREG && !member->is_hard_link && member->path_bytes &&
        member->path[member->path_bytes - 1] == '/')
        kind = S_IFDIR;
    member->stat.mode = kind | ((uint32_t)lenient(header->mode, sizeof header->mode) & 07777);
    member->stat.links = 1;
    if (kind == S_IFCHR || kind == S_IFBLK)
        member->stat.rdev = device_of(untar, header, dialect != UNTAR_V7);
    if (!set_stored(untar, header) || !untar_attributes_pack(untar))
        return false;
    forget_size_of_link(untar, dialect);
    return set_sparse(untar, header, kind == S_IFREG && !member->is_hard_link);
}

static bool lay_out_map(struct untar *untar)
{
    uint64_t size = untar->extended.real_size;
    if (untar->map_end > size)
        return untar_fail(untar, "a sparse file's map goes beyond its end");
    if (untar->map_bytes > untar->stored)
        return untar_fail(untar, "a sparse file's map has more than its data");
    untar->member.stat.size_bytes = size;
    untar->data_left = untar->map_bytes;
    untar->extent_left = untar->extent_next = 0;
    /* Extents that meet have become one. */
    untar->is_in_pieces = untar->map_bytes != size;
    return true;
}

bool untar_member_lay_out(struct untar *untar)
{
    struct member *member = &untar->member;
    untar->is_in_pieces = false;
    if (untar->is_sparse) {
        if (!lay_out_map(untar))
            return false;
    } else {
        bool is_file = S_ISREG(member->stat.mode) && !member->is_hard_link;
        untar->data_left = is_file ? untar->stored : 0;
        untar->extent_left = member->stat.size_bytes = untar->data_left;
        untar->offset = 0;
    }
    untar->pass_bytes = untar->stored - untar->data_left + tar_padding(untar->stored);
    return true;
}
