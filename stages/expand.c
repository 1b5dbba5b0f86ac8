#include "stages/expand_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/io.h"
#include "stages/opener.h"
#include "stages/publish.h"
#include "stages/shortage.h"

#define INPUT_BYTES  ((size_t)256 * 1024)
#define OUTPUT_BYTES ((size_t)512 * 1024)

enum phase {
    EXPANDER_NEXT,    /* look for the next file */
    EXPANDER_OPENED,  /* it is being opened */
    EXPANDER_READ,    /* a piece is being read */
    EXPANDER_DECODED, /* a piece was decompressed that is not to be written */
    EXPANDER_OUTPUT,  /* the output is being made, written, or published */
    EXPANDER_CLOSED
};

/* One task's state. */
struct expander {
    const struct expand_job *job;
    struct decoder *decoder; /* of chunks */
    /* Of a file that comes as a whole; made when first needed. */
    struct decode_stream *stream;
    struct archive_test *test; /* NULL: the job is no test */
    uint8_t *input, *output, *attributes;
    enum phase phase;
    unsigned index;
    int fd;
    bool at_start;
    bool has_output; /* the publisher is at work on it */
    bool made_directories;
    char *path; /* of the output */
    struct publisher publisher;
    struct decode_step step;
    uint64_t read_bytes, written_bytes;
    uint64_t done_bytes; /* read of the item's files before this one */
};

static struct archive_verdict *verdict_of(const struct expander *expander,
                                          const struct item_view *view)
{
    return &expanded_of(expander->job, view, expander->index)->verdict;
}

static void expander_close(void *state)
{
    struct expander *expander = state;
    if (expander->fd > STDERR_FILENO)
        close(expander->fd);
    publish_discard(&expander->publisher);
    decoder_destroy(expander->decoder);
    decode_stream_destroy(expander->stream);
    archive_test_destroy(expander->test);
    free(expander->input);
    free(expander->output);
    free(expander->attributes);
    free(expander->path);
    free(expander);
}

static int expander_open(void *job, void **state)
{
    struct expander *expander = calloc(1, sizeof *expander);
    if (!expander)
        return -ENOMEM;
    expander->job = job;
    expander->fd = -1;
    publish_init(&expander->publisher);
    int error = decoder_create(&expander->decoder);
    if (error)
        expander_close(expander);
    else
        *state = expander;
    return error;
}

/* Files that come as a whole. */

static int make_buffers(struct expander *expander)
{
    if (!expander->input)
        expander->input = malloc(INPUT_BYTES);
    if (!expander->output)
        expander->output = malloc(OUTPUT_BYTES);
    if (!expander->attributes)
        expander->attributes = malloc(METADATA_MAX_BYTES);
    if (!expander->input || !expander->output || !expander->attributes)
        return -ENOMEM;
    int error = expander->stream ? 0 : decode_stream_create(CODEC_GZIP, &expander->stream);
    if (!error && expander->job->tests && !expander->test)
        error = archive_test_create(&expander->job->limits, &expander->test);
    return error;
}

static void add_close(struct expander *expander, struct io_chain *chain)
{
    if (expander->fd > STDERR_FILENO)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = expander->fd});
    expander->fd = -1;
    expander->phase = EXPANDER_CLOSED;
}

/* Nothing is left of its output. */
static void fail(struct expander *expander, struct file_record *file, struct tm_fault fault,
                 struct io_chain *chain)
{
    file->fault = fault;
    if (!expander->has_output) {
        add_close(expander, chain);
        return;
    }
    publish_abandon(&expander->publisher);
    expander->phase = EXPANDER_OUTPUT;
}

