/* Which files are taken: patterns, the order of rules, limits, cache tags, and the step bound. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/glob.h"
#include "stages/select.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t name_start_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool matches(const char *pattern, const char *path, uint64_t *steps)
{
    struct glob *glob;
    bool matched;

    ck_assert_int_eq(glob_compile(&glob, pattern, strlen(pattern)), 0);
    matched = glob_match(glob, path, strlen(path), name_start_of(path), steps);
    glob_destroy(glob);
    return matched;
}

static const struct {
    const char *pattern;
    const char *path;
    bool matched;
} glob_cases[] = {
    /* Without '/': the last component at any depth. */
    {"foo", "foo", true},
    {"foo", "a/b/foo", true},
    {"foo", "foo/b", false},
    {"foo", "xfoo", false},
    {"foo", "a/xfoo", false},
    {"*.o", "a/b.o", true},
    {"*.o", ".o", true},
    {"*.o", "a.o/b", false},
    {"*.o", "o", false},
    {"a?c", "d/abc", true},
    {"a?c", "a/c", false},
    {"a**c", "abbc", true},
    {"a**c", "a/c", false},
    {"*", "a/.hidden", true},
    {"**", "a/b", true},
    /* Anchored. */
    {"/foo", "foo", true},
    {"/foo", "a/foo", false},
    {"./foo", "foo", true},
    {"./foo", "a/foo", false},
    {"//foo", "foo", true},
    {"/a/*", "a/b", true},
    {"/a/*", "a/b/c", false},
    {"/a/*", "x/a/b", false},
    {"/*", "a", true},
    {"/*", "a/b", false},
    /* At any directory boundary. */
    {"a/b", "a/b", true},
    {"a/b", "x/y/a/b", true},
    {"a/b", "xa/b", false},
    {"a/b", "a/b/c", false},
    {"a//b", "a/b", true},
    {"a/*.c", "x/a/b.c", true},
    {"a/*.c", "x/a/b/d.c", false},
    {"a/*.c", "xa/d.c", false},
    {"*/*/c", "w/x/y/c", true},
    {"*/*/c", "x/c", false},
    /* '**'. */
    {"**/foo", "foo", true},
    {"**/foo", "a/b/foo", true},
    {"**/foo", "a/xfoo", false},
    {"/**/foo", "a/foo", true},
    {"/a/**", "a/b", true},
    {"/a/**", "a/b/c", true},
    {"/a/**", "a", false},
    {"/a/**", "ab/c", false},
    {"/a/**/b", "a/b", true},
    {"/a/**/b", "a/x/y/b", true},
    {"/a/**/b", "a/x/yb", false},
    {"/a/**/**/b", "a/b", true},
    {"/a/**b", "a/x/yb", true},
    {"/a**/c", "a/c", true},
    {"/a**/c", "abc/d/c", true},
    {"/a**/c", "ac", false},
    {"/**.c", "a/b/x.c", true},
    {"/a/**/b/*.c", "a/b/x/b/y.c", true},
    {"/a/**/b/*.c", "a/b/x/y.c", false},
    {"/a/***/b", "a/x/b", true},
    {"x/**/y/**/z", "q/x/y/1/2/z", true},
    {"**/", "a/b", true},
    {"**/a**b", "a/x/b", true},
    {"**/a**b", "x/ab", true},
    {"**/a**b", "xa/b", false},
    {"/**/a**", "x/a/b", true},
    /* Brackets. */
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[!]]", "a", true},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[z-a]", "z", false},
    {"[z-a]", "b", false},
    {"[\\]]", "]", true},
    {"[\\]]", "\\", false},
    {"[a\\-z]", "m", false},
    {"[a\\-z]", "-", true},
    {"[[:alpha:]_]9", "q9", true},
    {"[[:alpha:]_]9", "_9", true},
    {"[[:alpha:]_]9", "19", false},
    {"[![:digit:]]", "5", false},
    {"[[:xdigit:]]", "F", true},
    {"[[:xdigit:]]", "g", false},
    {"[[:space:]]", "\v", true},
    {"[[:punct:]]", "~", true},
    {"[[:alpha:]]", "\xe9", false},
    {"[[:a]", ":", true},
    {"/a[!x]b", "a/b", false},
    {"/a[/]b", "a/b", false},
    /* Never closed: an ordinary byte. */
    {"[", "[", true},
    {"a[b", "a[b", true},
    {"a[b", "ab", false},
    {"[!", "[!", true},
    {"[]", "[]", true},
    {"[a-", "[a-", true},
    {"*[", "x[", true},
    {"[[:alpha:]", ":", false},
    {"[\\]", "[]", true},
    {"x[[[a]", "x[", true},
    /* Escapes. */
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a\\?*", "a?b", true},
    {"a\\?*", "abb", false},
    {"\\[a]", "[a]", true},
    {"\\f\\o", "fo", true},
    {"a\\", "a\\", true},
    {"\\\\", "\\", true},
    {"\\#x", "#x", true},
    /* Bytes, not characters. */
    {"a\nb", "x/a\nb", true},
    {"*\n*", "one\ntwo", true},
    {"?", "\n", true},
    {"\xff\xfe*", "\xff\xfe\x80", true},
    {"?", "\xff", true},
    {"?", "\xc3\xa9", false},
    {"[\x80-\xff]", "\xfe", true},
    {"[!a]", "\x80", true},
    {"\xc3\xa9", "\xc3\xa9", true},
    {"\xc3\xa9", "e\xcc\x81", false},
};

