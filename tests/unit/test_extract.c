/* stages/extract: the whole of it, under every model. */
#include "tests/unit/extracting.h"

#define FILE_MODE (S_IFREG | 0644)

/* False: the shape is not to be had here. */
static bool begin(int shape, struct extraction *extraction)
{
    if (!is_available(&shapes[shape]))
        return false;
    *extraction = extraction_begin();
    return true;
}

START_TEST(a_tree_is_made)
{
    static const struct entry entries[] = {
        {.path = "d/", .mode = S_IFDIR | 0750, .mtime = 1000},
        {.path = "d/f", .mode = S_IFREG | 0640, .text = "text"},
        {.path = "d/empty", .mode = S_IFREG | 0777},
        {.path = "./x//y/z/deep", .mode = FILE_MODE, .text = "deep"},
        {.path = "d/link", .mode = S_IFLNK | 0777, .text = "f"},
        {.path = "hard", .mode = FILE_MODE, .text = "d/f", .is_hard_link = true},
        {.path = "d/fifo", .mode = S_IFIFO | 0666},
        {.path = "d/read-only", .mode = S_IFREG | 0444, .text = "r"},
        {.path = "closed", .mode = S_IFDIR, .mtime = 2000},
        {.path = "closed/in", .mode = S_IFREG | 06755, .text = "in"},
        {.path = ".", .mode = S_IFDIR | 0700},
        {.path = "odd \n\\\x01\xff", .mode = FILE_MODE, .text = "odd"},
        {.path = "device", .mode = S_IFCHR | 0600},
        {.path = "socket", .mode = S_IFSOCK | 0600},
        {.path = "../outside", .mode = FILE_MODE, .text = "no"},
    };
    struct extraction extraction;
    if (!begin(_i, &extraction))
        return;
    extract_entries(&extraction, &shapes[_i], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < 12; i++)
        expect_none(i);
    expect_status("target/d", S_IFDIR | 0750, 1000);
    expect_text("target/d/f", "text");
    expect_status("target/d/f", S_IFREG | 0640, 86400);
    expect_text("target/d/empty", "");
    expect_status("target/d/empty", S_IFREG | 0755, 86400);
    expect_text("target/x/y/z/deep", "deep");
    expect_status("target/x/y", S_IFDIR | 0755, 0);
    expect_status("target/x/y/z", S_IFDIR | 0755, 0);
    expect_link("target/d/link", "f");
    expect_status("target/d/link", S_IFLNK | 0777, 86400);
    ck_assert_uint_eq(status_of("target/hard").st_ino, status_of("target/d/f").st_ino);
    expect_status("target/d/fifo", S_IFIFO | 0644, 86400);
    expect_status("target/d/read-only", S_IFREG | 0444, 86400);
    expect_status("target/closed", S_IFDIR, 2000);
    ck_assert_int_eq(chmod("target/closed", 0700), 0);
    expect_status("target/closed/in", S_IFREG | 0755, 86400);
    expect_text("target/odd \n\\\x01\xff", "odd");
    /* It was there before. */
    expect_status("target", S_IFDIR | 0755, 0);
    for (unsigned i = 12; i < 14; i++) {
        ck_assert_uint_eq(outcomes[i].fault.kind, TM_FAULT_SPECIAL);
        ck_assert(outcomes[i].flags & FILE_SKIPPED);
    }
    ck_assert_uint_eq(outcomes[14].fault.kind, TM_FAULT_UNSAFE);
    expect_missing("outside");
    ck_assert_uint_eq(told_count, 3);
    expect_no_leftovers();
}
END_TEST

/* What is in the way, outside and inside. */
static void plant(void)
{
    ck_assert_int_eq(mkdir("target", 0755), 0);
    ck_assert_int_eq(mkdir("outside", 0755), 0);
    make_file("outside/f", "precious");
    ck_assert_int_eq(symlink("../outside", "target/out"), 0);
    ck_assert_int_eq(symlink("nowhere", "target/dangling"), 0);
    ck_assert_int_eq(symlink("loop", "target/loop"), 0);
    ck_assert_int_eq(symlink("in", "target/inner"), 0);
    ck_assert_int_eq(mkdir("target/in", 0711), 0);
    ck_assert_int_eq(symlink("../outside/f", "target/to-file"), 0);
    ck_assert_int_eq(link("outside/f", "target/other-name"), 0);
    make_file("target/file", "file");
}

