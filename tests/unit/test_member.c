/* Members: their names made safe, what a record of them holds, which are wanted. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/member.h"
#include "stages/member_select.h"
#include "stages/names_in_work.h"
#include "stages/select.h"

/* Names. */

static void check_clean(const char *path, const char *expected)
{
    char clean[256];
    bool was_absolute;
    ptrdiff_t bytes = member_clean(path, strlen(path), clean, &was_absolute);
    if (!expected) {
        ck_assert_int_eq(bytes, -EINVAL);
        return;
    }
    ck_assert_msg(bytes == (ptrdiff_t)strlen(expected) && strcmp(clean, expected) == 0,
                  "'%s' became '%s'", path, clean);
    ck_assert_int_eq(was_absolute, path[0] == '/');
}

START_TEST(names_become_relative)
{
    check_clean("a/b", "a/b");
    check_clean("./a//b/./c/", "a/b/c");
    check_clean("/etc/passwd", "etc/passwd");
    check_clean("///", ".");
    check_clean("", ".");
    check_clean(".", ".");
    check_clean("a/...", "a/...");
    check_clean("..a/b..", "..a/b..");
}
END_TEST

START_TEST(names_that_lead_out_are_refused)
{
    check_clean("..", NULL);
    check_clean("../a", NULL);
    check_clean("a/../b", NULL);
    check_clean("a/..", NULL);
    check_clean("/..", NULL);
    char clean[8];
    bool was_absolute;
    ck_assert_int_eq(member_clean("a\0b", 3, clean, &was_absolute), -EINVAL);
}
END_TEST

/* Records. */

#define INPUT_BYTES ((size_t)1 << 20)

static struct item_view new_view(const struct batch_shape *shape)
{
    struct item_view view = {.item = calloc(1, sizeof *view.item), .input = malloc(INPUT_BYTES)};
    ck_assert_ptr_nonnull(view.input);
    ck_assert_uint_le(batch_input_bytes(shape), INPUT_BYTES);
    batch_clear(&view, shape);
    return view;
}

static void free_view(struct item_view *view)
{
    free(view->item);
    free(view->input);
}

static struct member member_of(const char *path, uint32_t mode)
{
    return (struct member){.path = path, .path_bytes = strlen(path), .stat = {.mode = mode}};
}

START_TEST(a_record_holds_what_a_member_has)
{
    struct batch_shape shape = batch_shape_of(65536, 16, 0);
    struct item_view view = new_view(&shape);
    struct member member = member_of("./d//link", S_IFLNK | 0777);
    bool was_absolute;
    member.target = "/etc/passwd";
    member.target_bytes = strlen(member.target);
    member.user = "root";
    member.attributes = "xyz";
    member.attribute_bytes = 3;
    struct file_record *file = member_add(&view, &shape, &member, &was_absolute);
    ck_assert_ptr_nonnull(file);
    ck_assert_str_eq(batch_path(&view, file), "d/link");
    ck_assert_uint_eq(file->name, 2);
    ck_assert_uint_eq(file->flags & FILE_NOT_FILE, FILE_NOT_FILE);
    struct member_extra extra = member_extra_of(&view, file);
    ck_assert_str_eq(extra.target, "/etc/passwd"); /* of a symbolic link: as it is */
    ck_assert_uint_eq(extra.target_bytes, 11);
    ck_assert_str_eq(extra.user, "root");
    ck_assert_ptr_null(extra.group);
    ck_assert_uint_eq(extra.attribute_bytes, 3);
    ck_assert_int_eq(memcmp(extra.attributes, "xyz", 3), 0);
    free_view(&view);
}
END_TEST

