#include "stages/archive_test.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/archive_test_private.h"
#include "stages/foreign.h"
#include "stages/tar_check.h"

int archive_test_create(const struct unpack_limits *limits, struct archive_test **out)
{
    struct archive_test *test = *out = calloc(1, sizeof *test);
    if (!test)
        return -ENOMEM;
    test->limits = *limits;
    test->piece = malloc(ARCHIVE_TEST_PIECE);
    int error = test->piece ? tar_check_create(limits, &test->tar) : -ENOMEM;
    if (error) {
        archive_test_destroy(test);
        *out = NULL;
    }
    return error;
}

void archive_test_destroy(struct archive_test *test)
{
    if (!test)
        return;
    tar_check_destroy(test->tar);
    zip_room_destroy(test->zip);
    free(test->piece);
    free(test);
}

/* Verdicts. */

bool archive_test_fail(struct archive_test *test, int error, const char *member, const char *words)
{
    struct archive_verdict *verdict = test->verdict;
    const char *said = words && *words ? words : NULL;
    switch (error) {
    case -ENODATA:
        verdict->fault = fault_of(TM_FAULT_TRUNCATED);
        said = said ? said : "unexpected end of file";
        break;
    case -EBADMSG:
    case -EINVAL:
    case -E2BIG:
    case -ENOTSUP:
        verdict->fault = fault_of(TM_FAULT_CORRUPT);
        said = said ? said : "corrupt data";
        break;
    default:
        verdict->fault = fault_system(error == -ENOMEM ? TM_OP_MEMORY : TM_OP_READ, error);
        return false;
    }
    if (member)
        snprintf(verdict->text, sizeof verdict->text, "%.100s: %s", member, said);
    else
        snprintf(verdict->text, sizeof verdict->text, "%s", said);
    return false;
}

