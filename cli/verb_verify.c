/* treemill verify: manifests ─▶ walk ─▶ read ─▶ hash ─▶ compare ─▶ results on standard output. */
#include <errno.h>

#include "cli/extra.h"
#include "cli/job.h"
#include "cli/manifests.h"
#include "cli/path_set.h"
#include "cli/verbs.h"
#include "cli/verdict.h"
#include "cli/verify_archive.h"
#include "stages/compare.h"
#include "stages/digest.h"

struct verify_verb {
    struct job job;
    struct hash_job hash;
    struct manifests *manifests;
    struct path_set *known; /* for --extra */
    struct verdicts verdicts;
};

static bool is_missing(struct tm_fault fault)
{
    return fault.kind == TM_FAULT_SYSTEM && (fault.detail == ENOENT || fault.detail == ENOTDIR);
}

/* A directory, FIFO or device where a file should be: not what was listed. */
static bool is_no_file(struct tm_fault fault)
{
    return fault.kind == TM_FAULT_SPECIAL ||
           (fault.kind == TM_FAULT_SYSTEM && fault.detail == EISDIR);
}

static int take_compared(struct verify_verb *verb, const struct item_view *view,
                         const struct file_record *file)
{
    const char *path = batch_path(view, file);
    struct expectation expected;
    expectation_of(view, file, &expected);
    if (file->flags & FILE_MATCHES)
        return verdict_same(&verb->verdicts, path, file->path_bytes, file->stat.size_bytes);
    return verdict_differs(&verb->verdicts, path, file->path_bytes, file->stat.size_bytes,
                           expected.is_guess ? file->algorithms : 0);
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
        return verdict_missing(&verb->verdicts, path, file->path_bytes,
                               fault_system(TM_OP_OPEN, fault.detail), NULL);
    if (is_end && is_no_file(fault))
        return verdict_no_file(&verb->verdicts, path, file->path_bytes, fault);
    if (job_take_record(job, view, file))
        return take_compared(verb, view, file);
    return is_end ? verdict_unreadable(&verb->verdicts, path, file->path_bytes) : 0;
}

/* --fail-fast: the first that fails is the last one told of. */
static bool is_enough(const struct verify_verb *verb)
{
    return verb->job.options->fail_fast && graph_is_cancelled(verb->job.graph);
}

static int take_batch(void *context, const struct item_view *view)
{
    struct verify_verb *verb = context;
    const struct batch *batch = batch_of(view);
    int error = 0;
    for (unsigned i = 0; i < batch->file_count && !error && !is_enough(verb); i++)
        error = take_record(verb, view, &batch->file[i]);
    return job_end_batch(&verb->job, view, error);
}

static bool prepare(struct verify_verb *verb, const struct options *options)
{
    char error_text[256] = "";
    const char *failed_path = NULL;
    verb->hash = job_hash_setup(options, digest_all_available());
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
    if (!job_enter_directory(&verb->job))
        return false;
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
    return verdict_extra(&verb->verdicts, path, bytes, size_bytes);
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
        verdict_conclude(&verb->verdicts, verb->manifests);
}

int verb_verify(const struct options *options)
{
    static struct verify_verb verb; /* large; one job a process */
    if (options->archive)
        return verify_archive(options);
    verb.verdicts.job = &verb.job;
    if (job_begin(&verb.job, options, "verify", "checked") && prepare(&verb, options))
        run(&verb);
    manifests_close(verb.manifests);
    path_set_destroy(verb.known);
    return job_end(&verb.job);
}
