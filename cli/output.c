#include "cli/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Large enough that a pipe or file sees few calls, small enough to be nothing beside the slabs. */
#define BUFFER_BYTES 65536

struct output {
    struct output_options options;
    int fd;
    int error; /* first -errno; kept */
    bool is_stdout;
    bool is_special;  /* device or pipe at the path: written in place */
    bool is_nameless; /* O_TMPFILE */
    char *temporary;
    char *directory;
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
};

const char *output_name(const struct output *output)
{
    return output->is_stdout ? "standard output" : output->options.path;
}

const char *output_temporary(const struct output *output)
{
    return output->temporary;
}

static char *directory_of(const char *path)
{
    char *copy = strdup(path);
    char *directory = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return directory;
}

/* What the temporary files of a path begin with, before the number of their process; NULL: no
 * memory. */
static char *temporary_prefix(const char *path)
{
    char *prefix = NULL;
    char *copy = strdup(path);
    if (copy && asprintf(&prefix, ".%.200s.treemill-", basename(copy)) < 0)
        prefix = NULL;
    free(copy);
    return prefix;
}

static bool find_place(int error, const struct stat *status, struct walk_place *place)
{
    if (error || !S_ISREG(status->st_mode))
        return false;
    *place = (struct walk_place){.device = status->st_dev, .inode = status->st_ino};
    return true;
}

unsigned output_places(const struct output *output, struct walk_place places[static 2])
{
    struct stat status;
    unsigned count = find_place(fstat(output->fd, &status), &status, places);
    if (!output->is_stdout && !output->is_special)
        count += find_place(stat(output->options.path, &status), &status, places + count);
    return count;
}

/* The number of a process that is gone. One of another container may be alive all the same; see
 * lock_temporary(). */
static bool is_of_dead_process(const char *digits)
{
    char *end;
    errno = 0;
    long process = strtol(digits, &end, 10);
    if (*digits < '1' || *digits > '9' || *end || errno || process > INT_MAX)
        return false;
    return kill((pid_t)process, 0) < 0 && errno == ESRCH;
}

/* Says to other runs, whatever their view of processes, that the file is in use. Where the file
 * system knows no locks they go by the process's number alone. */
static bool lock_temporary(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* A run that was killed could not remove its temporary file; the next one for the same path does.
 * Nothing depends on its success. */
static void sweep_leftovers(const char *directory, const char *prefix)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return;
    size_t length = strlen(prefix);
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (strncmp(entry->d_name, prefix, length) != 0 ||
            !is_of_dead_process(entry->d_name + length))
            continue;
        int fd =
            openat(dirfd(stream), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (lock_temporary(fd))
            unlinkat(dirfd(stream), entry->d_name, 0);
        close(fd);
    }
    closedir(stream);
}

/* Opens what will get its name in the end. */
static int open_temporary(struct output *output)
{
    const char *path = output->options.path;
    char *prefix = temporary_prefix(path);
    output->directory = directory_of(path);
    if (!prefix || !output->directory ||
        asprintf(&output->temporary, "%s/%s%ld", output->directory, prefix, (long)getpid()) < 0) {
        output->temporary = NULL;
        free(prefix);
        return -ENOMEM;
    }
    sweep_leftovers(output->directory, prefix);
    free(prefix);
    output->fd = open(output->directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    output->is_nameless = output->fd >= 0;
    if (!output->is_nameless) {
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
            return -errno;
        unlink(output->temporary); /* a leftover of a process that had this number */
        output->fd = open(output->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (output->fd < 0)
            return -errno;
    }
    lock_temporary(output->fd);
    return 0;
}

/* Whether the path can get its file in the end is asked before any work is done. */
static int open_file(struct output *output)
{
    const char *path = output->options.path;
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return -EISDIR;
        if (!S_ISREG(status.st_mode)) {
            output->is_special = true;
            output->fd = open(path, O_WRONLY | O_CLOEXEC);
            return output->fd < 0 ? -errno : 0;
        }
        if (!output->options.replace)
            return -EEXIST;
    } else if (path[strlen(path) - 1] == '/') {
        return -EISDIR; /* it could only be the name of a directory */
    } else if (lstat(path, &status) == 0 && !output->options.replace) {
        return -EEXIST; /* a link that leads nowhere */
    }
    return open_temporary(output);
}

int output_open(const struct output_options *options, struct output **out)
{
    struct output *output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    output->options = *options;
    output->fd = STDOUT_FILENO;
    output->is_stdout = !options->path || strcmp(options->path, "-") == 0;
    int error = output->is_stdout ? 0 : open_file(output);
    if (error) {
        output->fd = -1;
        output_discard(output);
        return error;
    }
    *out = output;
    return 0;
}

static int write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t wrote = write(fd, data, bytes);
        if (wrote >= 0) {
            data += wrote;
            bytes -= (size_t)wrote;
        } else if (errno == EAGAIN) {
            /* Somebody made the shared pipe nonblocking: its reader wakes us. */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int output_flush(struct output *output)
{
    if (!output->error)
        output->error = write_all(output->fd, output->buffer, output->used);
    output->used = 0;
    return output->error;
}

int output_write(struct output *output, const void *data, size_t bytes)
{
    if (bytes > BUFFER_BYTES - output->used)
        output_flush(output);
    if (output->error)
        return output->error;
    if (bytes >= BUFFER_BYTES)
        return output->error = write_all(output->fd, data, bytes);
    memcpy(output->buffer + output->used, data, bytes);
    output->used += bytes;
    return 0;
}

static int sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

/* Gives the nameless file a name: its own when nothing is to be replaced, else one to rename. */
static int link_nameless(struct output *output, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int give_name(struct output *output)
{
    const char *path = output->options.path;
    if (output->is_nameless && !output->options.replace)
        return link_nameless(output, path);
    if (output->is_nameless) {
        unlink(output->temporary); /* a leftover of a process that had this number */
        int error = link_nameless(output, output->temporary);
        if (error)
            return error;
        output->is_nameless = false;
    }
    unsigned flags = output->options.replace ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, path, flags) < 0)
        return -errno;
    free(output->temporary);
    output->temporary = NULL;
    return 0;
}

int output_publish(struct output *output)
{
    int error = output_flush(output);
    if (error || output->is_stdout || output->is_special)
        return error;
    if (output->options.sync && fsync(output->fd) < 0)
        return output->error = -errno;
    error = give_name(output);
    if (!error && output->options.sync)
        error = sync_directory(output->directory);
    return output->error = error;
}

void output_discard(struct output *output)
{
    if (!output)
        return;
    if (output->fd >= 0 && !output->is_stdout)
        close(output->fd);
    if (output->temporary && !output->is_nameless && !output->is_special)
        unlink(output->temporary);
    free(output->temporary);
    free(output->directory);
    free(output);
}
