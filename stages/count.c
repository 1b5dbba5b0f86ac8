/* Depth first, one directory open at a time. The stack holds the names of directories that are
 * still to be visited, each with the length of its parent's path. The last one pushed is visited
 * next, so that the parent's path is still there at the start of counter->path: only what is below
 * it has been visited since. */
#include "stages/count.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/batch.h"
#include "stages/extents.h"
#include "stages/links.h"
#include "stages/opener.h"
#include "stages/scan.h"
#include "stages/select.h"

#define STACK_BYTES_MAX (8U << 20)
#define LIST_BYTES      32768

/* On the stack, behind the name it belongs to. */
struct pending {
    uint32_t name_bytes;
    uint32_t parent_bytes;
};

struct ancestor {
    size_t path_bytes;
    dev_t device;
    ino_t inode;
};

struct counter {
    const struct count_setup *setup;
    char path[SCAN_PATH_MAX + NAME_MAX + 3];
    size_t operand_bytes;
    uint8_t *stack;
    size_t stack_bytes, stack_capacity;
    struct ancestor *ancestors; /* from the operand to the directory being read */
    size_t ancestor_count, ancestor_capacity;
    _Alignas(struct dirent64) char list[LIST_BYTES];
};

/* The directory being read. */
struct place {
    int fd;
    size_t path_bytes; /* with its slash */
    bool only_cache_tag;
};

static bool is_stopped(const struct counter *counter)
{
    return atomic_load_explicit(counter->setup->stop, memory_order_relaxed);
}

static void *grown(void *memory, size_t *capacity, size_t needed, size_t each)
{
    if (needed <= *capacity)
        return memory;
    size_t larger = needed * 2 > 64 ? needed * 2 : 64;
    void *moved = realloc(memory, larger * each);
    if (moved)
        *capacity = larger;
    return moved;
}

static bool push(struct counter *counter, size_t parent_bytes, const char *name, size_t bytes)
{
    struct pending pending = {(uint32_t)bytes, (uint32_t)parent_bytes};
    size_t needed = counter->stack_bytes + bytes + sizeof pending;
    if (needed > STACK_BYTES_MAX)
        return false;
    uint8_t *stack = grown(counter->stack, &counter->stack_capacity, needed, 1);
    if (!stack)
        return false;
    counter->stack = stack;
    memcpy(stack + counter->stack_bytes, name, bytes);
    memcpy(stack + counter->stack_bytes + bytes, &pending, sizeof pending);
    counter->stack_bytes = needed;
    return true;
}

/* Puts the path of the last directory pushed into counter->path. Its length, with the slash. */
static size_t pop(struct counter *counter)
{
    struct pending pending;
    counter->stack_bytes -= sizeof pending;
    memcpy(&pending, counter->stack + counter->stack_bytes, sizeof pending);
    counter->stack_bytes -= pending.name_bytes;
    memcpy(counter->path + pending.parent_bytes, counter->stack + counter->stack_bytes,
           pending.name_bytes);
    size_t end = pending.parent_bytes + pending.name_bytes;
    if (end && counter->path[end - 1] != '/')
        counter->path[end++] = '/';
    counter->path[end] = '\0';
    return end;
}

static void add_file(const struct count_setup *setup, uint64_t bytes)
{
    struct walk_totals *totals = setup->totals;
    atomic_fetch_add_explicit(&totals->files, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&totals->bytes, bytes, memory_order_relaxed);
}

static bool is_left_out(const struct count_setup *setup, const struct stat *status)
{
    for (unsigned i = 0; i < setup->left_out_count; i++)
        if (status->st_ino == setup->left_out[i].inode &&
            status->st_dev == setup->left_out[i].device)
            return true;
    return false;
}

/* What the walk would have read of a file that may have holes. */
static uint64_t data_bytes(const char *path, const struct file_stat *stat)
{
    struct archive_extent *extents;
    size_t count;
    uint64_t bytes = 0;
    if (!extents_are_likely(stat) || extents_find(path, strlen(path), stat, &extents, &count) != 1)
        return stat->size_bytes;
    for (size_t i = 0; i < count; i++)
        bytes += extents[i].bytes;
    free(extents);
    return bytes;
}

/* A regular file. False: out of memory. */
static bool count_file(const struct count_setup *setup, const char *path, const struct stat *status)
{
    struct file_stat stat = {
        .size_bytes = (uint64_t)status->st_size,
        .inode = status->st_ino,
        .device = status->st_dev,
        .blocks = (uint64_t)status->st_blocks,
        .links = (uint32_t)status->st_nlink,
    };
    const struct link_note *first = NULL;
    if (is_left_out(setup, status))
        return true;
    if (setup->links && stat.links > 1 && links_meet(setup->links, &stat, "", 0, &first) < 0)
        return false;
    if (!first)
        add_file(setup, setup->finds_holes ? data_bytes(path, &stat) : stat.size_bytes);
    return true;
}

/* The rules of the walk: see wants_file() and wants_directory() there. */
static bool wants(struct counter *counter, const struct place *place, const char *name,
                  const struct stat *status, bool is_directory)
{
    const struct selection *selection = counter->setup->selection;
    size_t bytes = strlen(name);
    if (place->only_cache_tag && (is_directory || strcmp(name, SELECT_CACHE_TAG_NAME) != 0))
        return false;
    if (!selection_is_trivial(selection)) {
        memcpy(counter->path + place->path_bytes, name, bytes + 1);
        const char *relative = counter->path + counter->operand_bytes;
        size_t length = place->path_bytes + bytes - counter->operand_bytes;
        if (!(is_directory ? selection_wants_directory(selection, relative, length)
                           : selection_wants_file_name(selection, relative, length)))
            return false;
    }
    return is_directory ||
           selection_wants_file_stat(selection, (uint64_t)status->st_size, status->st_mtim);
}

