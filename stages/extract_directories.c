/* Modes and times of directories: when all that is in them has been made, the deepest first, for a
 * mode may forbid to go further down, and what is made or renamed in a directory changes its time.
 *
 * Those that had to be made on the way to a member come before, in any order: their owner can use
 * them whatever the umask is, as with mkdir -p (POSIX). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
    const struct beneath_directory *above; /* the directory that it is in; its own for the target */
    int fd;
    bool is_path;
    struct statx found;
};

/* With O_PATH only where the owner may not read it. */
static int open_directory(const struct beneath_directory *above, const char *name, bool *is_path)
{
    int fd = beneath_open_at(above->fd, name, O_RDONLY | O_DIRECTORY);
    *is_path = fd == -EACCES;
    return *is_path ? beneath_open_at(above->fd, name, O_PATH | O_DIRECTORY) : fd;
}

/* Waits for a descriptor. */
static int open_in(struct extract_order *order, const char *name, struct handle *handle)
{
    struct io_chain chain = {.stop_fd = -1};
    struct shortage shortage = {0};
    for (;;) {
        handle->fd = open_directory(handle->above, name, &handle->is_path);
        if (handle->fd >= 0 || !shortage_may_pass(&shortage, handle->fd, &chain))
            break;
        beneath_drop(order->maker.beneath);
        shortage_pause(&shortage, &chain);
        io_sync_execute(&chain);
        chain.count = 0;
    }
    return handle->fd < 0 ? handle->fd : 0;
}

static void close_handle(struct extract_order *order, const struct handle *handle)
{
    if (handle->fd >= 0)
        close(handle->fd);
    beneath_release(order->maker.beneath, handle->above);
}

/* The path need not end where its bytes do. */
static int open_handle(struct extract_order *order, const char *path, size_t path_bytes,
                       struct handle *handle)
{
    char name[NAME_MAX + 1];
    size_t name_bytes = path_bytes - (size_t)(extract_name(path, path_bytes) - path);
    *handle = (struct handle){.fd = -1};
    if (name_bytes > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, path + path_bytes - name_bytes, name_bytes);
    name[name_bytes] = '\0';
    int error = extract_open_directory(&order->maker, path, extract_parent_bytes(path, path_bytes),
                                       NULL, &handle->above);
    if (error)
        return error;
    error = open_in(order, name, handle);
    if (!error &&
        statx(handle->fd, "", AT_EMPTY_PATH, STATX_MODE | STATX_BTIME, &handle->found) < 0)
        error = -errno;
    if (error)
        close_handle(order, handle);
    return error;
}

/* The directory's status and entries, and its name in the one above. By its descriptor: it may be
 * closed to its owner by now. */
static struct tm_fault sync_all(const struct extract_job *job, const struct handle *handle)
{
    if (job->sync && !handle->is_path && fsync(handle->fd) < 0)
        return fault_system(TM_OP_SYNC, errno);
    return extract_sync(job, handle->above->fd);
}

/* A directory in one with the set-group-ID bit has that, too, and keeps it. */
static uint32_t inherited_bits(const struct handle *handle)
{
    return handle->found.stx_mode & S_ISGID;
}

/* Directories on the way. */

static struct tm_fault open_up(struct extract_order *order, const char *path, size_t path_bytes)
{
    struct handle handle;
    struct tm_fault fault = TM_NO_FAULT;
    int error = open_handle(order, path, path_bytes, &handle);
    if (error)
        return extract_fault(TM_OP_METADATA, error);
    uint32_t mode = (0777 & ~order->job->umask) | 0300 | inherited_bits(&handle);
    if (!handle.is_path && fchmod(handle.fd, mode) < 0)
        fault = extract_fault(TM_OP_METADATA, errno);
    if (!fault_is_set(fault))
        fault = sync_all(order->job, &handle);
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
static bool is_to_be_dressed(const struct extract_job *job, const struct handle *handle)
{
    return job->overwrite == EXTRACT_ALWAYS || !(handle->found.stx_mask & STATX_BTIME) ||
           extract_is_own(job, &handle->found);
}

static void dress(const struct ending *ending, const struct waiting *waiting)
{
    struct extract_order *order = ending->order;
    const struct extract_job *job = order->job;
    struct tm_fault fault = TM_NO_FAULT;
    struct handle handle;
    int error = open_handle(order, waiting->text, waiting->path_bytes, &handle);
    if (error) {
        fault = extract_fault(TM_OP_METADATA, error);
    } else {
        if (is_to_be_dressed(job, &handle))
            fault = extract_dress(job, handle.fd, handle.is_path, waiting,
                                  job->keeps_mode ? 0 : inherited_bits(&handle));
        if (!fault_is_set(fault))
            fault = sync_all(job, &handle);
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
