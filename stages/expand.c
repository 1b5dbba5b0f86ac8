#include "stages/expand.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/arena.h"
#include "pipeline/io.h"
#include "stages/opener.h"
#include "stages/shortage.h"
#include "stages/walk.h"

#define INPUT_BYTES  ((size_t)256 * 1024)
#define OUTPUT_BYTES ((size_t)512 * 1024)

enum phase {
    EXPANDER_NEXT,    /* look for the next file */
    EXPANDER_OPENED,  /* it is being opened */
    EXPANDER_READ,    /* a piece is being read */
    EXPANDER_WRITTEN, /* a piece is being written */
    EXPANDER_SYNCED,  /* the output is being brought to the disk */
    EXPANDER_CLOSED
};

/* One task's state. */
struct expander {
    const struct expand_job *job;
    struct decoder *decoder; /* of chunks */
    /* Of a file that comes as a whole; made when first needed. */
    struct decode_stream *stream;
    uint8_t *input, *output;
    enum phase phase;
    unsigned index;
    int fd;
    bool at_start;
    struct target *target;
    struct decode_step step;
    uint64_t read_bytes, written_bytes;
};

static size_t table_bytes(const struct batch_shape *shape)
{
    return align_up(shape->files_max * sizeof(struct expanded), CACHE_LINE_BYTES);
}

size_t expand_output_bytes(const void *job, const struct batch_shape *shape)
{
    (void)job;
    return table_bytes(shape) + EXPAND_CHUNK_BYTES;
}

const uint8_t *expanded_data(const struct expand_job *job, const struct item_view *view)
{
    return view->output + job->output_start + table_bytes(&job->shape);
}

static void expander_close(void *state)
{
    struct expander *expander = state;
    if (expander->fd > STDERR_FILENO)
        close(expander->fd);
    target_discard(expander->target);
    decoder_destroy(expander->decoder);
    decode_stream_destroy(expander->stream);
    free(expander->input);
    free(expander->output);
    free(expander);
}

static int expander_open(void *job, void **state)
{
    struct expander *expander = calloc(1, sizeof *expander);
    if (!expander)
        return -ENOMEM;
    expander->job = job;
    expander->fd = -1;
    int error = decoder_create(&expander->decoder);
    if (error) {
        expander_close(expander);
        return error;
    }
    *state = expander;
    return 0;
}

static struct tm_fault fault_of_decoding(int error)
{
    switch (error) {
    case -EBADMSG:
    case -ENOBUFS:
        return fault_of(TM_FAULT_CORRUPT);
    case -ENODATA:
        return fault_of(TM_FAULT_TRUNCATED);
    default:
        return fault_system(TM_OP_DECOMPRESS, error);
    }
}

/* Chunks. */

static void expand_chunk(struct expander *expander, const struct item_view *view,
                         struct file_record *file)
{
    const struct expand_job *job = expander->job;
    const uint8_t *input = view->input + file->data;
    struct expanded *expanded = expanded_of(job, view, 0);
    enum codec_format format;
    size_t bytes = 0;
    expanded->bytes = 0;
    if (fault_is_set(file->fault) || !file->data_bytes)
        return;
    int error = -EBADMSG;
    if (decode_detect(input, file->data_bytes, &format))
        error = decode_block(expander->decoder, format, input, file->data_bytes,
                             (uint8_t *)expanded_data(job, view), EXPAND_CHUNK_BYTES, &bytes);
    expanded->bytes = bytes;
    if (error)
        file->fault = fault_of_decoding(error);
}

/* Files that come as a whole. */

static int make_buffers(struct expander *expander)
{
    if (!expander->input)
        expander->input = malloc(INPUT_BYTES);
    if (!expander->output)
        expander->output = malloc(OUTPUT_BYTES);
    if (!expander->input || !expander->output)
        return -ENOMEM;
    return expander->stream ? 0 : decode_stream_create(CODEC_GZIP, &expander->stream);
}

static void add_close(struct expander *expander, struct io_chain *chain)
{
    if (expander->fd > STDERR_FILENO)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = expander->fd});
    expander->fd = -1;
    expander->phase = EXPANDER_CLOSED;
}

static void fail(struct expander *expander, struct file_record *file, struct tm_fault fault,
                 struct io_chain *chain)
{
    file->fault = fault;
    target_discard(expander->target);
    expander->target = NULL;
    add_close(expander, chain);
}

