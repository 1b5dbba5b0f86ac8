/* Building a graph: checking the set-up, dividing stages into groups, laying out the arena. */
#include "pipeline/graph_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct exec_model *const exec_models[MODEL_COUNT] = {
    [MODEL_INLINE] = &exec_inline,       [MODEL_THREADS] = &exec_threads,
    [MODEL_PROCESSES] = &exec_processes, [MODEL_URING] = &exec_uring,
    [MODEL_EPOLL] = &exec_epoll,
};

const char *model_name(enum model model)
{
    return (unsigned)model < MODEL_COUNT ? exec_models[model]->name : "unknown";
}

static bool joins_group_before(const struct lane_setup *lane, unsigned stage)
{
    return stage > 0 && lane->stage[stage].after_order == lane->stage[stage - 1].after_order &&
           (lane->stage[stage].model == MODEL_INLINE || lane->stage[stage].fused);
}

/* Behind the order: what was admitted last, and is not followed by what is not. No streams there:
 * who owns one is known of one queue only. */
static bool place_is_valid(const struct lane_setup *lane, unsigned number)
{
    const struct stage_setup *stage = &lane->stage[number];
    if (stage->after_order)
        return number > 0 && lane->sink && !stage->ops->keyed &&
               (!stage->fused || lane->stage[number - 1].after_order);
    return number == 0 || !lane->stage[number - 1].after_order;
}

static bool stage_is_valid(const struct lane_setup *lane, unsigned number)
{
    const struct stage_setup *stage = &lane->stage[number];
    if (!stage->ops || !stage->ops->name || (!stage->ops->run == !stage->ops->step))
        return false;
    if ((unsigned)stage->model >= MODEL_COUNT || !place_is_valid(lane, number))
        return false;
    if (stage->model == MODEL_INLINE)
        return true;
    if (stage->workers < 1)
        return false;
    bool needs_loop = stage->model == MODEL_URING || stage->model == MODEL_EPOLL;
    if ((stage->io == IO_SYNC) != (stage->depth == 0) || (needs_loop && stage->io == IO_SYNC) ||
        (stage->model == MODEL_THREADS && stage->io != IO_SYNC) ||
        (stage->depth && stage->workers > QUEUE_BELLS_MAX))
        return false;
    const struct stage_setup *before = stage - 1;
    return !stage->fused ||
           (number > 0 && before->model == stage->model && before->workers == stage->workers &&
            before->io == stage->io && before->depth == stage->depth);
}

/* Items that a worker of the group that begins with this stage may have in hand. */
static unsigned group_tasks(const struct lane_setup *lane, unsigned head)
{
    const struct stage_setup *stage = &lane->stage[head];
    if (stage->depth)
        return stage->depth;
    unsigned tasks = 1;
    for (unsigned s = head; s < lane->stage_count; s++) {
        if (s > head && !joins_group_before(lane, s))
            break;
        if (lane->stage[s].paired && lane->stage[s].ops->together && stage->model != MODEL_INLINE)
            tasks = 2;
    }
    return tasks;
}

static bool setup_is_valid(const struct graph_setup *setup)
{
    unsigned workers = 0;
    if (setup->lane_count < 1 || setup->lane_count > GRAPH_LANES_MAX)
        return false;
    for (unsigned l = 0; l < setup->lane_count; l++) {
        const struct lane_setup *lane = &setup->lane[l];
        if (lane->stage_count < 1 || lane->stage_count > LANE_STAGES_MAX || lane->items < 1 ||
            lane->items >= UINT16_MAX || (lane->every_chunk && !lane->sink))
            return false;
        for (unsigned s = 0; s < lane->stage_count; s++) {
            if (!stage_is_valid(lane, s) || lane->stage[s].workers > GRAPH_WORKERS_MAX)
                return false;
            workers += lane->stage[s].workers * group_tasks(lane, s) + 1;
        }
    }
    return workers <= GRAPH_WORKERS_MAX;
}

/* The worker slots that a lane takes: one for each task of each worker of each group. */
static unsigned lane_slot_count(const struct lane_setup *lane)
{
    unsigned slots = 0;
    for (unsigned s = 0; s < lane->stage_count; s++)
        if (!joins_group_before(lane, s))
            slots += lane->stage[s].model == MODEL_INLINE
                         ? 1
                         : lane->stage[s].workers * group_tasks(lane, s);
    return slots;
}

