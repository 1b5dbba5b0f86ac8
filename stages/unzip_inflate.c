/* The data of zip entries: small ones in the stage, from what fetch has read of the file, and
 * targets of symbolic links. */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <xxhash.h>

#include "stages/unzip_private.h"

#define SIGNATURE_LOCAL 0x04034b50u
#define EXTRA_ZIP64     0x0001

struct unzip_record unzip_record_of(const struct unzip_entry *entry)
{
    return (struct unzip_record){
        .offset = entry->offset,
        .compressed_bytes = entry->compressed_bytes,
        .uncompressed_bytes = entry->uncompressed_bytes,
        .name_hash = XXH3_64bits(entry->name, entry->name_bytes),
        .crc32 = entry->crc32,
        .name_bytes = entry->name_bytes,
        .method = entry->method,
    };
}

struct tm_fault unzip_fault_of(int error)
{
    switch (error) {
    case -EBADMSG:
        return fault_of(TM_FAULT_CORRUPT);
    case -ENODATA:
        return fault_of(TM_FAULT_TRUNCATED);
    case -ENOMEM:
        return fault_system(TM_OP_MEMORY, error);
    default:
        return fault_system(TM_OP_READ, error);
    }
}

/* Local headers: 4.3.7. */

/* Sizes and CRC, which a header has unless they follow the data in a descriptor. */
static bool has_same_numbers(const struct unzip_record *record, const uint8_t *local)
{
    size_t extra_bytes = unzip_get16(local + 28), bytes = 0;
    const uint8_t *extra = local + UNZIP_LOCAL_BYTES + record->name_bytes;
    const uint8_t *field = unzip_extra(extra, extra_bytes, EXTRA_ZIP64, &bytes);
    uint64_t compressed, uncompressed;
    if (unzip_get16(local + 6) & UNZIP_FLAG_DESCRIPTOR)
        return true;
    return unzip_wide(unzip_get32(local + 22), &field, &bytes, &uncompressed) &&
           unzip_wide(unzip_get32(local + 18), &field, &bytes, &compressed) &&
           uncompressed == record->uncompressed_bytes && compressed == record->compressed_bytes &&
           unzip_get32(local + 14) == record->crc32;
}

ptrdiff_t unzip_local_check(const struct unzip_record *record, const uint8_t *local, size_t bytes)
{
    if (bytes < UNZIP_LOCAL_BYTES)
        return UNZIP_LOCAL_BYTES;
    if (unzip_get32(local) != SIGNATURE_LOCAL || unzip_get16(local + 26) != record->name_bytes)
        return -EBADMSG;
    size_t header_bytes = UNZIP_LOCAL_BYTES + (size_t)record->name_bytes + unzip_get16(local + 28);
    if (header_bytes + record->compressed_bytes > record->end - record->offset)
        return -EBADMSG;
    if (bytes < header_bytes)
        return (ptrdiff_t)header_bytes;
    if (unzip_get16(local + 6) & UNZIP_FLAG_ENCRYPTED || unzip_get16(local + 8) != record->method ||
        XXH3_64bits(local + UNZIP_LOCAL_BYTES, record->name_bytes) != record->name_hash ||
        !has_same_numbers(record, local))
        return -EBADMSG;
    return (ptrdiff_t)header_bytes;
}

/* The data of one entry, all of it: checked in every way. 0, -EBADMSG. */
static int extract(struct libdeflate_decompressor *deflate, const struct unzip_record *record,
                   const uint8_t *data, uint8_t *output)
{
    size_t bytes = (size_t)record->uncompressed_bytes;
    size_t compressed = (size_t)record->compressed_bytes, taken, made;
    if (record->method == ZIP_STORED) {
        if (bytes != compressed)
            return -EBADMSG;
        memcpy(output, data, bytes);
    } else if (libdeflate_deflate_decompress_ex(deflate, data, compressed, output, bytes, &taken,
                                                &made) != LIBDEFLATE_SUCCESS ||
               taken != compressed || made != bytes) {
        return -EBADMSG;
    }
    return libdeflate_crc32(0, output, bytes) == record->crc32 ? 0 : -EBADMSG;
}

