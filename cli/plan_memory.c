/* How much memory a job's items get: block size and number of slabs. */
#include "cli/plan_private.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pipeline/arena.h"
#include "stages/batch.h"

/* The largest block that keeps a job within its memory. On a source tree of 116,000 files blocks of
 * 1 MiB take 10 % less CPU time than those of 256 KiB: more small files are hashed together, and
 * fewer are large. Nothing of a manifest depends on it. */
#define BLOCK_BYTES_MAX (1024 * 1024)
#define BLOCK_BYTES_MIN (64 * 1024)

/* What a job takes if nothing is said. */
#define MEMORY_BYTES (40ULL * 1024 * 1024)

/* With many operations in flight each may need an item. Beyond this, items are only made when
 * --memory asks for it. */
#define LOOP_MEMORY_BYTES (128ULL * 1024 * 1024)

/* The same where the size of blocks is a part of the output's form: fewer items instead. */
#define FIXED_BLOCKS_MEMORY_BYTES (80ULL * 1024 * 1024)

/* Each worker has one item in hand and finds the next waiting; the rest absorbs the unevenness
 * between large files, whose chunks one worker takes in order, and small ones. */
#define ITEMS_PER_WORKER 4
#define ITEMS_SPARE      4
/* Every lane needs one item for each worker and one for the source, or workers idle for ever. */
#define ITEMS_MIN(workers) ((workers) + 1)
#define ITEMS_MORE_MAX     4096

/* The walk looks ahead in all directories on its path; one more is for the directory in need.
 * Where it lists them itself, asking ahead would gain nothing. */
#define SCAN_ITEMS        16
#define SCAN_ITEMS_INLINE 4

/* Jobs that take no more have it in large pages: they touch most of their slabs anyway, or what
 * they do not touch is little. On two CPUs decompressing one large file took 0.96 of the time then,
 * extracting a source tree 0.96, hashing 0.98. */
#define LARGE_PAGES_BYTES (112ULL * 1024 * 1024)

unsigned plan_lane_workers(const struct lane_setup *lane)
{
    unsigned workers = 0;
    for (unsigned s = 0; s < lane->stage_count; s++)
        if (!lane->stage[s].fused)
            workers += lane->stage[s].workers;
    return workers;
}

/* Items that the lane's loops can have in hand. */
static unsigned lane_in_flight(const struct lane_setup *lane)
{
    unsigned sum = 0;
    for (unsigned s = 0; s < lane->stage_count; s++)
        if (!lane->stage[s].fused)
            sum += lane->stage[s].workers * lane->stage[s].depth;
    return sum;
}

static uint64_t memory_wanted(const struct options *options)
{
    if (options->memory.bytes)
        return options->memory.bytes;
    if (!options->memory.percent)
        return 0;
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return total / 100 * options->memory.percent;
}

static void set_block(const struct plan_request *request, struct plan *plan, size_t bytes)
{
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    uint32_t files_max = plan->shape.files_max ? plan->shape.files_max : BATCH_FILES_DEFAULT;
    plan->shape = batch_shape_of(bytes, files_max, plan->shape.overhead_bytes);
    data->input_bytes = align_up(batch_input_bytes(&plan->shape), 4096);
    data->output_bytes = request->hash ? hash_output_bytes(request->hash, files_max) : 0;
    if (request->output_bytes)
        data->output_bytes += request->output_bytes(request->compress_job, &plan->shape);
    data->output_bytes = align_up(data->output_bytes + 1, CACHE_LINE_BYTES);
}

static size_t item_bytes(const struct lane_setup *lane)
{
    return lane->input_bytes + lane->output_bytes + sizeof(struct tm_item) + CACHE_LINE_BYTES;
}

static void choose_block(const struct plan_request *request, struct plan *plan, unsigned items,
                         uint64_t memory)
{
    size_t given = (size_t)request->options->block_size_bytes;
    if (!given)
        given = plan->shape.block_bytes;
    size_t bytes = given ? given : BLOCK_BYTES_MAX;
    set_block(request, plan, bytes);
    while (!given && bytes > BLOCK_BYTES_MIN &&
           items * item_bytes(&plan->graph.lane[LANE_DATA]) > memory)
        set_block(request, plan, bytes /= 2);
}

