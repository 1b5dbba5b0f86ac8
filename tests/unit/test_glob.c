/* Patterns: what they match, by a table and by a simple reference, and the bound on their steps. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/glob.h"
#include "tests/unit/rounds.h"

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

    for (unsigned i = 0; i < ROUNDS(300000); i++) {
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
    ck_assert_uint_gt(matched, ROUNDS(30000));
    ck_assert_uint_lt(matched, ROUNDS(270000));
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

int main(void)
{
    Suite *suite = suite_create("glob");
    TCase *tests = tcase_create("glob");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, glob_table, 0, COUNT(glob_cases));
    tcase_add_test(tests, glob_classes);
    tcase_add_test(tests, glob_refuses);
    tcase_add_test(tests, glob_equals_reference);
    tcase_add_loop_test(tests, hostile_patterns_cost_little, 0, COUNT(hostile));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
