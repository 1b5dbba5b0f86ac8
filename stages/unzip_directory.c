/* The central directory of a zip archive: finding it from the end of the file, and walking it
 * through a window. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/unzip_private.h"

#define SIGNATURE_CENTRAL       0x02014b50u
#define SIGNATURE_DIGITAL       0x05054b50u /* 4.3.13: behind the entries, and of no use */
#define SIGNATURE_END           0x06054b50u
#define SIGNATURE_ZIP64_END     0x06064b50u
#define SIGNATURE_ZIP64_LOCATOR 0x07064b50u

#define CENTRAL_BYTES       46
#define DIGITAL_BYTES       6
#define END_BYTES           22
#define COMMENT_MAX         65535
#define ZIP64_END_BYTES     56
#define ZIP64_LOCATOR_BYTES 20
/* "Version needed" of an encrypted directory, 4.4.3.2. */
#define VERSION_ENCRYPTED 62

#define EXTRA_ZIP64 0x0001

/* The longest record, with name, extra field and comment, must fit. */
#define WINDOW_BYTES ((size_t)256 * 1024)
_Static_assert(WINDOW_BYTES >= CENTRAL_BYTES + 3 * 65535, "room for any record");

ptrdiff_t unzip_read(int fd, void *data, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (uint8_t *)data + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (!got)
            break;
        done += (size_t)got;
    }
    return (ptrdiff_t)done;
}

/* All of it, or -ENODATA. */
static int read_whole(int fd, void *data, size_t bytes, uint64_t offset)
{
    ptrdiff_t got = unzip_read(fd, data, bytes, offset);
    if (got < 0)
        return (int)got;
    return (size_t)got == bytes ? 0 : -ENODATA;
}

/* The end: 4.3.14 to 4.3.16. */

/* What its records say. */
struct end {
    uint64_t position; /* of the first of them, in the file: the directory is before it */
    uint64_t disk, start_disk, disk_count, count, bytes, offset;
    bool is_zip64;
};

/* Whether an end record is there whose comment ends where the file does; or, if not `exact`, before
 * that: other readers, too, take archives with something behind them. */
static bool is_end(const uint8_t *tail, size_t bytes, size_t at, bool exact)
{
    if (unzip_get32(tail + at) != SIGNATURE_END)
        return false;
    size_t end = at + END_BYTES + unzip_get16(tail + at + 20);
    return exact ? end == bytes : end < bytes;
}

/* Where the end record is within the file's last bytes; -1: nowhere. */
static ptrdiff_t find_end(const uint8_t *tail, size_t bytes)
{
    for (int exact = 1; exact >= 0; exact--)
        for (size_t left = END_BYTES; left <= bytes; left++)
            if (is_end(tail, bytes, bytes - left, exact))
                return (ptrdiff_t)(bytes - left);
    return -1;
}

static int read_end(int fd, uint64_t file_bytes, struct end *end)
{
    size_t bytes =
        file_bytes < END_BYTES + COMMENT_MAX ? (size_t)file_bytes : (size_t)END_BYTES + COMMENT_MAX;
    uint8_t *tail = malloc(bytes + 1);
    if (!tail)
        return -ENOMEM;
    int error = read_whole(fd, tail, bytes, file_bytes - bytes);
    ptrdiff_t found = error ? -1 : find_end(tail, bytes);
    if (found >= 0) {
        const uint8_t *at = tail + found;
        *end = (struct end){
            .position = file_bytes - bytes + (size_t)found,
            .disk = unzip_get16(at + 4),
            .start_disk = unzip_get16(at + 6),
            .disk_count = unzip_get16(at + 8),
            .count = unzip_get16(at + 10),
            .bytes = unzip_get32(at + 12),
            .offset = unzip_get32(at + 16),
        };
    } else if (!error) {
        error = -ENODATA;
    }
    free(tail);
    return error;
}

/* The number that counts: two that contradict each other are no one's archive. */
static bool widen(uint64_t *number, uint64_t most, uint64_t wide)
{
    bool agrees = *number == most || *number == wide;
    *number = wide;
    return agrees;
}

/* The record stands where the locator says, unless something was put before the archive: then it
 * stands right before the locator. */
static int read_zip64_record(int fd, uint64_t locator, uint64_t said, uint8_t *record,
                             uint64_t *position)
{
    const uint64_t places[] = {said, locator - ZIP64_END_BYTES};
    if (locator < ZIP64_END_BYTES)
        return -EBADMSG;
    for (size_t i = 0; i < 2; i++) {
        *position = places[i];
        if (places[i] > locator - ZIP64_END_BYTES)
            continue;
        int error = read_whole(fd, record, ZIP64_END_BYTES, places[i]);
        if (error)
            return error;
        if (unzip_get32(record) == SIGNATURE_ZIP64_END)
            return 0;
    }
    return -EBADMSG;
}