static bool is_over(const struct archive_test *test)
{
    struct pollfd stop = {.fd = test->place.stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

static bool is_within(struct archive_test *test, bool is_more_than_allowed)
{
    if (is_more_than_allowed)
        test->verdict->fault = fault_of(TM_FAULT_LIMIT);
    return !is_more_than_allowed;
}

bool archive_test_member(struct archive_test *test)
{
    uint64_t most = test->limits.members;
    return is_within(test, ++test->members > most && most);
}

bool archive_test_bytes(struct archive_test *test, size_t bytes, uint64_t input_bytes)
{
    const struct unpack_limits *limits = &test->limits;
    uint64_t out = test->verdict->bytes += bytes;
    if (is_over(test)) {
        test->verdict->fault = fault_system(TM_OP_READ, ECANCELED);
        return false;
    }
    return is_within(test, (limits->bytes && out > limits->bytes) ||
                               (limits->ratio && input_bytes && out > UNPACK_RATIO_BYTES &&
                                out / limits->ratio > input_bytes));
}

/* tar, from wherever its bytes come. */

/* The next bytes of the archive itself. */
static ptrdiff_t read_plain(struct archive_test *test, struct foreign *none)
{
    struct archive_place *place = &test->place;
    ssize_t got;
    (void)none;
    if (place->start_bytes) {
        got = (ssize_t)(place->start_bytes < ARCHIVE_TEST_PIECE ? place->start_bytes
                                                                : ARCHIVE_TEST_PIECE);
        memcpy(test->piece, place->start, (size_t)got);
        place->start = (const uint8_t *)place->start + got;
        place->start_bytes -= (size_t)got;
        return got;
    }
    do
        got = read(place->fd, test->piece, ARCHIVE_TEST_PIECE);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static ptrdiff_t read_filtered(struct archive_test *test, struct foreign *foreign)
{
    uint64_t offset;
    return foreign_read(foreign, test->piece, ARCHIVE_TEST_PIECE, &offset);
}

void archive_test_begin(struct archive_test *test, struct archive_verdict *verdict)
{
    *verdict = (struct archive_verdict){0};
    test->verdict = verdict;
    test->place.stop_fd = -1;
    tar_check_begin(test->tar, false);
}

/* The fault in words. Always false. */
static bool fail_by_tar(struct archive_test *test, struct tm_fault fault)
{
    test->verdict->fault = fault;
    tar_check_text(test->tar, test->verdict->text, sizeof test->verdict->text);
    return false;
}

bool archive_test_push(struct archive_test *test, const void *data, size_t bytes)
{
    if (!archive_test_bytes(test, bytes, 0))
        return false;
    struct tm_fault fault = tar_check_push(test->tar, data, bytes);
    return fault_is_set(fault) ? fail_by_tar(test, fault) : true;
}

bool archive_test_end(struct archive_test *test)
{
    struct tm_fault fault = tar_check_finish(test->tar, &test->verdict->has_no_end);
    return fault_is_set(fault) ? fail_by_tar(test, fault) : true;
}

/* What comes from the reader: a tar, or bytes of any kind. */
static bool test_stream(struct archive_test *test, bool is_tar, struct foreign *foreign,
                        ptrdiff_t (*read_some)(struct archive_test *, struct foreign *))
{
    ptrdiff_t got;
    tar_check_begin(test->tar, is_tar);
    while ((got = read_some(test, foreign)) > 0)
        if (!archive_test_push(test, test->piece, (size_t)got) ||
            (foreign && !archive_test_bytes(test, 0, foreign_position(foreign))))
            return false;
    if (got < 0)
        return archive_test_fail(test, (int)got, NULL, foreign ? foreign_error(foreign) : NULL);
    return archive_test_end(test);
}

/* What libarchive reads. */

static int open_foreign(const struct archive_test *test, bool filters_only,
                        struct foreign **foreign)
{
    const struct archive_place *place = &test->place;
    return foreign_open_behind(place->start, place->start_bytes, place->fd, filters_only, foreign);
}

static bool test_filtered(struct archive_test *test, bool is_tar)
{
    struct foreign *foreign;
    int error = open_foreign(test, true, &foreign);
    if (error == -EINVAL) {
        test->verdict->fault = fault_of(TM_FAULT_FORMAT);
        return false;
    }
    if (error)
        return archive_test_fail(test, error, NULL, NULL);
    bool good = test_stream(test, is_tar, foreign, read_filtered);
    foreign_close(foreign);
    return good;
}

static bool read_member(struct archive_test *test, struct foreign *foreign,
                        const struct member *member)
{
    ptrdiff_t got;
    while ((got = read_filtered(test, foreign)) > 0)
        if (!archive_test_bytes(test, (size_t)got, foreign_position(foreign)))
            return false;
    return !got || archive_test_fail(test, (int)got, member->path, foreign_error(foreign));
}

/* Behind a header that is damaged libarchive looks for the next one, and says no more than this: a
 * member is lost. */
static bool has_skipped(const struct foreign *foreign)
{
    return strncmp(foreign_error(foreign), "Skipped ", 8) == 0;
}

static bool test_members(struct archive_test *test, struct foreign *foreign)
{
    const struct member *member;
    int got;
    while ((got = foreign_next(foreign, &member)) > 0)
        if (has_skipped(foreign))
            return archive_test_fail(test, -EBADMSG, member->path, foreign_error(foreign));
        else if (!archive_test_member(test) || !archive_test_bytes(test, 0, 0) ||
                 !read_member(test, foreign, member))
            return false;
    return !got || archive_test_fail(test, got, NULL, foreign_error(foreign));
}

static bool test_foreign(struct archive_test *test)
{
    struct foreign *foreign;
    int error = open_foreign(test, false, &foreign);
    if (error)
        return archive_test_fail(test, error, NULL, NULL);
    bool good = test_members(test, foreign);
    foreign_close(foreign);
    return good;
}

/* What it is. */

static bool is_seekable(const struct archive_place *place)
{
    struct stat status;
    return fstat(place->fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* What can be read only once: its head is read on, until that tells. */
static int detect_by_head(struct archive_test *test, uint8_t **head, enum foreign_kind *kind)
{
    struct archive_place *place = &test->place;
    *head = malloc(place->start_bytes + 1);
    if (!*head)
        return -ENOMEM;
    if (place->start_bytes)
        memcpy(*head, place->start, place->start_bytes);
    int error = foreign_detect_stream(place->fd, head, &place->start_bytes, kind);
    place->start = *head;
    return error;
}

static bool test_zip(struct archive_test *test, bool can_seek)
{
    int error =
        can_seek && lseek(test->place.fd, 0, SEEK_CUR) == 0 ? archive_test_zip(test) : -ENOTSUP;
    return error ? test_foreign(test) : !fault_is_set(test->verdict->fault);
}

static bool test_kind(struct archive_test *test, enum foreign_kind kind, bool can_seek)
{
    switch (kind) {
    case FOREIGN_TAR:
        if (!test_stream(test, true, NULL, read_plain))
            return false;
        test->verdict->is_zeros = !test->members;
        return true;
    case FOREIGN_FILTERED_TAR:
        return test_filtered(test, true);
    case FOREIGN_ZIP:
        return test_zip(test, can_seek);
    case FOREIGN_OTHER:
        test->verdict->is_doubtful = true;
        return test_foreign(test);
    default: /* it may still be compressed by something */
        test->verdict->is_doubtful = true;
        return test_filtered(test, false);
    }
}

void archive_test_run(struct archive_test *test, const struct archive_place *place,
                      struct archive_verdict *verdict)
{
    enum foreign_kind kind;
    uint8_t *head = NULL;
    int error = 0;
    *verdict = (struct archive_verdict){0};
    test->place = *place;
    test->verdict = verdict;
    test->members = 0;
    bool can_seek = is_seekable(place);
    if (can_seek && place->has_moved && lseek(place->fd, -(off_t)place->start_bytes, SEEK_CUR) < 0)
        error = -errno;
    if (can_seek) {
        test->place.start_bytes = 0;
        kind = foreign_detect(place->fd);
    } else {
        error = detect_by_head(test, &head, &kind);
    }
    if (error)
        archive_test_fail(test, error, NULL, NULL);
    else if (test_kind(test, kind, can_seek))
        verdict->is_doubtful = false;
    free(head);
}

bool archive_test_knows(const char *path, size_t path_bytes)
{
    static const char *const suffixes[] = {
        ".tar",  ".zip",  ".7z", ".cpio", ".iso", ".rar", ".cab", ".xar", ".lha",
        ".lzh",  ".warc", ".ar", ".deb",  ".rpm", ".jar", ".xz",  ".txz", ".bz2",
        ".tbz2", ".tbz",  ".lz", ".lzma", ".tlz", ".lz4", ".lzo", ".Z"};
    const char *slash = memrchr(path, '/', path_bytes);
    size_t name = slash ? (size_t)(slash + 1 - path) : 0;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t bytes = strlen(suffixes[i]);
        if (path_bytes - name > bytes && !memcmp(path + path_bytes - bytes, suffixes[i], bytes))
            return true;
    }
    return false;
}
