/* Chunks: whole members or frames, decompressed from the slab into the slab. */
#include <errno.h>

#include "pipeline/arena.h"
#include "stages/expand_private.h"

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

struct tm_fault expand_fault(int error)
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

void expand_chunk(const struct expand_job *job, struct decoder *decoder,
                  const struct item_view *view)
{
    struct file_record *file = &batch_of(view)->file[0];
    const uint8_t *input = view->input + file->data;
    struct expanded *expanded = expanded_of(job, view, 0);
    enum codec_format format;
    size_t bytes = 0;
    expanded->bytes = 0;
    if (fault_is_set(file->fault) || !file->data_bytes)
        return;
    int error = -EBADMSG;
    if (decode_detect(input, file->data_bytes, &format))
        error = decode_block(decoder, format, input, file->data_bytes,
                             (uint8_t *)expanded_data(job, view), EXPAND_CHUNK_BYTES, &bytes);
    expanded->bytes = bytes;
    if (error)
        file->fault = expand_fault(error);
}
