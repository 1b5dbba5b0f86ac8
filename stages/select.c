/*
 * Rules without wildcards are found by the hash of their last component, so that a list of
 * thousands of names costs one look-up a file; the others are tried one after the other, up to
 * the one that was found. Which of both comes first in the order of rules decides.
 */
#include "stages/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/glob.h"

#define NO_RULE UINT32_MAX

struct rule {
    struct glob *glob;
    bool include;
    uint32_t next; /* literal rules: an earlier one of the same bucket, or NO_RULE */
    uint32_t hash; /* literal rules: of the last component */
};

struct selection {
    struct rule *rules; /* in the order of their adding */
    uint32_t rule_count;
    uint32_t rule_room;
    uint32_t include_count;
    uint32_t *wild; /* indices of the rules with wildcards, ascending; rule_room of them fit */
    uint32_t wild_count;
    uint32_t *buckets; /* heads of the chains of literal rules; a power of two, or none */
    uint32_t bucket_count;
    uint32_t literal_count;
    size_t memory_bytes; /* of the patterns and their rules, see SELECTION_MAX_BYTES */
    uint64_t min_bytes;
    uint64_t max_bytes;
    struct timespec newer_than;
    bool has_newer;
    bool exclude_caches;
};

int selection_create(struct selection **made)
{
    struct selection *selection = calloc(1, sizeof(*selection));

    *made = selection;
    if (!selection)
        return -ENOMEM;
    selection->max_bytes = UINT64_MAX;
    return 0;
}

void selection_destroy(struct selection *selection)
{
    if (!selection)
        return;
    for (uint32_t i = 0; i < selection->rule_count; i++)
        glob_destroy(selection->rules[i].glob);
    free(selection->rules);
    free(selection->wild);
    free(selection->buckets);
    free(selection);
}

static size_t name_start_of(const char *path, size_t bytes)
{
    const char *slash = memrchr(path, '/', bytes);

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* FNV-1a, 32 bits: names are short, and the chains depend on the user's own patterns alone. */
static uint32_t hash_name(const char *name, size_t bytes)
{
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)name[i]) * UINT32_C(16777619);
    return hash;
}

static int reserve_rule(struct selection *selection)
{
    uint32_t room = selection->rule_room ? selection->rule_room * 2 : 16;
    struct rule *rules;
    uint32_t *wild;

    /* SELECTION_MAX_BYTES keeps the count far below overflow and NO_RULE. */
    if (selection->rule_count < selection->rule_room)
        return 0;
    rules = reallocarray(selection->rules, room, sizeof(*rules));
    if (!rules)
        return -ENOMEM;
    selection->rules = rules;
    wild = reallocarray(selection->wild, room, sizeof(*wild));
    if (!wild)
        return -ENOMEM;
    selection->wild = wild;
    selection->rule_room = room;
    return 0;
}

/* Put a rule before the earlier ones of its bucket: along a chain, indices fall. */
static void chain_rule(struct selection *selection, uint32_t index)
{
    struct rule *rule = &selection->rules[index];
    uint32_t *head = &selection->buckets[rule->hash & (selection->bucket_count - 1)];

    rule->next = *head;
    *head = index;
}

/* Make room for one literal rule more, with at most one a bucket in the mean. */
static int reserve_bucket(struct selection *selection)
{
    uint32_t count = selection->bucket_count ? selection->bucket_count * 2 : 32;
    uint32_t *buckets;

    if (selection->literal_count < selection->bucket_count)
        return 0;
    buckets = malloc(count * sizeof(*buckets));
    if (!buckets)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        buckets[i] = NO_RULE;
    free(selection->buckets);
    selection->buckets = buckets;
    selection->bucket_count = count;
    for (uint32_t i = 0; i < selection->rule_count; i++) {
        size_t bytes;

        if (glob_literal(selection->rules[i].glob, &bytes))
            chain_rule(selection, i);
    }
    return 0;
}

