/* How a job ends: statistics, summary, advice, exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/advice.h"
#include "cli/estimate.h"
#include "cli/events.h"
#include "cli/job.h"
#include "cli/signals.h"
#include "cli/watcher.h"
#include "pipeline/io_loop.h"
#include "pipeline/sync.h"
#include "stages/select.h"

static unsigned collect_stats(struct job *job, struct stage_stats *stats)
{
    unsigned count = 0;
    for (unsigned l = job->plan.graph.lane_count; l-- > 0;) {
        struct tm_lane *lane = graph_lane(job->graph, l);
        for (unsigned s = 0; s < lane_stage_count(lane); s++) {
            struct stage_sample sample;
            lane_sample(lane, s, &sample);
            stats[count++] = (struct stage_stats){
                .name = sample.name,
                .model = model_name(sample.model),
                .workers = sample.workers,
                .depth = sample.depth,
                .bursts = sample.io == IO_SYNC,
                .hits = sample.hits,
                .misses = sample.misses,
                .items = sample.items,
                .bytes = sample.bytes,
                .busy_ns = sample.busy_ns,
                .wait_input_ns = sample.wait_input_ns,
                .wait_output_ns = sample.wait_output_ns,
                .queue_mean = sample.queue_mean,
                .queue_peak = sample.queue_peak,
                .queue_capacity = sample.has_queue ? sample.queue_capacity : 0,
                .restarts = sample.restarts,
                .why = job->plan.why[job->plan.kind[l][s]],
            };
        }
    }
    return count;
}

static int exit_status(const struct job *job)
{
    if (signals_caught())
        return 128 + signals_caught();
    if (job->failed)
        return EXIT_FATAL;
    if (job->differing || job->missing || job->malformed ||
        (job->extra && job->options->extra == EXTRA_FAIL))
        return EXIT_DIFFERS;
    if (report_error_count(job->report) || report_skipped_count(job->report) || job->changed)
        return EXIT_PARTLY;
    return EXIT_DONE;
}

void job_publish(struct job *job)
{
    int error = output_publish(job->output);
    if (error)
        job_fatal(job, output_name(job->output), fault_system(TM_OP_WRITE, error));
}

/* What the summary begins with. */
static const char *done_text(const struct job *job, char *text, size_t capacity)
{
    if (!job->failed || signals_caught())
        return job->done;
    snprintf(text, capacity, "failed: %s", job->done);
    return text;
}

static void put_out_stats(struct job *job, const struct stage_stats *stats, unsigned count)
{
    bool is_json = job->events || job->options->progress == PROGRESS_JSON;
    if (job->options->stats == STATS_TABLE && !is_json)
        report_stats(stderr, stats, count);
    if (job->options->stats == STATS_JSON) {
        struct json_writer json = {0};
        event_stats(&json, stats, count);
        report_json(job->report, &json);
        json_free(&json);
    }
}

/* The summary, for those who are to have it. */
static void conclude(struct job *job, int status, uint64_t elapsed_ns,
                     const struct stage_stats *stats, unsigned stat_count)
{
    char done[64];
    struct report_summary summary = {
        .verb = job->verb,
        .done = done_text(job, done, sizeof done),
        .files = job->files_good,
        .bytes = job->bytes_good,
        .output_bytes = atomic_load_explicit(&job->output_bytes, memory_order_relaxed),
        .errors = report_error_count(job->report) - job->errors_counted,
        .skipped = report_skipped_count(job->report),
        .differing = job->differing,
        .missing = job->missing,
        .extra = job->extra,
        .elapsed_ns = elapsed_ns,
        .exit_status = status,
        .interrupted = signals_caught() != 0,
        .stages = stat_count ? stats : NULL,
        .stage_count = stat_count,
    };
    if ((job->graph || job->is_listed) && (!job->failed || job->files_good))
        report_summary(job->report, &summary);
    if (job->watcher) {
        struct json_writer json = {0};
        event_summary(&json, &summary);
        watcher_write_last(job->watcher, &json);
        json_free(&json);
    }
}

static uint64_t cpu_ns(const struct rusage *usage)
{
    uint64_t seconds = (uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec;
    uint64_t microseconds = (uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec;
    return seconds * 1000000000 + microseconds * 1000;
}

/* The job's last word, with -v: what would have been faster, if anything is known to be. */
static void advise(struct job *job, uint64_t elapsed_ns, const struct stage_stats *stats,
                   unsigned count)
{
    char text[ADVICE_BYTES];
    struct rusage own, children;
    if (!job->options->verbose || getrusage(RUSAGE_SELF, &own) ||
        getrusage(RUSAGE_CHILDREN, &children))
        return;
    struct advice_job facts = {
        .elapsed_ns = elapsed_ns,
        .cpu_ns = cpu_ns(&own) + cpu_ns(&children),
        .cpus = job->plan.cpus.usable,
        .files = job->files_good,
        .bytes = job->bytes_good,
        .largest_bytes = job->largest_bytes,
        .is_rotational = job->plan.is_rotational,
        .is_keyed = job->options->verb == VERB_DECOMPRESS || job->options->verb == VERB_TEST,
        .has_uring = io_uring_engine.probe(text, sizeof text) == 0,
    };
    for (unsigned l = job->plan.graph.lane_count, at = 0; l-- > 0;)
        for (unsigned s = 0; s < lane_stage_count(graph_lane(job->graph, l)); s++, at++) {
            facts.kind[at] = job->plan.kind[l][s];
            facts.is_fused[at] = job->plan.graph.lane[l].stage[s].fused;
        }
    if (advice_text(&facts, stats, count, text, sizeof text))
        report_note(job->report, NULL, "%s", text);
}

int job_end(struct job *job)
{
    struct stage_stats stats[2 * LANE_STAGES_MAX];
    unsigned stat_count = job->graph ? collect_stats(job, stats) : 0;
    int status = job->report ? exit_status(job) : EXIT_FATAL;
    uint64_t elapsed_ns = clock_ns() - job->started_ns - progress_stopped_ns(job->progress);
    progress_finish(job->progress);
    if (stat_count)
        put_out_stats(job, stats, stat_count);
    if (job->report)
        conclude(job, status, elapsed_ns, stats, stat_count);
    if (stat_count && status <= 128)
        advise(job, elapsed_ns, stats, stat_count);
    int events_error = job->events ? events_finish(job->events) : 0;
    if (events_error && status != EXIT_FATAL && status <= 128) {
        report_error_text(job->report, "standard output", "write", "%s", strerror(-events_error));
        status = EXIT_FATAL;
    }
    output_discard(job->output);
    job_free_places(job);
    graph_destroy(job->graph);
    if (estimate_destroy(job->estimate))
        selection_destroy(job->selection);
    report_destroy(job->report);
    events_destroy(job->events);
    watcher_destroy(job->watcher);
    return status;
}
