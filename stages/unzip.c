#include "stages/unzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stages/names_in_work.h"
#include "stages/unzip_private.h"

/* General purpose bits, 4.4.4, of entries that are not for us: encrypted, a patch, encrypted
 * strongly, with parts of its local header hidden. */
#define FLAGS_FOREIGN (UNZIP_FLAG_ENCRYPTED | 0x0020 | 0x0040 | 0x2000)

/* Most that deflate makes of one byte: a match of 258 bytes takes two bits. */
#define DEFLATE_RATIO_MAX 1032

/* What is passed over rather than read when it lies between two entries that are wanted: so much is
 * read in the time that handing over another item takes. */
#define GAP_BYTES 65536

struct unzip {
    struct unzip_directory directory;
    uint64_t entries, total_bytes;
    struct unzip_entry entry; /* the next one, if it was read already */
    bool has_entry;
    bool was_absolute;
    uint64_t serial;
    struct unzip_scene scene;
    struct names_in_work *names; /* NULL: not yet */
    uint32_t filled;             /* items */
    char target[PATH_MAX];
};

/* Opening. */

static bool is_ours(const struct unzip_entry *entry)
{
    return !(entry->flags & FLAGS_FOREIGN) && !entry->disk &&
           (entry->method == ZIP_STORED || entry->method == ZIP_DEFLATED);
}

/* Once through all of it. */
static int survey(struct unzip *unzip)
{
    bool all_ours = true;
    int got;
    while ((got = unzip_directory_next(&unzip->directory, &unzip->entry)) > 0)
        all_ours &= is_ours(&unzip->entry);
    unzip->entries = unzip->directory.seen;
    unzip->total_bytes = unzip->directory.total_bytes;
    if (got)
        return got;
    return all_ours && unzip->directory.is_ordered ? 0 : -ENOTSUP;
}

int unzip_open(int fd, struct unzip **out)
{
    struct unzip *unzip = calloc(1, sizeof *unzip);
    if (!unzip)
        return -ENOMEM;
    unzip_scene_init(&unzip->scene);
    int error = unzip_directory_open(fd, &unzip->directory);
    if (!error)
        error = survey(unzip);
    if (error) {
        unzip_close(unzip);
        return error;
    }
    unzip_directory_rewind(&unzip->directory);
    *out = unzip;
    return 0;
}

void unzip_close(struct unzip *unzip)
{
    if (!unzip)
        return;
    unzip_directory_close(&unzip->directory);
    names_in_work_destroy(unzip->names);
    free(unzip);
}

uint64_t unzip_entries(const struct unzip *unzip)
{
    return unzip->entries;
}

uint64_t unzip_total_bytes(const struct unzip *unzip)
{
    return unzip->total_bytes;
}

bool unzip_was_absolute(const struct unzip *unzip)
{
    return unzip->was_absolute;
}

size_t unzip_output_bytes(const struct batch_shape *shape)
{
    return unzip_table_bytes(shape) + unzip_range_bytes(shape);
}

/* Filling. */

/* An item in the making. */
struct filling {
    struct unzip *unzip;
    const struct unzip_job *job;
    const struct item_view *view;
    uint64_t start, end;       /* of the file: what is to be read; none as long as end is 0 */
    struct unzip_record *last; /* whose end is not known before the next entry is */
    bool is_stream;            /* what it has is one, and nothing else fits */
};

/* Where an entry's data ends at the latest: its local extra field is of unknown length. */
static uint64_t latest_end(const struct unzip_entry *entry)
{
    return entry->offset + UNZIP_LOCAL_BYTES + entry->name_bytes + UINT16_MAX +
           entry->compressed_bytes;
}

/* The entry placed last ends where the next one begins, whatever its local header says. */
static void bound(struct filling *filling, uint64_t next)
{
    struct unzip_record *last = filling->last;
    if (!last)
        return;
    if (last->end > next)
        last->end = next;
    if (!filling->is_stream)
        filling->end = last->end;
    filling->last = NULL;
}

static bool is_stream(const struct filling *filling, const struct unzip_entry *entry)
{
    const struct batch_shape *shape = &filling->job->shape;
    return entry->uncompressed_bytes > shape->block_bytes ||
           latest_end(entry) - entry->offset > unzip_range_bytes(shape);
}

/* Whether a small file's data, as it is in the archive and as it will be, has room besides what the
 * item has, and is near that. */
static bool fits(const struct filling *filling, const struct unzip_entry *entry)
{
    const struct batch_shape *shape = &filling->job->shape;
    size_t data_bytes = batch_of(filling->view)->data_bytes +
                        align_up((size_t)entry->uncompressed_bytes + 1, BATCH_DATA_ALIGNMENT);
    if (data_bytes > shape->block_bytes + BATCH_DATA_ALIGNMENT)
        return false;
    return !filling->end || (latest_end(entry) - filling->start <= unzip_range_bytes(shape) &&
                             entry->offset - filling->end <= GAP_BYTES);
}

static bool is_possible(const struct unzip_entry *entry)
{
    if (entry->method == ZIP_STORED)
        return entry->uncompressed_bytes == entry->compressed_bytes;
    return entry->uncompressed_bytes / DEFLATE_RATIO_MAX <= entry->compressed_bytes;
}

