/* Mistyped words; see nearest.h. */
#include "cli/nearest.h"
#include "cli/parse.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum {
    WORD_BYTES = 64,     /* longer words are near to nothing (edit_distance()) */
    BYTES_PER_SLIP = 3,  /* of the longer word */
    PREFIX_BYTES = 3,    /* shorter ones begin too many names */
    PREFIX_DISTANCE = 1, /* an abbreviation is as good as one slip */
};

/* In small letters; false if it does not fit. */
static bool fold(const char *text, size_t length, char folded[WORD_BYTES])
{
    if (length >= WORD_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        folded[i] = (char)tolower((unsigned char)text[i]);
    folded[length] = '\0';
    return true;
}

struct nearest nearest_begin(const char *word, size_t length)
{
    return (struct nearest){.word = word, .length = length, .distance = UINT_MAX};
}

void nearest_try(struct nearest *nearest, const char *name)
{
    char word[WORD_BYTES], known[WORD_BYTES];
    size_t known_length = strlen(name);
    size_t longer = known_length > nearest->length ? known_length : nearest->length;
    size_t shorter = known_length < nearest->length ? known_length : nearest->length;
    size_t most = longer / BYTES_PER_SLIP ? longer / BYTES_PER_SLIP : 1;

    if (!fold(nearest->word, nearest->length, word) || !fold(name, known_length, known))
        return;
    unsigned distance = edit_distance(word, known);
    if (nearest->length >= PREFIX_BYTES && distance > PREFIX_DISTANCE &&
        strncmp(word, known, nearest->length) == 0)
        distance = PREFIX_DISTANCE;
    /* As many slips as there are bytes would make any word of any other. */
    if (distance <= most && distance < shorter && distance < nearest->distance) {
        nearest->name = name;
        nearest->distance = distance;
    }
}

const char *nearest_of(const char *const *names, const char *word, size_t length)
{
    struct nearest nearest = nearest_begin(word, length);
    for (; *names; names++)
        nearest_try(&nearest, *names);
    return nearest.name;
}
