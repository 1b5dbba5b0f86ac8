/* Names of one directory that is too large for one answer of the scan stage, or that is listed
 * again from somewhere in its middle. */
#include "stages/walk_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/opener.h"

struct bound {
    const char *text;
    size_t bytes;
    bool is_directory;
};

static int open_directory(const char *path, size_t path_bytes)
{
    struct opener opener;
    struct io_chain chain = {0};
    int error = 0;
    opener_begin(&opener, AT_FDCWD);
    for (;;) {
        enum opener_result result = opener_step(&opener, path, path_bytes, &chain, &error);
        if (result == OPENER_FAILED)
            return error;
        if (result == OPENER_REACHED)
            break;
        io_sync_execute(&chain);
    }
    int fd = openat(opener.base, path + opener.offset, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = -errno;
    chain.count = 0;
    opener_add_close(&opener, &chain);
    io_sync_execute(&chain);
    return fd < 0 ? error : fd;
}

static int compare_listed(const void *a, const void *b, void *text)
{
    const struct listed *left = a, *right = b;
    return scan_name_compare((char *)text + left->offset, left->bytes, left->is_directory,
                             (char *)text + right->offset, right->bytes, right->is_directory);
}

static void sort(struct name_list *list)
{
    if (!list->count)
        return;
    qsort_r(list->names, list->count, sizeof *list->names, compare_listed, list->text);
}

/* Keeps the lower half, in fresh text without holes. */
static int keep_lower_half(struct name_list *list)
{
    sort(list);
    list->count /= 2;
    list->truncated = true;
    char *text = malloc(list->text_capacity);
    if (!text)
        return -ENOMEM;
    list->text_bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct listed *name = &list->names[i];
        memcpy(text + list->text_bytes, list->text + name->offset, name->bytes + 1);
        name->offset = (uint32_t)list->text_bytes;
        list->text_bytes += name->bytes + 1;
    }
    free(list->text);
    list->text = text;
    return 0;
}

static int reserve(struct name_list *list, size_t name_bytes)
{
    if (list->text_bytes + name_bytes + 1 > list->text_capacity) {
        size_t capacity = list->text_capacity ? list->text_capacity * 2 : 65536;
        char *larger = realloc(list->text, capacity);
        if (!larger)
            return -ENOMEM;
        list->text = larger;
        list->text_capacity = capacity;
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 4096;
        struct listed *larger = realloc(list->names, capacity * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        list->names = larger;
        list->capacity = capacity;
    }
    return 0;
}

static int add(struct name_list *list, const char *name, bool is_directory,
               const struct bound *after, struct bound *before, size_t memory_bytes)
{
    size_t bytes = strlen(name);
    if (after->text && scan_name_compare(name, bytes, is_directory, after->text, after->bytes,
                                         after->is_directory) <= 0)
        return 0;
    if (before->text && scan_name_compare(name, bytes, is_directory, before->text, before->bytes,
                                          before->is_directory) >= 0)
        return 0;
    int error = reserve(list, bytes);
    if (error)
        return error;
    list->names[list->count++] =
        (struct listed){(uint32_t)list->text_bytes, (uint32_t)bytes, is_directory};
    memcpy(list->text + list->text_bytes, name, bytes + 1);
    list->text_bytes += bytes + 1;
    if (list->text_bytes + list->count * sizeof *list->names < memory_bytes || list->count < 2)
        return 0;
    /* From now on, only names below the largest one kept are of interest. */
    error = keep_lower_half(list);
    const struct listed *last = &list->names[list->count - 1];
    *before = (struct bound){list->text + last->offset, last->bytes, last->is_directory};
    return error;
}

int name_list_read(struct name_list *list, const char *path, size_t path_bytes, bool follow,
                   const char *after, size_t after_bytes, bool after_is_directory,
                   size_t memory_bytes)
{
    *list = (struct name_list){0};
    int fd = open_directory(path, path_bytes);
    if (fd < 0)
        return fd;
    DIR *directory = fdopendir(fd);
    if (!directory) {
        int error = -errno;
        close(fd);
        return error;
    }
    struct bound lower = {after, after_bytes, after_is_directory};
    struct bound upper = {0};
    int error = 0;
    struct dirent *found;
    errno = 0;
    while (!error && (found = readdir(directory))) {
        bool is_directory = found->d_type == DT_DIR;
        struct stat status;
        if ((found->d_type == DT_UNKNOWN || (found->d_type == DT_LNK && follow)) &&
            fstatat(fd, found->d_name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0)
            is_directory = S_ISDIR(status.st_mode);
        bool is_dots = strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;
        if (!is_dots && (follow || found->d_type != DT_LNK))
            error = add(list, found->d_name, is_directory, &lower, &upper,
                        memory_bytes);
        errno = 0;
    }
    if (!error)
        error = -errno;
    closedir(directory);
    if (error)
        name_list_free(list);
    else
        sort(list);
    return error;
}

void name_list_free(struct name_list *list)
{
    free(list->text);
    free(list->names);
    *list = (struct name_list){0};
}
