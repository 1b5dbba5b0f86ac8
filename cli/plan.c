#include "cli/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/plan_private.h"
#include "pipeline/arena.h"
#include "stages/batch.h"
#include "stages/read.h"
#include "stages/scan.h"

/* Operations in flight of a stage with event loops: enough for devices that answer in
 * milliseconds, and few enough to stay in the cache where they answer at once. */
#define DEPTH_DEFAULT 64

/* From so many CPUs on directories are listed by threads of their own, up to so many. */
#define SCAN_CPUS_MIN 4
#define SCANNERS_MAX  8

/* From so many CPUs on one thread that writes may hold the others up. */
#define WRITE_CPUS_MIN 4
#define WRITERS        2

/* Threads, where most of the time goes by with waiting for a device. */
#define WAITING_WORKERS 16

static enum model engine_model(enum stage_model model)
{
    switch (model) {
    case STAGE_MODEL_INLINE:
        return MODEL_INLINE;
    case STAGE_MODEL_PROCESSES:
        return MODEL_PROCESSES;
    case STAGE_MODEL_URING:
        return MODEL_URING;
    case STAGE_MODEL_EPOLL:
        return MODEL_EPOLL;
    default:
        return MODEL_THREADS;
    }
}

static enum io_kind engine_io(const struct stage_spec *spec)
{
    if (spec->model == STAGE_MODEL_URING || spec->io == STAGE_IO_URING)
        return IO_URING;
    if (spec->model == STAGE_MODEL_EPOLL || spec->io == STAGE_IO_EPOLL)
        return IO_EPOLL;
    return IO_SYNC;
}

__attribute__((format(printf, 3, 4))) static void say_why(struct plan *plan, enum stage_kind stage,
                                                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plan->why[stage], sizeof plan->why[stage], format, arguments);
    va_end(arguments);
}

static const char *given_by(const struct stage_spec *spec)
{
    switch (spec->given_by) {
    case STAGE_BY_ENVIRONMENT:
        return "TREEMILL_STAGES";
    case STAGE_BY_STAGES:
        return "--stages";
    case STAGE_BY_FLAG:
        return "its flag";
    default:
        return "default";
    }
}

/* A loop for each worker. Of `uring:D,loops=L` D is the sum; of processes, depth= is each one's. */
static void choose_loops(struct plan_choice *chosen, const struct stage_spec *spec)
{
    bool is_model = spec->model == STAGE_MODEL_URING || spec->model == STAGE_MODEL_EPOLL;
    chosen->io = engine_io(spec);
    chosen->depth = 0;
    if (chosen->io == IO_SYNC)
        return;
    unsigned sum = spec->count ? spec->count : DEPTH_DEFAULT;
    if (is_model)
        chosen->workers = spec->loops ? spec->loops : 1;
    chosen->depth = is_model      ? (sum + chosen->workers - 1) / chosen->workers
                    : spec->depth ? spec->depth
                                  : DEPTH_DEFAULT;
    if (chosen->model == MODEL_THREADS)
        chosen->model = chosen->io == IO_URING ? MODEL_URING : MODEL_EPOLL;
}

struct plan_choice plan_choose(struct plan *plan, const struct options *options,
                               enum stage_kind stage, struct plan_choice automatic, const char *why)
{
    const struct stage_spec *spec = &options->stage[stage];
    if (spec->model == STAGE_MODEL_AUTO && !spec->count && engine_io(spec) == IO_SYNC) {
        say_why(plan, stage, "auto: %s", why);
        return automatic;
    }
    struct plan_choice chosen = automatic;
    if (spec->model != STAGE_MODEL_AUTO)
        chosen.model = engine_model(spec->model);
    else if (chosen.model == MODEL_INLINE)
        chosen.model = MODEL_THREADS;
    if (spec->count)
        chosen.workers = spec->count;
    if (chosen.model == MODEL_INLINE)
        chosen.workers = 0;
    else if (!chosen.workers)
        chosen.workers = 1;
    choose_loops(&chosen, spec);
    say_why(plan, stage, "%s%s", given_by(spec), spec->count ? "" : ", count chosen");
    return chosen;
}

void plan_set_stage(struct plan *plan, unsigned lane_number, enum stage_kind kind,
                    const struct stage_ops *ops, void *job, struct plan_choice choice)
{
    struct lane_setup *lane = &plan->graph.lane[lane_number];
    plan->kind[lane_number][lane->stage_count] = kind;
    lane->stage[lane->stage_count++] = (struct stage_setup){
        .ops = ops,
        .job = job,
        .model = choice.model,
        .workers = choice.workers,
        .io = choice.io,
        .depth = choice.depth,
    };
}

/* What is known of the place that is read from. */
struct source {
    bool is_rotational;
    const char *remote; /* name of its file system, or NULL */
    bool is_cold;       /* most of what was looked at is not in the page cache */
    unsigned misses, files;
};

