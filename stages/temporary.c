#include "stages/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MARK ".treemill-"

/* Of the file's own name: the rest of the 255 bytes that a name may have is for what follows. */
#define NAME_KEPT 200

void temporary_name(const char *name, char temporary[static TEMPORARY_NAME_BYTES])
{
    /* Any thread; only that values differ matters. */
    static _Atomic unsigned count;
    unsigned number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    snprintf(temporary, TEMPORARY_NAME_BYTES, ".%.*s" MARK "%ld-%u", NAME_KEPT, name,
             (long)gettid(), number);
}

bool temporary_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* "NUMBER" (as names were once made) or "NUMBER-COUNT", of what is gone. */
static bool is_of_dead(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (*text < '1' || *text > '9' || errno || number > INT_MAX)
        return false;
    if (*end == '-' && end[1 + strspn(end + 1, "0123456789")])
        return false;
    if (*end && *end != '-')
        return false;
    return kill((pid_t)number, 0) < 0 && errno == ESRCH;
}

static bool is_leftover(const char *entry, const char *name)
{
    const char *mark = NULL;
    for (const char *at = entry; (at = strstr(at, MARK)); at++)
        mark = at; /* the last one: the name itself may have it */
    if (entry[0] != '.' || !mark || mark == entry)
        return false;
    size_t kept = name ? strnlen(name, NAME_KEPT) : 0;
    if (name && ((size_t)(mark - entry) != kept + 1 || memcmp(entry + 1, name, kept) != 0))
        return false;
    return is_of_dead(mark + strlen(MARK));
}

static void remove_unused(int directory, const char *entry)
{
    int fd = openat(directory, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (temporary_lock(fd))
        unlinkat(directory, entry, 0);
    close(fd);
}

void temporary_sweep(int directory, const char *name)
{
    /* Opened anew: the caller's may be O_PATH, and has a position of its own. */
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(stream));)
        if (is_leftover(entry->d_name, name))
            remove_unused(fd, entry->d_name);
    closedir(stream);
}

const char *temporary_directory(void)
{
    const char *directory = getenv("TMPDIR");
    return directory && *directory ? directory : "/tmp";
}

/* A file system without O_TMPFILE says so in several ways, old kernels in one more. Whatever it
 * was, the second way answers it too. */
int temporary_unnamed(const char *directory)
{
    if (!directory || !*directory)
        directory = temporary_directory();
    int fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *path;
    if (asprintf(&path, "%s/treemill.XXXXXX", directory) < 0)
        return -ENOMEM;
    fd = mkostemp(path, O_CLOEXEC);
    int error = -errno;
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd >= 0 ? fd : error;
}
