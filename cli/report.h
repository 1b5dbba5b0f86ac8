/* report: everything treemill says to people on standard error, and the counts of it.
 *
 * All lines go through one function, under one process-local lock, each as one write: a line never
 * mixes with another one or with the progress bar. The bar is one line or two that stay below, with
 * the cursor at their start: a message erases them, prints itself and draws them again, in the same
 * write.
 *
 * A report may be used by all threads of the process that made it. Worker processes send their
 * faults to the parent; they never print. The lock is a leaf: nothing else is locked under it.
 *
 * Writing is never an error of the job: EINTR and EAGAIN are waited out, and a standard error that
 * is closed or full is ignored. (SIGPIPE has to be ignored by the program.)
 */
#ifndef TREEMILL_CLI_REPORT_H
#define TREEMILL_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/events.h"
#include "cli/json.h"
#include "pipeline/fault.h"

struct report;

struct report_options {
    const char *program;   /* "treemill"; must outlive the report */
    int fd;                /* standard error; stays the caller's */
    bool quiet;            /* no summary and no notes */
    bool silent;           /* errors only: no warning or notice of a skip either */
    bool verbose;          /* notes too */
    bool color;            /* errors in the summary are red */
    bool json;             /* each line on fd is an event instead of a sentence */
    struct events *events; /* further sink that gets every message as an event, or NULL */
};

/* NULL: no memory. */
struct report *report_create(const struct report_options *options);
void report_destroy(struct report *report);

/* One line `program: PATH: what failed: reason`; counts one error. `path` may be NULL (the job as
 * a whole) and is printed with text_escape_terminal(). stage_name: see fault_text(). */
void report_error(struct report *report, const char *path, struct tm_fault fault,
                  const char *stage_name);
/* The same with words: `operation` ("parse") may be NULL, the format tells the reason. Names in
 * the reason should have been escaped; what could harm a terminal is escaped anyway. */
__attribute__((format(printf, 4, 5))) void report_error_text(struct report *report,
                                                             const char *path,
                                                             const char *operation,
                                                             const char *format, ...);
/* An input that is left out on purpose (a special file, for example); counts one skip. */
void report_skipped(struct report *report, const char *path, struct tm_fault fault);
__attribute__((format(printf, 3, 4))) void report_warning(struct report *report, const char *path,
                                                          const char *format, ...);
/* Printed with -v only. */
__attribute__((format(printf, 3, 4))) void report_note(struct report *report, const char *path,
                                                       const char *format, ...);

/* One line as it is, whatever the options; `line` has no newline. */
void report_line(struct report *report, const char *line);
/* Lines of NDJSON for standard error; the writer is cleared. */
void report_json(struct report *report, struct json_writer *json);

/* What was reported until now, printed or not. */
uint64_t report_error_count(const struct report *report);
uint64_t report_skipped_count(const struct report *report);

#define REPORT_BAR_CAPACITY 4096

/* Draws the bar, or draws it anew; the frame (of one line, or two with a newline between them; less
 * than REPORT_BAR_CAPACITY bytes with what it takes to draw it) is copied, one of length 0 takes
 * the bar away. A terminal that would block loses the frame. For progress.c. */
void report_set_bar(struct report *report, const char *frame, size_t length);
/* The bar is not on the line any more (a shell has taken the terminal over): do not erase it. */
void report_forget_bar(struct report *report);
int report_fd(const struct report *report);

/* Around the writing of data to the terminal that the bar is on: the bar makes way, and comes back
 * when the data has ended with a newline. Locks the report in between. */
void report_begin_data(struct report *report);
void report_end_data(struct report *report, bool ends_line);

/* The end of a run. The counts are given here and not taken from the report, because the errors
 * that a job counted decide its exit status. */
struct report_summary {
    const char *verb; /* "hash" */
    const char *done; /* what the line begins with: "hashed" */
    uint64_t files;
    uint64_t bytes;
    uint64_t output_bytes; /* 0: the verb writes no data */
    uint64_t errors;
    uint64_t skipped;
    uint64_t differing, missing, extra; /* verify */
    uint64_t elapsed_ns;
    int exit_status;
    bool interrupted;                 /* ended by a signal */
    const struct stage_stats *stages; /* for the event */
    size_t stage_count;
};

/* The line "treemill: hashed 78,579 files, 1.32 GB in 0.71 s (1.86 GB/s), 2 errors, 1 skipped",
 * without program name or newline; snprintf's contract. */
size_t report_summary_text(const struct report_summary *summary, bool color, char *out,
                           size_t capacity);
/* Prints it unless quiet, and sends the event. */
void report_summary(struct report *report, const struct report_summary *summary);

/* One row of --stats. Times are sums over the workers. queue_*: the queue the stage takes from;
 * capacity 0: it has none. */
struct stage_stats {
    const char *name;
    const char *model;
    unsigned workers;
    unsigned depth;  /* operations in flight of each worker's loop or burst; 0: it has neither */
    bool bursts;     /* it is that of a burst */
    uint64_t hits;   /* of those: operations done without waiting */
    uint64_t misses; /* those that were waited for */
    uint64_t items;
    uint64_t bytes;
    uint64_t busy_ns;
    uint64_t wait_input_ns;
    uint64_t wait_output_ns;
    double queue_mean;
    unsigned queue_peak;
    unsigned queue_capacity;
    uint64_t restarts;
    const char *why; /* why this model and count were chosen, or NULL */
};

/* An aligned table, one line a stage. The bar must be gone. Errors are those of the FILE. */
void report_stats(FILE *file, const struct stage_stats *stages, size_t count);
/* The same as an array of objects: name, model, workers, depth, hits, misses, items, bytes,
 * busy_seconds, wait_input_seconds, wait_output_seconds, queue_mean, queue_peak, queue_capacity,
 * restarts, why (absent when NULL). */
void report_stats_json(struct json_writer *json, const char *key, const struct stage_stats *stages,
                       size_t count);

#endif