/* From the local header on: `bytes` bytes are at hand. 0, -EBADMSG, -ENODATA. */
static int extract_local(struct libdeflate_decompressor *deflate, const struct unzip_record *record,
                         const uint8_t *local, size_t bytes, uint8_t *output)
{
    ptrdiff_t header_bytes = unzip_local_check(record, local, bytes);
    if (header_bytes < 0)
        return (int)header_bytes;
    if ((size_t)header_bytes > bytes || record->compressed_bytes > bytes - (size_t)header_bytes)
        return -ENODATA;
    return extract(deflate, record, local + header_bytes, output);
}

/* The stage. */

struct inflater {
    const struct unzip_job *job;
    struct libdeflate_decompressor *deflate;
};

static int inflater_open(void *job, void **state)
{
    struct inflater *inflater = calloc(1, sizeof *inflater);
    if (!inflater)
        return -ENOMEM;
    inflater->job = job;
    inflater->deflate = libdeflate_alloc_decompressor();
    if (!inflater->deflate) {
        free(inflater);
        return -ENOMEM;
    }
    *state = inflater;
    return 0;
}

static void inflater_close(void *state)
{
    struct inflater *inflater = state;
    libdeflate_free_decompressor(inflater->deflate);
    free(inflater);
}

static void inflate_file(struct inflater *inflater, const struct item_view *view,
                         const struct unzip_record *record, struct file_record *file)
{
    const struct fetch_ticket *ticket = fetch_ticket_of(&inflater->job->fetch, view);
    uint64_t skipped = record->offset - ticket->offset;
    int error = -ENODATA;
    if (skipped < ticket->got)
        error =
            extract_local(inflater->deflate, record, view->output + ticket->slab_offset + skipped,
                          (size_t)(ticket->got - skipped), view->input + file->data);
    if (error)
        file->fault = unzip_fault_of(error);
    else
        view->item->bytes += file->data_bytes;
}

static void inflater_run(void *state, const struct item_view *view)
{
    struct inflater *inflater = state;
    const struct unzip_job *job = inflater->job;
    struct batch *batch = batch_of(view);
    view->item->bytes = 0;
    if (job->lists)
        return;
    for (unsigned i = 0; i < batch->file_count; i++) {
        struct file_record *file = &batch->file[i];
        atomic_store_explicit(&view->item->cursor, i, memory_order_relaxed);
        if (!fault_is_set(file->fault) && !(file->flags & FILE_NOT_FILE) &&
            file->state == FILE_READ)
            inflate_file(inflater, view, unzip_record_at(job, view, i), file);
    }
}

const struct stage_ops unzip_stage = {
    .name = "decompress",
    .confinement = stage_only_computes,
    .open = inflater_open,
    .close = inflater_close,
    .run = inflater_run,
    .blame = batch_blame,
};

/* Targets of symbolic links. */

/* What deflate makes of so few bytes is hardly more than them. */
#define DEFLATE_EXCESS 256

/* Local extra fields are seldom longer; those that are cost a second reading. */
#define EXTRA_USUAL 256

/* With so much room for the local extra field. 0, or an error; -ENODATA: it was not enough. */
static int read_with(struct libdeflate_decompressor *deflate, int fd,
                     const struct unzip_record *record, size_t extra_bytes, char *target)
{
    size_t room = UNZIP_LOCAL_BYTES + (size_t)record->name_bytes + extra_bytes +
                  (size_t)record->compressed_bytes;
    if (room > record->end - record->offset)
        room = (size_t)(record->end - record->offset);
    uint8_t *local = malloc(room);
    if (!local)
        return -ENOMEM;
    ptrdiff_t got = unzip_read(fd, local, room, record->offset);
    int error =
        got < 0 ? (int)got : extract_local(deflate, record, local, (size_t)got, (uint8_t *)target);
    free(local);
    return error;
}

ptrdiff_t unzip_read_target(int fd, const struct unzip_record *record, char *target,
                            size_t capacity)
{
    if (record->uncompressed_bytes > capacity ||
        record->compressed_bytes > capacity + DEFLATE_EXCESS)
        return -EBADMSG;
    struct libdeflate_decompressor *deflate = libdeflate_alloc_decompressor();
    if (!deflate)
        return -ENOMEM;
    int error = read_with(deflate, fd, record, EXTRA_USUAL, target);
    if (error == -ENODATA)
        error = read_with(deflate, fd, record, UINT16_MAX, target);
    libdeflate_free_decompressor(deflate);
    return error ? error : (ptrdiff_t)record->uncompressed_bytes;
}