static struct source look_at_source(const char *path)
{
    struct source source = {.is_rotational = device_is_rotational(path),
                            .remote = device_remote_name(path)};
    if (!source.is_rotational && !source.remote)
        source.is_cold = device_is_cold(path, &source.misses, &source.files);
    return source;
}

/* Listing costs about a tenth of a job. With few CPUs a thread for it alone costs more than it
 * gains: on two, a source tree took 12 % longer. */
static struct plan_choice choose_listing(const struct source *source, unsigned cpus,
                                         char text[static 96])
{
    bool waits = source->is_cold || source->remote;
    unsigned workers = waits ? SCANNERS_MAX : cpus / 2;
    snprintf(text, 96, waits ? "names and status are waited for" : "%u usable CPUs", cpus);
    if (!waits && cpus < SCAN_CPUS_MIN)
        return (struct plan_choice){.model = MODEL_INLINE};
    return (struct plan_choice){.model = MODEL_THREADS,
                                .workers = workers < SCANNERS_MAX ? workers : SCANNERS_MAX};
}

/* The stages that compute. */
static struct plan_choice choose_computing(const struct source *source,
                                           const struct options *options, unsigned cpus,
                                           char text[static 96])
{
    unsigned workers = options->threads ? options->threads : cpus;
    if (options->threads)
        snprintf(text, 96, "--threads");
    else if (source->is_cold && workers < WAITING_WORKERS)
        snprintf(text, 96, "of %u files looked at %u are not in the page cache", source->files,
                 source->misses);
    else
        snprintf(text, 96, "%u usable CPUs", cpus);
    if (source->is_cold && !options->threads && workers < WAITING_WORKERS)
        workers = WAITING_WORKERS;
    return (struct plan_choice){.model = MODEL_THREADS, .workers = workers};
}

/* Whether workers by this choice can be confined, which they cannot when they open files, too. */
static bool is_confined(const struct plan *plan, const struct stage_ops *ops, const void *job,
                        const struct plan_choice *choice)
{
    return plan->graph.confines && choice->model == MODEL_PROCESSES && choice->io == IO_SYNC &&
           ops->confinement && ops->confinement(job) != CONFINE_NONE;
}

/* Reading where nothing is said of it, and why; `next` is the stage after it. */
static struct plan_choice choose_reading(const struct source *source,
                                         const struct plan_choice *next, bool next_is_confined,
                                         char text[static 96])
{
    struct plan_choice one = {.model = MODEL_THREADS, .workers = 1};
    char why[64];
    if (source->is_rotational) {
        snprintf(text, 96, "one reader on a rotational disk");
        return one;
    }
    if (source->remote && io_uring_engine.probe(why, sizeof why) == 0) {
        snprintf(text, 96, "many reads in flight on %s", source->remote);
        return (struct plan_choice){
            .model = MODEL_URING, .workers = 1, .io = IO_URING, .depth = DEPTH_DEFAULT};
    }
    if (source->remote) {
        snprintf(text, 96, "many readers on %s; no io_uring: %s", source->remote, why);
        one.workers = WAITING_WORKERS;
        return one;
    }
    /* A loop works on one chunk of a large file after another where it also hashes them. */
    if (next->model == MODEL_INLINE || next->io != IO_SYNC) {
        snprintf(text, 96, "one reader feeds the stage after it");
        return one;
    }
    if (next_is_confined) {
        snprintf(text, 96, "processes of the stage after it open no files");
        return (struct plan_choice){.model = MODEL_THREADS, .workers = next->workers};
    }
    snprintf(text, 96,
             "in the worker of the stage after it, so that data stays in its core's cache");
    return *next;
}

static struct plan_choice choose_writing(const struct plan_request *request, unsigned cpus,
                                         const struct plan_choice *before, bool before_is_confined,
                                         char text[static 96])
{
    bool opens_files = !request->write_stage->confinement;
    if (!request->write_after_order && before_is_confined && opens_files) {
        snprintf(text, 96, "processes of the stage before it open no files");
        return (struct plan_choice){.model = MODEL_THREADS, .workers = before->workers};
    }
    if (!request->write_after_order) {
        snprintf(text, 96, "in the worker of the stage before it");
        return (struct plan_choice){.model = MODEL_INLINE};
    }
    if (cpus < WRITE_CPUS_MIN) {
        snprintf(text, 96, "in the thread that puts the pieces in order");
        return (struct plan_choice){.model = MODEL_INLINE};
    }
    snprintf(text, 96, "%u usable CPUs", cpus);
    return (struct plan_choice){.model = MODEL_THREADS, .workers = WRITERS};
}

/* One worker may do both. */
bool plan_is_same(const struct plan_choice *a, const struct plan_choice *b)
{
    return a->model != MODEL_INLINE && a->model == b->model && a->workers == b->workers &&
           a->io == b->io && a->depth == b->depth;
}

