/* verdict: the results of `verify`, wherever the files are: lines on standard output as sha256sum
 * -c prints them, events, counters, and what is said in the end. The sink's thread. */
#ifndef TREEMILL_CLI_VERDICT_H
#define TREEMILL_CLI_VERDICT_H

#include "cli/job.h"

struct manifests;

struct verdicts {
    struct job *job;
    uint64_t unreadable;
    uint64_t not_files; /* among those that differ: a directory or a device is there */
    uint64_t compared;  /* whatever came of it */
    uint32_t guessed;   /* algorithms of digests that differ, told by their length alone */
};

/* Each of these tells of a file, and counts it. 0, or -errno of writing. */
int verdict_same(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes);
/* `guessed`: the algorithms, if nothing but the digest's length told them; else 0. */
int verdict_differs(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes,
                    uint32_t guessed);
/* With an error line: of the fault, or these words. */
int verdict_missing(struct verdicts *verdicts, const char *path, size_t bytes,
                    struct tm_fault fault, const char *words);
int verdict_no_file(struct verdicts *verdicts, const char *path, size_t bytes,
                    struct tm_fault fault);
/* The reason has been told. */
int verdict_unreadable(struct verdicts *verdicts, const char *path, size_t bytes);
int verdict_extra(struct verdicts *verdicts, const char *path, size_t bytes, uint64_t size_bytes);

/* What sha256sum says at the end, as far as the summary does not; and what of it decides the exit
 * status. */
void verdict_conclude(struct verdicts *verdicts, const struct manifests *manifests);

#endif
