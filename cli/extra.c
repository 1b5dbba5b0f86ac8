#include "cli/extra.h"

#include <errno.h>
#include <string.h>

#include "cli/job.h"
#include "cli/manifests.h"
#include "cli/path_set.h"
#include "cli/signals.h"
#include "stages/batch.h"
#include "stages/scan.h"

struct finder {
    struct job *job;
    struct tm_graph *graph;
    const struct manifests *manifests;
    const struct path_set *known;
    int (*tell)(void *context, const char *path, size_t bytes, uint64_t size_bytes);
    void *context;
    bool named; /* the one name has been given */
};

static enum walk_next next_name(void *context, bool wait, struct walk_name *name)
{
    struct finder *finder = context;
    (void)wait;
    if (finder->named)
        return WALK_END;
    finder->named = true;
    *name = (struct walk_name){.text = ".", .bytes = 1, .attachment = ""};
    return WALK_NAME;
}

static int take_batch(void *context, const struct item_view *view)
{
    struct finder *finder = context;
    const struct batch *batch = batch_of(view);
    int error = 0;
    if (batch_is_chunk(view) && view->item->last)
        lane_stream_end(graph_lane(finder->graph, LANE_DATA), view->item->stream);
    if (batch_is_chunk(view) && !view->item->last)
        return 0;
    for (unsigned i = 0; i < batch->file_count && !error; i++) {
        const struct file_record *file = &batch->file[i];
        const char *path = batch_path(view, file);
        if (path_set_has(finder->known, path, file->path_bytes) ||
            manifests_include(finder->manifests, file->stat.device, file->stat.inode))
            continue;
        /* A special file is extra, too; an unreadable directory may hide any. */
        if (fault_is_set(file->fault) && !(file->flags & FILE_SKIPPED))
            report_error(finder->job->report, path, file->fault, NULL);
        else
            error = finder->tell(finder->context, path + 2, file->path_bytes - 2,
                                 file->stat.size_bytes);
    }
    return error;
}

/* Nothing is read: the walk's batches go to the sink as they are. */
static void pass_on(void *state, const struct item_view *view)
{
    (void)state;
    (void)view;
}

static const struct stage_ops pass_stage = {.name = "pass", .run = pass_on};

bool find_extra(struct job *job, const struct manifests *manifests, const struct path_set *known,
                int (*tell)(void *context, const char *path, size_t bytes, uint64_t size_bytes),
                void *context)
{
    struct finder finder = {job, NULL, manifests, known, tell, context, false};
    struct graph_setup setup = job->plan.graph;
    struct lane_setup *data = &setup.lane[LANE_DATA];
    data->stage_count = 1;
    data->stage[0] = (struct stage_setup){.ops = &pass_stage, .model = MODEL_INLINE};
    data->sink = take_batch;
    data->sink_context = &finder;
    data->items = 2;
    data->output_bytes = 64;
    struct walk_totals totals = {0};
    int error = graph_create(&setup, &finder.graph);
    if (!error)
        error = graph_start(finder.graph);
    if (!error) {
        struct signals signals = {.graph = finder.graph};
        struct walk_setup walk = {
            .graph = finder.graph,
            .scan_lane = graph_lane(finder.graph, LANE_SCAN),
            .data_lane = graph_lane(finder.graph, LANE_DATA),
            .block_bytes = job->plan.block_bytes,
            .selection = job->selection,
            .follow_links = job->options->dereference,
            .one_file_system = job->options->one_file_system,
            .next = next_name,
            .context = &finder,
            .totals = &totals,
        };
        signals_start(&signals);
        error = walk_run(&walk);
        graph_finish(finder.graph);
        signals_stop();
    }
    struct tm_fault fault;
    const char *path;
    bool failed = finder.graph && graph_failure(finder.graph, &fault, &path);
    if (failed)
        job_fatal(job, *path ? path : output_name(job->output), fault);
    else if (error && !signals_caught())
        job_fatal(job, NULL, fault_system(TM_OP_START, error));
    graph_destroy(finder.graph);
    return !error && !failed;
}