bool plan_is_auto(const struct options *options, enum stage_kind stage)
{
    const struct stage_spec *spec = &options->stage[stage];
    return spec->model == STAGE_MODEL_AUTO && !spec->count && engine_io(spec) == IO_SYNC;
}

/* The data lane's stages after reading. */
static void set_computing(const struct plan_request *request, struct plan *plan,
                          const struct source *source, struct plan_choice *first)
{
    const struct options *options = request->options;
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    char text[96];
    struct plan_choice automatic = choose_computing(source, options, plan->cpus.usable, text);
    struct plan_choice chosen = {.model = MODEL_INLINE};
    bool confined = false; /* the last stage so far */
    *first = chosen;
    plan->main_stage = data->stage_count;
    if (request->hash) {
        chosen = *first = plan_choose(plan, options, STAGE_HASH, automatic, text);
        plan_set_stage(plan, LANE_DATA, STAGE_HASH, &hash_stage, request->hash, chosen);
        data->stage[data->stage_count - 1].paired = request->hash->pairs;
    }
    if (request->compress_stage) {
        chosen = plan_choose(plan, options, STAGE_COMPRESS, automatic, text);
        plan->main_stage = data->stage_count;
        plan_set_stage(plan, LANE_DATA, STAGE_COMPRESS, request->compress_stage,
                       request->compress_job, chosen);
        if (!request->hash)
            *first = chosen;
        confined = is_confined(plan, request->compress_stage, request->compress_job, &chosen);
    }
    if (request->write_stage) {
        automatic = choose_writing(request, plan->cpus.usable, &chosen, confined, text);
        chosen = plan_choose(plan, options, STAGE_WRITE, automatic, text);
        plan_set_stage(plan, LANE_DATA, STAGE_WRITE, request->write_stage, request->write_job,
                       chosen);
        data->stage[data->stage_count - 1].after_order = request->write_after_order;
    }
}

static void choose_stages(const struct plan_request *request, struct plan *plan)
{
    const struct options *options = request->options;
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    char text[96];
    struct source source = look_at_source(request->first_path);
    plan->is_rotational = source.is_rotational;

    struct plan_choice listing = choose_listing(&source, plan->cpus.usable, text);
    plan_set_stage(plan, LANE_SCAN, STAGE_SCAN, &scan_stage, request->scan,
                   plan_choose(plan, options, STAGE_SCAN, listing, text));
    /* How the stage after it works decides on reading, which comes before it in the lane. */
    struct plan_choice next;
    plan_set_stage(plan, LANE_DATA, STAGE_READ, &read_stage, request->read,
                   (struct plan_choice){0});
    set_computing(request, plan, &source, &next);
    const struct stage_setup *after = &data->stage[1];
    struct plan_choice reading =
        choose_reading(&source, &next, is_confined(plan, after->ops, after->job, &next), text);
    reading = plan_choose(plan, options, STAGE_READ, reading, text);
    data->stage[0].model = reading.model;
    data->stage[0].workers = reading.workers;
    data->stage[0].io = reading.io;
    data->stage[0].depth = reading.depth;
    data->stage[1].fused = plan_is_auto(options, STAGE_READ) && plan_is_same(&reading, &next);
    /* A cold tree is waited for by many threads; one that does not exist, or a file, is no tree. */
    plan_choose_burst(options, source.files >= 2 && !source.is_cold, plan);
}

/* Workers in threads share one table of descriptors; most systems allow more than they give. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Here and not by the first worker that hashes: forked workers inherit what was measured. */
static int choose_engine(const struct hash_job *hash, struct plan *plan, char *error,
                         size_t capacity)
{
    char text[160];
    if (!hash)
        return 0;
    char *why = plan->why[STAGE_HASH];
    size_t used = strlen(why);
    if (!digest_engine_available(hash->engine, text, sizeof text)) {
        snprintf(error, capacity, "--engine=multibuffer is not available here: %s", text);
        return -EINVAL;
    }
    if (!(hash->algorithms & (1u << DIGEST_SHA256 | 1u << DIGEST_SHA224)))
        return 0;
    if (hash->engine == DIGEST_ENGINE_OPENSSL)
        snprintf(text, sizeof text, "openssl"); /* nothing to measure for that */
    else
        digest_engine_describe(hash->engine, text, sizeof text);
    snprintf(why + used, sizeof plan->why[STAGE_HASH] - used, "; sha256 by %s%s", text,
             hash->engine == DIGEST_ENGINE_AUTO ? "" : " (--engine)");
    return 0;
}

