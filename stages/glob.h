#ifndef TREEMILL_STAGES_GLOB_H
#define TREEMILL_STAGES_GLOB_H

// File name patterns, compiled once and matched against paths relative to an operand.
//
//   *       any run of bytes without '/'          ?      one byte other than '/'
//   **      any run of bytes, '/' included        \X     the byte X itself
//   [a-z]   one byte of the set, never '/'; [!...] and [^...] negate; [:alpha:] and the other
//           POSIX classes have their ASCII meaning; a '[' that is never closed is itself
//
// Where a pattern applies (the rules of rsync and gitignore where these agree):
//   no '/' before the end     the last component of the path, at any depth ('**' is then '*')
//   '/' or './' in front      the whole path, from the operand on
//   a '/' elsewhere           the end of the path, from any directory boundary on
//   '/' at the end            as without it, but for directories only
// '**' as a whole component is also no component: "a/**/b" is a/b, a/x/b, a/x/y/b (as in
// gitignore), while a trailing "a/**" is everything below a and not a itself (as in both).
// A leading dot is an ordinary byte; repeated '/' count as one. Everything is bytewise, without
// locale: names need not be text in any encoding.
//
// Cost: matching never recurses and takes at most on the order of (path bytes * pattern bytes)
// steps, whatever the pattern; see the proof in glob.c.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer patterns are refused: compiling may be quadratic in nested '[' that are never closed. */
#define GLOB_MAX_PATTERN_BYTES 8192

struct glob;

/*
 * Compile `bytes` bytes of pattern into *made, owned by the caller. 0, or -EINVAL (empty or only
 * slashes, a NUL byte, an unknown [:class:]), -ENAMETOOLONG, -ENOMEM; *made is NULL then.
 */
int glob_compile(struct glob **made, const char *pattern, size_t bytes);

/* Free it. NULL is fine. */
void glob_destroy(struct glob *glob);

/* Whether the pattern ended with '/'. glob_match() does not look at it. */
bool glob_directories_only(const struct glob *glob);

/*
 * The text of a pattern without wildcards, unescaped and without leading or trailing '/', its
 * length in *bytes; NULL if the pattern has wildcards. Belongs to the glob. Every path that
 * such a pattern matches has the same last component as this text.
 */
const char *glob_literal(const struct glob *glob, size_t *bytes);

/* Bytes of memory that the compiled pattern holds. */
size_t glob_memory_bytes(const struct glob *glob);

/*
 * Whether the pattern matches `path`, which is relative to the operand, without leading or
 * trailing '/'; its last component begins at name_start. If steps is not NULL, the number of
 * token comparisons is added to it (for tests of the bound). Reads only: any thread, any process.
 */
bool glob_match(const struct glob *glob, const char *path, size_t path_bytes, size_t name_start,
                uint64_t *steps);

#endif