/* Those of the keyed group that may each have a stream: as many may be begun and not wholly
 * submitted. */
static unsigned keyed_workers(const struct lane_setup *lane)
{
    unsigned workers = 1;
    for (unsigned s = 0, head = 0; s < lane->stage_count; s++) {
        if (!joins_group_before(lane, s))
            head = s;
        if (lane->stage[s].ops->keyed && lane->stage[head].model != MODEL_INLINE)
            workers = lane->stage[head].workers * group_tasks(lane, head);
    }
    return workers;
}

/* A stream is in use until its last chunk reaches the sink: each that is wholly submitted has an
 * item for that, beside those that are not. */
static uint32_t lane_stream_count(const struct lane_setup *lane)
{
    return lane->items + keyed_workers(lane);
}

bool lane_delivers_every_chunk(const struct tm_lane *lane)
{
    return lane->setup.every_chunk;
}

unsigned lane_streams_max(const struct tm_lane *lane)
{
    return lane->setup.every_chunk ? 1 : keyed_workers(&lane->setup);
}

/* One to go on with at once, the others for the time that the source is busy elsewhere. */
#define BACKLOG_SPARE 4

unsigned lane_backlog_max(const struct tm_lane *lane)
{
    unsigned backlog = BACKLOG_SPARE;
    for (unsigned g = 0; g < lane->group_count; g++) {
        const struct tm_group *group = &lane->group[g];
        if (group->after_order || (!group->in_source && group->queue.state->keyed))
            break;
        if (!group->in_source)
            backlog += group->worker_count * group->tasks;
    }
    return backlog;
}

#define SLAB_ALIGNMENT 4096

size_t graph_memory_bytes(const struct graph_setup *setup)
{
    /* Each piece rounded up as arena_take() may do. */
    size_t bytes = align_up(sizeof(struct graph_shared), SLAB_ALIGNMENT);
    for (unsigned l = 0; l < setup->lane_count; l++) {
        const struct lane_setup *lane = &setup->lane[l];
        bytes += align_up(lane_slot_count(lane) * sizeof(struct worker_slot), SLAB_ALIGNMENT);
        bytes += align_up(lane->items * sizeof(struct tm_item), SLAB_ALIGNMENT);
        bytes += align_up(lane_stream_count(lane) * sizeof(struct tm_stream), SLAB_ALIGNMENT);
        bytes += (LANE_STAGES_MAX + 2) * align_up(sizeof(struct queue_state), SLAB_ALIGNMENT);
        bytes += align_up(lane->items * lane->input_bytes, SLAB_ALIGNMENT);
        bytes += align_up(lane->items * lane->output_bytes, SLAB_ALIGNMENT);
    }
    return bytes;
}

static struct tm_queue make_queue(struct tm_lane *lane, uint8_t id, bool keyed)
{
    struct tm_queue queue = {
        .state = arena_take(&lane->graph->arena, sizeof(struct queue_state), CACHE_LINE_BYTES),
        .items = lane->items,
        .item_count = lane->setup.items,
        .streams = keyed ? lane->streams : NULL,
        .stream_count = keyed ? lane->stream_count : 0,
    };
    queue_init(&queue, id, lane->setup.items, keyed);
    return queue;
}

/* What the neediest of the group's stages can do with. */
static enum confinement group_confinement(const struct tm_group *group)
{
    enum confinement least = CONFINE_COMPUTING;
    if (!group->exec->needs_nursery || group->io != IO_SYNC)
        return CONFINE_NONE;
    for (unsigned k = 0; k < group->stage_count; k++) {
        const struct stage_setup *stage = &group->lane->setup.stage[group->first_stage + k];
        enum confinement needed =
            stage->ops->confinement ? stage->ops->confinement(stage->job) : CONFINE_NONE;
        if (needed < least)
            least = needed;
    }
    return least;
}

