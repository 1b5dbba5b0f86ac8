#include "cli/job.h"

#include <errno.h>
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

bool job_wants_color(const struct options *options)
{
    const char *term = getenv("TERM");
    return options->color == COLOR_ALWAYS ||
           (options->color == COLOR_AUTO && isatty(STDERR_FILENO) &&
            !(term && strcmp(term, "dumb") == 0));
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
        .color = job_wants_color(options),
        .json = options->progress == PROGRESS_JSON,
        .events = job->events,
    };
    job->report = report_create(&report);
    if (!job->report || (options->json && !job->events)) {
        fputs("treemill: out of memory\n", stderr);
        job->failed = true;
        return false;
    }
    return job_watch_begin(job) && job_make_selection(job);
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
    if (arena_create(&arena, sizeof *plan, ARENA_SHARED) == 0) {
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

/* The walk as the source of a job. */
struct walk_source {
    enum walk_next (*next)(void *context, bool wait, struct walk_name *name);
    void *context;
    bool directories_fail;
};

static struct walk_setup walk_of(struct job *job, const struct walk_source *source)
{
    struct walk_setup walk = job_walk_setup(job, job->graph, &job->totals);
    walk.directories_fail = source->directories_fail;
    walk.next = source->next;
    walk.context = source->context;
    return walk;
}

static bool start_graph(struct job *job)
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
    }
    return !error;
}

/* Of `names` the walk is the source, else `source`. */
static bool run(struct job *job, const struct walk_source *names, int (*source)(void *context),
                void *context)
{
    struct walk_setup walk;
    if (!start_graph(job))
        return false;
    if (names)
        walk = walk_of(job, names);
    job_watch_start(job, names ? &walk : NULL);
    struct signals signals = {
        .graph = job->graph,
        .progress = job->progress,
        .temporary = job->output ? output_temporary(job->output) : NULL,
    };
    job_hear_signals(job, job->graph, &signals);
    job_watch_count(job);
    int error = names ? walk_run(&walk) : source(context);
    graph_finish(job->graph);
    signals_stop();
    job_watch_stop(job);
    job_report_failure(job, job->graph);
    if (error && error != -ECANCELED && !job->failed)
        job_fatal(job, NULL, fault_system(error == -ENOMEM ? TM_OP_MEMORY : TM_OP_READ, error));
    return !job->failed && !signals_caught();
}

bool job_run_source(struct job *job, int (*source)(void *context), void *context)
{
    return run(job, NULL, source, context);
}

bool job_run(struct job *job,
             enum walk_next (*next)(void *context, bool wait, struct walk_name *name),
             void *context, bool directories_fail)
{
    struct walk_source names = {next, context, directories_fail};
    return run(job, &names, NULL, NULL);
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
        job_add(&job->files_done, 1);
    if (file->flags & FILE_READ_ONCE && is_end) /* its size was not known before */
        job_add(&job->unsized_bytes, file->stat.size_bytes);
    if (!is_end)
        return false;
    if (fault_is_set(fault)) {
        if (file->flags & FILE_SKIPPED)
            report_skipped(job->report, path, fault);
        else
            job_report_fault(job, path, fault);
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
    if (job->largest_bytes < file->stat.size_bytes)
        job->largest_bytes = file->stat.size_bytes;
    return true;
}
