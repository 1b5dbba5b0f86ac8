/* cli/expected: lines by path, what was found of them, in the order in which they came. */
#include "cli/expected.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "stages/digest.h"

/* A line with digests that consist of `fill`. */
static void add(struct expected *expected, const char *name, const char *path, uint32_t algorithms,
                uint8_t fill, uint64_t size_bytes)
{
    uint8_t attachment[EXPECTATION_BYTES_MAX];
    struct expectation expectation = {.size_bytes = size_bytes, .has_size = size_bytes != 0};
    size_t digest_bytes = digest_set_bytes(algorithms);
    memcpy(attachment, &expectation, sizeof expectation);
    memset(attachment + sizeof expectation, fill, digest_bytes);
    struct walk_name line = {.text = name,
                             .bytes = strlen(name),
                             .attachment = attachment,
                             .attachment_bytes = sizeof expectation + digest_bytes,
                             .algorithms = algorithms};
    ck_assert_int_eq(expected_add(expected, &line, path, strlen(path)), 0);
}

static struct expected_file *found(struct expected *expected, const char *path,
                                   const uint8_t *digests, uint64_t size_bytes)
{
    struct expected_file *file =
        expected_note(expected, path, strlen(path), EXPECTED_FOUND, size_bytes, digests);
    ck_assert_ptr_nonnull(file);
    return file;
}

#define MD5    (1u << DIGEST_MD5)
#define SHA256 (1u << DIGEST_SHA256)

START_TEST(matching)
{
    struct expected *expected = expected_create();
    uint8_t digests[48];
    add(expected, "./a", "a", SHA256, 1, 0);
    add(expected, "a", "a", MD5, 2, 0);
    add(expected, "b", "b", SHA256, 1, 7);
    add(expected, "c", "c", 0, 0, 7);
    ck_assert_uint_eq(expected_algorithms(expected), MD5 | SHA256);
    memset(digests, 0xee, sizeof digests);
    memset(digests + digest_offset(MD5 | SHA256, DIGEST_MD5), 2, 16);
    memset(digests + digest_offset(MD5 | SHA256, DIGEST_SHA256), 1, 32);
    found(expected, "a", digests, 5);
    found(expected, "b", digests, 8);
    found(expected, "c", digests, 7);
    const struct expected_line *line = expected_lines(expected);
    ck_assert_str_eq(line->name, "./a");
    ck_assert_str_eq(line->file->path, "a");
    ck_assert(expected_matches(expected, line));
    line = line->next;
    ck_assert(expected_matches(expected, line));
    ck_assert_ptr_eq(line->same, expected_lines(expected));
    line = line->next; /* its size is another */
    ck_assert(!expected_matches(expected, line));
    found(expected, "b", digests, 7);
    ck_assert(expected_matches(expected, line));
    ck_assert(expected_matches(expected, line->next)); /* the size alone */
    ck_assert_ptr_null(line->next->next);
    /* The last one counts; each bit does. */
    for (unsigned i = 0; i < sizeof digests; i++) {
        digests[i] ^= 0x40;
        struct expected_file *file = found(expected, "a", digests, 5);
        bool both = expected_matches(expected, file->lines) &&
                    expected_matches(expected, file->lines->same);
        ck_assert_msg(!both, "byte %u", i);
        digests[i] ^= 0x40;
    }
    expected_destroy(expected);
}
END_TEST

START_TEST(many)
{
    enum { COUNT = 30000 };
    struct expected *expected = expected_create();
    uint8_t digests[32];
    char name[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "d%u/f%u", i % 10, i);
        add(expected, name, name, SHA256, (uint8_t)i, 0);
    }
    for (unsigned i = COUNT; i-- > 0;) {
        snprintf(name, sizeof name, "d%u/f%u", i % 10, i);
        memset(digests, (uint8_t)(i % 3 ? i : i + 1), sizeof digests);
        found(expected, name, digests, i);
        snprintf(name, sizeof name, "more/%u", i);
        found(expected, name, digests, i);
    }
    unsigned i = 0;
    for (const struct expected_line *line = expected_lines(expected); line; line = line->next) {
        ck_assert_int_eq(expected_matches(expected, line), i % 3 != 0);
        ck_assert_uint_eq(line->file->size_bytes, i);
        i++;
    }
    ck_assert_uint_eq(i, COUNT);
    i = 0;
    for (const struct expected_file *file = expected_files(expected); file; file = file->next, i++)
        ck_assert_int_eq(file->lines != NULL, i < COUNT);
    ck_assert_uint_eq(i, 2 * COUNT);
    ck_assert_ptr_null(expected_find(expected, "more/", 5));
    ck_assert_ptr_nonnull(expected_find(expected, "more/7 and", 6));
    expected_destroy(expected);
}
END_TEST

START_TEST(states)
{
    struct expected *expected = expected_create();
    add(expected, "x", "x", SHA256, 1, 0);
    ck_assert_int_eq(expected_lines(expected)->file->state, EXPECTED_ABSENT);
    expected_note(expected, "x", 1, EXPECTED_NO_FILE, 0, NULL);
    ck_assert_int_eq(expected_lines(expected)->file->state, EXPECTED_NO_FILE);
    expected_note(expected, "x", 1, EXPECTED_UNREADABLE, 0, NULL);
    ck_assert_int_eq(expected_lines(expected)->file->state, EXPECTED_UNREADABLE);
    ck_assert_ptr_null(expected_files(expected)->next);
    /* A name as long as a manifest can have, and one without bytes. */
    static char name[70000];
    memset(name, 'n', sizeof name - 1);
    add(expected, name, name, SHA256, 1, 0);
    add(expected, "", "", SHA256, 1, 0);
    ck_assert_ptr_nonnull(expected_find(expected, name, sizeof name - 1));
    ck_assert_ptr_null(expected_find(expected, name, sizeof name - 2));
    ck_assert_ptr_nonnull(expected_find(expected, "", 0));
    expected_destroy(expected);
    expected_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expected");
    TCase *tests = tcase_create("expected");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, matching);
    tcase_add_test(tests, many);
    tcase_add_test(tests, states);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
