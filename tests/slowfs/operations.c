/*
 * The operations of the slow device. Each one that has a latency is split in two: the callback
 * puts a request aside, answer_...() does the work when its time has come.
 *
 * A node is known by its path below the source, so that a tree of any size needs no descriptor
 * for a file that is not open. (Paths longer than PATH_MAX are thereby out of reach.)
 */
#include "tests/slowfs/slowfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The tree does not change while it is shown: names are asked for once, as long as they fit. */
static const double keep_names_s = 86400;

struct node {
    uint64_t lookups; /* that the kernel has not forgotten; the node is freed at 0 */
    char path[];      /* below the source */
};

struct open_file {
    int fd;
    uint64_t reads;
    bool fails; /* its name is one of those whose reads fail */
};

static struct slowfs *slowfs_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static struct node *node_of(fuse_ino_t inode)
{
    return (struct node *)(uintptr_t)inode; /* never for FUSE_ROOT_ID */
}

static const char *path_of(fuse_ino_t inode)
{
    return inode == FUSE_ROOT_ID ? "." : node_of(inode)->path;
}

static int compare_nodes(const void *left, const void *right)
{
    const struct node *a = left;
    const struct node *b = right;

    return strcmp(a->path, b->path);
}

/* Takes COUNT lookups back. */
static void forget_node(struct slowfs *fs, fuse_ino_t inode, uint64_t count)
{
    if (inode == FUSE_ROOT_ID)
        return;
    struct node *node = node_of(inode);

    node->lookups -= count;
    if (node->lookups == 0) {
        tdelete(node, &fs->nodes, compare_nodes);
        free(node);
    }
}

/* Returns the node of NAME below PARENT with one more lookup, or NULL: no memory. */
static struct node *find_node(struct slowfs *fs, fuse_ino_t parent, const char *name)
{
    const char *above = path_of(parent);
    size_t size = strlen(above) + strlen(name) + 2;
    struct node *node = malloc(sizeof(*node) + size);

    if (node == NULL)
        return NULL;
    node->lookups = 1;
    if (parent == FUSE_ROOT_ID)
        memcpy(node->path, name, strlen(name) + 1);
    else
        snprintf(node->path, size, "%s/%s", above, name);
    struct node **found = tsearch(node, &fs->nodes, compare_nodes);

    if (found == NULL || *found != node) {
        free(node);
        if (found == NULL)
            return NULL;
        (*found)->lookups++;
    }
    return *found;
}

static void answer_lookup(struct slowfs *fs, struct request *request)
{
    struct fuse_entry_param entry = {.attr_timeout = keep_names_s, .entry_timeout = keep_names_s};
    struct node *node = find_node(fs, request->inode, request->name);
    int error = ENOMEM;

    if (node != NULL) {
        entry.ino = (fuse_ino_t)(uintptr_t)node;
        error = fstatat(fs->source, node->path, &entry.attr, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    }
    if (error != 0)
        fuse_reply_err(request->fuse, error);
    else
        error = -fuse_reply_entry(request->fuse, &entry);
    /* An entry that did not arrive will never be forgotten. */
    if (node != NULL && error != 0)
        forget_node(fs, entry.ino, 1);
}

static void answer_open(struct slowfs *fs, struct request *request)
{
    const char *path = path_of(request->inode);
    const char *slash = strrchr(path, '/');
    struct open_file *file = calloc(1, sizeof(*file));

    if (file == NULL) {
        fuse_reply_err(request->fuse, ENOMEM);
        return;
    }
    file->fd = openat(fs->source, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file->fd < 0) {
        fuse_reply_err(request->fuse, errno);
        free(file);
        return;
    }
    file->fails =
        fs->fail_name == NULL || fnmatch(fs->fail_name, slash != NULL ? slash + 1 : path, 0) == 0;
    request->file.fh = (uint64_t)(uintptr_t)file;
    request->file.direct_io = !fs->buffered;
    request->file.keep_cache = 0;
    if (fuse_reply_open(request->fuse, &request->file) != 0) {
        close(file->fd);
        free(file);
    }
}

/* Less than SIZE, at least 1; depends on the place alone, so that a run can be repeated. */
static size_t short_length(size_t size, off_t offset)
{
    uint64_t z = ((uint64_t)offset + size) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return size > 1 ? 1 + (size_t)((z ^ (z >> 27)) % (size - 1)) : size;
}

static void answer_read(struct slowfs *fs, struct request *request)
{
    struct open_file *file = (struct open_file *)(uintptr_t)request->file.fh;
    size_t size = request->size_bytes;

    if (++file->reads == fs->fail_read && file->fails) {
        fuse_reply_err(request->fuse, EIO);
        return;
    }
    if (size > fs->buffer_bytes) {
        char *buffer = realloc(fs->buffer, size);

        if (buffer == NULL) {
            fuse_reply_err(request->fuse, ENOMEM);
            return;
        }
        fs->buffer = buffer;
        fs->buffer_bytes = size;
    }
    ssize_t got = pread(file->fd, fs->buffer, size, request->offset);

    /* Of what is there, not of what was asked for: else small files would come whole. */
    if (fs->short_reads && got > 0)
        got = (ssize_t)short_length((size_t)got, request->offset);
    if (got < 0)
        fuse_reply_err(request->fuse, errno);
    else
        fuse_reply_buf(request->fuse, fs->buffer, (size_t)got);
}

/* Fills one answer from where the last one ended; offsets are those of the source's listing. */
static void answer_readdir(struct slowfs *fs, struct request *request)
{
    DIR *directory = (DIR *)(uintptr_t)request->file.fh;
    char *listing = malloc(request->size_bytes);
    size_t used = 0;

    (void)fs;
    if (listing == NULL) {
        fuse_reply_err(request->fuse, ENOMEM);
        return;
    }
    if (request->offset == 0)
        rewinddir(directory);
    else
        seekdir(directory, request->offset);
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        struct stat status = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
        size_t left = request->size_bytes - used;
        size_t needed = fuse_add_direntry(request->fuse, listing + used, left, entry->d_name,
                                          &status, entry->d_off);

        if (needed > left)
            break;
        used += needed;
    }
    if (errno != 0 && used == 0)
        fuse_reply_err(request->fuse, errno);
    else
        fuse_reply_buf(request->fuse, listing, used);
    free(listing);
}