START_TEST(glob_table)
{
    ck_assert_msg(matches(glob_cases[_i].pattern, glob_cases[_i].path, NULL) ==
                      glob_cases[_i].matched,
                  "pattern \"%s\", path \"%s\"", glob_cases[_i].pattern, glob_cases[_i].path);
}
END_TEST

/* Every class against the C library's in the C locale, which is the one that check runs in. */
START_TEST(glob_classes)
{
    static const struct {
        const char *pattern;
        int (*has)(int);
    } cases[] = {
        {"[[:alnum:]]", isalnum}, {"[[:alpha:]]", isalpha}, {"[[:blank:]]", isblank},
        {"[[:cntrl:]]", iscntrl}, {"[[:digit:]]", isdigit}, {"[[:graph:]]", isgraph},
        {"[[:lower:]]", islower}, {"[[:print:]]", isprint}, {"[[:punct:]]", ispunct},
        {"[[:space:]]", isspace}, {"[[:upper:]]", isupper}, {"[[:xdigit:]]", isxdigit},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int byte = 1; byte < 256; byte++) {
            char text[] = {(char)byte, '\0'};

            if (byte == '/')
                continue;
            ck_assert_msg(matches(cases[i].pattern, text, NULL) == (cases[i].has(byte) != 0),
                          "%s, byte %d", cases[i].pattern, byte);
        }
    }
}
END_TEST

START_TEST(glob_refuses)
{
    static const struct {
        const char *pattern;
        size_t bytes;
    } cases[] = {{"", 0}, {"/", 1}, {"//", 2}, {"./", 2}, {"a\0b", 3}, {"[[:nope:]]", 10}};
    struct glob *glob;
    char *pattern = malloc(GLOB_MAX_PATTERN_BYTES + 1);

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(glob_compile(&glob, cases[i].pattern, cases[i].bytes), -EINVAL);
        ck_assert_ptr_null(glob);
    }
    memset(pattern, '[', GLOB_MAX_PATTERN_BYTES + 1);
    ck_assert_int_eq(glob_compile(&glob, pattern, GLOB_MAX_PATTERN_BYTES + 1), -ENAMETOOLONG);
    ck_assert_int_eq(glob_compile(&glob, pattern, GLOB_MAX_PATTERN_BYTES), 0);
    glob_destroy(glob);
    /* As many sets and tokens as fit, so that a sanitizer sees the edges of the arrays. */
    for (size_t i = 0; i < GLOB_MAX_PATTERN_BYTES; i++)
        pattern[i] = "[a]"[i % 3];
    ck_assert_int_eq(glob_compile(&glob, pattern, GLOB_MAX_PATTERN_BYTES), 0);
    glob_destroy(glob);
    memset(pattern, '?', GLOB_MAX_PATTERN_BYTES);
    pattern[1] = '/';
    ck_assert_int_eq(glob_compile(&glob, pattern, GLOB_MAX_PATTERN_BYTES), 0);
    glob_destroy(glob);
    glob_destroy(NULL);
    free(pattern);
}
END_TEST

