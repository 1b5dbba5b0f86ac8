#include "stages/squeeze.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/arena.h"
#include "stages/decode.h"

/* What a container puts around one block, at most: a header, a trailer, a seek table of one row. */
#define AROUND_BYTES 128

struct squeezer {
    const struct squeeze_job *job;
    struct codec_encoder *encoder;
    struct decoder *decoder; /* to check with; or NULL */
    uint8_t *check;
    /* The item in hand. */
    uint8_t *output;
    size_t used, capacity;
};

static size_t table_bytes(const struct batch_shape *shape)
{
    return align_up(shape->files_max * sizeof(struct squeezed), CACHE_LINE_BYTES);
}

size_t squeeze_output_bytes(const void *job, const struct batch_shape *shape)
{
    const struct squeeze_job *squeeze = job;
    return table_bytes(shape) + codec_bound(&squeeze->codec, shape->block_bytes) +
           shape->files_max * (codec_bound(&squeeze->codec, 0) + AROUND_BYTES);
}

bool squeeze_is_compressed(const void *start, size_t bytes)
{
    static const struct {
        uint8_t bytes, mark[6];
    } table[] = {
        {3, {0x1f, 0x8b, 8}},                    /* gzip, RFC 1952 */
        {4, {0x28, 0xb5, 0x2f, 0xfd}},           /* zstd, RFC 8878 */
        {6, {0xfd, '7', 'z', 'X', 'Z', 0}},      /* xz */
        {3, {'B', 'Z', 'h'}},                    /* bzip2 */
        {4, {0x04, 0x22, 0x4d, 0x18}},           /* lz4 frame */
        {6, {'7', 'z', 0xbc, 0xaf, 0x27, 0x1c}}, /* 7z */
        {4, {'P', 'K', 3, 4}},                   /* zip and what is made of it */
        {4, {0x89, 'P', 'N', 'G'}},
        {3, {0xff, 0xd8, 0xff}}, /* PNG, JPEG */
        {4, {'L', 'Z', 'I', 'P'}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (bytes >= table[i].bytes && memcmp(start, table[i].mark, table[i].bytes) == 0)
            return true;
    return false;
}

/* Workers. */

static void squeezer_close(void *state)
{
    struct squeezer *squeezer = state;
    codec_encoder_destroy(squeezer->encoder);
    decoder_destroy(squeezer->decoder);
    free(squeezer->check);
    free(squeezer);
}

static int squeezer_open(void *job, void **state)
{
    const struct squeeze_job *squeeze = job;
    struct squeezer *squeezer = calloc(1, sizeof *squeezer);
    if (!squeezer)
        return -ENOMEM;
    squeezer->job = squeeze;
    int error =
        codec_encoder_create(&squeeze->codec, squeeze->shape.block_bytes, &squeezer->encoder);
    if (!error && squeeze->checks) {
        squeezer->check = malloc(squeeze->shape.block_bytes + 1);
        error = squeezer->check ? decoder_create(&squeezer->decoder) : -ENOMEM;
    }
    if (error) {
        squeezer_close(squeezer);
        return error;
    }
    *state = squeezer;
    return 0;
}

static int append(void *context, const void *data, size_t bytes)
{
    struct squeezer *squeezer = context;
    if (bytes > squeezer->capacity - squeezer->used)
        return -ENOBUFS;
    memcpy(squeezer->output + squeezer->used, data, bytes);
    squeezer->used += bytes;
    return 0;
}

static int encode(struct squeezer *squeezer, const struct item_view *view,
                  const struct file_record *file, bool is_last, struct codec_block *block)
{
    struct iovec piece = {.iov_base = view->input + file->data, .iov_len = file->data_bytes};
    int error =
        codec_encode(squeezer->encoder, &piece, 1, is_last, squeezer->output + squeezer->used,
                     squeezer->capacity - squeezer->used, block);
    if (!error)
        squeezer->used += (size_t)block->output_bytes;
    return error;
}

/* A whole file. Most are of one block that needs nothing around it. */
static int squeeze_file(struct squeezer *squeezer, const struct item_view *view,
                        const struct file_record *file)
{
    const struct codec_plan *plan = &squeezer->job->codec;
    struct codec_block block;
    struct codec_stream *stream;
    if (!plan->request.single_member)
        return encode(squeezer, view, file, true, &block);
    int error = codec_stream_create(plan, &stream);
    if (error)
        return error;
    error = codec_stream_begin(stream, append, squeezer);
    if (!error)
        error = encode(squeezer, view, file, false, &block);
    if (!error)
        error = codec_stream_add(stream, &block);
    if (!error)
        error = codec_stream_end(stream, append, squeezer);
    codec_stream_destroy(stream);
    return error;
}

/* Whether what was made gives the input again. */
static int check(struct squeezer *squeezer, const struct item_view *view,
                 const struct file_record *file, const uint8_t *made, size_t bytes)
{
    size_t got;
    const struct squeeze_job *job = squeezer->job;
    int error = decode_block(squeezer->decoder, job->codec.request.format, made, bytes,
                             squeezer->check, job->shape.block_bytes + 1, &got);
    if (!error &&
        (got != file->data_bytes || memcmp(squeezer->check, view->input + file->data, got) != 0))
        error = -EBADMSG;
    return error;
}

static void squeeze_record(struct squeezer *squeezer, const struct item_view *view, unsigned index)
{
    struct file_record *file = &batch_of(view)->file[index];
    struct squeezed *made = (struct squeezed *)(view->output + squeezer->job->output_start) + index;
    bool is_first = !batch_is_chunk(view) || view->item->chunk == 0;
    *made = (struct squeezed){.start = squeezer->used + table_bytes(&squeezer->job->shape)};
    if (fault_is_set(file->fault) || file->flags & FILE_NOT_FILE)
        return;
    if (is_first && !squeezer->job->takes_compressed &&
        squeeze_is_compressed(view->input + file->data, file->data_bytes)) {
        file->fault = fault_of(TM_FAULT_COMPRESSED);
        file->flags |= FILE_SKIPPED;
        return;
    }
    size_t start = squeezer->used;
    int error = batch_is_chunk(view) ? encode(squeezer, view, file, view->item->last, &made->block)
                                     : squeeze_file(squeezer, view, file);
    made->bytes = squeezer->used - start;
    if (!error && squeezer->decoder)
        error = check(squeezer, view, file, squeezer->output + start, (size_t)made->bytes);
    if (error)
        file->fault = fault_system(TM_OP_COMPRESS, error);
}

static void squeezer_run(void *state, const struct item_view *view)
{
    struct squeezer *squeezer = state;
    const struct squeeze_job *job = squeezer->job;
    size_t table = table_bytes(&job->shape);
    squeezer->output = view->output + job->output_start + table;
    squeezer->capacity = squeeze_output_bytes(job, &job->shape) - table;
    squeezer->used = 0;
    for (unsigned i = 0; i < batch_of(view)->file_count; i++) {
        atomic_store_explicit(&view->item->cursor, i, memory_order_relaxed);
        squeeze_record(squeezer, view, i);
    }
}

const struct stage_ops squeeze_stage = {
    .name = "compress",
    .open = squeezer_open,
    .close = squeezer_close,
    .run = squeezer_run,
    .blame = batch_blame,
    .confinement = stage_only_computes,
};
