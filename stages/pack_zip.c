/* Pieces of a zip: for each member its local header and its data, deflated where that makes it
 * smaller. Of a file in chunks the first piece has the header, which leaves the numbers open; the
 * sink puts them behind the last. */
#include "stages/pack_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/zip.h"

static uint8_t *end_of(const struct packer *packer)
{
    return packer->output + packer->packed->bytes;
}

static int add_bytes(struct packer *packer, const void *data, size_t bytes)
{
    if (bytes > pack_room(packer))
        return -ENOBUFS;
    memcpy(end_of(packer), data, bytes);
    packer->packed->bytes += bytes;
    return 0;
}

static int add_header(struct packer *packer, const struct zip_entry *entry)
{
    ptrdiff_t bytes =
        zip_local_header(&packer->job->archive, entry, end_of(packer), pack_room(packer));
    if (bytes < 0)
        return (int)bytes;
    packer->packed->bytes += (uint64_t)bytes;
    return 0;
}

static int deflate(struct packer *packer, const struct file_record *file, bool is_last,
                   struct codec_block *block)
{
    struct iovec piece = {.iov_base = packer->view->input + file->data,
                          .iov_len = file->data_bytes};
    return codec_encode(packer->encoder, &piece, 1, is_last, end_of(packer), pack_room(packer),
                        block);
}

static void note_block(struct packed_member *member, const struct codec_block *block)
{
    member->input_bytes = block->input_bytes;
    member->compressed_bytes = block->output_bytes;
    member->crc32 = block->crc32;
    member->method = ZIP_DEFLATED;
}

/* Its header tells what came of the data that follows: it is written twice. */
static int add_whole(struct packer *packer, const struct file_record *file, struct zip_entry *entry,
                     struct packed_member *member)
{
    uint64_t start = packer->packed->bytes;
    struct codec_block block;
    entry->streamed = false;
    entry->uncompressed_bytes = entry->compressed_bytes = file->data_bytes;
    int error = add_header(packer, entry);
    if (!error)
        error = deflate(packer, file, true, &block);
    if (error)
        return error;
    note_block(member, &block);
    entry->crc32 = block.crc32;
    if (block.output_bytes < block.input_bytes) {
        entry->compressed_bytes = block.output_bytes;
    } else {
        entry->method = ZIP_STORED;
        member->method = ZIP_STORED;
        member->compressed_bytes = file->data_bytes;
    }
    packer->packed->bytes = start;
    error = add_header(packer, entry);
    if (!error && entry->method == ZIP_STORED)
        return add_bytes(packer, packer->view->input + file->data, file->data_bytes);
    packer->packed->bytes += entry->compressed_bytes;
    return error;
}

static int add_chunk(struct packer *packer, const struct file_record *file,
                     const struct zip_entry *entry, struct packed_member *member)
{
    struct codec_block block;
    int error = packer->view->item->chunk == 0 ? add_header(packer, entry) : 0;
    if (!error)
        error = deflate(packer, file, packer->view->item->last, &block);
    if (error)
        return error;
    note_block(member, &block);
    packer->packed->bytes += block.output_bytes;
    return 0;
}

/* A directory, or a link, whose target is its data. */
static int add_entry(struct packer *packer, const struct zip_entry *entry,
                     struct packed_member *member)
{
    member->input_bytes = member->compressed_bytes = entry->uncompressed_bytes;
    member->crc32 = entry->crc32;
    member->method = (uint16_t)entry->method;
    int error = add_header(packer, entry);
    if (!error && entry->uncompressed_bytes)
        error = add_bytes(packer, entry->member->target, (size_t)entry->uncompressed_bytes);
    return error;
}

static int add_record(struct packer *packer, struct file_record *file, struct packed_member *packed)
{
    bool is_chunk = batch_is_chunk(packer->view);
    bool is_first = !is_chunk || packer->view->item->chunk == 0;
    struct archive_member member;
    struct zip_entry entry;
    *packed = (struct packed_member){.header_at = PACKED_NO_HEADER};
    if (is_first && !pack_wants(file))
        return 0;
    if (!is_first && !pack_wants(file))
        memset(packer->view->input + file->data, 0, file->data_bytes);
    pack_member(packer->view, file, &member);
    int error = zip_entry_of(&member, &entry);
    if (error) {
        file->fault = fault_of(error == -ENOTSUP ? TM_FAULT_KIND : TM_FAULT_NAME);
        return 0;
    }
    if (is_first)
        packed->header_at = packer->packed->bytes;
    if (!S_ISREG(file->stat.mode))
        return add_entry(packer, &entry, packed);
    return is_chunk ? add_chunk(packer, file, &entry, packed)
                    : add_whole(packer, file, &entry, packed);
}

int pack_zip_item(struct packer *packer)
{
    struct batch *batch = batch_of(packer->view);
    int error = 0;
    packer->packed->count = batch->file_count;
    for (uint32_t i = 0; i < batch->file_count && !error; i++) {
        atomic_store_explicit(&packer->view->item->cursor, i, memory_order_relaxed);
        error = add_record(packer, &batch->file[i], packed_members(packer->packed) + i);
    }
    return error;
}
