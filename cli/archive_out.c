#include "cli/archive_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/coding.h"
#include "pipeline/io.h"
#include "stages/member_index_make.h"
#include "stages/zip.h"

struct archive_out {
    const struct pack_job *pack;
    struct output *output;
    int fd;                           /* written by offset; -1: in order */
    struct codec_stream *stream;      /* of a compressed tar */
    struct member_index_maker *index; /* of one whose blocks a reader can find; or NULL */
    uint64_t bytes;                   /* written */
    uint64_t tar_bytes;               /* before compression */
    struct zip_directory *directory;  /* of a zip */
    struct zip_entry streamed;        /* its member whose chunks are coming */
};

/* Form. */

static enum archive_format format_of_suffix(const char *path)
{
    static const struct {
        const char *suffix;
        enum archive_format format;
    } table[] = {
        {".tar", ARCHIVE_TAR},         {".tar.gz", ARCHIVE_TAR_GZ}, {".tgz", ARCHIVE_TAR_GZ},
        {".tar.zst", ARCHIVE_TAR_ZST}, {".tzst", ARCHIVE_TAR_ZST},  {".zip", ARCHIVE_ZIP},
    };
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t suffix = strlen(table[i].suffix);
        if (length > suffix && strcmp(path + length - suffix, table[i].suffix) == 0)
            return table[i].format;
    }
    return ARCHIVE_BY_SUFFIX;
}

/* SOURCE_DATE_EPOCH: https://reproducible-builds.org/specs/source-date-epoch/ */
static int choose_times(struct archive_options *archive, char *error, size_t capacity)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    if (!archive->reproducible || !text || !*text)
        return 0;
    if (parse_count(text, INT64_MAX, &seconds)) {
        snprintf(error, capacity, "SOURCE_DATE_EPOCH: not a number of seconds");
        return -EINVAL;
    }
    archive->clamp_mtime = true;
    archive->mtime_max_seconds = (int64_t)seconds;
    return 0;
}

int archive_out_choose(const struct options *options, struct pack_job *pack, char *error,
                       size_t capacity)
{
    enum archive_format format = (enum archive_format)options->archive_format;
    if (format == ARCHIVE_BY_SUFFIX)
        format = format_of_suffix(options->output);
    if (format == ARCHIVE_BY_SUFFIX) {
        snprintf(error, capacity,
                 "the archive's form is not known by its name (known: .tar .tar.gz .tgz .tar.zst "
                 ".tzst .zip); --format tells it");
        return -EINVAL;
    }
    bool compression = options->level != LEVEL_DEFAULT || options->engine || options->rsyncable ||
                       options->single_member || options->long_log;
    if (format == ARCHIVE_TAR && compression) {
        snprintf(error, capacity,
                 "a plain tar is not compressed (--level, --engine, --rsyncable, --single-member "
                 "and --long are for those that are)");
        return -EINVAL;
    }
    if (format == ARCHIVE_ZIP && options->xattrs) {
        snprintf(error, capacity, "zip has no place for extended attributes (--xattrs)");
        return -EINVAL;
    }
    *pack = (struct pack_job){
        .format = format == ARCHIVE_ZIP ? PACK_ZIP : PACK_TAR,
        .is_compressed = format != ARCHIVE_TAR,
        .attributes = options->xattrs && !options->reproducible,
        .archive = {.numeric_owner = options->numeric_owner, .reproducible = options->reproducible},
    };
    if (choose_times(&pack->archive, error, capacity))
        return -EINVAL;
    struct codec_request request =
        coding_request(options, format == ARCHIVE_ZIP       ? CODEC_DEFLATE
                                : format == ARCHIVE_TAR_ZST ? CODEC_ZSTD
                                                            : CODEC_GZIP);
    return pack->is_compressed ? codec_plan_make(&request, &pack->codec, error, capacity) : 0;
}

/* Writing. */

