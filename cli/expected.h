/* expected: what manifests say of files, by path, and what was found of them.
 *
 * For data that comes in an order of its own, such as that of an archive. All of it is in memory:
 * for each line its name, its digests and some 60 bytes; for each file besides, listed or found,
 * its path, the digests found and some 60 bytes. Of several files of one path the last one counts.
 * Not for concurrent use. */
#ifndef TREEMILL_CLI_EXPECTED_H
#define TREEMILL_CLI_EXPECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/fault.h"
#include "stages/compare.h"
#include "stages/walk.h"

enum expected_state {
    EXPECTED_ABSENT,
    EXPECTED_FOUND,      /* its size and digests are known */
    EXPECTED_UNREADABLE, /* it is there; the reason has been told */
    EXPECTED_NO_FILE     /* something else is there */
};

struct expected_line {
    const char *name; /* as the manifest has it, NUL-terminated */
    size_t name_bytes;
    struct expectation expectation;
    uint32_t algorithms;
    const uint8_t *digests;
    struct expected_file *file;
    struct expected_line *next; /* in the manifests' order */
    struct expected_line *same; /* next of the same file */
};

struct expected_file {
    const char *path; /* cleaned, NUL-terminated */
    size_t path_bytes;
    struct expected_line *lines; /* NULL: it is not listed */
    enum expected_state state;
    uint64_t size_bytes;
    uint8_t *digests;           /* of all algorithms of the table; NULL: none yet */
    struct expected_file *next; /* in the order of adding */
};

struct expected;
/* NULL: out of memory. */
struct expected *expected_create(void);
/* NULL is allowed. */
void expected_destroy(struct expected *expected);

/* A line of a manifest; its file is the one at `path`. 0 or -ENOMEM. */
int expected_add(struct expected *expected, const struct walk_name *line, const char *path,
                 size_t path_bytes);
/* The first line, and the first file. NULL: none. */
const struct expected_line *expected_lines(const struct expected *expected);
const struct expected_file *expected_files(const struct expected *expected);
/* All algorithms of all lines; constant once the first file was noted. */
uint32_t expected_algorithms(const struct expected *expected);

/* The file at the path; NULL: it is neither listed nor noted. */
struct expected_file *expected_find(const struct expected *expected, const char *path,
                                    size_t path_bytes);
/* Something is at the path, whatever was said of it before. `digests`: of all algorithms, for
 * EXPECTED_FOUND; copied. NULL: no memory. */
struct expected_file *expected_note(struct expected *expected, const char *path, size_t path_bytes,
                                    enum expected_state state, uint64_t size_bytes,
                                    const uint8_t *digests);
/* Whether the file, which was found, is what the line says. */
bool expected_matches(const struct expected *expected, const struct expected_line *line);

#endif
