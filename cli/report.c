#include "cli/report.h"

#include "cli/line.h"
#include "stages/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* While the bar is on the screen, the cursor is at the start of its first line: so all of it can be
 * erased whatever the terminal has made of its lines when it became narrower, and a stopped or
 * killed program leaves the cursor where the shell's next line belongs. It is drawn without
 * wrapping: a terminal has its new size before programs hear of it. */
static const char erase_bar[] = "\r\033[J";

struct report {
    struct report_options options; /* constant after report_create() */
    /* Statistics: any thread adds, any thread reads; they order nothing else, so relaxed. */
    _Atomic uint64_t errors, skipped;
    pthread_mutex_t lock; /* guards the bar, and the order of what is written to options.fd */
    char bar[REPORT_BAR_CAPACITY]; /* all that it takes to draw it from the start of a line */
    size_t bar_length;             /* 0: no bar */
    bool bar_is_hidden;            /* data on the same terminal has not come to a line's end */
};

struct report *report_create(const struct report_options *options)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report)
        return NULL;
    report->options = *options;
    pthread_mutex_init(&report->lock, NULL);
    return report;
}

void report_destroy(struct report *report)
{
    if (!report)
        return;
    pthread_mutex_destroy(&report->lock);
    free(report);
}

int report_fd(const struct report *report)
{
    return report->options.fd;
}

uint64_t report_error_count(const struct report *report)
{
    return atomic_load_explicit(&report->errors, memory_order_relaxed);
}

uint64_t report_skipped_count(const struct report *report)
{
    return atomic_load_explicit(&report->skipped, memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The only function that writes. may_drop: give up when the first byte would block; a line once
 * begun is finished. Errors other than EINTR and EAGAIN end the attempt: nobody is left to tell. */
static void write_parts(int fd, struct iovec *part, int parts, bool may_drop)
{
    while (parts > 0) {
        if (part->iov_len == 0) {
            part++;
            parts--;
            continue;
        }
        ssize_t written = writev(fd, part, parts);
        if (written < 0 && errno == EAGAIN && !may_drop) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, -1) < 0 && errno != EINTR)
                return;
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        may_drop = false;
        size_t left = (size_t)written;
        while (parts > 0 && left >= part->iov_len) {
            left -= part->iov_len;
            part++;
            parts--;
        }
        if (left > 0) {
            part->iov_base = (char *)part->iov_base + left;
            part->iov_len -= left;
        }
    }
}

static struct iovec part_of(const char *bytes, size_t length)
{
    /* writev() does not write to what it is given, its type only cannot say so. */
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
}

/* `lines` ends with a newline. */
static void print_lines(struct report *report, const char *lines, size_t length)
{
    pthread_mutex_lock(&report->lock);
    bool has_bar = report->bar_length > 0 && !report->bar_is_hidden;
    struct iovec parts[] = {part_of(erase_bar, has_bar ? sizeof erase_bar - 1 : 0),
                            part_of(lines, length),
                            part_of(report->bar, has_bar ? report->bar_length : 0)};
    write_parts(report->options.fd, parts, 3, false);
    pthread_mutex_unlock(&report->lock);
}

static void erase_bar_locked(struct report *report)
{
    struct iovec part = part_of(erase_bar, sizeof erase_bar - 1);
    if (report->bar_length > 0 && !report->bar_is_hidden)
        write_parts(report->options.fd, &part, 1, false);
}

/* Makes report->bar of a frame of one or two lines. */
static void compose_bar_locked(struct report *report, const char *frame, size_t length)
{
    const char *newline = memchr(frame, '\n', length);
    size_t first = newline ? (size_t)(newline - frame) : length;
    struct line bar = {.out = report->bar, .capacity = sizeof report->bar};
    line_append(&bar, "\r\033[?7l%.*s", (int)first, frame);
    if (newline)
        line_append(&bar, "\033[K\r\n%.*s", (int)(length - first - 1), newline + 1);
    line_append(&bar, "\033[J\033[?7h%s\r", newline ? "\033[A" : "");
    report->bar_length = bar.length < bar.capacity ? bar.length : 0;
}

void report_set_bar(struct report *report, const char *frame, size_t length)
{
    pthread_mutex_lock(&report->lock);
    if (length > 0) {
        compose_bar_locked(report, frame, length);
        struct iovec part = part_of(report->bar, report->bar_length);
        if (!report->bar_is_hidden)
            write_parts(report->options.fd, &part, 1, true);
    } else {
        erase_bar_locked(report);
        report->bar_length = 0;
    }
    pthread_mutex_unlock(&report->lock);
}

void report_begin_data(struct report *report)
{
    pthread_mutex_lock(&report->lock);
    erase_bar_locked(report);
}

void report_end_data(struct report *report, bool ends_line)
{
    report->bar_is_hidden = !ends_line;
    if (ends_line) {
        struct iovec part = part_of(report->bar, report->bar_length);
        write_parts(report->options.fd, &part, 1, true);
    }
    pthread_mutex_unlock(&report->lock);
}

