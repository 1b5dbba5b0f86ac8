#include "stages/member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/metadata.h"

/* What an attachment begins with; the bytes of each follow in this order, texts with their NUL. */
struct extra_head {
    uint32_t target_bytes, user_bytes, group_bytes, attribute_bytes;
};

ptrdiff_t member_clean(const char *path, size_t path_bytes, char *clean, bool *was_absolute)
{
    const char *end = path + path_bytes;
    size_t used = 0;
    *was_absolute = path_bytes && *path == '/';
    if (memchr(path, '\0', path_bytes))
        return -EINVAL;
    while (path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t bytes = (size_t)((slash ? slash : end) - path);
        bool is_dot = bytes == 1 && path[0] == '.';
        if (bytes == 2 && path[0] == '.' && path[1] == '.')
            return -EINVAL;
        if (bytes && !is_dot) {
            if (used)
                clean[used++] = '/';
            memcpy(clean + used, path, bytes);
            used += bytes;
        }
        path += bytes + 1;
    }
    if (!used)
        clean[used++] = '.';
    clean[used] = '\0';
    return (ptrdiff_t)used;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Allocated; NULL: no memory. */
static uint8_t *pack_extra(const struct member *member, const char *target, size_t target_bytes,
                           size_t *bytes)
{
    struct extra_head head = {
        .target_bytes = target ? (uint32_t)target_bytes + 1 : 0,
        .user_bytes = (uint32_t)text_bytes(member->user),
        .group_bytes = (uint32_t)text_bytes(member->group),
        .attribute_bytes = member->attributes ? (uint32_t)member->attribute_bytes : 0,
    };
    *bytes =
        sizeof head + head.target_bytes + head.user_bytes + head.group_bytes + head.attribute_bytes;
    uint8_t *packed = malloc(*bytes), *at = packed;
    if (!packed)
        return NULL;
    at = (uint8_t *)mempcpy(at, &head, sizeof head);
    if (target) {
        at = (uint8_t *)mempcpy(at, target, target_bytes);
        *at++ = '\0';
    }
    if (member->user)
        at = (uint8_t *)mempcpy(at, member->user, head.user_bytes);
    if (member->group)
        at = (uint8_t *)mempcpy(at, member->group, head.group_bytes);
    if (head.attribute_bytes)
        memcpy(at, member->attributes, head.attribute_bytes);
    return packed;
}

struct member_extra member_extra_of(const struct item_view *view, const struct file_record *file)
{
    struct member_extra extra = {0};
    struct extra_head head;
    const uint8_t *at = view->input + file->attachment;
    if (file->attachment_bytes < sizeof head)
        return extra;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    if (head.target_bytes) {
        extra.target = (const char *)at;
        extra.target_bytes = head.target_bytes - 1;
    }
    at += head.target_bytes;
    extra.user = head.user_bytes ? (const char *)at : NULL;
    at += head.user_bytes;
    extra.group = head.group_bytes ? (const char *)at : NULL;
    at += head.group_bytes;
    extra.attributes = head.attribute_bytes ? at : NULL;
    extra.attribute_bytes = head.attribute_bytes;
    return extra;
}

/* The record with the names as they are given. */
static struct file_record *add_record(const struct item_view *view, const struct batch_shape *shape,
                                      const char *path, size_t path_bytes,
                                      const struct member *member, const char *target,
                                      size_t target_bytes)
{
    const char *slash = memrchr(path, '/', path_bytes);
    size_t directory_bytes = slash ? (size_t)(slash - path) + 1 : 0;
    size_t extra_bytes;
    uint8_t *extra = pack_extra(member, target, target_bytes, &extra_bytes);
    if (!extra)
        return NULL;
    struct file_record *file = batch_add(view, shape, path, directory_bytes, path + directory_bytes,
                                         path_bytes - directory_bytes, extra, extra_bytes, 0);
    free(extra);
    return file;
}

/* A fault of the record's, or none. */
static struct tm_fault clean_names(const struct member *member, char *path, ptrdiff_t *path_bytes,
                                   char *target, ptrdiff_t *target_bytes, bool *was_absolute)
{
    bool ignored;
    *path_bytes = member_clean(member->path, member->path_bytes, path, was_absolute);
    if (*path_bytes < 0)
        return fault_of(TM_FAULT_UNSAFE);
    if (*path_bytes > BATCH_PATH_MAX)
        return fault_of(TM_FAULT_TOO_LONG);
    if (!member->is_hard_link)
        return TM_NO_FAULT;
    *target_bytes = member_clean(member->target, member->target_bytes, target, &ignored);
    return *target_bytes < 0 ? fault_of(TM_FAULT_UNSAFE) : TM_NO_FAULT;
}

struct file_record *member_add(const struct item_view *view, const struct batch_shape *shape,
                               const struct member *member, bool *was_absolute)
{
    size_t target_room = member->target ? member->target_bytes : 0;
    char *path = malloc(member->path_bytes + target_room + 4);
    if (!path)
        return NULL;
    char *target = path + member->path_bytes + 2;
    ptrdiff_t path_bytes, target_bytes = (ptrdiff_t)target_room;
    struct tm_fault fault =
        clean_names(member, path, &path_bytes, target, &target_bytes, was_absolute);
    bool is_plain = fault_is_set(fault) || !member->is_hard_link;
    const char *shown = fault_is_set(fault) ? member->path : path;
    size_t shown_bytes = fault_is_set(fault) ? member->path_bytes : (size_t)path_bytes;
    if (shown_bytes > BATCH_PATH_MAX)
        shown_bytes = BATCH_PATH_MAX;
    struct file_record *file =
        add_record(view, shape, shown, shown_bytes, member, is_plain ? member->target : target,
                   is_plain ? target_room : (size_t)target_bytes);
    free(path);
    if (!file)
        return NULL;
    file->stat = member->stat;
    file->state = FILE_READ;
    if (!S_ISREG(member->stat.mode) || member->is_hard_link)
        file->flags |= FILE_NOT_FILE;
    if (member->is_hard_link)
        file->flags |= FILE_HARD_LINK;
    if (member->lost_attributes)
        file->flags |= FILE_NO_ATTRIBUTES;
    file->fault = fault;
    if (fault_is_set(fault))
        file->flags |= FILE_SKIPPED;
    return file;
}