static void build_groups(struct tm_lane *lane, uint8_t *queue_id)
{
    struct tm_graph *graph = lane->graph;
    for (unsigned s = 0; s < lane->setup.stage_count; s++) {
        const struct stage_setup *stage = &lane->setup.stage[s];
        if (joins_group_before(&lane->setup, s)) {
            lane->group[lane->group_count - 1].stage_count++;
            continue;
        }
        struct tm_group *group = &lane->group[lane->group_count++];
        bool inline_model = stage->model == MODEL_INLINE;
        *group = (struct tm_group){
            .lane = lane,
            .first_stage = s,
            .stage_count = 1,
            .in_source = inline_model && !stage->after_order,
            .in_sink = inline_model && stage->after_order,
            .after_order = stage->after_order,
            .exec = exec_models[stage->model],
            .worker_count = inline_model ? 1 : stage->workers,
            .io = stage->io,
            .burst = stage->model == MODEL_THREADS && stage->io == IO_SYNC ? stage->burst : 0,
            .tasks = inline_model ? 1 : group_tasks(&lane->setup, s),
            .first_slot = graph->slot_count,
        };
        lane->groups_before_order += !stage->after_order;
        for (unsigned t = 0; t < group->worker_count * group->tasks; t++)
            graph->slot_group[graph->slot_count++] = group;
    }
    for (unsigned g = 0; g < lane->group_count; g++) {
        struct tm_group *group = &lane->group[g];
        bool keyed = false;
        for (unsigned k = 0; k < group->stage_count; k++)
            keyed |= lane->setup.stage[group->first_stage + k].ops->keyed;
        if (graph->confines)
            group->confinement = group_confinement(group);
        if (!group_is_inline(group))
            group->queue = make_queue(lane, (*queue_id)++, keyed);
        if (g + 1 == lane->groups_before_order)
            group->output = &lane->done;
        else
            group->output = g + 1 < lane->group_count ? &lane->group[g + 1].queue : &lane->pool;
    }
}

/* The bells of the loops, before any fork. */
static int add_bells(struct tm_lane *lane)
{
    for (unsigned g = 0; g < lane->group_count; g++) {
        struct tm_group *group = &lane->group[g];
        for (unsigned w = 0; group->io != IO_SYNC && w < group->worker_count; w++) {
            int fd = queue_add_bell(&group->queue);
            if (fd < 0)
                return fd;
        }
    }
    return 0;
}

static void close_bells(struct tm_lane *lane)
{
    for (unsigned g = 0; g < lane->group_count; g++)
        if (lane->group[g].io != IO_SYNC)
            queue_close_bells(&lane->group[g].queue);
}

static void build_lane(struct tm_graph *graph, struct tm_lane *lane, const struct lane_setup *setup,
                       uint8_t *queue_id)
{
    struct tm_arena *arena = &graph->arena;
    *lane = (struct tm_lane){.graph = graph, .setup = *setup};
    lane->items = arena_take(arena, setup->items * sizeof(struct tm_item), CACHE_LINE_BYTES);
    lane->stream_count = lane_stream_count(setup);
    lane->streams =
        arena_take(arena, lane->stream_count * sizeof(struct tm_stream), CACHE_LINE_BYTES);
    lane->input = arena_take(arena, setup->items * setup->input_bytes, SLAB_ALIGNMENT);
    lane->output = arena_take(arena, setup->items * setup->output_bytes, SLAB_ALIGNMENT);
    lane->pool = make_queue(lane, (*queue_id)++, false);
    lane->done = make_queue(lane, (*queue_id)++, false);
    build_groups(lane, queue_id);
    for (uint32_t i = 0; i < setup->items; i++)
        ALWAYS(queue_put(&lane->pool, i) == QUEUE_OK);
}

static enum arena_kind arena_kind_of(const struct graph_setup *setup)
{
    for (unsigned l = 0; l < setup->lane_count; l++)
        for (unsigned s = 0; s < setup->lane[l].stage_count; s++)
            if (exec_models[setup->lane[l].stage[s].model]->needs_nursery)
                return ARENA_SHARED;
    return setup->large_pages ? ARENA_PRIVATE_LARGE : ARENA_PRIVATE;
}

