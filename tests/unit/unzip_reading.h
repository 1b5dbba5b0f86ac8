/* Reads a zip archive without a graph: item after item as the stages would. */
#ifndef TREEMILL_TESTS_UNIT_UNZIP_READING_H
#define TREEMILL_TESTS_UNIT_UNZIP_READING_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline/io.h"
#include "stages/unzip.h"

/* One record, when all has been done to it. */
struct unzipped {
    const struct file_record *file;
    const char *path;
    struct member_extra extra;
    struct tm_fault fault; /* of the record, or of its stream */
    const uint8_t *data;   /* of a regular file without fault */
    size_t bytes;
    uint64_t streamed_bytes; /* that came out of a stream, with or without fault at its end */
};

struct reading {
    int fd;
    struct batch_shape shape;
    bool lists;
    bool twice; /* stages work on each item again, as after the death of a worker */
    bool (*wants)(void *context, struct member *member);
    void (*told)(void *context, const struct unzipped *unzipped);
    void *context;
    void (*filled)(void *context); /* before the item's data is read, or NULL */
    /* Results. */
    uint64_t entries, total_bytes;
    unsigned items, records;
    bool was_absolute;
};

static inline struct unzip_job reading_job(const struct reading *reading)
{
    return (struct unzip_job){
        .fd = reading->fd,
        .shape = reading->shape,
        .fetch = {.fd = reading->fd},
        .output_start = 64,
        .lists = reading->lists,
    };
}

/* Streams are kept up to so many bytes. */
#define STREAM_KEPT ((size_t)32 << 20)

/* Reads a stream to its end, in pieces of changing sizes. 0 or its error. */
static inline int read_stream(const struct unzip_job *job, const struct item_view *view,
                              unsigned index, uint8_t **data, uint64_t *bytes)
{
    static const size_t pieces[] = {70000, 1, 4096, 524288, 3};
    void *stream;
    *bytes = 0;
    *data = NULL;
    int error = unzip_source.open((void *)job, view, index, &stream);
    if (error)
        return error;
    uint64_t said = batch_of(view)->file[index].stat.size_bytes;
    size_t room = (said < STREAM_KEPT ? (size_t)said : STREAM_KEPT) + 1;
    *data = malloc(room);
    if (!*data)
        ck_abort_msg("no memory");
    ptrdiff_t got;
    for (unsigned turn = 0;; turn++) {
        size_t piece = pieces[turn % 5];
        if (piece > room - *bytes)
            piece = room - *bytes;
        ck_assert_uint_gt(piece, 0);
        got = unzip_source.read(stream, *data + *bytes, piece);
        ck_assert_int_le(got, (ptrdiff_t)piece);
        if (got <= 0)
            break;
        *bytes += (uint64_t)got;
    }
    unzip_source.close(stream);
    return (int)got;
}

static inline struct tm_fault fault_of_stream(int error)
{
    return error == -EBADMSG   ? fault_of(TM_FAULT_CORRUPT)
           : error == -ENODATA ? fault_of(TM_FAULT_TRUNCATED)
           : error             ? fault_system(TM_OP_READ, error)
                               : TM_NO_FAULT;
}

static inline void tell(struct reading *reading, const struct unzip_job *job,
                        const struct item_view *view, unsigned index)
{
    const struct file_record *file = &batch_of(view)->file[index];
    struct unzipped unzipped = {.file = file,
                                .path = batch_path(view, file),
                                .extra = member_extra_of(view, file),
                                .fault = file->fault,
                                .data = view->input + file->data,
                                .bytes = file->data_bytes};
    uint8_t *streamed = NULL;
    if (!fault_is_set(file->fault) && file->state == FILE_STREAM) {
        ck_assert_uint_eq(batch_of(view)->file_count, 1);
        unzipped.fault =
            fault_of_stream(read_stream(job, view, index, &streamed, &unzipped.streamed_bytes));
        unzipped.data = streamed;
        unzipped.bytes = unzipped.streamed_bytes;
    }
    reading->records++;
    reading->told(reading->context, &unzipped);
    free(streamed);
}

/* The stages, one after the other. */
static inline void work(const struct unzip_job *job, const struct item_view *view, void *state)
{
    struct io_chain chain = {.stop_fd = -1};
    void *fetcher;
    ck_assert_int_eq(fetch_stage.open((void *)&job->fetch, &fetcher), 0);
    while (fetch_stage.step(fetcher, view, &chain))
        io_sync_execute(&chain);
    ck_assert(!fault_is_set(view->item->fault));
    unzip_stage.run(state, view);
}

/* Memory of the exact sizes, so that AddressSanitizer sees a byte too many. */
static inline int read_items(struct reading *reading, struct unzip *unzip)
{
    struct unzip_job job = reading_job(reading);
    size_t output_bytes =
        job.output_start + (reading->lists ? 0 : unzip_output_bytes(&reading->shape));
    struct tm_item item = {0};
    struct item_view view = {.item = &item,
                             .input = malloc(batch_input_bytes(&reading->shape)),
                             .output = malloc(output_bytes)};
    void *state;
    int got;
    ck_assert_int_eq(unzip_stage.open(&job, &state), 0);
    while ((got = unzip_fill(unzip, &job, &view, reading->wants, reading->context)) > 0) {
        const struct batch *batch = batch_of(&view);
        ck_assert_uint_gt(batch->file_count, 0);
        ck_assert_uint_le(batch->file_count, reading->shape.files_max);
        reading->items++;
        if (reading->filled)
            reading->filled(reading->context);
        for (int turn = 0; turn < 1 + reading->twice; turn++)
            work(&job, &view, state);
        for (unsigned i = 0; i < batch->file_count; i++)
            tell(reading, &job, &view, i);
    }
    unzip_stage.close(state);
    free(view.input);
    free(view.output);
    return got;
}

/* 0, or the error of unzip_open() or unzip_fill(). */
static inline int read_archive(struct reading *reading)
{
    struct unzip *unzip;
    reading->items = reading->records = 0;
    int error = unzip_open(reading->fd, &unzip);
    if (error)
        return error;
    reading->entries = unzip_entries(unzip);
    reading->total_bytes = unzip_total_bytes(unzip);
    error = read_items(reading, unzip);
    reading->was_absolute = unzip_was_absolute(unzip);
    unzip_close(unzip);
    return error;
}

#endif
