/* treemill create: names ─▶ walk ─▶ read ─▶ hash ─▶ compress ─▶ archive, and a manifest beside it.
 *
 * The workers make pieces of the archive; here they are put one after another, with what stands
 * around them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive_out.h"
#include "cli/coding.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/listing.h"
#include "cli/manifest_out.h"
#include "cli/names.h"
#include "cli/verbs.h"
#include "stages/digest.h"
#include "stages/links.h"
#include "stages/pack.h"

struct create_verb {
    struct options inputs; /* the options, their operands without the archive */
    struct job job;
    struct read_job read;
    struct hash_job hash;
    struct pack_job pack;
    struct store_job store;
    struct archive_out *archive;
    struct manifest_out *manifest; /* NULL: none is asked for */
    struct links *links;           /* tar: whether the first name of a file has its data */
    /* The large file whose chunks are coming. */
    bool stream_is_left_out;
    struct tm_fault stream_fault;
};

static const struct hash_job *hash_of(const struct create_verb *verb)
{
    return verb->inputs.manifest || verb->inputs.algorithms.count ? &verb->hash : NULL;
}

/* The sink. */

/* Other names of a file were sent off as such before it was known what would become of the first:
 * they may lead nowhere. */
static int follow_links(struct create_verb *verb, const struct item_view *view,
                        const struct file_record *file, bool is_good)
{
    bool is_other = file->flags & FILE_HARD_LINK;
    bool is_end = !batch_is_chunk(view) || view->item->last;
    const uint8_t note = is_good;
    const struct link_note *first;
    if (!verb->links || file->stat.links < 2 || !is_end ||
        (file->flags & FILE_NOT_FILE && !is_other))
        return 0;
    int error = links_meet(verb->links, &file->stat, &note, sizeof note, &first);
    if (!error && is_other && !(first && first->data[0]))
        report_error_text(verb->job.report, batch_path(view, file), "store",
                          "another name of a file that is not in the archive");
    return error;
}

static int take_record(struct create_verb *verb, const struct item_view *view, unsigned index)
{
    struct job *job = &verb->job;
    struct file_record *file = &batch_of(view)->file[index];
    if (batch_is_chunk(view) && fault_is_set(verb->stream_fault))
        file->fault = verb->stream_fault; /* of a chunk before the last, which alone is reported */
    if (file->fault.kind == TM_FAULT_OUTPUT) {
        report_warning(job->report, batch_path(view, file), "left out: it is what this job writes");
        return 0;
    }
    if (file->flags & FILE_NO_ATTRIBUTES)
        report_error_text(job->report, batch_path(view, file), "read",
                          "extended attributes are left out: too many, or not readable");
    bool is_good = job_take_record(job, view, file);
    bool is_link = file->flags & FILE_HARD_LINK && !fault_is_set(file->fault) &&
                   !fault_is_set(view->item->fault);
    int error = follow_links(verb, view, file, is_good);
    if (!error && (is_good || is_link))
        error = manifest_out_add(verb->manifest, view, index, true);
    return is_good && !error && job->events ? job_send_event(job, hash_of(verb), view, index)
                                            : error;
}

/* What became of the file that the chunk is a part of. True: the chunk's piece belongs into the
 * archive. */
static bool follow_stream(struct create_verb *verb, const struct item_view *view)
{
    const struct file_record *file = &batch_of(view)->file[0];
    bool item_failed = fault_is_set(view->item->fault);
    struct tm_fault fault = item_failed ? view->item->fault : file->fault;
    if (view->item->chunk == 0) {
        verb->stream_fault = TM_NO_FAULT;
        verb->stream_is_left_out = fault_is_set(fault);
    }
    if (fault_is_set(fault) && !fault_is_set(verb->stream_fault))
        verb->stream_fault = fault;
    bool wants_all = verb->inputs.on_change == CHANGE_FAIL && file->flags & FILE_CHANGED;
    if (!verb->stream_is_left_out && (item_failed || wants_all)) {
        /* Its header and first chunks are written: there is no going back. */
        job_fatal(&verb->job, batch_path(view, file),
                  wants_all ? fault_of(TM_FAULT_CHANGED) : fault);
        job_stop(&verb->job);
    }
    return !verb->stream_is_left_out;
}