/* Answers REQUEST after LATENCY_NS, or at once where there is none. */
static void answer_later(struct request *request, int64_t latency_ns)
{
    struct slowfs *fs = slowfs_of(request->fuse);

    if (latency_ns > 0 && delay_put(&fs->delays, request, latency_ns) == 0)
        return;
    request->answer(fs, request);
    free(request->name);
}

static void on_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct request request = {
        .answer = answer_lookup, .fuse = fuse, .inode = parent, .name = strdup(name)};

    if (request.name == NULL)
        fuse_reply_err(fuse, ENOMEM);
    else
        answer_later(&request, slowfs_of(fuse)->lookup_latency_ns);
}

static void on_open(fuse_req_t fuse, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct request request = {.answer = answer_open, .fuse = fuse, .inode = inode, .file = *file};

    if ((file->flags & O_ACCMODE) != O_RDONLY)
        fuse_reply_err(fuse, EROFS);
    else
        answer_later(&request, slowfs_of(fuse)->open_latency_ns);
}

static void on_read(fuse_req_t fuse, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    struct request request = {.answer = answer_read,
                              .fuse = fuse,
                              .inode = inode,
                              .file = *file,
                              .size_bytes = size,
                              .offset = offset};

    answer_later(&request, slowfs_of(fuse)->read_latency_ns);
}

static void on_readdir(fuse_req_t fuse, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
    struct request request = {.answer = answer_readdir,
                              .fuse = fuse,
                              .inode = inode,
                              .file = *file,
                              .size_bytes = size,
                              .offset = offset};

    answer_later(&request, slowfs_of(fuse)->lookup_latency_ns);
}

static void on_release(fuse_req_t fuse, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct open_file *opened = (struct open_file *)(uintptr_t)file->fh;

    (void)inode;
    close(opened->fd);
    free(opened);
    fuse_reply_err(fuse, 0);
}

static void on_opendir(fuse_req_t fuse, fuse_ino_t inode, struct fuse_file_info *file)
{
    int fd = openat(slowfs_of(fuse)->source, path_of(inode), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

    if (directory == NULL) {
        fuse_reply_err(fuse, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    file->fh = (uint64_t)(uintptr_t)directory;
    if (fuse_reply_open(fuse, file) != 0)
        closedir(directory);
}

static void on_releasedir(fuse_req_t fuse, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    closedir((DIR *)(uintptr_t)file->fh);
    fuse_reply_err(fuse, 0);
}

static void on_getattr(fuse_req_t fuse, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct stat status;

    (void)file;
    if (fstatat(slowfs_of(fuse)->source, path_of(inode), &status, AT_SYMLINK_NOFOLLOW) != 0)
        fuse_reply_err(fuse, errno);
    else
        fuse_reply_attr(fuse, &status, keep_names_s);
}

static void on_readlink(fuse_req_t fuse, fuse_ino_t inode)
{
    char target[PATH_MAX];
    ssize_t length =
        readlinkat(slowfs_of(fuse)->source, path_of(inode), target, sizeof(target) - 1);

    if (length < 0) {
        fuse_reply_err(fuse, errno);
        return;
    }
    target[length] = '\0';
    fuse_reply_readlink(fuse, target);
}

static void on_forget(fuse_req_t fuse, fuse_ino_t inode, uint64_t count)
{
    forget_node(slowfs_of(fuse), inode, count);
    fuse_reply_none(fuse);
}

static void on_init(void *data, struct fuse_conn_info *connection)
{
    const struct slowfs *fs = data;

    /* Background requests are those that nobody waits for: readahead and asynchronous reads. The
     * default lets twelve through at once. */
    connection->max_background = UINT16_MAX;
    connection->congestion_threshold = UINT16_MAX;
    if (fs->max_read_bytes != 0)
        connection->max_read = (unsigned)fs->max_read_bytes;
}

const struct fuse_lowlevel_ops slowfs_operations = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .getattr = on_getattr,
    .readlink = on_readlink,
    .open = on_open,
    .read = on_read,
    .release = on_release,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .releasedir = on_releasedir,
};

void slowfs_destroy(struct slowfs *fs)
{
    delay_destroy(&fs->delays);
    tdestroy(fs->nodes, free);
    free(fs->buffer);
    if (fs->source >= 0)
        close(fs->source);
}
