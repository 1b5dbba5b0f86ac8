#include "stages/pack_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/arena.h"
#include "stages/metadata.h"
#include "stages/shortage.h"
#include "stages/zip.h"

/* A block of a tar takes headers beside the data that the shape counts: of long names, mostly,
 * which take a pax header. Beyond this a batch becomes more blocks than one. The largest header of
 * all, of the longest path, target and map, is less. */
#define BLOCK_SLACK_BYTES ((size_t)256 * 1024)
/* Of one batch, what attributes add to its headers beyond the overhead that the shape counts. What
 * goes beyond this, too, is left out, and said so. */
#define ATTRIBUTES_BYTES ((size_t)1024 * 1024)
/* A pax header is a header and a body more than pack_overhead_bytes() counts: every file may need
 * one, by its owner's number alone. What names add is less than shape->meta_bytes. */
#define PAX_MORE_BYTES ((size_t)2 * TAR_BLOCK_BYTES)
/* Of one batch: each but the last is more than half full. */
#define BLOCKS_MAX 64

uint32_t pack_overhead_bytes(const struct pack_job *job)
{
    if (job->format == PACK_ZIP)
        return 128;
    return (job->attributes ? 6 : 2) * TAR_BLOCK_BYTES;
}

static size_t block_capacity(const struct pack_job *job, const struct batch_shape *shape)
{
    return shape->block_bytes + BLOCK_SLACK_BYTES + (job->attributes ? ATTRIBUTES_BYTES : 0);
}

static size_t table_bytes(const struct pack_job *job, const struct batch_shape *shape)
{
    size_t rows = job->format == PACK_ZIP ? shape->files_max * sizeof(struct packed_member)
                                          : BLOCKS_MAX * sizeof(struct codec_block);
    return align_up(sizeof(struct packed) + rows, CACHE_LINE_BYTES);
}

size_t pack_output_bytes(const void *job, const struct batch_shape *shape)
{
    const struct pack_job *pack = job;
    size_t room = block_capacity(pack, shape) + shape->meta_bytes +
                  (pack->format == PACK_ZIP ? shape->files_max * ZIP_HEADER_BOUND(0) : 0);
    if (pack->is_compressed) /* what a pax header adds is mostly zeros */
        room = codec_bound(&pack->codec, room);
    else
        room += shape->files_max * PAX_MORE_BYTES;
    return table_bytes(pack, shape) + room;
}

void pack_stored_path(const char **path, size_t *bytes)
{
    const char *start = *path, *end = *path + *bytes;
    for (const char *at = start; at < end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *next = slash ? slash + 1 : end;
        if ((slash ? slash : end) - at == 2 && at[0] == '.' && at[1] == '.')
            start = next;
        at = next;
    }
    while (start < end && *start == '/')
        start++;
    *path = start < end ? start : ".";
    *bytes = start < end ? (size_t)(end - start) : 1;
}

/* Workers. */

static void packer_close(void *state)
{
    struct packer *packer = state;
    tar_writer_destroy(packer->tar);
    codec_encoder_destroy(packer->encoder);
    free(packer->pieces);
    free(packer->headers);
    free(packer->attributes);
    free(packer);
}

/* Times are converted when the time zone's file may be out of reach (packer_confinement()); the C
 * library reads it at the first conversion. */
static void read_time_zone(void)
{
    struct tm unused;
    (void)localtime_r(&(time_t){0}, &unused);
}

static int packer_open(void *job, void **state)
{
    const struct pack_job *pack = job;
    struct packer *packer = calloc(1, sizeof *packer);
    if (!packer)
        return -ENOMEM;
    packer->job = pack;
    packer->block_capacity = block_capacity(pack, &pack->shape);
    packer->piece_capacity = 2 * pack->shape.files_max + 2;
    packer->pieces = malloc(packer->piece_capacity * sizeof *packer->pieces);
    packer->headers_capacity = pack->shape.files_max * 2 * TAR_BLOCK_BYTES + PACK_HEADER_MAX +
                               (pack->attributes ? ATTRIBUTES_BYTES : 0);
    packer->headers = malloc(packer->headers_capacity);
    if (pack->attributes)
        packer->attributes = malloc(METADATA_MAX_BYTES);
    int error = packer->pieces && packer->headers && (packer->attributes || !pack->attributes)
                    ? 0
                    : -ENOMEM;
    if (!error && pack->format == PACK_TAR)
        error = tar_writer_create(&pack->archive, &packer->tar);
    if (!error && pack->is_compressed)
        error = codec_encoder_create(&pack->codec, packer->block_capacity, &packer->encoder);
    if (error) {
        packer_close(packer);
        return error;
    }
    if (pack->format == PACK_ZIP)
        read_time_zone();
    *state = packer;
    return 0;
}