START_TEST(hard_links_are_cleaned_and_refused)
{
    struct batch_shape shape = batch_shape_of(65536, 16, 0);
    struct item_view view = new_view(&shape);
    struct member member = member_of("name", S_IFREG | 0644);
    bool was_absolute;
    member.is_hard_link = true;
    member.target = "/a/./b";
    member.target_bytes = strlen(member.target);
    struct file_record *file = member_add(&view, &shape, &member, &was_absolute);
    ck_assert(!fault_is_set(file->fault));
    ck_assert_uint_eq(file->flags & FILE_HARD_LINK, FILE_HARD_LINK);
    ck_assert_str_eq(member_extra_of(&view, file).target, "a/b");
    member.target = "a/../../b";
    member.target_bytes = strlen(member.target);
    file = member_add(&view, &shape, &member, &was_absolute);
    ck_assert_int_eq(file->fault.kind, TM_FAULT_UNSAFE);
    ck_assert_uint_eq(file->flags & FILE_SKIPPED, FILE_SKIPPED);
    free_view(&view);
}
END_TEST

START_TEST(a_full_batch_takes_no_more)
{
    struct batch_shape shape = batch_shape_of(65536, 4, 0);
    struct item_view view = new_view(&shape);
    struct member member = member_of("/x", S_IFREG);
    bool was_absolute;
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(member_add(&view, &shape, &member, &was_absolute));
    ck_assert(was_absolute);
    ck_assert_ptr_null(member_add(&view, &shape, &member, &was_absolute));
    free_view(&view);
}
END_TEST

/* Names in work. */

static int add(struct names_in_work *names, uint32_t chunk, const char *path, bool is_directory)
{
    return names_in_work_add(names, chunk, path, strlen(path), is_directory);
}

START_TEST(names_collide_while_they_are_in_work)
{
    struct names_in_work *names;
    ck_assert_int_eq(names_in_work_create(4, &names), 0);
    ck_assert_int_eq(add(names, 0, "a/b", false), 0);
    ck_assert_int_eq(add(names, 0, "a/c", false), 0);
    ck_assert_int_eq(add(names, 3, "a/b", false), 1);
    ck_assert_int_eq(add(names, 4, "a/c", false), 0); /* four chunks later */
    ck_assert_int_eq(add(names, 6, "a/b", false), 1); /* since the second */
    ck_assert_int_eq(add(names, 10, "a/b", false), 0);
    names_in_work_destroy(names);
}
END_TEST

START_TEST(ways_collide_with_what_is_no_directory)
{
    struct names_in_work *names;
    ck_assert_int_eq(names_in_work_create(4, &names), 0);
    ck_assert_int_eq(add(names, 0, "d", true), 0);
    ck_assert_int_eq(add(names, 0, "d", true), 0); /* twice, and on the way: no matter */
    ck_assert_int_eq(add(names, 0, "d/e/f", false), 0);
    ck_assert_int_eq(add(names, 0, "d/e", true), 0);
    ck_assert_int_eq(add(names, 1, "d/e", false), 1); /* a file now */
    ck_assert_int_eq(add(names, 1, "d/e/g", false), 1);
    ck_assert_int_eq(add(names, 1, "d/e/h", false), 1); /* each of them */
    ck_assert_int_eq(add(names, 2, "d/e/f/x/y", false), 1);
    ck_assert_int_eq(add(names, 2, "d/z", false), 0);
    ck_assert_int_eq(add(names, 2, "d/z/y", false), 1);
    names_in_work_destroy(names);
}
END_TEST

START_TEST(many_names_find_room)
{
    struct names_in_work *names;
    char path[64];
    ck_assert_int_eq(names_in_work_create(8, &names), 0);
    for (uint32_t i = 0; i < 200000; i++) {
        snprintf(path, sizeof path, "d%u/f%u", i / 100, i);
        ck_assert_int_eq(add(names, i / 1000, path, false), 0);
    }
    ck_assert_int_eq(add(names, 199, "d1999/f199999", false), 1);
    ck_assert_int_eq(add(names, 199, "d1/f100", false), 0);
    names_in_work_clear(names);
    ck_assert_int_eq(add(names, 0, "d1999/f199999", false), 0);
    names_in_work_destroy(names);
}
END_TEST

