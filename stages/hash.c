#include "stages/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/arena.h"
#include "stages/batch.h"
#include "stages/digest.h"
#include "stages/opener.h"
#include "stages/shortage.h"

enum hasher_phase {
    HASHER_NEXT,   /* look at the next file of the batch */
    HASHER_WALK,   /* re-reading: going down to the file */
    HASHER_OPENED, /* the file's open and first status */
    HASHER_PAUSE,  /* out of descriptors: others will close theirs */
    HASHER_READ,   /* a piece of it */
    HASHER_CLOSED  /* its last status and close */
};

/* In item->cursor: not to be blamed on one file. */
#define CURSOR_NO_FILE UINT32_MAX
_Static_assert(BATCH_FILES_MAX <= UINT8_MAX + 1, "member[] holds numbers of files");

/* As the kernel's readahead likes it, and small enough for the second-level cache. */
#define STREAM_BUFFER_BYTES (256 * 1024)

/* How often to try a socket whose listener has no room for one more that waits. */
#define REFUSALS_MAX 2000

struct hasher {
    const struct hash_job *job;
    struct digest_hasher *digests;        /* of files that are hashed by themselves */
    struct digest_hasher *stream_digests; /* of the stream, between its chunks */
    /* Small files that are hashed together, and which of the batch they are. */
    struct digest_message message[BATCH_FILES_MAX];
    uint8_t member[BATCH_FILES_MAX];
    enum hasher_phase phase;
    unsigned index; /* of the file in the batch */
    /* The stream in hand. */
    uint64_t serial;
    uint32_t next_chunk;
    bool stream_is_whole; /* all chunks before next_chunk went through stream_digests, unchanged */
    int stream_error;     /* of stream_digests */
    /* Of the chunk in hand: begin_chunk() was called, and said that its data is to be hashed. */
    bool is_begun, wants_data;
    /* Re-reading. */
    struct opener opener;
    int fd;
    unsigned attempts, refusals;
    struct shortage shortage;
    uint64_t bytes;
    struct statx before, after;
    uint8_t *buffer;
};

size_t hash_stride_bytes(const struct hash_job *job)
{
    return digest_set_bytes(job->algorithms);
}

size_t hash_output_bytes(const struct hash_job *job)
{
    return align_up(BATCH_FILES_MAX * hash_stride_bytes(job), CACHE_LINE_BYTES);
}

static void hasher_close(void *state)
{
    struct hasher *hasher = state;
    digest_hasher_destroy(hasher->digests);
    digest_hasher_destroy(hasher->stream_digests);
    free(hasher->buffer);
    free(hasher);
}

static int hasher_open(void *job, void **state)
{
    struct hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return -ENOMEM;
    hasher->job = job;
    hasher->fd = -1;
    int error = digest_hasher_create(hasher->job->algorithms, &hasher->digests);
    if (!error)
        error = digest_hasher_create(hasher->job->algorithms, &hasher->stream_digests);
    if (error < 0) {
        hasher_close(hasher);
        return error;
    }
    digest_set_engine(hasher->digests, hasher->job->engine);
    digest_set_engine(hasher->stream_digests, hasher->job->engine);
    if (hasher->job->pairs)
        digest_expect_pairs(hasher->stream_digests);
    *state = hasher;
    return 0;
}

static struct file_record *current(const struct hasher *hasher, const struct item_view *view)
{
    return &batch_of(view)->file[hasher->index];
}

static uint8_t *output_of(const struct hasher *hasher, const struct item_view *view)
{
    return view->output + hasher->index * hash_stride_bytes(hasher->job);
}

static void next(struct hasher *hasher)
{
    hasher->index++;
    hasher->phase = HASHER_NEXT;
}

static void fail(struct hasher *hasher, struct file_record *file, struct tm_fault fault)
{
    file->fault = fault;
    next(hasher);
}

/* Reading the file from its start. */

static void begin_reread(struct hasher *hasher, const struct file_record *file)
{
    opener_begin(&hasher->opener, AT_FDCWD);
    hasher->bytes = 0;
    hasher->fd = file->flags & FILE_STANDARD_INPUT ? 0 : -1;
    hasher->phase = HASHER_WALK;
}