int graph_create(const struct graph_setup *setup, struct tm_graph **out)
{
    *out = NULL;
    if (!setup_is_valid(setup))
        return -EINVAL;
    struct tm_graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return -ENOMEM;
    int error = arena_create(&graph->arena, graph_memory_bytes(setup), arena_kind_of(setup));
    if (error < 0) {
        free(graph);
        return error;
    }
    graph->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (graph->stop_fd < 0) {
        error = -errno;
        arena_destroy(&graph->arena);
        free(graph);
        return error;
    }
    graph->max_tries = setup->max_tries ? setup->max_tries : 2;
    graph->confines = setup->confines;
    graph->shared = arena_take(&graph->arena, sizeof *graph->shared, CACHE_LINE_BYTES);
    unsigned slots = 0;
    for (unsigned l = 0; l < setup->lane_count; l++)
        slots += lane_slot_count(&setup->lane[l]);
    graph->slot = arena_take(&graph->arena, slots * sizeof *graph->slot, CACHE_LINE_BYTES);
    uint8_t queue_id = 0;
    for (unsigned l = 0; l < setup->lane_count; l++)
        build_lane(graph, &graph->lane[graph->lane_count++], &setup->lane[l], &queue_id);
    for (unsigned l = 0; l < setup->lane_count && !error; l++)
        error = add_bells(&graph->lane[l]);
    if (error) {
        graph_destroy(graph);
        return error;
    }
    *out = graph;
    return 0;
}

void graph_destroy(struct tm_graph *graph)
{
    if (!graph)
        return;
    for (unsigned l = 0; l < graph->lane_count; l++)
        close_bells(&graph->lane[l]);
    close(graph->stop_fd);
    arena_destroy(&graph->arena);
    free(graph);
}

struct tm_lane *graph_lane(struct tm_graph *graph, unsigned index)
{
    return &graph->lane[index];
}

unsigned lane_stage_count(const struct tm_lane *lane)
{
    return lane->setup.stage_count;
}

const char *lane_stage_name(const struct tm_lane *lane, unsigned stage)
{
    return stage < lane->setup.stage_count ? lane->setup.stage[stage].ops->name : "work";
}

static unsigned group_number(const struct tm_lane *lane, unsigned stage)
{
    unsigned g = 0;
    while (stage >= lane->group[g].first_stage + lane->group[g].stage_count)
        g++;
    return g;
}

enum confinement lane_confinement(const struct tm_lane *lane, unsigned stage)
{
    return lane->group[group_number(lane, stage)].confinement;
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void lane_sample(struct tm_lane *lane, unsigned stage, struct stage_sample *sample)
{
    const struct stage_setup *setup = &lane->setup.stage[stage];
    struct tm_group *group = &lane->group[group_number(lane, stage)];
    unsigned k = stage - group->first_stage;
    unsigned burst = k == 0 ? group->burst : 0; /* the others of the group know nothing of it */
    unsigned depth = group->io == IO_SYNC ? burst : group->tasks;
    *sample = (struct stage_sample){.name = setup->ops->name,
                                    .model = setup->model,
                                    .fused = k > 0,
                                    .io = group->io,
                                    .depth = depth,
                                    .workers = group->worker_count};
    for (unsigned w = 0; w < group->worker_count; w++) {
        const struct worker_slot *slot =
            &lane->graph->slot[group->first_slot + w * group->tasks]; /* a loop's counts for all */
        sample->items += load(&slot->stage[k].items);
        sample->bytes += load(&slot->stage[k].bytes);
        sample->busy_ns += load(&slot->stage[k].busy_ns);
        if (k == 0) {
            sample->restarts += load(&slot->restarts);
            sample->wait_input_ns += load(&slot->wait_input_ns);
            sample->hits += load(&slot->io.hits);
            sample->misses += load(&slot->io.misses);
        }
        if (k == group->stage_count - 1)
            sample->wait_output_ns += load(&slot->wait_output_ns);
    }
    if (k == 0 && !group_is_inline(group)) {
        struct queue_stats stats = queue_get_stats(&group->queue);
        sample->has_queue = true;
        sample->queue_count = stats.count;
        sample->queue_capacity = stats.capacity;
        sample->queue_peak = stats.peak;
        sample->queue_mean = stats.mean;
    }
}

uint64_t lane_live_bytes(const struct tm_lane *lane)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < lane->setup.items; i++)
        bytes += load(&lane->items[i].live_bytes);
    return bytes;
}

bool graph_worker(const struct tm_graph *graph, unsigned number, const char **stage, int *pid)
{
    if (number >= graph->slot_count)
        return false;
    const struct tm_group *group = graph->slot_group[number];
    *stage = lane_stage_name(group->lane, group->first_stage);
    *pid = atomic_load_explicit(&graph->slot[number].pid, memory_order_relaxed);
    return true;
}
