/* treemill verify: manifests ─▶ walk ─▶ read ─▶ hash ─▶ compare ─▶ results on standard output. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/events.h"
#include "cli/extra.h"
#include "cli/job.h"
#include "cli/manifests.h"
#include "cli/path_set.h"
#include "cli/verbs.h"
#include "stages/compare.h"
#include "stages/digest.h"

struct verify_verb {
    struct job job;
    struct hash_job hash;
    struct manifests *manifests;
    struct path_set *known; /* for --extra */
    uint64_t unreadable;
    uint64_t verified; /* compared, whatever came of it */
};

/* A line of results as coreutils prints it: a name that holds a newline is escaped, and the line
 * says so by a leading backslash; other names stand as they are. */
static int print_result(struct job *job, const char *path, size_t bytes, const char *result)
{
    if (job->options->status || job->events)
        return 0;
    int error = 0;
    if (memchr(path, '\n', bytes)) {
        error = output_write(job->output, "\\", 1);
        for (size_t i = 0; i < bytes && !error; i++) {
            const char *escaped = path[i] == '\n'   ? "\\n"
                                  : path[i] == '\r' ? "\\r"
                                  : path[i] == '\\' ? "\\\\"
                                                    : NULL;
            error = output_write(job->output, escaped ? escaped : path + i, escaped ? 2 : 1);
        }
    } else {
        error = output_write(job->output, path, bytes);
    }
    if (!error)
        error = output_write(job->output, ": ", 2);
    if (!error)
        error = output_write(job->output, result, strlen(result));
    return error ? error : output_write(job->output, "\n", 1);
}

static int send_result(struct job *job, const char *path, size_t bytes, uint64_t size_bytes,
                       const char *result)
{
    if (!job->events)
        return 0;
    struct event_file event = {
        .path = path, .path_length = bytes, .size_bytes = size_bytes, .result = result};
    return events_file(job->events, &event);
}

static int tell(struct job *job, const char *path, size_t bytes, uint64_t size_bytes,
                const char *text, const char *event)
{
    int error = send_result(job, path, bytes, size_bytes, event);
    return error ? error : print_result(job, path, bytes, text);
}

static bool is_missing(struct tm_fault fault)
{
    return fault.kind == TM_FAULT_SYSTEM && (fault.detail == ENOENT || fault.detail == ENOTDIR);
}

static void stop_if_asked(struct job *job)
{
    if (job->options->fail_fast)
        graph_cancel(job->graph);
}

static int take_record(struct verify_verb *verb, const struct item_view *view,
                       const struct file_record *file)
{
    struct job *job = &verb->job;
    const char *path = batch_path(view, file);
    bool is_end = !batch_is_chunk(view) || view->item->last;
    struct tm_fault fault = fault_is_set(view->item->fault) ? view->item->fault : file->fault;
    if (is_end && fault_is_set(fault) && is_missing(fault)) {
        if (job->options->ignore_missing)
            return 0;
        job->missing++;
        stop_if_asked(job);
        return tell(job, path, file->path_bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read",
                    "missing");
    }
    if (job_take_record(job, view, file)) {
        verb->verified++;
        if (!(file->flags & FILE_MATCHES)) {
            job->differing++;
            stop_if_asked(job);
            return tell(job, path, file->path_bytes, file->stat.size_bytes, "FAILED", "failed");
        }
        if (job->options->quiet)
            return send_result(job, path, file->path_bytes, file->stat.size_bytes, "ok");
        return tell(job, path, file->path_bytes, file->stat.size_bytes, "OK", "ok");
    }
    if (!is_end)
        return 0;
    verb->unreadable++;
    return tell(job, path, file->path_bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read",
                "unreadable");
}

static int take_batch(void *context, const struct item_view *view)
{
    struct verify_verb *verb = context;
    const struct batch *batch = batch_of(view);
    int error = 0;
    for (unsigned i = 0; i < batch->file_count && !error; i++)
        error = take_record(verb, view, &batch->file[i]);
    if (batch_is_chunk(view) && view->item->last)
        lane_stream_end(graph_lane(verb->job.graph, LANE_DATA), view->item->stream);
    return error;
}

