#include "stages/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The packed form: for each attribute this head, the name with its NUL, the value. Nothing is
 * aligned, so the head is copied. */
struct head {
    uint32_t name_bytes; /* with NUL */
    uint32_t value_bytes;
};

bool metadata_next(const void *packed, size_t packed_bytes, size_t *cursor,
                   struct metadata_attribute *attribute)
{
    const char *bytes = packed;
    struct head head;

    if (packed_bytes < *cursor || packed_bytes - *cursor < sizeof head)
        return false;
    memcpy(&head, bytes + *cursor, sizeof head);
    size_t left = packed_bytes - *cursor - sizeof head;
    const char *name = bytes + *cursor + sizeof head;
    if (!head.name_bytes || head.name_bytes > left || head.value_bytes > left - head.name_bytes ||
        name[head.name_bytes - 1] != '\0')
        return false;
    *attribute = (struct metadata_attribute){name, name + head.name_bytes, head.value_bytes};
    *cursor += sizeof head + head.name_bytes + head.value_bytes;
    return true;
}

ptrdiff_t metadata_add(void *packed, size_t used, size_t capacity, const char *name,
                       const void *value, size_t value_bytes)
{
    size_t name_bytes = strlen(name) + 1;
    size_t left = capacity - used;
    char *at = (char *)packed + used;

    if (value_bytes > UINT32_MAX || name_bytes > UINT32_MAX || left < sizeof(struct head) ||
        left - sizeof(struct head) < name_bytes ||
        left - sizeof(struct head) - name_bytes < value_bytes)
        return -E2BIG;
    memcpy(at, &(struct head){(uint32_t)name_bytes, (uint32_t)value_bytes}, sizeof(struct head));
    at += sizeof(struct head);
    memcpy(at, name, name_bytes);
    if (value_bytes)
        memcpy(at + name_bytes, value, value_bytes);
    return (ptrdiff_t)(used + sizeof(struct head) + name_bytes + value_bytes);
}

unsigned metadata_kind_of(const char *name)
{
    static const struct {
        const char *prefix;
        unsigned kind;
    } prefixes[] = {
        {"user.", METADATA_USER}, {"security.", METADATA_SYSTEM}, {"trusted.", METADATA_TRUSTED}};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(name, prefixes[i].prefix, strlen(prefixes[i].prefix)))
            return prefixes[i].kind;
    return !strcmp(name, METADATA_ACL_ACCESS) || !strcmp(name, METADATA_ACL_DEFAULT) ? METADATA_ACL
                                                                                     : 0;
}

/* Reading. */

/* The system calls that take a directory's descriptor and a name came with Linux 6.13, and those of
 * a descriptor refuse O_PATH. For these /proc leads from a descriptor to its file, at ten times the
 * price. */
struct place {
    enum { PLACE_OPEN, PLACE_MAGIC, PLACE_NAME } way;
    int fd;              /* PLACE_OPEN */
    char path[PATH_MAX]; /* PLACE_MAGIC: the link in /proc, to be followed; PLACE_NAME */
};

static int find_place(int fd, const char *name, struct place *place)
{
    int length;

    place->way = name ? PLACE_NAME : PLACE_MAGIC;
    if (!name) {
        place->fd = fd;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0)
            return -errno;
        if (!(flags & O_PATH))
            place->way = PLACE_OPEN;
        length = snprintf(place->path, sizeof place->path, "/proc/self/fd/%d", fd);
    } else if (fd == AT_FDCWD || name[0] == '/') {
        length = snprintf(place->path, sizeof place->path, "%s", name);
    } else {
        length = snprintf(place->path, sizeof place->path, "/proc/self/fd/%d/%s", fd, name);
    }
    return length >= (int)sizeof place->path ? -ENAMETOOLONG : 0;
}

static ssize_t list_names(const struct place *place, char *names, size_t capacity)
{
    ssize_t bytes = place->way == PLACE_OPEN    ? flistxattr(place->fd, names, capacity)
                    : place->way == PLACE_MAGIC ? listxattr(place->path, names, capacity)
                                                : llistxattr(place->path, names, capacity);
    if (bytes < 0)
        return errno == ENOTSUP ? 0 : -errno;
    return bytes;
}

static ssize_t get_value(const struct place *place, const char *name, void *value, size_t capacity)
{
    ssize_t bytes = place->way == PLACE_OPEN    ? fgetxattr(place->fd, name, value, capacity)
                    : place->way == PLACE_MAGIC ? getxattr(place->path, name, value, capacity)
                                                : lgetxattr(place->path, name, value, capacity);
    return bytes < 0 ? -errno : bytes;
}

