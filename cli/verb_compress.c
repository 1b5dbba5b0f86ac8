/* treemill compress: names ─▶ walk ─▶ read ─▶ hash ─▶ compress ─▶ write: each file to one of its
 * own.
 *
 * Small files are written by the workers that compressed them. The chunks of a large one come here
 * in order and are put into its output. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/coding.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/manifest_out.h"
#include "cli/names.h"
#include "cli/stream_out.h"
#include "cli/verbs.h"
#include "stages/place.h"
#include "stages/squeeze.h"

struct compress_verb {
    struct job job;
    struct read_job read;
    struct hash_job hash;
    struct squeeze_job squeeze;
    struct place_job place;
    struct manifest_out *manifest;
    bool to_stdout;
    /* The large file whose chunks are coming. */
    struct stream_out out;
    struct codec_stream *stream;
    struct tm_fault fault; /* why it has no output */
    bool is_skipped;
    uint64_t input_bytes;
};

/* Large files. */

static void fail_stream(struct compress_verb *verb, struct tm_fault fault)
{
    if (!fault_is_set(verb->fault))
        verb->fault = fault;
    codec_stream_destroy(verb->stream);
    verb->stream = NULL;
    job_show_open(&verb->job, 0, 0);
    stream_out_drop(&verb->out);
}

static void begin_stream(struct compress_verb *verb, const char *path, size_t path_bytes)
{
    verb->input_bytes = 0;
    int error = stream_out_begin(&verb->out, path, path_bytes);
    enum tm_operation operation = TM_OP_CREATE;
    if (!error) {
        operation = TM_OP_WRITE;
        error = codec_stream_create(&verb->squeeze.codec, &verb->stream);
    }
    if (!error)
        error = codec_stream_begin(verb->stream, stream_out_write, &verb->out);
    if (error)
        fail_stream(verb, fault_system(operation, error));
}

static void end_stream(struct compress_verb *verb, const char *path, struct file_record *file)
{
    int error = codec_stream_end(verb->stream, stream_out_write, &verb->out);
    if (!error && verb->place.only_smaller && verb->out.bytes >= verb->input_bytes) {
        fail_stream(verb, fault_of(TM_FAULT_NOT_SMALLER));
        return;
    }
    uint64_t bytes = verb->out.bytes;
    if (!error)
        error = stream_out_publish(&verb->out, path, file);
    if (error)
        fail_stream(verb, fault_system(TM_OP_WRITE, error));
    job_show_open(&verb->job, 0, 0);
    if (!error) {
        job_add(&verb->job.output_bytes, bytes);
        job_add(&verb->job.coded_bytes, verb->input_bytes);
    }
    codec_stream_destroy(verb->stream);
    verb->stream = NULL;
}

static void take_chunk(struct compress_verb *verb, const struct item_view *view)
{
    struct file_record *file = &batch_of(view)->file[0];
    const char *path = batch_path(view, file);
    struct tm_fault fault = fault_is_set(view->item->fault) ? view->item->fault : file->fault;
    if (!fault_is_set(fault) && file->flags & FILE_CHANGED &&
        verb->job.options->on_change == CHANGE_FAIL)
        fault = fault_of(TM_FAULT_CHANGED);
    if (view->item->chunk == 0) {
        verb->fault = TM_NO_FAULT;
        verb->is_skipped = file->flags & FILE_SKIPPED;
        if (!fault_is_set(fault))
            begin_stream(verb, path, file->path_bytes);
    }
    if (fault_is_set(fault)) {
        if (verb->stream && verb->to_stdout) { /* its first part has gone out */
            job_fatal(&verb->job, path, fault);
            job_stop(&verb->job);
        }
        fail_stream(verb, fault);
    }
    if (verb->stream) {
        const struct squeezed *made = squeezed_of(&verb->squeeze, view, 0);
        int error =
            stream_out_write(&verb->out, view->output + verb->squeeze.output_start + made->start,
                             (size_t)made->bytes);
        if (!error)
            error = codec_stream_add(verb->stream, &made->block);
        verb->input_bytes += file->data_bytes;
        job_show_open(&verb->job, verb->input_bytes, verb->out.bytes);
        if (error)
            fail_stream(verb, fault_system(TM_OP_WRITE, error));
    }
    if (!view->item->last)
        return;
    if (verb->stream)
        end_stream(verb, path, file);
    file->fault = verb->fault;
    if (verb->is_skipped)
        file->flags |= FILE_SKIPPED;
}