static bool take_entry(struct counter *counter, const struct place *place,
                       const struct dirent64 *found)
{
    const char *name = found->d_name;
    bool follow = counter->setup->follow_links;
    bool is_directory = found->d_type == DT_DIR;
    struct stat status = {0};
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    if (found->d_type == DT_REG || found->d_type == DT_UNKNOWN ||
        (found->d_type == DT_LNK && follow)) {
        int flags = (follow ? 0 : AT_SYMLINK_NOFOLLOW) | AT_NO_AUTOMOUNT;
        if (fstatat(place->fd, name, &status, flags) < 0)
            return true;
        is_directory = S_ISDIR(status.st_mode);
    }
    if (is_directory)
        return !wants(counter, place, name, &status, true) ||
               push(counter, place->path_bytes, name, strlen(name));
    if (!S_ISREG(status.st_mode) || place->path_bytes + strlen(name) > BATCH_PATH_MAX ||
        !wants(counter, place, name, &status, false))
        return true;
    memcpy(counter->path + place->path_bytes, name, strlen(name) + 1);
    return count_file(counter->setup, counter->path, &status);
}

static bool is_cache_directory(const struct counter *counter, int directory)
{
    char start[SELECT_CACHE_TAG_BYTES];
    if (!selection_excludes_caches(counter->setup->selection))
        return false;
    int fd = openat(directory, SELECT_CACHE_TAG_NAME, OPENER_FILE_FLAGS | O_NOFOLLOW);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, start, sizeof start);
    close(fd);
    return got == (ssize_t)sizeof start && select_is_cache_tag(start, sizeof start);
}

/* Not a loop, not another file system, not the job's own output: then it is the innermost ancestor
 * from now on. */
static bool enter(struct counter *counter, const struct place *place, bool *enough)
{
    struct stat status;
    *enough = true;
    while (counter->ancestor_count &&
           counter->ancestors[counter->ancestor_count - 1].path_bytes >= place->path_bytes)
        counter->ancestor_count--;
    if (fstat(place->fd, &status) < 0)
        return false;
    for (size_t i = 0; i < counter->ancestor_count; i++)
        if (counter->ancestors[i].inode == status.st_ino &&
            counter->ancestors[i].device == status.st_dev)
            return false;
    if (counter->ancestor_count && is_left_out(counter->setup, &status))
        return false;
    if (counter->setup->one_file_system && counter->ancestor_count &&
        counter->ancestors[0].device != status.st_dev)
        return false;
    struct ancestor *ancestors = grown(counter->ancestors, &counter->ancestor_capacity,
                                       counter->ancestor_count + 1, sizeof *ancestors);
    *enough = ancestors != NULL;
    if (!ancestors)
        return false;
    counter->ancestors = ancestors;
    ancestors[counter->ancestor_count++] =
        (struct ancestor){place->path_bytes, status.st_dev, status.st_ino};
    return true;
}

static bool read_directory(struct counter *counter, const struct place *place)
{
    ssize_t got;
    while ((got = getdents64(place->fd, counter->list, sizeof counter->list)) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *found = (const void *)(counter->list + at);
            at += found->d_reclen;
            if (is_stopped(counter) || !take_entry(counter, place, found))
                return false;
        }
    }
    return true;
}

static bool visit(struct counter *counter, size_t path_bytes)
{
    if (path_bytes > SCAN_PATH_MAX)
        return true;
    struct place place = {.path_bytes = path_bytes};
    place.fd = opener_open(counter->path, path_bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place.fd < 0) /* the job needs its descriptors more */
        return !opener_is_descriptor_shortage(place.fd) && !is_stopped(counter);
    bool goes_on;
    if (enter(counter, &place, &goes_on)) {
        place.only_cache_tag = is_cache_directory(counter, place.fd);
        goes_on = read_directory(counter, &place);
    }
    close(place.fd);
    return goes_on;
}

static bool count_tree(const struct count_setup *setup, const char *operand, size_t bytes)
{
    struct counter *counter = calloc(1, sizeof *counter);
    if (!counter)
        return false;
    counter->setup = setup;
    bool goes_on = push(counter, 0, operand, bytes);
    counter->operand_bytes = bytes + (operand[bytes - 1] != '/');
    while (goes_on && counter->stack_bytes)
        goes_on = visit(counter, pop(counter));
    free(counter->stack);
    free(counter->ancestors);
    free(counter);
    return goes_on;
}

bool count_operand(const struct count_setup *setup, const char *operand)
{
    struct stat status;
    size_t bytes = strlen(operand);
    int flags = setup->all_kinds && !setup->follow_links ? AT_SYMLINK_NOFOLLOW : 0;
    if (strcmp(operand, "-") == 0) {
        add_file(setup, 0);
        return true;
    }
    if (!bytes || bytes > SCAN_PATH_MAX || fstatat(AT_FDCWD, operand, &status, flags) < 0)
        return true;
    if (S_ISDIR(status.st_mode))
        return setup->directories_fail || count_tree(setup, operand, bytes);
    if (S_ISREG(status.st_mode))
        return count_file(setup, operand, &status);
    if (setup->read_special && !setup->all_kinds)
        add_file(setup, 0);
    return true;
}