/* What the patterns mean, said by plain recursion over the text of the pattern. */
static bool reference_from(const char *start, const char *pattern, const char *text)
{
    const char *rest = pattern + strspn(pattern, "*");

    if (*pattern == '\0')
        return *text == '\0';
    if (rest - pattern >= 2) {
        bool whole = *rest == '/' && (pattern == start || pattern[-1] == '/');

        if (!whole && reference_from(start, rest, text))
            return true;
        if (whole && reference_from(start, rest + 1, text))
            return true;
        for (; *text; text++) {
            if (!whole && reference_from(start, rest, text + 1))
                return true;
            if (whole && *text == '/' && reference_from(start, rest + 1, text + 1))
                return true;
        }
        return false;
    }
    if (*pattern == '*') {
        for (;; text++) {
            if (reference_from(start, rest, text))
                return true;
            if (*text == '\0' || *text == '/')
                return false;
        }
    }
    if (*text == '\0' || (*pattern == '?' ? *text == '/' : *text != *pattern))
        return false;
    return reference_from(start, pattern + 1, text + 1);
}

static bool reference(const char *pattern, const char *path)
{
    if (!strchr(pattern, '/'))
        return reference_from(pattern, pattern, path + name_start_of(path));
    if (*pattern == '/')
        return reference_from(pattern + 1, pattern + 1, path);
    for (;;) {
        if (reference_from(pattern, pattern, path))
            return true;
        path = strchr(path, '/');
        if (!path)
            return false;
        path++;
    }
}

/* xorshift64: the same cases in every run. */
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 33) % limit);
}

/* Pieces put together, never with an empty component nor a '/' at the end. */
static void random_text(char *text, size_t pieces, const char *const *choice, unsigned choices)
{
    size_t length = 0;

    for (size_t i = 0; i < pieces; i++) {
        const char *piece = choice[random_below(choices)];

        if (*piece == '/' && length > 0 && text[length - 1] == '/')
            piece = choice[0];
        memcpy(text + length, piece, strlen(piece) + 1);
        length += strlen(piece);
    }
    if (text[length - 1] == '/')
        strcpy(text + length, choice[0]);
}

START_TEST(glob_equals_reference)
{
    static const char *const pattern_pieces[] = {"a", "b", "/", "*", "**", "?", "/**/", "a*"};
    static const char *const path_pieces[] = {"a", "b", "/", "a/", "ab"};
    unsigned matched = 0;

    for (unsigned i = 0; i < 300000; i++) {
        char pattern[64];
        char path[64];
        uint64_t steps = 0;
        bool expected;

        random_text(pattern, 1 + random_below(9), pattern_pieces, COUNT(pattern_pieces));
        random_text(path, 1 + random_below(12), path_pieces, COUNT(path_pieces));
        if (*path == '/')
            *path = 'b';
        if (strstr(pattern, "//"))
            continue;
        expected = reference(pattern, path);
        matched += expected;
        ck_assert_msg(matches(pattern, path, &steps) == expected, "\"%s\" on \"%s\": %d expected",
                      pattern, path, expected);
        ck_assert_uint_le(steps, 4 * (strlen(pattern) + 2) * (strlen(path) + 2));
        if (*pattern == '/' && !strstr(pattern, "**"))
            ck_assert_int_eq(expected, fnmatch(pattern + 1, path, FNM_PATHNAME) == 0);
    }
    /* Both answers must have been common, or this showed nothing. */
    ck_assert_uint_gt(matched, 30000);
    ck_assert_uint_lt(matched, 270000);
}
END_TEST

static char *repeat(const char *front, const char *piece, size_t count, const char *back)
{
    char *text = malloc(strlen(front) + strlen(piece) * count + strlen(back) + 1);
    char *end = stpcpy(text, front);

    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, piece);
    stpcpy(end, back);
    return text;
}

static const struct {
    const char *front, *piece;
    size_t count;
    const char *back;       /* the pattern */
    const char *path_piece; /* repeated up to about 4,000 bytes, then "c" */
} hostile[] = {
    {"", "a*", 120, "b", "a"},
    {"*", "a*", 120, "b", "a"},
    {"/", "a**", 120, "b", "a"},
    {"/**", "a*", 120, "b", "a"},
    {"/**", "a**", 120, "b", "a/"},
    {"/", "**/a*", 60, "/b", "a/"},
    {"/**/", "a*/", 60, "b", "a/"},
    {"/**", "?*/?*", 60, "b", "a/"},
    {"x/**/", "a*a*/**/", 40, "b", "aaaaaaaaaaaaaaaaaaaaaa/"},
    {"/**", "a", 200, "b", "a"},
    {"/**", "[ab]?", 100, "/b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"},
    {"", "a*a/", 60, "b", "aaaa/"},
    {"**/**/", "*a**", 60, "/[!c]", "aa/"},
};

