#include "cli/events.h"

#include "cli/progress.h"
#include "cli/report.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct events {
    FILE *file;
    pthread_mutex_t lock; /* guards `first_error` and `scratch`, and keeps lines whole */
    int first_error;      /* 0 or a negative errno */
    struct json_writer scratch;
};

static double seconds_of(uint64_t duration_ns)
{
    return (double)duration_ns / 1e9;
}

static void begin_event(struct json_writer *json, const char *event)
{
    json_begin_object(json, NULL);
    json_string(json, "event", event);
    json_uint(json, "schema", EVENTS_SCHEMA);
}

static void end_event(struct json_writer *json)
{
    json_end_object(json);
    json_end_line(json);
}

static void put_path(struct json_writer *json, const char *path)
{
    if (path)
        json_bytes(json, "path", path, strlen(path));
}

void event_start(struct json_writer *json, const char *verb)
{
    begin_event(json, "start");
    json_string(json, "version", TREEMILL_VERSION);
    json_string(json, "verb", verb);
    end_event(json);
}

void event_status(struct json_writer *json, const struct progress_view *view)
{
    begin_event(json, "status");
    json_string(json, "verb", view->verb);
    json_bool(json, "final", view->is_last);
    json_decimal(json, "elapsed_seconds", seconds_of(view->elapsed_ns), 3);
    json_uint(json, "files_done", view->files_done);
    json_uint(json, "files_total", view->files_total);
    json_uint(json, "bytes_done", view->bytes_done);
    json_uint(json, "bytes_total", view->bytes_total);
    json_bool(json, "totals_final", view->totals_final);
    if (view->totals_final)
        json_decimal(json, "share", view->share, 4);
    else
        json_null(json, "share");
    json_uint(json, "errors", view->errors);
    json_decimal(json, "bytes_per_second", view->rate, 0);
    json_decimal(json, "mean_bytes_per_second", view->mean, 0);
    json_decimal(json, "files_per_second", view->files_rate, 1);
    if (view->eta_ns == PROGRESS_ETA_UNKNOWN)
        json_null(json, "eta_seconds");
    else
        json_decimal(json, "eta_seconds", seconds_of(view->eta_ns), 1);
    if (view->output_bytes > 0)
        json_uint(json, "output_bytes", view->output_bytes);
    if (view->ratio >= 0)
        json_decimal(json, "ratio", view->ratio, 4);
    if (!view->is_last)
        put_path(json, view->in_work);
    json_string(json, "bottleneck",
                view->bottleneck >= 0 ? view->stage[view->bottleneck].name : NULL);
    json_begin_array(json, "stages");
    for (unsigned i = 0; i < view->stage_count; i++) {
        json_begin_object(json, NULL);
        json_string(json, "name", view->stage[i].name);
        json_uint(json, "workers", view->stage[i].workers);
        json_decimal(json, "busy_share", view->stage[i].busy_share, 3);
        json_uint(json, "queue_fill", view->stage[i].queue_fill);
        json_uint(json, "queue_capacity", view->stage[i].queue_capacity);
        json_end_object(json);
    }
    json_end_array(json);
    end_event(json);
}

/* Seconds as a decimal fraction, as people read it: half a second before 1970 is -0.5. */
static void put_time(struct json_writer *json, const char *key, int64_t seconds, uint32_t ns)
{
    char text[48];
    bool is_before = seconds < 0 && ns > 0;
    long long whole = is_before ? (long long)seconds + 1 : (long long)seconds;
    snprintf(text, sizeof text, "%s%lld.%09u", is_before && !whole ? "-" : "", whole,
             is_before ? 1000000000 - ns : ns);
    json_string(json, key, text);
}

static void put_member(struct json_writer *json, const struct event_member *member)
{
    char mode[16];
    snprintf(mode, sizeof mode, "%04o", member->mode);
    json_string(json, "kind", member->kind);
    json_string(json, "mode", mode);
    json_uint(json, "uid", member->uid);
    json_uint(json, "gid", member->gid);
    if (member->user)
        json_bytes(json, "user", member->user, strlen(member->user));
    if (member->group)
        json_bytes(json, "group", member->group, strlen(member->group));
    put_time(json, "mtime", member->mtime_seconds, member->mtime_ns);
    if (member->target)
        json_bytes(json, "target", member->target, member->target_length);
    if (member->has_device) {
        json_uint(json, "major", member->major);
        json_uint(json, "minor", member->minor);
    }
}

