/* From the text of a pattern to its tokens. */
#include "stages/glob_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_add(struct byte_set *set, uint8_t byte)
{
    set->words[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

/* POSIX classes as pairs of first and last byte: the C locale's, whatever the program's locale. */
static const struct byte_class {
    const char *name;
    const char *ranges;
} byte_classes[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"blank", "\t\t  "}, {"cntrl", "\x01\x1f\x7f\x7f"},
    {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},     {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},     {"xdigit", "09AFaf"},
};

/*
 * If "[:letters:]" stands at *at, add its bytes to the set and move *at behind it. 1 if so, 0 if
 * it is no such thing, -EINVAL if no class has that name.
 */
static int parse_class(const char *pattern, size_t bytes, size_t *at, struct byte_set *set)
{
    size_t letters = *at + 2;
    size_t stop = letters;

    if (bytes - *at < 4 || pattern[*at + 1] != ':')
        return 0;
    while (stop < bytes && pattern[stop] >= 'a' && pattern[stop] <= 'z')
        stop++;
    if (stop == letters || bytes - stop < 2 || pattern[stop] != ':' || pattern[stop + 1] != ']')
        return 0;
    for (size_t i = 0; i < sizeof(byte_classes) / sizeof(byte_classes[0]); i++) {
        const struct byte_class *class = &byte_classes[i];

        if (strlen(class->name) != stop - letters ||
            memcmp(class->name, pattern + letters, stop - letters) != 0)
            continue;
        for (const char *range = class->ranges; *range; range += 2)
            for (unsigned byte = (uint8_t)range[0]; byte <= (uint8_t)range[1]; byte++)
                set_add(set, (uint8_t)byte);
        *at = stop + 2;
        return 1;
    }
    return -EINVAL;
}

/* The byte at *at, which may be escaped; moves *at behind it. */
static uint8_t parse_byte(const char *pattern, size_t bytes, size_t *at)
{
    if (pattern[*at] == '\\' && *at + 1 < bytes)
        (*at)++;
    return (uint8_t)pattern[(*at)++];
}

/*
 * Parse the bracket expression whose '[' is at *at and move *at behind its ']'. 1 if done, 0 (and
 * *at unmoved) if it is never closed, -EINVAL for an unknown class.
 */
static int parse_set(const char *pattern, size_t bytes, size_t *at, struct byte_set *set)
{
    size_t i = *at + 1;
    bool negated = i < bytes && (pattern[i] == '!' || pattern[i] == '^');

    memset(set, 0, sizeof(*set));
    if (negated)
        i++;
    for (bool first = true; i < bytes; first = false) {
        if (pattern[i] == ']' && !first) {
            for (size_t word = 0; negated && word < 4; word++)
                set->words[word] = ~set->words[word];
            set->words['/' >> 6] &= ~(UINT64_C(1) << ('/' & 63));
            *at = i + 1;
            return 1;
        }
        if (pattern[i] == '[') {
            int is_class = parse_class(pattern, bytes, &i, set);

            if (is_class < 0)
                return is_class;
            if (is_class)
                continue;
        }
        unsigned low = parse_byte(pattern, bytes, &i);
        unsigned high = low;

        if (i + 1 < bytes && pattern[i] == '-' && pattern[i + 1] != ']') {
            i++;
            high = parse_byte(pattern, bytes, &i);
        }
        for (unsigned byte = low; byte <= high; byte++)
            set_add(set, (uint8_t)byte);
    }
    return 0;
}

static bool is_slash(struct token token)
{
    return token.kind == TOKEN_BYTE && token.byte == '/';
}

/* Append a token, merging what is repeated: slashes, and stars beside '**'. */
static void append_token(struct glob *glob, struct token token)
{
    struct token *last = glob->token_count ? &glob->tokens[glob->token_count - 1] : NULL;

    if (last && is_slash(*last) && is_slash(token))
        return;
    if (last && token.kind == TOKEN_STAR &&
        (last->kind == TOKEN_STAR || last->kind == TOKEN_ANYTHING)) {
        last->kind = TOKEN_ANYTHING;
        return;
    }
    glob->tokens[glob->token_count++] = token;
}

static int tokenize(struct glob *glob, const char *pattern, size_t bytes)
{
    size_t i = 0;

    while (i < bytes) {
        struct token token = {.kind = TOKEN_BYTE};

        if (pattern[i] == '[') {
            int closed = parse_set(pattern, bytes, &i, &glob->sets[glob->set_count]);

            if (closed < 0)
                return closed;
            if (closed) {
                token.kind = TOKEN_SET;
                token.set = (uint16_t)glob->set_count++;
                append_token(glob, token);
                continue;
            }
        }
        if (pattern[i] == '*' || pattern[i] == '?')
            token.kind = pattern[i++] == '*' ? TOKEN_STAR : TOKEN_ANY_BYTE;
        else
            token.byte = parse_byte(pattern, bytes, &i);
        append_token(glob, token);
    }
    return 0;
}

static void drop_front(struct glob *glob, size_t count)
{
    glob->token_count -= count;
    memmove(glob->tokens, glob->tokens + count, glob->token_count * sizeof(*glob->tokens));
}

/* Take the slashes off both ends; whether the pattern is anchored by one in front. */
static bool trim_slashes(struct glob *glob)
{
    size_t front = 0;
    size_t end = glob->token_count;

    /* "./" is as good as "/": tar's and find's users write patterns that way. */
    for (;;) {
        const struct token *token = glob->tokens + front;

        if (front < end && is_slash(token[0]))
            front++;
        else if (end - front >= 2 && token[0].kind == TOKEN_BYTE && token[0].byte == '.' &&
                 is_slash(token[1]))
            front += 2;
        else
            break;
    }
    while (end > front && is_slash(glob->tokens[end - 1])) {
        end--;
        glob->directories_only = true;
    }
    glob->token_count = end;
    drop_front(glob, front);
    return front > 0;
}

/* Make TOKEN_DIRECTORIES of every '**' that is a whole component with a '/' behind it. */
static void find_directory_tokens(struct glob *glob)
{
    size_t out = 0;

    for (size_t i = 0; i < glob->token_count; i++) {
        struct token token = glob->tokens[i];
        bool starts = out == 0 || is_slash(glob->tokens[out - 1]) ||
                      glob->tokens[out - 1].kind == TOKEN_DIRECTORIES;

        if (token.kind == TOKEN_ANYTHING && starts && i + 1 < glob->token_count &&
            is_slash(glob->tokens[i + 1])) {
            i++;
            if (out > 0 && glob->tokens[out - 1].kind == TOKEN_DIRECTORIES)
                continue;
            token.kind = TOKEN_DIRECTORIES;
        }
        glob->tokens[out++] = token;
    }
    glob->token_count = out;
}

static void choose_scope(struct glob *glob, bool anchored)
{
    bool has_slash = false;
    bool has_anything = false;
    bool leading;

    find_directory_tokens(glob);
    leading = glob->tokens[0].kind == TOKEN_DIRECTORIES;
    if (leading)
        drop_front(glob, 1);
    for (size_t i = 0; i < glob->token_count; i++) {
        has_slash |= is_slash(glob->tokens[i]) || glob->tokens[i].kind == TOKEN_DIRECTORIES;
        has_anything |= glob->tokens[i].kind == TOKEN_ANYTHING;
    }
    /* A '**' behind a leading one still crosses '/', as the pattern as written has one. */
    if (anchored && !leading)
        glob->scope = SCOPE_ANCHORED;
    else
        glob->scope = has_slash || (leading && has_anything) ? SCOPE_FLOATING : SCOPE_NAME;
    for (size_t i = 0; glob->scope == SCOPE_NAME && i < glob->token_count; i++)
        if (glob->tokens[i].kind == TOKEN_ANYTHING)
            glob->tokens[i].kind = TOKEN_STAR;
}

/* Most patterns are names or "*.suffix": keep their text alone, compared by memcmp. */
static int choose_shape(struct glob *glob)
{
    size_t wild = glob->scope == SCOPE_NAME && glob->tokens[0].kind == TOKEN_STAR ? 1 : 0;
    size_t bytes = glob->token_count - wild;

    for (size_t i = wild; i < glob->token_count; i++) {
        if (glob->tokens[i].kind == TOKEN_BYTE)
            continue;
        glob->shape = SHAPE_GENERAL;
        if (glob->scope == SCOPE_FLOATING) {
            memmove(glob->tokens + 1, glob->tokens, glob->token_count * sizeof(*glob->tokens));
            glob->tokens[0] = (struct token){.kind = TOKEN_DIRECTORIES};
            glob->token_count++;
        }
        return 0;
    }
    glob->shape = wild ? SHAPE_SUFFIX : SHAPE_LITERAL;
    glob->literal = malloc(bytes + 1);
    if (!glob->literal)
        return -ENOMEM;
    for (size_t i = 0; i < bytes; i++)
        glob->literal[i] = (char)glob->tokens[wild + i].byte;
    glob->literal[bytes] = '\0';
    glob->literal_bytes = bytes;
    free(glob->tokens);
    glob->tokens = NULL;
    free(glob->sets);
    glob->sets = NULL;
    glob->memory_bytes = sizeof(*glob) + bytes + 1;
    return 0;
}

static int compile(struct glob *glob, const char *pattern, size_t bytes)
{
    size_t brackets = 0;
    int result;

    for (size_t i = 0; i < bytes; i++)
        brackets += pattern[i] == '[';
    /* One token more than bytes: choose_shape() may put TOKEN_DIRECTORIES in front. */
    glob->tokens = calloc(bytes + 1, sizeof(*glob->tokens));
    /* One set more than can be needed, so that no size is 0. */
    glob->sets = calloc(brackets + 1, sizeof(*glob->sets));
    if (!glob->tokens || !glob->sets)
        return -ENOMEM;
    glob->memory_bytes =
        sizeof(*glob) + (bytes + 1) * sizeof(*glob->tokens) + (brackets + 1) * sizeof(*glob->sets);
    result = tokenize(glob, pattern, bytes);
    if (result)
        return result;

    bool anchored = trim_slashes(glob);

    if (glob->token_count == 0)
        return -EINVAL;
    choose_scope(glob, anchored);
    return choose_shape(glob);
}

int glob_compile(struct glob **made, const char *pattern, size_t bytes)
{
    struct glob *glob;
    int result;

    *made = NULL;
    if (bytes > GLOB_MAX_PATTERN_BYTES)
        return -ENAMETOOLONG;
    if (bytes == 0 || memchr(pattern, '\0', bytes))
        return -EINVAL;
    glob = calloc(1, sizeof(*glob));
    if (!glob)
        return -ENOMEM;
    result = compile(glob, pattern, bytes);
    if (result) {
        glob_destroy(glob);
        return result;
    }
    *made = glob;
    return 0;
}

void glob_destroy(struct glob *glob)
{
    if (!glob)
        return;
    free(glob->literal);
    free(glob->tokens);
    free(glob->sets);
    free(glob);
}
