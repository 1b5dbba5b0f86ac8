/* stages/links: every name of a file after the first one is told of the first. */
#include "stages/links.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const struct link_note *meet(struct links *links, uint64_t device, uint64_t inode,
                                    uint32_t names, const char *note)
{
    struct file_stat stat = {.device = device, .inode = inode, .links = names};
    const struct link_note *first;
    ck_assert_int_eq(links_meet(links, &stat, note, strlen(note), &first), 0);
    return first;
}

START_TEST(three_names)
{
    struct links *links = links_create();
    ck_assert_ptr_nonnull(links);
    ck_assert_ptr_null(meet(links, 1, 7, 3, "first"));
    ck_assert_ptr_null(meet(links, 2, 7, 2, "of another device"));
    ck_assert_ptr_null(meet(links, 1, 8, 2, ""));
    ck_assert_str_eq(meet(links, 1, 7, 3, "second")->data, "first");
    const struct link_note *note = meet(links, 1, 7, 3, "third");
    ck_assert_uint_eq(note->bytes, 5);
    ck_assert_str_eq(note->data, "first");
    ck_assert_uint_eq(meet(links, 1, 8, 2, "x")->bytes, 0);
    /* All were met: this is a new file with an old number. */
    ck_assert_ptr_null(meet(links, 1, 7, 2, "new"));
    ck_assert_str_eq(meet(links, 1, 7, 2, "x")->data, "new");
    links_destroy(links);
}
END_TEST

START_TEST(many)
{
    enum { FILES = 20000 };
    struct links *links = links_create();
    char text[32];
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < FILES; i++) {
            snprintf(text, sizeof text, "%u of %u", i, round);
            const struct link_note *first = meet(links, i % 3, i, 3, text);
            snprintf(text, sizeof text, "%u of 0", i);
            ck_assert_int_eq(first != NULL, round > 0);
            if (first)
                ck_assert_str_eq(first->data, text);
        }
    links_destroy(links);
    links_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("links");
    TCase *cases = tcase_create("links");
    tcase_add_test(cases, three_names);
    tcase_add_test(cases, many);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
