#include "stages/place.h"

#include <errno.h>
#include <stdlib.h>

#include "stages/publish.h"

/* Files of one bundle that an event loop may write at once. */
#define STRANDS_MAX 16

/* One file at a time. */
struct strand {
    bool is_busy;
    bool made_directories; /* for the file in work: not again */
    unsigned index;        /* of it in the batch */
    char *path;            /* of its output */
    struct publisher publisher;
    uint8_t attributes[METADATA_MAX_BYTES];
};

struct placer {
    const struct place_job *job;
    unsigned next;                       /* the first file of the batch that no strand has begun */
    struct strand *strands[STRANDS_MAX]; /* made when first used */
};

static struct strand *strand_of(struct placer *placer, unsigned number)
{
    struct strand **strand = &placer->strands[number];
    if (!*strand) {
        *strand = calloc(1, sizeof **strand);
        if (*strand)
            publish_init(&(*strand)->publisher);
    }
    return *strand;
}

static void placer_close(void *state)
{
    struct placer *placer = state;
    for (unsigned n = 0; n < STRANDS_MAX; n++) {
        struct strand *strand = placer->strands[n];
        if (!strand)
            continue;
        publish_discard(&strand->publisher);
        free(strand->path);
        free(strand);
    }
    free(placer);
}

static int placer_open(void *job, void **state)
{
    struct placer *placer = calloc(1, sizeof *placer);
    if (!placer)
        return -ENOMEM;
    placer->job = job;
    if (!strand_of(placer, 0)) { /* the others only help */
        placer_close(placer);
        return -ENOMEM;
    }
    *state = placer;
    return 0;
}

static struct file_record *file_of(const struct strand *strand, const struct item_view *view)
{
    return &batch_of(view)->file[strand->index];
}

/* Begins to write the strand's file. 0 or -errno. */
static int begin_file(struct placer *placer, struct strand *strand, const struct item_view *view)
{
    struct file_record *file = file_of(strand, view);
    const struct squeezed *made = squeezed_of(placer->job->squeeze, view, strand->index);
    const struct placing *placing = &placer->job->placing;
    free(strand->path);
    strand->path = NULL;
    int error = placing_path(placing, batch_path(view, file), file->path_bytes, &strand->path);
    if (error)
        return error;
    struct publish_request request;
    placing_request(placing, strand->path, batch_path(view, file), file, strand->attributes,
                    &request);
    request.data = view->output + placer->job->squeeze->output_start + made->start;
    request.bytes = (size_t)made->bytes;
    publish_begin(&strand->publisher, &request);
    return 0;
}

/* Gives the strand the next file that is to be written; false: there is none. */
static bool next_file(struct placer *placer, struct strand *strand, const struct item_view *view)
{
    struct batch *batch = batch_of(view);
    while (placer->next < batch->file_count) {
        strand->index = placer->next++;
        struct file_record *file = &batch->file[strand->index];
        const struct squeezed *made = squeezed_of(placer->job->squeeze, view, strand->index);
        if (fault_is_set(file->fault) || file->flags & FILE_NOT_FILE)
            continue;
        if (placer->job->only_smaller && made->bytes >= file->data_bytes) {
            file->fault = fault_of(TM_FAULT_NOT_SMALLER);
            continue;
        }
        strand->made_directories = false;
        int error = begin_file(placer, strand, view);
        if (!error)
            return true;
        file->fault = fault_system(TM_OP_CREATE, error);
    }
    return false;
}

/* False: the file in work is done. */
static bool go_on(struct placer *placer, struct strand *strand, const struct item_view *view,
                  struct io_chain *chain)
{
    struct file_record *file = file_of(strand, view);
    switch (publish_step(&strand->publisher, chain)) {
    case PUBLISH_PENDING:
        return true;
    case PUBLISH_EXISTS:
        file->fault = fault_system(TM_OP_CREATE, EEXIST);
        return false;
    case PUBLISH_FAILED:
        if (placing_makes_way(&placer->job->placing, strand->path, strand->publisher.fault,
                              &strand->made_directories) &&
            begin_file(placer, strand, view) == 0)
            return go_on(placer, strand, view, chain);
        file->fault = strand->publisher.fault;
        return false;
    default:
        return false;
    }
}

static bool placer_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct placer *placer = state;
    struct strand *strand = strand_of(placer, chain->strand);
    if (!strand)
        return false; /* out of memory: the others do its part */
    if (!chain->count) {
        strand->is_busy = false;
        if (chain->strand == 0) /* a new item */
            placer->next = batch_is_chunk(view) ? batch_of(view)->file_count : 0;
    }
    for (;;) {
        if (!strand->is_busy) {
            strand->is_busy = next_file(placer, strand, view);
            if (!strand->is_busy)
                return false;
            atomic_store_explicit(&view->item->cursor, strand->index, memory_order_relaxed);
        }
        if (go_on(placer, strand, view, chain))
            return true;
        strand->is_busy = false;
    }
}

const struct stage_ops place_stage = {
    .name = "write",
    .open = placer_open,
    .close = placer_close,
    .step = placer_step,
    .strands = STRANDS_MAX,
    .blame = batch_blame,
};