static int write_out(void *context, const void *data, size_t bytes)
{
    struct archive_out *archive = context;
    uint64_t offset = archive->bytes;
    archive->bytes += bytes;
    if (archive->fd < 0)
        return output_write(archive->output, data, bytes);
    struct io_op op = {
        .code = IO_WRITE, .data = (void *)data, .size = bytes, .offset = (off_t)offset};
    int64_t wrote = bytes ? io_op_execute(&op, archive->fd, -1) : 0;
    return wrote < 0 ? (int)wrote : 0;
}

/* A piece is written by the stage behind the order, if there is one. */
static int write_piece(struct archive_out *archive, struct packed *packed)
{
    if (archive->fd < 0)
        return write_out(archive, (const uint8_t *)packed + packed->data_start,
                         (size_t)packed->bytes);
    packed->ticket = (struct store_ticket){
        .offset = archive->bytes,
        .bytes = packed->bytes,
        .slab_offset = (uint32_t)(archive->pack->output_start + packed->data_start),
    };
    archive->bytes += packed->bytes;
    return 0;
}

void archive_out_skip(const struct archive_out *archive, const struct item_view *view)
{
    packed_of(archive->pack, view)->ticket = (struct store_ticket){0};
}

int archive_out_create(const struct pack_job *pack, struct output *output, struct archive_out **out)
{
    struct archive_out *archive = calloc(1, sizeof *archive);
    if (!archive)
        return -ENOMEM;
    archive->pack = pack;
    archive->output = output;
    archive->fd = output_placed_fd(output);
    int error = 0;
    if (pack->format == PACK_ZIP)
        error =
            zip_directory_create(&pack->archive, ZIP_DIRECTORY_MEMORY, NULL, &archive->directory);
    else if (pack->is_compressed)
        error = codec_stream_create(&pack->codec, &archive->stream);
    if (!error && archive->stream && codec_stream_can_seek(archive->stream))
        error = member_index_maker_create(&archive->index);
    if (error) {
        archive_out_destroy(archive);
        return error;
    }
    *out = archive;
    return 0;
}

void archive_out_destroy(struct archive_out *archive)
{
    if (!archive)
        return;
    codec_stream_destroy(archive->stream);
    member_index_maker_destroy(archive->index);
    zip_directory_destroy(archive->directory);
    free(archive);
}

int archive_out_begin(struct archive_out *archive)
{
    return archive->stream ? codec_stream_begin(archive->stream, write_out, archive) : 0;
}

static int add_tar(struct archive_out *archive, const struct packed *packed)
{
    int error = 0;
    if (!archive->stream)
        archive->tar_bytes += packed->bytes;
    for (uint32_t i = 0; archive->stream && i < packed->count && !error; i++) {
        archive->tar_bytes += packed_blocks(packed)[i].input_bytes;
        error = codec_stream_add(archive->stream, &packed_blocks(packed)[i]);
    }
    return error;
}

/* The names in a piece, whose first block begins with the header of the first. Chunks behind the
 * first have none. */
static int add_names(struct archive_out *archive, const struct item_view *view,
                     const struct packed *packed, uint64_t start)
{
    const struct batch *batch = batch_of(view);
    int error = 0;
    if (!packed->count || (batch_is_chunk(view) && view->item->chunk))
        return 0;
    for (uint32_t i = 0; i < batch->file_count && !error; i++) {
        struct archive_member member;
        if (!pack_wants(&batch->file[i]))
            continue;
        pack_member(view, &batch->file[i], &member);
        error = member_index_maker_add(archive->index, member.path, member.path_bytes,
                                       S_ISDIR(member.stat.mode), start);
        start = MEMBER_INDEX_NO_BLOCK;
    }
    return error;
}

