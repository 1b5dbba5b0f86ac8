/* archive_test: reads an archive from its beginning to its end, and makes nothing of it: is it
 * whole? tar by itself and behind libarchive's filters, zip, all else that libarchive reads, and
 * files that its filters alone have compressed (bzip2, xz ...). Checksums are compared where the
 * format has them; tar and cpio have none of the data, and so only their structure is looked at.
 *
 * Blocks, whatever the model: the libraries read by themselves. Memory is bounded whatever the
 * archive says. What a file may make of a worker's time is bounded by the limits; `ratio` counts
 * here for what libarchive decompresses, as filters can stand one behind another. One thread each.
 */
#ifndef TREEMILL_STAGES_ARCHIVE_TEST_H
#define TREEMILL_STAGES_ARCHIVE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/fault.h"
#include "stages/unpack.h"

#define ARCHIVE_VERDICT_TEXT 200

/* What came of it. Plain data: lies in items. */
struct archive_verdict {
    struct tm_fault fault; /* TM_FAULT_FORMAT: it is nothing that is known */
    uint64_t bytes;        /* that came out of it */
    bool has_no_end;       /* a tar without the mark of its end */
    bool is_zeros;    /* which are a tar without members, if they are not what a crash has left */
    bool is_doubtful; /* bad, but perhaps nothing of that kind: few of its bytes said so */
    char text[ARCHIVE_VERDICT_TEXT]; /* what the reader says was wrong, or "" */
};

/* Where the file is to be read. */
struct archive_place {
    int fd;
    /* Bytes of it that have been read already, to see what it is. */
    const void *start;
    size_t start_bytes;
    bool has_moved; /* by read(2): the descriptor stands behind them; else where it began */
    int stop_fd;    /* readable: the job is over; or -1 */
};

struct archive_test;
/* 0 or -ENOMEM. */
int archive_test_create(const struct unpack_limits *limits, struct archive_test **test);
/* NULL is allowed. */
void archive_test_destroy(struct archive_test *test);
/* Reads it all. A descriptor that can seek may be left anywhere. */
void archive_test_run(struct archive_test *test, const struct archive_place *place,
                      struct archive_verdict *verdict);

/* What another reader has decompressed, which may be a tar: piece after piece. False: there is a
 * fault in the verdict. */
void archive_test_begin(struct archive_test *test, struct archive_verdict *verdict);
bool archive_test_push(struct archive_test *test, const void *data, size_t bytes);
bool archive_test_end(struct archive_test *test);

/* Whether a name ends as those of archives, and of files that libarchive decompresses, do. */
bool archive_test_knows(const char *path, size_t path_bytes);

#endif