static void add_read(struct hasher *hasher, struct file_record *file, struct io_chain *chain)
{
    chain->count = 0;
    if (file->flags & FILE_READ_ONCE) {
        file->flags |= FILE_CONSUMED; /* beforehand: this worker may be killed after the read */
        io_add(chain, (struct io_op){.code = IO_POLL, .fd = hasher->fd});
    }
    io_add(chain, (struct io_op){.code = IO_READ_NEXT,
                                 .fd = hasher->fd,
                                 .data = hasher->buffer,
                                 .size = STREAM_BUFFER_BYTES});
    hasher->phase = HASHER_READ;
}

static void begin_stream(struct hasher *hasher, struct file_record *file, struct io_chain *chain)
{
    int error = digest_begin(hasher->digests, file->algorithms);
    if (!hasher->buffer)
        hasher->buffer = malloc(STREAM_BUFFER_BYTES);
    if (!error && !hasher->buffer)
        error = -ENOMEM;
    if (!error) {
        add_read(hasher, file, chain);
        return;
    }
    file->fault = fault_system(TM_OP_HASH, error);
    chain->count = 0;
    if (!(file->flags & FILE_STANDARD_INPUT))
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
    next(hasher);
}

static void fail_open(struct hasher *hasher, struct file_record *file, int error,
                      struct io_chain *chain)
{
    bool may_pass = error == -EAGAIN ? hasher->refusals++ < REFUSALS_MAX
                                     : shortage_may_pass(&hasher->shortage, error, chain);
    if (!may_pass) {
        fail(hasher, file, fault_system(TM_OP_OPEN, error));
        return;
    }
    shortage_pause(&hasher->shortage, chain);
    hasher->phase = HASHER_PAUSE;
}

static void walk(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = current(hasher, view);
    int error = 0;
    if (file->flags & FILE_CONSUMED) { /* by a worker that has died */
        struct tm_fault fault = fault_of(TM_FAULT_CONSUMED);
        fault.stage = atomic_load_explicit(&view->item->stage, memory_order_relaxed);
        fail(hasher, file, fault);
        return;
    }
    if (file->flags & FILE_STANDARD_INPUT) {
        begin_stream(hasher, file, chain);
        return;
    }
    const char *path = batch_path(view, file);
    switch (opener_step(&hasher->opener, path, file->path_bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        fail_open(hasher, file, error, chain);
        return;
    case OPENER_REACHED:
        break;
    }
    io_add(chain, (struct io_op){.code = S_ISSOCK(file->stat.mode) ? IO_CONNECT : IO_OPEN,
                                 .dir = hasher->opener.base,
                                 .path = path + hasher->opener.offset,
                                 .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                          (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0)});
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = &hasher->before,
                                 .size = file_stat_mask});
    opener_add_close(&hasher->opener, chain);
    hasher->phase = HASHER_OPENED;
}

static void opened(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = current(hasher, view);
    int64_t fd = chain->op[0].result;
    int64_t status = chain->op[1].result;
    chain->count = 0;
    if (fd < 0) {
        fail_open(hasher, file, (int)fd, chain);
        return;
    }
    hasher->fd = (int)fd;
    shortage_is_over(&hasher->shortage);
    if (status < 0 || (!S_ISREG(hasher->before.stx_mode) && !(file->flags & FILE_SPECIAL))) {
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
        fail(hasher, file,
             status < 0 ? fault_system(TM_OP_STAT, (int)status) : fault_of(TM_FAULT_SPECIAL));
        return;
    }
    begin_stream(hasher, file, chain);
}

static void add_end(struct hasher *hasher, const struct file_record *file, struct io_chain *chain)
{
    chain->count = 0;
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = hasher->fd,
                                 .data = &hasher->after,
                                 .size = file_stat_mask});
    if (!(file->flags & FILE_STANDARD_INPUT))
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = hasher->fd});
    hasher->phase = HASHER_CLOSED;
}

static void piece_read(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = current(hasher, view);
    int64_t ready = chain->op[0].result; /* of the IO_POLL, or the read itself */
    int64_t got = ready < 0 ? ready : chain->op[chain->count - 1].result;
    if (got == -EAGAIN) { /* somebody else was faster */
        add_read(hasher, file, chain);
        return;
    }
    if (got > 0) {
        int error = digest_update(hasher->digests, hasher->buffer, (size_t)got);
        hasher->bytes += (uint64_t)got;
        if (!error) {
            add_read(hasher, file, chain);
            return;
        }
        file->fault = fault_system(TM_OP_HASH, error);
    } else if (got < 0) {
        file->fault = fault_system(TM_OP_READ, (int)got);
    }
    add_end(hasher, file, chain);
}

