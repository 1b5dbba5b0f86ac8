/* What is made in the archive's order, and what is noted for the end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stages/extract_private.h"

/* Together LATER_MEMORY_BYTES at most; each has room for any record. */
#define LINKS_BYTES       ((size_t)4 << 20)
#define DIRECTORIES_BYTES ((size_t)3 << 20)
#define WAYS_BYTES        ((size_t)1 << 20)
_Static_assert(LINKS_BYTES + DIRECTORIES_BYTES + WAYS_BYTES <= LATER_MEMORY_BYTES, "bound");

static int open_order(struct extract_order *order, const struct extract_job *job)
{
    order->job = job;
    order->stream.job = job;
    int error = extract_maker_open(&order->maker, job);
    making_init(&order->making, &order->maker);
    if (!error)
        error = extract_pieces_open(&order->pieces, &order->maker);
    if (!error)
        error = later_create(LINKS_BYTES, NULL, &order->links);
    if (!error)
        error = later_create(DIRECTORIES_BYTES, NULL, &order->directories);
    if (!error)
        error = later_create(WAYS_BYTES, NULL, &order->ways);
    return error ? error : extract_names_create(&order->names);
}

int extract_order_create(const struct extract_job *job, struct extract_order **created)
{
    struct extract_order *order = *created = calloc(1, sizeof *order);
    if (!order)
        return -ENOMEM;
    int error = open_order(order, job);
    if (error) {
        extract_order_destroy(order);
        *created = NULL;
    }
    return error;
}

void extract_order_destroy(struct extract_order *order)
{
    if (!order)
        return;
    making_discard(&order->making);
    extract_stream_free(&order->stream);
    extract_pieces_close(&order->pieces);
    extract_maker_close(&order->maker);
    later_destroy(order->links);
    later_destroy(order->directories);
    later_destroy(order->ways);
    extract_names_destroy(order->names);
    free(order->depth);
    free(order);
}

/* Notes for the end. */

static uint32_t depth_of(const char *path, size_t path_bytes)
{
    uint32_t depth = 1;
    if (path_bytes == 1 && *path == '.')
        return 0;
    for (size_t i = 0; i < path_bytes; i++)
        depth += path[i] == '/';
    return depth;
}

static struct waiting *add_waiting(struct later *later, const char *path, size_t path_bytes,
                                   const struct member_extra *extra, int *error)
{
    const char *target = extra->target ? extra->target : "";
    size_t bytes =
        sizeof(struct waiting) + path_bytes + 1 + extra->target_bytes + 1 + extra->attribute_bytes;
    struct waiting *waiting = later_add(later, bytes, error);
    if (!waiting)
        return NULL;
    waiting->depth = depth_of(path, path_bytes);
    waiting->path_bytes = (uint32_t)path_bytes;
    waiting->target_bytes = (uint32_t)extra->target_bytes;
    waiting->attribute_bytes = (uint32_t)extra->attribute_bytes;
    memcpy(waiting->text, path, path_bytes);
    memcpy((char *)waiting_target(waiting), target, extra->target_bytes);
    if (extra->attribute_bytes)
        memcpy((char *)waiting_attributes(waiting), extra->attributes, extra->attribute_bytes);
    return waiting;
}

int extract_note_way(struct extract_order *order, const char *path, size_t path_bytes,
                     uint32_t made_from)
{
    const struct member_extra none = {0};
    int error;
    if (!made_from)
        return 0;
    struct waiting *waiting =
        add_waiting(order->ways, path, extract_parent_bytes(path, path_bytes), &none, &error);
    if (waiting)
        waiting->made_from = made_from;
    return error;
}

