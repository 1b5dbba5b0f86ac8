#include "stages/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stages/opener.h"
#include "stages/shortage.h"

#define FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* openat2(2) gives up when names change under it in a way that it cannot judge. */
#define RACES_MAX 128

struct beneath {
    struct beneath_options options;
    struct beneath_directory root; /* always there */
    struct beneath_directory *kept[BENEATH_KEPT];
    struct beneath_directory *recent; /* the last one asked for, or NULL */
    uint64_t requests;
    char piece[PATH_MAX];
};

int beneath_create(const struct beneath_options *options, struct beneath **created)
{
    struct beneath *beneath = *created = calloc(1, sizeof *beneath);
    if (!beneath)
        return -ENOMEM;
    beneath->options = *options;
    beneath->root.fd = options->root;
    return 0;
}

void beneath_destroy(struct beneath *beneath)
{
    if (!beneath)
        return;
    beneath_drop(beneath);
    free(beneath);
}

/* What is kept. */

static void close_directory(struct beneath *beneath, struct beneath_directory *directory)
{
    for (unsigned i = 0; i < BENEATH_KEPT; i++)
        if (beneath->kept[i] == directory)
            beneath->kept[i] = NULL;
    if (beneath->recent == directory)
        beneath->recent = NULL;
    close(directory->fd);
    free(directory->path);
    free(directory);
}

void beneath_release(struct beneath *beneath, const struct beneath_directory *released)
{
    struct beneath_directory *directory = (struct beneath_directory *)released;
    directory->pins--;
    if (directory != &beneath->root && !directory->pins &&
        (directory->is_stale || shortage_is_expected()))
        close_directory(beneath, directory);
}

void beneath_forget(struct beneath *beneath, const struct beneath_directory *forgotten)
{
    struct beneath_directory *directory = (struct beneath_directory *)forgotten;
    if (directory == &beneath->root)
        return;
    directory->is_stale = true;
    if (!directory->pins)
        close_directory(beneath, directory);
}

void beneath_drop(struct beneath *beneath)
{
    for (unsigned i = 0; i < BENEATH_KEPT; i++)
        if (beneath->kept[i] && !beneath->kept[i]->pins)
            close_directory(beneath, beneath->kept[i]);
}

/* Whether the directory is the path's, or on the way to it. */
static bool leads_to(const struct beneath_directory *directory, const char *path, size_t path_bytes)
{
    size_t bytes = directory->path_bytes;
    return !directory->is_stale && bytes <= path_bytes &&
           (bytes == path_bytes || path[bytes] == '/') &&
           (!bytes || memcmp(directory->path, path, bytes) == 0);
}

/* The one that is nearest to the path, from above: at least the root. */
static struct beneath_directory *nearest(struct beneath *beneath, const char *path,
                                         size_t path_bytes)
{
    struct beneath_directory *found = &beneath->root;
    if (beneath->recent && beneath->recent->path_bytes == path_bytes &&
        leads_to(beneath->recent, path, path_bytes))
        return beneath->recent;
    for (unsigned i = 0; i < BENEATH_KEPT; i++) {
        struct beneath_directory *directory = beneath->kept[i];
        if (directory && directory->path_bytes > found->path_bytes &&
            leads_to(directory, path, path_bytes))
            found = directory;
    }
    return found;
}

static struct beneath_directory **free_place(struct beneath *beneath)
{
    struct beneath_directory *oldest = NULL;
    for (unsigned i = 0; i < BENEATH_KEPT; i++) {
        struct beneath_directory *directory = beneath->kept[i];
        if (!directory)
            return &beneath->kept[i];
        if (!directory->pins && (!oldest || directory->used < oldest->used))
            oldest = directory;
    }
    if (!oldest)
        return NULL;
    close_directory(beneath, oldest);
    return free_place(beneath);
}

/* Takes the descriptor. */
static int keep(struct beneath *beneath, const char *path, size_t path_bytes, int fd,
                struct beneath_directory **kept)
{
    struct beneath_directory **place = free_place(beneath);
    struct beneath_directory *directory = place ? calloc(1, sizeof *directory) : NULL;
    char *copy = directory ? malloc(path_bytes) : NULL;
    if (!copy) {
        free(directory);
        close(fd);
        return place ? -ENOMEM : -EMFILE;
    }
    memcpy(copy, path, path_bytes);
    *directory = (struct beneath_directory){.fd = fd, .path = copy, .path_bytes = path_bytes};
    *place = *kept = directory;
    return 0;
}

/* Opening. */

static int open_component(int directory, const char *name, int flags)
{
    struct stat status;
    if (strcmp(name, "..") == 0)
        return -EXDEV;
    int fd = openat(directory, name, flags);
    if (fd >= 0)
        return fd;
    int error = -errno;
    /* With O_PATH a link is no error but no directory. */
    if (error == -ENOTDIR && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(status.st_mode))
        return -ELOOP;
    return error;
}

