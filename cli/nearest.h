/* nearest: which of the known names a mistyped word was meant to be.
 *
 * Two words are near if few slips (insertions, deletions, replacements, swaps of neighbours) lead
 * from one to the other: one in three bytes of the longer word, but at least one. A word of three
 * bytes or more is also near to each name that begins with it. Capitals and small letters are the
 * same. Of two names that are equally near the first one is taken.
 *
 * All functions are pure and may be called from any thread.
 */
#ifndef TREEMILL_CLI_NEAREST_H
#define TREEMILL_CLI_NEAREST_H

#include <stddef.h>

/* A search under way; the word and the names that were tried must outlive it. */
struct nearest {
    const char *word;
    size_t length;
    const char *name;  /* the nearest one so far; NULL: none is near */
    unsigned distance; /* of name */
};

/* The word has length bytes and need not end there. */
struct nearest nearest_begin(const char *word, size_t length);
void nearest_try(struct nearest *nearest, const char *name);

/* The nearest of a NULL-terminated list, or NULL if none is near. */
const char *nearest_of(const char *const *names, const char *word, size_t length);

#endif
