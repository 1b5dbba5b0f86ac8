/* Which files are taken: the order of rules, limits, cache tags. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/glob.h"
#include "stages/select.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* `count` times "x" between the two. */
static char *long_line(const char *front, size_t count, const char *back)
{
    char *text = NULL;
    char *middle = calloc(1, count + 1);
    memset(middle, 'x', count);
    ck_assert_int_ge(asprintf(&text, "%s%s%s", front, middle, back), 0);
    free(middle);
    return text;
}

START_TEST(exclude_file_errors)
{
    struct selection *selection = make_selection("");
    char error_text[200];
    char *line = long_line("a\n", GLOB_MAX_PATTERN_BYTES + 1, "\n");
    char *comment = long_line("#", 3 * GLOB_MAX_PATTERN_BYTES, "\nb\n");
    char *longest = long_line("", GLOB_MAX_PATTERN_BYTES, "\n");

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
    TCase *tests = tcase_create("select");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, rule_table, 0, COUNT(rule_cases));
    tcase_add_test(tests, many_literal_rules);
    tcase_add_test(tests, rules_of_a_refused_pattern);
    tcase_add_test(tests, memory_is_bounded);
    tcase_add_test(tests, exclude_file);
    tcase_add_test(tests, exclude_file_errors);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, cache_tag);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
