/* The stage "scan" of unpack: see unpack.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/unpack_private.h"

#define INPUT_BYTES ((size_t)256 * 1024)

static void scanner_close(void *state)
{
    struct scanner *scanner = state;
    untar_destroy(scanner->untar);
    names_in_work_destroy(scanner->names);
    foreign_close(scanner->foreign);
    decode_stream_destroy(scanner->decoder);
    free(scanner->input);
    free(scanner->carry);
    free(scanner);
}

static int scanner_open(void *job, void **state)
{
    struct scanner *scanner = calloc(1, sizeof *scanner);
    if (!scanner)
        return -ENOMEM;
    scanner->job = job;
    scanner->carry = malloc(UNPACK_CARRY_BYTES);
    scanner->input = malloc(INPUT_BYTES);
    if (scanner->job->kind == UNPACK_FOREIGN)
        foreign_prepare();
    int error = scanner->carry && scanner->input ? 0 : -ENOMEM;
    if (!error)
        error = untar_create(&scanner->untar);
    if (!error && !scanner->job->attributes)
        untar_pass_attributes(scanner->untar);
    if (!error)
        error = names_in_work_create(scanner->job->items, &scanner->names);
    if (!error && scanner->job->stream == UNPACK_CODEC)
        error = decode_stream_create(scanner->job->format, &scanner->decoder);
    if (error) {
        scanner_close(scanner);
        return error;
    }
    *state = scanner;
    return 0;
}

static void end(struct scanner *scanner)
{
    scanner->is_ended = true;
    atomic_store_explicit(&scanner->job->shared->ended, true, memory_order_relaxed);
}

void unpack_fail(struct scanner *scanner, const struct item_view *view, struct tm_fault fault,
                 const char *text)
{
    struct unpack_shared *shared = scanner->job->shared;
    struct unpack_note *note = unpack_note_of(scanner->job, view);
    if (scanner->is_ended)
        return;
    /* The latest record is that of a member whose data has not all come: nothing is made of it. */
    if (scanner->way == UNPACK_WHOLE && scanner->record)
        batch_of(view)->file_count--;
    snprintf(shared->message, sizeof shared->message, "%s", text ? text : "");
    note->fault = fault;
    note->fault.stage = atomic_load_explicit(&view->item->stage, memory_order_relaxed);
    end(scanner);
}

static struct tm_fault fault_of_input(int error)
{
    switch (error) {
    case -EBADMSG:
    case -E2BIG:
    case -ENOTSUP:
    case -EINVAL:
        return fault_of(TM_FAULT_CORRUPT);
    case -ENODATA:
        return fault_of(TM_FAULT_TRUNCATED);
    default:
        return fault_system(error == -ENOMEM ? TM_OP_MEMORY : TM_OP_READ, error);
    }
}

/* tar. */

/* Takes what there is of the archive. */
static void scan_tar(struct scanner *scanner, const struct item_view *view, const uint8_t *data,
                     size_t bytes)
{
    const struct unpack_job *job = scanner->job;
    struct untar_step step = {.input = data, .input_bytes = bytes};
    bool is_compressed = job->kind == UNPACK_STREAM && job->stream != UNPACK_RAW;
    while (!scanner->is_ended && !scanner->is_behind) {
        switch (untar_next(scanner->untar, &step)) {
        case UNTAR_MORE:
            return;
        case UNTAR_MEMBER:
            unpack_begin_member(scanner, view, untar_member(scanner->untar),
                                untar_is_sparse(scanner->untar), step.input_bytes);
            break;
        case UNTAR_DATA:
            unpack_add_data(scanner, view, step.data, step.data_bytes, step.offset);
            break;
        case UNTAR_DONE:
            unpack_end_member(scanner, view);
            break;
        case UNTAR_END: /* the checksum of what has been decompressed is still to come */
            if (is_compressed)
                scanner->is_behind = true;
            else
                end(scanner);
            break;
        default:
            unpack_fail(scanner, view, fault_of(TM_FAULT_CORRUPT), untar_error(scanner->untar));
        }
    }
}

static void finish_tar(struct scanner *scanner, const struct item_view *view)
{
    if (scanner->is_ended)
        return;
    bool is_enough = scanner->job->is_part && scanner->way == UNPACK_PASSED;
    int got = is_enough || scanner->is_behind ? 0 : untar_finish(scanner->untar);
    if (got < 0)
        unpack_fail(scanner, view, fault_of_input(got), NULL);
    else if (got > 0)
        unpack_note_of(scanner->job, view)->has_no_end = true;
    end(scanner);
}

/* Streams. */

static ptrdiff_t read_archive(struct scanner *scanner, void *data, size_t bytes)
{
    const struct unpack_job *job = scanner->job;
    ssize_t got;
    if (!job->is_seekable && scanner->input_bytes < job->head_bytes) {
        size_t rest = job->head_bytes - (size_t)scanner->input_bytes;
        got = (ssize_t)(bytes < rest ? bytes : rest);
        memcpy(data, job->head + scanner->input_bytes, (size_t)got);
        scanner->input_bytes += (uint64_t)got;
        return got;
    }
    do
        got = job->is_seekable ? pread(job->fd, data, bytes, (off_t)scanner->input_bytes)
                               : read(job->fd, data, bytes);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    scanner->input_bytes += (uint64_t)got;
    return got;
}

