/* What every archive stores of a file's status, and what is wrong with a member.
 *
 * Reproducible archives follow reproducible-builds.org, "Archive metadata": all that says where and
 * by whom an archive was made is replaced by constants.
 *   - Owners are 0:0 without names: numbers and names differ from one machine to the next.
 *   - Permissions are cut down to what git records, whether the owner may execute: the others come
 *     from the umask of whoever checked the tree out.
 *   - Times are kept, in whole seconds, for not every file system keeps their fractions; those
 * after SOURCE_DATE_EPOCH (clamp_mtime) become that, for such files have been made by the build.
 */
#include <errno.h>
#include <string.h>

#include "stages/archive_private.h"

static uint32_t reproducible_mode(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return S_IFDIR | 0755;
    case S_IFLNK:
        return S_IFLNK | 0777;
    case S_IFREG:
        return S_IFREG | (mode & S_IXUSR ? 0755 : 0644);
    default:
        return (mode & S_IFMT) | 0644;
    }
}

struct file_stat archive_stat(const struct archive_options *options,
                              const struct archive_member *member)
{
    struct file_stat stat = member->stat;
    stat.size_bytes =
        !member->is_hard_link && (stat.mode & S_IFMT) == S_IFREG ? stat.size_bytes : 0;
    if (options->reproducible) {
        stat.uid = stat.gid = 0;
        stat.mode = reproducible_mode(stat.mode);
        stat.mtime_ns = 0;
    }
    if (options->clamp_mtime && stat.mtime_seconds >= options->mtime_max_seconds) {
        stat.mtime_seconds = options->mtime_max_seconds;
        stat.mtime_ns = 0;
    }
    return stat;
}

uint64_t archive_data_bytes(const struct archive_member *member)
{
    if (member->is_hard_link || (member->stat.mode & S_IFMT) != S_IFREG)
        return 0;
    if (!member->extents)
        return member->stat.size_bytes;
    uint64_t bytes = 0;
    for (size_t i = 0; i < member->extent_count; i++)
        bytes += member->extents[i].bytes;
    return bytes;
}

static bool is_text(const char *text, size_t bytes)
{
    return text && bytes && !memchr(text, 0, bytes);
}

size_t archive_extents_align(struct archive_extent *extents, size_t count, uint64_t size_bytes)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t begin = extents[i].offset - extents[i].offset % TAR_BLOCK_BYTES;
        uint64_t end = extents[i].offset + extents[i].bytes;
        end += tar_padding(end);
        if (end > size_bytes)
            end = size_bytes;
        if (!extents[i].bytes || begin >= end)
            continue;
        if (kept && extents[kept - 1].offset + extents[kept - 1].bytes >= begin) {
            extents[kept - 1].bytes = end - extents[kept - 1].offset;
            continue;
        }
        extents[kept++] = (struct archive_extent){begin, end - begin};
    }
    return kept;
}

/* The reader takes the data for that of the extents written down, and all after it for the next
 * header: nothing may be corrected silently. */
static bool extents_are_sound(const struct archive_member *member)
{
    uint64_t end = 0;
    uint64_t size = member->stat.size_bytes;

    for (size_t i = 0; i < member->extent_count; i++) {
        const struct archive_extent *extent = &member->extents[i];
        if (extent->offset < end || extent->offset > size || extent->bytes > size - extent->offset)
            return false;
        if (i + 1 < member->extent_count && extent->bytes % TAR_BLOCK_BYTES)
            return false;
        end = extent->offset + extent->bytes;
    }
    return true;
}

int archive_member_check(const struct archive_member *member)
{
    uint32_t kind = member->stat.mode & S_IFMT;

    if (!is_text(member->path, member->path_bytes))
        return -EINVAL;
    if ((member->is_hard_link || kind == S_IFLNK) && !is_text(member->target, member->target_bytes))
        return -EINVAL;
    switch (kind) {
    case S_IFREG:
        if (member->stat.size_bytes > INT64_MAX)
            return -EINVAL;
        return !member->extents || extents_are_sound(member) ? 0 : -EINVAL;
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return 0;
    default:
        return -ENOTSUP;
    }
}