static void expect_nothing_outside(void)
{
    struct stat status = status_of("outside");
    ck_assert_uint_eq(status.st_mode, S_IFDIR | 0755);
    ck_assert_int_gt(status.st_mtim.tv_sec, 86400);
    expect_text("outside/f", "precious");
    ck_assert_int_gt(status_of("outside/f").st_mtim.tv_sec, 86400);
    ck_assert_int_eq(system("test \"$(ls outside)\" = f"), 0);
    expect_link("target/out", "../outside");
    expect_link("target/dangling", "nowhere");
    expect_missing("target/nowhere");
}

#define MODES 3
START_TEST(nothing_is_followed)
{
    static const struct entry entries[] = {
        {.path = "out/f", .mode = FILE_MODE, .text = "evil"},
        {.path = "out/new", .mode = FILE_MODE, .text = "evil"},
        {.path = "out/d/new", .mode = FILE_MODE, .text = "evil"},
        {.path = "dangling/f", .mode = FILE_MODE, .text = "evil"},
        {.path = "loop/f", .mode = FILE_MODE, .text = "evil"},
        {.path = "inner/f", .mode = FILE_MODE, .text = "evil"},
        {.path = "out", .mode = S_IFDIR | 0777},
        {.path = "out/d", .mode = S_IFDIR | 0777},
        {.path = "out/piece",
         .mode = FILE_MODE,
         .text = "p",
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "out/later", .mode = FILE_MODE, .text = "l", .flags = FILE_LATER},
        {.path = "file/f", .mode = FILE_MODE, .text = "evil"},
        {.path = "file", .mode = S_IFDIR | 0777},
        {.path = "out/link", .mode = S_IFLNK | 0777, .text = "x"},
        {.path = "out/hard", .mode = FILE_MODE, .text = "in", .is_hard_link = true},
        {.path = "hard", .mode = FILE_MODE, .text = "out/f", .is_hard_link = true},
        {.path = "out/fifo", .mode = S_IFIFO | 0666},
        {.path = "up", .mode = FILE_MODE, .text = "../outside/f", .is_hard_link = true},
    };
    static const int errors[] = {ELOOP, ELOOP, ELOOP, ELOOP, ELOOP,   ELOOP,
                                 ELOOP, ELOOP, ELOOP, ELOOP, ENOTDIR, ENOTDIR};
    struct extraction extraction;
    if (!is_available(&shapes[_i / MODES]))
        return;
    plant();
    extraction = extraction_begin();
    extraction.job.overwrite = (enum extract_overwrite)(_i % MODES);
    extract_entries(&extraction, &shapes[_i / MODES], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < COUNT_OF(errors); i++)
        expect_fault(i, errors[i]);
    for (unsigned i = 12; i < 16; i++)
        ck_assert_int_eq(told_of(entries[i].path)->fault.detail, ELOOP);
    ck_assert_uint_eq(outcomes[16].fault.kind, TM_FAULT_UNSAFE);
    expect_missing("target/hard");
    expect_missing("target/up");
    expect_text("target/file", "file");
    expect_status("target/in", S_IFDIR | 0711, 0);
    expect_nothing_outside();
    expect_no_leftovers();
}
END_TEST

/* Members with the names of what is there: links are replaced themselves, other names of a file
 * outside stay what they are there. */
