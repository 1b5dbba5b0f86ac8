/* What a zip entry is: its name, kind, mode, times and owner. Numbers of sections are those of
 * APPNOTE.TXT; extra fields of Unix are those of Info-ZIP's proginfo/extrafld.txt. */
#include <libdeflate.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stages/unzip_private.h"

/* Who made it, 4.4.2.2. */
#define HOST_DOS   0
#define HOST_UNIX  3
#define HOST_MACOS 19

#define DOS_READ_ONLY 0x01
#define DOS_DIRECTORY 0x10

#define EXTRA_NTFS         0x000a
#define EXTRA_TIMESTAMP    0x5455 /* "UT" */
#define EXTRA_OLD_UNIX     0x5855 /* "UX": of macOS, too */
#define EXTRA_UNICODE_PATH 0x7075 /* "up" */
#define EXTRA_OWNER        0x7875 /* "ux" */

#define NTFS_TICKS_A_SECOND 10000000
#define NTFS_EPOCH_SECONDS  11644473600 /* from 1601 to 1970 */

static const uint8_t *extra_of(const struct unzip_entry *entry, unsigned id, size_t *bytes)
{
    return unzip_extra(entry->extra, entry->extra_bytes, id, bytes);
}

/* Names. */

/* "up": version, CRC of the name that it stands for, name in UTF-8. A tool that knows only the name
 * may have changed that. */
static bool has_unicode_path(const struct unzip_entry *entry, struct member *member)
{
    size_t bytes;
    const uint8_t *field = extra_of(entry, EXTRA_UNICODE_PATH, &bytes);
    if (!field || bytes <= 5 || field[0] != 1 ||
        unzip_get32(field + 1) != libdeflate_crc32(0, entry->name, entry->name_bytes))
        return false;
    member->path = (const char *)field + 5;
    member->path_bytes = bytes - 5;
    return true;
}

/* As unzip does: some programs of MS-DOS and Windows wrote backslashes. */
static void turn_backslashes(struct unzip_scene *scene, const struct unzip_entry *entry,
                             struct member *member)
{
    if (entry->host != HOST_DOS || memchr(member->path, '/', member->path_bytes) ||
        !memchr(member->path, '\\', member->path_bytes))
        return;
    for (size_t i = 0; i < member->path_bytes; i++)
        scene->name[i] = (uint8_t)(member->path[i] == '\\' ? '/' : member->path[i]);
    member->path = (const char *)scene->name;
}

/* Kind and mode. */

static bool has_slash(const struct member *member)
{
    return member->path_bytes && member->path[member->path_bytes - 1] == '/';
}

static bool is_marked_directory(const struct unzip_entry *entry)
{
    return entry->attributes & DOS_DIRECTORY && !entry->uncompressed_bytes;
}

static uint32_t plain_mode(const struct unzip_entry *entry, bool is_directory)
{
    if (is_directory)
        return S_IFDIR | 0755;
    return S_IFREG | (entry->attributes & DOS_READ_ONLY && entry->host == HOST_DOS ? 0444 : 0644);
}

/* What Unix says. Data is kept whatever the kind; of a device it does not say which. */
static uint32_t unix_mode(const struct unzip_entry *entry, uint32_t mode, bool slash)
{
    uint32_t permissions = mode & 07777;
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return mode;
    case S_IFLNK:
        if (!slash)
            return mode;
        break;
    case S_IFIFO:
    case S_IFSOCK:
        if (!slash && !entry->uncompressed_bytes)
            return mode;
        break;
    case S_IFCHR:
    case S_IFBLK:
        if (!slash && !entry->uncompressed_bytes)
            return permissions;
        break;
    case 0:
        slash |= is_marked_directory(entry);
        break;
    default:
        break;
    }
    /* Whoever may read a directory's names may also use them. */
    return slash ? S_IFDIR | permissions | (permissions & 0444) >> 2 : S_IFREG | permissions;
}

static uint32_t mode_of(const struct unzip_entry *entry, const struct member *member)
{
    bool slash = has_slash(member);
    uint32_t mode = entry->attributes >> 16;
    if ((entry->host == HOST_UNIX || entry->host == HOST_MACOS) && mode)
        return unix_mode(entry, mode, slash);
    return plain_mode(entry, slash || is_marked_directory(entry));
}

/* Times. */

/* Seconds of Unix; the directory has the first one only, of modification. */
static bool unix_time(const struct unzip_entry *entry, struct file_stat *stat)
{
    size_t bytes;
    const uint8_t *field = extra_of(entry, EXTRA_TIMESTAMP, &bytes);
    if (field && bytes >= 5 && field[0] & 1) {
        stat->mtime_seconds = (int32_t)unzip_get32(field + 1);
        return true;
    }
    field = extra_of(entry, EXTRA_OLD_UNIX, &bytes);
    if (!field || bytes < 8)
        return false;
    stat->mtime_seconds = (int32_t)unzip_get32(field + 4);
    return true;
}

