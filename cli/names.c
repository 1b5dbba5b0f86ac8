#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/report.h"

/* A name longer than this is not a path that any directory of ours could hold. */
#define NAME_BYTES_MAX (1U << 20)

struct names {
    const struct options *options;
    struct report *report;
    uint32_t algorithms;
    size_t next_operand;
    size_t next_file; /* of --files-from */
    const char *path; /* of the list being read */
    int fd;           /* it; -1: none open */
    bool ended;       /* no more bytes will come from it */
    char *buffer;
    size_t capacity, start, end; /* unread bytes */
    bool skipping;               /* the rest of a name that was too long */
    bool failed;                 /* not a list of the kind it was said to be; no more is taken */
};

static int open_next(struct names *names)
{
    names->path = names->options->files_from.items[names->next_file++];
    names->fd = input_open(names->path);
    names->ended = false;
    names->start = names->end = 0;
    return names->fd < 0 ? names->fd : 0;
}

int names_create(const struct options *options, uint32_t algorithms, struct report *report,
                 struct names **out, const char **failed_path)
{
    struct names *names = calloc(1, sizeof *names);
    *failed_path = NULL;
    if (!names)
        return -ENOMEM;
    *names =
        (struct names){.options = options, .report = report, .algorithms = algorithms, .fd = -1};
    /* The first list at least is opened before any work is done. */
    int error = options->files_from.count ? open_next(names) : 0;
    if (error) {
        *failed_path = names->path;
        names_destroy(names);
        return error;
    }
    *out = names;
    return 0;
}

void names_destroy(struct names *names)
{
    if (!names)
        return;
    if (names->fd >= 0)
        close(names->fd);
    free(names->buffer);
    free(names);
}

/* Makes room behind the unread bytes. */
static bool make_room(struct names *names)
{
    if (names->start) {
        memmove(names->buffer, names->buffer + names->start, names->end - names->start);
        names->end -= names->start;
        names->start = 0;
    }
    if (names->end < names->capacity)
        return true;
    size_t capacity = names->capacity ? names->capacity * 2 : 65536;
    char *larger = realloc(names->buffer, capacity);
    if (!larger)
        return false;
    names->buffer = larger;
    names->capacity = capacity;
    return true;
}

/* Names of find -print0 taken for lines would be of other files, or of none. All bytes that have
 * come are looked at before any name of them is given out. */
static bool has_stray_nul(const struct names *names, const char *bytes, size_t count)
{
    return !names->options->null_separated && count && memchr(bytes, '\0', count);
}

/* 1: more bytes, 0: none now, -1: end. */
static int read_more(struct names *names, bool wait)
{
    if (!make_room(names)) {
        report_error(names->report, names->path, fault_system(TM_OP_READ, ENOMEM), NULL);
        return -1;
    }
    char *free_bytes = names->buffer + names->end;
    ssize_t got = input_read(names->fd, free_bytes, names->capacity - names->end, wait);
    if (got == -EAGAIN)
        return 0;
    if (got < 0) {
        if (got != -ECANCELED)
            report_error(names->report, names->path, fault_system(TM_OP_READ, (int)got), NULL);
        return -1;
    }
    if (has_stray_nul(names, free_bytes, (size_t)got)) {
        report_error_text(names->report, names->path, "read",
                          "holds a NUL byte; is --null missing?");
        names->failed = true;
        return -1;
    }
    names->end += (size_t)got;
    return got > 0 ? 1 : -1;
}

/* The next name within the unread bytes; NULL when it is not complete. */
static char *take_name(struct names *names, size_t *bytes)
{
    char separator = names->options->null_separated ? '\0' : '\n';
    size_t unread = names->end - names->start;
    if (!unread) /* there may be no buffer yet */
        return NULL;
    char *start = names->buffer + names->start;
    char *stop = memchr(start, separator, unread);
    if (!stop && unread > NAME_BYTES_MAX) {
        if (!names->skipping)
            report_error_text(names->report, names->path, "read",
                              "a name of more than %u bytes is left out", NAME_BYTES_MAX);
        names->skipping = true;
        names->start = names->end;
        return NULL;
    }
    if (!stop && !names->ended)
        return NULL;
    *bytes = stop ? (size_t)(stop - start) : unread;
    names->start += *bytes + (stop ? 1 : 0);
    return start;
}

static enum walk_next from_lists(struct names *names, bool wait, struct walk_name *name)
{
    while (!names->failed) {
        if (names->fd < 0) {
            if (names->next_file == names->options->files_from.count)
                return WALK_END;
            int error = open_next(names);
            if (error) {
                report_error(names->report, names->path, fault_system(TM_OP_OPEN, error), NULL);
                continue;
            }
        }
        size_t bytes;
        char *text = take_name(names, &bytes);
        if (text) {
            bool skip = names->skipping || bytes == 0;
            names->skipping = false;
            if (skip)
                continue;
            *name = (struct walk_name){.text = text, .bytes = bytes, .attachment = ""};
            name->algorithms = names->algorithms;
            return WALK_NAME;
        }
        if (names->ended) {
            close(names->fd);
            names->fd = -1;
            continue;
        }
        int more = read_more(names, wait);
        if (more == 0)
            return WALK_WAIT;
        names->ended = more < 0;
    }
    return WALK_END;
}

bool names_failed(const struct names *names)
{
    return names->failed;
}

enum walk_next names_next(void *context, bool wait, struct walk_name *name)
{
    struct names *names = context;
    const struct option_list *operands = &names->options->operands;
    if (names->next_operand == operands->count)
        return from_lists(names, wait, name);
    const char *operand = operands->items[names->next_operand++];
    *name = (struct walk_name){
        .text = operand,
        .bytes = strlen(operand),
        .attachment = "",
        .algorithms = names->algorithms,
        .is_standard_input = strcmp(operand, "-") == 0,
    };
    return WALK_NAME;
}
