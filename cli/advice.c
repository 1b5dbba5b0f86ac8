#include "cli/advice.h"

#include <stdio.h>
#include <string.h>

#include "cli/units.h"

/* A shorter job is not worth it, and its shares are chance. */
static const uint64_t least_ns = 2000000000;

/* No rest: what is missing to 1 goes into handing over. */
static const double busy_least = 0.85;
/* From here on there is no CPU to spare for more workers. */
static const double cpus_used_most = 0.85;
/* Of the time of workers that compute, so much is on a CPU; less, and others have them. */
static const double computing_cpu_least = 0.8;
/* Of the time of workers that wait, at most so much is on a CPU. */
static const double waiting_cpu_most = 0.5;
static const double waiting_least = 0.7;

/* What a loop keeps in flight where each read takes its time. */
#define IN_FLIGHT 64
/* Half of it is no reason to change. */
#define IN_FLIGHT_MOST 32
#define READERS        32
/* Waiting for each of many small files adds up; how fast a large one comes is the device's doing.
 */
#define FILES_LEAST       1000
#define MEAN_BYTES_MOST   (256 * 1024)
#define SCANNERS          4
#define DIRECTORIES_LEAST 64

struct group {
    size_t first, count;
    unsigned workers;
    double busy_ns;
};

static struct group group_of(const struct advice_job *job, const struct stage_stats *stages,
                             size_t count, size_t stage)
{
    struct group group = {.first = stage};
    while (group.first > 0 && job->is_fused[group.first])
        group.first--;
    group.workers = stages[group.first].workers ? stages[group.first].workers : 1;
    for (size_t i = group.first; i < count && (i == group.first || job->is_fused[i]); i++) {
        group.busy_ns += (double)stages[i].busy_ns;
        group.count++;
    }
    return group;
}

static double share_of(double busy_ns, unsigned workers, const struct advice_job *job)
{
    return busy_ns / ((double)job->elapsed_ns * workers);
}

static bool computes(const struct advice_job *job, size_t stage)
{
    return job->kind[stage] == STAGE_HASH || job->kind[stage] == STAGE_COMPRESS;
}

/* How many workers could have had something to do. */
static unsigned useful_workers(const struct advice_job *job, size_t stage)
{
    bool is_keyed = job->is_keyed || job->kind[stage] == STAGE_HASH;
    if (!is_keyed || !job->largest_bytes)
        return job->cpus;
    uint64_t shares = job->bytes / job->largest_bytes;
    return shares < job->cpus ? (unsigned)shares : job->cpus;
}

static bool advise_computing(const struct advice_job *job, const struct stage_stats *stages,
                             size_t count, size_t stage, char *out, size_t capacity)
{
    struct group group = group_of(job, stages, count, stage);
    const struct stage_stats *stats = &stages[stage];
    unsigned workers = useful_workers(job, stage);
    double share = share_of(group.busy_ns, group.workers, job);
    if (!computes(job, stage) || share < busy_least || workers <= group.workers ||
        (double)stats->busy_ns < group.busy_ns / 2 ||
        (double)job->cpu_ns < computing_cpu_least * group.busy_ns)
        return false;
    const char *model = strcmp(stats->model, "processes") == 0 ? "processes" : "threads";
    const char *name = stage_name(job->kind[stage]);
    snprintf(out, capacity, "%s was busy %u %% of the time on %u of %u CPUs: --%s=%s:%u",
             stats->name, units_percent(share), group.workers, job->cpus, name, model, workers);
    return true;
}

/* Whether its workers had no rest and were hardly ever on a CPU. */
static bool waits(const struct advice_job *job, const struct stage_stats *stats, double *share)
{
    unsigned workers = stats->workers ? stats->workers : 1;
    *share = share_of((double)stats->busy_ns, workers, job);
    return *share >= waiting_least &&
           (double)job->cpu_ns < waiting_cpu_most * (double)stats->busy_ns;
}

static bool advise_reading(const struct advice_job *job, const struct stage_stats *stats, char *out,
                           size_t capacity)
{
    double share;
    unsigned each = stats->depth ? stats->depth : 1;
    unsigned in_flight = each * (stats->workers ? stats->workers : 1);
    unsigned most = job->has_uring ? IN_FLIGHT_MOST : READERS / 2;
    if (!waits(job, stats, &share) || in_flight > most || job->is_rotational ||
        job->files < FILES_LEAST || job->bytes / job->files > MEAN_BYTES_MOST)
        return false;
    snprintf(out, capacity,
             "read waited %u %% of the time for one file after another: --read=%s:%u",
             units_percent(share), job->has_uring ? "uring" : "threads",
             job->has_uring ? IN_FLIGHT : READERS);
    return true;
}

static bool advise_scanning(const struct advice_job *job, const struct stage_stats *stats,
                            char *out, size_t capacity)
{
    double share;
    if (!waits(job, stats, &share) || stats->workers > 1 || stats->depth ||
        stats->items < DIRECTORIES_LEAST || job->is_rotational)
        return false;
    snprintf(out, capacity,
             "scan waited %u %% of the time for one directory after another: --scan=threads:%u",
             units_percent(share), SCANNERS);
    return true;
}

bool advice_text(const struct advice_job *job, const struct stage_stats *stages, size_t count,
                 char *out, size_t capacity)
{
    if (job->elapsed_ns < least_ns || !job->cpus || count > ADVICE_STAGES_MAX ||
        (double)job->cpu_ns > cpus_used_most * (double)job->elapsed_ns * job->cpus)
        return false;
    for (size_t i = 0; i < count; i++) {
        bool has_advice =
            job->kind[i] == STAGE_READ   ? advise_reading(job, &stages[i], out, capacity)
            : job->kind[i] == STAGE_SCAN ? advise_scanning(job, &stages[i], out, capacity)
                                         : advise_computing(job, stages, count, i, out, capacity);
        if (has_advice)
            return true;
    }
    return false;
}