/* The sink. */

static int take_record(struct compress_verb *verb, const struct item_view *view, unsigned index)
{
    struct job *job = &verb->job;
    struct file_record *file = &batch_of(view)->file[index];
    const char *path = batch_path(view, file);
    /* Below a directory such files are to be expected. */
    bool is_passed_over = file->fault.kind == TM_FAULT_NOT_SMALLER ||
                          (file->fault.kind == TM_FAULT_COMPRESSED && job->options->recursive);
    if (is_passed_over) {
        job_pass_over(job, view, file);
        return 0;
    }
    if (job_ends_by_write(job, view, file))
        return 0;
    if (!job_take_record(job, view, file))
        return 0;
    if (!batch_is_chunk(view)) {
        job_add(&job->output_bytes, squeezed_of(&verb->squeeze, view, index)->bytes);
        job_add(&job->coded_bytes, file->data_bytes);
    }
    int error = manifest_out_add(verb->manifest, view, index, false);
    if (!error && job->events)
        error = job_send_event(job, job->options->manifest ? &verb->hash : NULL, view, index);
    if (!error && job->options->remove_source)
        job_remove_source(job, &verb->place.placing, path, file);
    return error;
}

static int write_to_stdout(struct compress_verb *verb, const struct item_view *view)
{
    int error = 0;
    for (unsigned i = 0; i < batch_of(view)->file_count && !error; i++) {
        const struct file_record *file = &batch_of(view)->file[i];
        const struct squeezed *made = squeezed_of(&verb->squeeze, view, i);
        if (!fault_is_set(file->fault))
            error = stream_out_write(&verb->out,
                                     view->output + verb->squeeze.output_start + made->start,
                                     (size_t)made->bytes);
    }
    return error;
}

static int take_batch(void *context, const struct item_view *view)
{
    struct compress_verb *verb = context;
    int error = 0;
    if (batch_is_chunk(view))
        take_chunk(verb, view);
    else if (verb->to_stdout && !fault_is_set(view->item->fault))
        error = write_to_stdout(verb, view);
    for (unsigned i = 0; i < batch_of(view)->file_count && !error; i++)
        error = take_record(verb, view, i);
    return job_end_batch(&verb->job, view, error);
}

/* Before and after. */

static bool choose_output(struct compress_verb *verb)
{
    const struct options *options = verb->job.options;
    bool gzip = options->file_format == FILE_FORMAT_GZIP;
    verb->to_stdout = options->to_stdout || job_reads_standard_input(options);
    if (verb->to_stdout && (options->output || options->remove_source)) {
        job_usage(&verb->job, "standard output goes with neither --output nor --remove-source");
        return false;
    }
    if (verb->to_stdout && options->only_smaller) {
        job_usage(&verb->job, "--only-smaller needs output files: standard output has no way back");
        return false;
    }
    if (verb->to_stdout && !options->force && isatty(STDOUT_FILENO)) {
        job_usage(&verb->job, "compressed data is not written to a terminal (--force does it)");
        return false;
    }
    if (!job_check_outputs(&verb->job, verb->to_stdout))
        return false;
    verb->place = (struct place_job){
        .squeeze = &verb->squeeze,
        .placing = {.directory = options->output,
                    .suffix = options->suffix ? options->suffix
                              : gzip          ? ".gz"
                                              : ".zst",
                    .replace = options->force,
                    .replace_until_ns = job_replace_until_ns(options),
                    .sync = options->fsync != FSYNC_NONE || options->remove_source},
        .only_smaller = options->only_smaller,
    };
    if (!*verb->place.placing.suffix || strchr(verb->place.placing.suffix, '/')) {
        job_usage(&verb->job, "--suffix: a suffix is not empty and has no slash");
        return false;
    }
    verb->out.placing = verb->to_stdout ? NULL : &verb->place.placing;
    verb->job.placing = &verb->place.placing;
    verb->job.streams_output = verb->to_stdout;
    return true;
}