static void begin_file(struct expander *expander, const struct item_view *view,
                       struct file_record *file, struct io_chain *chain)
{
    const char *path = batch_path(view, file);
    int flags = OPENER_FILE_FLAGS | (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0);
    expander->at_start = true;
    expander->read_bytes = expander->written_bytes = 0;
    expander->phase = EXPANDER_OPENED;
    if (make_buffers(expander)) {
        fail(expander, file, fault_system(TM_OP_MEMORY, ENOMEM), chain);
    } else if (file->flags & FILE_STANDARD_INPUT) {
        expander->fd = STDIN_FILENO;
    } else if (file->path_bytes < PATH_MAX) {
        io_add(chain,
               (struct io_op){.code = IO_OPEN, .dir = AT_FDCWD, .path = path, .flags = flags});
    } else {
        expander->fd = shortage_open(path, file->path_bytes, flags);
    }
}

static void add_read(struct expander *expander, const struct file_record *file,
                     struct io_chain *chain)
{
    bool in_order = file->flags & FILE_READ_ONCE;
    size_t held = expander->at_start ? (size_t)expander->read_bytes : 0;
    io_add(chain, (struct io_op){.code = in_order ? IO_READ_NEXT : IO_READ,
                                 .fd = expander->fd,
                                 .data = expander->input + held,
                                 .size = INPUT_BYTES - held,
                                 .minimum = 1,
                                 .offset = (off_t)expander->read_bytes});
    expander->phase = EXPANDER_READ;
}

/* A worker may have died between publishing and saying so. */
static bool was_placed(const struct expander *expander, const struct item_view *view,
                       const struct file_record *file)
{
    const struct expand_job *job = expander->job;
    return file->flags & FILE_PLACED &&
           placing_is_there(&job->placing, batch_path(view, file), file->path_bytes, &file->stat,
                            expanded_of(job, view, expander->index)->bytes);
}

static void opened(struct expander *expander, const struct item_view *view,
                   struct file_record *file, struct io_chain *chain)
{
    const struct expand_job *job = expander->job;
    if (chain->count)
        expander->fd = (int)chain->op[0].result;
    chain->count = 0;
    int error = expander->fd;
    if (error < 0) {
        fail(expander, file, fault_system(TM_OP_OPEN, error), chain);
        return;
    }
    error = job->tests || job->leaves_whole ? 0
                                            : placing_open(&job->placing, batch_path(view, file),
                                                           file->path_bytes, &expander->target);
    if (error == -EINVAL)
        file->flags |= FILE_SKIPPED;
    if (error == -EEXIST && was_placed(expander, view, file))
        add_close(expander, chain);
    else if (error)
        fail(expander, file,
             error == -EINVAL ? fault_of(TM_FAULT_SUFFIX) : fault_system(TM_OP_CREATE, error),
             chain);
    else
        add_read(expander, file, chain);
}

static void publish(struct expander *expander, struct file_record *file, struct io_chain *chain)
{
    file->flags |= FILE_PLACED;
    int error = target_publish(expander->target);
    target_discard(expander->target);
    expander->target = NULL;
    if (error)
        file->fault = fault_system(TM_OP_CREATE, error);
    add_close(expander, chain);
}

/* The input has ended. */
static void finish(struct expander *expander, const struct item_view *view,
                   struct file_record *file, struct io_chain *chain)
{
    int error = decode_stream_finish(expander->stream);
    if (error) {
        fail(expander, file, fault_of_decoding(error), chain);
        return;
    }
    if (decode_stream_has_garbage(expander->stream))
        file->flags |= FILE_TRAILING;
    expanded_of(expander->job, view, expander->index)->bytes = expander->written_bytes;
    if (!expander->target) {
        add_close(expander, chain);
        return;
    }
    error =
        placing_inherit(expander->target, batch_path(view, file), file->path_bytes, &file->stat);
    if (error) {
        fail(expander, file, fault_system(TM_OP_WRITE, error), chain);
    } else if (expander->job->placing.sync) {
        io_add(chain, (struct io_op){.code = IO_FSYNC, .fd = target_fd(expander->target)});
        expander->phase = EXPANDER_SYNCED;
    } else {
        publish(expander, file, chain);
    }
}

/* Decompresses until there is something to write, or more to read. */
static void decode(struct expander *expander, struct file_record *file, struct io_chain *chain)
{
    struct decode_step *step = &expander->step;
    step->output = expander->output;
    step->output_bytes = OUTPUT_BYTES;
    int error = decode_stream_run(expander->stream, step);
    size_t made = OUTPUT_BYTES - step->output_bytes;
    if (error) {
        fail(expander, file, fault_of_decoding(error), chain);
        return;
    }
    if (made && expander->target) {
        bool in_order = target_is_special(expander->target);
        io_add(chain, (struct io_op){.code = IO_WRITE,
                                     .fd = target_fd(expander->target),
                                     .data = expander->output,
                                     .size = made,
                                     .offset = in_order ? IO_AT_POSITION
                                                        : (off_t)expander->written_bytes});
    }
    expander->written_bytes += made;
    expander->phase = EXPANDER_WRITTEN;
}

/* What it is: told by its first bytes, which a pipe may give one by one. False: more are needed, or
 * it is nothing. */
