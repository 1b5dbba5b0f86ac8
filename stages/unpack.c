#include "stages/unpack.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/arena.h"
#include "stages/metadata.h"
#include "stages/unpack_private.h"

#define PIECE_BYTES ((size_t)1 << 20)
/* A unit of an index, compressed or not: the blocks of our own files are smaller. */
#define BLOCK_BYTES ((size_t)5 << 19)

/* Members of what libarchive reads go into the next item when there are too many. */
#define FOREIGN_FILES 1024

const struct decode_limits unpack_limits_of_blocks = {BLOCK_BYTES, BLOCK_BYTES};

/* A window of a tar cannot have more members than it has blocks, nor more text than bytes; what
 * began before it may add one of each. */
struct batch_shape unpack_shape(enum unpack_kind kind, size_t *window_bytes)
{
    *window_bytes = kind == UNPACK_BLOCKS ? BLOCK_BYTES : PIECE_BYTES;
    size_t files = kind == UNPACK_FOREIGN ? FOREIGN_FILES : *window_bytes / 512 + 16;
    size_t text = *window_bytes + UNTAR_HEADER_MAX + METADATA_MAX_BYTES;
    struct batch_shape shape = {.block_bytes = UNPACK_CARRY_BYTES + *window_bytes,
                                .files_max = (uint32_t)files};
    shape.meta_bytes =
        (uint32_t)align_up(sizeof(struct batch) + files * sizeof(struct file_record) + text, 4096);
    return shape;
}

static size_t head_bytes(void)
{
    return align_up(sizeof(struct fetch_ticket) + sizeof(struct unpack_note), CACHE_LINE_BYTES);
}

size_t unpack_output_bytes(enum unpack_kind kind)
{
    return head_bytes() + (kind == UNPACK_BLOCKS ? BLOCK_BYTES : 0);
}

static size_t block_offset(const struct unpack_job *job)
{
    return job->fetch.ticket_offset + head_bytes();
}

/* Blocks. */

struct unpacker {
    const struct unpack_job *job;
    struct decoder *decoder;
};

static void unpacker_close(void *state)
{
    struct unpacker *unpacker = state;
    decoder_destroy(unpacker->decoder);
    free(unpacker);
}

static int unpacker_open(void *job, void **state)
{
    struct unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (!unpacker)
        return -ENOMEM;
    unpacker->job = job;
    int error = decoder_create(&unpacker->decoder);
    if (error) {
        free(unpacker);
        return error;
    }
    *state = unpacker;
    return 0;
}

static void unpacker_run(void *state, const struct item_view *view)
{
    struct unpacker *unpacker = state;
    const struct unpack_job *job = unpacker->job;
    const struct fetch_ticket *ticket = fetch_ticket_of(&job->fetch, view);
    struct unpack_note *note = unpack_note_of(job, view);
    size_t bytes = 0;
    *note = (struct unpack_note){0};
    if (ticket->got < ticket->bytes) {
        note->fault = fault_of(TM_FAULT_TRUNCATED);
        return;
    }
    if (!ticket->bytes)
        return;
    int error = decode_block(unpacker->decoder, job->format, view->output + block_offset(job),
                             ticket->got, unpack_window(job, view), job->window_bytes, &bytes);
    note->window_bytes = bytes;
    if (error)
        note->fault = fault_of(TM_FAULT_CORRUPT);
    view->item->bytes = bytes;
}

const struct stage_ops unpack_blocks_stage = {
    .name = "decompress",
    .confinement = stage_only_computes,
    .open = unpacker_open,
    .close = unpacker_close,
    .run = unpacker_run,
};

/* The source. */

/* What the next item is to read. 1; 0: nothing, this is the last item; or -errno. */
static int next_range(const struct unpack_job *job, struct decode_index *index, uint64_t *offset,
                      struct fetch_ticket *ticket)
{
    struct decode_unit unit;
    *ticket = (struct fetch_ticket){0};
    if (job->kind == UNPACK_PLAIN) {
        uint64_t rest = job->archive_bytes - *offset;
        *ticket = (struct fetch_ticket){
            .offset = *offset,
            .bytes = rest < job->window_bytes ? rest : job->window_bytes,
            .slab_offset = job->shape.meta_bytes + UNPACK_CARRY_BYTES,
            .to_input = true,
        };
        *offset += ticket->bytes;
        return ticket->bytes > 0;
    }
    if (job->kind != UNPACK_BLOCKS)
        return 1;
    int got = decode_index_next(index, &unit);
    if (got > 0 && job->is_part && unit.offset >= job->end)
        got = 0;
    if (got > 0)
        *ticket = (struct fetch_ticket){.offset = unit.offset,
                                        .bytes = unit.compressed_bytes,
                                        .slab_offset = block_offset(job)};
    return got;
}

int unpack_run(const struct unpack_job *job, struct decode_index *index, struct tm_lane *lane)
{
    uint64_t number, offset = 0;
    uint32_t stream = lane_stream_begin(lane, &number);
    bool is_last = false;
    int error = job->is_part && job->end ? decode_index_seek(index, job->begin) : 0;
    for (uint32_t chunk = 0; !is_last && !error; chunk++) {
        struct item_view view;
        error = lane_acquire(lane, &view);
        if (error)
            break;
        bool ended = atomic_load_explicit(&job->shared->ended, memory_order_relaxed);
        struct fetch_ticket *ticket = fetch_ticket_of(&job->fetch, &view);
        int got = next_range(job, index, &offset, ticket);
        if (got < 0) {
            lane_release(lane, &view);
            error = got;
            break;
        }
        is_last = ended || got == 0;
        if (is_last)
            *ticket = (struct fetch_ticket){0};
        batch_clear(&view, &job->shape);
        view.item->stream = stream;
        view.item->chunk = chunk;
        view.item->last = is_last;
        view.item->bytes = 0;
        error = lane_submit_chunk(lane, &view, number);
    }
    lane_finish(lane);
    return error;
}