bool pack_wants(const struct file_record *file)
{
    bool is_entry = file->flags & FILE_NOT_FILE && !S_ISREG(file->stat.mode);
    return !fault_is_set(file->fault) && (is_entry || file->flags & FILE_HARD_LINK ||
                                          file->state == FILE_READ || file->state == FILE_HASHED);
}

void pack_member(const struct item_view *view, const struct file_record *file,
                 struct archive_member *member)
{
    *member = (struct archive_member){
        .path = batch_path(view, file), .path_bytes = file->path_bytes, .stat = file->stat};
    while (member->path_bytes > 1 && member->path[member->path_bytes - 1] == '/')
        member->path_bytes--;
    pack_stored_path(&member->path, &member->path_bytes);
    if (file->flags & FILE_HARD_LINK) {
        member->is_hard_link = true;
        member->target = (const char *)view->input + file->attachment;
        member->target_bytes = file->attachment_bytes;
        pack_stored_path(&member->target, &member->target_bytes);
    } else if (S_ISLNK(file->stat.mode)) {
        member->target = (const char *)view->input + file->data;
        member->target_bytes = file->data_bytes;
    }
}

/* Blocks. */

int pack_flush(struct packer *packer)
{
    struct packed *packed = packer->packed;
    uint8_t *output = packer->output + packed->bytes;
    if (!packer->piece_bytes)
        return 0;
    if (packer->encoder) {
        struct codec_block *block = (struct codec_block *)(packed + 1) + packed->count;
        if (packed->count == BLOCKS_MAX)
            return -ENOBUFS;
        int error = codec_encode(packer->encoder, packer->pieces, packer->piece_count, false,
                                 output, pack_room(packer), block);
        if (error)
            return error;
        packed->count++;
        packed->bytes += block->output_bytes;
    } else {
        if (packer->piece_bytes > pack_room(packer))
            return -ENOBUFS;
        for (unsigned i = 0; i < packer->piece_count; i++) {
            memcpy(output, packer->pieces[i].iov_base, packer->pieces[i].iov_len);
            output += packer->pieces[i].iov_len;
        }
        packed->bytes += packer->piece_bytes;
    }
    packer->piece_count = 0;
    packer->piece_bytes = packer->headers_used = 0;
    return 0;
}

static void add_piece(struct packer *packer, void *data, size_t bytes)
{
    struct iovec *last = packer->pieces + packer->piece_count - 1;
    packer->piece_bytes += bytes;
    if (packer->piece_count && (uint8_t *)last->iov_base + last->iov_len == data)
        last->iov_len += bytes;
    else if (bytes)
        packer->pieces[packer->piece_count++] = (struct iovec){data, bytes};
}

/* Makes room for a member, so that its pieces are in one block if that can hold them. */
static int make_room(struct packer *packer, size_t header_bound, size_t bytes)
{
    if (packer->headers_used + header_bound + TAR_BLOCK_BYTES > packer->headers_capacity ||
        packer->piece_count + 3 > packer->piece_capacity ||
        packer->piece_bytes + bytes > packer->block_capacity)
        return pack_flush(packer);
    return 0;
}

/* The map of a sparse file, which travels with its first chunk. */
static void copy_extents(struct packer *packer, const struct file_record *file,
                         struct archive_member *member)
{
    member->extents = packer->extents;
    member->extent_count = file->attachment_bytes / sizeof *packer->extents;
    memcpy(packer->extents, packer->view->input + file->attachment, file->attachment_bytes);
}

