#include "stages/placing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/metadata.h"
#include "stages/pack.h"
#include "stages/publish.h"
#include "stages/shortage.h"

/* Names. */

static const struct {
    const char *suffix, *instead;
} suffixes[] = {{".gz", ""}, {".tgz", ".tar"}, {".zst", ""}, {".tzst", ".tar"}};

/* How much of the name stays, and what comes behind it. */
static bool take_suffix(const char *path, size_t path_bytes, size_t *stays, const char **instead)
{
    const char *slash = memrchr(path, '/', path_bytes);
    size_t name = slash ? (size_t)(slash + 1 - path) : 0;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t bytes = strlen(suffixes[i].suffix);
        if (path_bytes - name <= bytes ||
            memcmp(path + path_bytes - bytes, suffixes[i].suffix, bytes) != 0)
            continue;
        *stays = path_bytes - bytes;
        *instead = suffixes[i].instead;
        return true;
    }
    return false;
}

bool placing_knows(const char *path, size_t path_bytes)
{
    size_t stays;
    const char *instead;
    return take_suffix(path, path_bytes, &stays, &instead);
}

int placing_path(const struct placing *placing, const char *path, size_t path_bytes, char **output)
{
    const char *behind = placing->suffix;
    size_t stays = path_bytes;
    if (!behind && !take_suffix(path, path_bytes, &stays, &behind))
        return -EINVAL;
    const char *directory = placing->directory ? placing->directory : "";
    if (placing->directory) /* mirrored as an archive would store it */
        pack_stored_path(&path, &stays);
    size_t lead = strlen(directory);
    char *text = malloc(lead + 1 + stays + strlen(behind) + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, directory, lead);
    if (lead && directory[lead - 1] != '/')
        text[lead++] = '/';
    memcpy(text + lead, path, stays);
    strcpy(text + lead + stays, behind);
    *output = text;
    return 0;
}

bool placing_makes_way(const struct placing *placing, const char *output, struct tm_fault fault,
                       bool *tried)
{
    if (!placing->directory || *tried || fault.kind != TM_FAULT_SYSTEM || fault.detail != ENOENT)
        return false;
    *tried = true;
    return target_make_directories(output, placing->sync) == 0;
}

int placing_open(const struct placing *placing, const char *path, size_t path_bytes,
                 struct target **target)
{
    char *output;
    int error = placing_path(placing, path, path_bytes, &output);
    if (error)
        return error;
    struct target_options options = {.replace = placing->replace,
                                     .replace_until_ns = placing->replace_until_ns,
                                     .sync = placing->sync,
                                     .makes_directories = placing->directory != NULL,
                                     .mode = 0600}; /* until it gets its file's */
    error = target_open(output, &options, target);
    free(output);
    return error;
}

/* What the file has. */

enum { KINDS = METADATA_USER | METADATA_ACL };

/* Bytes packed; what cannot be read is no loss of data. */
static size_t read_attributes(const char *path, size_t path_bytes, uint8_t *packed)
{
    ptrdiff_t bytes = -1;
    if (path_bytes < PATH_MAX)
        bytes = metadata_read(AT_FDCWD, path, KINDS, packed, METADATA_MAX_BYTES);
    return bytes > 0 ? (size_t)bytes : 0;
}

static void copy_attributes(const struct target *target, const char *path, size_t path_bytes)
{
    uint8_t *packed = malloc(METADATA_MAX_BYTES);
    size_t bytes = packed ? read_attributes(path, path_bytes, packed) : 0;
    if (bytes)
        metadata_apply(target_fd(target), packed, bytes, KINDS, NULL, NULL);
    free(packed);
}

void placing_request(const struct placing *placing, const char *output, const char *path,
                     struct file_record *file, uint8_t *attributes, struct publish_request *request)
{
    const char *slash = strrchr(output, '/');
    bool is_regular = S_ISREG(file->stat.mode);
    *request = (struct publish_request){
        .base = AT_FDCWD,
        .directory = output,
        .directory_bytes = slash ? (size_t)(slash + 1 - output) : 0,
        .name = slash ? slash + 1 : output,
        .replace = placing->replace,
        .replace_until_ns = placing->replace_until_ns,
        .sync = placing->sync,
        .mode = 0666,
        .stat = is_regular ? &file->stat : NULL,
        .attributes = attributes,
        .attribute_bytes = is_regular ? read_attributes(path, file->path_bytes, attributes) : 0,
        .attribute_kinds = KINDS,
        .trace = &file->trace,
    };
}

int placing_inherit(const struct target *target, const char *path, size_t path_bytes,
                    const struct file_stat *stat)
{
    int missing = metadata_copy_status(target_fd(target), stat);
    copy_attributes(target, path, path_bytes);
    return missing < 0 ? missing : 0;
}

/* Removing. */

/* 0; -EEXIST: under the output's name there is something else, as where two files have one name for
 * their outputs. */
static int check_output(const struct placing *placing, const char *path,
                        const struct file_record *file)
{
    char *output;
    struct stat status;
    int error = placing_path(placing, path, file->path_bytes, &output);
    if (error)
        return error;
    if (lstat(output, &status) < 0)
        error = -errno;
    else if (status.st_ino != file->trace.inode || status.st_dev != file->trace.device)
        error = -EEXIST;
    free(output);
    return error;
}

int placing_remove_source(const struct placing *placing, const char *path,
                          const struct file_record *file)
{
    const struct file_stat *stat = &file->stat;
    size_t path_bytes = file->path_bytes;
    int mismatch = check_output(placing, path, file);
    if (mismatch)
        return mismatch;
    const char *slash = memrchr(path, '/', path_bytes);
    size_t directory_bytes = slash ? (size_t)(slash + 1 - path) : 0;
    const char *name = path + directory_bytes;
    int directory = AT_FDCWD;
    if (directory_bytes) {
        directory = shortage_open(path, directory_bytes, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            return directory;
    }
    struct statx status;
    struct file_stat now;
    int error =
        statx(directory, name, AT_SYMLINK_NOFOLLOW, file_stat_mask, &status) < 0 ? -errno : 0;
    if (!error) {
        file_stat_from(&now, &status);
        if (now.inode != stat->inode || now.device != stat->device || !file_stat_same(&now, stat))
            error = -ESTALE;
    }
    if (!error && unlinkat(directory, name, 0) < 0)
        error = -errno;
    if (directory != AT_FDCWD)
        close(directory);
    return error;
}
