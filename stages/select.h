#ifndef TREEMILL_STAGES_SELECT_H
#define TREEMILL_STAGES_SELECT_H

// Which files of a tree are taken.
//
// Name rules are tried in the order in which they were added and the first that matches decides,
// as in rsync; what no rule matches is taken. So an include saves what a LATER exclude would
// leave out. Patterns: stages/glob.h. An excluded directory is not entered, so nothing below it
// can be included again: `--include='*.c' --exclude='*'` takes the .c files of the top directory
// alone, `--include='*/' --include='*.c' --exclude='*'` those of the whole tree.
//
// With includes and no exclude at all, every directory is entered and only the files that match
// an include are taken (find -name). A pattern that ends with '/' is about directories, and so
// takes no file by itself then: everything below src is "src/**".
//
// The limits of size and age apply to files, after the names. An operand itself is never left
// out by its own name.
//
// Life: one thread creates it and adds to it; from then on it is only read, and any number of
// threads, and processes forked later, may ask at once, without locks.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Rules and their patterns take no more memory than this; more is -E2BIG. */
#define SELECTION_MAX_BYTES ((size_t)64 << 20)

/* See selection_set_exclude_caches(). */
#define SELECT_CACHE_TAG_NAME  "CACHEDIR.TAG"
#define SELECT_CACHE_TAG_BYTES 43

struct selection;

/* An empty selection, which takes everything, owned by the caller. 0 or -ENOMEM. */
int selection_create(struct selection **made);

/* Free it. NULL is fine. Nobody may be asking it any more. */
void selection_destroy(struct selection *selection);

/*
 * Add one rule. The pattern is copied. 0, or -EINVAL (empty or only slashes, a NUL byte, an
 * unknown [:class:]), -ENAMETOOLONG (over GLOB_MAX_PATTERN_BYTES), -E2BIG, -ENOMEM; the
 * selection is unchanged then.
 */
int selection_add_exclude(struct selection *selection, const char *pattern, size_t bytes);
int selection_add_include(struct selection *selection, const char *pattern, size_t bytes);

/*
 * Add an exclude for every line of a file. Empty lines and lines that begin with '#' are ignored
 * (as in rsync; a name that begins with '#' is written "\#"). Everything else is part of the
 * pattern, blanks and carriage returns too (as in tar), and no line has a "+ " or "- " prefix.
 * The last line needs no newline. 0, or a negative errno of opening, reading or adding, with a
 * sentence in error_text that names the line but not the path; the rules of the lines before
 * that one stay added.
 */
int selection_add_exclude_file(struct selection *selection, const char *path, char *error_text,
                               size_t error_text_bytes);

/*
 * Exclude the files and directories of version control systems: the names of GNU tar 1.34's
 * --exclude-vcs. Its place among the rules counts. 0, -E2BIG or -ENOMEM.
 */
int selection_add_vcs(struct selection *selection);

/*
 * Take files of min_bytes to max_bytes, both included (rsync's --min-size and --max-size);
 * 0 and UINT64_MAX are no limit. 0, or -EINVAL if min is above max.
 */
int selection_set_size_limits(struct selection *selection, uint64_t min_bytes, uint64_t max_bytes);

/*
 * Take files modified after this time, not at it (find -newer: the reference file is not newer
 * than itself). 0, or -EINVAL if tv_nsec is out of range.
 */
int selection_set_newer(struct selection *selection, struct timespec than);

/*
 * Leave out what is in cache directories. For the scanner: in a directory that holds a regular
 * file SELECT_CACHE_TAG_NAME whose first bytes are select_is_cache_tag(), take the directory and
 * the tag file and nothing else (GNU tar's --exclude-caches).
 */
void selection_set_exclude_caches(struct selection *selection);
bool selection_excludes_caches(const struct selection *selection);

/*
 * Whether these are the first bytes of a cache directory's tag; `bytes` should be at least
 * SELECT_CACHE_TAG_BYTES. Source: Cache Directory Tagging Specification 0.6, bford.info/cachedir.
 */
bool select_is_cache_tag(const void *data, size_t bytes);

/* Whether there is no name rule: the scanner need not build relative paths nor ask by name. */
bool selection_is_trivial(const struct selection *selection);

/* Whether selection_wants_file_stat() can say no: the scanner needs size and modification time. */
bool selection_needs_stat(const struct selection *selection);

/*
 * Whether a directory is entered, and whether a file (anything else than a directory) is taken
 * as far as its name tells. relative_path is relative to the operand: no leading or trailing
 * '/', no "." component; of no bytes, it is the operand itself, which is always wanted. (For an
 * operand that is a file, pass its last component if its name shall count.) The answer for a
 * path supposes that its parent directories are entered.
 */
bool selection_wants_directory(const struct selection *selection, const char *relative_path,
                               size_t bytes);
bool selection_wants_file_name(const struct selection *selection, const char *relative_path,
                               size_t bytes);

/* Whether a file of this size, last modified then, is taken. */
bool selection_wants_file_stat(const struct selection *selection, uint64_t size_bytes,
                               struct timespec mtime);

#endif
