/* From snapshots of counters to what is worth showing: rates, ETA, busy shares.
 *
 * Everything is smoothed exponentially, v += alpha (x - v), with alpha = t / (tau + t) for a step
 * of t seconds: that is the backward Euler step of a low-pass of time constant tau, stable for any
 * t. A weight that follows the constant 1 in the same way is divided out, so that the first seconds
 * show a true mean and not the rise from 0.
 */
#include "cli/progress.h"

#include <string.h>

static const double rate_tau_seconds = 4;
static const double busy_tau_seconds = 1;
static const double eta_tau_seconds = 3;

/* A rate of less than this is chance, and its ETA noise. */
static const double eta_warm_up_seconds = 1;
static const double eta_longest_seconds = 100 * 3600;

/* Opening a small file costs about as much time as reading and hashing this many bytes; without it
 * the share and the ETA of a tree of small files beside large ones would be far off. */
static const double file_cost_bytes = 4096;

static const double bottleneck_least_share = 0.5;

static double work_of(uint64_t files, uint64_t bytes)
{
    return (double)files * file_cost_bytes + (double)bytes;
}

/* Counters of a worker that died may be set back: no progress is not a huge unsigned number. */
static double grown(uint64_t now, uint64_t before)
{
    return now > before ? (double)(now - before) : 0;
}

static void smooth(double *value, double target, double seconds, double tau_seconds)
{
    *value += seconds / (tau_seconds + seconds) * (target - *value);
}

static void update_rates(struct progress_estimator *estimator,
                         const struct progress_snapshot *snapshot, double seconds)
{
    const struct progress_snapshot *last = &estimator->last;
    double files = grown(snapshot->files_done, last->files_done);
    double bytes = grown(snapshot->bytes_done, last->bytes_done);
    smooth(&estimator->bytes_rate, bytes / seconds, seconds, rate_tau_seconds);
    smooth(&estimator->files_rate, files / seconds, seconds, rate_tau_seconds);
    smooth(&estimator->work_rate, (files * file_cost_bytes + bytes) / seconds, seconds,
           rate_tau_seconds);
    smooth(&estimator->rate_weight, 1, seconds, rate_tau_seconds);

    for (unsigned i = 0; i < snapshot->stage_count; i++) {
        unsigned workers = snapshot->stage[i].workers;
        double busy_seconds = grown(snapshot->stage[i].busy_ns, last->stage[i].busy_ns) / 1e9;
        double share = workers > 0 ? busy_seconds / (seconds * workers) : 0;
        smooth(&estimator->busy[i], share < 1 ? share : 1, seconds, busy_tau_seconds);
    }
    smooth(&estimator->busy_weight, 1, seconds, busy_tau_seconds);
}

/* What is shown runs down with the clock and is drawn slowly towards the new estimate. */
static void update_eta(struct progress_estimator *estimator, const struct progress_view *view,
                       double seconds)
{
    double left =
        work_of(view->files_total - view->files_done, view->bytes_total - view->bytes_done);
    double rate = estimator->rate_weight > 0 ? estimator->work_rate / estimator->rate_weight : 0;
    bool is_known = view->totals_final && rate > 0 && left / rate < eta_longest_seconds &&
                    (double)estimator->elapsed_ns >= eta_warm_up_seconds * 1e9;
    if (view->totals_final && left <= 0) {
        estimator->eta_seconds = 0;
    } else if (!is_known) {
        estimator->eta_seconds = -1;
    } else if (estimator->eta_seconds < 0) {
        estimator->eta_seconds = left / rate;
    } else {
        estimator->eta_seconds -=
            seconds < estimator->eta_seconds ? seconds : estimator->eta_seconds;
        smooth(&estimator->eta_seconds, left / rate, seconds, eta_tau_seconds);
    }
}

static int find_bottleneck(const struct progress_view *view)
{
    int busiest = -1;
    for (unsigned i = 0; i < view->stage_count; i++)
        if (view->stage[i].busy_share >= bottleneck_least_share &&
            (busiest < 0 || view->stage[i].busy_share > view->stage[busiest].busy_share))
            busiest = (int)i;
    return busiest;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
}

static void fill_counts(struct progress_view *view, const struct progress_snapshot *snapshot)
{
    view->files_done = snapshot->files_done;
    view->bytes_done = snapshot->bytes_done;
    /* Done was counted later than the total was, or a file has grown. */
    view->files_total = at_least(snapshot->files_total, snapshot->files_done);
    view->bytes_total = at_least(snapshot->bytes_total, snapshot->bytes_done);
    view->totals_final = snapshot->totals_final;
    view->errors = snapshot->errors;
    view->output_bytes = snapshot->output_bytes;
    view->ratio = snapshot->coded_bytes && snapshot->output_bytes
                      ? (double)snapshot->output_bytes / (double)snapshot->coded_bytes
                      : -1;
    double total = work_of(view->files_total, view->bytes_total);
    view->share = total > 0            ? work_of(view->files_done, view->bytes_done) / total
                  : view->totals_final ? 1
                                       : 0;
}

void progress_estimate(struct progress_estimator *estimator,
                       const struct progress_snapshot *snapshot, uint64_t passed_ns,
                       bool was_stopped, struct progress_view *view)
{
    double seconds = (double)passed_ns / 1e9;
    bool is_first = !estimator->has_last;
    struct progress_snapshot now = *snapshot;
    if (now.stage_count > PROGRESS_MAX_STAGES)
        now.stage_count = PROGRESS_MAX_STAGES;

    const char *verb = view->verb;
    memset(view, 0, sizeof *view);
    view->verb = verb;
    fill_counts(view, &now);
    if (is_first)
        estimator->eta_seconds = -1;
    estimator->elapsed_ns += passed_ns;
    if (passed_ns > 0 && !was_stopped)
        update_rates(estimator, &now, seconds);
    update_eta(estimator, view, seconds);
    estimator->last = now;
    estimator->has_last = true;

    view->elapsed_ns = estimator->elapsed_ns;
    view->eta_ns = estimator->eta_seconds < 0 ? PROGRESS_ETA_UNKNOWN
                                              : (uint64_t)(estimator->eta_seconds * 1e9);
    if (estimator->rate_weight > 0) {
        view->rate = estimator->bytes_rate / estimator->rate_weight;
        view->files_rate = estimator->files_rate / estimator->rate_weight;
    }
    if (view->elapsed_ns > 0)
        view->mean = (double)view->bytes_done * 1e9 / (double)view->elapsed_ns;
    if (now.in_work)
        in_work_take(now.in_work, estimator->in_work);
    view->in_work = estimator->in_work[0] ? estimator->in_work : NULL;
    view->stage_count = now.stage_count;
    for (unsigned i = 0; i < now.stage_count; i++) {
        view->stage[i].name = now.stage[i].name;
        view->stage[i].workers = now.stage[i].workers;
        view->stage[i].queue_fill = now.stage[i].queue_fill;
        view->stage[i].queue_capacity = now.stage[i].queue_capacity;
        if (estimator->busy_weight > 0)
            view->stage[i].busy_share = estimator->busy[i] / estimator->busy_weight;
    }
    view->bottleneck = find_bottleneck(view);
}
