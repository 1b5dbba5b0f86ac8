/* progress: how far the job is, on a terminal or for a program that watches.
 *
 *   counters of the engine ─sample()─▶ snapshot ─estimate─▶ view ─render─▶ bar, line or event
 *
 * One thread wakes a few times a second, takes a snapshot, and brings the estimates (rates, ETA,
 * busy shares) up to date; that and the drawing is all the work, the stages only count. The pure
 * parts, progress_estimate() and progress_render(), know neither clock nor terminal.
 *
 * The clock of the estimates stands still while the process is stopped. Of Ctrl-Z it is told by
 * progress_suspend() and progress_resume(); a SIGSTOP is seen by a tick that comes far too late,
 * which is counted as one tick.
 *
 * Locks: the progress lock guards the estimates and is taken before the report's; sample() is
 * called under it and must not call progress or report functions.
 */
#ifndef TREEMILL_CLI_PROGRESS_H
#define TREEMILL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"
#include "stages/in_work.h"

#define PROGRESS_MAX_STAGES  8
#define PROGRESS_MAX_COLUMNS 400
/* Room for any rendered line: 3 bytes a column for block characters, 4 for those of a name, and
 * colour sequences. */
#define PROGRESS_LINE_CAPACITY (PROGRESS_MAX_COLUMNS * 4 + 64)
/* From these sizes of a terminal on the bar has a second line. */
#define PROGRESS_TWO_LINES_COLUMNS 60
#define PROGRESS_TWO_LINES_ROWS    10
#define PROGRESS_ETA_UNKNOWN       UINT64_MAX

#define PROGRESS_FRAME_CAPACITY (2 * (size_t)PROGRESS_LINE_CAPACITY)

/* What the sampler fills in, from atomic counters, without a common instant: the values may
 * contradict each other by what happens between two loads. The struct arrives zeroed. */
struct progress_snapshot {
    uint64_t files_done, files_total;
    uint64_t bytes_done, bytes_total;
    uint64_t errors;
    bool totals_final;       /* the scan has finished */
    uint64_t output_bytes;   /* 0: unused */
    uint64_t coded_bytes;    /* of input, that output_bytes was made of by compressing; 0: unused */
    struct in_work *in_work; /* where the name of a file in work comes from, or NULL */
    unsigned stage_count;
    struct {
        const char *name; /* must outlive the progress */
        uint64_t busy_ns; /* cumulative, all workers together */
        unsigned workers;
        unsigned queue_fill, queue_capacity; /* of its input; capacity 0: none */
    } stage[PROGRESS_MAX_STAGES];
};

/* What is shown. Consistent in itself: done never exceeds total. */
struct progress_view {
    const char *verb;
    uint64_t files_done, files_total;
    uint64_t bytes_done, bytes_total;
    uint64_t errors;
    bool totals_final;
    bool is_last; /* the job is over, and these are its figures */
    uint64_t output_bytes;
    double ratio;      /* of what is compressed to what it was; < 0: none to tell */
    double share;      /* 0 to 1; meaningful when totals_final */
    double rate;       /* bytes a second, of the last seconds */
    double mean;       /* bytes a second, since the start */
    double files_rate; /* files a second, of the last seconds */
    uint64_t eta_ns;   /* or PROGRESS_ETA_UNKNOWN */
    uint64_t elapsed_ns;
    int bottleneck;      /* index of the stage that limits the job, or -1 */
    const char *in_work; /* a file in work, or NULL; borrowed */
    unsigned stage_count;
    struct {
        const char *name;
        double busy_share; /* 0 to 1, mean of its workers, of the last second or so */
        unsigned workers;
        unsigned queue_fill, queue_capacity;
    } stage[PROGRESS_MAX_STAGES];
};

