#include "cli/absolute_paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the program was started, and whose paths are made absolute. */
struct starting_point {
    char *directory;
    struct options *options;
};

static int make_absolute(struct starting_point *start, const char **path)
{
    struct options *options = start->options;
    char *absolute;
    if (!*path || **path == '/' || strcmp(*path, "-") == 0)
        return 0;
    size_t bytes = (options->resolved_count + 1) * sizeof *options->resolved;
    char **larger = realloc(options->resolved, bytes);
    if (!larger)
        return -ENOMEM;
    options->resolved = larger;
    if (asprintf(&absolute, "%s/%s", start->directory, *path) < 0)
        return -ENOMEM;
    options->resolved[options->resolved_count++] = absolute;
    *path = absolute;
    return 0;
}

static int resolve_paths(struct starting_point *start)
{
    struct options *options = start->options;
    int error = make_absolute(start, &options->output);
    if (!error)
        error = make_absolute(start, &options->manifest);
    if (!error && !options->newer.is_date)
        error = make_absolute(start, &options->newer.text);
    if (!error && options->verb == VERB_CREATE)
        error = make_absolute(start, &options->operands.items[0]);
    for (size_t i = 0; i < options->files_from.count && !error; i++)
        error = make_absolute(start, &options->files_from.items[i]);
    for (size_t i = 0; i < options->rules.count && !error; i++)
        if (options->rules.items[i].kind == RULE_EXCLUDE_FROM)
            error = make_absolute(start, &options->rules.items[i].text);
    return error;
}

int options_make_paths_absolute(struct options *options)
{
    if (!options->directory || (options->verb != VERB_HASH && options->verb != VERB_CREATE))
        return 0;
    struct starting_point start = {.directory = getcwd(NULL, 0), .options = options};
    int error = start.directory ? resolve_paths(&start) : -errno;
    free(start.directory);
    return error;
}
