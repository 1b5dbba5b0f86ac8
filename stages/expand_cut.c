/* The chunks of a file that has an index: its units. */
#include "stages/expand.h"
#include "stages/walk.h"

static int begin_cuts(void *context, int fd, const struct file_stat *stat, void **state)
{
    struct decode_limits limits = {EXPAND_CHUNK_BYTES, EXPAND_CHUNK_BYTES};
    struct decode_index *index;
    (void)context;
    int found = decode_index_open(fd, stat->size_bytes, &limits, &index);
    if (found > 0)
        *state = index;
    return found;
}

static int next_cut(void *state, uint64_t *offset, size_t *bytes)
{
    struct decode_unit unit;
    int got = decode_index_next(state, &unit);
    if (got > 0) {
        *offset = unit.offset;
        *bytes = unit.compressed_bytes;
    }
    return got;
}

static void end_cuts(void *state)
{
    decode_index_close(state);
}

const struct walk_cutter expand_cutter = {
    .begin = begin_cuts,
    .next = next_cut,
    .end = end_cuts,
};
