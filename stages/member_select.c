#include "stages/member_select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/extract_private.h"
#include "stages/glob.h"
#include "stages/select.h"

struct wanted {
    char *name; /* clean */
    size_t bytes;
    struct glob *glob; /* NULL: it is no pattern */
};

struct member_select {
    struct member_select_options options;
    struct wanted *wanted;
    /* The member's name, clean. */
    char *path;
    size_t room;
    /* Files that their size or time has left out: so it does their other names, for what the
     * archive says of those need not be true of the file. */
    struct extract_names *left_out;
};

bool member_select_is_pattern(const char *name)
{
    return strpbrk(name, "*?[\\") != NULL;
}

static int add_name(struct member_select *select, size_t index)
{
    struct wanted *wanted = &select->wanted[index];
    const char *name = select->options.names[index];
    size_t bytes = strlen(name);
    bool was_absolute;
    wanted->name = malloc(bytes + 2);
    if (!wanted->name)
        return -ENOMEM;
    ptrdiff_t clean = member_clean(name, bytes, wanted->name, &was_absolute);
    if (clean < 0)
        return (int)clean;
    wanted->bytes = (size_t)clean;
    return member_select_is_pattern(name) ? glob_compile(&wanted->glob, name, bytes) : 0;
}

int member_select_create(const struct member_select_options *options, struct member_select **out,
                         const char **bad)
{
    struct member_select *select = calloc(1, sizeof *select);
    *bad = NULL;
    if (!select)
        return -ENOMEM;
    select->options = *options;
    select->wanted = calloc(options->name_count + 1, sizeof *select->wanted);
    int error = select->wanted ? extract_names_create(&select->left_out) : -ENOMEM;
    for (size_t i = 0; i < options->name_count && !error; i++) {
        error = add_name(select, i);
        *bad = options->names[i];
    }
    if (error) {
        member_select_destroy(select);
        return error;
    }
    *out = select;
    return 0;
}

void member_select_destroy(struct member_select *select)
{
    if (!select)
        return;
    for (size_t i = 0; select->wanted && i < select->options.name_count; i++) {
        free(select->wanted[i].name);
        glob_destroy(select->wanted[i].glob);
    }
    free(select->wanted);
    free(select->path);
    extract_names_destroy(select->left_out);
    free(select);
}

static size_t name_start(const char *path, size_t bytes)
{
    const char *slash = memrchr(path, '/', bytes);
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The path or a directory on the way to it. */
static bool matches(const struct wanted *wanted, const char *path, size_t bytes)
{
    if (!wanted->glob)
        return (wanted->bytes == 1 && wanted->name[0] == '.') ||
               (bytes >= wanted->bytes && memcmp(path, wanted->name, wanted->bytes) == 0 &&
                (bytes == wanted->bytes || path[wanted->bytes] == '/'));
    while (bytes) {
        size_t start = name_start(path, bytes);
        if (glob_match(wanted->glob, path, bytes, start, NULL))
            return true;
        bytes = start ? start - 1 : 0;
    }
    return false;
}

static bool is_named(struct member_select *select, const char *path, size_t bytes)
{
    bool is_wanted = select->options.name_count == 0;
    for (size_t i = 0; i < select->options.name_count; i++) {
        if (!matches(&select->wanted[i], path, bytes))
            continue;
        is_wanted = true;
        atomic_store_explicit(&select->options.found[i], true, memory_order_relaxed);
    }
    return is_wanted;
}

/* By size and time. Out of memory, the other names of a file stay, and fail for want of it. */
static bool status_is_wanted(struct member_select *select, const struct member *member,
                             const char *path, size_t bytes)
{
    const struct file_stat *stat = &member->stat;
    struct timespec mtime = {stat->mtime_seconds, stat->mtime_ns};
    if (member->is_hard_link) {
        bool was_absolute;
        char *target = malloc(member->target_bytes + 2);
        ptrdiff_t clean =
            target ? member_clean(member->target, member->target_bytes, target, &was_absolute) : -1;
        bool is_left_out =
            clean > 0 && extract_names_is_void(select->left_out, target, (size_t)clean, 0);
        free(target);
        return !is_left_out;
    }
    if (!S_ISREG(stat->mode) ||
        selection_wants_file_stat(select->options.selection, stat->size_bytes, mtime))
        return true;
    if (extract_names_add(select->left_out, path, bytes) == 0)
        extract_names_void(select->left_out, path, bytes, 1);
    return false;
}

static bool rules_want(struct member_select *select, const struct member *member, const char *path,
                       size_t bytes)
{
    const struct selection *selection = select->options.selection;
    bool is_directory = S_ISDIR(member->stat.mode) && !member->is_hard_link;
    for (const char *slash = memchr(path, '/', bytes); slash;
         slash = memchr(slash + 1, '/', bytes - (size_t)(slash + 1 - path)))
        if (!selection_wants_directory(selection, path, (size_t)(slash - path)))
            return false;
    if (is_directory)
        return selection_wants_directory(selection, path, bytes);
    return selection_wants_file_name(selection, path, bytes) &&
           status_is_wanted(select, member, path, bytes);
}

/* What is left of a name without its first components; false: nothing. */
static bool strip(const char **path, size_t *bytes, unsigned components)
{
    const char *at = *path, *end = *path + *bytes;
    while (components) {
        while (at < end && *at == '/')
            at++;
        const char *slash = memchr(at, '/', (size_t)(end - at));
        if (!slash)
            return false;
        components -= !(slash - at == 1 && *at == '.');
        at = slash + 1;
    }
    while (at < end && *at == '/')
        at++;
    *path = at;
    *bytes = (size_t)(end - at);
    return at < end;
}

bool member_select_wants(void *context, struct member *member)
{
    struct member_select *select = context;
    const struct member_select_options *options = &select->options;
    bool was_absolute;
    if (member->path_bytes + 2 > select->room) {
        char *path = realloc(select->path, member->path_bytes + 2);
        if (!path)
            return true; /* out of memory: it will be told where the member is dealt with */
        select->path = path;
        select->room = member->path_bytes + 2;
    }
    ptrdiff_t bytes = member_clean(member->path, member->path_bytes, select->path, &was_absolute);
    if (bytes < 0) /* refused, and told of, if it could be meant */
        return options->name_count == 0;
    if (!is_named(select, select->path, (size_t)bytes))
        return false;
    if (options->selection && !rules_want(select, member, select->path, (size_t)bytes))
        return false;
    if (!options->strip_components)
        return true;
    if (!strip(&member->path, &member->path_bytes, options->strip_components))
        return false;
    /* What nothing is left of has no name here, and the link is told of as one that leads out. */
    if (member->is_hard_link &&
        !strip(&member->target, &member->target_bytes, options->strip_components)) {
        member->target = "..";
        member->target_bytes = strlen(member->target);
    }
    return true;
}