/* Decompressed bytes, at least one; 0: the end; or an error. */
static ptrdiff_t decode_some(struct scanner *scanner, uint8_t *data, size_t capacity)
{
    struct decode_step step = {scanner->input_at, scanner->input_left, data, capacity};
    while (step.output_bytes == capacity) {
        if (!step.input_bytes && !scanner->input_ended) {
            ptrdiff_t got = read_archive(scanner, scanner->input, INPUT_BYTES);
            if (got < 0)
                return got;
            scanner->input_ended = got == 0;
            step.input = scanner->input;
            step.input_bytes = (size_t)got;
        }
        size_t before = step.input_bytes;
        int error = decode_stream_run(scanner->decoder, &step);
        if (error)
            return error;
        if (scanner->input_ended && step.output_bytes == capacity && step.input_bytes == before)
            return decode_stream_finish(scanner->decoder);
    }
    scanner->input_at = step.input;
    scanner->input_left = step.input_bytes;
    return (ptrdiff_t)(capacity - step.output_bytes);
}

static ptrdiff_t filter_some(struct scanner *scanner, uint8_t *data, size_t capacity)
{
    uint64_t offset;
    ptrdiff_t got = foreign_read(scanner->foreign, data, capacity, &offset);
    scanner->input_bytes = foreign_position(scanner->foreign);
    return got;
}

static ptrdiff_t stream_some(struct scanner *scanner, uint8_t *data, size_t capacity)
{
    switch (scanner->job->stream) {
    case UNPACK_CODEC:
        return decode_some(scanner, data, capacity);
    case UNPACK_FILTERS:
        return filter_some(scanner, data, capacity);
    default:
        return read_archive(scanner, data, capacity);
    }
}