/* A chunk of a member whose numbers are known with the last one. */
static int add_chunk(struct archive_out *archive, const struct zip_entry *entry,
                     const struct packed_member *packed, bool is_last)
{
    uint8_t descriptor[ZIP_DESCRIPTOR_BOUND];
    struct zip_entry *streamed = &archive->streamed;
    if (packed->header_at != PACKED_NO_HEADER)
        *streamed = *entry;
    streamed->crc32 = codec_crc32_combine(streamed->crc32, packed->crc32, packed->input_bytes);
    streamed->uncompressed_bytes += packed->input_bytes;
    streamed->compressed_bytes += packed->compressed_bytes;
    streamed->member = entry->member;
    if (!is_last)
        return 0;
    ptrdiff_t bytes = zip_descriptor(streamed, descriptor, sizeof descriptor);
    int error = bytes < 0 ? (int)bytes : write_out(archive, descriptor, (size_t)bytes);
    return error ? error : zip_directory_add(archive->directory, streamed);
}

/* `start`: of the piece in the archive. */
static int add_zip(struct archive_out *archive, const struct item_view *view, struct packed *packed,
                   uint64_t start)
{
    bool is_chunk = batch_is_chunk(view);
    int error = 0;
    for (uint32_t i = 0; i < packed->count && !error; i++) {
        const struct packed_member *row = packed_members(packed) + i;
        struct archive_member member;
        struct zip_entry entry;
        if (row->header_at == PACKED_NO_HEADER && !is_chunk)
            continue;
        pack_member(view, &batch_of(view)->file[i], &member);
        error = zip_entry_of(&member, &entry);
        if (error)
            return error;
        entry.offset = start + row->header_at;
        if (is_chunk) {
            entry.crc32 = 0;
            entry.compressed_bytes = entry.uncompressed_bytes = 0;
            return add_chunk(archive, &entry, row, view->item->last);
        }
        entry.streamed = false;
        entry.method = (enum zip_method)row->method;
        entry.crc32 = row->crc32;
        entry.compressed_bytes = row->compressed_bytes;
        entry.uncompressed_bytes = row->input_bytes;
        error = zip_directory_add(archive->directory, &entry);
    }
    return error;
}

int archive_out_add(struct archive_out *archive, const struct item_view *view)
{
    struct packed *packed = packed_of(archive->pack, view);
    uint64_t start = archive->bytes;
    int error = write_piece(archive, packed);
    if (!error && archive->index)
        error = add_names(archive, view, packed, start);
    if (error)
        return error;
    return archive->directory ? add_zip(archive, view, packed, start) : add_tar(archive, packed);
}

static int end_index(struct archive_out *archive)
{
    if (!archive->index || !codec_stream_can_seek(archive->stream))
        return 0;
    int64_t written = member_index_maker_end(archive->index, archive->pack->codec.request.format,
                                             archive->bytes, write_out, archive);
    if (written <= 0)
        return (int)written;
    struct codec_block block = {.output_bytes = (uint64_t)written};
    return codec_stream_add(archive->stream, &block);
}

/* The zero blocks that end a tar, as one more block. */
static int end_tar(struct archive_out *archive)
{
    static const uint8_t zeros[TAR_END_MAX];
    size_t bytes = tar_end_bytes(archive->tar_bytes);
    if (!archive->stream)
        return write_out(archive, zeros, bytes);
    struct codec_encoder *encoder;
    struct codec_block block;
    uint8_t output[4 * sizeof zeros];
    struct iovec piece = {.iov_base = (void *)zeros, .iov_len = bytes};
    int error = codec_encoder_create(&archive->pack->codec, sizeof zeros, &encoder);
    if (error)
        return error;
    error = codec_encode(encoder, &piece, 1, false, output, sizeof output, &block);
    codec_encoder_destroy(encoder);
    if (!error)
        error = write_out(archive, output, (size_t)block.output_bytes);
    if (!error)
        error = codec_stream_add(archive->stream, &block);
    if (!error)
        error = end_index(archive);
    return error ? error : codec_stream_end(archive->stream, write_out, archive);
}

int archive_out_end(struct archive_out *archive)
{
    if (archive->directory)
        return zip_directory_end(archive->directory, archive->bytes, write_out, archive);
    return end_tar(archive);
}

uint64_t archive_out_bytes(const struct archive_out *archive)
{
    return archive->bytes;
}
