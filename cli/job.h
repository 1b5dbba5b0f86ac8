/* job: what every working verb has around its graph: messages, progress, signals, counters, the
 * walk, the summary and the exit status.
 *
 * A verb fills in the parts it owns, calls job_begin(), plans its graph, calls job_run(), and ends
 * with job_end(), which returns the exit status. After a failure of any of them job_end() is
 * still to be called.
 */
#ifndef TREEMILL_CLI_JOB_H
#define TREEMILL_CLI_JOB_H

#include <stdatomic.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "stages/sandbox.h"
#include "stages/in_work.h"
#include "stages/walk.h"

struct estimate;
struct file_record;
struct placing;
struct selection;
struct signals;
struct watcher;

enum exit_status {
    EXIT_DONE = 0,
    EXIT_DIFFERS = 1, /* verify: differing, missing or corrupt */
    EXIT_FATAL = 2,   /* usage or fatal error, nothing published */
    EXIT_PARTLY = 3   /* finished, but some inputs were unreadable, skipped or changed */
};

struct job {
    const struct options *options;
    const char *verb;
    const char *done; /* for the summary: "hashed" */
    struct report *report;
    struct events *events;   /* --json, or NULL */
    struct watcher *watcher; /* --progress-fd, or NULL */
    struct progress *progress;
    struct estimate *estimate; /* for the progress thread; or NULL */
    struct output *output;
    struct selection *selection;
    struct plan plan;
    struct tm_graph *graph;
    struct walk_totals totals;
    /* Of the walk. */
    bool all_kinds, finds_links, finds_holes;
    bool streams_input;  /* standard input is divided into chunks */
    bool counts_in_sink; /* the sink does what the main stage does elsewhere */
    bool streams_output; /* data goes to standard output, and is not lines */
    const struct walk_cutter *cutter;
    const struct placing *placing; /* of verbs whose files have an output each; else NULL */
    bool takes_members; /* records are members of an archive: see member.h */
    struct walk_place left_out[4];
    unsigned left_out_count;
    /* Of the sandbox: see job_enter_sandbox(). */
    bool is_exposed;                /* takes apart what others have made */
    struct sandbox_request sandbox; /* `moves` and `looks_up_names`, where a verb does so */
    struct sandbox_place *places;   /* allocated, and so are their paths */
    size_t place_count;
    const char *unknown_places; /* why not all places are known; NULL: they are */
    bool may_follow_links;      /* out of places, where nobody has said so */
    bool is_sandboxed;
    /* The sink's thread writes, the progress thread reads; relaxed, for display. */
    /* The walk offers, the progress thread takes: a file in work. */
    struct in_work in_work;
    /* The sink's thread writes, by job_add() or as sums of its own, the progress thread reads;
     * relaxed, for display: nothing is inferred from one about another. */
    _Atomic uint64_t files_done;
    _Atomic uint64_t found_wrong;   /* files that no error line tells of, but the result */
    _Atomic uint64_t unsized_bytes; /* of what had no size before it was read */
    _Atomic uint64_t sink_bytes;    /* counts_in_sink: of input that the sink has worked on */
    _Atomic uint64_t output_bytes;  /* written by a verb that writes data; 0: it does not */
    _Atomic uint64_t coded_bytes;   /* of input that these were made of by compressing */
    _Atomic uint64_t open_output_bytes, open_coded_bytes; /* likewise, of a file not yet complete */
    /* The progress thread; the main one when that has ended. */
    uint64_t shown_bytes;
    bool has_ended; /* the graph; the main thread, when there is no progress thread */
    /* The sink's thread; read when the graph has ended. */
    uint64_t files_good, bytes_good;
    uint64_t largest_bytes; /* of one file */
    uint64_t changed;       /* hashed all the same, --on-change=warn */
    uint64_t differing, missing, extra;
    uint64_t errors_counted; /* error lines of files that are among those */
    uint64_t malformed;      /* manifests, and files in them, that could not be used */
    bool failed;             /* fatal: exit 2 */
    bool is_listed;          /* nothing was run, but files were listed: --dry-run */
    bool fail_fast_is_fatal; /* what is published must be whole */
    /* Of job_hear_signals(): what the job could not begin without. */
    int start_error;
    unsigned lacking; /* descriptors */
    uint64_t started_ns;
};

/* Messages, events and selection rules. False: said why, exit status 2. */
bool job_begin(struct job *job, const struct options *options, const char *verb, const char *done);
/* The part of job_begin() that makes job->selection. False: said why. */
bool job_make_selection(struct job *job);
/* A fatal error before or after the graph ran: one line, exit status 2. */
void job_fatal(struct job *job, const char *path, struct tm_fault fault);
__attribute__((format(printf, 2, 3))) void job_usage(struct job *job, const char *format, ...);

/* Makes the graph from job->plan, walks the names through it, waits for the end. False: failed or
 * ended by a signal; messages have been printed. */
bool job_run(struct job *job,
             enum walk_next (*next)(void *context, bool wait, struct walk_name *name),
             void *context, bool directories_fail);

/* The same with any source, which submits to lane LANE_DATA and finishes it; its answer is 0 or
 * -errno, -ECANCELED when the graph has ended. */
