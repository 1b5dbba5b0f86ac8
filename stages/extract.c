#include "stages/extract.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stages/extract_private.h"

/* Files of one batch that an event loop may make at once. Each has one directory in use. */
#define STRANDS_MAX 16
_Static_assert(STRANDS_MAX + 2 <= BENEATH_KEPT, "room for the directories of all strands");

/* One member at a time. */
struct strand {
    bool is_busy;
    unsigned index; /* of it in the batch */
    struct making making;
    struct extract_stream stream;
};

struct extractor {
    struct extract_maker maker;
    unsigned next;                       /* the first record that no strand has begun */
    struct strand *strands[STRANDS_MAX]; /* made when first used */
};

static struct strand *strand_of(struct extractor *extractor, unsigned number)
{
    struct strand **strand = &extractor->strands[number];
    if (!*strand) {
        *strand = calloc(1, sizeof **strand);
        if (*strand) {
            (*strand)->stream.job = extractor->maker.job;
            making_init(&(*strand)->making, &extractor->maker);
        }
    }
    return *strand;
}

static void extractor_close(void *state)
{
    struct extractor *extractor = state;
    for (unsigned n = 0; n < STRANDS_MAX; n++) {
        struct strand *strand = extractor->strands[n];
        if (!strand)
            continue;
        making_discard(&strand->making);
        extract_stream_free(&strand->stream);
        free(strand);
    }
    extract_maker_close(&extractor->maker);
    free(extractor);
}

static int extractor_open(void *job, void **state)
{
    struct extractor *extractor = calloc(1, sizeof *extractor);
    if (!extractor)
        return -ENOMEM;
    int error = extract_maker_open(&extractor->maker, job);
    if (!error && !strand_of(extractor, 0)) /* the others only help */
        error = -ENOMEM;
    if (error) {
        extractor_close(extractor);
        return error;
    }
    *state = extractor;
    return 0;
}

/* Gives the strand the next record that is to be made; false: there is none. */
static bool next_member(struct extractor *extractor, struct strand *strand,
                        const struct item_view *view)
{
    struct batch *batch = batch_of(view);
    while (extractor->next < batch->file_count) {
        struct file_record *file = &batch->file[extractor->next];
        strand->index = extractor->next++;
        if (!extract_is_for_stage(extractor->maker.job, file))
            continue;
        struct making_member member = extract_member(view, file);
        member.trace = &file->trace;
        making_begin(&strand->making, &member);
        return true;
    }
    return false;
}

/* The publisher wants the next piece of a stream. */
/* False: the member in work is done. */
static bool go_on(struct extractor *extractor, struct strand *strand, const struct item_view *view,
                  struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[strand->index];
    if (extractor->maker.job->tests) {
        file->fault = extract_stream_test(&strand->stream, view, strand->index, chain->stop_fd);
        return false;
    }
    for (;;) {
        switch (making_step(&strand->making, chain)) {
        case MAKING_PENDING:
            return true;
        case MAKING_OPEN:
            extract_stream_feed(&strand->stream, view, strand->index, chain->stop_fd,
                                &strand->making);
            break;
        case MAKING_DONE:
            extract_stream_close(&strand->stream);
            file->fault = strand->making.fault;
            if (strand->making.is_skipped)
                file->flags |= FILE_SKIPPED;
            return false;
        }
    }
}

static bool extractor_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct extractor *extractor = state;
    struct strand *strand = strand_of(extractor, chain->strand);
    if (!strand)
        return false; /* out of memory: the others do its part */
    if (!chain->count) {
        strand->is_busy = false;
        if (chain->strand == 0) /* a new item */
            extractor->next = 0;
    }
    for (;;) {
        if (!strand->is_busy) {
            strand->is_busy = next_member(extractor, strand, view);
            if (!strand->is_busy)
                return false;
            atomic_store_explicit(&view->item->cursor, strand->index, memory_order_relaxed);
        }
        if (go_on(extractor, strand, view, chain))
            return true;
        strand->is_busy = false;
    }
}

const struct stage_ops extract_stage = {
    .name = "write",
    .open = extractor_open,
    .close = extractor_close,
    .step = extractor_step,
    .strands = STRANDS_MAX,
    .blame = batch_blame,
};