START_TEST(hostile_patterns_cost_little)
{
    char *pattern =
        repeat(hostile[_i].front, hostile[_i].piece, hostile[_i].count, hostile[_i].back);
    char *path = repeat("", hostile[_i].path_piece, 4000 / strlen(hostile[_i].path_piece), "c");
    uint64_t steps = 0;

    ck_assert(!matches(pattern, path, &steps));
    ck_assert_uint_gt(steps, 0);
    ck_assert_msg(steps <= 2 * (uint64_t)(strlen(pattern) + 2) * (strlen(path) + 2),
                  "%llu steps for %zu bytes of pattern on %zu bytes of path",
                  (unsigned long long)steps, strlen(pattern), strlen(path));
    free(pattern);
    free(path);
}
END_TEST

/*
 * Rules as one string, parted by blanks: "-" + pattern excludes, "+" + pattern includes, "vcs"
 * adds that list. A path that ends with '/' is asked for as a directory.
 */
static const struct {
    const char *rules;
    const char *path;
    bool wanted;
} rule_cases[] = {
    {"", "a", true},
    {"", "a/", true},
    {"-*.o", "x/a.o", false},
    {"-*.o", "x/a.c", true},
    {"-*.o", "x/a.o/", false},
    /* The first match decides. */
    {"+keep.o -*.o", "keep.o", true},
    {"+keep.o -*.o", "other.o", false},
    {"-*.o +keep.o", "keep.o", false},
    {"+*.o -keep.o", "keep.o", true},
    {"-keep.o +*.o", "keep.o", false},
    {"-a/b +b -b", "a/b", false},
    {"-a/b +b -b", "c/b", true},
    {"+a/b -b", "a/b", true},
    {"+a/b -b", "x/a/b", true},
    {"+a/b -b", "b", false},
    {"+/a/b -b", "x/a/b", false},
    {"+a* -ab", "ab", true},
    {"-ab +a*", "ab", false},
    {"-ab +a* -*", "ac", true},
    {"-ab +a* -*", "bc", false},
    {"+*/ +*.c -*", "d/", true},
    {"+*/ +*.c -*", "d/x.c", true},
    {"+*/ +*.c -*", "d/x.h", false},
    {"+*.c -*", "d/", false},
    /* Directories only. */
    {"-build/", "build/", false},
    {"-build/", "x/build/", false},
    {"-build/", "build", true},
    {"-b*d/", "build/", false},
    {"-b*d/", "build", true},
    {"-/build/", "x/build/", true},
    {"-a/b/", "x/a/b/", false},
    {"-a/b/", "x/a/b", true},
    {"-build/ -build", "build", false},
    {"-src/**", "src/", true},
    {"-src/**", "src/a/", false},
    {"-src/**", "src/a", false},
    /* Includes without excludes choose files and enter all directories. */
    {"+*.c", "a.c", true},
    {"+*.c", "d/a.c", true},
    {"+*.c", "a.h", false},
    {"+*.c", "d/", true},
    {"+a +*.c", "a", true},
    {"+src/", "src", false},
    {"+src/", "src/", true},
    {"+src/", "src/a", false},
    {"+src/**", "src/a/b", true},
    {"+*.c -*.h", "a.x", true},
    /* Version control. */
    {"vcs", ".git/", false},
    {"vcs", "x/.svn/", false},
    {"vcs", "x/.gitignore", false},
    {"vcs", "{arch}/", false},
    {"vcs", "=update", false},
    {"vcs", "_darcs/", false},
    {"vcs", "RCS", false},
    {"vcs", "git", true},
    {"vcs", ".github/", true},
    {"vcs", "cvs/", true},
    {"+.gitignore vcs", ".gitignore", true},
    {"vcs +.gitignore", ".gitignore", false},
    {"+*.c vcs", "a.h", true},
};

static struct selection *make_selection(const char *rules)
{
    struct selection *selection;
    char *copy = strdup(rules);
    char *state;

