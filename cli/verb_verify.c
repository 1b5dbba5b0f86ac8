/* treemill verify: manifests ─▶ walk ─▶ read ─▶ hash ─▶ compare ─▶ results on standard output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/events.h"
#include "cli/extra.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/manifests.h"
#include "cli/path_set.h"
#include "cli/verbs.h"
#include "stages/compare.h"
#include "stages/digest.h"
#include "stages/text.h"

struct verify_verb {
    struct job job;
    struct hash_job hash;
    struct manifests *manifests;
    struct path_set *known; /* for --extra */
    uint64_t unreadable;
    uint64_t not_files; /* among those that differ: a directory or a device is there */
    uint64_t compared;  /* whatever came of it */
    uint32_t guessed;   /* algorithms of digests that differ, told by their length alone */
};

static int print_escaped(struct job *job, const char *path, size_t bytes)
{
    size_t capacity = 2 * bytes + 1;
    char *text = malloc(capacity);
    if (!text)
        return -ENOMEM;
    bytes = text_gnu_escape(path, bytes, text, capacity);
    int error = output_write(job->output, "\\", 1);
    if (!error)
        error = output_write(job->output, text, bytes);
    free(text);
    return error;
}

/* A line of results as coreutils prints it: a name that holds a newline is escaped, and the line
 * says so by a leading backslash; other names stand as they are. */
static int print_result(struct job *job, const char *path, size_t bytes, const char *result)
{
    if (job->options->status || job->events)
        return 0;
    int error = memchr(path, '\n', bytes) ? print_escaped(job, path, bytes)
                                          : output_write(job->output, path, bytes);
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
        job_stop(job);
}

/* A directory, FIFO or device where a file should be: not what was listed. */
static bool is_no_file(struct tm_fault fault)
{
    return fault.kind == TM_FAULT_SPECIAL ||
           (fault.kind == TM_FAULT_SYSTEM && fault.detail == EISDIR);
}

/* The error line of a file that is counted as missing or differing; --status leaves it to the exit
 * status as it does with every verdict. */
static void tell_verdict(struct job *job, const char *path, struct tm_fault fault)
{
    if (job->options->status && !job->events)
        return;
    job->errors_counted++;
    if (fault.kind == TM_FAULT_SPECIAL)
        report_error_text(job->report, path, "read", "Not a regular file");
    else
        report_error(job->report, path, fault, NULL);
}