/* What there is of zip64 before the end record. */
static int read_zip64(int fd, struct end *end)
{
    uint8_t locator[ZIP64_LOCATOR_BYTES], record[ZIP64_END_BYTES];
    if (end->position < sizeof locator)
        return 0;
    uint64_t position = end->position - sizeof locator;
    int error = read_whole(fd, locator, sizeof locator, position);
    if (error || unzip_get32(locator) != SIGNATURE_ZIP64_LOCATOR)
        return error;
    if (unzip_get32(locator + 4) || unzip_get32(locator + 16) > 1)
        return -ENOTSUP;
    error = read_zip64_record(fd, position, unzip_get64(locator + 8), record, &position);
    if (error)
        return error;
    uint64_t record_bytes = unzip_get64(record + 4);
    if (record_bytes < ZIP64_END_BYTES - 12)
        return -EBADMSG;
    if (record_bytes > ZIP64_END_BYTES - 12 && unzip_get16(record + 14) >= VERSION_ENCRYPTED)
        return -ENOTSUP;
    end->position = position;
    end->is_zip64 = true;
    bool agrees = widen(&end->disk, UINT16_MAX, unzip_get32(record + 16)) &&
                  widen(&end->start_disk, UINT16_MAX, unzip_get32(record + 20)) &&
                  widen(&end->disk_count, UINT16_MAX, unzip_get64(record + 24)) &&
                  widen(&end->count, UINT16_MAX, unzip_get64(record + 32)) &&
                  widen(&end->bytes, UINT32_MAX, unzip_get64(record + 40)) &&
                  widen(&end->offset, UINT32_MAX, unzip_get64(record + 48));
    return agrees ? 0 : -EBADMSG;
}

/* 1: a record of the directory is there; 0; -errno. */
static int has_entry_at(int fd, uint64_t offset)
{
    uint8_t signature[4];
    int error = read_whole(fd, signature, sizeof signature, offset);
    return error ? error : unzip_get32(signature) == SIGNATURE_CENTRAL;
}

/* The directory ends where the end records begin. If that is not where it should be, something
 * stands before the archive. Or between the two, and then offsets are right as they are. */
static int place(struct unzip_directory *directory, const struct end *end)
{
    if (end->bytes > end->position || end->count > end->bytes / CENTRAL_BYTES)
        return -EBADMSG;
    uint64_t start = end->position - end->bytes;
    int found = end->bytes ? has_entry_at(directory->fd, start) : 1;
    if (found == 0 && end->offset < start) {
        start = end->offset;
        found = has_entry_at(directory->fd, start);
    }
    if (found < 0)
        return found;
    /* zip 3.0 made to write zip64 to a pipe says that it is elsewhere, and then nothing is there.
     */
    bool is_unknown = end->offset == UINT32_MAX && !end->is_zip64;
    uint64_t offset = is_unknown ? start : end->offset;
    if (!found || offset > start)
        return -EBADMSG;
    directory->start = start;
    directory->bytes = end->bytes;
    directory->prefix = start - offset;
    directory->count = end->count;
    directory->is_zip64 = end->is_zip64;
    return 0;
}

int unzip_directory_open(int fd, struct unzip_directory *directory)
{
    struct stat status;
    struct end end;
    *directory = (struct unzip_directory){.fd = fd};
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -ESPIPE;
    int error = read_end(fd, (uint64_t)status.st_size, &end);
    if (!error)
        error = read_zip64(fd, &end);
    if (!error && (end.disk || end.start_disk || end.disk_count != end.count))
        error = -ENOTSUP;
    if (!error)
        error = place(directory, &end);
    if (error)
        return error;
    directory->window = malloc(WINDOW_BYTES);
    if (!directory->window)
        return -ENOMEM;
    unzip_directory_rewind(directory);
    return 0;
}

void unzip_directory_close(struct unzip_directory *directory)
{
    free(directory->window);
    directory->window = NULL;
}

void unzip_directory_rewind(struct unzip_directory *directory)
{
    directory->at = directory->seen = 0;
    directory->last_offset = directory->last_end = directory->prefix;
    directory->taken_bytes = directory->total_bytes = 0;
    directory->is_ordered = true;
}

/* The walk. */

/* So many bytes from where it is on, in *data. */
static int look(struct unzip_directory *directory, size_t bytes, const uint8_t **data)
{
    uint64_t at = directory->at, left = directory->bytes - at;
    if (bytes > left)
        return -EBADMSG;
    if (at < directory->window_start ||
        at + bytes > directory->window_start + directory->window_bytes) {
        size_t wanted = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        directory->window_bytes = 0;
        int error = read_whole(directory->fd, directory->window, wanted, directory->start + at);
        if (error)
            return error;
        directory->window_start = at;
        directory->window_bytes = wanted;
    }
    *data = directory->window + (at - directory->window_start);
    return 0;
}