START_TEST(what_is_there_is_replaced_or_stays)
{
    static const struct entry entries[] = {
        {.path = "to-file", .mode = FILE_MODE, .text = "new"},
        {.path = "other-name", .mode = FILE_MODE, .text = "new"},
        {.path = "file", .mode = FILE_MODE, .text = "new"},
        {.path = "in", .mode = FILE_MODE, .text = "new"},
        {.path = "inner", .mode = S_IFLNK | 0777, .text = "new"},
        {.path = "loop", .mode = FILE_MODE, .text = "piece", .flags = FILE_PIECE | FILE_PIECE_LAST},
    };
    struct extraction extraction;
    enum extract_overwrite overwrite = (enum extract_overwrite)(_i % MODES);
    if (!is_available(&shapes[_i / MODES]))
        return;
    plant();
    extraction = extraction_begin();
    extraction.job.overwrite = overwrite;
    extract_entries(&extraction, &shapes[_i / MODES], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        if (overwrite == EXTRACT_NEVER && i != 4)
            expect_fault(i, EEXIST);
        else if (i != 3)
            expect_none(i);
    expect_fault(3, overwrite == EXTRACT_NEVER ? EEXIST : EISDIR);
    if (overwrite == EXTRACT_ALWAYS) {
        expect_text("target/to-file", "new");
        expect_text("target/other-name", "new");
        expect_text("target/file", "new");
        expect_text("target/loop", "piece");
        expect_link("target/inner", "new");
        ck_assert(!fault_is_set(told_of("inner")->fault));
    } else {
        expect_link("target/to-file", "../outside/f");
        expect_text("target/other-name", "precious");
        expect_text("target/file", "file");
        expect_link("target/loop", "loop");
        expect_link("target/inner", "in");
    }
    if (overwrite == EXTRACT_NEVER)
        ck_assert_int_eq(told_of("inner")->fault.detail, EEXIST);
    if (overwrite == EXTRACT_OLDER) {
        ck_assert_ptr_null(told_of("inner"));
        ck_assert(outcomes[2].flags & FILE_SKIPPED && outcomes[5].flags & FILE_SKIPPED);
    }
    expect_status("target/in", S_IFDIR | 0711, 0);
    expect_nothing_outside();
    expect_no_leftovers();
}
END_TEST

START_TEST(what_is_older_is_replaced)
{
    enum { FUTURE = 4000000000 };
    static const struct entry entries[] = {
        {.path = "file", .mode = FILE_MODE, .text = "new", .mtime = FUTURE},
        {.path = "to-file", .mode = FILE_MODE, .text = "new", .mtime = FUTURE},
        {.path = "inner", .mode = S_IFLNK | 0777, .text = "new", .mtime = FUTURE},
    };
    struct extraction extraction;
    if (!is_available(&shapes[_i]))
        return;
    plant();
    extraction = extraction_begin();
    extraction.job.overwrite = EXTRACT_OLDER;
    extract_entries(&extraction, &shapes[_i], entries, COUNT_OF(entries));
    expect_text("target/file", "new");
    expect_text("target/to-file", "new");
    expect_link("target/inner", "new");
    expect_nothing_outside();
}
END_TEST

/* The last one stays, whatever the order in which they were made. */
START_TEST(members_of_one_name)
{
    static const struct entry entries[] = {
        {.path = "a", .mode = FILE_MODE, .text = "first"},
        {.path = "a", .mode = FILE_MODE, .text = "second", .flags = FILE_LATER},
        {.path = "b", .mode = FILE_MODE, .text = "first"},
        {.path = "b", .mode = FILE_MODE, .text = "1", .flags = FILE_PIECE},
        {.path = "b",
         .mode = FILE_MODE,
         .text = "2",
         .offset = 1,
         .flags = FILE_PIECE_LAST | FILE_PIECE},
        {.path = "c", .mode = S_IFLNK | 0777, .text = "link"},
        {.path = "c", .mode = FILE_MODE, .text = "file", .flags = FILE_LATER},
        {.path = "d", .mode = FILE_MODE, .text = "file"},
        {.path = "d", .mode = S_IFLNK | 0777, .text = "link"},
        {.path = "e", .mode = S_IFLNK | 0777, .text = "1"},
        {.path = "e", .mode = S_IFLNK | 0777, .text = "2"},
        {.path = "f", .mode = FILE_MODE, .text = "file"},
        {.path = "f/g", .mode = FILE_MODE, .text = "below", .flags = FILE_LATER},
        {.path = "h", .mode = S_IFLNK | 0777, .text = "i"},
        {.path = "h/g", .mode = FILE_MODE, .text = "below"},
        {.path = "j", .mode = S_IFDIR | 0700, .mtime = 1},
        {.path = "j", .mode = S_IFDIR | 0711, .mtime = 2, .flags = FILE_LATER},
        {.path = "k", .mode = FILE_MODE, .text = "k", .is_hard_link = true},
        {.path = "a", .mode = FILE_MODE, .text = "a", .is_hard_link = true},
    };
    struct extraction extraction;
    if (!begin(_i / MODES, &extraction))
        return;
    extraction.job.overwrite = (enum extract_overwrite)(_i % MODES);
    extract_entries(&extraction, &shapes[_i / MODES], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        if (i != 12)
            expect_none(i);
    expect_text("target/a", "second");
    expect_text("target/b", "12");
    expect_text("target/c", "file");
    ck_assert_ptr_null(told_of("c"));
    expect_link("target/d", "link");
    expect_link("target/e", "2");
    expect_fault(12, ENOTDIR);
    expect_text("target/h/g", "below");
    int in_the_way = extraction.job.overwrite == EXTRACT_NEVER ? EEXIST : EISDIR;
    ck_assert_int_eq(told_of("h")->fault.detail, in_the_way);
    expect_status("target/j", S_IFDIR | 0711, 2);
    ck_assert_int_eq(told_of("k")->fault.detail, ENOENT);
    ck_assert(!fault_is_set(told_of("a")->fault));
    expect_no_leftovers();
}
END_TEST

/* Not in work at the same time, and so not marked: the second is there, the sink replaces the
 * first. Inline, for then the order is certain. */
START_TEST(a_member_replaces_an_earlier_one)
{
    static const struct entry entries[] = {
        {.path = "a", .mode = FILE_MODE, .text = "first", .ends_item = true},
        {.path = "a", .mode = S_IFREG | 0600, .text = "second", .ends_item = true},
        {.path = "old", .mode = FILE_MODE, .text = "new"},
    };
    ck_assert_int_eq(mkdir("target", 0755), 0);
    make_file("target/old", "old");
    struct extraction extraction = extraction_begin();
    extract_entries(&extraction, &shapes[0], entries, COUNT_OF(entries));
    expect_none(0);
    expect_none(1);
    expect_fault(2, EEXIST);
    expect_text("target/a", "second");
    expect_status("target/a", S_IFREG | 0600, 86400);
    expect_text("target/old", "old");
}
END_TEST

START_TEST(paths_of_any_length)
{
    static char deep[20000], names[256], longer[257];
    size_t used = 0;
    struct extraction extraction;
    if (!begin(_i, &extraction))
        return;
    for (unsigned depth = 0; depth < 60; depth++)
        used += (size_t)snprintf(deep + used, sizeof deep - used, "%0*u/", 254, depth);
    memset(names, 'n', 255);
    memset(longer, 'n', 256);
    strcat(deep, names);
    const struct entry entries[] = {
        {.path = deep, .mode = FILE_MODE, .text = "deep"},
        {.path = names, .mode = FILE_MODE, .text = "long"},
        {.path = longer, .mode = FILE_MODE, .text = "longer"},
    };
    extraction.files_max = 1;
    extract_entries(&extraction, &shapes[_i], entries, COUNT_OF(entries));
    expect_none(0);
    expect_none(1);
    expect_fault(2, ENAMETOOLONG);
    ck_assert_int_eq(chdir("target"), 0);
    expect_text(names, "long");
    for (unsigned depth = 0; depth < 60; depth++) {
        char name[256];
        snprintf(name, sizeof name, "%0*u", 254, depth);
        expect_status(name, S_IFDIR | 0755, 0);
        ck_assert_int_eq(chdir(name), 0);
    }
    expect_text(names, "deep");
    ck_assert_int_eq(chdir(scratch), 0);
}
END_TEST

/* With sync, every step that it adds. */
START_TEST(all_is_synced)
{
    static const struct entry entries[] = {
        {.path = "d", .mode = S_IFDIR | 0755},
        {.path = "d/f", .mode = FILE_MODE, .text = "f"},
        {.path = "x/y", .mode = FILE_MODE, .text = "y"},
        {.path = "l", .mode = S_IFLNK | 0777, .text = "d"},
    };
    struct extraction extraction;
    if (!begin(_i, &extraction))
        return;
    extraction.job.sync = true;
    extract_entries(&extraction, &shapes[_i], entries, COUNT_OF(entries));
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    ck_assert(!fault_is_set(told_of("l")->fault));
    expect_text("target/x/y", "y");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extract");
    TCase *cases = tcase_create("extract");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, a_tree_is_made, 0, SHAPES);
    tcase_add_loop_test(cases, nothing_is_followed, 0, SHAPES * MODES);
    tcase_add_loop_test(cases, what_is_there_is_replaced_or_stays, 0, SHAPES * MODES);
    tcase_add_loop_test(cases, what_is_older_is_replaced, 0, SHAPES);
    tcase_add_loop_test(cases, members_of_one_name, 0, SHAPES * MODES);
    tcase_add_test(cases, a_member_replaces_an_earlier_one);
    tcase_add_loop_test(cases, paths_of_any_length, 0, SHAPES);
    tcase_add_loop_test(cases, all_is_synced, 0, SHAPES);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
