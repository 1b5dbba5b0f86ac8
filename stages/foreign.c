/* Reading by libarchive.
 *
 * Its names go through the locale's character set, and the program may run in the C locale, whose
 * character set is ASCII. So each call of libarchive is made in the C.UTF-8 locale, of this thread
 * alone (uselocale(3)): there every name comes out as bytes that were put in, or as UTF-8.
 *
 * libarchive has numbers for few of its errors. What they are is told from words in its texts, as
 * of 3.6.2; an error whose text is not known is -EBADMSG.
 */
#include "stages/foreign.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/foreign_private.h"
#include "stages/text.h"

struct foreign {
    struct archive *archive;
    struct foreign_source source;
    locale_t utf8; /* 0: the system has no such locale */
    enum foreign_mode mode;
    struct member member;
    struct foreign_packed packed;
    struct foreign_links *links; /* NULL until there are any */
    uint64_t members;
    bool ended; /* there are no more members but those that wait */
    int failed; /* nothing more can be read: -errno */
    /* Of the member's data. */
    bool has_data, is_sparse, is_encrypted, is_done;
    int data_error;      /* why it is done */
    uint64_t size_bytes; /* or FOREIGN_SIZE_UNKNOWN */
    const uint8_t *block;
    size_t block_bytes;    /* left */
    uint64_t block_offset; /* of what is left, in the file */
    uint64_t next_offset;  /* behind all that has come */
    char error[512];
};

/* Errors. */

