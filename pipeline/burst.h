/* burst: what it is worth here that a blocking worker hands many short chains to the kernel at once
 * (struct stage_setup, `burst`; how it is done: worker_burst.c). */
#ifndef TREEMILL_PIPELINE_BURST_H
#define TREEMILL_PIPELINE_BURST_H

/* Opens, reads a little of, and closes the file again and again, one by one and as many at once as
 * `depth` says: the second's time in percent of the first's. 0: there is no io_uring, or the
 * file cannot be read. Takes less than a millisecond. Any thread. */
unsigned burst_measure(const char *path, unsigned depth);

#endif
