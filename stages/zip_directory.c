/* The central directory of a zip archive: a record for each member, collected while the members are
 * written, and the records that end the archive.
 *
 * The records are in memory until they are more than they may be, and then go to a file without a
 * name as often as the memory is full; at the end they are read back in the same portions. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stages/temporary.h"
#include "stages/zip_private.h"

#define SIGNATURE_END           0x06054b50u
#define SIGNATURE_ZIP64_END     0x06064b50u
#define SIGNATURE_ZIP64_LOCATOR 0x07064b50u

#define FIRST_BYTES (64u << 10)
/* The longest record, that of a name of 65,535 bytes, must fit. */
#define LEAST_BYTES (128u << 10)
_Static_assert(LEAST_BYTES >= ZIP_HEADER_BOUND(ZIP_MAX_16), "room for any record");

struct zip_directory {
    struct archive_options options;
    char *spool_directory;
    uint8_t *records;
    size_t used, capacity, memory_bytes;
    int spool; /* -1: all is in memory */
    uint64_t spooled_bytes;
    uint64_t count;
};

int zip_directory_create(const struct archive_options *options, size_t memory_bytes,
                         const char *directory, struct zip_directory **created)
{
    struct zip_directory *made = *created = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->options = *options;
    made->spool = -1;
    made->memory_bytes = memory_bytes < LEAST_BYTES ? LEAST_BYTES : memory_bytes;
    made->spool_directory = directory ? strdup(directory) : NULL;
    if (directory && !made->spool_directory) {
        zip_directory_destroy(made);
        *created = NULL;
        return -ENOMEM;
    }
    return 0;
}

void zip_directory_destroy(struct zip_directory *directory)
{
    if (!directory)
        return;
    if (directory->spool >= 0)
        close(directory->spool);
    free(directory->spool_directory);
    free(directory->records);
    free(directory);
}

/* The spool. */

static int spool(struct zip_directory *directory)
{
    if (directory->spool < 0) {
        int fd = temporary_unnamed(directory->spool_directory);
        if (fd < 0)
            return fd;
        directory->spool = fd;
    }
    for (size_t done = 0; done < directory->used;) {
        ssize_t count = pwrite(directory->spool, directory->records + done, directory->used - done,
                               (off_t)directory->spooled_bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count ? -errno : -EIO;
        done += (size_t)count;
        directory->spooled_bytes += (uint64_t)count;
    }
    directory->used = 0;
    return 0;
}

/* Room for one more record. */
static int make_room(struct zip_directory *directory, size_t bytes)
{
    if (directory->capacity - directory->used >= bytes)
        return 0;
    size_t wanted = directory->capacity ? 2 * directory->capacity : FIRST_BYTES;
    while (wanted - directory->used < bytes)
        wanted *= 2;
    if (wanted > directory->memory_bytes)
        wanted = directory->memory_bytes;
    if (wanted > directory->capacity) {
        uint8_t *grown = realloc(directory->records, wanted);
        if (!grown)
            return -ENOMEM;
        directory->records = grown;
        directory->capacity = wanted;
    }
    if (directory->capacity - directory->used >= bytes)
        return 0;
    return spool(directory);
}

int zip_directory_add(struct zip_directory *directory, const struct zip_entry *entry)
{
    int error = make_room(directory, ZIP_HEADER_BOUND(entry->member->path_bytes));
    if (error)
        return error;
    directory->used +=
        zip_central_record(&directory->options, entry, directory->records + directory->used);
    directory->count++;
    return 0;
}

/* The end. */

static int write_spooled(struct zip_directory *directory, zip_write write, void *context)
{
    int error = spool(directory);
    if (error)
        return error;
    for (uint64_t done = 0; done < directory->spooled_bytes;) {
        ssize_t count =
            pread(directory->spool, directory->records, directory->capacity, (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count ? -errno : -EIO;
        error = write(context, directory->records, (size_t)count);
        if (error)
            return error;
        done += (uint64_t)count;
    }
    return 0;
}

/* APPNOTE.TXT 4.3.14 to 4.3.16. The zip64 records are there if any number needs them. */
static int write_end(uint64_t count, uint64_t offset, uint64_t bytes, zip_write write,
                     void *context)
{
    uint8_t end[56 + 20 + 22], *at = end;

    if (count >= ZIP_MAX_16 || offset >= ZIP_MAX_32 || bytes >= ZIP_MAX_32) {
        at = zip_put32(at, SIGNATURE_ZIP64_END);
        at = zip_put64(at, 44); /* of what follows here */
        at = zip_put16(at, ZIP_MADE_BY);
        at = zip_put16(at, ZIP_VERSION_ZIP64);
        at = zip_put32(at, 0); /* disk */
        at = zip_put32(at, 0); /* disk where the directory begins */
        at = zip_put64(at, count);
        at = zip_put64(at, count);
        at = zip_put64(at, bytes);
        at = zip_put64(at, offset);
        at = zip_put32(at, SIGNATURE_ZIP64_LOCATOR);
        at = zip_put32(at, 0); /* disk of the record before */
        at = zip_put64(at, offset + bytes);
        at = zip_put32(at, 1); /* disks */
    }
    uint16_t count16 = (uint16_t)(count < ZIP_MAX_16 ? count : ZIP_MAX_16);
    at = zip_put32(at, SIGNATURE_END);
    at = zip_put16(at, 0);
    at = zip_put16(at, 0);
    at = zip_put16(at, count16);
    at = zip_put16(at, count16);
    at = zip_put32(at, zip_cut32(bytes));
    at = zip_put32(at, zip_cut32(offset));
    at = zip_put16(at, 0); /* comment */
    return write(context, end, (size_t)(at - end));
}

int zip_directory_end(struct zip_directory *directory, uint64_t offset, zip_write write,
                      void *context)
{
    uint64_t bytes = directory->spooled_bytes + directory->used;
    int error = 0;

    if (directory->spool >= 0)
        error = write_spooled(directory, write, context);
    else if (directory->used)
        error = write(context, directory->records, directory->used);
    return error ? error : write_end(directory->count, offset, bytes, write, context);
}