/* For the display: how large the archive is so far, and what went into it. */
static void show_size(struct create_verb *verb, const struct item_view *view)
{
    atomic_store_explicit(&verb->job.output_bytes, archive_out_bytes(verb->archive),
                          memory_order_relaxed);
    if (verb->pack.is_compressed)
        job_add(&verb->job.coded_bytes, view->item->bytes);
}

static int take_batch(void *context, const struct item_view *view)
{
    struct create_verb *verb = context;
    const struct batch *batch = batch_of(view);
    bool is_wanted =
        batch_is_chunk(view) ? follow_stream(verb, view) : !fault_is_set(view->item->fault);
    int error = 0;
    archive_out_skip(verb->archive, view);
    if (is_wanted && !verb->job.failed) {
        error = archive_out_add(verb->archive, view);
        show_size(verb, view);
    }
    for (unsigned i = 0; i < batch->file_count && !error && !verb->job.failed; i++)
        error = take_record(verb, view, i);
    return job_end_batch(&verb->job, view, error);
}

/* Before and after. */

static bool open_outputs(struct create_verb *verb)
{
    if (strcmp(verb->inputs.output, "-") == 0 && isatty(STDOUT_FILENO)) {
        job_usage(&verb->job, "an archive is not written to a terminal");
        return false;
    }
    if (!job_open_output(&verb->job, verb->inputs.output, &verb->job.output))
        return false;
    return !verb->inputs.manifest || manifest_out_open(&verb->job, &verb->hash, &verb->manifest);
}

/* Once the output is open: one that is no regular file is written in order, by the sink itself. */
static bool plan(struct create_verb *verb)
{
    struct job *job = &verb->job;
    const struct options *options = &verb->inputs;
    char text[160], error_text[256] = "";
    const struct hash_job *hash = hash_of(verb);
    struct plan_request request = {
        .options = options,
        .read = &verb->read,
        .hash = hash ? &verb->hash : NULL,
        .compress_stage = &pack_stage,
        .compress_job = &verb->pack,
        .shape = {.block_bytes = coding_block_bytes(&verb->pack.codec.request),
                  .files_max = BATCH_FILES_MAX,
                  .overhead_bytes = pack_overhead_bytes(&verb->pack)},
        .output_bytes = pack_output_bytes,
        .every_chunk = true,
        .sink = take_batch,
        .sink_context = verb,
        .first_path = options->operands.count ? options->operands.items[0] : NULL,
    };
    int fd = job->output ? output_placed_fd(job->output) : -1;
    if (fd >= 0) {
        request.write_stage = &store_stage;
        request.write_job = &verb->store;
        request.write_after_order = true;
    }
    if (verb->pack.is_compressed) {
        codec_plan_describe(&verb->pack.codec, text, sizeof text);
        request.compress_text = text;
    }
    if (plan_make(&request, &job->plan, error_text, sizeof error_text)) {
        job_usage(job, "%s", error_text);
        return false;
    }
    verb->pack.shape = job->plan.shape;
    verb->pack.output_start = hash ? hash_output_bytes(hash, job->plan.shape.files_max) : 0;
    verb->store = (struct store_job){
        .fd = fd,
        .ticket_offset = verb->pack.output_start + offsetof(struct packed, ticket),
    };
    return true;
}