const char *plan_spec(const struct stage_setup *stage, char spec[static PLAN_SPEC_BYTES])
{
    const char *model = model_name(stage->model);
    if (stage->model == MODEL_INLINE)
        snprintf(spec, PLAN_SPEC_BYTES, "%s", model);
    else if (stage->io == IO_SYNC && stage->burst)
        snprintf(spec, PLAN_SPEC_BYTES, "%s:%u,burst=%u", model, stage->workers, stage->burst);
    else if (stage->io == IO_SYNC)
        snprintf(spec, PLAN_SPEC_BYTES, "%s:%u", model, stage->workers);
    else if (stage->model == MODEL_PROCESSES)
        snprintf(spec, PLAN_SPEC_BYTES, "%s:%u,io=%s,depth=%u", model, stage->workers,
                 io_kind_name(stage->io), stage->depth);
    else if (stage->workers == 1)
        snprintf(spec, PLAN_SPEC_BYTES, "%s:%u", model, stage->depth);
    else
        snprintf(spec, PLAN_SPEC_BYTES, "%s:%u,loops=%u", model, stage->depth * stage->workers,
                 stage->workers);
    return spec;
}

/* What was asked for by name is not replaced in silence. */
static int check_engines(const struct plan *plan, char *error, size_t capacity)
{
    char why[160];
    for (unsigned l = 0; l < plan->graph.lane_count; l++) {
        const struct lane_setup *lane = &plan->graph.lane[l];
        for (unsigned s = 0; s < lane->stage_count; s++) {
            bool bursts = lane->stage[s].burst > 0;
            const struct io_engine *engine = io_engine(bursts ? IO_URING : lane->stage[s].io);
            if (!engine || engine->probe(why, sizeof why) == 0)
                continue;
            snprintf(error, capacity, "--%s: %s%s is not available here: %s",
                     stage_name(plan->kind[l][s]), bursts ? "burst= needs uring, which" : "",
                     bursts ? "" : engine->name, why);
            return -EINVAL;
        }
    }
    return 0;
}

bool plan_confines(const struct options *options)
{
    char why[160];
    return options->sandbox != SANDBOX_OFF && confine_probe(why, sizeof why) == 0;
}

/* What was asked for by name is not left out in silence, here, either. */
static int check_confinement(const struct options *options, const struct plan *plan, char *error,
                             size_t capacity)
{
    char why[160];
    if (options->sandbox != SANDBOX_REQUIRE || plan->graph.confines)
        return 0;
    for (unsigned l = 0; l < plan->graph.lane_count; l++)
        for (unsigned s = 0; s < plan->graph.lane[l].stage_count; s++)
            if (plan->graph.lane[l].stage[s].model == MODEL_PROCESSES &&
                confine_probe(why, sizeof why) < 0) {
                snprintf(error, capacity, "--sandbox=require: processes cannot be confined: %s",
                         why);
                return -EINVAL;
            }
    return 0;
}

/* A compressor's plan is as worth knowing as its workers. */
static void describe_compression(const struct plan_request *request, struct plan *plan)
{
    char *why = plan->why[STAGE_COMPRESS];
    size_t used = strlen(why);
    if (request->compress_text)
        snprintf(why + used, sizeof plan->why[STAGE_COMPRESS] - used, "; %s",
                 request->compress_text);
}

int plan_check(const struct options *options, const struct hash_job *hash, struct plan *plan,
               char *error, size_t capacity)
{
    unsigned workers = 0;
    if (choose_engine(hash, plan, error, capacity))
        return -EINVAL;
    for (unsigned l = 0; l < plan->graph.lane_count; l++)
        workers += plan_lane_workers(&plan->graph.lane[l]);
    if (workers > 1000) {
        snprintf(error, capacity, "the stages ask for more than 1000 workers together");
        return -EINVAL;
    }
    if (check_engines(plan, error, capacity) || check_confinement(options, plan, error, capacity))
        return -EINVAL;
    raise_descriptor_limit();
    return 0;
}

int plan_make(const struct plan_request *request, struct plan *plan, char *error, size_t capacity)
{
    const struct options *options = request->options;
    *plan = (struct plan){.cpus = cpus_detect(), .shape = request->shape};
    plan->graph.lane_count = 2;
    plan->graph.confines = plan_confines(options);
    struct lane_setup *scan = &plan->graph.lane[LANE_SCAN];
    struct lane_setup *data = &plan->graph.lane[LANE_DATA];
    scan->input_bytes = SCAN_INPUT_BYTES;
    scan->output_bytes = SCAN_OUTPUT_BYTES;
    data->sink = request->sink;
    data->sink_context = request->sink_context;
    data->ordered = options->order == ORDER_PATH || request->every_chunk;
    data->every_chunk = request->every_chunk;
    choose_stages(request, plan);
    if (plan_check(options, request->hash, plan, error, capacity))
        return -EINVAL;
    describe_compression(request, plan);
    return plan_choose_memory(request, plan, error, capacity);
}