static int note(struct extract_order *order, struct later *later, const struct item_view *view,
                const struct file_record *file)
{
    struct member_extra extra = member_extra_of(view, file);
    struct file_stat stat = file->stat;
    int error;
    if (!order->job->attribute_kinds)
        extra.attribute_bytes = 0;
    struct waiting *waiting =
        add_waiting(later, batch_path(view, file), file->path_bytes, &extra, &error);
    if (!waiting)
        return error;
    extract_resolve(&order->maker, &extra, &stat);
    waiting->sequence = order->sequence;
    waiting->mtime_seconds = stat.mtime_seconds;
    waiting->mtime_ns = stat.mtime_ns;
    waiting->rdev = stat.rdev;
    waiting->mode = stat.mode;
    waiting->uid = stat.uid;
    waiting->gid = stat.gid;
    waiting->is_hard_link = file->flags & FILE_HARD_LINK;
    return 0;
}

static int note_directory(struct extract_order *order, const struct item_view *view,
                          const struct file_record *file)
{
    uint32_t depth = depth_of(batch_path(view, file), file->path_bytes);
    if (!order->depth)
        order->depth = calloc(EXTRACT_DEPTH_MAX, sizeof *order->depth);
    if (!order->depth)
        return -ENOMEM;
    order->depth[depth].bytes +=
        sizeof(struct waiting) + file->path_bytes + file->attachment_bytes + 64;
    order->depth[depth].count++;
    return note(order, order->directories, view, file);
}

bool extract_leads_out(const char *path, size_t path_bytes, const char *text)
{
    uint32_t depth = depth_of(path, path_bytes);
    bool had_name = false;
    if (*text == '/')
        return true;
    while (*text) {
        size_t bytes = strcspn(text, "/");
        bool is_up = bytes == 2 && memcmp(text, "..", 2) == 0;
        if (is_up && (had_name || --depth == 0))
            return true;
        had_name |= !is_up && bytes && !(bytes == 1 && *text == '.');
        text += bytes + strspn(text + bytes, "/");
    }
    return false;
}

/* TM_NO_FAULT: it may wait for the end. */
static struct tm_fault judge(const struct extract_job *job, const struct item_view *view,
                             const struct file_record *file)
{
    struct member_extra extra = member_extra_of(view, file);
    if (file->flags & FILE_HARD_LINK)
        return extra.target ? TM_NO_FAULT : fault_of(TM_FAULT_CORRUPT);
    switch (file->stat.mode & S_IFMT) {
    case S_IFLNK:
        if (!extra.target)
            return fault_of(TM_FAULT_CORRUPT);
        return job->safe_links &&
                       extract_leads_out(batch_path(view, file), file->path_bytes, extra.target)
                   ? fault_of(TM_FAULT_UNSAFE)
                   : TM_NO_FAULT;
    case S_IFIFO:
        return TM_NO_FAULT;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFSOCK:
        return job->makes_devices ? TM_NO_FAULT : fault_of(TM_FAULT_SPECIAL);
    default:
        return fault_of(TM_FAULT_SPECIAL);
    }
}

static int note_link(struct extract_order *order, const struct item_view *view,
                     struct file_record *file)
{
    file->fault = judge(order->job, view, file);
    if (fault_is_set(file->fault)) {
        if (file->fault.kind != TM_FAULT_CORRUPT)
            file->flags |= FILE_SKIPPED;
        return 0;
    }
    const char *path = batch_path(view, file);
    int error = extract_names_add(order->names, path, file->path_bytes);
    /* They are made kind by kind: of one name only the last. */
    extract_names_void(order->names, path, file->path_bytes, order->sequence);
    return error ? error : note(order, order->links, view, file);
}

/* Making in order. */

/* A whole file or a directory, under that path. */
static int make(struct extract_order *order, const struct item_view *view, unsigned index,
                const char *path)
{
    struct file_record *file = &batch_of(view)->file[index];
    struct making_member member = extract_member(view, file);
    uint32_t made_from = 0;
    member.path = path;
    member.path_bytes = strlen(path);
    member.in_order = true;
    member.made_from = &made_from;
    making_begin(&order->making, &member);
    while (making_run(&order->making) == MAKING_OPEN)
        extract_stream_feed(&order->stream, view, index, -1, &order->making);
    extract_stream_close(&order->stream);
    file->fault = order->making.fault;
    if (order->making.is_skipped)
        file->flags |= FILE_SKIPPED;
    return extract_note_way(order, path, member.path_bytes, made_from);
}