    ck_assert_int_eq(selection_create(&selection), 0);
    for (char *rule = strtok_r(copy, " ", &state); rule; rule = strtok_r(NULL, " ", &state)) {
        int result;

        if (*rule == '-')
            result = selection_add_exclude(selection, rule + 1, strlen(rule + 1));
        else if (*rule == '+')
            result = selection_add_include(selection, rule + 1, strlen(rule + 1));
        else
            result = selection_add_vcs(selection);
        ck_assert_int_eq(result, 0);
    }
    free(copy);
    return selection;
}

static bool wants(const struct selection *selection, const char *path)
{
    size_t bytes = strlen(path);

    if (bytes > 0 && path[bytes - 1] == '/')
        return selection_wants_directory(selection, path, bytes - 1);
    return selection_wants_file_name(selection, path, bytes);
}

START_TEST(rule_table)
{
    struct selection *selection = make_selection(rule_cases[_i].rules);

    ck_assert_msg(wants(selection, rule_cases[_i].path) == rule_cases[_i].wanted,
                  "rules \"%s\", path \"%s\"", rule_cases[_i].rules, rule_cases[_i].path);
    ck_assert_int_eq(selection_is_trivial(selection), *rule_cases[_i].rules == '\0');
    ck_assert(!selection_needs_stat(selection));
    /* The operand itself, whatever the rules. */
    ck_assert(selection_wants_directory(selection, "", 0));
    ck_assert(selection_wants_file_name(selection, "", 0));
    selection_destroy(selection);
}
END_TEST

/* Enough literal rules that the table of them grows several times, among rules with wildcards. */
START_TEST(many_literal_rules)
{
    struct selection *selection;
    char text[64];

    ck_assert_int_eq(selection_create(&selection), 0);
    for (int i = 0; i < 5000; i++) {
        int length = snprintf(text, sizeof(text), "%sname%d", i % 3 == 0 ? "dir/" : "", i);

        ck_assert_int_eq(i % 5 == 0 ? selection_add_include(selection, text, (size_t)length)
                                    : selection_add_exclude(selection, text, (size_t)length),
                         0);
        if (i == 2500)
            ck_assert_int_eq(selection_add_exclude(selection, "name?*5", 7), 0);
    }
    for (int i = 0; i < 6000; i++) {
        bool excluded_by_wild = i % 10 == 5 && i > 9;
        bool known = i < 5000 && i % 3 != 0;
        bool wanted = true;

        /* Behind rule 2500, "name?*5" comes before what the literal rule says. */
        if (known && (i <= 2500 || !excluded_by_wild))
            wanted = i % 5 == 0;
        else if (excluded_by_wild)
            wanted = false;
        snprintf(text, sizeof(text), "some/name%d", i);
        ck_assert_msg(wants(selection, text) == wanted, "%s", text);
        snprintf(text, sizeof(text), "some/dir/name%d", i);
        if (i < 2500 && i % 3 == 0)
            ck_assert_msg(wants(selection, text) == (i % 5 == 0), "%s", text);
    }
    selection_destroy(selection);
}
END_TEST

START_TEST(rules_of_a_refused_pattern)
{
    struct selection *selection = make_selection("-a");

    ck_assert_int_eq(selection_add_exclude(selection, "", 0), -EINVAL);
    ck_assert_int_eq(selection_add_include(selection, "/", 1), -EINVAL);
    ck_assert_int_eq(selection_add_include(selection, "a\0b", 3), -EINVAL);
    ck_assert(!wants(selection, "a"));
    ck_assert(wants(selection, "b"));
    selection_destroy(selection);
    selection_destroy(NULL);
}
END_TEST

START_TEST(memory_is_bounded)
{
    struct selection *selection;
    char *pattern = malloc(GLOB_MAX_PATTERN_BYTES);
    size_t added = 0;
    int result;

    ck_assert_int_eq(selection_create(&selection), 0);
    memset(pattern, '?', GLOB_MAX_PATTERN_BYTES);
    while ((result = selection_add_exclude(selection, pattern, GLOB_MAX_PATTERN_BYTES)) == 0)
        ck_assert_uint_lt(++added, SELECTION_MAX_BYTES / GLOB_MAX_PATTERN_BYTES);
    ck_assert_int_eq(result, -E2BIG);
    ck_assert_uint_gt(added, 1000);
    selection_destroy(selection);
    free(pattern);
}
END_TEST