/* State between snapshots; zero-initialised. One thread at a time. */
struct progress_estimator {
    struct progress_snapshot last;
    bool has_last;
    uint64_t elapsed_ns;
    /* Exponentially smoothed rates a second, and the weight that makes up for their start at 0. */
    double bytes_rate, files_rate, work_rate, rate_weight;
    double eta_seconds; /* what is shown; < 0: unknown */
    double busy[PROGRESS_MAX_STAGES], busy_weight;
    char in_work[IN_WORK_BYTES + 1]; /* the last name that came */
};

/* Takes in a snapshot `passed_ns` after the last one and fills `view` (verb excepted).
 * was_stopped: the process did not run for an unknown time, so passed_ns counts for the clock but
 * nothing can be learned about rates. */
void progress_estimate(struct progress_estimator *estimator,
                       const struct progress_snapshot *snapshot, uint64_t passed_ns,
                       bool was_stopped, struct progress_view *view);

enum progress_flags {
    PROGRESS_UTF8 = 1,
    PROGRESS_COLOR = 2,
};

/* One frame of the bar, of one line, or two where the terminal has the room: they are separated by
 * a newline, and it is no control byte otherwise but colours. Each is at most columns - 1 columns
 * wide. Fields that do not fit are dropped, the least important first; where little changes, fields
 * keep their place. snprintf's contract, except that nothing is cut: a capacity below
 * PROGRESS_LINE_CAPACITY a line may drop fields as a narrow terminal does, so the result is always
 * < capacity. */
size_t progress_render(const struct progress_view *view, unsigned columns, unsigned rows,
                       unsigned flags, char *out, size_t capacity);

/* The same facts as one plain line, for SIGUSR1 and for logs; snprintf's contract. */
size_t progress_status_line(const struct progress_view *view, unsigned flags, char *out,
                            size_t capacity);

enum progress_mode {
    PROGRESS_AUTO, /* a bar on a terminal, lines now and then on one that cannot draw, or nothing */
    PROGRESS_ALWAYS, /* a bar, or plain lines where there is no such terminal */
    PROGRESS_NEVER,
    PROGRESS_JSON, /* status events on standard error */
};

struct progress_options {
    enum progress_mode mode;
    uint64_t interval_ns; /* between lines and events; 0: 1 s, or 10 s for lines on a terminal; at
                             least 100 ms. Not for the bar */
    bool is_terminal;     /* standard error is one */
    bool utf8;            /* what the terminal shows */
    bool color;
    const char *verb;        /* "hash"; must outlive the progress */
    struct report *report;   /* where standard error is; must outlive the progress */
    struct events *events;   /* further sink for status events, or NULL */
    struct watcher *watcher; /* likewise, of --progress-fd */
};

struct progress;

typedef void progress_sampler(void *context, struct progress_snapshot *out);

/* Starts the clock, and a thread if the mode has use for one (a thread that cannot be started only
 * costs the display). `context` must stay valid until progress_finish(). NULL: no memory. */
struct progress *progress_start(const struct progress_options *options, progress_sampler *sample,
                                void *context);

/* Prints one status line now, whatever the mode: for SIGUSR1, from a thread, not from the signal
 * handler itself. With PROGRESS_JSON it is an event. */
void progress_print_status(struct progress *progress);

/* The process is about to be stopped: takes the bar away and stops the clock. Then, when it goes
 * on: starts the clock again, and draws. From one thread, which is no handler. */
void progress_suspend(struct progress *progress);
void progress_resume(struct progress *progress);
/* The terminal has another size: draws at once, if that is not too soon after the last time. */
void progress_resized(struct progress *progress);

/* How long the process was stopped, as far as it is known. NULL: 0. */
uint64_t progress_stopped_ns(struct progress *progress);

/* Ends the thread and erases the bar. After it, no other thread may use the progress. NULL is
 * allowed. */
void progress_stop(struct progress *progress);
/* Lines and events get a last one, of the final counts. Frees everything; NULL is allowed. */
void progress_finish(struct progress *progress);

#endif
