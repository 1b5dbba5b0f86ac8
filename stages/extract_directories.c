/* Modes and times of directories: when all that is in them has been made, the deepest first, for a
 * mode may forbid to go further down, and what is made or renamed in a directory changes its time.
 *
 * Those that had to be made on the way to a member come before, in any order: their owner can use
 * them whatever the umask is, as with mkdir -p (POSIX). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/extract_private.h"
#include "stages/shortage.h"

/* Records that are sorted at once. */
#define GROUP_BYTES ((size_t)2 << 20)

struct ending {
    struct extract_order *order;
    extract_told told;
    void *context;
    /* The depths in work. */
    uint32_t lowest, highest;
    /* Those that are collected; NULL: each is dressed when it comes. */
    uint8_t *records;
    size_t used;
    const struct waiting **sorted;
    size_t count;
};

/* Opening. */

struct handle {
    const struct beneath_directory *directory;
    int fd; /* that of `directory`, or one of its own */
    bool is_path;
};

/* With O_PATH only where the owner may not read it. Waits for a descriptor. */
static int open_handle(struct extract_order *order, const char *path, size_t path_bytes,
                       struct handle *handle)
{
    struct io_chain chain = {.stop_fd = -1};
    struct shortage shortage = {0};
    int error = extract_open_directory(&order->maker, path, path_bytes, NULL, &handle->directory);
    if (error)
        return error;
    do {
        handle->fd = beneath_open_at(handle->directory->fd, ".", O_RDONLY | O_DIRECTORY);
        if (handle->fd >= 0 || !shortage_may_pass(&shortage, handle->fd, &chain))
            break;
        beneath_drop(order->maker.beneath);
        shortage_pause(&shortage, &chain);
        io_sync_execute(&chain);
        chain.count = 0;
    } while (true);
    handle->is_path = handle->fd == -EACCES;
    if (handle->is_path)
        handle->fd = handle->directory->fd;
    if (handle->fd >= 0)
        return 0;
    beneath_release(order->maker.beneath, handle->directory);
    return handle->fd;
}

static void close_handle(struct extract_order *order, const struct handle *handle)
{
    if (!handle->is_path)
        close(handle->fd);
    beneath_release(order->maker.beneath, handle->directory);
}

/* The directory's own status and entries, and its name in the one above. */
static struct tm_fault sync_all(struct extract_order *order, const struct handle *handle,
                                const char *path, size_t path_bytes)
{
    const struct extract_job *job = order->job;
    const struct beneath_directory *above;
    struct tm_fault fault = extract_sync(job, handle->directory->fd);
    if (!job->sync || fault_is_set(fault) || (path_bytes == 1 && *path == '.'))
        return fault;
    int error = extract_open_directory(&order->maker, path, extract_parent_bytes(path, path_bytes),
                                       NULL, &above);
    if (error)
        return fault_system(TM_OP_SYNC, error);
    fault = extract_sync(job, above->fd);
    beneath_release(order->maker.beneath, above);
    return fault;
}

/* A directory in one with the set-group-ID bit has that, too, and keeps it. */
static uint32_t inherited_bits(int fd)
{
    struct statx found;
    return statx(fd, "", AT_EMPTY_PATH, STATX_MODE, &found) == 0 ? found.stx_mode & S_ISGID : 0;
}

/* Directories on the way. */

static struct tm_fault open_up(struct extract_order *order, const char *path, size_t path_bytes)
{
    struct handle handle;
    struct tm_fault fault = TM_NO_FAULT;
    int error = open_handle(order, path, path_bytes, &handle);
    if (error)
        return extract_fault(TM_OP_METADATA, error);
    uint32_t mode = (0777 & ~order->job->umask) | 0300 | inherited_bits(handle.fd);
    if (!handle.is_path && fchmod(handle.fd, mode) < 0)
        fault = extract_fault(TM_OP_METADATA, errno);
    if (!fault_is_set(fault))
        fault = sync_all(order, &handle, path, path_bytes);
    close_handle(order, &handle);
    return fault;
}

