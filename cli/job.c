#include "cli/job.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/estimate.h"
#include "cli/events.h"
#include "cli/input.h"
#include "cli/signals.h"
#include "pipeline/arena.h"
#include "pipeline/crash.h"
#include "pipeline/sync.h"
#include "stages/batch.h"
#include "stages/digest.h"
#include "stages/select.h"
#include "stages/shortage.h"

static bool wants_color(const struct options *options, bool is_terminal)
{
    return options->color == COLOR_ALWAYS || (options->color == COLOR_AUTO && is_terminal);
}

uint32_t job_algorithms(const struct options *options)
{
    uint32_t set = 0;
    for (size_t i = 0; i < options->algorithms.count; i++) {
        const char *name = options->algorithms.items[i];
        int id = digest_by_name(name, strlen(name));
        if (id >= 0)
            set |= 1u << id;
    }
    return set;
}

struct hash_job job_hash_setup(const struct options *options, uint32_t algorithms)
{
    /* For the verbs that compress, --engine is about that. */
    bool is_about_digests = options->verb == VERB_HASH || options->verb == VERB_VERIFY;
    enum digest_engine engine =
        is_about_digests ? (enum digest_engine)options->engine : DIGEST_ENGINE_AUTO;
    return (struct hash_job){
        .algorithms = algorithms,
        .engine = engine,
        .pairs = digest_likes_pairs(algorithms, engine),
        .on_change = options->on_change == CHANGE_WARN   ? ON_CHANGE_WARN
                     : options->on_change == CHANGE_FAIL ? ON_CHANGE_FAIL
                                                         : ON_CHANGE_RETRY,
        .retries = options->on_change_retries,
    };
}

void job_usage(struct job *job, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    job->failed = true;
    report_error_text(job->report, NULL, NULL, "%s", text);
}

void job_fatal(struct job *job, const char *path, struct tm_fault fault)
{
    job->failed = true;
    report_error(job->report, path, fault, NULL);
}

bool job_begin(struct job *job, const struct options *options, const char *verb, const char *done)
{
    *job = (struct job){.options = options, .verb = verb, .done = done, .started_ns = clock_ns()};
    if (options->json)
        job->events = events_create(stdout);
    struct report_options report = {
        .program = "treemill",
        .fd = STDERR_FILENO,
        .quiet = options->quiet,
        .silent = options->status,
        .verbose = options->verbose,
        .color = wants_color(options, isatty(STDERR_FILENO)),
        .json = options->progress == PROGRESS_JSON,
        .events = job->events,
    };
    job->report = report_create(&report);
    if (!job->report || (options->json && !job->events)) {
        fputs("treemill: out of memory\n", stderr);
        job->failed = true;
        return false;
    }
    if (job->events) {
        struct json_writer json = {0};
        event_start(&json, verb);
        events_write(job->events, &json);
        json_free(&json);
    }
    return job_make_selection(job);
}

/* Progress. */

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

static void sample_job(void *context, struct progress_snapshot *out)
{
    struct job *job = context;
    out->files_done = atomic_load_explicit(&job->files_done, memory_order_relaxed);
    out->bytes_done = atomic_load_explicit(&job->stdin_bytes, memory_order_relaxed);
    out->files_total = atomic_load_explicit(&job->totals.files, memory_order_relaxed);
    out->bytes_total = atomic_load_explicit(&job->totals.bytes, memory_order_relaxed);
    out->totals_final = atomic_load_explicit(&job->totals.final, memory_order_relaxed);
    use_estimate(job, out);
    out->errors = report_error_count(job->report);
    for (unsigned l = job->plan.graph.lane_count; l-- > 0;) {
        struct tm_lane *lane = graph_lane(job->graph, l);
        for (unsigned s = 0; s < lane_stage_count(lane); s++)
            sample_stage(out, lane, s);
    }
    /* Bytes are done when they are hashed or compressed: a large file shows before its end. What a
     * dead worker had to leave counts twice, which the display cuts to the total. */
    struct stage_sample sample;
    lane_sample(graph_lane(job->graph, LANE_DATA), job->plan.main_stage, &sample);
    out->bytes_done += sample.bytes;
}

static void start_progress(struct job *job)
{
    const struct options *options = job->options;
    struct progress_options progress = {
        .mode = options->quiet || options->status ? PROGRESS_NEVER
                                                  : (enum progress_mode)options->progress,
        .interval_ns = options->progress_interval_ns,
        .is_terminal = isatty(STDERR_FILENO),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .color = wants_color(options, isatty(STDERR_FILENO)),
        .verb = job->verb,
        .report = job->report,
        .events = job->events,
    };
    job->progress = progress_start(&progress, sample_job, job);
}

/* Running. */

