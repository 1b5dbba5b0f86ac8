/* archive_in: an archive that a verb reads: what kind it is, and what lane that needs.
 *
 * Fill in `job`, archive_in_open(), plan with archive_in_request(), run with
 * archive_in_run() as the source of the job, archive_in_close(). One thread. */
#ifndef TREEMILL_CLI_ARCHIVE_IN_H
#define TREEMILL_CLI_ARCHIVE_IN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/job.h"
#include "pipeline/arena.h"
#include "stages/member_hash.h"
#include "stages/member_select.h"
#include "stages/unpack.h"
#include "stages/unzip.h"

struct archive_in {
    struct job *job;
    /* Of the file; "-": standard input. NULL: the first operand, and the others are members. */
    const char *name;
    bool takes_all;             /* whatever the options' rules are */
    const char *const *members; /* that are asked for; none: all */
    size_t member_count;
    int fd;
    uint64_t bytes; /* of the file; 0: not known */
    /* One of these reads it. */
    bool is_zip;
    struct unpack_job unpack;
    struct unzip *unzip;
    struct unzip_job zip;
    struct decode_index *index; /* of unpack, UNPACK_BLOCKS */
    struct tm_arena arena;      /* what scan's worker shares with this one */
    uint8_t *head;              /* of what cannot be read twice */
    struct member_hash_job member_hash;
    struct member_select *select;
    _Atomic bool *found; /* for each member that is asked for */
    bool was_absolute;   /* names had a leading slash */
    bool is_lost;        /* an item of it has killed its workers */
};

/* Opens it and finds out what it is; the members and the rules of the options are what is wanted of
 * it. `lists`: the data is of no account. False: said
 * why. */
bool archive_in_open(struct archive_in *archive, bool lists);
/* Plans the job: the stages that read the archive; digests of `hash`, or NULL; and `write`, or
 * NULL, which is told how to read members that are not in the slab. False: said why. */
bool archive_in_plan(struct archive_in *archive, const struct hash_job *hash,
                     struct extract_job *write,
                     int (*sink)(void *context, const struct item_view *view), void *context);
/* The source of the job; context: struct archive_in. */
int archive_in_run(void *archive);
/* The sink: gives each record to `take`, which answers 0 or -errno, then reports what is wrong with
 * the archive, and ends the item. */
int archive_in_take(struct archive_in *archive, const struct item_view *view,
                    int (*take)(void *context, const struct item_view *view, unsigned index),
                    void *context);
/* Says which members nothing was found for; each is an error. */
void archive_in_report_missing(struct archive_in *archive);
/* Safe at any time after the struct was zeroed and archive_in_open() called. */
void archive_in_close(struct archive_in *archive);

#endif