/* A file of /proc says it is empty and is not: its size cannot be compared. */
static bool changed_meanwhile(const struct hasher *hasher)
{
    struct file_stat before, after;
    file_stat_from(&before, &hasher->before);
    file_stat_from(&after, &hasher->after);
    bool has_size = before.size_bytes != 0 || hasher->bytes == 0;
    bool is_pseudo = before.size_bytes == 0 && after.size_bytes == 0 && hasher->bytes > 0;
    return !is_pseudo &&
           (!file_stat_same(&before, &after) || (has_size && before.size_bytes != hasher->bytes));
}

static void reread_done(struct hasher *hasher, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = current(hasher, view);
    int64_t status = chain->op[0].result;
    chain->count = 0;
    hasher->fd = -1;
    if (fault_is_set(file->fault)) {
        next(hasher);
        return;
    }
    if (!(file->flags & FILE_READ_ONCE)) {
        if (status < 0) {
            fail(hasher, file, fault_system(TM_OP_STAT, (int)status));
            return;
        }
        if (changed_meanwhile(hasher)) {
            if (hasher->job->on_change == ON_CHANGE_RETRY &&
                hasher->attempts++ < hasher->job->retries) {
                begin_reread(hasher, file);
                return;
            }
            if (hasher->job->on_change != ON_CHANGE_WARN) {
                fail(hasher, file, fault_of(TM_FAULT_CHANGED));
                return;
            }
            file->flags |= FILE_CHANGED;
        }
        file_stat_from(&file->stat, &hasher->after);
    }
    file->stat.size_bytes = hasher->bytes;
    int error = digest_finish(hasher->digests, output_of(hasher, view));
    if (error)
        file->fault = fault_system(TM_OP_HASH, error);
    else
        file->state = FILE_HASHED;
    next(hasher);
}

/* Hashing what the slab holds. */

static void hash_small(struct hasher *hasher, const struct item_view *view,
                       struct file_record *file)
{
    int error = digest_once(hasher->digests, file->algorithms, view->input + file->data,
                            file->data_bytes, output_of(hasher, view));
    if (error)
        file->fault = fault_system(TM_OP_HASH, error);
    else
        file->state = FILE_HASHED;
}

static bool is_small_and_ready(const struct file_record *file)
{
    return file->state == FILE_READ && !(file->flags & FILE_NOT_FILE) && !fault_is_set(file->fault);
}

/* Collects the files that ask for the same algorithms as file `first` and hashes them together. */
static void hash_alike(struct hasher *hasher, const struct item_view *view, unsigned first)
{
    struct batch *batch = batch_of(view);
    uint32_t set = batch->file[first].algorithms;
    unsigned count = 0;
    for (unsigned i = first; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        if (!is_small_and_ready(file) || file->algorithms != set)
            continue;
        hasher->message[count] = (struct digest_message){
            .data = view->input + file->data,
            .bytes = file->data_bytes,
            .output = view->output + i * hash_stride_bytes(hasher->job),
        };
        hasher->member[count++] = (uint8_t)i;
    }
    int error = digest_many(hasher->digests, set, hasher->message, count);
    for (unsigned m = 0; m < count; m++) {
        struct file_record *file = &batch->file[hasher->member[m]];
        if (error)
            file->fault = fault_system(TM_OP_HASH, error);
        else
            file->state = FILE_HASHED;
    }
}

/* No single file is in work meanwhile, which the cursor says. Should the worker die here, the item
 * comes again with a try counted, and its files are taken one by one. */
static void hash_together(struct hasher *hasher, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    atomic_store_explicit(&view->item->cursor, CURSOR_NO_FILE, memory_order_relaxed);
    for (unsigned i = 0; i < batch->file_count; i++)
        if (is_small_and_ready(&batch->file[i]))
            hash_alike(hasher, view, i);
}

static bool killed_its_worker(const struct file_record *file)
{
    return file->fault.kind == TM_FAULT_SIGNAL || file->fault.kind == TM_FAULT_EXIT;
}

/* Whether the chunk's bytes are the next of a stream that is whole so far. */
static bool begin_chunk(struct hasher *hasher, const struct item_view *view)
{
    const struct tm_item *item = view->item;
    const struct file_record *file = &batch_of(view)->file[0];
    bool usable = file->state == FILE_READ && !fault_is_set(file->fault);
    if (item->chunk == 0) {
        hasher->serial = file->serial;
        hasher->next_chunk = 0;
        hasher->stream_error = digest_begin(hasher->stream_digests, file->algorithms);
        hasher->stream_is_whole = true;
    }
    /* Otherwise another worker had the chunks before this one, and died. */
    bool mine = hasher->serial == file->serial && hasher->next_chunk == item->chunk;
    hasher->stream_is_whole = hasher->stream_is_whole && mine && usable;
    hasher->serial = file->serial;
    hasher->next_chunk = item->chunk + 1;
    return hasher->stream_is_whole && !hasher->stream_error;
}