static int say(struct foreign *foreign, int error, const char *format, ...)
{
    char text[sizeof foreign->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text_escape_message(text, strlen(text), foreign->error, sizeof foreign->error);
    return error;
}

static bool says_any(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
}

static const char *const words_of_unknown[] = {
    "unsupported",   "not supported", "isn't supported", "unavailable",    "does not support",
    "unknown codec", "encrypt",       "passphrase",      "no support for", NULL};
static const char *const words_of_end[] = {"truncated", "premature", "end of file", NULL};

/* What the library has to say as an error of ours. */
static int failure(struct foreign *foreign)
{
    const char *text = archive_error_string(foreign->archive);
    bool at_end = foreign->source.reached_end;
    if (foreign->source.error)
        return say(foreign, foreign->source.error, "%s", text ? text : "reading failed");
    /* It says so of what would take too much, too. */
    if (archive_errno(foreign->archive) == ENOMEM && !(text && strcasestr(text, "malformed")))
        return say(foreign, -ENOMEM, "%s", text ? text : "no memory");
    if (!text)
        return at_end ? say(foreign, -ENODATA, "the file ends too early")
                      : say(foreign, -EBADMSG, "the file is damaged");
    if (!foreign->source.is_seekable && strcasestr(text, "seek"))
        return say(foreign, -ENOTSUP, "an archive of this kind cannot be read from a pipe: %s",
                   text);
    if (says_any(text, words_of_unknown))
        return say(foreign, -ENOTSUP, "%s", text);
    return say(foreign, at_end && says_any(text, words_of_end) ? -ENODATA : -EBADMSG, "%s", text);
}

static int fail(struct foreign *foreign, int error)
{
    foreign->failed = error;
    return error;
}

/* The locale. */

static locale_t enter(const struct foreign *foreign)
{
    return foreign->utf8 ? uselocale(foreign->utf8) : (locale_t)0;
}

static void leave(locale_t before)
{
    if (before)
        uselocale(before);
}

/* Opening. */

/* Besides the file itself, which counts as one. */
static int count_filters(const struct foreign *foreign)
{
    return archive_filter_count(foreign->archive) - 1;
}

static int open_error(struct foreign *foreign)
{
    const char *text = archive_error_string(foreign->archive);
    if (count_filters(foreign) > FOREIGN_FILTERS_MAX || (text && strstr(text, "too many filters")))
        return -E2BIG;
    if (text && strstr(text, "Unrecognized archive format") && !foreign->source.error)
        return -EINVAL;
    return failure(foreign);
}

/* A stream is the one member of a "raw" archive. */
static int begin_stream(struct foreign *foreign)
{
    struct archive_entry *entry;
    int status = archive_read_next_header(foreign->archive, &entry);
    foreign->size_bytes = FOREIGN_SIZE_UNKNOWN;
    foreign->has_data = status != ARCHIVE_EOF;
    return status == ARCHIVE_EOF || status >= ARCHIVE_WARN ? 0 : failure(foreign);
}

static int open_archive(struct foreign *foreign)
{
    foreign->archive = archive_read_new();
    if (!foreign->archive)
        return -ENOMEM;
    int error = foreign_enable(foreign->archive, foreign->mode);
    if (error)
        return error;
    foreign_source_attach(&foreign->source, foreign->archive);
    if (archive_read_open1(foreign->archive) != ARCHIVE_OK)
        return open_error(foreign);
    if (count_filters(foreign) > FOREIGN_FILTERS_MAX)
        return -E2BIG;
    if (foreign->mode != FOREIGN_STREAM)
        return 0;
    return count_filters(foreign) > 0 ? begin_stream(foreign) : -EINVAL;
}

int foreign_open_as(const void *start, size_t start_bytes, int fd, enum foreign_mode mode,
                    struct foreign **out)
{
    struct foreign *foreign = calloc(1, sizeof *foreign);
    if (!foreign)
        return -ENOMEM;
    foreign->mode = mode;
    foreign->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    int error = foreign_source_open(&foreign->source, fd, start, start_bytes);
    if (!error) {
        locale_t before = enter(foreign);
        error = open_archive(foreign);
        leave(before);
    }
    if (error) {
        foreign_close(foreign);
        return error;
    }
    *out = foreign;
    return 0;
}

int foreign_open_behind(const void *start, size_t start_bytes, int fd, bool filters_only,
                        struct foreign **foreign)
{
    enum foreign_mode mode = filters_only ? FOREIGN_STREAM : FOREIGN_ARCHIVE;
    return foreign_open_as(start, start_bytes, fd, mode, foreign);
}

int foreign_open(int fd, bool filters_only, struct foreign **foreign)
{
    return foreign_open_behind(NULL, 0, fd, filters_only, foreign);
}

void foreign_close(struct foreign *foreign)
{
    if (!foreign)
        return;
    if (foreign->archive)
        archive_read_free(foreign->archive);
    foreign_source_close(&foreign->source);
    foreign_links_destroy(foreign->links);
    foreign_packed_clear(&foreign->packed);
    if (foreign->utf8)
        freelocale(foreign->utf8);
    free(foreign);
}

/* Members. */

static bool is_format(const struct foreign *foreign, int format)
{
    return (archive_format(foreign->archive) & ARCHIVE_FORMAT_BASE_MASK) == format;
}

/* The tables of symbols and of long names in ar are no files. */
static bool is_table(const struct foreign *foreign)
{
    const char *path = foreign->member.path;
    return is_format(foreign, ARCHIVE_FORMAT_AR) &&
           (!strcmp(path, "/") || !strcmp(path, "//") || !strcmp(path, "/SYM64/"));
}

static void begin_data(struct foreign *foreign, struct archive_entry *entry)
{
    const struct member *member = &foreign->member;
    foreign->has_data = S_ISREG(member->stat.mode) && !member->is_hard_link;
    foreign->is_sparse = foreign->has_data && archive_entry_sparse_count(entry) > 0;
    foreign->is_encrypted = archive_entry_is_data_encrypted(entry);
    foreign->is_done = false;
    foreign->data_error = 0;
    foreign->size_bytes = member->stat.size_bytes;
    foreign->block_bytes = 0;
    foreign->next_offset = 0;
}

/* 1: the member is to be given out; 0: it waits for the one with its data. */
static int take_links(struct foreign *foreign, struct archive_entry *entry)
{
    if (!is_format(foreign, ARCHIVE_FORMAT_CPIO) || !S_ISREG(foreign->member.stat.mode) ||
        archive_entry_nlink(entry) < 2)
        return 1;
    int format = archive_format(foreign->archive);
    bool waits = format == ARCHIVE_FORMAT_CPIO_SVR4_NOCRC || format == ARCHIVE_FORMAT_CPIO_SVR4_CRC;
    int error = foreign->links ? 0 : foreign_links_create(&foreign->links);
    if (error)
        return error;
    /* Of one that libarchive takes for a link the size has not been taken over. */
    if (archive_entry_size(entry) > 0)
        foreign->member.stat.size_bytes = (uint64_t)archive_entry_size(entry);
    return foreign_links_take(foreign->links, archive_entry_dev(entry),
                              (uint64_t)archive_entry_ino64(entry), archive_entry_nlink(entry),
                              waits, &foreign->member);
}

/* What the header says has been read. 1, 0: not to be given out, or an error. */
static int take_header(struct foreign *foreign, struct archive_entry *entry, int status)
{
    int error = foreign_member_make(entry, archive_format(foreign->archive), ++foreign->members,
                                    &foreign->packed, &foreign->member);
    if (error)
        return fail(foreign, say(foreign, error, "no memory"));
    if (is_table(foreign))
        return 0;
    int taken = take_links(foreign, entry);
    if (taken < 0)
        return fail(foreign, say(foreign, taken, "too many names wait for their file's data"));
    if (!taken)
        return 0;
    if (status != ARCHIVE_OK && archive_error_string(foreign->archive))
        say(foreign, 0, "%s", archive_error_string(foreign->archive));
    begin_data(foreign, entry);
    return 1;
}

/* For libarchive ar and warc end where there is no whole header. What is left then is a part of
 * one; behind filters that cannot be seen. */
static int check_archive_end(struct foreign *foreign)
{
    foreign->ended = true;
    bool looks = is_format(foreign, ARCHIVE_FORMAT_AR) || is_format(foreign, ARCHIVE_FORMAT_WARC);
    if (!looks || count_filters(foreign) > 0 ||
        (uint64_t)archive_filter_bytes(foreign->archive, 0) == foreign_position(foreign))
        return 0;
    return fail(foreign, say(foreign, -ENODATA, "the file ends within a header"));
}

static int next_member(struct foreign *foreign)
{
    struct archive_entry *entry;
    int status, taken = 0;
    do {
        status = archive_read_next_header(foreign->archive, &entry);
        if (status == ARCHIVE_EOF)
            return check_archive_end(foreign);
        if (status == ARCHIVE_FATAL)
            return fail(foreign, failure(foreign));
        if (status < ARCHIVE_WARN)
            return failure(foreign);
        taken = take_header(foreign, entry, status);
    } while (taken == 0);
    return taken;
}

int foreign_next(struct foreign *foreign, const struct member **member)
{
    *member = &foreign->member;
    if (foreign->failed)
        return foreign->failed;
    foreign->error[0] = '\0';
    foreign->has_data = foreign->is_sparse = false;
    if (foreign->links && foreign_links_next(foreign->links, foreign->ended, &foreign->member))
        return 1;
    if (foreign->ended)
        return 0;
    locale_t before = enter(foreign);
    int found = next_member(foreign);
    leave(before);
    if (found == 0 && foreign->links && foreign_links_next(foreign->links, true, &foreign->member))
        return 1;
    return found;
}

bool foreign_is_sparse(const struct foreign *foreign)
{
    return foreign->is_sparse;
}

/* Data. */

/* 1: there is a block; 0: no more; or an error. Other than for headers a warning is an error: it is
 * about checksums. */
static int next_block(struct foreign *foreign)
{
    const void *block;
    size_t bytes = 0;
    la_int64_t offset = 0;
    int status;
    do {
        status = archive_read_data_block(foreign->archive, &block, &bytes, &offset);
    } while (status == ARCHIVE_OK && !bytes);
    if (status == ARCHIVE_EOF)
        return 0;
    if (status != ARCHIVE_OK) {
        int error = failure(foreign);
        return status == ARCHIVE_FATAL ? fail(foreign, error) : error;
    }
    foreign->block = block;
    foreign->block_bytes = bytes;
    foreign->block_offset = (uint64_t)offset;
    return 1;
}

/* Against what has come before, and what the header says. */
static int check_block(struct foreign *foreign)
{
    uint64_t offset = foreign->block_offset, bytes = foreign->block_bytes;
    bool fits =
        offset <= INT64_MAX && bytes <= INT64_MAX - offset &&
        (foreign->is_sparse ? offset >= foreign->next_offset : offset == foreign->next_offset);
    if (!fits)
        return say(foreign, -EBADMSG, "pieces of the data are out of order");
    if (offset + bytes > foreign->size_bytes)
        return say(foreign, -EBADMSG, "there is more data than the archive says");
    foreign->next_offset = offset + bytes;
    return 1;
}

static int check_end(struct foreign *foreign)
{
    if (foreign->is_sparse || foreign->size_bytes == FOREIGN_SIZE_UNKNOWN ||
        foreign->next_offset == foreign->size_bytes)
        return 0;
    char odd[sizeof foreign->error];
    strcpy(odd, foreign->error);
    return say(foreign, -EBADMSG, "there is less data than the archive says%s%s", *odd ? ": " : "",
               odd);
}

static int fill_block(struct foreign *foreign)
{
    int found = next_block(foreign);
    if (found < 0 && foreign->is_encrypted) {
        char text[sizeof foreign->error];
        strcpy(text, foreign->error);
        return say(foreign, -ENOTSUP, "the data is encrypted: %s", text);
    }
    if (found <= 0)
        return found ? found : check_end(foreign);
    return check_block(foreign);
}

ptrdiff_t foreign_read(struct foreign *foreign, void *data, size_t capacity, uint64_t *offset)
{
    if (foreign->failed)
        return foreign->failed;
    if (!foreign->has_data || foreign->is_done)
        return foreign->has_data ? foreign->data_error : 0;
    if (!foreign->block_bytes) {
        locale_t before = enter(foreign);
        int found = fill_block(foreign);
        leave(before);
        if (found <= 0) {
            foreign->is_done = true;
            foreign->data_error = found;
            return found;
        }
    }
    size_t bytes = capacity < foreign->block_bytes ? capacity : foreign->block_bytes;
    memcpy(data, foreign->block, bytes);
    *offset = foreign->block_offset;
    foreign->block += bytes;
    foreign->block_bytes -= bytes;
    foreign->block_offset += bytes;
    return (ptrdiff_t)bytes;
}

/* What it is. */

const char *foreign_error(const struct foreign *foreign)
{
    return foreign->error;
}

const char *foreign_format(struct foreign *foreign, char *text, size_t capacity)
{
    size_t used = 0;
    const char *name =
        foreign->mode == FOREIGN_STREAM ? NULL : archive_format_name(foreign->archive);
    text[0] = '\0';
    for (int i = -1; i < count_filters(foreign) && used < capacity; i++) {
        name = i < 0 ? name : archive_filter_name(foreign->archive, i);
        if (name)
            used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? ", " : "", name);
    }
    return text;
}

uint64_t foreign_position(const struct foreign *foreign)
{
    const struct foreign_source *source = &foreign->source;
    uint64_t all = source->end - source->base;
    return source->is_seekable && source->read_bytes > all ? all : source->read_bytes;
}
