#include "stages/mtree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stages/foreign.h"
#include "stages/manifest.h"

/* Of a line, besides its texts. */
#define NUMBERS_BYTES 256

struct cursor {
    char *at, *end;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void put(struct cursor *out, const char *format, ...)
{
    va_list arguments;
    size_t room = (size_t)(out->end - out->at);
    va_start(arguments, format);
    int bytes = vsnprintf(out->at, room, format, arguments);
    va_end(arguments);
    if (bytes < 0 || (size_t)bytes >= room)
        out->full = true;
    else
        out->at += bytes;
}

static void put_escaped(struct cursor *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (manifest_mtree_is_plain(byte))
            put(out, "%c", byte);
        else
            put(out, "\\%03o", byte);
    }
}

static void put_text(struct cursor *out, const char *key, const char *text, size_t bytes)
{
    put(out, " %s=", key);
    put_escaped(out, text, bytes);
}

static const char *type_of(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "dir";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFCHR:
        return "char";
    case S_IFBLK:
        return "block";
    case S_IFSOCK:
        return "socket";
    default:
        return "file";
    }
}

static void put_stat(struct cursor *out, const struct file_stat *stat, bool is_hard_link)
{
    const char *type = is_hard_link ? "file" : type_of(stat->mode);
    put(out, " type=%s mode=%04o uid=%u gid=%u", type, stat->mode & 07777, stat->uid, stat->gid);
    if (S_ISREG(stat->mode) && !is_hard_link && stat->size_bytes != FOREIGN_SIZE_UNKNOWN)
        put(out, " size=%llu", (unsigned long long)stat->size_bytes);
    if (!is_hard_link && (S_ISCHR(stat->mode) || S_ISBLK(stat->mode)))
        put(out, " device=native,%u,%u", major(stat->rdev), minor(stat->rdev));
    put(out, " time=%lld.%09u", (long long)stat->mtime_seconds, stat->mtime_ns);
}

ptrdiff_t mtree_render(const char *path, size_t path_bytes, const struct file_stat *stat,
                       bool is_hard_link, const struct member_extra *extra, char *buffer,
                       size_t capacity)
{
    struct cursor out = {buffer, buffer + capacity, false};
    bool is_root = path_bytes == 1 && *path == '.';
    put(&out, is_root ? "." : "./"); /* with a slash it is a full path */
    if (!is_root)
        put_escaped(&out, path, path_bytes);
    put_stat(&out, stat, is_hard_link);
    if (extra->user)
        put_text(&out, "uname", extra->user, strlen(extra->user));
    if (extra->group)
        put_text(&out, "gname", extra->group, strlen(extra->group));
    if (S_ISLNK(stat->mode) && !is_hard_link && extra->target)
        put_text(&out, "link", extra->target, extra->target_bytes);
    put(&out, "\n");
    return out.full ? -ENOSPC : out.at - buffer;
}

size_t mtree_bytes(size_t path_bytes, const struct member_extra *extra)
{
    size_t texts = path_bytes + extra->target_bytes + (extra->user ? strlen(extra->user) : 0) +
                   (extra->group ? strlen(extra->group) : 0);
    return NUMBERS_BYTES + 4 * texts;
}