/* There is something of its name: perhaps an earlier member, which it replaces. */
static bool is_to_be_settled(const struct extract_job *job, const struct file_record *file)
{
    return job->overwrite == EXTRACT_NEVER && S_ISREG(file->stat.mode) &&
           file->fault.kind == TM_FAULT_SYSTEM && file->fault.operation == TM_OP_CREATE &&
           file->fault.detail == EEXIST && !(file->flags & FILE_SKIPPED);
}

/* What goes on under the name is what the archive has for all names of the file: cpio stores it
 * with the last one. */
static bool link_has_data(const struct file_record *file)
{
    return file->flags & FILE_HARD_LINK && S_ISREG(file->stat.mode) && file->stat.size_bytes &&
           (file->data_bytes || file->flags & FILE_PIECE || file->state == FILE_STREAM);
}

static int take_link(struct extract_order *order, const struct item_view *view, unsigned index)
{
    struct file_record *file = &batch_of(view)->file[index];
    struct member_extra extra = member_extra_of(view, file);
    int error = 0;
    if (extra.target && link_has_data(file))
        error = make(order, view, index, extra.target);
    else
        extra.target = NULL;
    if (error || fault_is_set(file->fault) || file->flags & FILE_SKIPPED)
        return error;
    if (extra.target)
        extract_names_void(order->names, extra.target, extra.target_bytes, order->sequence);
    return note_link(order, view, file);
}

static int take_piece(struct extract_order *order, const struct item_view *view, unsigned index)
{
    struct file_record *file = &batch_of(view)->file[index];
    struct member_extra extra = member_extra_of(view, file);
    bool is_link = file->flags & FILE_HARD_LINK && extra.target;
    const char *path = is_link ? extra.target : batch_path(view, file);
    int error = extract_pieces_take(&order->pieces, view, index, path);
    if (!error)
        error = extract_note_way(order, path, strlen(path), order->pieces.made_from);
    if (error || fault_is_set(file->fault) || file->flags & FILE_SKIPPED ||
        !(file->flags & FILE_PIECE_LAST) || order->job->tests)
        return error;
    extract_names_void(order->names, path, strlen(path), order->sequence);
    return is_link ? note_link(order, view, file) : 0;
}

static int take_whole(struct extract_order *order, const struct item_view *view, unsigned index)
{
    struct file_record *file = &batch_of(view)->file[index];
    const char *path = batch_path(view, file);
    bool is_settled = is_to_be_settled(order->job, file);
    int error = extract_note_way(order, path, file->path_bytes, file->made_from);
    if (error || (fault_is_set(file->fault) && !is_settled))
        return error;
    if (is_settled || file->flags & FILE_LATER)
        error = make(order, view, index, path);
    if (error || fault_is_set(file->fault))
        return error;
    if (!(file->flags & FILE_SKIPPED))
        extract_names_void(order->names, path, file->path_bytes, order->sequence);
    return S_ISDIR(file->stat.mode) ? note_directory(order, view, file) : 0;
}

int extract_order_take(struct extract_order *order, const struct item_view *view, unsigned index)
{
    struct file_record *file = &batch_of(view)->file[index];
    order->sequence++;
    if (file->flags & FILE_PIECE)
        return take_piece(order, view, index);
    if (order->job->tests)
        return 0;
    if (!(file->flags & FILE_HARD_LINK) && (S_ISREG(file->stat.mode) || S_ISDIR(file->stat.mode)))
        return take_whole(order, view, index);
    return fault_is_set(file->fault) ? 0 : take_link(order, view, index);
}
