/* Files that are too large for one item, or sparse: their pieces are put into the file in order. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stages/extract_private.h"

int extract_pieces_open(struct extract_pieces *pieces, struct extract_maker *maker)
{
    uint32_t algorithms = maker->job->algorithms;
    pieces->maker = maker;
    making_init(&pieces->making, maker);
    return algorithms ? digest_hasher_create(algorithms, &pieces->hasher) : 0;
}

static void forget(struct extract_pieces *pieces)
{
    free(pieces->path);
    free(pieces->name);
    free(pieces->attributes);
    pieces->path = pieces->name = NULL;
    pieces->attributes = NULL;
}

/* Nothing is left of the file in work. */
static void lose(struct extract_pieces *pieces, struct tm_fault fault)
{
    if (!pieces->is_lost && !pieces->maker->job->tests) {
        making_give_up(&pieces->making, fault);
        making_run(&pieces->making);
    }
    pieces->is_lost = true;
}

void extract_pieces_close(struct extract_pieces *pieces)
{
    if (!pieces->maker)
        return;
    making_discard(&pieces->making);
    forget(pieces);
    digest_hasher_destroy(pieces->hasher);
}

static void *copy_of(const void *bytes, size_t count)
{
    void *copy = malloc(count + 1);
    return copy ? memcpy(copy, bytes, count) : NULL;
}

/* Until the next piece. */
static bool put_down(struct extract_pieces *pieces, enum making_result result)
{
    if (result == MAKING_OPEN)
        making_put_down(&pieces->making);
    return result == MAKING_OPEN;
}

/* What belongs to the piece's item is gone before the file is done. */
static bool keep_names(struct extract_pieces *pieces, const struct item_view *view,
                       const struct file_record *file, const char *path,
                       struct making_member *member)
{
    pieces->path = strdup(batch_path(view, file));
    pieces->name = strdup(path);
    if (member->extra.attributes)
        pieces->attributes = copy_of(member->extra.attributes, member->extra.attribute_bytes);
    member->path = pieces->name;
    member->path_bytes = strlen(path);
    member->extra.attributes = pieces->attributes;
    return pieces->path && pieces->name && (pieces->attributes || !member->extra.attribute_bytes);
}

/* Up to there there are zeros. */
static int hash_hole(struct extract_pieces *pieces, uint64_t end)
{
    static const uint8_t zeros[65536];
    int error = 0;
    if (!pieces->hasher)
        return 0;
    for (uint64_t at = pieces->reached; !error && at < end;) {
        size_t bytes = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        error = digest_update(pieces->hasher, zeros, bytes);
        at += bytes;
    }
    return error;
}

/* The making of the file has ended, or failed. */
static struct tm_fault ended(struct extract_pieces *pieces, struct file_record *file)
{
    if (pieces->making.is_skipped)
        file->flags |= FILE_SKIPPED;
    pieces->is_lost = fault_is_set(pieces->making.fault) || pieces->making.is_skipped;
    return pieces->making.fault;
}

static struct tm_fault begin(struct extract_pieces *pieces, const struct item_view *view,
                             struct file_record *file, const char *path)
{
    struct making_member member = extract_member(view, file);
    member.more = member.in_order = true;
    member.data = NULL;
    member.bytes = 0;
    member.size_bytes = file->stat.size_bytes;
    member.made_from = &pieces->made_from;
    pieces->is_lost = true;
    pieces->reached = 0;
    if (!keep_names(pieces, view, file, path, &member))
        return fault_system(TM_OP_MEMORY, ENOMEM);
    int error = pieces->hasher ? digest_begin(pieces->hasher, pieces->maker->job->algorithms) : 0;
    if (error)
        return fault_system(TM_OP_HASH, error);
    pieces->is_lost = false;
    if (pieces->maker->job->tests)
        return TM_NO_FAULT;
    making_begin(&pieces->making, &member);
    return put_down(pieces, making_run(&pieces->making)) ? TM_NO_FAULT : ended(pieces, file);
}

static struct tm_fault add_piece(struct extract_pieces *pieces, const struct item_view *view,
                                 struct file_record *file)
{
    const uint8_t *data = view->input + file->data;
    if (!file->data_bytes)
        return TM_NO_FAULT;
    if (file->offset < pieces->reached || file->offset > (uint64_t)INT64_MAX - file->data_bytes)
        return fault_of(TM_FAULT_CORRUPT);
    int error = hash_hole(pieces, file->offset);
    if (!error && pieces->hasher)
        error = digest_update(pieces->hasher, data, file->data_bytes);
    if (error)
        return fault_system(TM_OP_HASH, error);
    pieces->reached = file->offset + file->data_bytes;
    if (pieces->maker->job->tests)
        return TM_NO_FAULT;
    publish_write(&pieces->making.publisher, data, file->data_bytes, file->offset);
    return put_down(pieces, making_run(&pieces->making)) ? TM_NO_FAULT : ended(pieces, file);
}

static struct tm_fault finish(struct extract_pieces *pieces, struct file_record *file,
                              uint8_t *digests)
{
    int error = hash_hole(pieces, file->stat.size_bytes);
    if (!error && pieces->hasher)
        error = digest_finish(pieces->hasher, digests);
    if (error)
        return fault_system(TM_OP_HASH, error);
    if (pieces->maker->job->tests)
        return TM_NO_FAULT;
    error = making_pick_up(&pieces->making);
    if (error)
        return extract_fault(TM_OP_CREATE, error);
    publish_end(&pieces->making.publisher);
    making_run(&pieces->making);
    return ended(pieces, file);
}

/* The piece of the file in work. */
static struct tm_fault take(struct extract_pieces *pieces, const struct item_view *view,
                            struct file_record *file, uint8_t *digests)
{
    struct tm_fault fault = add_piece(pieces, view, file);
    if (!fault_is_set(fault) && !pieces->is_lost && file->flags & FILE_PIECE_LAST)
        fault = finish(pieces, file, digests);
    return fault;
}

/* A file whose first piece has failed: the others are passed over. */
static int begin_lost(struct extract_pieces *pieces, const struct item_view *view,
                      const struct file_record *file)
{
    pieces->is_lost = true;
    pieces->path = strdup(batch_path(view, file));
    return pieces->path ? 0 : -ENOMEM;
}

int extract_pieces_take(struct extract_pieces *pieces, const struct item_view *view, unsigned index,
                        const char *path)
{
    struct file_record *file = &batch_of(view)->file[index];
    uint8_t *digests = extract_digests(pieces->maker->job, view, index);
    bool is_new = !pieces->path || strcmp(pieces->path, batch_path(view, file)) != 0;
    struct tm_fault fault = file->fault;
    int error = 0;
    pieces->made_from = 0;
    if (is_new && pieces->path) { /* its last piece never came */
        lose(pieces, TM_NO_FAULT);
        forget(pieces);
    }
    if (is_new && fault_is_set(fault))
        error = begin_lost(pieces, view, file);
    else if (is_new)
        fault = begin(pieces, view, file, path);
    else if (pieces->is_lost && !fault_is_set(fault))
        file->flags |= FILE_SKIPPED;
    if (!fault_is_set(fault) && !pieces->is_lost)
        fault = take(pieces, view, file, digests);
    if (fault_is_set(fault))
        lose(pieces, fault);
    file->fault = fault;
    if (!pieces->path)
        error = -ENOMEM;
    if (file->flags & FILE_PIECE_LAST)
        forget(pieces);
    return error;
}
