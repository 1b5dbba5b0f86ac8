/* The parts of archive_test: archive_test.c (what it is; tar, what libarchive reads),
 * archive_test_zip.c (zip by its directory). */
#ifndef TREEMILL_STAGES_ARCHIVE_TEST_PRIVATE_H
#define TREEMILL_STAGES_ARCHIVE_TEST_PRIVATE_H

#include "stages/archive_test.h"

#define ARCHIVE_TEST_PIECE ((size_t)256 * 1024)

struct foreign;

struct archive_test {
    struct unpack_limits limits;
    struct tar_check *tar;
    struct zip_room *zip; /* made when first needed */
    uint8_t *piece;       /* ARCHIVE_TEST_PIECE */
    /* Of the file in hand. */
    struct archive_place place;
    struct archive_verdict *verdict;
    uint64_t members;
};

/* The errors of readers. `member`: of which one, or NULL; `words`: of the reader, or NULL. Returns
 * false. */
bool archive_test_fail(struct archive_test *test, int error, const char *member, const char *words);
/* One member, or `bytes` more, have come out of `input_bytes` of the file (0: never too much of
 * it). False: that is too much, or the job is over. */
bool archive_test_member(struct archive_test *test);
bool archive_test_bytes(struct archive_test *test, size_t bytes, uint64_t input_bytes);

/* A zip in a file that can seek. 0; -ENOTSUP: libarchive is to do it. */
int archive_test_zip(struct archive_test *test);
/* NULL is allowed. */
void zip_room_destroy(struct zip_room *room);

#endif