/* A window full, or what there is. */
static void scan_stream(struct scanner *scanner, const struct item_view *view)
{
    const struct unpack_job *job = scanner->job;
    uint8_t *window = unpack_window(job, view);
    size_t used = 0;
    ptrdiff_t got = 1;
    while (used < job->window_bytes && got > 0) {
        got = stream_some(scanner, window + used, job->window_bytes - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (job->stream != UNPACK_RAW && !unpack_count(scanner, view, used))
        return;
    scan_tar(scanner, view, window, used);
    if (got == 0)
        finish_tar(scanner, view);
    else if (got < 0)
        unpack_fail(scanner, view, fault_of_input((int)got),
                    job->stream == UNPACK_FILTERS ? foreign_error(scanner->foreign) : NULL);
}

/* What libarchive reads. */

static void fail_foreign(struct scanner *scanner, const struct item_view *view, int error)
{
    unpack_fail(scanner, view, fault_of_input(error), foreign_error(scanner->foreign));
}

/* The member's data into the rest of the window. False: there is no more room in it. */
static bool read_foreign(struct scanner *scanner, const struct item_view *view, size_t *used)
{
    const struct unpack_job *job = scanner->job;
    uint8_t *window = unpack_window(job, view);
    while (*used < job->window_bytes && !scanner->is_ended) {
        uint64_t offset;
        ptrdiff_t got =
            foreign_read(scanner->foreign, window + *used, job->window_bytes - *used, &offset);
        if (got < 0) {
            fail_foreign(scanner, view, (int)got);
            return false;
        }
        if (got == 0) {
            unpack_end_member(scanner, view);
            return true;
        }
        unpack_add_data(scanner, view, window + *used, (size_t)got, offset);
        *used += (size_t)got;
    }
    return false;
}

/* Whether the member may begin here: a small one waits for an item that has room for all of it. */
static bool fits(const struct scanner *scanner, const struct item_view *view,
                 const struct member *member, size_t used)
{
    const struct batch *batch = batch_of(view);
    const struct unpack_job *job = scanner->job;
    size_t text = member->path_bytes + member->target_bytes + member->attribute_bytes + 1024;
    if (!batch->file_count)
        return true;
    if (batch->file_count + 8 >= job->shape.files_max ||
        batch->meta_bytes + text > job->shape.meta_bytes)
        return false;
    uint64_t rest = job->window_bytes - used;
    return member->stat.size_bytes <= rest || member->stat.size_bytes > UNPACK_CARRY_BYTES;
}

static void scan_foreign(struct scanner *scanner, const struct item_view *view)
{
    const struct unpack_job *job = scanner->job;
    size_t used = 0;
    if (scanner->way != UNPACK_PASSED && !read_foreign(scanner, view, &used))
        return;
    while (!scanner->is_ended) {
        const struct member *member = scanner->pending;
        scanner->pending = NULL;
        bool was_pending = member != NULL;
        int got = was_pending ? 1 : foreign_next(scanner->foreign, &member);
        scanner->input_bytes = foreign_position(scanner->foreign);
        if (got < 0) {
            fail_foreign(scanner, view, got);
            return;
        }
        if (got == 0) {
            end(scanner);
            return;
        }
        if (!was_pending && *foreign_error(scanner->foreign)) {
            struct unpack_note *note = unpack_note_of(job, view);
            snprintf(note->warning, sizeof note->warning, "%s", foreign_error(scanner->foreign));
        }
        if (!fits(scanner, view, member, used)) {
            scanner->pending = member;
            return;
        }
        unpack_begin_member(scanner, view, member, foreign_is_sparse(scanner->foreign),
                            job->window_bytes - used);
        if (scanner->way != UNPACK_PASSED && !read_foreign(scanner, view, &used))
            return;
    }
}

/* The stage. */

static int begin_archive(struct scanner *scanner)
{
    const struct unpack_job *job = scanner->job;
    scanner->is_live = true;
    scanner->is_ended = scanner->is_behind = scanner->input_ended = false;
    scanner->input_bytes = scanner->output_bytes = scanner->members = 0;
    scanner->decompressed_bytes = 0;
    scanner->input_left = 0;
    scanner->way = UNPACK_PASSED;
    scanner->pending = NULL;
    untar_reset(scanner->untar);
    names_in_work_clear(scanner->names);
    if (scanner->decoder)
        decode_stream_reset(scanner->decoder, job->format);
    foreign_close(scanner->foreign);
    scanner->foreign = NULL;
    bool filters_only = job->kind == UNPACK_STREAM && job->stream == UNPACK_FILTERS;
    if (job->kind != UNPACK_FOREIGN && !filters_only)
        return 0;
    return foreign_open_behind(job->head, job->head_bytes, job->fd, filters_only,
                               &scanner->foreign);
}

/* False: there is nothing to do with the item. */
static bool begin_item(struct scanner *scanner, const struct item_view *view)
{
    const struct tm_item *item = view->item;
    int error = 0;
    bool mine = item->chunk == 0 || (scanner->is_live && scanner->next_chunk == item->chunk);
    if (item->chunk == 0)
        error = begin_archive(scanner);
    scanner->next_chunk = item->chunk + 1;
    scanner->record = NULL;
    if (!mine) { /* whoever had the chunks before has been killed */
        scanner->is_live = true;
        scanner->is_ended = false;
        unpack_fail(scanner, view, fault_of(TM_FAULT_CONSUMED), NULL);
    } else if (error) {
        unpack_fail(scanner, view, fault_of_input(error),
                    error == -E2BIG ? "too many filters, one behind another" : NULL);
    }
    return !scanner->is_ended;
}

static void scan_window(struct scanner *scanner, const struct item_view *view)
{
    const struct unpack_note *note = unpack_note_of(scanner->job, view);
    const struct fetch_ticket *ticket = fetch_ticket_of(&scanner->job->fetch, view);
    scanner->input_bytes += ticket->got;
    if (fault_is_set(note->fault)) {
        unpack_fail(scanner, view, note->fault, NULL);
        return;
    }
    if (scanner->job->kind == UNPACK_BLOCKS && !unpack_count(scanner, view, note->window_bytes))
        return;
    scan_tar(scanner, view, unpack_window(scanner->job, view),
             scanner->job->kind == UNPACK_PLAIN ? ticket->got : note->window_bytes);
    if (view->item->last)
        finish_tar(scanner, view);
}

static void scanner_run(void *state, const struct item_view *view)
{
    struct scanner *scanner = state;
    const struct unpack_job *job = scanner->job;
    struct unpack_note *note = unpack_note_of(job, view);
    uint64_t before = scanner->input_bytes;
    batch_clear(view, &job->shape);
    note->was_absolute = note->has_no_end = false;
    note->warning[0] = '\0';
    if (job->kind != UNPACK_BLOCKS)
        note->fault = TM_NO_FAULT;
    if (!begin_item(scanner, view))
        return;
    switch (job->kind) {
    case UNPACK_STREAM:
        scan_stream(scanner, view);
        break;
    case UNPACK_FOREIGN:
        scan_foreign(scanner, view);
        break;
    default:
        scan_window(scanner, view);
    }
    if (view->item->chunk == 0)
        before = 0;
    view->item->bytes = scanner->input_bytes - before;
}

/* Where it gets its bytes by itself it reads what is open. Of the users that ACLs name it has to
 * ask the system, which opens files. */
static enum confinement confinement_of(const void *job)
{
    const struct unpack_job *unpack = job;
    if (unpack->attributes && unpack->kind != UNPACK_FOREIGN)
        return CONFINE_NONE;
    bool gets_bytes = unpack->kind == UNPACK_STREAM || unpack->kind == UNPACK_FOREIGN;
    return gets_bytes ? CONFINE_READING : CONFINE_COMPUTING;
}

const struct stage_ops unpack_scan_stage = {
    .name = "scan",
    .confinement = confinement_of,
    .keyed = true,
    .begins_anew = true,
    .open = scanner_open,
    .close = scanner_close,
    .run = scanner_run,
};
