/* stages/extract: special files, owners, modes, attributes. */
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "stages/metadata.h"
#include "tests/unit/extracting.h"

#define LINK_MODE (S_IFLNK | 0777)
#define INLINE    (&shapes[0])

START_TEST(special_files)
{
    static const struct entry entries[] = {
        {.path = "d/fifo", .mode = S_IFIFO | 06620, .mtime = 1},
        {.path = "null", .mode = S_IFCHR | 0666, .mtime = 2},
        {.path = "socket", .mode = S_IFSOCK | 0600, .mtime = 3},
        {.path = "unknown", .mode = 0644},
        {.path = "whiteout", .mode = 0160000 | 0644},
    };
    struct extraction extraction = extraction_begin();
    extraction.job.makes_devices = true;
    extraction.job.keeps_mode = _i;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    expect_status("target/d/fifo", S_IFIFO | (_i ? 06620 : 0600), 1);
    expect_status("target/socket", S_IFSOCK | 0600, 3);
    if (fault_is_set(told_of("null")->fault)) {
        ck_assert_int_eq(told_of("null")->fault.detail, EPERM); /* in a container, or no root */
    } else {
        expect_status("target/null", S_IFCHR | (_i ? 0666 : 0644), 2);
        ck_assert_uint_eq(status_of("target/null").st_rdev, makedev(1, 3));
    }
    for (unsigned i = 3; i < 5; i++)
        ck_assert_uint_eq(outcomes[i].fault.kind, TM_FAULT_SPECIAL);
}
END_TEST

START_TEST(owners_and_modes)
{
    static const struct entry entries[] = {
        {.path = "d", .mode = S_IFDIR | 03777, .uid = 12345, .gid = 12346},
        {.path = "d/f", .mode = S_IFREG | 06755, .text = "f", .uid = 12345, .gid = 12346},
        {.path = "d/l", .mode = LINK_MODE, .text = "f", .uid = 12345, .gid = 12346},
        {.path = "d/p", .mode = S_IFIFO | 06666, .uid = 12345, .gid = 12346},
        {.path = "named",
         .mode = S_IFREG | 0600,
         .user = "daemon",
         .group = "daemon",
         .uid = 1000000,
         .gid = 1000000},
        {.path = "unknown",
         .mode = S_IFREG | 0600,
         .user = "no such user",
         .group = "",
         .uid = 12345,
         .gid = 12346},
    };
    bool someone = _i % 2, keeps_mode = _i / 2;
    if (someone)
        become_someone();
    struct extraction extraction = extraction_begin();
    extraction.job.keeps_owner = true;
    extraction.job.keeps_mode = keeps_mode;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    become_ourselves();
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    ck_assert(!fault_is_set(told_of("d/l")->fault) && !fault_is_set(told_of("d/p")->fault));
    bool permitted = getuid() == 0 && !someone;
    if (!permitted) { /* nothing that would lend our rights */
        expect_status("target/d/f", S_IFREG | 0755, 86400);
        ck_assert_uint_eq(status_of("target/d/p").st_mode & 07000, 0);
        return;
    }
    static const char *const paths[] = {"d", "d/f", "d/l", "d/p", "unknown"};
    for (unsigned i = 0; i < COUNT_OF(paths); i++) {
        char path[32];
        snprintf(path, sizeof path, "target/%s", paths[i]);
        ck_assert_uint_eq(status_of(path).st_uid, 12345);
        ck_assert_uint_eq(status_of(path).st_gid, 12346);
    }
    ck_assert_uint_eq(status_of("target/named").st_uid, 1); /* Debian's, as everybody's */
    expect_status("target/d/f", S_IFREG | (keeps_mode ? 06755 : 0755), 86400);
    expect_status("target/d", S_IFDIR | (keeps_mode ? 03777 : 0755), 86400);
    expect_status("target/d/p", S_IFIFO | (keeps_mode ? 06666 : 0644), 86400);
}
END_TEST

/* A name is not asked for unless owners are kept: the file is ours. */
START_TEST(owners_are_not_kept)
{
    static const struct entry entries[] = {
        {.path = "f", .mode = S_IFREG | 0600, .user = "daemon", .uid = 12345, .gid = 12346}};
    struct extraction extraction = extraction_begin();
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    ck_assert_uint_eq(status_of("target/f").st_uid, geteuid());
}
END_TEST

START_TEST(attributes_are_set)
{
    char packed[200];
    ptrdiff_t used = metadata_add(packed, 0, sizeof packed, "user.treemill", "value", 5);
    const struct entry entries[] = {
        {.path = "d", .mode = S_IFDIR | 0500, .attributes = packed, .attribute_bytes = used},
        {.path = "d/f",
         .mode = S_IFREG | 0400,
         .text = "f",
         .attributes = packed,
         .attribute_bytes = used},
        {.path = "p",
         .mode = S_IFREG | 0444,
         .text = "p",
         .attributes = packed,
         .attribute_bytes = used,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
    };
    become_someone();
    struct extraction extraction = extraction_begin();
    extraction.job.attribute_kinds = _i ? METADATA_USER : 0;
    make_file("target/probe", "");
    bool known = setxattr("target/probe", "user.treemill", "v", 1, 0) == 0;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    become_ourselves();
    for (unsigned i = 0; i < COUNT_OF(entries); i++) {
        char path[32];
        expect_none(i);
        snprintf(path, sizeof path, "target/%s", entries[i].path);
        ck_assert_int_eq(getxattr(path, "user.treemill", NULL, 0), known && _i ? 5 : -1);
        expect_status(path, entries[i].mode, 86400);
    }
    ck_assert_int_eq(chmod("target/d", 0700), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extract_status");
    TCase *cases = tcase_create("extract_status");
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, special_files, 0, 2);
    tcase_add_loop_test(cases, owners_and_modes, 0, 4);
    tcase_add_test(cases, owners_are_not_kept);
    tcase_add_loop_test(cases, attributes_are_set, 0, 2);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