static int take_missing(struct job *job, const char *path, size_t bytes, struct tm_fault fault)
{
    if (job->options->ignore_missing)
        return 0;
    job->missing++;
    tell_verdict(job, path, fault_system(TM_OP_OPEN, fault.detail));
    stop_if_asked(job);
    return tell(job, path, bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read", "missing");
}

static int take_no_file(struct verify_verb *verb, const char *path, size_t bytes,
                        struct tm_fault fault)
{
    struct job *job = &verb->job;
    job->differing++;
    verb->not_files++;
    tell_verdict(job, path, fault);
    stop_if_asked(job);
    return tell(job, path, bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read", "failed");
}

static int take_compared(struct verify_verb *verb, const struct item_view *view,
                         const struct file_record *file)
{
    struct job *job = &verb->job;
    const char *path = batch_path(view, file);
    verb->compared++;
    if (!(file->flags & FILE_MATCHES)) {
        struct expectation expected;
        expectation_of(view, file, &expected);
        if (expected.is_guess)
            verb->guessed |= file->algorithms;
        job->differing++;
        stop_if_asked(job);
        return tell(job, path, file->path_bytes, file->stat.size_bytes, "FAILED", "failed");
    }
    if (job->options->quiet)
        return send_result(job, path, file->path_bytes, file->stat.size_bytes, "ok");
    return tell(job, path, file->path_bytes, file->stat.size_bytes, "OK", "ok");
}

static int take_record(struct verify_verb *verb, const struct item_view *view,
                       const struct file_record *file)
{
    struct job *job = &verb->job;
    const char *path = batch_path(view, file);
    bool is_end = !batch_is_chunk(view) || view->item->last;
    struct tm_fault fault = fault_is_set(view->item->fault) ? view->item->fault : file->fault;
    bool was_found = is_end && !(file->flags & FILE_NOT_FILE);
    if (was_found && (is_missing(fault) || is_no_file(fault))) /* and has gone since */
        job_add(&job->files_done, 1);
    if (is_end && is_missing(fault))
        return take_missing(job, path, file->path_bytes, fault);
    if (is_end && is_no_file(fault))
        return take_no_file(verb, path, file->path_bytes, fault);
    if (job_take_record(job, view, file))
        return take_compared(verb, view, file);
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
    return job_end_batch(&verb->job, view, error);
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
    struct output_options output = {.report = verb->job.report};
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

/* " (digests of 64 digits were taken as sha256; ...)": a wrong guess looks like a damaged file. */
static void describe_guesses(uint32_t guessed, char *text, size_t capacity)
{
    *text = '\0';
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++) {
        size_t used = strlen(text);
        const struct digest_algorithm *algorithm = digest_algorithm(id);
        if (guessed & 1u << id)
            snprintf(text + used, capacity - used, "%s of %zu digits were taken as %s",
                     used ? "," : " (digests", 2 * algorithm->bytes, algorithm->name);
    }
    size_t used = strlen(text);
    if (used)
        snprintf(text + used, capacity - used, "; --algorithm says otherwise)");
}

static void warn_of(struct job *job, uint64_t count, const char *one, const char *many,
                    const char *more)
{
    if (count)
        report_warning(job->report, NULL, "%llu %s%s", (unsigned long long)count,
                       count == 1 ? one : many, more);
}

/* What sha256sum says at the end, as far as the summary does not. */
static void warn_in_the_end(struct verify_verb *verb)
{
    struct job *job = &verb->job;
    char guesses[256];
    struct manifests_totals totals = manifests_conclude(verb->manifests);
    describe_guesses(verb->guessed, guesses, sizeof guesses);
    warn_of(job, totals.unchecked, "listed file could not be checked",
            "listed files could not be checked", "");
    warn_of(job, job->missing, "listed file is missing", "listed files are missing", "");
    warn_of(job, verb->unreadable + verb->not_files, "listed file could not be read",
            "listed files could not be read", "");
    warn_of(job, job->differing - verb->not_files, "computed checksum did NOT match",
            "computed checksums did NOT match", guesses);
    warn_of(job, totals.outside, "listed name is", "listed names are",
            " absolute or with '..': --extra does not search there");
    job->malformed += !totals.are_usable + totals.unchecked;
    if (job->options->strict)
        job->malformed += totals.malformed;
    if (job->options->ignore_missing && manifests_have_ended(verb->manifests) && !verb->compared &&
        !job->malformed) {
        report_error_text(job->report, NULL, NULL, "no file was verified");
        job->malformed++;
    }
}

static void run(struct verify_verb *verb)
{
    struct job *job = &verb->job;
    bool ended = job_run(job, manifests_next, verb->manifests, true);
    int error = manifests_error(verb->manifests);
    if (error)
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, error));
    if (job->failed) /* there may be no graph */
        return;
    bool stopped = graph_is_cancelled(job->graph);
    if (!ended && !stopped)
        return;
    /* Of a list that was not read to its end all the rest would seem to be extra. */
    bool is_known = verb->known && !stopped && manifests_have_ended(verb->manifests);
    if (is_known && !find_extra(job, verb->manifests, verb->known, tell_extra, verb))
        return;
    job_publish(job);
    if (!job->failed)
        warn_in_the_end(verb);
}

int verb_verify(const struct options *options)
{
    static struct verify_verb verb; /* large; one job a process */
    if (job_begin(&verb.job, options, "verify", "checked") && prepare(&verb, options))
        run(&verb);
    manifests_close(verb.manifests);
    path_set_destroy(verb.known);
    return job_end(&verb.job);
}
