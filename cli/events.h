/* events: the machine's view of a run, one JSON object a line (NDJSON).
 *
 * Which there are and what their keys mean is said by the table in cli/events_schema.c, from which
 * the man page has it. All have "event" and "schema"; the number changes when a key changes its
 * meaning or goes. A reader ignores events and keys that it does not know.
 *
 * The functions event_*() add one line to a json_writer and keep no state. A sink is a FILE that
 * whole lines go to; any thread of one process may use it, and the lines never mix.
 */
#ifndef TREEMILL_CLI_EVENTS_H
#define TREEMILL_CLI_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/json.h"

struct progress_view;
struct report_summary;
struct stage_stats;

#define EVENTS_SCHEMA 1

/* A row of the table: an event, if `key` is NULL, or one of its keys. */
struct event_row {
    const char *event;
    const char *key;
    const char *text;
};
const struct event_row *events_rows(size_t *count);

struct event_digest {
    const char *algorithm;
    const char *hex;
};

#define EVENT_SIZE_UNKNOWN UINT64_MAX

/* A member of an archive. */
struct event_member {
    const char *kind;
    uint32_t mode; /* permissions */
    uint32_t uid, gid;
    const char *user, *group; /* or NULL */
    int64_t mtime_seconds;
    uint32_t mtime_ns;
    const char *target; /* or NULL */
    size_t target_length;
    bool has_device;
    uint32_t major, minor;
};

/* result: NULL when there is none to tell. Everything is borrowed for the call. */
struct event_file {
    const char *path;
    size_t path_length;
    uint64_t size_bytes; /* or EVENT_SIZE_UNKNOWN */
    const struct event_digest *digests;
    size_t digest_count;
    const char *result;
    const struct event_member *member; /* or NULL */
};

void event_start(struct json_writer *json, const char *verb);
void event_status(struct json_writer *json, const struct progress_view *view);
void event_file(struct json_writer *json, const struct event_file *file);
/* path may be NULL. */
void event_error(struct json_writer *json, const char *path, const char *operation,
                 const char *reason);
void event_message(struct json_writer *json, const char *severity, const char *path,
                   const char *text);
void event_summary(struct json_writer *json, const struct report_summary *summary);
void event_stats(struct json_writer *json, const struct stage_stats *stages, size_t count);

struct events;

/* The FILE stays the caller's, and must outlive the sink. NULL: no memory. */
struct events *events_create(FILE *file);
/* Does not close or flush the FILE. NULL is allowed. */
void events_destroy(struct events *events);

/* Writes the lines in `json` and clears it. Returns 0 or a negative errno (-ENOMEM: the writer had
 * failed); the first error is kept, see events_finish(). */
int events_write(struct events *events, struct json_writer *json);
/* The same for a file event, without a writer of the caller's. */
int events_file(struct events *events, const struct event_file *file);
/* Lets a reader of a pipe see what was written; status events do it by themselves. */
int events_flush(struct events *events);
/* Flushes and returns the first error there ever was, or 0. */
int events_finish(struct events *events);

#endif
