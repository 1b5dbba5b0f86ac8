/* Links and special files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/extract_private.h"
#include "stages/metadata.h"
#include "stages/temporary.h"

/* Where the name is, and what a hard link is to be a link to. */
struct place {
    const struct beneath_directory *directory, *target_directory;
    const char *name, *target_name;
};

static int create(const struct waiting *waiting, const struct place *place, const char *name)
{
    int result;
    if (waiting->is_hard_link)
        result =
            linkat(place->target_directory->fd, place->target_name, place->directory->fd, name, 0);
    else if (S_ISLNK(waiting->mode))
        result = symlinkat(waiting_target(waiting), place->directory->fd, name);
    else
        result = mknodat(place->directory->fd, name, waiting->mode, waiting->rdev);
    return result < 0 ? -errno : 0;
}

/* Under another name, which is then given the right one. */
static int replace(const struct waiting *waiting, const struct place *place)
{
    enum { ATTEMPTS_MAX = 100 };
    char temporary[TEMPORARY_NAME_BYTES];
    int error = -EEXIST;
    for (unsigned i = 0; i < ATTEMPTS_MAX && error == -EEXIST; i++) {
        temporary_name(place->name, temporary);
        error = create(waiting, place, temporary);
    }
    if (error)
        return error;
    int directory = place->directory->fd;
    if (renameat(directory, temporary, directory, place->name) < 0)
        error = -errno;
    /* Renaming does nothing where both are names of one file. */
    if (error || waiting->is_hard_link)
        (void)unlinkat(directory, temporary, 0);
    return error;
}

/* There is something of the name. 0; 1: it stays; -errno. */
static int settle(const struct extract_job *job, const struct waiting *waiting,
                  const struct place *place)
{
    struct file_stat stat = {.mtime_seconds = waiting->mtime_seconds,
                             .mtime_ns = waiting->mtime_ns};
    struct statx found;
    if (statx(place->directory->fd, place->name, AT_SYMLINK_NOFOLLOW,
              STATX_TYPE | STATX_BTIME | STATX_MTIME, &found) < 0)
        return -errno;
    if (S_ISDIR(found.stx_mode)) /* which nothing replaces */
        return job->overwrite == EXTRACT_NEVER ? -EEXIST : -EISDIR;
    if (extract_replaces(job, &stat, &found))
        return replace(waiting, place);
    return job->overwrite == EXTRACT_OLDER ? 1 : -EEXIST;
}

/* What it is besides. */

static int set_mode(int fd, bool is_path, uint32_t mode)
{
    char self[40];
    if (!is_path)
        return fchmod(fd, mode) < 0 ? -errno : 0;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return chmod(self, mode) < 0 ? -errno : 0;
}

static int set_times(int fd, bool is_path, const struct waiting *waiting)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {waiting->mtime_seconds, waiting->mtime_ns}};
    char self[40];
    if (!is_path)
        return futimens(fd, times) < 0 ? -errno : 0;
    if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != EINVAL) /* before Linux 5.8 */
        return -errno;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return utimensat(AT_FDCWD, self, times, 0) < 0 ? -errno : 0;
}

/* Which of enum metadata_status was not permitted, or -errno. */
static int set_owner(int fd, const struct waiting *waiting)
{
    if (fchownat(fd, "", waiting->uid, waiting->gid, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != EPERM && errno != EINVAL) /* EINVAL: a number that a user namespace has not */
        return -errno;
    int missing = METADATA_NOT_OWNER;
    if (fchownat(fd, "", (uid_t)-1, waiting->gid, AT_EMPTY_PATH) < 0)
        missing |= METADATA_NOT_GROUP;
    return missing;
}

static void set_attributes(int fd, const struct waiting *waiting, unsigned kinds)
{
    metadata_apply(fd, waiting_attributes(waiting), waiting->attribute_bytes, kinds, NULL, NULL);
}

struct tm_fault extract_dress(const struct extract_job *job, int fd, bool is_path,
                              const struct waiting *waiting, uint32_t more_mode)
{
    int missing = job->keeps_owner ? set_owner(fd, waiting) : 0;
    int error = missing < 0 ? missing : 0;
    uint32_t mode = more_mode | metadata_safe_mode(waiting->mode, error ? 0 : (unsigned)missing);
    /* As publish.c: attributes while the mode permits it, an ACL after the mode. */
    if (!error && !is_path)
        set_attributes(fd, waiting, job->attribute_kinds & ~(unsigned)METADATA_ACL);
    if (!error && !S_ISLNK(waiting->mode))
        error = set_mode(fd, is_path, mode);
    if (!error && !is_path)
        set_attributes(fd, waiting, job->attribute_kinds & METADATA_ACL);
    if (!error)
        error = set_times(fd, is_path, waiting);
    return error ? extract_fault(TM_OP_METADATA, error) : TM_NO_FAULT;
}

struct tm_fault extract_sync(const struct extract_job *job, int directory)
{
    if (!job->sync)
        return TM_NO_FAULT;
    int fd = beneath_open_at(directory, ".", O_RDONLY | O_DIRECTORY);
    int error = fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return error ? fault_system(TM_OP_SYNC, error) : TM_NO_FAULT;
}

/* Whether the entry is still what was just made: no other name of a file that may be anywhere. */
static bool is_what_was_made(const struct extract_job *job, int fd, const struct waiting *waiting)
{
    struct statx found;
    return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_BTIME, &found) == 0 &&
           (found.stx_mode & S_IFMT) == (waiting->mode & S_IFMT) && found.stx_nlink == 1 &&
           (!(found.stx_mask & STATX_BTIME) || extract_is_own(job, &found));
}