void report_forget_bar(struct report *report)
{
    pthread_mutex_lock(&report->lock);
    report->bar_length = 0;
    pthread_mutex_unlock(&report->lock);
}

void report_line(struct report *report, const char *line)
{
    size_t length = strlen(line);
    size_t needed = text_escape_message(line, length, NULL, 0);
    char *text = malloc(needed + 2);
    if (!text) {
        static const char no_memory[] = "treemill: no memory for a message\n";
        print_lines(report, no_memory, sizeof no_memory - 1);
        return;
    }
    text_escape_message(line, length, text, needed + 1);
    text[needed] = '\n';
    print_lines(report, text, needed + 1);
    free(text);
}

void report_json(struct report *report, struct json_writer *json)
{
    if (json_ok(json))
        print_lines(report, json->text, json->length);
    json_clear(json);
}

/* Sends the event of a message to whom it concerns; true: standard error has it already. */
static bool send_event(struct report *report, struct json_writer *json)
{
    bool to_fd = report->options.json;
    if (to_fd && json_ok(json))
        print_lines(report, json->text, json->length);
    if (report->options.events)
        events_write(report->options.events, json);
    json_free(json);
    return to_fd;
}

static bool wants_events(const struct report *report)
{
    return report->options.json || report->options.events;
}

/* `program: PATH: WHAT`, the form of every message. */
static void print_message(struct report *report, const char *path, const char *what)
{
    if (path && !*path)
        path = "''"; /* an empty operand; nothing would be seen */
    size_t path_length = path ? strlen(path) : 0;
    size_t escaped = text_escape_terminal(path, path_length, NULL, 0);
    size_t capacity = strlen(report->options.program) + escaped + strlen(what) + 8;
    char *line = malloc(capacity);
    if (!line) {
        report_line(report, what);
        return;
    }
    char *end = stpcpy(stpcpy(line, report->options.program), ": ");
    if (path) {
        text_escape_terminal(path, path_length, end, capacity - (size_t)(end - line));
        end = stpcpy(end + escaped, ": ");
    }
    stpcpy(end, what);
    report_line(report, line);
    free(line);
}

/* The text of a printf format in memory of the caller's, or the format itself without memory. */
static char *format_text(const char *format, va_list arguments)
{
    char *text;
    return vasprintf(&text, format, arguments) < 0 ? strdup(format) : text;
}

static void error_message(struct report *report, const char *path, const char *operation,
                          const char *reason)
{
    count(&report->errors);
    if (wants_events(report)) {
        struct json_writer json = {0};
        event_error(&json, path, operation, reason);
        if (send_event(report, &json))
            return;
    }
    char *what = NULL;
    if (operation && operation[0] && asprintf(&what, "%s: %s", operation, reason) < 0)
        what = NULL;
    print_message(report, path, what ? what : reason);
    free(what);
}

void report_error(struct report *report, const char *path, struct tm_fault fault,
                  const char *stage_name)
{
    char text[256];
    fault_text(fault, stage_name, text, sizeof text);
    /* "what failed: reason"; a reason alone is kept whole. */
    char *reason = strstr(text, ": ");
    if (reason) {
        *reason = '\0';
        error_message(report, path, text, reason + 2);
    } else {
        error_message(report, path, NULL, text);
    }
}

void report_error_text(struct report *report, const char *path, const char *operation,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *reason = format_text(format, arguments);
    va_end(arguments);
    error_message(report, path, operation, reason ? reason : "no memory for the message");
    free(reason);
}

static void lesser_message(struct report *report, const char *severity, const char *path,
                           const char *text)
{
    if (wants_events(report)) {
        struct json_writer json = {0};
        event_message(&json, severity, path, text);
        if (send_event(report, &json))
            return;
    }
    if (!report->options.silent)
        print_message(report, path, text);
}

void report_skipped(struct report *report, const char *path, struct tm_fault fault)
{
    char text[256];
    fault_text(fault, NULL, text, sizeof text);
    count(&report->skipped);
    lesser_message(report, "skipped", path, text);
}

void report_warning(struct report *report, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    lesser_message(report, "warning", path, text ? text : "no memory for the message");
    free(text);
}

void report_note(struct report *report, const char *path, const char *format, ...)
{
    if (!report->options.verbose || report->options.quiet || report->options.silent)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    lesser_message(report, "note", path, text ? text : "no memory for the message");
    free(text);
}

void report_summary(struct report *report, const struct report_summary *summary)
{
    if (wants_events(report)) {
        struct json_writer json = {0};
        event_summary(&json, summary);
        if (send_event(report, &json))
            return;
    }
    if (report->options.quiet || report->options.silent)
        return;
    char text[512], line[640];
    report_summary_text(summary, report->options.color, text, sizeof text);
    int length = snprintf(line, sizeof line, "%s: %s\n", report->options.program, text);
    /* Not by report_line(), which would escape the colours; all of it is the program's own. */
    if (length > 0)
        print_lines(report, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}
