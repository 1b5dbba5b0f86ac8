/* Members into the batch of an item: see unpack.h. */
#include <string.h>
#include <sys/stat.h>

#include "stages/unpack_private.h"

static void fail_by(struct scanner *scanner, const struct item_view *view, enum tm_fault_kind kind,
                    const char *text)
{
    unpack_fail(scanner, view, fault_of(kind), text);
}

/* Whether more has come out of the archive than may. */
static bool is_over(const struct scanner *scanner)
{
    const struct unpack_limits *limits = &scanner->job->limits;
    if (limits->members && scanner->members > limits->members)
        return true;
    if (limits->bytes && scanner->output_bytes > limits->bytes)
        return true;
    uint64_t bytes = scanner->output_bytes > scanner->decompressed_bytes
                         ? scanner->output_bytes
                         : scanner->decompressed_bytes;
    return limits->ratio && bytes > UNPACK_RATIO_BYTES && scanner->input_bytes &&
           bytes / limits->ratio > scanner->input_bytes;
}

/* Whether the zeros that a sparse file has, and the archive has not, are more than may be hashed.
 * Its holes come to nothing where nobody looks at them. */
static bool has_too_many_zeros(const struct scanner *scanner)
{
    const struct unpack_job *job = scanner->job;
    const struct unpack_limits *limits = &job->limits;
    uint64_t bytes = scanner->member.stat.size_bytes;
    uint64_t archive_bytes = job->archive_bytes                         ? job->archive_bytes
                             : scanner->input_bytes > UNPACK_PIPE_BYTES ? scanner->input_bytes
                                                                        : UNPACK_PIPE_BYTES;
    return job->hashes &&
           ((limits->bytes && bytes > limits->bytes) ||
            (limits->ratio && bytes > UNPACK_RATIO_BYTES && bytes / limits->ratio > archive_bytes));
}

bool unpack_count(struct scanner *scanner, const struct item_view *view, uint64_t bytes)
{
    scanner->decompressed_bytes += bytes;
    if (is_over(scanner))
        fail_by(scanner, view, TM_FAULT_LIMIT, NULL);
    return !scanner->is_ended;
}

/* The member's record; NULL: the archive has failed. */
static struct file_record *add_record(struct scanner *scanner, const struct item_view *view)
{
    bool was_absolute = false;
    const struct unpack_job *job = scanner->job;
    struct file_record *file = member_add(view, &job->shape, &scanner->member, &was_absolute);
    if (!file) {
        fail_by(scanner, view, TM_FAULT_CORRUPT, "more names than a block of it can have");
        return NULL;
    }
    unpack_note_of(job, view)->was_absolute |= was_absolute;
    if (fault_is_set(file->fault))
        return file;
    bool is_directory = S_ISDIR(file->stat.mode) && !(file->flags & FILE_HARD_LINK);
    int collides = names_in_work_add(scanner->names, view->item->chunk, batch_path(view, file),
                                     file->path_bytes, is_directory);
    if (collides < 0)
        unpack_fail(scanner, view, fault_system(TM_OP_MEMORY, collides), NULL);
    else if (collides)
        file->flags |= FILE_LATER;
    return file;
}

void unpack_begin_member(struct scanner *scanner, const struct item_view *view,
                         const struct member *member, bool is_sparse, uint64_t window_bytes)
{
    const struct unpack_job *job = scanner->job;
    bool has_data =
        S_ISREG(member->stat.mode) && (is_sparse || member->stat.size_bytes) && !job->lists;
    bool knows_size = member->stat.size_bytes != FOREIGN_SIZE_UNKNOWN;
    scanner->member = *member;
    scanner->lacks_size = has_data && !knows_size;
    if (scanner->lacks_size)
        scanner->member.stat.size_bytes = 0; /* until its end */
    scanner->record = NULL;
    scanner->carry_used = 0;
    scanner->piece_end = 0;
    scanner->way = UNPACK_PASSED;
    scanner->members++;
    if (is_over(scanner) || (is_sparse && has_too_many_zeros(scanner))) {
        fail_by(scanner, view, TM_FAULT_LIMIT, NULL);
        return;
    }
    if (job->wants && !job->wants(job->wants_context, &scanner->member))
        return;
    if (!has_data || (!is_sparse && knows_size && member->stat.size_bytes <= window_bytes)) {
        scanner->record = add_record(scanner, view);
        if (has_data && scanner->record && !fault_is_set(scanner->record->fault))
            scanner->way = UNPACK_WHOLE;
    } else if (!is_sparse && knows_size && member->stat.size_bytes <= UNPACK_CARRY_BYTES) {
        scanner->way = UNPACK_CARRIED;
    } else {
        scanner->way = UNPACK_PIECES;
    }
}