const uint8_t *unzip_extra(const uint8_t *extra, size_t extra_bytes, unsigned id, size_t *bytes)
{
    for (size_t at = 0; extra_bytes - at >= 4;) {
        size_t field = unzip_get16(extra + at + 2);
        if (field > extra_bytes - at - 4)
            return NULL;
        if (unzip_get16(extra + at) == id) {
            *bytes = field;
            return extra + at + 4;
        }
        at += 4 + field;
    }
    return NULL;
}

bool unzip_wide(uint32_t number, const uint8_t **field, size_t *bytes, uint64_t *wide)
{
    *wide = number;
    if (number != UINT32_MAX || !*field) /* without the field it is the number itself */
        return true;
    if (*bytes < 8)
        return false;
    *wide = unzip_get64(*field);
    *field += 8;
    *bytes -= 8;
    return true;
}

/* 4.5.3: in this order, and only those whose own fields refer to it. */
static bool read_wide_numbers(const uint8_t *head, struct unzip_entry *entry)
{
    size_t bytes = 0;
    const uint8_t *field = unzip_extra(entry->extra, entry->extra_bytes, EXTRA_ZIP64, &bytes);
    return unzip_wide(unzip_get32(head + 24), &field, &bytes, &entry->uncompressed_bytes) &&
           unzip_wide(unzip_get32(head + 20), &field, &bytes, &entry->compressed_bytes) &&
           unzip_wide(unzip_get32(head + 42), &field, &bytes, &entry->offset);
}

/* 4.3.12. */
static int read_entry(struct unzip_directory *directory, const uint8_t *head,
                      struct unzip_entry *entry)
{
    *entry = (struct unzip_entry){
        .host = head[5],
        .flags = unzip_get16(head + 8),
        .method = unzip_get16(head + 10),
        .dos_time = unzip_get32(head + 12),
        .crc32 = unzip_get32(head + 16),
        .name_bytes = unzip_get16(head + 28),
        .extra_bytes = unzip_get16(head + 30),
        .disk = unzip_get16(head + 34),
        .attributes = unzip_get32(head + 38),
    };
    size_t bytes =
        CENTRAL_BYTES + (size_t)entry->name_bytes + entry->extra_bytes + unzip_get16(head + 32);
    int error = look(directory, bytes, &head);
    if (error)
        return error;
    entry->name = head + CENTRAL_BYTES;
    entry->extra = entry->name + entry->name_bytes;
    if (!read_wide_numbers(head, entry) ||
        __builtin_add_overflow(entry->offset, directory->prefix, &entry->offset))
        return -EBADMSG;
    if (entry->disk == UINT16_MAX)
        entry->disk = 0; /* it is in the zip64 field, and there are no others */
    directory->at += bytes;
    directory->seen++;
    return 0;
}

/* Whether it has its bytes of the file for itself, as far as the directory can tell. */
static int check_place(struct unzip_directory *directory, const struct unzip_entry *entry)
{
    uint64_t end = entry->offset;
    if (__builtin_add_overflow(end, UNZIP_LOCAL_BYTES + (uint64_t)entry->name_bytes, &end) ||
        __builtin_add_overflow(end, entry->compressed_bytes, &end) || end > directory->start)
        return -EBADMSG;
    bool is_before = entry->offset < directory->last_offset;
    if (is_before ? end > directory->last_offset : entry->offset < directory->last_end)
        return -EBADMSG;
    directory->is_ordered &= !is_before;
    directory->last_offset = entry->offset;
    directory->last_end = end;
    /* Together they cannot take more than there is: so those out of order are found out, too, if
     * they are more than what the file itself is. */
    directory->taken_bytes += end - entry->offset;
    if (directory->taken_bytes > directory->start - directory->prefix)
        return -EBADMSG;
    if (__builtin_add_overflow(directory->total_bytes, entry->uncompressed_bytes,
                               &directory->total_bytes))
        directory->total_bytes = UINT64_MAX;
    return 0;
}

/* Where entries end. Writers without zip64 have counted more of them than 65,535 modulo 65,536. */
static int finish(const struct unzip_directory *directory)
{
    uint64_t seen = directory->is_zip64 ? directory->seen : directory->seen & UINT16_MAX;
    return seen == directory->count ? 0 : -EBADMSG;
}

int unzip_directory_next(struct unzip_directory *directory, struct unzip_entry *entry)
{
    const uint8_t *head;
    if (directory->at == directory->bytes)
        return finish(directory);
    int error = look(directory, DIGITAL_BYTES, &head);
    if (error)
        return error;
    if (unzip_get32(head) == SIGNATURE_DIGITAL) {
        uint64_t bytes = DIGITAL_BYTES + (uint64_t)unzip_get16(head + 4);
        return directory->bytes - directory->at == bytes ? finish(directory) : -EBADMSG;
    }
    error = look(directory, CENTRAL_BYTES, &head);
    if (!error && unzip_get32(head) != SIGNATURE_CENTRAL)
        error = -EBADMSG;
    if (!error)
        error = read_entry(directory, head, entry);
    if (!error)
        error = check_place(directory, entry);
    return error ? error : 1;
}
