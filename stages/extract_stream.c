/* The data of members that are not in the slab. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "stages/extract_private.h"

#define BUFFER_BYTES ((size_t)256 << 10)

int extract_stream_open(struct extract_stream *stream, const struct item_view *view, unsigned index)
{
    const struct extract_job *job = stream->job;
    int error = 0;
    stream->offset = 0;
    if (!job->source)
        return -ENOTSUP;
    if (!stream->buffer)
        stream->buffer = malloc(BUFFER_BYTES);
    if (!stream->buffer)
        return -ENOMEM;
    if (job->algorithms && !stream->hasher)
        error = digest_hasher_create(job->algorithms, &stream->hasher);
    if (!error && stream->hasher)
        error = digest_begin(stream->hasher, job->algorithms);
    return error ? error : job->source->open(job->source_context, view, index, &stream->stream);
}

void extract_stream_close(struct extract_stream *stream)
{
    if (stream->stream)
        stream->job->source->close(stream->stream);
    stream->stream = NULL;
}

void extract_stream_free(struct extract_stream *stream)
{
    extract_stream_close(stream);
    digest_hasher_destroy(stream->hasher);
    free(stream->buffer);
    *stream = (struct extract_stream){.job = stream->job};
}

static bool is_over(int stop_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

static struct tm_fault fault_of_reading(int error)
{
    switch (error) {
    case -EBADMSG:
        return fault_of(TM_FAULT_CORRUPT);
    case -ENODATA:
        return fault_of(TM_FAULT_TRUNCATED);
    default:
        return fault_system(TM_OP_READ, error);
    }
}

struct tm_fault extract_stream_read(struct extract_stream *stream, int stop_fd, uint8_t *output,
                                    size_t *bytes)
{
    int error = 0;
    *bytes = 0;
    if (is_over(stop_fd))
        return fault_system(TM_OP_READ, ECANCELED);
    ptrdiff_t got = stream->job->source->read(stream->stream, stream->buffer, BUFFER_BYTES);
    if (got < 0)
        return fault_of_reading((int)got);
    *bytes = (size_t)got;
    stream->offset += (uint64_t)got;
    if (stream->hasher)
        error = got ? digest_update(stream->hasher, stream->buffer, *bytes)
                    : digest_finish(stream->hasher, output);
    return error ? fault_system(TM_OP_HASH, error) : TM_NO_FAULT;
}

void extract_stream_feed(struct extract_stream *stream, const struct item_view *view,
                         unsigned index, int stop_fd, struct making *making)
{
    uint64_t offset = stream->stream ? stream->offset : 0;
    size_t bytes = 0;
    int error = stream->stream ? 0 : extract_stream_open(stream, view, index);
    struct tm_fault fault =
        error ? fault_system(TM_OP_READ, error)
              : extract_stream_read(stream, stop_fd, extract_digests(stream->job, view, index),
                                    &bytes);
    if (fault_is_set(fault))
        making_give_up(making, fault);
    else if (bytes)
        publish_write(&making->publisher, stream->buffer, bytes, offset);
    else
        publish_end(&making->publisher);
}

struct tm_fault extract_stream_test(struct extract_stream *stream, const struct item_view *view,
                                    unsigned index, int stop_fd)
{
    const struct extract_job *job = stream->job;
    struct tm_fault fault = TM_NO_FAULT;
    size_t bytes = 0;
    int error = extract_stream_open(stream, view, index);
    if (error)
        fault = fault_of_reading(error);
    else
        do
            fault = extract_stream_read(stream, stop_fd, extract_digests(job, view, index), &bytes);
        while (!fault_is_set(fault) && bytes);
    extract_stream_close(stream);
    return fault;
}