/* Of the file as it is now: a moment later than its content. */
static ptrdiff_t read_attributes(struct packer *packer, const struct file_record *file)
{
    const char *path = batch_path(packer->view, file);
    if (file->path_bytes < PATH_MAX)
        return metadata_read(AT_FDCWD, path, METADATA_ALL, packer->attributes, METADATA_MAX_BYTES);
    int fd = shortage_open(path, file->path_bytes, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fd;
    ptrdiff_t bytes = metadata_read(fd, NULL, METADATA_ALL, packer->attributes, METADATA_MAX_BYTES);
    close(fd);
    return bytes;
}

static void add_attributes(struct packer *packer, struct file_record *file,
                           struct archive_member *member)
{
    if (!packer->attributes || file->flags & FILE_HARD_LINK)
        return;
    ptrdiff_t bytes = read_attributes(packer, file);
    if (bytes < 0)
        file->flags |= FILE_NO_ATTRIBUTES;
    if (bytes <= 0)
        return;
    member->attributes = packer->attributes;
    member->attribute_bytes = (size_t)bytes;
}

/* At the end of the headers, where it is not yet counted. Its bytes, or -errno. */
static ptrdiff_t make_header(struct packer *packer, const struct archive_member *member,
                             size_t data_bytes)
{
    size_t bound =
        ARCHIVE_HEADER_BOUND(member->path_bytes + member->target_bytes + member->attribute_bytes +
                             member->extent_count * sizeof *member->extents);
    int error = make_room(packer, bound, bound + data_bytes);
    if (error)
        return error;
    return tar_header(packer->tar, member, packer->headers + packer->headers_used, bound);
}

/* Whether the batch's room for attributes holds those of a header, too. */
static bool takes_attributes(struct packer *packer, size_t header_bytes)
{
    size_t counted = pack_overhead_bytes(packer->job) - TAR_BLOCK_BYTES; /* that is padding */
    size_t more = header_bytes > counted ? header_bytes - counted : 0;
    if (more > ATTRIBUTES_BYTES - packer->attributes_used)
        return false;
    packer->attributes_used += more;
    return true;
}

static int add_header(struct packer *packer, struct file_record *file)
{
    struct archive_member member;
    pack_member(packer->view, file, &member);
    if (file->flags & FILE_SPARSE)
        copy_extents(packer, file, &member);
    add_attributes(packer, file, &member);
    ptrdiff_t bytes = make_header(packer, &member, file->data_bytes);
    if (bytes >= 0 && member.attribute_bytes && !takes_attributes(packer, (size_t)bytes)) {
        file->flags |= FILE_NO_ATTRIBUTES;
        member.attribute_bytes = 0;
        member.attributes = NULL;
        bytes = make_header(packer, &member, file->data_bytes);
    }
    if (bytes < 0)
        return (int)bytes;
    uint8_t *at = packer->headers + packer->headers_used;
    packer->headers_used += (size_t)bytes;
    add_piece(packer, at, (size_t)bytes);
    return 0;
}

static int add_data(struct packer *packer, const struct file_record *file, bool is_end)
{
    int error = make_room(packer, TAR_BLOCK_BYTES, file->data_bytes + TAR_BLOCK_BYTES);
    if (error)
        return error;
    add_piece(packer, packer->view->input + file->data, file->data_bytes);
    /* Of a sparse file, too: all its extents but the last are whole blocks. */
    size_t padding = is_end ? tar_padding(file->offset + file->data_bytes) : 0;
    uint8_t *at = packer->headers + packer->headers_used;
    memset(at, 0, padding);
    packer->headers_used += padding;
    add_piece(packer, at, padding);
    return 0;
}

/* A name or number that the format cannot hold is the member's fault alone. */
static bool is_own_fault(int error)
{
    return error == -EILSEQ || error == -ENAMETOOLONG || error == -ERANGE || error == -ENOTSUP;
}

static int add_record(struct packer *packer, struct file_record *file)
{
    const struct tm_item *item = packer->view->item;
    bool is_first = !item->stream || item->chunk == 0;
    bool has_data = !(file->flags & FILE_NOT_FILE);
    if (is_first && !pack_wants(file))
        return 0;
    if (!is_first && !pack_wants(file)) /* its place is taken */
        memset(packer->view->input + file->data, 0, file->data_bytes);
    int error = is_first ? add_header(packer, file) : 0;
    if (is_own_fault(error)) {
        file->fault = fault_of(error == -ENOTSUP ? TM_FAULT_KIND : TM_FAULT_NAME);
        return 0;
    }
    if (!error && has_data)
        error = add_data(packer, file, !item->stream || item->last);
    return error;
}

static int pack_tar_item(struct packer *packer)
{
    struct batch *batch = batch_of(packer->view);
    int error = 0;
    for (uint32_t i = 0; i < batch->file_count && !error; i++) {
        atomic_store_explicit(&packer->view->item->cursor, i, memory_order_relaxed);
        error = add_record(packer, &batch->file[i]);
    }
    return error ? error : pack_flush(packer);
}

static void packer_run(void *state, const struct item_view *view)
{
    struct packer *packer = state;
    const struct pack_job *job = packer->job;
    size_t table = table_bytes(job, &job->shape);
    packer->view = view;
    packer->packed = packed_of(job, view);
    *packer->packed = (struct packed){.data_start = (uint32_t)table};
    packer->output = (uint8_t *)packer->packed + table;
    packer->output_capacity = pack_output_bytes(job, &job->shape) - table;
    packer->piece_count = 0;
    packer->piece_bytes = packer->headers_used = packer->attributes_used = 0;
    int error = job->format == PACK_TAR ? pack_tar_item(packer) : pack_zip_item(packer);
    if (error)
        view->item->fault = fault_system(TM_OP_COMPRESS, error);
}

/* A tar's headers ask for the names of owners and for attributes of files; and libarchive has the C
 * library convert names, which reads tables from files when they are first needed. */
static enum confinement packer_confinement(const void *job)
{
    const struct pack_job *pack = job;
    return pack->format == PACK_ZIP && !pack->attributes ? CONFINE_COMPUTING : CONFINE_NONE;
}

const struct stage_ops pack_stage = {
    .name = "compress",
    .open = packer_open,
    .close = packer_close,
    .run = packer_run,
    .blame = batch_blame,
    .confinement = packer_confinement,
};
