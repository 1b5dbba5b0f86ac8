#include "stages/target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/temporary.h"

struct target {
    struct target_options options;
    int fd;
    bool is_special;
    bool is_nameless; /* O_TMPFILE */
    bool is_published;
    char *path;
    char *temporary;
    char *directory;
};

int target_fd(const struct target *target)
{
    return target->fd;
}

bool target_is_special(const struct target *target)
{
    return target->is_special;
}

const char *target_temporary(const struct target *target)
{
    return target->temporary;
}

static char *directory_of(const char *path)
{
    char *copy = strdup(path);
    char *directory = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return directory;
}

/* A temporary file's path beside the path; NULL: no memory. */
static char *temporary_beside(const char *directory, const char *path)
{
    char name[TEMPORARY_NAME_BYTES];
    char *temporary = NULL;
    char *copy = strdup(path);
    if (copy)
        temporary_name(basename(copy), name);
    if (copy && asprintf(&temporary, "%s/%s", directory, name) < 0)
        temporary = NULL;
    free(copy);
    return temporary;
}

static void sweep_leftovers(const char *directory, const char *path)
{
    char *copy = strdup(path);
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (copy && fd >= 0)
        temporary_sweep(fd, basename(copy));
    if (fd >= 0)
        close(fd);
    free(copy);
}

static int sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

/* With `sync` also what is there already: another worker may just have made it. */
static int make_directory(const char *path, bool sync)
{
    bool is_made = mkdir(path, 0777) == 0;
    if (!is_made && errno != EEXIST)
        return -errno;
    char *parent = sync ? directory_of(path) : NULL;
    int error = parent ? sync_directory(parent) : sync ? -ENOMEM : 0;
    free(parent);
    return error == -EACCES && !is_made ? 0 : error; /* what we cannot enter we have not made */
}

int target_make_directories(const char *path, bool sync)
{
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    int error = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        error = make_directory(copy, sync);
        *slash = '/';
    }
    free(copy);
    return error;
}

static int open_nameless(struct target *target)
{
    int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
    target->fd = open(target->directory, flags, target->options.mode);
    if (target->fd < 0 && errno == ENOENT && target->options.makes_directories) {
        int error = target_make_directories(target->path, target->options.sync);
        if (error)
            return error;
        target->fd = open(target->directory, flags, target->options.mode);
    }
    target->is_nameless = target->fd >= 0;
    return target->fd < 0 ? -errno : 0;
}

static int open_temporary(struct target *target)
{
    target->directory = directory_of(target->path);
    if (target->directory)
        target->temporary = temporary_beside(target->directory, target->path);
    if (!target->temporary)
        return -ENOMEM;
    int error = open_nameless(target);
    if (error && error != -EOPNOTSUPP && error != -EISDIR && error != -EINVAL)
        return error;
    sweep_leftovers(target->directory, target->path);
    if (error) {
        unlink(target->temporary); /* a leftover of a thread that had this number */
        target->fd =
            open(target->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, target->options.mode);
        if (target->fd < 0)
            return -errno;
    }
    temporary_lock(target->fd);
    return 0;
}

static bool is_too_new(const struct target *target, const struct stat *status)
{
    int64_t until_ns = target->options.replace_until_ns;
    return until_ns && status->st_ctim.tv_sec * 1000000000 + status->st_ctim.tv_nsec >= until_ns;
}

/* Whether the path can get its file in the end is asked before any work is done. */
static int open_file(struct target *target)
{
    const char *path = target->path;
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return -EISDIR;
        if (!S_ISREG(status.st_mode) && target->options.in_place) {
            target->is_special = true;
            target->fd = open(path, O_WRONLY | O_CLOEXEC);
            return target->fd < 0 ? -errno : 0;
        }
        if (!target->options.replace || is_too_new(target, &status))
            return -EEXIST;
    } else if (path[strlen(path) - 1] == '/') {
        return -EISDIR; /* it could only be the name of a directory */
    } else if (lstat(path, &status) == 0 && !target->options.replace) {
        return -EEXIST; /* a link that leads nowhere */
    }
    return open_temporary(target);
}

int target_open(const char *path, const struct target_options *options, struct target **out)
{
    struct target *target = calloc(1, sizeof *target);
    if (!target)
        return -ENOMEM;
    target->options = *options;
    target->fd = -1;
    target->path = strdup(path);
    int error = target->path ? open_file(target) : -ENOMEM;
    if (error) {
        target_discard(target);
        return error;
    }
    *out = target;
    return 0;
}

/* Gives the nameless file a name: its own when nothing is to be replaced, else one to rename. */
static int link_nameless(struct target *target, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", target->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int give_name(struct target *target)
{
    if (target->is_nameless && !target->options.replace)
        return link_nameless(target, target->path);
    if (target->is_nameless) {
        unlink(target->temporary); /* a leftover of a thread that had this number */
        int error = link_nameless(target, target->temporary);
        if (error)
            return error;
        target->is_nameless = false;
    }
    unsigned flags = target->options.replace ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, target->temporary, AT_FDCWD, target->path, flags) < 0)
        return -errno;
    return 0;
}

int target_publish(struct target *target)
{
    if (target->is_special)
        return 0;
    int error = give_name(target);
    if (error)
        return error;
    target->is_published = true;
    return target->options.sync ? sync_directory(target->directory) : 0;
}

void target_discard(struct target *target)
{
    if (!target)
        return;
    if (target->fd >= 0)
        close(target->fd);
    if (target->temporary && !target->is_nameless && !target->is_published && target->fd >= 0)
        unlink(target->temporary);
    free(target->temporary);
    free(target->directory);
    free(target->path);
    free(target);
}
