/* signals: one thread waits for them, so that no handler ever runs and no lock is unsafe.
 *
 * INT, TERM, HUP: the first cancels the job, which ends in its ordinary way; a second one, or the
 * job not having ended two seconds later (a worker may hang in a dead file system), removes the
 * temporary file and ends the process at once. USR1 prints a status line. TSTP stops the process,
 * once the bar has gone and the clock of the estimates stands still. WINCH draws the bar anew. PIPE
 * is ignored: the write that failed tells.
 */
#ifndef TREEMILL_CLI_SIGNALS_H
#define TREEMILL_CLI_SIGNALS_H

struct progress;
struct tm_graph;

struct signals {
    struct tm_graph *graph;    /* to cancel */
    struct progress *progress; /* for USR1, TSTP and WINCH; or NULL */
    const char *temporary;     /* to unlink when leaving at once, or NULL */
};

/* Blocks them in the calling thread, and so in all threads and processes made later. Before any
 * other thread. A second job of the process begins with it, too. */
void signals_block(void);

/* A descriptor that becomes readable when the job is cancelled by a signal; for waits that the
 * engine does not know of. Valid from signals_block() on. */
int signals_cancel_fd(void);

/* Starts the waiting thread. `signals` is borrowed until signals_stop(). 0 or -errno. */
int signals_start(const struct signals *signals);
/* Ends it, if it runs, and lets INT, TERM, HUP and TSTP do again what they did before
 * signals_block(), unless one of them has ended the job: whatever comes after it, the program is
 * not deaf. */
void signals_stop(void);

/* The signal that ended the job, or 0. */
int signals_caught(void);

#endif