/* Add the bytes as an exclude file; the path of the file is gone afterwards. */
static int add_file(struct selection *selection, const void *data, size_t bytes, char *error_text,
                    size_t error_text_bytes)
{
    char path[] = "/tmp/treemill-select-XXXXXX";
    int descriptor = mkstemp(path);
    int result;

    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, data, bytes), (ssize_t)bytes);
    close(descriptor);
    result = selection_add_exclude_file(selection, path, error_text, error_text_bytes);
    unlink(path);
    return result;
}

START_TEST(exclude_file)
{
    static const char data[] =
        "# comment\n\n*.o\n#x\n\\#y\n two blanks \ncr\r\n/top/\n\xff\xfe\nlast";
    struct selection *selection;
    char error_text[200] = "untouched";

    ck_assert_int_eq(selection_create(&selection), 0);
    ck_assert_int_eq(add_file(selection, data, sizeof(data) - 1, error_text, sizeof(error_text)),
                     0);
    ck_assert_str_eq(error_text, "untouched");
    ck_assert(!wants(selection, "a.o"));
    ck_assert(wants(selection, "#x"));
    ck_assert(wants(selection, "# comment"));
    ck_assert(!wants(selection, "#y"));
    ck_assert(!wants(selection, " two blanks "));
    ck_assert(wants(selection, "two blanks"));
    ck_assert(!wants(selection, "cr\r"));
    ck_assert(wants(selection, "cr"));
    ck_assert(!wants(selection, "top/"));
    ck_assert(wants(selection, "x/top/"));
    ck_assert(!wants(selection, "\xff\xfe"));
    ck_assert(!wants(selection, "last"));
    selection_destroy(selection);

    selection = make_selection("");
    ck_assert_int_eq(add_file(selection, "", 0, error_text, sizeof(error_text)), 0);
    ck_assert(selection_is_trivial(selection));
    selection_destroy(selection);
}
END_TEST

START_TEST(exclude_file_errors)
{
    struct selection *selection = make_selection("");
    char error_text[200];
    char *line = repeat("a\n", "x", GLOB_MAX_PATTERN_BYTES + 1, "\n");
    char *comment = repeat("#", "x", 3 * GLOB_MAX_PATTERN_BYTES, "\nb\n");
    char *longest = repeat("", "x", GLOB_MAX_PATTERN_BYTES, "\n");

    ck_assert_int_eq(add_file(selection, "a\nb\0c\n", 6, error_text, sizeof(error_text)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error_text, "line 2:"));
    ck_assert_int_eq(add_file(selection, "#\n\n[[:no:]]\n", 12, error_text, sizeof(error_text)),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(error_text, "line 3:"));
    ck_assert_int_eq(add_file(selection, line, strlen(line), error_text, sizeof(error_text)),
                     -ENAMETOOLONG);
    ck_assert_ptr_nonnull(strstr(error_text, "line 2:"));
    ck_assert_int_eq(add_file(selection, longest, strlen(longest), error_text, sizeof(error_text)),
                     0);
    ck_assert(wants(selection, "b"));
    ck_assert_int_eq(add_file(selection, comment, strlen(comment), error_text, sizeof(error_text)),
                     0);
    ck_assert(!wants(selection, "b"));

    ck_assert_int_eq(
        selection_add_exclude_file(selection, "/nonexistent/file", error_text, sizeof(error_text)),
        -ENOENT);
    ck_assert_ptr_nonnull(strstr(error_text, strerror(ENOENT)));
    ck_assert_int_eq(selection_add_exclude_file(selection, "/", error_text, sizeof(error_text)),
                     -EISDIR);
    ck_assert_ptr_nonnull(strstr(error_text, strerror(EISDIR)));
    /* Endless and without a newline: refused after one line's worth. */
    ck_assert_int_eq(
        selection_add_exclude_file(selection, "/dev/zero", error_text, sizeof(error_text)),
        -ENAMETOOLONG);
    selection_destroy(selection);
    free(line);
    free(comment);
    free(longest);
}
END_TEST