static int take_way(void *context, const void *record, size_t bytes)
{
    const struct ending *ending = context;
    const struct waiting *way = record;
    size_t there = way->made_from - 1;
    (void)bytes;
    while (there < way->path_bytes) {
        size_t start = there ? there + 1 : 0;
        there = start + strcspn(way->text + start, "/");
        struct tm_fault fault = open_up(ending->order, way->text, there);
        if (fault_is_set(fault)) {
            ending->told(ending->context, way->text, S_IFDIR, NULL, fault);
            break;
        }
    }
    return 0;
}

int extract_end_ways(struct extract_order *order, extract_told told, void *context)
{
    struct ending ending = {.order = order, .told = told, .context = context};
    return later_replay(order->ways, take_way, &ending);
}

/* Directories that are members. */

/* One that was there before keeps what it has, unless the job replaces all. */
static bool is_to_be_dressed(const struct extract_job *job, int fd)
{
    struct statx found;
    return job->overwrite == EXTRACT_ALWAYS ||
           (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &found) == 0 &&
            (!(found.stx_mask & STATX_BTIME) || extract_is_own(job, &found)));
}

static void dress(const struct ending *ending, const struct waiting *waiting)
{
    struct extract_order *order = ending->order;
    struct tm_fault fault = TM_NO_FAULT;
    struct handle handle;
    int error = open_handle(order, waiting->text, waiting->path_bytes, &handle);
    if (error) {
        fault = extract_fault(TM_OP_METADATA, error);
    } else {
        if (is_to_be_dressed(order->job, handle.fd))
            fault = extract_dress(order->job, handle.fd, handle.is_path, waiting,
                                  order->job->keeps_mode ? 0 : inherited_bits(handle.fd));
        if (!fault_is_set(fault))
            fault = sync_all(order, &handle, waiting->text, waiting->path_bytes);
        close_handle(order, &handle);
    }
    if (fault_is_set(fault))
        ending->told(ending->context, waiting->text, waiting->mode, NULL, fault);
}

static int take_directory(void *context, const void *record, size_t bytes)
{
    struct ending *ending = context;
    const struct waiting *waiting = record;
    if (waiting->depth < ending->lowest || waiting->depth > ending->highest)
        return 0;
    if (!ending->records) {
        dress(ending, waiting);
        return 0;
    }
    uint8_t *copy = ending->records + ending->used;
    memcpy(copy, waiting, bytes);
    ending->sorted[ending->count++] = (const struct waiting *)copy;
    ending->used += (bytes + 7) / 8 * 8;
    return 0;
}

/* The deepest first; of one directory the last member. */
static int compare(const void *left, const void *right)
{
    const struct waiting *a = *(const struct waiting *const *)left;
    const struct waiting *b = *(const struct waiting *const *)right;
    if (a->depth != b->depth)
        return a->depth > b->depth ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Those of a depth that alone is too much come in the archive's order, as they do when sorted. */
static int end_group(struct ending *ending, const struct depth_count *sum)
{
    int error = 0;
    ending->used = ending->count = 0;
    if (sum->bytes <= GROUP_BYTES) {
        ending->records = malloc(sum->bytes);
        ending->sorted = malloc(sum->count * sizeof(struct waiting *));
        if (!ending->records || !ending->sorted)
            error = -ENOMEM;
    }
    if (!error)
        error = later_replay(ending->order->directories, take_directory, ending);
    if (!error && ending->count)
        qsort(ending->sorted, ending->count, sizeof *ending->sorted, compare);
    for (size_t i = 0; !error && i < ending->count; i++)
        dress(ending, ending->sorted[i]);
    free(ending->records);
    free(ending->sorted);
    ending->records = NULL;
    ending->sorted = NULL;
    return error;
}

int extract_end_directories(struct extract_order *order, extract_told told, void *context)
{
    struct ending ending = {.order = order, .told = told, .context = context};
    int error = 0;
    uint32_t next = EXTRACT_DEPTH_MAX;
    if (!order->depth)
        return 0;
    while (!error && next > 0) {
        struct depth_count sum = order->depth[--next];
        ending.highest = ending.lowest = next;
        for (; next > 0 && sum.bytes + order->depth[next - 1].bytes <= GROUP_BYTES; next--) {
            sum.bytes += order->depth[next - 1].bytes;
            sum.count += order->depth[next - 1].count;
            ending.lowest = next - 1;
        }
        if (sum.count)
            error = end_group(&ending, &sum);
    }
    return error;
}