static struct tm_fault dress(const struct extract_job *job, const struct waiting *waiting,
                             const struct place *place)
{
    if (waiting->is_hard_link) /* what it is a link to has all of its own */
        return TM_NO_FAULT;
    int fd = beneath_open_at(place->directory->fd, place->name, O_PATH);
    if (fd < 0)
        return fault_system(TM_OP_METADATA, fd);
    struct tm_fault fault = is_what_was_made(job, fd, waiting)
                                ? extract_dress(job, fd, true, waiting, 0)
                                : fault_system(TM_OP_METADATA, ESTALE);
    close(fd);
    return fault;
}

/* --safe-links: a second name of a symbolic link, from where its text leads out. */
static bool would_lead_out(const struct extract_job *job, const struct waiting *waiting,
                           const struct place *place)
{
    char text[PATH_MAX];
    if (!job->safe_links || !waiting->is_hard_link)
        return false;
    ssize_t bytes =
        readlinkat(place->target_directory->fd, place->target_name, text, sizeof text - 1);
    if (bytes < 0) /* no symbolic link */
        return false;
    text[bytes] = '\0';
    return extract_leads_out(waiting->text, waiting->path_bytes, text);
}

/* With its directories open. As extract_make_waiting(). */
static int make_at(const struct extract_job *job, const struct waiting *waiting,
                   const struct place *place, struct tm_fault *fault)
{
    if (would_lead_out(job, waiting, place)) {
        *fault = fault_of(TM_FAULT_UNSAFE);
        return 0;
    }
    int error = create(waiting, place, place->name);
    if (error == -EEXIST)
        error = settle(job, waiting, place);
    if (error == -ENOENT && waiting->is_hard_link)
        return 2;
    if (error == 1)
        return 1;
    *fault = error ? extract_fault(TM_OP_CREATE, error) : dress(job, waiting, place);
    if (!fault_is_set(*fault))
        *fault = extract_sync(job, place->directory->fd);
    return 0;
}

static int make_in(struct extract_order *order, const struct waiting *waiting, struct place *place,
                   struct tm_fault *fault)
{
    const char *target = waiting_target(waiting);
    if (!waiting->is_hard_link)
        return make_at(order->job, waiting, place, fault);
    int error = extract_open_directory(&order->maker, target,
                                       extract_parent_bytes(target, waiting->target_bytes), NULL,
                                       &place->target_directory);
    if (error == -ENOENT)
        return 2;
    if (error) {
        *fault = extract_fault(TM_OP_CREATE, error);
        return 0;
    }
    place->target_name = extract_name(target, waiting->target_bytes);
    int result = make_at(order->job, waiting, place, fault);
    beneath_release(order->maker.beneath, place->target_directory);
    return result;
}

int extract_make_waiting(struct extract_order *order, const struct waiting *waiting,
                         struct tm_fault *fault)
{
    const char *path = waiting->text;
    size_t path_bytes = waiting->path_bytes;
    struct place place = {.name = extract_name(path, path_bytes)};
    uint32_t made_from = 0;
    *fault = TM_NO_FAULT;
    int error = extract_open_directory(&order->maker, path, extract_parent_bytes(path, path_bytes),
                                       &made_from, &place.directory);
    if (error) {
        *fault = extract_fault(TM_OP_CREATE, error);
        return extract_note_way(order, path, path_bytes, made_from);
    }
    int result = make_in(order, waiting, &place, fault);
    beneath_release(order->maker.beneath, place.directory);
    error = extract_note_way(order, path, path_bytes, made_from);
    return error ? error : result;
}
