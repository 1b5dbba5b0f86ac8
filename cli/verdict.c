#include "cli/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/events.h"
#include "cli/manifests.h"
#include "stages/digest.h"
#include "stages/text.h"

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

static void stop_if_asked(struct job *job)
{
    if (job->options->fail_fast)
        job_stop(job);
}

/* The error line of a file that is counted as missing or differing; --status leaves it to the exit
 * status as it does with every verdict. */
static void tell_why(struct job *job, const char *path, struct tm_fault fault, const char *words)
{
    if (job->options->status && !job->events) {
        job_add(&job->found_wrong, 1);
        return;
    }
    job->errors_counted++;
    if (words)
        report_error_text(job->report, path, NULL, "%s", words);
    else if (fault.kind == TM_FAULT_SPECIAL)
        report_error_text(job->report, path, "read", "Not a regular file");
    else
        report_error(job->report, path, fault, NULL);
}

int verdict_same(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes)
{
    struct job *job = verdicts->job;
    verdicts->compared++;
    if (job->options->quiet)
        return send_result(job, path, bytes, size_bytes, "ok");
    return tell(job, path, bytes, size_bytes, "OK", "ok");
}

int verdict_differs(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes,
                    uint32_t guessed)
{
    struct job *job = verdicts->job;
    verdicts->compared++;
    verdicts->guessed |= guessed;
    job->differing++;
    job_add(&job->found_wrong, 1);
    stop_if_asked(job);
    return tell(job, path, bytes, size_bytes, "FAILED", "failed");
}

int verdict_missing(struct verdicts *verdicts, const char *path, size_t bytes,
                    struct tm_fault fault, const char *words)
{
    struct job *job = verdicts->job;
    if (job->options->ignore_missing)
        return 0;
    job->missing++;
    tell_why(job, path, fault, words);
    stop_if_asked(job);
    return tell(job, path, bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read", "missing");
}

int verdict_no_file(struct verdicts *verdicts, const char *path, size_t bytes,
                    struct tm_fault fault)
{
    struct job *job = verdicts->job;
    job->differing++;
    verdicts->not_files++;
    tell_why(job, path, fault, NULL);
    stop_if_asked(job);
    return tell(job, path, bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read", "failed");
}

int verdict_unreadable(struct verdicts *verdicts, const char *path, size_t bytes)
{
    verdicts->unreadable++;
    return tell(verdicts->job, path, bytes, EVENT_SIZE_UNKNOWN, "FAILED open or read",
                "unreadable");
}

int verdict_extra(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes)
{
    verdicts->job->extra++;
    return tell(verdicts->job, path, bytes, size_bytes, "EXTRA", "extra");
}

/* In the end. */

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

void verdict_conclude(struct verdicts *verdicts, const struct manifests *manifests)
{
    struct job *job = verdicts->job;
    char guesses[256];
    struct manifests_totals totals = manifests_conclude(manifests);
    describe_guesses(verdicts->guessed, guesses, sizeof guesses);
    warn_of(job, totals.unchecked, "listed file could not be checked",
            "listed files could not be checked", "");
    warn_of(job, job->missing, "listed file is missing", "listed files are missing", "");
    warn_of(job, verdicts->unreadable + verdicts->not_files, "listed file could not be read",
            "listed files could not be read", "");
    warn_of(job, job->differing - verdicts->not_files, "computed checksum did NOT match",
            "computed checksums did NOT match", guesses);
    warn_of(job, totals.outside, "listed name is", "listed names are",
            " absolute or with '..': --extra does not search there");
    job->malformed += !totals.are_usable + totals.unchecked;
    if (job->options->strict)
        job->malformed += totals.malformed;
    if (job->options->ignore_missing && manifests_have_ended(manifests) && !verdicts->compared &&
        !job->malformed) {
        report_error_text(job->report, NULL, NULL, "no file was verified");
        job->malformed++;
    }
}
