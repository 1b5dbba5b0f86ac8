/* Watching a job: what the display is fed with, and the count of files that runs ahead. */
#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <unistd.h>

#include "cli/estimate.h"
#include "cli/events.h"
#include "cli/job.h"
#include "cli/signals.h"
#include "cli/watcher.h"
#include "stages/count.h"

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void sample_stage(struct progress_snapshot *out, struct tm_lane *lane, unsigned number)
{
    struct stage_sample sample;
    lane_sample(lane, number, &sample);
    unsigned at = out->stage_count++;
    out->stage[at].name = sample.name;
    out->stage[at].busy_ns = sample.busy_ns;
    out->stage[at].workers = sample.workers;
    out->stage[at].queue_fill = sample.queue_count;
    out->stage[at].queue_capacity = sample.has_queue ? sample.queue_capacity : 0;
}

/* Whichever of walk and estimate has come farther. */
static void use_estimate(struct job *job, struct progress_snapshot *out)
{
    uint64_t files, bytes;
    if (out->totals_final) {
        estimate_stop(job->estimate);
        return;
    }
    out->totals_final = estimate_ask(job->estimate, &files, &bytes);
    out->files_total = files > out->files_total ? files : out->files_total;
    out->bytes_total = bytes > out->bytes_total ? bytes : out->bytes_total;
}

/* Bytes are done when they are hashed or compressed: a large file shows before its end. What is
 * decompressed to standard output is done in the sink. */
static uint64_t bytes_done(const struct job *job)
{
    struct tm_lane *lane = graph_lane(job->graph, LANE_DATA);
    uint64_t done = load(&job->sink_bytes);
    if (!job->counts_in_sink) {
        struct stage_sample sample;
        lane_sample(lane, job->plan.main_stage, &sample);
        done = sample.bytes;
    }
    return done + lane_live_bytes(lane);
}

/* What has no size before it has been read, and is not read to its end yet, may be of any. */
static bool lacks_size(const struct job *job, const struct progress_snapshot *out)
{
    bool reads_unsized =
        job_reads_standard_input(job->options) || job->options->special == SPECIAL_READ;
    return reads_unsized && !job->has_ended && out->files_done < out->files_total;
}

static void sample_bytes(struct job *job, struct progress_snapshot *out)
{
    out->bytes_done = bytes_done(job);
    /* What a dead worker had to leave comes twice, and what is read again begins anew: neither is a
     * reason to show less than before, or in the end another sum than that of the files. */
    if (job->has_ended && out->totals_final && out->files_done >= out->files_total)
        out->bytes_done = out->bytes_total;
    else if (out->bytes_done < job->shown_bytes)
        out->bytes_done = job->shown_bytes;
    job->shown_bytes = out->bytes_done;
}

static void sample_output(const struct job *job, struct progress_snapshot *out)
{
    out->output_bytes = load(&job->output_bytes) + load(&job->open_output_bytes);
    out->coded_bytes = load(&job->coded_bytes) + load(&job->open_coded_bytes);
}

static void sample_job(void *context, struct progress_snapshot *out)
{
    struct job *job = context;
    out->files_done = load(&job->files_done);
    out->files_total = load(&job->totals.files);
    out->bytes_total = load(&job->totals.bytes);
    out->totals_final = atomic_load_explicit(&job->totals.final, memory_order_relaxed);
    use_estimate(job, out);
    out->bytes_total += load(&job->unsized_bytes);
    out->totals_final = out->totals_final && !lacks_size(job, out);
    out->errors = report_error_count(job->report) + load(&job->found_wrong);
    out->in_work = &job->in_work;
    sample_bytes(job, out);
    sample_output(job, out);
    for (unsigned l = job->plan.graph.lane_count; l-- > 0;) { /* in the order of the flow */
        struct tm_lane *lane = graph_lane(job->graph, l);
        for (unsigned s = 0; s < lane_stage_count(lane); s++)
            sample_stage(out, lane, s);
    }
}

/* The bar has no place between the pieces of a stream of data, or events. */
static enum progress_mode choose_mode(const struct job *job)
{
    const struct options *options = job->options;
    enum progress_mode mode = (enum progress_mode)options->progress;
    bool gives_way =
        mode == PROGRESS_AUTO && (job->events || job->streams_output) && isatty(STDOUT_FILENO);
    return options->quiet || options->status || gives_way ? PROGRESS_NEVER : mode;
}

bool job_watch_begin(struct job *job)
{
    const struct options *options = job->options;
    struct json_writer json = {0};
    if (options->scan_first && !estimate_is_possible(options)) {
        job_usage(job, "--scan-first takes names twice: those of --files-from must be in a file");
        return false;
    }
    int error = options->progress_fd == PROGRESS_FD_NONE
                    ? 0
                    : watcher_create((int)options->progress_fd, &job->watcher);
    if (error)
        job_usage(job, "--progress-fd=%u: %s", options->progress_fd,
                  error == -EBADF ? "not open for writing" : strerror(-error));
    if (job->events) {
        event_start(&json, job->verb);
        events_write(job->events, &json);
    }
    if (job->watcher) {
        event_start(&json, job->verb);
        watcher_write(job->watcher, &json);
    }
    if (options->progress == PROGRESS_JSON && !options->quiet && !options->status) {
        event_start(&json, job->verb);
        report_json(job->report, &json);
    }
    json_free(&json);
    return !error;
}

/* The names of a manifest (verify) are not in the operands. */
static void create_estimate(struct job *job, const struct walk_setup *walk)
{
    const struct count_setup rules = {
        .selection = walk->selection,
        .follow_links = walk->follow_links,
        .one_file_system = walk->one_file_system,
        .read_special = walk->read_special,
        .all_kinds = walk->all_kinds,
        .finds_holes = walk->finds_holes,
        .directories_fail = walk->directories_fail,
        .left_out = walk->left_out,
        .left_out_count = walk->left_out_count,
    };
    if (job->options->verb != VERB_VERIFY)
        job->estimate = estimate_create(job->options, &rules, walk->finds_links);
    if (job->options->scan_first)
        estimate_begin(job->estimate);
}

void job_watch_start(struct job *job, struct walk_setup *walk)
{
    const struct options *options = job->options;
    struct progress_options progress = {
        .mode = choose_mode(job),
        .interval_ns = options->progress_interval_ns,
        .is_terminal = isatty(STDERR_FILENO),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .color = job_wants_color(options),
        .verb = job->verb,
        .report = job->report,
        .events = job->events,
        .watcher = job->watcher,
    };
    if (walk) {
        walk->in_work = &job->in_work;
        create_estimate(job, walk);
    }
    job->progress = progress_start(&progress, sample_job, job);
}

void job_watch_count(struct job *job)
{
    if (job->options->scan_first && !estimate_wait(job->estimate, signals_cancel_fd()) &&
        !graph_is_cancelled(job->graph))
        report_warning(job->report, NULL, "--scan-first: the files could not all be counted");
}

void job_watch_stop(struct job *job)
{
    estimate_stop(job->estimate);
    progress_stop(job->progress);
    job->has_ended = true;
}
