/* treemill decompress and test: names ─▶ walk ─▶ read ─▶ decompress ─▶ output, or verdict.
 *
 * Files that come as a whole are written by the worker that has them; the chunks of a file with an
 * index come here in order and are put into its output. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/job.h"
#include "cli/names.h"
#include "cli/stream_out.h"
#include "cli/verbs.h"
#include "stages/expand.h"
#include "stages/walk.h"

/* What shares an item with a small file; each takes this much of a block at least. */
#define FILES_MAX      64
#define OVERHEAD_BYTES 4096

struct expand_verb {
    struct job job;
    struct read_job read;
    struct expand_job expand;
    /* The large file whose chunks are coming. */
    struct stream_out out;
    bool is_open;
    bool is_skipped;
    struct tm_fault fault; /* why it has no output */
    struct archive_test *test;
    struct archive_verdict verdict;
};

static void fail_stream(struct expand_verb *verb, struct tm_fault fault)
{
    if (!fault_is_set(verb->fault))
        verb->fault = fault;
    verb->is_open = false;
    stream_out_drop(&verb->out);
}

static void begin_stream(struct expand_verb *verb, const char *path, size_t path_bytes)
{
    int error = verb->expand.tests ? 0 : stream_out_begin(&verb->out, path, path_bytes);
    verb->is_open = !error;
    verb->is_skipped = error == -EINVAL;
    if (error)
        fail_stream(verb, error == -EINVAL ? fault_of(TM_FAULT_SUFFIX)
                                           : fault_system(TM_OP_CREATE, error));
}

/* What came out, piece after piece: whether a tar in it is whole. */
static void test_chunk(struct expand_verb *verb, const struct item_view *view, uint64_t bytes)
{
    if (view->item->chunk == 0)
        archive_test_begin(verb->test, &verb->verdict);
    if (!archive_test_push(verb->test, expanded_data(&verb->expand, view), (size_t)bytes) ||
        (view->item->last && !archive_test_end(verb->test)))
        fail_stream(verb, verb->verdict.fault);
}

static void take_chunk(struct expand_verb *verb, const struct item_view *view)
{
    struct file_record *file = &batch_of(view)->file[0];
    const char *path = batch_path(view, file);
    struct tm_fault fault = fault_is_set(view->item->fault) ? view->item->fault : file->fault;
    if (view->item->chunk == 0) {
        verb->fault = TM_NO_FAULT;
        begin_stream(verb, path, file->path_bytes);
    }
    if (fault_is_set(fault))
        fail_stream(verb, fault);
    uint64_t bytes = expanded_of(&verb->expand, view, 0)->bytes;
    if (verb->expand.tests && verb->is_open)
        test_chunk(verb, view, bytes);
    int error = 0;
    if (verb->is_open && !verb->expand.tests)
        error = stream_out_write(&verb->out, expanded_data(&verb->expand, view), (size_t)bytes);
    if (verb->is_open)
        job_add(&verb->job.output_bytes, bytes);
    if (!error && view->item->last && verb->is_open && !verb->expand.tests)
        error = stream_out_publish(&verb->out, path, file);
    if (error)
        fail_stream(verb, fault_system(TM_OP_WRITE, error));
    if (!view->item->last)
        return;
    file->fault = verb->fault;
    if (verb->is_skipped)
        file->flags |= FILE_SKIPPED;
}

/* The sink. */

static bool is_corrupt(struct tm_fault fault)
{
    return fault.kind == TM_FAULT_FORMAT || fault.kind == TM_FAULT_CORRUPT ||
           fault.kind == TM_FAULT_TRUNCATED || fault.kind == TM_FAULT_LIMIT;
}

/* Of a test: what its reader says. */
static const struct archive_verdict *verdict_of(const struct expand_verb *verb,
                                                const struct item_view *view, unsigned index)
{
    return batch_is_chunk(view) ? &verb->verdict
                                : &expanded_of(&verb->expand, view, index)->verdict;
}

/* Below a directory files that are not compressed are to be expected. */
static bool is_passed_over(const struct expand_verb *verb, const char *path,
                           const struct file_record *file, const struct archive_verdict *verdict)
{
    if (!verb->job.options->recursive)
        return false;
    if (file->fault.kind == TM_FAULT_SUFFIX)
        return true;
    bool is_none = file->fault.kind == TM_FAULT_FORMAT ||
                   (verb->expand.tests && is_corrupt(file->fault) && verdict->is_doubtful);
    return is_none && !placing_knows(path, file->path_bytes) &&
           !(verb->expand.tests && archive_test_knows(path, file->path_bytes));
}

/* A test has failed, and there is more to be said of it than the fault does. */
static const char *words_of(const struct expand_verb *verb, const struct file_record *file,
                            const struct archive_verdict *verdict)
{
    if (!verb->expand.tests)
        return NULL;
    if (file->fault.kind == TM_FAULT_FORMAT)
        return "neither compressed nor an archive, in any form that is known";
    if (file->fault.kind == TM_FAULT_LIMIT)
        return "more comes out of it than is allowed";
    return *verdict->text ? verdict->text : NULL;
}

static int tell_words(struct expand_verb *verb, const char *path, const char *words)
{
    struct job *job = &verb->job;
    job_add(&job->files_done, 1);
    report_error_text(job->report, path, "test", "%s", words);
    if (job->options->fail_fast)
        job_stop(job);
    return 0;
}

/* What there is to be said of a file that is good. */
static void warn_of(struct expand_verb *verb, const char *path, const struct file_record *file,
                    const struct archive_verdict *verdict)
{
    struct job *job = &verb->job;
    if (file->flags & FILE_TRAILING) { /* which may be members that were damaged: it stays */
        report_warning(job->report, path, "trailing garbage ignored");
        job->changed++;
    }
    if (verb->expand.tests && verdict->has_no_end) { /* members may be missing there */
        report_warning(job->report, path, "has no end-of-archive mark");
        job->changed++;
    }
}