bool job_run_source(struct job *job, int (*source)(void *context), void *context);

/* Where the job will write, for the sandbox: beneath a directory, whose path is copied, or to a
 * file. Before job_run(). False: said why (no memory). */
bool job_may_write(struct job *job, struct sandbox_place place);
/* In the directory of this file; `may_lack`: see struct sandbox_place. */
bool job_may_write_beside(struct job *job, const char *path, bool may_lack);
/* The same for a verb that makes a file of each file: below options->output, which exists, or
 * beside them; `to_stdout`: it writes none. */
bool job_add_places(struct job *job, bool to_stdout);
/* Holds the process to the places, as --sandbox says: once all outputs are open, before any thread
 * exists. Done by job_run() and list_names(); again is nothing. False: said why, exit status 2. */
bool job_enter_sandbox(struct job *job);
void job_free_places(struct job *job);
/* For the sink: adds to one of the counters for display. */
static inline void job_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* For the sink: how much of a file is compressed that is not complete, and to how much. */
static inline void job_show_open(struct job *job, uint64_t coded_bytes, uint64_t output_bytes)
{
    atomic_store_explicit(&job->open_coded_bytes, coded_bytes, memory_order_relaxed);
    atomic_store_explicit(&job->open_output_bytes, output_bytes, memory_order_relaxed);
}

/* Steps of the above, for what watches the job (job_watch.c). begin: opens the watcher and tells it
 * and others of the job; false: said why. start: once the workers are there, the display, and the
 * count ahead of the walk, if there is one (else NULL), which gets something to tell it. count:
 * waits for that count if it is to come first. stop: takes the display away; the last figures come
 * with job_end(). */
bool job_watch_begin(struct job *job);
void job_watch_start(struct job *job, struct walk_setup *walk);
void job_watch_count(struct job *job);
void job_watch_stop(struct job *job);
bool job_wants_color(const struct options *options);

/* The last steps before the walk of a graph that has started: signals are heard from here to
 * signals_stop(), and there are descriptors to work with. Otherwise the graph is cancelled: its
 * walk ends at once, and job_report_failure() says why. */
void job_hear_signals(struct job *job, struct tm_graph *graph, const struct signals *signals);
/* What made the graph fail, if anything did. After graph_finish(). */
void job_report_failure(struct job *job, struct tm_graph *graph);

/* Reports what is wrong with a file, and the option that helps, if there is one. */
void job_report_fault(struct job *job, const char *path, struct tm_fault fault);
/* For the sink: counts a record as dealt with, and reports its fault if it has one. True: it is
 * whole and good. */
bool job_take_record(struct job *job, const struct item_view *view, const struct file_record *file);

/* For the sink, --json: tells of a record that was good; hash: what computed its digests, or NULL.
 * 0 or -errno. */
int job_send_event(struct job *job, const struct hash_job *hash, const struct item_view *view,
                   unsigned index);

/* The last thing that the sink does with an item; returns `error`, which the sink is to return. */
int job_end_batch(struct job *job, const struct item_view *view, int error);

/* For the sink: ends the job before all names have been dealt with (--fail-fast). */
void job_stop(struct job *job);

/* Opens an output of the job: a file that exists is replaced with --force only, and none of the
 * job's own outputs is taken for input. False: said why. */
bool job_open_output(struct job *job, const char *path, struct output **output);
/* Whether what a job writes besides its files goes to places of their own; `to_stdout`: its data
 * goes to standard output. False: said why. */
bool job_check_outputs(struct job *job, bool to_stdout);
/* Goes to options->directory, if that is given: before there are threads. False: said why. */
bool job_enter_directory(struct job *job);
/* Of a job that writes many files below options->output, if that is given: it is there, and what
 * is in it is no input. False: said why. */
bool job_make_output_directory(struct job *job);
/* For the sink: whether the record's output could not be written for a reason that the next one's
 * will not be spared, a full or broken disk: then the job is over, having failed. Only the first
 * such record is told of. */
bool job_ends_by_write(struct job *job, const struct item_view *view,
                       const struct file_record *file);
/* Of a file that has an output on disk: --remove-source. Says why it stays. */
void job_remove_source(struct job *job, const struct placing *placing, const char *path,
                       const struct file_record *file);
/* For struct placing, before the job makes anything. */
int64_t job_replace_until_ns(const struct options *options);
/* For the sink: a file that is rightly left as it is; -v tells. */
void job_pass_over(struct job *job, const struct item_view *view, const struct file_record *file);
/* "-" is among the operands. */
bool job_reads_standard_input(const struct options *options);

/* Makes the output appear, all of it; if that fails, says so. */
void job_publish(struct job *job);

/* Prints statistics and the summary, frees everything. The exit status. */
int job_end(struct job *job);

/* The hash stage's job as the options want it. */
struct hash_job job_hash_setup(const struct options *options, uint32_t algorithms);

/* A walk over a graph of the job's plan; the names are still to be set. */
struct walk_setup job_walk_setup(const struct job *job, struct tm_graph *graph,
                                 struct walk_totals *totals);

/* Digests by the names of the options; 0: none was given. */
uint32_t job_algorithms(const struct options *options);

#endif