/* Chunks of two streams: what each would do alone, hash_chunk() finds done. */
static void hash_two_chunks(void *const states[2], const struct item_view views[2])
{
    struct digest_hasher *digests[2];
    const void *data[2];
    size_t bytes[2];
    bool both = true;
    for (int i = 0; i < 2; i++) {
        struct hasher *hasher = states[i];
        const struct file_record *file = &batch_of(&views[i])->file[0];
        hasher->is_begun = true;
        hasher->wants_data = begin_chunk(hasher, &views[i]);
        both = both && hasher->wants_data;
        digests[i] = hasher->stream_digests;
        data[i] = views[i].input + file->data;
        bytes[i] = file->data_bytes;
    }
    if (!both)
        return;
    int error = digest_update_two(digests, data, bytes);
    for (int i = 0; i < 2; i++) {
        struct hasher *hasher = states[i];
        hasher->wants_data = false;
        hasher->stream_error = error;
    }
}

/* True: the last chunk of a stream that did not come whole; it must be read again. */
static bool hash_chunk(struct hasher *hasher, const struct item_view *view,
                       struct file_record *file)
{
    if (!hasher->is_begun)
        hasher->wants_data = begin_chunk(hasher, view);
    hasher->is_begun = false;
    if (hasher->wants_data)
        hasher->stream_error =
            digest_update(hasher->stream_digests, view->input + file->data, file->data_bytes);
    if (!view->item->last)
        return false;
    if (!hasher->stream_is_whole)
        return !killed_its_worker(file);
    hasher->serial = 0;
    int error = hasher->stream_error;
    if (!error)
        error = digest_finish(hasher->stream_digests, output_of(hasher, view));
    if (error)
        file->fault = fault_system(TM_OP_HASH, error);
    else
        file->state = FILE_HASHED;
    return false;
}

/* Works on files from the slab until one must be read again; false: the batch is done. */
static bool next_file(struct hasher *hasher, const struct item_view *view)
{
    struct batch *batch = batch_of(view);
    for (; hasher->index < batch->file_count; hasher->index++) {
        struct file_record *file = &batch->file[hasher->index];
        atomic_store_explicit(&view->item->cursor, hasher->index, memory_order_relaxed);
        bool reread = false;
        if (file->state == FILE_HASHED || file->flags & FILE_NOT_FILE)
            continue;
        if (batch_is_chunk(view))
            reread = hash_chunk(hasher, view, file);
        else if (fault_is_set(file->fault))
            continue;
        else if (file->state == FILE_READ)
            hash_small(hasher, view, file);
        else
            reread = true;
        if (reread) {
            file->fault = TM_NO_FAULT; /* if it is still wrong, reading it again will tell */
            hasher->attempts = hasher->refusals = 0;
            begin_reread(hasher, file);
            return true;
        }
    }
    return false;
}

static bool hasher_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct hasher *hasher = state;
    if (!chain->count) { /* a new item */
        hasher->phase = HASHER_NEXT;
        hasher->index = 0;
        if (!batch_is_chunk(view) && view->item->tries == 0)
            hash_together(hasher, view);
    }
    for (;;) {
        switch (hasher->phase) {
        case HASHER_NEXT:
            chain->count = 0;
            if (!next_file(hasher, view))
                return false;
            break;
        case HASHER_WALK:
            walk(hasher, view, chain);
            break;
        case HASHER_OPENED:
            opened(hasher, view, chain);
            break;
        case HASHER_PAUSE:
            chain->count = 0;
            begin_reread(hasher, current(hasher, view));
            break;
        case HASHER_READ:
            piece_read(hasher, view, chain);
            break;
        case HASHER_CLOSED:
            reread_done(hasher, view, chain);
            break;
        }
        if (chain->count)
            return true;
    }
}

const struct stage_ops hash_stage = {
    .name = "hash",
    .keyed = true,
    .open = hasher_open,
    .close = hasher_close,
    .step = hasher_step,
    .together = hash_two_chunks,
    .blame = batch_blame,
};