START_TEST(limits)
{
    struct selection *selection = make_selection("");
    struct timespec than = {.tv_sec = 1000, .tv_nsec = 500};
    struct timespec past = {0};

    ck_assert(!selection_needs_stat(selection));
    ck_assert(selection_wants_file_stat(selection, UINT64_MAX, past));
    ck_assert(selection_wants_file_stat(selection, 0, past));
    ck_assert_int_eq(selection_set_size_limits(selection, 11, 10), -EINVAL);
    ck_assert(!selection_needs_stat(selection));
    ck_assert_int_eq(selection_set_size_limits(selection, 10, 20), 0);
    ck_assert(selection_needs_stat(selection));
    ck_assert(selection_is_trivial(selection));
    ck_assert(!selection_wants_file_stat(selection, 9, past));
    ck_assert(selection_wants_file_stat(selection, 10, past));
    ck_assert(selection_wants_file_stat(selection, 20, past));
    ck_assert(!selection_wants_file_stat(selection, 21, past));
    ck_assert_int_eq(selection_set_size_limits(selection, 1, UINT64_MAX), 0);
    ck_assert(selection_needs_stat(selection));
    ck_assert(!selection_wants_file_stat(selection, 0, past));
    ck_assert_int_eq(selection_set_size_limits(selection, 0, UINT64_MAX), 0);
    ck_assert(!selection_needs_stat(selection));

    ck_assert_int_eq(selection_set_newer(selection, (struct timespec){0, 1000000000}), -EINVAL);
    ck_assert_int_eq(selection_set_newer(selection, (struct timespec){0, -1}), -EINVAL);
    ck_assert_int_eq(selection_set_newer(selection, than), 0);
    ck_assert(selection_needs_stat(selection));
    ck_assert(!selection_wants_file_stat(selection, 5, (struct timespec){999, 999999999}));
    ck_assert(!selection_wants_file_stat(selection, 5, (struct timespec){1000, 499}));
    ck_assert(!selection_wants_file_stat(selection, 5, than));
    ck_assert(selection_wants_file_stat(selection, 5, (struct timespec){1000, 501}));
    ck_assert(selection_wants_file_stat(selection, 5, (struct timespec){1001, 0}));
    /* Before 1970: negative seconds, nanoseconds still counted upwards. */
    ck_assert_int_eq(selection_set_newer(selection, (struct timespec){-2, 500000000}), 0);
    ck_assert(!selection_wants_file_stat(selection, 5, (struct timespec){-2, 400000000}));
    ck_assert(selection_wants_file_stat(selection, 5, (struct timespec){-1, 0}));
    selection_destroy(selection);
}
END_TEST

START_TEST(cache_tag)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n# of some program";
    struct selection *selection = make_selection("");

    ck_assert(!selection_excludes_caches(selection));
    selection_set_exclude_caches(selection);
    ck_assert(selection_excludes_caches(selection));
    ck_assert(selection_is_trivial(selection));
    selection_destroy(selection);

    ck_assert(select_is_cache_tag(tag, sizeof(tag) - 1));
    ck_assert(select_is_cache_tag(tag, SELECT_CACHE_TAG_BYTES));
    ck_assert(!select_is_cache_tag(tag, SELECT_CACHE_TAG_BYTES - 1));
    ck_assert(!select_is_cache_tag(tag, 0));
    ck_assert(!select_is_cache_tag(tag + 1, SELECT_CACHE_TAG_BYTES));
    for (size_t i = 0; i < SELECT_CACHE_TAG_BYTES; i++) {
        char changed[SELECT_CACHE_TAG_BYTES];

        memcpy(changed, tag, sizeof(changed));
        changed[i] ^= 0x20;
        ck_assert(!select_is_cache_tag(changed, sizeof(changed)));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("select");
    TCase *globs = tcase_create("globs");
    TCase *rules = tcase_create("rules");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(globs, 120);
    tcase_set_timeout(rules, 120);
    tcase_add_loop_test(globs, glob_table, 0, COUNT(glob_cases));
    tcase_add_test(globs, glob_classes);
    tcase_add_test(globs, glob_refuses);
    tcase_add_test(globs, glob_equals_reference);
    tcase_add_loop_test(globs, hostile_patterns_cost_little, 0, COUNT(hostile));
    tcase_add_loop_test(rules, rule_table, 0, COUNT(rule_cases));
    tcase_add_test(rules, many_literal_rules);
    tcase_add_test(rules, rules_of_a_refused_pattern);
    tcase_add_test(rules, memory_is_bounded);
    tcase_add_test(rules, exclude_file);
    tcase_add_test(rules, exclude_file_errors);
    tcase_add_test(rules, limits);
    tcase_add_test(rules, cache_tag);
    suite_add_tcase(suite, globs);
    suite_add_tcase(suite, rules);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