/* What is used after the attribute has been added. One that has gone meanwhile adds nothing. */
static ptrdiff_t pack(const struct place *place, const char *name, char *packed, size_t used,
                      size_t capacity)
{
    size_t name_bytes = strlen(name) + 1;
    if (capacity - used < sizeof(struct head) + name_bytes)
        return -E2BIG;
    char *value = packed + used + sizeof(struct head) + name_bytes;
    size_t left = capacity - used - sizeof(struct head) - name_bytes;
    ssize_t bytes = get_value(place, name, value, left);
    if (bytes == -ENODATA)
        return (ptrdiff_t)used;
    /* Where no room at all is left the system only tells how much it would take. */
    if (bytes == -ERANGE || (bytes > 0 && (size_t)bytes > left))
        return -E2BIG;
    if (bytes < 0)
        return bytes;
    struct head head = {(uint32_t)name_bytes, (uint32_t)bytes};
    memcpy(packed + used, &head, sizeof head);
    memcpy(packed + used + sizeof head, name, name_bytes);
    return value + bytes - packed;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define NAMES_COMMON 1024 /* bytes of names, which files with attributes seldom exceed */
#define NAME_LEAST   6    /* those of the kinds known here, with their NUL, have one byte more */

/* `sorted` has room for one name in each NAME_LEAST bytes. */
static ptrdiff_t pack_all(const struct place *place, unsigned kinds, const char *names,
                          size_t names_bytes, const char **sorted, char *packed, size_t capacity)
{
    size_t count = 0;
    ptrdiff_t used = 0;

    for (const char *name = names; name < names + names_bytes; name += strlen(name) + 1)
        if (metadata_kind_of(name) & kinds)
            sorted[count++] = name;
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < count && used >= 0; i++)
        used = pack(place, sorted[i], packed, (size_t)used, capacity);
    return used;
}

static ptrdiff_t pack_many(const struct place *place, unsigned kinds, char *packed, size_t capacity)
{
    char *names = malloc(XATTR_LIST_MAX);
    const char **sorted = malloc(XATTR_LIST_MAX / NAME_LEAST * sizeof *sorted);
    ptrdiff_t used = -ENOMEM;

    if (names && sorted)
        used = list_names(place, names, XATTR_LIST_MAX);
    if (used > 0)
        used = pack_all(place, kinds, names, (size_t)used, sorted, packed, capacity);
    free(sorted);
    free(names);
    return used;
}

ptrdiff_t metadata_read(int fd, const char *name, unsigned kinds, void *packed, size_t capacity)
{
    char names[NAMES_COMMON];
    const char *sorted[NAMES_COMMON / NAME_LEAST];
    struct place place;

    int error = find_place(fd, name, &place);
    if (error)
        return error;
    if (capacity > METADATA_MAX_BYTES)
        capacity = METADATA_MAX_BYTES;
    ptrdiff_t used = list_names(&place, names, sizeof names);
    if (used > 0)
        return pack_all(&place, kinds, names, (size_t)used, sorted, packed, capacity);
    if (used == -ERANGE)
        used = pack_many(&place, kinds, packed, capacity);
    return used == -ERANGE ? -E2BIG : used;
}

/* Writing. */

size_t metadata_apply(int fd, const void *packed, size_t packed_bytes, unsigned kinds,
                      metadata_refused refused, void *context)
{
    struct metadata_attribute attribute;
    size_t cursor = 0, count = 0;

    while (metadata_next(packed, packed_bytes, &cursor, &attribute)) {
        if (!(metadata_kind_of(attribute.name) & kinds))
            continue;
        if (fsetxattr(fd, attribute.name, attribute.value, attribute.value_bytes, 0) == 0)
            continue;
        count++;
        if (refused)
            refused(context, attribute.name, -errno);
    }
    return count;
}

/* The superuser may give a file to anyone, others may give it to a group of theirs. */
static int copy_owner(int fd, const struct file_stat *stat)
{
    if (fchown(fd, stat->uid, stat->gid) == 0)
        return 0;
    if (errno != EPERM && errno != EINVAL) /* EINVAL: a number that a user namespace has not */
        return -errno;
    int missing = METADATA_NOT_OWNER;
    if (fchown(fd, (uid_t)-1, stat->gid) != 0)
        missing |= METADATA_NOT_GROUP;
    return missing;
}

/* With another owner or group the bits that lend their rights would lend someone else's. And who is
 * in another group than the original's may be among its others or not, so both get what both had
 * (as xz 5.4 does it, src/xz/file_io.c, io_copy_attrs()). */
uint32_t metadata_safe_mode(uint32_t mode, unsigned missing)
{
    mode &= 07777;
    if (missing)
        mode &= ~(uint32_t)(S_ISUID | S_ISGID);
    if (missing & METADATA_NOT_GROUP) {
        uint32_t both = (mode >> 3 & 07) & (mode & 07);
        mode = (mode & ~(uint32_t)077) | both << 3 | both;
    }
    return mode;
}

int metadata_copy_status(int fd, const struct file_stat *stat)
{
    int missing = copy_owner(fd, stat);
    if (missing < 0)
        return missing;
    /* After the owner, whose change clears bits, and would lend them to the wrong one before. */
    if (fchmod(fd, metadata_safe_mode(stat->mode, (unsigned)missing)) != 0)
        return -errno;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {stat->mtime_seconds, stat->mtime_ns}};
    if (futimens(fd, times) != 0)
        return -errno;
    return missing;
}
