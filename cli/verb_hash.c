/* treemill hash: names ─▶ walk ─▶ read ─▶ hash ─▶ render ─▶ manifest on standard output or in a
 * file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/events.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/listing.h"
#include "cli/names.h"
#include "cli/verbs.h"
#include "stages/digest.h"
#include "stages/render.h"
#include "stages/text.h"

struct hash_verb {
    struct job job;
    struct hash_job hash;
    struct render_job render;
    bool writes_manifest;
    bool writes_events;
};

/* The sink. */

static int write_unrendered(struct hash_verb *verb, const struct item_view *view)
{
    /* Longest escapes make six bytes of one; a line's digests and numbers fit beside that. */
    size_t capacity = (size_t)verb->job.plan.shape.meta_bytes * 6 + BATCH_FILES_DEFAULT * 4096;
    char *buffer = malloc(capacity);
    if (!buffer)
        return -ENOMEM;
    ptrdiff_t bytes = render_batch(&verb->render, view, buffer, capacity);
    int error = bytes < 0 ? (int)bytes : output_write(verb->job.output, buffer, (size_t)bytes);
    free(buffer);
    return error;
}

/* A reader of a slow job sees results as they come: while names may still be waited for. */
static int flush_when_slow(struct hash_verb *verb)
{
    if (!verb->job.options->files_from.count ||
        atomic_load_explicit(&verb->job.totals.final, memory_order_relaxed))
        return 0;
    int error = verb->writes_manifest ? output_flush(verb->job.output) : 0;
    return !error && verb->writes_events ? events_flush(verb->job.events) : error;
}

static int write_batch(struct hash_verb *verb, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    if (batch->rendered_bytes == BATCH_NOT_RENDERED)
        return write_unrendered(verb, view);
    return output_write(verb->job.output, view->input + batch->data_start, batch->rendered_bytes);
}

static int take_batch(void *context, const struct item_view *view)
{
    struct hash_verb *verb = context;
    struct batch *batch = batch_of(view);
    /* First of all: rendering may find that the format cannot hold a name, which is a fault of the
     * record like any other. */
    int error =
        verb->writes_manifest && !fault_is_set(view->item->fault) ? write_batch(verb, view) : 0;
    for (unsigned i = 0; i < batch->file_count && !error; i++) {
        if (job_take_record(&verb->job, view, &batch->file[i]) && verb->writes_events)
            error = job_send_event(&verb->job, &verb->hash, view, i);
    }
    if (!error)
        error = flush_when_slow(verb);
    return job_end_batch(&verb->job, view, error);
}

/* Before and after. */

static bool write_header(struct hash_verb *verb)
{
    char text[1024];
    ptrdiff_t bytes =
        manifest_header(verb->render.format, verb->hash.algorithms, text, sizeof text);
    int error = bytes < 0 ? (int)bytes : output_write(verb->job.output, text, (size_t)bytes);
    if (error)
        job_fatal(&verb->job, output_name(verb->job.output), fault_system(TM_OP_WRITE, error));
    return !error;
}

static bool prepare(struct hash_verb *verb, const struct options *options)
{
    char error_text[256] = "";
    uint32_t algorithms = job_algorithms(options);
    verb->hash = job_hash_setup(options, algorithms ? algorithms : 1u << DIGEST_SHA256);
    verb->render =
        (struct render_job){.hash = &verb->hash, .format = (enum manifest_format)options->format};
    verb->job.fail_fast_is_fatal = true;
    verb->writes_events = options->json;
    verb->writes_manifest = !options->json || options->output;
    verb->render.nothing = !verb->writes_manifest;
    if (!manifest_supports(verb->render.format, verb->hash.algorithms, error_text,
                           sizeof error_text)) {
        job_usage(&verb->job, "%s", error_text);
        return false;
    }
    struct plan_request request = {
        .options = options,
        .hash = &verb->hash,
        .write_stage = &render_stage,
        .write_job = &verb->render,
        .sink = take_batch,
        .sink_context = verb,
        .first_path = options->operands.count ? options->operands.items[0] : NULL,
    };
    if (plan_make(&request, &verb->job.plan, error_text, sizeof error_text)) {
        job_usage(&verb->job, "%s", error_text);
        return false;
    }
    verb->render.block_bytes = verb->job.plan.shape.block_bytes;
    return true;
}

static bool open_output(struct hash_verb *verb)
{
    const struct options *options = verb->job.options;
    struct output_options output = {
        .path = options->dry_run ? NULL : options->output, /* a list of names is no manifest */
        .replace = options->force,
        .sync = options->fsync != FSYNC_NONE,
        .report = verb->job.report,
    };
    int error = output_open(&output, &verb->job.output);
    if (error == -EEXIST)
        report_error_text(verb->job.report, options->output, "create",
                          "exists already; --force replaces it");
    else if (error)
        report_error(verb->job.report, options->output, fault_system(TM_OP_CREATE, error), NULL);
    verb->job.failed |= error != 0;
    return !error && (!output.path || strcmp(output.path, "-") == 0 ||
                      job_may_write_beside(&verb->job, output.path, false));
}

/* A list of names that cannot be trusted: what came of it is not published. */
static void fail_of_names(struct hash_verb *verb, const struct names *names)
{
    verb->job.failed |= names_failed(names);
}

/* --dry-run: what would be hashed, one name a line (-z: ended by NUL) or one event each. */
static int list_file(void *context, const char *path, const struct file_record *file)
{
    struct hash_verb *verb = context;
    struct job *job = &verb->job;
    if (fault_is_set(file->fault)) {
        if (file->flags & FILE_SKIPPED)
            report_skipped(job->report, path, file->fault);
        else
            report_error(job->report, path, file->fault, NULL);
        return 0;
    }
    job->files_good++;
    job->bytes_good += file->stat.size_bytes;
    if (job->events) {
        struct event_file event = {
            .path = path, .path_length = file->path_bytes, .size_bytes = file->stat.size_bytes};
        return events_file(job->events, &event);
    }
    int error = output_write(job->output, path, file->path_bytes);
    return error ? error
                 : output_write(job->output, verb->render.format == MANIFEST_GNU0 ? "" : "\n", 1);
}

static void dry_run(struct hash_verb *verb, struct names *names)
{
    struct job *job = &verb->job;
    if (!list_names(job, names_next, names, list_file, verb))
        return;
    job->is_listed = job->events != NULL; /* who reads names needs no summary */
    fail_of_names(verb, names);
    job_publish(job);
}

static void run(struct hash_verb *verb, struct names *names)
{
    if (verb->writes_manifest && !write_header(verb))
        return;
    bool ended = job_run(&verb->job, names_next, names, false);
    fail_of_names(verb, names);
    if (ended && !verb->job.failed && verb->writes_manifest)
        job_publish(&verb->job);
}

int verb_hash(const struct options *options)
{
    static struct hash_verb verb; /* large; one job a process */
    struct names *names = NULL;
    const char *failed_path = NULL;
    if (!job_begin(&verb.job, options, "hash", "hashed") || !job_enter_directory(&verb.job) ||
        !prepare(&verb, options))
        return job_end(&verb.job);
    int error = names_create(options, verb.hash.algorithms, verb.job.report, &names, &failed_path);
    if (error)
        job_fatal(&verb.job, failed_path, fault_system(TM_OP_OPEN, error));
    else if ((verb.writes_manifest || options->dry_run) && !open_output(&verb))
        ; /* said why */
    else if (options->dry_run)
        dry_run(&verb, names);
    else
        run(&verb, names);
    names_destroy(names);
    return job_end(&verb.job);
}