static bool prepare(struct create_verb *verb)
{
    const struct options *options = &verb->inputs;
    char error_text[256];
    uint32_t algorithms = job_algorithms(options);
    verb->hash = job_hash_setup(options, algorithms ? algorithms : 1u << DIGEST_SHA256);
    verb->read =
        (struct read_job){.on_change = verb->hash.on_change, .retries = verb->hash.retries};
    verb->job.fail_fast_is_fatal = true;
    verb->job.all_kinds = true;
    verb->job.sandbox.looks_up_names = !options->numeric_owner && !options->reproducible;
    if (job_reads_standard_input(options)) {
        job_usage(&verb->job, "standard input cannot be a member; a file of that name is ./-");
        return false;
    }
    if (!options->dry_run && !job_check_outputs(&verb->job, strcmp(options->output, "-") == 0))
        return false;
    if (archive_out_choose(options, &verb->pack, error_text, sizeof error_text)) {
        job_usage(&verb->job, "%s", error_text);
        return false;
    }
    verb->job.finds_links = verb->job.finds_holes = verb->pack.format == PACK_TAR;
    if (verb->job.finds_links && !(verb->links = links_create())) {
        job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    return true;
}

/* --dry-run: the names that would be stored, one a line. */
static int list_entry(void *context, const char *path, const struct file_record *file)
{
    struct create_verb *verb = context;
    size_t bytes = file->path_bytes;
    if (fault_is_set(file->fault)) {
        if (file->flags & FILE_SKIPPED)
            report_skipped(verb->job.report, path, file->fault);
        else
            report_error(verb->job.report, path, file->fault, NULL);
        return 0;
    }
    pack_stored_path(&path, &bytes);
    int error = output_write(verb->job.output, path, bytes);
    return error ? error : output_write(verb->job.output, "\n", 1);
}

static void dry_run(struct create_verb *verb, struct names *names)
{
    struct output_options standard_output = {.report = verb->job.report};
    int error = output_open(&standard_output, &verb->job.output);
    if (error)
        job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, error));
    else if (list_names(&verb->job, names_next, names, list_entry, verb) && !names_failed(names))
        job_publish(&verb->job);
    else
        verb->job.failed = true;
}

static void run(struct create_verb *verb, struct names *names)
{
    struct job *job = &verb->job;
    int error = archive_out_create(&verb->pack, job->output, &verb->archive);
    if (!error)
        error = archive_out_begin(verb->archive);
    if (error) {
        job_fatal(job, output_name(job->output), fault_system(TM_OP_WRITE, error));
        return;
    }
    bool ended = job_run(job, names_next, names, false);
    job->failed |= names_failed(names);
    if (!ended || job->failed)
        return;
    error = archive_out_end(verb->archive);
    job->output_bytes = archive_out_bytes(verb->archive);
    if (error)
        job_fatal(job, output_name(job->output), fault_system(TM_OP_WRITE, error));
    else
        job_publish(job);
    if (!job->failed)
        manifest_out_publish(verb->manifest, job);
}

int verb_create(const struct options *options)
{
    static struct create_verb verb; /* large; one job a process */
    struct names *names = NULL;
    const char *failed_path = NULL;
    verb.inputs = *options;
    verb.inputs.output = options->operands.items[0];
    verb.inputs.operands.items++;
    verb.inputs.operands.count--;
    if (!job_begin(&verb.job, &verb.inputs, "create", "archived") ||
        !job_enter_directory(&verb.job) || !prepare(&verb))
        return job_end(&verb.job);
    int error =
        names_create(&verb.inputs, verb.hash.algorithms, verb.job.report, &names, &failed_path);
    if (error)
        job_fatal(&verb.job, failed_path, fault_system(TM_OP_OPEN, error));
    else if (options->dry_run && plan(&verb))
        dry_run(&verb, names);
    else if (!options->dry_run && open_outputs(&verb) && plan(&verb))
        run(&verb, names);
    names_destroy(names);
    archive_out_destroy(verb.archive);
    manifest_out_destroy(verb.manifest);
    links_destroy(verb.links);
    return job_end(&verb.job);
}