/* Selection. */

static bool wants(struct member_select *select, const char *path, uint32_t mode, char *name)
{
    struct member member = member_of(path, mode);
    bool is_wanted = member_select_wants(select, &member);
    snprintf(name, 64, "%.*s", (int)member.path_bytes, member.path);
    return is_wanted;
}

START_TEST(members_are_selected_by_name_and_pattern)
{
    const char *names[] = {"./etc/", "*.c", "usr/s*e"}, *bad;
    _Atomic bool found[3] = {false, false, false};
    char name[64];
    struct member_select *select;
    struct member_select_options options = {.names = names, .name_count = 3, .found = found};
    ck_assert_int_eq(member_select_create(&options, &select, &bad), 0);
    ck_assert(wants(select, "etc/passwd", S_IFREG, name));
    ck_assert(wants(select, "./etc", S_IFDIR, name));
    ck_assert(!wants(select, "etcetera", S_IFREG, name));
    ck_assert(!wants(select, "usr/bin/x", S_IFREG, name));
    ck_assert(!found[1] && !found[2]);
    ck_assert(wants(select, "a/b/x.c", S_IFREG, name));
    ck_assert(wants(select, "usr/share/doc/x", S_IFREG, name)); /* below one that matches */
    ck_assert(found[0] && found[1] && found[2]);
    member_select_destroy(select);
}
END_TEST

START_TEST(components_are_stripped)
{
    const char *bad;
    char name[64];
    struct member_select *select;
    struct member_select_options options = {.strip_components = 2};
    ck_assert_int_eq(member_select_create(&options, &select, &bad), 0);
    ck_assert(wants(select, "./a//b/c/d", S_IFREG, name));
    ck_assert_str_eq(name, "c/d");
    ck_assert(!wants(select, "a/b", S_IFREG, name));
    ck_assert(!wants(select, "a/b/", S_IFDIR, name));
    struct member link = member_of("a/b/c", S_IFREG);
    link.is_hard_link = true;
    link.target = "a/b/d";
    link.target_bytes = 5;
    ck_assert(member_select_wants(select, &link));
    ck_assert(link.target_bytes == 1 && link.target[0] == 'd');
    member_select_destroy(select);
}
END_TEST

START_TEST(rules_apply_to_members)
{
    const char *bad;
    char name[64];
    struct selection *selection;
    struct member_select *select;
    ck_assert_int_eq(selection_create(&selection), 0);
    ck_assert_int_eq(selection_add_exclude(selection, "skip", 4), 0);
    ck_assert_int_eq(selection_set_size_limits(selection, 0, 100), 0);
    struct member_select_options options = {.selection = selection};
    ck_assert_int_eq(member_select_create(&options, &select, &bad), 0);
    ck_assert(wants(select, "a/b", S_IFREG, name));
    ck_assert(!wants(select, "a/skip/b/c", S_IFREG, name));
    ck_assert(!wants(select, "skip", S_IFDIR, name));
    struct member large = member_of("a/large", S_IFREG);
    large.stat.size_bytes = 101;
    ck_assert(!member_select_wants(select, &large));
    member_select_destroy(select);
    selection_destroy(selection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member");
    TCase *tests = tcase_create("member");
    tcase_add_test(tests, names_become_relative);
    tcase_add_test(tests, names_that_lead_out_are_refused);
    tcase_add_test(tests, a_record_holds_what_a_member_has);
    tcase_add_test(tests, hard_links_are_cleaned_and_refused);
    tcase_add_test(tests, a_full_batch_takes_no_more);
    tcase_add_test(tests, names_collide_while_they_are_in_work);
    tcase_add_test(tests, ways_collide_with_what_is_no_directory);
    tcase_add_test(tests, many_names_find_room);
    tcase_add_test(tests, members_are_selected_by_name_and_pattern);
    tcase_add_test(tests, components_are_stripped);
    tcase_add_test(tests, rules_apply_to_members);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