/* Add a compiled rule, which is the selection's if this succeeds. */
static int insert_rule(struct selection *selection, struct glob *glob, bool include)
{
    size_t literal_bytes = 0;
    const char *literal = glob_literal(glob, &literal_bytes);
    size_t memory_bytes = glob_memory_bytes(glob) + sizeof(struct rule);
    struct rule rule = {.glob = glob, .include = include, .next = NO_RULE};
    int result;

    if (memory_bytes > SELECTION_MAX_BYTES - selection->memory_bytes)
        return -E2BIG;
    result = reserve_rule(selection);
    if (!result && literal)
        result = reserve_bucket(selection);
    if (result)
        return result;

    uint32_t index = selection->rule_count++;

    if (literal) {
        size_t name_start = name_start_of(literal, literal_bytes);

        rule.hash = hash_name(literal + name_start, literal_bytes - name_start);
        selection->rules[index] = rule;
        chain_rule(selection, index);
        selection->literal_count++;
    } else {
        selection->rules[index] = rule;
        selection->wild[selection->wild_count++] = index;
    }
    selection->include_count += include;
    selection->memory_bytes += memory_bytes;
    return 0;
}

static int add_rule(struct selection *selection, const char *pattern, size_t bytes, bool include)
{
    struct glob *glob;
    int result = glob_compile(&glob, pattern, bytes);

    if (result)
        return result;
    result = insert_rule(selection, glob, include);
    if (result)
        glob_destroy(glob);
    return result;
}

int selection_add_exclude(struct selection *selection, const char *pattern, size_t bytes)
{
    return add_rule(selection, pattern, bytes, false);
}

int selection_add_include(struct selection *selection, const char *pattern, size_t bytes)
{
    return add_rule(selection, pattern, bytes, true);
}

/*
 * Read one line without its newline. 1 if there was one, 0 at the end, -ENAMETOOLONG if it does
 * not fit and is no comment (of a comment, only the beginning is kept), or the error of reading.
 */
static int read_line(FILE *file, char *line, size_t room, size_t *bytes)
{
    bool any = false;
    int character;

    *bytes = 0;
    errno = 0;
    while ((character = getc_unlocked(file)) != EOF) {
        any = true;
        if (character == '\n')
            return 1;
        if (*bytes < room)
            line[(*bytes)++] = (char)character;
        else if (line[0] != '#')
            return -ENAMETOOLONG;
    }
    if (ferror(file))
        return errno ? -errno : -EIO;
    return any;
}

static void explain_line(char *text, size_t bytes, unsigned long line, int result)
{
    if (result == -EINVAL)
        snprintf(text, bytes,
                 "line %lu: not a pattern (nothing but slashes, a NUL byte, or an "
                 "unknown [:class:])",
                 line);
    else if (result == -ENAMETOOLONG)
        snprintf(text, bytes, "line %lu: longer than %d bytes", line, GLOB_MAX_PATTERN_BYTES);
    else if (result == -E2BIG)
        snprintf(text, bytes, "line %lu: too many patterns, their limit is %zu MiB of memory", line,
                 SELECTION_MAX_BYTES >> 20);
    else {
        errno = -result;
        snprintf(text, bytes, "line %lu: %m", line);
    }
}

int selection_add_exclude_file(struct selection *selection, const char *path, char *error_text,
                               size_t error_text_bytes)
{
    char line[GLOB_MAX_PATTERN_BYTES];
    unsigned long number = 0;
    size_t bytes;
    FILE *file = fopen(path, "re");
    int result;

    if (!file) {
        result = -errno;
        snprintf(error_text, error_text_bytes, "cannot open: %m");
        return result;
    }
    for (;;) {
        number++;
        result = read_line(file, line, sizeof(line), &bytes);
        if (result <= 0)
            break;
        result = 0;
        if (bytes > 0 && line[0] != '#')
            result = selection_add_exclude(selection, line, bytes);
        if (result)
            break;
    }
    if (result)
        explain_line(error_text, error_text_bytes, number, result);
    fclose(file);
    return result;
}

int selection_add_vcs(struct selection *selection)
{
    /* GNU tar 1.34, src/tar.c, the table behind --exclude-vcs. */
    static const char *const names[] = {
        "CVS",          ".cvsignore",     "RCS",         "SCCS",       ".svn",     ".git",
        ".gitignore",   ".gitattributes", ".gitmodules", ".arch-ids",  "{arch}",   "=RELEASE-ID",
        "=meta-update", "=update",        ".bzr",        ".bzrignore", ".bzrtags", ".hg",
        ".hgignore",    ".hgtags",        "_darcs",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int result = selection_add_exclude(selection, names[i], strlen(names[i]));

        if (result)
            return result;
    }
    return 0;
}