static bool begin_stream(struct expander *expander, struct file_record *file, bool is_all,
                         struct io_chain *chain)
{
    enum codec_format format;
    if (expander->read_bytes < DECODE_DETECT_BYTES && !is_all) {
        add_read(expander, file, chain);
        return false;
    }
    if (!decode_detect(expander->input, (size_t)expander->read_bytes, &format)) {
        fail(expander, file, fault_of(TM_FAULT_FORMAT), chain);
        return false;
    }
    decode_stream_reset(expander->stream, format);
    expander->step.input_bytes = (size_t)expander->read_bytes;
    expander->at_start = false;
    return true;
}

static void has_read(struct expander *expander, const struct item_view *view,
                     struct file_record *file, struct io_chain *chain)
{
    int64_t got = chain->op[0].result;
    chain->count = 0;
    if (got < 0) {
        fail(expander, file, fault_system(TM_OP_READ, (int)got), chain);
        return;
    }
    expander->read_bytes += (uint64_t)got;
    expander->step.input = expander->input;
    expander->step.input_bytes = (size_t)got;
    if (expander->at_start && !begin_stream(expander, file, got == 0, chain))
        return;
    if (expander->step.input_bytes)
        decode(expander, file, chain);
    else
        finish(expander, view, file, chain);
}

static void has_written(struct expander *expander, struct file_record *file, struct io_chain *chain)
{
    int64_t wrote = chain->count ? chain->op[0].result : 0;
    chain->count = 0;
    if (wrote < 0)
        fail(expander, file, fault_system(TM_OP_WRITE, (int)wrote), chain);
    else if (expander->step.input_bytes || !expander->step.output_bytes)
        decode(expander, file, chain);
    else
        add_read(expander, file, chain);
}

static bool next_file(struct expander *expander, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    for (; expander->index < batch->file_count; expander->index++) {
        const struct file_record *file = &batch->file[expander->index];
        if (!(file->flags & FILE_PLACED))
            expanded_of(expander->job, view, expander->index)->bytes = 0;
        if (!fault_is_set(file->fault) && !(file->flags & FILE_NOT_FILE))
            return true;
    }
    return false;
}

/* False: the file in work is done, or there is none. */
static void advance(struct expander *expander, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[expander->index];
    switch (expander->phase) {
    case EXPANDER_NEXT:
        begin_file(expander, view, file, chain);
        break;
    case EXPANDER_OPENED:
        opened(expander, view, file, chain);
        break;
    case EXPANDER_READ:
        has_read(expander, view, file, chain);
        break;
    case EXPANDER_WRITTEN:
        has_written(expander, file, chain);
        break;
    case EXPANDER_SYNCED: {
        int64_t synced = chain->op[0].result;
        chain->count = 0;
        if (synced < 0)
            fail(expander, file, fault_system(TM_OP_SYNC, (int)synced), chain);
        else
            publish(expander, file, chain);
        break;
    }
    case EXPANDER_CLOSED:
        chain->count = 0;
        expander->index++;
        expander->phase = EXPANDER_NEXT;
        break;
    }
}

static bool expander_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct expander *expander = state;
    if (!chain->count) { /* a new item */
        expander->phase = EXPANDER_NEXT;
        expander->index = 0;
        if (batch_is_chunk(view)) {
            expand_chunk(expander, view, &batch_of(view)->file[0]);
            return false;
        }
        if (expander->job->leaves_whole)
            return false;
    }
    do {
        if (expander->phase == EXPANDER_NEXT && !next_file(expander, view))
            return false;
        atomic_store_explicit(&view->item->cursor, expander->index, memory_order_relaxed);
        advance(expander, view, chain);
    } while (!chain->count);
    return true;
}

const struct stage_ops expand_stage = {
    .name = "decompress",
    .open = expander_open,
    .close = expander_close,
    .step = expander_step,
    .blame = batch_blame,
};

int expand_to(const struct expand_job *job, const struct item_view *view, unsigned index,
              int (*write)(void *context, const void *data, size_t bytes), void *context)
{
    struct file_record *file = &batch_of(view)->file[index];
    struct io_chain chain = {.stop_fd = -1};
    void *state;
    int error = expander_open((void *)job, &state);
    if (error)
        return error;
    struct expander *expander = state;
    expander->index = index;
    do {
        advance(expander, view, &chain);
        if (expander->phase == EXPANDER_WRITTEN) {
            size_t made = OUTPUT_BYTES - expander->step.output_bytes;
            error = made ? write(context, expander->output, made) : 0;
        }
        if (chain.count)
            io_sync_execute(&chain);
    } while (!error && expander->index == index &&
             (chain.count || expander->phase != EXPANDER_NEXT));
    (void)file;
    expander_close(expander);
    return error;
}

/* The cutter: units of the index. */

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