static uint32_t slab_offset(const struct item_view *view, const uint8_t *data)
{
    return (uint32_t)(data - view->input);
}

static bool goes_on(const struct scanner *scanner, const struct item_view *view,
                    const uint8_t *data, uint64_t offset)
{
    const struct file_record *file = scanner->record;
    return file && file->data + file->data_bytes == slab_offset(view, data) &&
           scanner->piece_end == offset;
}

static void add_piece(struct scanner *scanner, const struct item_view *view, const uint8_t *data,
                      size_t bytes, uint64_t offset)
{
    if (!goes_on(scanner, view, data, offset)) {
        scanner->record = add_record(scanner, view);
        if (!scanner->record)
            return;
        if (fault_is_set(scanner->record->fault)) {
            scanner->way = UNPACK_PASSED;
            return;
        }
        scanner->record->flags |= FILE_PIECE;
        scanner->record->offset = offset;
        scanner->record->data = slab_offset(view, data);
    }
    scanner->record->data_bytes += (uint32_t)bytes;
    scanner->piece_end = offset + bytes;
}

void unpack_add_data(struct scanner *scanner, const struct item_view *view, const uint8_t *data,
                     size_t bytes, uint64_t offset)
{
    scanner->output_bytes += bytes;
    if (is_over(scanner)) {
        fail_by(scanner, view, TM_FAULT_LIMIT, NULL);
        return;
    }
    switch (scanner->way) {
    case UNPACK_WHOLE:
        if (!scanner->record->data_bytes)
            scanner->record->data = slab_offset(view, data);
        scanner->record->data_bytes += (uint32_t)bytes;
        return;
    case UNPACK_CARRIED:
        memcpy(scanner->carry + scanner->carry_used, data, bytes);
        scanner->carry_used += bytes;
        return;
    case UNPACK_PIECES:
        add_piece(scanner, view, data, bytes, offset);
        return;
    default:
        return;
    }
}

/* All of it is here: into this item's carry, which no other member of it can need: of those that
 * end in an item only the first has begun before. */
static void end_carried(struct scanner *scanner, const struct item_view *view)
{
    struct file_record *file = add_record(scanner, view);
    if (!file)
        return;
    uint8_t *carry = unpack_carry(scanner->job, view);
    memcpy(carry, scanner->carry, scanner->carry_used);
    file->data = slab_offset(view, carry);
    file->data_bytes = (uint32_t)scanner->carry_used;
}

void unpack_end_member(struct scanner *scanner, const struct item_view *view)
{
    if (scanner->way == UNPACK_CARRIED) {
        end_carried(scanner, view);
    } else if (scanner->way == UNPACK_PIECES) {
        if (scanner->lacks_size)
            scanner->member.stat.size_bytes = scanner->piece_end;
        if (!scanner->record) { /* the last piece was in the item before, or there is none */
            scanner->piece_end = UINT64_MAX;
            add_piece(scanner, view, unpack_window(scanner->job, view), 0,
                      scanner->member.stat.size_bytes);
        }
        if (scanner->record) {
            scanner->record->flags |= FILE_PIECE_LAST;
            scanner->record->stat.size_bytes = scanner->member.stat.size_bytes;
        }
    }
    scanner->way = UNPACK_PASSED;
    scanner->record = NULL;
}
