#include "cli/listing.h"

#include "cli/job.h"
#include "cli/signals.h"
#include "pipeline/arena.h"

struct listing {
    struct job *job;
    struct tm_graph *graph;
    struct walk_totals totals;
    int (*take)(void *context, const char *path, const struct file_record *file);
    void *context;
};

static int take_batch(void *context, const struct item_view *view)
{
    struct listing *listing = context;
    const struct batch *batch = batch_of(view);
    int error = 0;
    if (batch_is_chunk(view)) {
        if (!view->item->last)
            return 0;
        lane_stream_end(graph_lane(listing->graph, LANE_DATA), view->item->stream);
    }
    for (unsigned i = 0; i < batch->file_count && !error; i++)
        error = listing->take(listing->context, batch_path(view, &batch->file[i]), &batch->file[i]);
    return error;
}

/* Nothing is read: the walk's batches go to the sink as they are. */
static void pass_on(void *state, const struct item_view *view)
{
    (void)state;
    (void)view;
}

static const struct stage_ops pass_stage = {.name = "pass", .run = pass_on};

/* What has been listed has been dealt with; no one waits for bytes. */
static void sample(void *context, struct progress_snapshot *out)
{
    struct listing *listing = context;
    out->files_total = atomic_load_explicit(&listing->totals.files, memory_order_relaxed);
    out->bytes_total = atomic_load_explicit(&listing->totals.bytes, memory_order_relaxed);
    out->files_done = out->files_total;
    out->bytes_done = out->bytes_total;
    out->errors = report_error_count(listing->job->report);
}

static int run(struct listing *listing, const struct walk_setup *walk)
{
    int error = graph_start(listing->graph);
    if (error)
        return error;
    /* Draws nothing: a status line for those who ask. */
    struct progress_options options = {
        .mode = PROGRESS_NEVER, .verb = listing->job->verb, .report = listing->job->report};
    struct progress *progress = progress_start(&options, sample, listing);
    struct signals signals = {.graph = listing->graph, .progress = progress};
    job_hear_signals(listing->job, listing->graph, &signals);
    error = walk_run(walk);
    graph_finish(listing->graph);
    signals_stop();
    progress_stop(progress);
    progress_finish(progress);
    return error;
}

bool list_names(struct job *job,
                enum walk_next (*next)(void *context, bool wait, struct walk_name *name),
                void *next_context,
                int (*take)(void *context, const char *path, const struct file_record *file),
                void *take_context)
{
    struct listing listing = {.job = job, .take = take, .context = take_context};
    struct graph_setup setup = job->plan.graph;
    struct lane_setup *data = &setup.lane[LANE_DATA];
    data->stage_count = 1;
    data->stage[0] = (struct stage_setup){.ops = &pass_stage, .model = MODEL_INLINE};
    data->sink = take_batch;
    data->sink_context = &listing;
    data->items = 2;
    data->output_bytes = CACHE_LINE_BYTES;
    if (!job_enter_sandbox(job))
        return false;
    signals_block();
    int error = graph_create(&setup, &listing.graph);
    if (!error) {
        struct walk_setup walk = job_walk_setup(job, listing.graph, &listing.totals);
        walk.next = next;
        walk.context = next_context;
        error = run(&listing, &walk);
    }
    if (listing.graph)
        job_report_failure(job, listing.graph);
    if (error && !job->failed && !signals_caught())
        job_fatal(job, NULL, fault_system(TM_OP_START, error));
    graph_destroy(listing.graph);
    return !error && !job->failed;
}
