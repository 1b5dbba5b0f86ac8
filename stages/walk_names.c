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

#include "stages/shortage.h"

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

/* Below the largest name of the lower half, which is what matters from its keeping on. It lies in
 * the list's text, which moves when it grows: so it is known by its offset. */
static bool is_below_upper(const struct name_list *list, const struct name_range *range,
                           const char *name, size_t bytes, bool is_directory)
{
    const struct listed *upper = &range->upper;
    return !range->has_upper ||
           scan_name_compare(name, bytes, is_directory, list->text + upper->offset, upper->bytes,
                             upper->is_directory) < 0;
}

int name_list_add(struct name_list *list, struct name_range *range, const char *name,
                  bool is_directory)
{
    size_t bytes = strlen(name);
    if (range->after && scan_name_compare(name, bytes, is_directory, range->after,
                                          range->after_bytes, range->after_is_directory) <= 0)
        return 0;
    if (!is_below_upper(list, range, name, bytes, is_directory))
        return 0;
    int error = reserve(list, bytes);
    if (error)
        return error;
    list->names[list->count++] =
        (struct listed){(uint32_t)list->text_bytes, (uint32_t)bytes, is_directory};
    memcpy(list->text + list->text_bytes, name, bytes + 1);
    list->text_bytes += bytes + 1;
    if (list->text_bytes + list->count * sizeof *list->names < range->memory_bytes ||
        list->count < 2)
        return 0;
    error = keep_lower_half(list);
    if (error)
        return error;
    range->has_upper = true;
    range->upper = list->names[list->count - 1];
    return 0;
}

/* Whether an entry counts as a directory; false in *wanted: not listed at all. */
static bool look_at(int fd, const struct dirent *found, uint8_t flags, bool *wanted)
{
    struct stat status;
    const char *name = found->d_name;
    bool is_dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    bool follow = flags & SCAN_FOLLOW;
    *wanted = !is_dots && (flags || found->d_type != DT_LNK);
    if (*wanted && (found->d_type == DT_UNKNOWN || found->d_type == DT_LNK) &&
        fstatat(fd, name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISDIR(status.st_mode);
    return found->d_type == DT_DIR;
}

int name_list_read(struct name_list *list, const char *path, size_t path_bytes, uint8_t flags,
                   struct name_range *range)
{
    *list = (struct name_list){0};
    int fd = shortage_open(path, path_bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fd;
    DIR *directory = fdopendir(fd);
    if (!directory) {
        int error = -errno;
        close(fd);
        return error;
    }
    int error = 0;
    struct dirent *found;
    errno = 0;
    while (!error && (found = readdir(directory))) {
        bool wanted;
        bool is_directory = look_at(fd, found, flags, &wanted);
        if (wanted)
            error = name_list_add(list, range, found->d_name, is_directory);
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