static int choose_memory(const struct plan_request *request, struct plan *plan, char *error,
                         size_t capacity)
{
    struct lane_setup *scan = &plan->graph.lane[LANE_SCAN];
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    bool scans_inline = scan->stage[0].model == MODEL_INLINE;
    unsigned workers = plan_lane_workers(data);
    unsigned items = workers * ITEMS_PER_WORKER + ITEMS_SPARE;
    unsigned in_flight = lane_in_flight(data);
    uint64_t wanted = memory_wanted(request->options);
    choose_block(request, plan, items + in_flight, wanted ? wanted : MEMORY_BYTES);
    if (!wanted) {
        uint64_t most = LOOP_MEMORY_BYTES / item_bytes(data);
        uint64_t fixed = FIXED_BLOCKS_MEMORY_BYTES / item_bytes(data);
        scan->items = (scans_inline ? SCAN_ITEMS_INLINE : SCAN_ITEMS) + plan_lane_workers(scan);
        if (request->shape.block_bytes && items > fixed)
            items = fixed > ITEMS_MIN(workers) + 1 ? (unsigned)fixed : ITEMS_MIN(workers) + 1;
        data->items = items + (in_flight < most ? in_flight : (uint32_t)most);
        return 0;
    }
    scan->items = SCAN_ITEMS_INLINE + plan_lane_workers(scan);
    data->items = ITEMS_MIN(workers);
    uint64_t least = graph_memory_bytes(&plan->graph);
    if (least > wanted) {
        snprintf(error, capacity,
                 "--memory: %u workers with blocks of %zu bytes need at least %lluM", workers,
                 plan->shape.block_bytes, (unsigned long long)(least >> 20) + 1);
        return -EINVAL;
    }
    uint64_t more = (wanted - least) / item_bytes(data);
    data->items += (uint32_t)(more < ITEMS_MORE_MAX ? more : ITEMS_MORE_MAX);
    return 0;
}

static void choose_pages(struct plan *plan)
{
    plan->graph.large_pages = graph_memory_bytes(&plan->graph) <= LARGE_PAGES_BYTES;
}

int plan_choose_memory(const struct plan_request *request, struct plan *plan, char *error,
                       size_t capacity)
{
    int result = choose_memory(request, plan, error, capacity);
    choose_pages(plan);
    return result;
}

/* What an item of an archive is likely to touch of its slabs, which are as large as they may ever
 * have to be: a block, what it was compressed to, and some text. */
#define ARCHIVE_ITEM_BYTES   (3ULL << 20)
#define ARCHIVE_MEMORY_BYTES (96ULL << 20)

int plan_archive_memory(const struct plan_archive_request *request, struct plan *plan, char *error,
                        size_t capacity)
{
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    unsigned workers = plan_lane_workers(data);
    size_t digests =
        request->hash ? hash_output_bytes(request->hash->hash, request->shape.files_max) : 0;
    plan->shape = request->shape;
    data->input_bytes = align_up(batch_input_bytes(&plan->shape), 4096);
    data->output_bytes = align_up(digests + request->output_bytes + 1, CACHE_LINE_BYTES);
    unsigned items = (workers ? 2 * workers : ITEMS_SPARE) + lane_in_flight(data);
    uint64_t wanted = memory_wanted(request->options);
    uint64_t most = (wanted ? wanted : ARCHIVE_MEMORY_BYTES) / ARCHIVE_ITEM_BYTES;
    if (items > most)
        items = most > ITEMS_MIN(workers) ? (unsigned)most : ITEMS_MIN(workers);
    data->items = items;
    choose_pages(plan);
    if (wanted && items * ARCHIVE_ITEM_BYTES > wanted) {
        snprintf(error, capacity, "--memory: %u workers need at least %lluM for an archive",
                 workers, items * ARCHIVE_ITEM_BYTES >> 20);
        return -EINVAL;
    }
    return 0;
}
