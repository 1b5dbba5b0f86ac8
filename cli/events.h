/* events: the machine's view of a run, one JSON object a line (NDJSON).
 *
 * Schema, version 1. Every object has "event"; a reader ignores events and keys it does not know.
 * Sizes are bytes, times are seconds, both of them numbers. A path that is not UTF-8 appears as
 * "path_b64" (RFC 4648 base64 of its bytes) in place of "path".
 *
 *   start    version (1), program_version, verb
 *   status   elapsed_seconds, files_done, files_total, bytes_done, bytes_total,
 *            totals_final (false: the scan still finds more), errors, bytes_per_second (recent),
 *            mean_bytes_per_second, eta_seconds (null: unknown), output_bytes (where there is
 *            output), stages: [name, workers, busy_share (0 to 1), queue_fill, queue_capacity]
 *   file     path, size (absent when unknown), then what is known of: digests (an object,
 *            algorithm to lower-case hex), result ("ok", "failed", "missing", "extra", ...); of
 *            list, for each member: kind ("file", "directory", "symlink", "hardlink", "fifo",
 *            "character", "block", "socket"), mode (octal digits, a string), uid, gid, user, group
 *            (where the archive has the names), mtime (a string: seconds since 1970 with nine
 * digits behind the point), target (of links), major, minor (of devices) error    path (absent when
 * the job as a whole failed), operation (may be ""), reason message  severity ("warning", "note",
 * "skipped"), path (may be absent), text summary  verb, files, bytes, output_bytes (where there is
 * output), errors, skipped, differing, missing, extra, elapsed_seconds, exit_status, interrupted,
 *            stages: see report_stats_json()
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

#define EVENTS_VERSION 1

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
