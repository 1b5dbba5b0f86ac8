#include "cli/progress.h"

#include "cli/watcher.h"
#include "pipeline/sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

_Static_assert(PROGRESS_FRAME_CAPACITY <= REPORT_BAR_CAPACITY, "a frame fits the report's bar");

/* Five frames a second look alive and can be read; at most ten are ever drawn. */
static const uint64_t tick_ns = 200000000;
static const uint64_t least_frame_ns = 100000000;
static const uint64_t default_interval_ns = 1000000000;
static const uint64_t terminal_lines_interval_ns = 10000000000; /* nobody can take them back */
static const uint64_t least_interval_ns = 100000000;
/* A tick this late: the process was stopped. A busy machine delays by less. */
static const uint64_t stopped_ns = 2000000000;

enum drawing { DRAW_NOTHING, DRAW_BAR, DRAW_LINES, DRAW_JSON };

struct progress {
    struct progress_options options; /* constant after progress_start() */
    progress_sampler *sample;        /* constant */
    void *context;                   /* constant */
    enum drawing drawing;            /* constant */
    bool has_thread;                 /* written by progress_start() alone, under the lock */
    pthread_t thread;                /* the starter's alone */

    pthread_mutex_t lock; /* guards all below; taken before the locks of report and events */
    pthread_cond_t wake;  /* `stop` was set; process-local, so a condition variable may serve */
    bool stop;
    uint64_t last_tick_ns;    /* monotonic */
    uint64_t last_frame_ns;   /* monotonic */
    uint64_t next_output_ns;  /* elapsed time at which lines and events are due again */
    uint64_t suspended_at_ns; /* monotonic; 0: the process is not about to be stopped */
    uint64_t stopped_ns;      /* sum */
    bool has_resumed;         /* since the last tick */
    struct progress_estimator estimator;
    struct progress_view view;
    struct json_writer json;
};

/* Can this terminal go back to the start of a line and erase it? */
static bool terminal_draws(void)
{
    const char *term = getenv("TERM");
    return term && term[0] && strcmp(term, "dumb") != 0;
}

static enum drawing choose_drawing(const struct progress_options *options)
{
    bool can_draw = options->is_terminal && terminal_draws();
    switch (options->mode) {
    case PROGRESS_AUTO:
        return can_draw ? DRAW_BAR : options->is_terminal ? DRAW_LINES : DRAW_NOTHING;
    case PROGRESS_ALWAYS:
        return can_draw ? DRAW_BAR : DRAW_LINES;
    case PROGRESS_JSON:
        return DRAW_JSON;
    case PROGRESS_NEVER:
        break;
    }
    return DRAW_NOTHING;
}

/* Asked for each frame: a resize that nobody tells of is seen, too. */
static struct winsize terminal_size(int fd)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size;
    const char *columns = getenv("COLUMNS");
    char *end;
    unsigned long value = columns ? strtoul(columns, &end, 10) : 0;
    bool is_usable = value > 0 && *end == '\0' && value <= PROGRESS_MAX_COLUMNS;
    size.ws_col = is_usable ? (unsigned short)value : 80;
    return size;
}

/* A job in the background leaves the line to the shell. A terminal that does not control this
 * process (ENOTTY) has no foreground to ask for. */
static bool in_foreground(int fd)
{
    pid_t foreground = tcgetpgrp(fd);
    return foreground < 0 || foreground == getpgrp();
}

static unsigned render_flags(const struct progress *progress)
{
    return (progress->options.utf8 ? PROGRESS_UTF8 : 0u) |
           (progress->options.color ? PROGRESS_COLOR : 0u);
}

/* Takes a snapshot and brings the view up to date. */
static void update_locked(struct progress *progress)
{
    uint64_t now = clock_ns();
    uint64_t passed = progress->suspended_at_ns ? 0 : now - progress->last_tick_ns;
    /* Without a thread nobody ticks, and a long time means nothing. */
    bool was_stopped = progress->has_thread && passed > stopped_ns;
    if (was_stopped) {
        progress->stopped_ns += passed - tick_ns;
        passed = tick_ns;
    }
    progress->last_tick_ns = now;
    struct progress_snapshot snapshot = {0};
    progress->sample(progress->context, &snapshot);
    progress->view.verb = progress->options.verb;
    progress_estimate(&progress->estimator, &snapshot, passed, was_stopped || progress->has_resumed,
                      &progress->view);
    progress->has_resumed = false;
}

static void draw_bar_locked(struct progress *progress)
{
    char frame[PROGRESS_FRAME_CAPACITY];
    int fd = report_fd(progress->options.report);
    if (!in_foreground(fd)) {
        report_forget_bar(progress->options.report);
        return;
    }
    struct winsize size = terminal_size(fd);
    size_t length = progress_render(&progress->view, size.ws_col, size.ws_row,
                                    render_flags(progress), frame, sizeof frame);
    report_set_bar(progress->options.report, frame, length);
    progress->last_frame_ns = progress->last_tick_ns;
}

static void print_line_locked(struct progress *progress)
{
    char line[PROGRESS_LINE_CAPACITY];
    progress_status_line(&progress->view, render_flags(progress), line, sizeof line);
    report_line(progress->options.report, line);
}

static void print_json_locked(struct progress *progress)
{
    event_status(&progress->json, &progress->view);
    report_json(progress->options.report, &progress->json);
}