void event_file(struct json_writer *json, const struct event_file *file)
{
    begin_event(json, "file");
    json_bytes(json, "path", file->path, file->path_length);
    if (file->size_bytes != EVENT_SIZE_UNKNOWN)
        json_uint(json, "size", file->size_bytes);
    if (file->digest_count > 0) {
        json_begin_object(json, "digests");
        for (size_t i = 0; i < file->digest_count; i++)
            json_string(json, file->digests[i].algorithm, file->digests[i].hex);
        json_end_object(json);
    }
    if (file->result)
        json_string(json, "result", file->result);
    if (file->member)
        put_member(json, file->member);
    end_event(json);
}

void event_error(struct json_writer *json, const char *path, const char *operation,
                 const char *reason)
{
    begin_event(json, "error");
    put_path(json, path);
    json_string(json, "operation", operation ? operation : "");
    json_string(json, "reason", reason);
    end_event(json);
}

void event_message(struct json_writer *json, const char *severity, const char *path,
                   const char *text)
{
    begin_event(json, "message");
    json_string(json, "severity", severity);
    put_path(json, path);
    json_string(json, "text", text);
    end_event(json);
}

void event_summary(struct json_writer *json, const struct report_summary *summary)
{
    begin_event(json, "summary");
    json_string(json, "verb", summary->verb);
    json_uint(json, "files", summary->files);
    json_uint(json, "bytes", summary->bytes);
    if (summary->output_bytes > 0)
        json_uint(json, "output_bytes", summary->output_bytes);
    json_uint(json, "errors", summary->errors);
    json_uint(json, "skipped", summary->skipped);
    json_uint(json, "differing", summary->differing);
    json_uint(json, "missing", summary->missing);
    json_uint(json, "extra", summary->extra);
    json_decimal(json, "elapsed_seconds", seconds_of(summary->elapsed_ns), 6);
    json_int(json, "exit_status", summary->exit_status);
    json_bool(json, "interrupted", summary->interrupted);
    if (summary->stage_count > 0)
        report_stats_json(json, "stages", summary->stages, summary->stage_count);
    end_event(json);
}

void event_stats(struct json_writer *json, const struct stage_stats *stages, size_t count)
{
    begin_event(json, "stats");
    report_stats_json(json, "stages", stages, count);
    end_event(json);
}

struct events *events_create(FILE *file)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return NULL;
    events->file = file;
    pthread_mutex_init(&events->lock, NULL);
    return events;
}

void events_destroy(struct events *events)
{
    if (!events)
        return;
    json_free(&events->scratch);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* Keeps the first error and passes this one on. */
static int note_error_locked(struct events *events, int error)
{
    if (error != 0 && events->first_error == 0)
        events->first_error = error;
    return error;
}

/* A negative errno for a stdio call that failed, even where stdio forgot to say why. */
static int stdio_error(void)
{
    return errno > 0 ? -errno : -EIO;
}

static int write_locked(struct events *events, struct json_writer *json)
{
    int error = 0;
    errno = 0;
    if (!json_ok(json))
        error = -ENOMEM;
    else if (fwrite(json->text, 1, json->length, events->file) != json->length)
        error = stdio_error();
    json_clear(json);
    return note_error_locked(events, error);
}

int events_write(struct events *events, struct json_writer *json)
{
    pthread_mutex_lock(&events->lock);
    int error = write_locked(events, json);
    pthread_mutex_unlock(&events->lock);
    return error;
}

int events_file(struct events *events, const struct event_file *file)
{
    pthread_mutex_lock(&events->lock);
    event_file(&events->scratch, file);
    int error = write_locked(events, &events->scratch);
    pthread_mutex_unlock(&events->lock);
    return error;
}

int events_flush(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    errno = 0;
    int error = fflush(events->file) == 0 ? 0 : note_error_locked(events, stdio_error());
    pthread_mutex_unlock(&events->lock);
    return error;
}

int events_finish(struct events *events)
{
    events_flush(events);
    pthread_mutex_lock(&events->lock);
    int error = events->first_error;
    pthread_mutex_unlock(&events->lock);
    return error;
}