static bool choose_codec(struct compress_verb *verb)
{
    const struct options *options = verb->job.options;
    char error[256];
    struct codec_request request =
        coding_request(options, options->file_format == FILE_FORMAT_GZIP ? CODEC_GZIP : CODEC_ZSTD);
    if (codec_plan_make(&request, &verb->squeeze.codec, error, sizeof error)) {
        job_usage(&verb->job, "%s", error);
        return false;
    }
    if (options->single_member && options->remove_source) {
        job_usage(&verb->job, "--remove-source checks each block by itself, which the blocks of "
                              "--single-member do not allow");
        return false;
    }
    verb->squeeze.checks = options->remove_source;
    /* What an earlier run has made there is not compressed once more. */
    verb->squeeze.takes_compressed = options->force && !options->recursive;
    return true;
}

static bool plan(struct compress_verb *verb)
{
    struct job *job = &verb->job;
    const struct options *options = job->options;
    char text[160], error[256] = "";
    codec_plan_describe(&verb->squeeze.codec, text, sizeof text);
    struct plan_request request = {
        .options = options,
        .read = &verb->read,
        .hash = options->manifest ? &verb->hash : NULL,
        .compress_stage = &squeeze_stage,
        .compress_job = &verb->squeeze,
        .compress_text = text,
        .write_stage = verb->to_stdout ? NULL : &place_stage,
        .write_job = &verb->place,
        .shape = {.block_bytes = coding_block_bytes(&verb->squeeze.codec.request),
                  .files_max = BATCH_FILES_DEFAULT},
        .output_bytes = squeeze_output_bytes,
        .every_chunk = true,
        .sink = take_batch,
        .sink_context = verb,
        .first_path = options->operands.count ? options->operands.items[0] : NULL,
    };
    if (plan_make(&request, &job->plan, error, sizeof error)) {
        job_usage(job, "%s", error);
        return false;
    }
    verb->squeeze.shape = job->plan.shape;
    verb->squeeze.output_start =
        options->manifest ? hash_output_bytes(&verb->hash, job->plan.shape.files_max) : 0;
    return true;
}

static bool prepare(struct compress_verb *verb)
{
    uint32_t algorithms = job_algorithms(verb->job.options);
    verb->hash = job_hash_setup(verb->job.options, algorithms ? algorithms : 1u << DIGEST_SHA256);
    verb->read =
        (struct read_job){.on_change = verb->hash.on_change, .retries = verb->hash.retries};
    return choose_output(verb) && choose_codec(verb) && plan(verb) &&
           (!verb->job.options->manifest ||
            manifest_out_open(&verb->job, &verb->hash, &verb->manifest));
}

int verb_compress(const struct options *options)
{
    static struct compress_verb verb; /* large; one job a process */
    struct names *names = NULL;
    const char *failed_path = NULL;
    if (!job_begin(&verb.job, options, "compress", "compressed") || !prepare(&verb))
        return job_end(&verb.job);
    verb.job.streams_input = true;
    int error = names_create(options, verb.hash.algorithms, verb.job.report, &names, &failed_path);
    if (error) {
        job_fatal(&verb.job, failed_path, fault_system(TM_OP_OPEN, error));
    } else if (job_make_output_directory(&verb.job) && job_add_places(&verb.job, verb.to_stdout)) {
        bool ended = job_run(&verb.job, names_next, names, !options->recursive);
        verb.job.failed |= names_failed(names);
        if (ended && !verb.job.failed)
            manifest_out_publish(verb.manifest, &verb.job);
    }
    fail_stream(&verb, TM_NO_FAULT);
    names_destroy(names);
    manifest_out_destroy(verb.manifest);
    return job_end(&verb.job);
}