static void note_plan(struct job *job)
{
    for (unsigned l = job->plan.graph.lane_count; l-- > 0;) { /* in the order of the flow */
        const struct lane_setup *lane = &job->plan.graph.lane[l];
        for (unsigned s = 0; s < lane->stage_count; s++) {
            const struct stage_setup *stage = &lane->stage[s];
            char spec[PLAN_SPEC_BYTES];
            bool is_confined = lane_confinement(graph_lane(job->graph, l), s) != CONFINE_NONE;
            report_note(job->report, NULL, "%s: %s%s%s (%s)", stage->ops->name,
                        plan_spec(stage, spec), stage->fused ? " with the stage before" : "",
                        is_confined ? ", confined" : "", job->plan.why[job->plan.kind[l][s]]);
        }
    }
    report_note(job->report, NULL, "memory: %.1f MB shared, %u batches of %zu bytes",
                (double)graph_memory_bytes(&job->plan.graph) / 1e6,
                job->plan.graph.lane[LANE_DATA].items, job->plan.shape.block_bytes);
}

/* $TREEMILL_CRASH kills workers at marked points, in developer builds only. */
static void arm_crash_points(struct job *job)
{
#ifdef TREEMILL_CRASH_POINTS
    static struct crash_plan *plan;
    const char *text = getenv("TREEMILL_CRASH");
    if (!text)
        return;
    static struct tm_arena arena;
    if (arena_create(&arena, sizeof *plan) == 0) {
        plan = arena_take(&arena, sizeof *plan, CACHE_LINE_BYTES);
        if (crash_plan_parse(plan, text))
            job_usage(job, "TREEMILL_CRASH: no such point in '%s'", text);
        crash_set_plan(plan);
    }
#else
    (void)job;
#endif
}

struct walk_setup job_walk_setup(const struct job *job, struct tm_graph *graph,
                                 struct walk_totals *totals)
{
    return (struct walk_setup){
        .graph = graph,
        .scan_lane = graph_lane(graph, LANE_SCAN),
        .data_lane = graph_lane(graph, LANE_DATA),
        .shape = job->plan.shape,
        .selection = job->selection,
        .follow_links = job->options->dereference,
        .one_file_system = job->options->one_file_system,
        .read_special = job->options->special == SPECIAL_READ,
        .all_kinds = job->all_kinds,
        .finds_links = job->finds_links,
        .streams_input = job->streams_input,
        .cutter = job->cutter,
        .finds_holes = job->finds_holes,
        .left_out = job->left_out,
        .left_out_count = job->left_out_count,
        .totals = totals,
    };
}

void job_hear_signals(struct job *job, struct tm_graph *graph, const struct signals *signals)
{
    job->start_error = signals_start(signals);
    job->lacking = shortage_lacking();
    if (job->start_error || job->lacking)
        graph_cancel(graph);
}

void job_report_failure(struct job *job, struct tm_graph *graph)
{
    struct tm_fault fault;
    const char *path;
    if (graph_failure(graph, &fault, &path)) {
        const char *name = *path ? path : NULL;
        if (!name && job->output)
            name = output_name(job->output);
        else if (!name && job->events && fault.operation == TM_OP_WRITE)
            name = "standard output"; /* where events go, whatever else does */
        job_fatal(job, name, fault);
    } else if (job->start_error) {
        job_fatal(job, NULL, fault_system(TM_OP_START, job->start_error));
    } else if (job->lacking) {
        job_usage(job, "too few open files are allowed: at least %u more are needed (ulimit -n)",
                  job->lacking);
    }
}

bool job_run_source(struct job *job, int (*source)(void *context), void *context)
{
    arm_crash_points(job);
    if (!job_enter_sandbox(job))
        return false;
    int error = graph_create(&job->plan.graph, &job->graph);
    if (error) {
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, error));
        return false;
    }
    note_plan(job);
    signals_block();
    error = graph_start(job->graph); /* forks: no thread may exist before */
    if (error) {
        job_report_failure(job, job->graph);
        if (!job->failed)
            job_fatal(job, NULL, fault_system(TM_OP_START, error));
        return false;
    }
    if (job->wants_estimate)
        job->estimate = estimate_create(job->options, job->selection);
    start_progress(job);
    struct signals signals = {
        .graph = job->graph,
        .progress = job->progress,
        .temporary = job->output ? output_temporary(job->output) : NULL,
    };
    job_hear_signals(job, job->graph, &signals);
    error = source(context);
    graph_finish(job->graph);
    signals_stop();
    estimate_stop(job->estimate);
    progress_stop(job->progress);
    job->progress = NULL;
    job_report_failure(job, job->graph);
    if (error && error != -ECANCELED && !job->failed)
        job_fatal(job, NULL, fault_system(error == -ENOMEM ? TM_OP_MEMORY : TM_OP_READ, error));
    return !job->failed && !signals_caught();
}