static void begin_file(struct expander *expander, const struct item_view *view,
                       struct file_record *file, struct io_chain *chain)
{
    const char *path = batch_path(view, file);
    int flags = OPENER_FILE_FLAGS | (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0);
    expander->at_start = true;
    expander->has_output = expander->made_directories = false;
    expander->step = (struct decode_step){.output_bytes = 1};
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

/* The output. */

static int begin_output(struct expander *expander, const struct item_view *view,
                        struct file_record *file)
{
    const struct placing *placing = &expander->job->placing;
    const char *path = batch_path(view, file);
    struct publish_request request;
    free(expander->path);
    expander->path = NULL;
    int error = placing_path(placing, path, file->path_bytes, &expander->path);
    if (error)
        return error;
    placing_request(placing, expander->path, path, file, expander->attributes, &request);
    request.more = true;
    publish_begin(&expander->publisher, &request);
    expander->has_output = true;
    expander->phase = EXPANDER_OUTPUT;
    return 0;
}

static void opened(struct expander *expander, const struct item_view *view,
                   struct file_record *file, struct io_chain *chain)
{
    const struct expand_job *job = expander->job;
    if (chain->count)
        expander->fd = (int)chain->op[0].result;
    chain->count = 0;
    if (expander->fd < 0) {
        fail(expander, file, fault_system(TM_OP_OPEN, expander->fd), chain);
        return;
    }
    if (job->tests || job->leaves_whole) {
        add_read(expander, file, chain);
        return;
    }
    int error = begin_output(expander, view, file);
    if (error == -EINVAL)
        file->flags |= FILE_SKIPPED;
    if (error)
        fail(expander, file,
             error == -EINVAL ? fault_of(TM_FAULT_SUFFIX) : fault_system(TM_OP_CREATE, error),
             chain);
}

/* Tests. */

static void fail_test(struct expander *expander, const struct item_view *view,
                      struct file_record *file, struct io_chain *chain)
{
    fail(expander, file, verdict_of(expander, view)->fault, chain);
}

/* Zeros that are no tar by their name. */
static bool is_lost(const struct archive_verdict *verdict, const char *path, size_t bytes)
{
    bool is_tar = bytes > 4 && memcmp(path + bytes - 4, ".tar", 4) == 0;
    return verdict->is_zeros && !is_tar &&
           (placing_knows(path, bytes) || archive_test_knows(path, bytes));
}

/* It is nothing that is decompressed here. */
static void test_archive(struct expander *expander, const struct item_view *view,
                         struct file_record *file, struct io_chain *chain)
{
    struct archive_place place = {expander->fd, expander->input, expander->read_bytes,
                                  file->flags & FILE_READ_ONCE, chain->stop_fd};
    struct archive_verdict *verdict = verdict_of(expander, view);
    archive_test_run(expander->test, &place, verdict);
    if (is_lost(verdict, batch_path(view, file), file->path_bytes))
        verdict->fault = fault_of(TM_FAULT_FORMAT);
    expanded_of(expander->job, view, expander->index)->bytes = verdict->bytes;
    fail_test(expander, view, file, chain); /* if so */
}

/* The input has ended. */
static void finish(struct expander *expander, const struct item_view *view,
                   struct file_record *file, struct io_chain *chain)
{
    int error = decode_stream_finish(expander->stream);
    if (error) {
        fail(expander, file, expand_fault(error), chain);
        return;
    }
    if (expander->test && !archive_test_end(expander->test)) {
        fail_test(expander, view, file, chain);
        return;
    }
    if (decode_stream_has_garbage(expander->stream))
        file->flags |= FILE_TRAILING;
    expanded_of(expander->job, view, expander->index)->bytes = expander->written_bytes;
    if (!expander->has_output) {
        add_close(expander, chain);
        return;
    }
    publish_end(&expander->publisher);
    expander->phase = EXPANDER_OUTPUT;
}

/* Decompresses until there is something to write, or more to read. */
static void decode(struct expander *expander, const struct item_view *view,
                   struct file_record *file, struct io_chain *chain)
{
    struct decode_step *step = &expander->step;
    step->output = expander->output;
    step->output_bytes = OUTPUT_BYTES;
    int error = decode_stream_run(expander->stream, step);
    size_t made = OUTPUT_BYTES - step->output_bytes;
    if (error) {
        fail(expander, file, expand_fault(error), chain);
        return;
    }
    if (expander->test && !archive_test_push(expander->test, expander->output, made)) {
        fail_test(expander, view, file, chain);
        return;
    }
    expander->phase = EXPANDER_DECODED;
    if (made && expander->has_output) {
        publish_write(&expander->publisher, expander->output, made, expander->written_bytes);
        expander->phase = EXPANDER_OUTPUT;
    }
    expander->written_bytes += made;
}

/* With the last piece gone. */
static void go_on(struct expander *expander, const struct item_view *view, struct file_record *file,
                  struct io_chain *chain)
{
    if (expander->step.input_bytes || !expander->step.output_bytes)
        decode(expander, view, file, chain);
    else
        add_read(expander, file, chain);
}

static void make_output(struct expander *expander, const struct item_view *view,
                        struct file_record *file, struct io_chain *chain)
{
    switch (publish_step(&expander->publisher, chain)) {
    case PUBLISH_PENDING:
        return;
    case PUBLISH_OPEN:
        go_on(expander, view, file, chain);
        return;
    case PUBLISH_EXISTS:
        file->fault = fault_system(TM_OP_CREATE, EEXIST);
        break;
    case PUBLISH_FAILED:
        if (fault_is_set(file->fault)) /* it was given up */
            break;
        if (placing_makes_way(&expander->job->placing, expander->path, expander->publisher.fault,
                              &expander->made_directories) &&
            begin_output(expander, view, file) == 0)
            return;
        file->fault = expander->publisher.fault;
        break;
    case PUBLISH_DONE:
        break;
    }
    add_close(expander, chain);
}

/* What it is: told by its first bytes, which a pipe may give one by one. False: more are needed, or
 * it is nothing. */
static bool begin_stream(struct expander *expander, const struct item_view *view,
                         struct file_record *file, bool is_all, struct io_chain *chain)
{
    enum codec_format format;
    if (expander->read_bytes < DECODE_DETECT_BYTES && !is_all) {
        add_read(expander, file, chain);
        return false;
    }
    if (!decode_detect(expander->input, (size_t)expander->read_bytes, &format)) {
        if (expander->test)
            test_archive(expander, view, file, chain);
        else
            fail(expander, file, fault_of(TM_FAULT_FORMAT), chain);
        return false;
    }
    if (expander->test)
        archive_test_begin(expander->test, verdict_of(expander, view));
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
    atomic_store_explicit(&view->item->live_bytes, expander->done_bytes + expander->read_bytes,
                          memory_order_relaxed);
    expander->step.input = expander->input;
    expander->step.input_bytes = (size_t)got;
    if (expander->at_start && !begin_stream(expander, view, file, got == 0, chain))
        return;
    if (expander->step.input_bytes)
        decode(expander, view, file, chain);
    else
        finish(expander, view, file, chain);
}

static bool next_file(struct expander *expander, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    for (; expander->index < batch->file_count; expander->index++) {
        const struct file_record *file = &batch->file[expander->index];
        if (!file->trace.inode) /* else a worker may have died over it when it was done */
            *expanded_of(expander->job, view, expander->index) = (struct expanded){0};
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
    case EXPANDER_DECODED:
        go_on(expander, view, file, chain);
        break;
    case EXPANDER_OUTPUT:
        make_output(expander, view, file, chain);
        break;
    case EXPANDER_CLOSED:
        chain->count = 0;
        if (file->flags & FILE_READ_ONCE) { /* which had no size before */
            file->stat.size_bytes = expander->read_bytes;
            view->item->bytes += expander->read_bytes;
        }
        expander->done_bytes += expander->read_bytes;
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
        expander->done_bytes = 0;
        if (batch_is_chunk(view)) {
            expand_chunk(expander->job, expander->decoder, view);
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
    struct io_chain chain = {.stop_fd = -1};
    void *state;
    int error = expander_open((void *)job, &state);
    if (error)
        return error;
    struct expander *expander = state;
    expander->index = index;
    do {
        advance(expander, view, &chain);
        if (expander->phase == EXPANDER_DECODED) {
            size_t made = OUTPUT_BYTES - expander->step.output_bytes;
            error = made ? write(context, expander->output, made) : 0;
        }
        if (chain.count)
            io_sync_execute(&chain);
    } while (!error && expander->index == index &&
             (chain.count || expander->phase != EXPANDER_NEXT));
    expander_close(expander);
    return error;
}