/* 4.5.5: four bytes of nothing, then attributes; number 1 has the three times. */
static bool ntfs_time(const struct unzip_entry *entry, struct file_stat *stat)
{
    size_t bytes, times_bytes;
    const uint8_t *field = extra_of(entry, EXTRA_NTFS, &bytes);
    if (!field || bytes < 4)
        return false;
    const uint8_t *times = unzip_extra(field + 4, bytes - 4, 1, &times_bytes);
    if (!times || times_bytes < 8)
        return false;
    uint64_t ticks = unzip_get64(times);
    stat->mtime_seconds = (int64_t)(ticks / NTFS_TICKS_A_SECOND) - NTFS_EPOCH_SECONDS;
    stat->mtime_ns = (uint32_t)(ticks % NTFS_TICKS_A_SECOND) * 100;
    return ticks != 0;
}

/* 4.4.6: in local time, wherever it was made; there is no better guess than here. */
static int64_t seconds_of_quarter(uint32_t date, int hour, int minute)
{
    uint32_t month = date >> 5 & 15, day = date & 31;
    struct tm tm = {
        .tm_year = (int)(date >> 9) + 80,
        .tm_mon = month ? (int)month - 1 : 0,
        .tm_mday = day ? (int)day : 1,
        .tm_hour = hour,
        .tm_min = minute,
        .tm_isdst = -1,
    };
    return mktime(&tm);
}

static int64_t dos_time(struct unzip_scene *scene, uint32_t time)
{
    uint32_t minute = time >> 5 & 63, quarter = (time >> 11) * 5 + minute / 15;
    if (!scene->has_quarter || scene->quarter != quarter) {
        scene->has_quarter = true;
        scene->quarter = quarter;
        scene->quarter_seconds =
            seconds_of_quarter(time >> 16, (int)(time >> 11 & 31), (int)(minute / 15 * 15));
    }
    return scene->quarter_seconds + minute % 15 * 60 + (time & 31) * 2;
}

/* Windows' time is finer, but Unix's is what its tools have kept. */
static void find_time(struct unzip_scene *scene, const struct unzip_entry *entry,
                      struct file_stat *stat)
{
    struct file_stat ntfs = {0};
    bool has_unix = unix_time(entry, stat), has_ntfs = ntfs_time(entry, &ntfs);
    if (has_ntfs && (!has_unix || ntfs.mtime_seconds == stat->mtime_seconds)) {
        stat->mtime_seconds = ntfs.mtime_seconds;
        stat->mtime_ns = ntfs.mtime_ns;
    } else if (!has_unix) {
        stat->mtime_seconds = dos_time(scene, entry->dos_time);
    }
}

/* Owner. */

/* A number of any length that means one of 32 bits. */
static bool read_id(const uint8_t **at, const uint8_t *end, uint32_t *id)
{
    if (*at == end || *(*at) > end - *at - 1)
        return false;
    size_t bytes = *(*at)++;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (i >= sizeof value && (*at)[i])
            return false;
        if (i < sizeof value)
            value |= (uint64_t)(*at)[i] << 8 * i;
    }
    *at += bytes;
    *id = (uint32_t)value;
    return bytes && value < UINT32_MAX; /* that one means nobody */
}

static void find_owner(const struct unzip_scene *scene, const struct unzip_entry *entry,
                       struct file_stat *stat)
{
    size_t bytes;
    uint32_t uid, gid;
    const uint8_t *at = extra_of(entry, EXTRA_OWNER, &bytes);
    stat->uid = scene->uid;
    stat->gid = scene->gid;
    if (!at || !bytes || at[0] != 1)
        return;
    const uint8_t *end = at + bytes;
    at++;
    if (read_id(&at, end, &uid) && read_id(&at, end, &gid)) {
        stat->uid = uid;
        stat->gid = gid;
    }
}

void unzip_scene_init(struct unzip_scene *scene)
{
    scene->uid = geteuid();
    scene->gid = getegid();
    scene->has_quarter = false;
}

void unzip_member_of(struct unzip_scene *scene, const struct unzip_entry *entry,
                     struct member *member)
{
    *member = (struct member){
        .path = (const char *)entry->name,
        .path_bytes = entry->name_bytes,
        .stat = {.links = 1},
    };
    if (!has_unicode_path(entry, member))
        turn_backslashes(scene, entry, member);
    member->stat.mode = mode_of(entry, member);
    if (S_ISREG(member->stat.mode))
        member->stat.size_bytes = entry->uncompressed_bytes;
    find_time(scene, entry, &member->stat);
    find_owner(scene, entry, &member->stat);
}