/* The path is changed and restored. */
static int open_by_component(int directory, char *path, int flags)
{
    int base = directory;
    for (;;) {
        char *slash = strchr(path, '/');
        if (slash)
            *slash = '\0';
        int fd = open_component(base, path, slash ? FLAGS : flags);
        if (slash)
            *slash = '/';
        if (base != directory)
            close(base);
        if (fd < 0 || !slash)
            return fd;
        base = fd;
        path = slash + 1;
    }
}

static int open_beneath(int directory, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)flags,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    for (unsigned races = 0;; races++) {
        long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno != EINTR && (errno != EAGAIN || races >= RACES_MAX))
            return -errno;
    }
}

/* Relative, not empty, shorter than PATH_MAX; may change meanwhile. */
static int open_piece(struct beneath *beneath, int directory, char *path)
{
    if (!beneath->options.without_openat2) {
        int fd = open_beneath(directory, path, FLAGS);
        if (fd != -ENOSYS && fd != -EPERM)
            return fd;
        beneath->options.without_openat2 = true;
    }
    return open_by_component(directory, path, FLAGS);
}

/* With what is kept closed if there is no descriptor left. */
static int open_piece_for_sure(struct beneath *beneath, int directory, char *path)
{
    int fd = open_piece(beneath, directory, path);
    if (!opener_is_descriptor_shortage(fd))
        return fd;
    beneath_drop(beneath);
    return open_piece(beneath, directory, path);
}

int beneath_make(const struct beneath *beneath, int directory, const char *name)
{
    if (mkdirat(directory, name, 0700) < 0)
        return -errno;
    if (beneath->options.umask & 0700 && fchmodat(directory, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

int beneath_open_at(int directory, const char *name, int flags)
{
    int fd = openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* How much of the path is opened at once: to its end or, if that is too much, to a slash. */
static size_t piece_bytes(const char *path, size_t path_bytes)
{
    if (path_bytes < PATH_MAX)
        return path_bytes;
    const char *slash = memrchr(path, '/', PATH_MAX - 1);
    return slash ? (size_t)(slash - path) : 0;
}

static size_t component_bytes(const char *path, size_t path_bytes)
{
    const char *slash = memchr(path, '/', path_bytes);
    return slash ? (size_t)(slash - path) : path_bytes;
}

/* Opens what `bytes` more of the path lead to, and keeps it. */
static int open_next(struct beneath *beneath, const struct beneath_directory *from,
                     const char *path, size_t start, size_t bytes,
                     struct beneath_directory **reached)
{
    if (!bytes || bytes >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(beneath->piece, path + start, bytes);
    beneath->piece[bytes] = '\0';
    int fd = open_piece_for_sure(beneath, from->fd, beneath->piece);
    return fd < 0 ? fd : keep(beneath, path, start + bytes, fd, reached);
}

/* Makes the next component, if it is still missing. */
static int make_next(struct beneath *beneath, const struct beneath_directory *from,
                     const char *path, size_t start, size_t bytes, uint32_t *made_from)
{
    uint32_t before = *made_from;
    if (!bytes || bytes >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(beneath->piece, path + start, bytes);
    beneath->piece[bytes] = '\0';
    if (!before || before > from->path_bytes + 1)
        *made_from = (uint32_t)from->path_bytes + 1;
    int error = beneath_make(beneath, from->fd, beneath->piece);
    if (error)
        *made_from = before;
    return error == -EEXIST ? 0 : error;
}

/* The next directory on the way. */
static int step_down(struct beneath *beneath, const struct beneath_directory *from,
                     const char *path, size_t path_bytes, uint32_t *made_from,
                     struct beneath_directory **next)
{
    size_t start = from->path_bytes ? from->path_bytes + 1 : 0;
    const char *rest = path + start;
    size_t bytes = component_bytes(rest, path_bytes - start);
    int error = open_next(beneath, from, path, start, piece_bytes(rest, path_bytes - start), next);
    if (error != -ENOENT || !made_from)
        return error;
    error = make_next(beneath, from, path, start, bytes, made_from);
    return error ? error : open_next(beneath, from, path, start, bytes, next);
}

/* From there on down. */
static int walk(struct beneath *beneath, struct beneath_directory *from, const char *path,
                size_t path_bytes, uint32_t *made_from, struct beneath_directory **reached)
{
    from->pins++;
    while (from->path_bytes < path_bytes) {
        struct beneath_directory *next;
        int error = step_down(beneath, from, path, path_bytes, made_from, &next);
        if (!error)
            next->pins++;
        from->used = ++beneath->requests;
        beneath_release(beneath, from);
        if (error)
            return error;
        from = next;
    }
    *reached = from;
    return 0;
}

int beneath_open(struct beneath *beneath, const char *path, size_t path_bytes, uint32_t *made_from,
                 const struct beneath_directory **directory)
{
    struct beneath_directory *reached;
    while (path_bytes && path[path_bytes - 1] == '/')
        path_bytes--;
    if (path_bytes == 1 && *path == '.')
        path_bytes = 0;
    int error =
        walk(beneath, nearest(beneath, path, path_bytes), path, path_bytes, made_from, &reached);
    if (error)
        return error;
    reached->used = ++beneath->requests;
    beneath->recent = reached;
    *directory = reached;
    return 0;
}
