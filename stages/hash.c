#include "stages/hash_private.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/arena.h"

/* In item->cursor: not to be blamed on one file. */
#define CURSOR_NO_FILE UINT32_MAX
_Static_assert(BATCH_FILES_MAX <= UINT16_MAX + 1, "member[] holds numbers of files");

size_t hash_stride_bytes(const struct hash_job *job)
{
    return digest_set_bytes(job->algorithms);
}

size_t hash_output_bytes(const struct hash_job *job, uint32_t files_max)
{
    return align_up(files_max * hash_stride_bytes(job), CACHE_LINE_BYTES);
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

/* Hashing what the slab holds. */

static void hash_small(struct hasher *hasher, const struct item_view *view,
                       struct file_record *file)
{
    int error = digest_once(hasher->digests, file->algorithms, view->input + file->data,
                            file->data_bytes, hasher_output(hasher, view));
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
        hasher->member[count++] = (uint16_t)i;
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
        hasher->stream_bytes = 0;
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

/* A hole before the chunk, or at the file's end, is zeros to the digests. */
static void hash_hole(struct hasher *hasher, uint64_t end)
{
    static const uint8_t zeros[65536];
    while (hasher->stream_bytes < end && !hasher->stream_error) {
        uint64_t rest = end - hasher->stream_bytes;
        size_t bytes = rest < sizeof zeros ? (size_t)rest : sizeof zeros;
        hasher->stream_error = digest_update(hasher->stream_digests, zeros, bytes);
        hasher->stream_bytes += bytes;
    }
}

static void hash_stream_data(struct hasher *hasher, const struct item_view *view,
                             const struct file_record *file)
{
    bool is_sparse = file->flags & FILE_SPARSE;
    if (is_sparse)
        hash_hole(hasher, file->offset);
    if (!hasher->stream_error)
        hasher->stream_error =
            digest_update(hasher->stream_digests, view->input + file->data, file->data_bytes);
    hasher->stream_bytes += file->data_bytes;
    if (is_sparse && view->item->last)
        hash_hole(hasher, file->stat.size_bytes);
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
        both = both && hasher->wants_data && !(file->flags & FILE_SPARSE);
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
        hash_stream_data(hasher, view, file);
    if (!view->item->last)
        return false;
    if (!hasher->stream_is_whole)
        return !killed_its_worker(file);
    hasher->serial = 0;
    int error = hasher->stream_error;
    if (!error)
        error = digest_finish(hasher->stream_digests, hasher_output(hasher, view));
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
            hasher_begin_reread(hasher, file);
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
    do {
        if (hasher->phase == HASHER_NEXT) {
            chain->count = 0;
            if (!next_file(hasher, view))
                return false;
        } else {
            hasher_reread(hasher, view, chain);
        }
    } while (!chain->count);
    return true;
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