int selection_set_size_limits(struct selection *selection, uint64_t min_bytes, uint64_t max_bytes)
{
    if (min_bytes > max_bytes)
        return -EINVAL;
    selection->min_bytes = min_bytes;
    selection->max_bytes = max_bytes;
    return 0;
}

int selection_set_newer(struct selection *selection, struct timespec than)
{
    if (than.tv_nsec < 0 || than.tv_nsec >= 1000000000)
        return -EINVAL;
    selection->newer_than = than;
    selection->has_newer = true;
    return 0;
}

void selection_set_exclude_caches(struct selection *selection)
{
    selection->exclude_caches = true;
}

bool selection_excludes_caches(const struct selection *selection)
{
    return selection->exclude_caches;
}

bool select_is_cache_tag(const void *data, size_t bytes)
{
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";

    _Static_assert(sizeof(signature) - 1 == SELECT_CACHE_TAG_BYTES, "the length the format names");
    return bytes >= SELECT_CACHE_TAG_BYTES && memcmp(data, signature, SELECT_CACHE_TAG_BYTES) == 0;
}

bool selection_is_trivial(const struct selection *selection)
{
    return selection->rule_count == 0;
}

bool selection_needs_stat(const struct selection *selection)
{
    return selection->min_bytes > 0 || selection->max_bytes < UINT64_MAX || selection->has_newer;
}

static bool rule_applies(const struct rule *rule, const char *path, size_t bytes, size_t name_start,
                         bool is_directory)
{
    return (is_directory || !glob_directories_only(rule->glob)) &&
           glob_match(rule->glob, path, bytes, name_start, NULL);
}

/* The first rule that matches, or NULL. */
static const struct rule *first_match(const struct selection *selection, const char *path,
                                      size_t bytes, bool is_directory)
{
    size_t name_start = name_start_of(path, bytes);
    uint32_t best = NO_RULE;

    if (selection->literal_count > 0) {
        uint32_t hash = hash_name(path + name_start, bytes - name_start);
        uint32_t index = selection->buckets[hash & (selection->bucket_count - 1)];

        /* Along a chain indices fall, so the last match is the first rule. */
        for (; index != NO_RULE; index = selection->rules[index].next) {
            const struct rule *rule = &selection->rules[index];

            if (rule->hash == hash && rule_applies(rule, path, bytes, name_start, is_directory))
                best = index;
        }
    }
    for (uint32_t i = 0; i < selection->wild_count && selection->wild[i] < best; i++) {
        const struct rule *rule = &selection->rules[selection->wild[i]];

        if (rule_applies(rule, path, bytes, name_start, is_directory))
            return rule;
    }
    return best == NO_RULE ? NULL : &selection->rules[best];
}

/* Whether there are includes and no exclude: then they choose instead of save. */
static bool includes_only(const struct selection *selection)
{
    return selection->include_count > 0 && selection->include_count == selection->rule_count;
}

bool selection_wants_directory(const struct selection *selection, const char *relative_path,
                               size_t bytes)
{
    const struct rule *rule;

    if (selection->include_count == selection->rule_count || bytes == 0)
        return true;
    rule = first_match(selection, relative_path, bytes, true);
    return !rule || rule->include;
}

bool selection_wants_file_name(const struct selection *selection, const char *relative_path,
                               size_t bytes)
{
    const struct rule *rule;

    if (selection->rule_count == 0 || bytes == 0)
        return true;
    rule = first_match(selection, relative_path, bytes, false);
    return rule ? rule->include : !includes_only(selection);
}

bool selection_wants_file_stat(const struct selection *selection, uint64_t size_bytes,
                               struct timespec mtime)
{
    const struct timespec *than = &selection->newer_than;

    if (size_bytes < selection->min_bytes || size_bytes > selection->max_bytes)
        return false;
    return !selection->has_newer || mtime.tv_sec > than->tv_sec ||
           (mtime.tv_sec == than->tv_sec && mtime.tv_nsec > than->tv_nsec);
}