/* The data of a record's file: read with that of the others, or as a stream. */
static void place(struct filling *filling, const struct unzip_entry *entry,
                  struct file_record *file)
{
    const struct item_view *view = filling->view;
    struct batch *batch = batch_of(view);
    struct unzip_record *record =
        unzip_record_at(filling->job, view, (unsigned)(file - batch->file));
    *record = unzip_record_of(entry);
    record->end = latest_end(entry);
    filling->last = record;
    if (filling->is_stream) {
        file->state = FILE_STREAM;
        return;
    }
    if (!filling->end)
        filling->start = entry->offset;
    filling->end = record->end;
    file->data_bytes = (uint32_t)entry->uncompressed_bytes;
    batch->data_bytes = file->data - batch->data_start +
                        (uint32_t)align_up(file->data_bytes + (size_t)1, BATCH_DATA_ALIGNMENT);
    batch->packed_bytes += file->data_bytes;
}

/* A symbolic link's target is what its data would be. */
static struct tm_fault read_target(struct unzip *unzip, struct member *member)
{
    struct unzip_record record = unzip_record_of(&unzip->entry);
    record.end = unzip->directory.start;
    ptrdiff_t bytes =
        unzip_read_target(unzip->directory.fd, &record, unzip->target, sizeof unzip->target);
    if (bytes >= 0 && (!bytes || memchr(unzip->target, '\0', (size_t)bytes)))
        bytes = -EBADMSG;
    if (bytes < 0)
        return unzip_fault_of((int)bytes);
    member->target = unzip->target;
    member->target_bytes = (size_t)bytes;
    return TM_NO_FAULT;
}

/* What is wrong with the entry as far as the directory tells. */
static struct tm_fault judge(const struct filling *filling, struct member *member)
{
    const struct unzip_entry *entry = &filling->unzip->entry;
    if (S_ISLNK(member->stat.mode))
        return read_target(filling->unzip, member);
    bool is_lost = !S_ISREG(member->stat.mode) && entry->uncompressed_bytes;
    if (is_lost || (!filling->job->lists && !is_possible(entry)))
        return fault_of(TM_FAULT_CORRUPT);
    return TM_NO_FAULT;
}

/* Marks a member that collides with one that may still be in the hands of workers. */
static int note_name(const struct filling *filling, struct file_record *file)
{
    struct unzip *unzip = filling->unzip;
    unsigned items = filling->job->items;
    int error = items && !unzip->names ? names_in_work_create(items, &unzip->names) : 0;
    if (error || !items || fault_is_set(file->fault))
        return error;
    int collides = names_in_work_add(unzip->names, unzip->filled, batch_path(filling->view, file),
                                     file->path_bytes, S_ISDIR(file->stat.mode));
    if (collides > 0)
        file->flags |= FILE_LATER;
    return collides < 0 ? collides : 0;
}

/* The entry becomes a record. 1; 0: not in this item any more; -ENOMEM. */
static int add(struct filling *filling, struct member *member)
{
    struct unzip *unzip = filling->unzip;
    const struct batch *batch = batch_of(filling->view);
    const struct batch_shape *shape = &filling->job->shape;
    bool has_data = S_ISREG(member->stat.mode) && !filling->job->lists, was_absolute;
    bool streams = has_data && is_stream(filling, &unzip->entry);
    if (batch->file_count == shape->files_max || filling->is_stream ||
        (streams && batch->file_count) || (has_data && !streams && !fits(filling, &unzip->entry)))
        return 0;
    struct tm_fault fault = judge(filling, member);
    struct file_record *file = member_add(filling->view, shape, member, &was_absolute);
    if (!file)
        return batch->file_count ? 0 : -ENOMEM;
    file->serial = ++unzip->serial;
    unzip->was_absolute |= was_absolute;
    if (!fault_is_set(file->fault))
        file->fault = fault;
    filling->is_stream = streams;
    int error = note_name(filling, file);
    if (error)
        return error;
    if (has_data && !fault_is_set(file->fault))
        place(filling, &unzip->entry, file);
    return 1;
}

static void write_ticket(const struct filling *filling)
{
    const struct unzip_job *job = filling->job;
    *fetch_ticket_of(&job->fetch, filling->view) = (struct fetch_ticket){
        .offset = filling->start,
        .bytes = filling->end - filling->start,
        .slab_offset = job->output_start + unzip_table_bytes(&job->shape),
    };
}

/* The entry that is next, in unzip->entry. */
static int current(struct unzip *unzip)
{
    int got = unzip->has_entry ? 1 : unzip_directory_next(&unzip->directory, &unzip->entry);
    if (got > 0 && !(is_ours(&unzip->entry) && unzip->directory.is_ordered))
        return -EBADMSG; /* it was not so when the archive was opened */
    unzip->has_entry = got > 0;
    return got;
}

int unzip_fill(struct unzip *unzip, const struct unzip_job *job, const struct item_view *view,
               bool (*wants)(void *context, struct member *member), void *context)
{
    struct filling filling = {.unzip = unzip, .job = job, .view = view};
    struct member member;
    int got, added = 1;
    batch_clear(view, &job->shape);
    while (added > 0 && (got = current(unzip)) > 0) {
        bound(&filling, unzip->entry.offset);
        unzip_member_of(&unzip->scene, &unzip->entry, &member);
        if (!wants || wants(context, &member))
            added = add(&filling, &member);
        if (added > 0)
            unzip->has_entry = false;
    }
    if (added < 0 || got < 0)
        return added < 0 ? added : got;
    bound(&filling, unzip->directory.start);
    write_ticket(&filling);
    unzip->filled++;
    return batch_of(view)->file_count ? 1 : 0;
}