static uint32_t available_algorithms(void)
{
    uint32_t set = 0;
    char why[128];
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++)
        if (digest_available(id, why, sizeof why))
            set |= 1u << id;
    return set;
}

static bool prepare(struct verify_verb *verb, const struct options *options)
{
    char error_text[256] = "";
    const char *failed_path = NULL;
    verb->hash = job_hash_setup(options, available_algorithms());
    if (options->extra != EXTRA_IGNORE && !(verb->known = path_set_create())) {
        job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    int error = manifests_open(options, verb->hash.algorithms, verb->job.report, verb->known,
                               &verb->manifests, &failed_path);
    if (error) {
        job_fatal(&verb->job, failed_path, fault_system(TM_OP_OPEN, error));
        return false;
    }
    /* The manifests are open: from here on, names are relative to -C. */
    if (options->directory && chdir(options->directory) < 0) {
        job_fatal(&verb->job, options->directory, fault_system(TM_OP_OPEN, errno));
        return false;
    }
    struct plan_request request = {
        .options = options,
        .hash = &verb->hash,
        .write_stage = &compare_stage,
        .write_job = &verb->hash,
        .sink = take_batch,
        .sink_context = verb,
        .first_path = ".",
    };
    if (plan_make(&request, &verb->job.plan, error_text, sizeof error_text)) {
        job_usage(&verb->job, "%s", error_text);
        return false;
    }
    struct output_options output = {0};
    error = output_open(&output, &verb->job.output);
    if (error)
        job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, error));
    return !error;
}

static int tell_extra(void *context, const char *path, size_t bytes, uint64_t size_bytes)
{
    struct verify_verb *verb = context;
    verb->job.extra++;
    return tell(&verb->job, path, bytes, size_bytes, "EXTRA", "extra");
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* What sha256sum says at the end, as far as the summary does not. */
static void warn_in_the_end(struct verify_verb *verb)
{
    struct job *job = &verb->job;
    uint64_t malformed = manifests_malformed(verb->manifests);
    if (malformed)
        report_warning(job->report, NULL, "%llu line%s improperly formatted",
                       (unsigned long long)malformed, malformed == 1 ? " is" : "s are");
    if (job->missing)
        report_warning(job->report, NULL, "%llu listed file%s missing",
                       (unsigned long long)job->missing, job->missing == 1 ? " is" : "s are");
    if (verb->unreadable)
        report_warning(job->report, NULL, "%llu listed file%s could not be read",
                       (unsigned long long)verb->unreadable, plural(verb->unreadable));
    if (job->differing)
        report_warning(job->report, NULL, "%llu computed checksum%s did NOT match",
                       (unsigned long long)job->differing, plural(job->differing));
    if (!manifests_all_usable(verb->manifests) ||
        (job->options->strict && malformed))
        job->malformed++;
    if (job->options->ignore_missing && !verb->verified && !job->malformed) {
        report_error_text(job->report, NULL, NULL, "no file was verified");
        job->malformed++;
    }
}

static void run(struct verify_verb *verb)
{
    struct job *job = &verb->job;
    bool ended = job_run(job, manifests_next, verb->manifests, true);
    bool stopped = graph_is_cancelled(job->graph);
    if (job->failed || (!ended && !stopped))
        return;
    if (verb->known && !stopped && !find_extra(job, verb->manifests, verb->known, tell_extra, verb))
        return;
    int error = output_publish(job->output);
    if (error)
        job_fatal(job, output_name(job->output), fault_system(TM_OP_WRITE, error));
    else
        warn_in_the_end(verb);
}

int verb_verify(const struct options *options)
{
    static struct verify_verb verb; /* large; one job a process */
    if (job_begin(&verb.job, options, "verify", "verified") && prepare(&verb, options))
        run(&verb);
    manifests_close(verb.manifests);
    path_set_destroy(verb.known);
    return job_end(&verb.job);
}
