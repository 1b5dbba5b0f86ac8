/*
 * Pattern matching in O(path * pattern) without recursion or tables.
 *
 * A pattern becomes a list of tokens. Matching is greedy from the left with two places to resume
 * from: the last '*' of the current component, and the last floating token ('**', or "any number
 * of whole directories"). Earlier ones are never resumed:
 *
 * - A '*' left behind a '/' would have to swallow that '/' to change anything.
 * - Call the tokens between two floating tokens a segment; it holds k slashes. A match of it that
 *   starts in component c ends in component c + k. Matches that start in the same component end
 *   at the same place if k > 0 (the last part is then anchored at its component's start), and the
 *   one that starts first ends no later if k = 0 (its first '*' can take what lies between). So
 *   the first match found ends first, and what follows, being floating, can reach everything
 *   from there that it could reach from any later end.
 *
 * For the bound: once an attempt has passed a '*' or a '/' and fails, every later start in the
 * same component fails too, for the same two reasons, so the next attempt starts in the next
 * component. Hence each component of the path meets each component of a segment once, at most
 * (bytes * tokens) steps per meeting, which add up to (bytes of path * tokens of pattern). Before
 * the first '*' or '/' an attempt can restart at each byte, which costs as much once more.
 */
#include "stages/glob_private.h"

#include <string.h>

static bool set_has(const struct byte_set *set, uint8_t byte)
{
    return (set->words[byte >> 6] >> (byte & 63)) & 1;
}

bool glob_directories_only(const struct glob *glob)
{
    return glob->directories_only;
}

const char *glob_literal(const struct glob *glob, size_t *bytes)
{
    if (glob->shape != SHAPE_LITERAL)
        return NULL;
    *bytes = glob->literal_bytes;
    return glob->literal;
}

size_t glob_memory_bytes(const struct glob *glob)
{
    return glob->memory_bytes;
}

/* Whether the text ends with the pattern's literal. */
static bool ends_with_literal(const struct glob *glob, const char *text, size_t bytes)
{
    return bytes >= glob->literal_bytes &&
           memcmp(text + bytes - glob->literal_bytes, glob->literal, glob->literal_bytes) == 0;
}

static bool match_literal(const struct glob *glob, const char *text, size_t bytes)
{
    size_t before;

    if (!ends_with_literal(glob, text, bytes))
        return false;
    before = bytes - glob->literal_bytes;
    return before == 0 || (glob->scope == SCOPE_FLOATING && text[before - 1] == '/');
}

static bool token_takes(const struct glob *glob, struct token token, char character)
{
    uint8_t byte = (uint8_t)character;

    if (token.kind == TOKEN_BYTE)
        return token.byte == byte;
    if (token.kind == TOKEN_ANY_BYTE)
        return byte != '/';
    return set_has(&glob->sets[token.set], byte);
}

/* Where an attempt to match can be taken up again. */
struct resume {
    bool set;
    size_t token; /* the first token behind the wildcard */
    size_t text;  /* where the last attempt to match that token began */
};

/* Move a floating wildcard to its next start; false if there is none. */
static bool move_float(struct resume *floating, bool next_component, const char *text, size_t bytes)
{
    if (!floating->set || floating->text >= bytes)
        return false;
    if (next_component) {
        const char *slash = memchr(text + floating->text, '/', bytes - floating->text);

        if (!slash)
            return false;
        floating->text = (size_t)(slash - text);
    }
    floating->text++;
    return true;
}

/* See the head of this file for why two places to resume from are enough, and for the bound. */
static bool match_tokens(const struct glob *glob, const char *text, size_t bytes, uint64_t *steps)
{
    struct resume star = {0};
    struct resume floating = {0};
    bool whole = false;  /* the floating token takes whole components only */
    bool passed = false; /* a '*' or '/' was passed since the floating token's last start */
    size_t t = 0;
    size_t i = 0;
    uint64_t count = 0;
    bool matched = false;

    for (;; count++) {
        struct token token = t < glob->token_count ? glob->tokens[t] : (struct token){0};

        if (t == glob->token_count) {
            matched = i == bytes;
            if (matched)
                break;
        } else if (token.kind == TOKEN_STAR) {
            star = (struct resume){true, ++t, i};
            passed = true;
            continue;
        } else if (token.kind == TOKEN_ANYTHING || token.kind == TOKEN_DIRECTORIES) {
            floating = (struct resume){true, ++t, i};
            star.set = false;
            passed = false;
            whole = token.kind == TOKEN_DIRECTORIES;
            matched = !whole && t == glob->token_count;
            if (matched)
                break;
            continue;
        } else if (i < bytes && token_takes(glob, token, text[i])) {
            if (text[i] == '/') {
                star.set = false;
                passed = true;
            }
            i++;
            t++;
            continue;
        }
        if (star.set && star.text < bytes && text[star.text] != '/') {
            i = ++star.text;
            t = star.token;
            continue;
        }
        if (!move_float(&floating, whole || passed, text, bytes))
            break;
        i = floating.text;
        t = floating.token;
        star.set = false;
        passed = false;
    }
    if (steps)
        *steps += count + 1;
    return matched;
}

bool glob_match(const struct glob *glob, const char *path, size_t path_bytes, size_t name_start,
                uint64_t *steps)
{
    const char *text = path;
    size_t bytes = path_bytes;

    if (glob->scope == SCOPE_NAME) {
        text += name_start;
        bytes -= name_start;
    }
    switch (glob->shape) {
    case SHAPE_LITERAL:
        return match_literal(glob, text, bytes);
    case SHAPE_SUFFIX:
        return ends_with_literal(glob, text, bytes);
    case SHAPE_GENERAL:
        break;
    }
    return match_tokens(glob, text, bytes, steps);
}