static int take_record(struct expand_verb *verb, const struct item_view *view, unsigned index)
{
    struct job *job = &verb->job;
    struct file_record *file = &batch_of(view)->file[index];
    const struct archive_verdict *verdict = verdict_of(verb, view, index);
    const char *path = batch_path(view, file);
    bool is_end = !batch_is_chunk(view) || view->item->last;
    if (job_ends_by_write(job, view, file))
        return 0;
    if (is_passed_over(verb, path, file, verdict)) {
        job_pass_over(job, view, file);
        return 0;
    }
    if (is_end && is_corrupt(file->fault)) {
        const char *words = words_of(verb, file, verdict);
        job->malformed++;
        if (words)
            return tell_words(verb, path, words);
    }
    if (!job_take_record(job, view, file))
        return 0;
    if (!batch_is_chunk(view))
        job_add(&job->output_bytes, expanded_of(&verb->expand, view, index)->bytes);
    warn_of(verb, path, file, verdict);
    if (job->options->remove_source && file->flags & FILE_TRAILING)
        report_error_text(job->report, path, "remove", "kept: not all of it is in the output");
    else if (job->options->remove_source)
        job_remove_source(job, &verb->expand.placing, path, file);
    return job->events ? job_send_event(job, NULL, view, index) : 0;
}

static int write_to_stdout(struct expand_verb *verb, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    int error = 0;
    for (unsigned i = 0; i < batch->file_count && !error; i++)
        if (!fault_is_set(batch->file[i].fault) && !(batch->file[i].flags & FILE_NOT_FILE))
            error = expand_to(&verb->expand, view, i, stream_out_write, &verb->out);
    return error;
}

static int take_batch(void *context, const struct item_view *view)
{
    struct expand_verb *verb = context;
    int error = 0;
    if (batch_is_chunk(view))
        take_chunk(verb, view);
    else if (verb->expand.leaves_whole && !fault_is_set(view->item->fault))
        error = write_to_stdout(verb, view);
    for (unsigned i = 0; i < batch_of(view)->file_count && !error; i++)
        error = take_record(verb, view, i);
    job_add(&verb->job.sink_bytes, view->item->bytes);
    atomic_store_explicit(&view->item->live_bytes, 0, memory_order_relaxed);
    return job_end_batch(&verb->job, view, error);
}

/* Before and after. */

static bool choose_output(struct expand_verb *verb)
{
    const struct options *options = verb->job.options;
    bool tests = options->verb == VERB_TEST;
    bool to_stdout = !tests && (options->to_stdout || job_reads_standard_input(options));
    if (to_stdout && (options->output || options->remove_source)) {
        job_usage(&verb->job, "standard output goes with neither --output nor --remove-source");
        return false;
    }
    if (!job_check_outputs(&verb->job, to_stdout))
        return false;
    verb->expand = (struct expand_job){
        .placing = {.directory = options->output,
                    .replace = options->force,
                    .replace_until_ns = job_replace_until_ns(options),
                    .sync = options->fsync != FSYNC_NONE || options->remove_source},
        .tests = tests,
        .limits = {.bytes = options->max_total_bytes,
                   .members = options->max_members,
                   .ratio = options->max_ratio},
        .leaves_whole = to_stdout,
    };
    verb->out.placing = to_stdout ? NULL : &verb->expand.placing;
    verb->job.placing = &verb->expand.placing;
    verb->job.streams_output = verb->job.counts_in_sink = to_stdout;
    int error = tests ? archive_test_create(&verb->expand.limits, &verb->test) : 0;
    if (error)
        job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, error));
    return !error;
}

static bool plan(struct expand_verb *verb)
{
    struct job *job = &verb->job;
    const struct options *options = job->options;
    char error[256] = "";
    struct plan_request request = {
        .options = options,
        .read = &verb->read,
        .compress_stage = &expand_stage,
        .compress_job = &verb->expand,
        .shape = {.block_bytes = EXPAND_CHUNK_BYTES,
                  .files_max = FILES_MAX,
                  .overhead_bytes = OVERHEAD_BYTES},
        .output_bytes = expand_output_bytes,
        .every_chunk = true,
        .sink = take_batch,
        .sink_context = verb,
        .first_path = options->operands.count ? options->operands.items[0] : NULL,
    };
    if (plan_make(&request, &job->plan, error, sizeof error)) {
        job_usage(job, "%s", error);
        return false;
    }
    verb->expand.shape = job->plan.shape;
    return true;
}

int verb_expand(const struct options *options)
{
    static struct expand_verb verb; /* large; one job a process */
    struct names *names = NULL;
    const char *failed_path = NULL;
    bool tests = options->verb == VERB_TEST;
    if (!job_begin(&verb.job, options, tests ? "test" : "decompress",
                   tests ? "tested" : "decompressed") ||
        !choose_output(&verb) || !plan(&verb))
        return job_end(&verb.job);
    verb.job.cutter = &expand_cutter;
    verb.job.is_exposed = true;
    int error = names_create(options, 0, verb.job.report, &names, &failed_path);
    if (error) {
        job_fatal(&verb.job, failed_path, fault_system(TM_OP_OPEN, error));
    } else if (job_make_output_directory(&verb.job) &&
               job_add_places(&verb.job, !verb.out.placing || tests)) {
        job_run(&verb.job, names_next, names, !options->recursive);
        verb.job.failed |= names_failed(names);
    }
    stream_out_drop(&verb.out);
    archive_test_destroy(verb.test);
    names_destroy(names);
    return job_end(&verb.job);
}