/* The walk as the source of a job. */
struct walk_source {
    struct job *job;
    enum walk_next (*next)(void *context, bool wait, struct walk_name *name);
    void *context;
    bool directories_fail;
};

static int run_walk(void *context)
{
    const struct walk_source *source = context;
    struct job *job = source->job;
    struct walk_setup walk = job_walk_setup(job, job->graph, &job->totals);
    walk.directories_fail = source->directories_fail;
    walk.next = source->next;
    walk.context = source->context;
    return walk_run(&walk);
}

bool job_run(struct job *job,
             enum walk_next (*next)(void *context, bool wait, struct walk_name *name),
             void *context, bool directories_fail)
{
    struct walk_source source = {job, next, context, directories_fail};
    job->wants_estimate = !directories_fail; /* else the names are what a manifest lists */
    return job_run_source(job, run_walk, &source);
}

void job_stop(struct job *job)
{
    graph_cancel(job->graph);
    input_stop(); /* the walk may be waiting there for the next name */
}

int job_end_batch(struct job *job, const struct item_view *view, int error)
{
    if (batch_is_chunk(view) && view->item->last)
        lane_stream_end(graph_lane(job->graph, LANE_DATA), view->item->stream);
    if (error)
        input_stop(); /* the walk need not wait for a next name */
    return error;
}

/* Of an archive the items are chunks, the records members of it. */
static bool is_end_of_file(const struct job *job, const struct item_view *view,
                           const struct file_record *file)
{
    if (job->takes_members) /* a piece that fails is the last of its file that matters */
        return !(file->flags & FILE_PIECE) || file->flags & FILE_PIECE_LAST ||
               fault_is_set(file->fault);
    return !batch_is_chunk(view) || view->item->last;
}

bool job_take_record(struct job *job, const struct item_view *view, const struct file_record *file)
{
    bool is_left_out = job->takes_members && file->flags & FILE_SKIPPED;
    bool is_note = file->flags & FILE_NOT_FILE ||
                   (is_left_out && !fault_is_set(file->fault)); /* or the rest of what has failed */
    bool is_end = is_end_of_file(job, view, file);
    const char *path = batch_path(view, file);
    struct tm_fault fault = fault_is_set(view->item->fault) ? view->item->fault : file->fault;
    if (!is_note && is_end)
        atomic_fetch_add_explicit(&job->files_done, 1, memory_order_relaxed);
    if (file->flags & FILE_READ_ONCE) /* its size was not known before */
        atomic_fetch_add_explicit(&job->stdin_bytes, file->stat.size_bytes, memory_order_relaxed);
    if (!is_end)
        return false;
    if (fault_is_set(fault)) {
        if (file->flags & FILE_SKIPPED)
            report_skipped(job->report, path, fault);
        else
            report_error(job->report, path, fault,
                         lane_stage_name(graph_lane(job->graph, LANE_DATA), fault.stage));
        if (job->options->fail_fast && !(file->flags & FILE_SKIPPED)) {
            job->failed |= job->fail_fast_is_fatal;
            job_stop(job);
        }
        return false;
    }
    if (is_note)
        return false;
    if (file->flags & FILE_CHANGED) {
        job->changed++;
        report_warning(job->report, path, "changed while being read");
    }
    job->files_good++;
    job->bytes_good += file->stat.size_bytes;
    return true;
}

/* Ending. */

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

int job_end(struct job *job)
{
    struct stage_stats stats[2 * LANE_STAGES_MAX];
    unsigned stat_count = 0;
    int status = job->report ? exit_status(job) : EXIT_FATAL;
    if (job->graph)
        stat_count = collect_stats(job, stats);
    if (stat_count && job->options->stats && !job->events)
        report_stats(stderr, stats, stat_count);
    if ((job->graph || job->is_listed) && (!job->failed || job->files_good)) {
        char done[64];
        struct report_summary summary = {
            .verb = job->verb,
            .done = done_text(job, done, sizeof done),
            .files = job->files_good,
            .bytes = job->bytes_good,
            .output_bytes = job->output_bytes,
            .errors = report_error_count(job->report) - job->errors_counted,
            .skipped = report_skipped_count(job->report),
            .differing = job->differing,
            .missing = job->missing,
            .extra = job->extra,
            .elapsed_ns = clock_ns() - job->started_ns,
            .exit_status = status,
            .interrupted = signals_caught() != 0,
            .stages = stat_count ? stats : NULL,
            .stage_count = stat_count,
        };
        report_summary(job->report, &summary);
    }
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
    return status;
}