/* Lines and events; the bar apart. */
static void put_out_locked(struct progress *progress)
{
    if (progress->drawing == DRAW_LINES)
        print_line_locked(progress);
    if (progress->drawing == DRAW_JSON)
        print_json_locked(progress);
    if (progress->options.watcher) {
        event_status(&progress->json, &progress->view);
        watcher_write(progress->options.watcher, &progress->json);
    }
    if (progress->options.events && progress->options.mode != PROGRESS_NEVER) {
        event_status(&progress->json, &progress->view);
        events_write(progress->options.events, &progress->json);
        events_flush(progress->options.events);
    }
}

static void tick_locked(struct progress *progress)
{
    if (progress->suspended_at_ns) { /* stopped, or in a moment */
        progress->last_tick_ns = clock_ns();
        return;
    }
    update_locked(progress);
    if (progress->drawing == DRAW_BAR)
        draw_bar_locked(progress);
    if (progress->view.elapsed_ns >= progress->next_output_ns) {
        put_out_locked(progress);
        progress->next_output_ns = progress->view.elapsed_ns + progress->options.interval_ns;
    }
}

static struct timespec timespec_of(uint64_t time_ns)
{
    return (struct timespec){.tv_sec = (time_t)(time_ns / 1000000000),
                             .tv_nsec = (long)(time_ns % 1000000000)};
}

static void *run(void *argument)
{
    struct progress *progress = argument;
    uint64_t interval = progress->options.interval_ns;
    uint64_t step = interval < tick_ns && progress->drawing != DRAW_BAR ? interval : tick_ns;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        /* From the last tick and not from a fixed grid: after a stop, frames are not made up for.
         */
        struct timespec due = timespec_of(progress->last_tick_ns + step);
        int status = 0;
        while (!progress->stop && status != ETIMEDOUT)
            status = pthread_cond_timedwait(&progress->wake, &progress->lock, &due);
        if (!progress->stop)
            tick_locked(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

/* The thread takes no signals: they are for the threads that the program chose for them. */
static bool start_thread(struct progress *progress)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&progress->thread, NULL, run, progress) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        pthread_setname_np(progress->thread, "progress");
    return started;
}

struct progress *progress_start(const struct progress_options *options, progress_sampler *sample,
                                void *context)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return NULL;
    progress->options = *options;
    progress->sample = sample;
    progress->context = context;
    progress->drawing = choose_drawing(options);
    bool has_lines = progress->drawing == DRAW_LINES && options->mode == PROGRESS_AUTO;
    if (options->interval_ns == 0)
        progress->options.interval_ns =
            has_lines ? terminal_lines_interval_ns : default_interval_ns;
    else if (options->interval_ns < least_interval_ns)
        progress->options.interval_ns = least_interval_ns;
    progress->last_tick_ns = clock_ns();
    progress->next_output_ns = progress->options.interval_ns;
    progress->view.verb = options->verb;

    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&progress->lock, NULL);

    bool has_use = progress->drawing != DRAW_NOTHING || options->watcher ||
                   (options->events && options->mode != PROGRESS_NEVER);
    /* Under the lock, so that the thread sees has_thread as it stays. */
    pthread_mutex_lock(&progress->lock);
    progress->has_thread = has_use && start_thread(progress);
    pthread_mutex_unlock(&progress->lock);
    return progress;
}

void progress_print_status(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    update_locked(progress);
    if (progress->drawing == DRAW_JSON)
        print_json_locked(progress);
    else
        print_line_locked(progress);
    pthread_mutex_unlock(&progress->lock);
}

void progress_suspend(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    update_locked(progress);
    progress->suspended_at_ns = progress->last_tick_ns;
    if (progress->drawing == DRAW_BAR && in_foreground(report_fd(progress->options.report)))
        report_set_bar(progress->options.report, NULL, 0);
    pthread_mutex_unlock(&progress->lock);
}

void progress_resume(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    progress->last_tick_ns = clock_ns();
    progress->stopped_ns += progress->last_tick_ns - progress->suspended_at_ns;
    progress->suspended_at_ns = 0;
    /* Processes of other stages may have gone on: that says nothing about rates. */
    progress->has_resumed = true;
    if (progress->has_thread)
        tick_locked(progress);
    pthread_mutex_unlock(&progress->lock);
}

void progress_resized(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->drawing == DRAW_BAR && progress->has_thread && !progress->suspended_at_ns &&
        clock_ns() - progress->last_frame_ns >= least_frame_ns)
        tick_locked(progress);
    pthread_mutex_unlock(&progress->lock);
}

uint64_t progress_stopped_ns(struct progress *progress)
{
    if (!progress)
        return 0;
    pthread_mutex_lock(&progress->lock);
    uint64_t duration_ns = progress->stopped_ns;
    pthread_mutex_unlock(&progress->lock);
    return duration_ns;
}

void progress_stop(struct progress *progress)
{
    if (!progress)
        return;
    if (progress->has_thread) {
        pthread_mutex_lock(&progress->lock);
        progress->stop = true;
        pthread_cond_signal(&progress->wake);
        pthread_mutex_unlock(&progress->lock);
        pthread_join(progress->thread, NULL);
    }
    if (progress->drawing == DRAW_BAR && in_foreground(report_fd(progress->options.report)))
        report_set_bar(progress->options.report, NULL, 0);
    else
        report_forget_bar(progress->options.report);
}

void progress_finish(struct progress *progress)
{
    if (!progress)
        return;
    if (progress->has_thread) {
        pthread_mutex_lock(&progress->lock);
        update_locked(progress);
        progress->view.is_last = true;
        /* On a terminal the summary says it, in the next line. */
        if (progress->drawing == DRAW_LINES && progress->options.mode == PROGRESS_AUTO)
            progress->drawing = DRAW_NOTHING;
        put_out_locked(progress);
        pthread_mutex_unlock(&progress->lock);
    }
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
    json_free(&progress->json);
    free(progress);
}
