/* Attributes and access control lists in headers of tar, in all their forms. */
#include "tests/unit/tar_raw.h"

static const struct member *first_member(struct untar *untar)
{
    struct untar_step step = {.input = pack.bytes, .input_bytes = pack.used};
    enum untar_event event = untar_next(untar, &step);
    ck_assert_msg(event == UNTAR_MEMBER, "%s", untar_error(untar));
    return untar_member(untar);
}

static void check_attribute(const struct member *member, const char *name, const void *value,
                            size_t bytes)
{
    struct metadata_attribute attribute;
    size_t cursor = 0;
    while (metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute))
        if (!strcmp(attribute.name, name)) {
            ck_assert_msg(attribute.value_bytes == bytes && !memcmp(attribute.value, value, bytes),
                          "%s: %.*s", name, (int)attribute.value_bytes,
                          (const char *)attribute.value);
            return;
        }
    ck_abort_msg("no attribute %s", name);
}

START_TEST(forms_of_attributes)
{
    struct untar *untar;
    RAW_PAX(&pack, 'x', "SCHILY.xattr.user.a=raw", "LIBARCHIVE.xattr.user.%62%3D%25=AAEC/w",
            "LIBARCHIVE.xattr.user.c=cGFkZA==", "RHT.security.selinux=u:r:t",
            "SCHILY.xattr.user.%zz=odd", "SCHILY.xattr.user.twice=1", "SCHILY.xattr.user.twice=2");
    raw_file(&pack, "f");
    ck_assert_int_eq(untar_create(&untar), 0);
    const struct member *member = first_member(untar);
    check_attribute(member, "user.a", "raw", 3);
    check_attribute(member, "user.b=%", "\0\1\2\xff", 4);
    check_attribute(member, "user.c", "padd", 4);
    check_attribute(member, "security.selinux", "u:r:t", 6);
    check_attribute(member, "user.%zz", "odd", 3);
    check_attribute(member, "user.twice", "2", 1);
    ck_assert(!member->lost_attributes);
    untar_destroy(untar);
}
END_TEST

START_TEST(attributes_are_passed_over)
{
    struct untar *untar;
    RAW_PAX(&pack, 'x', "SCHILY.xattr.user.a=raw", "SCHILY.acl.access=user::rw-,user:root:rwx",
            "LIBARCHIVE.xattr.user.%62=AAEC/w");
    raw_file(&pack, "f");
    ck_assert_int_eq(untar_create(&untar), 0);
    untar_pass_attributes(untar);
    const struct member *member = first_member(untar);
    ck_assert_ptr_null(member->attributes);
    ck_assert(!member->lost_attributes);
    untar_destroy(untar);
}
END_TEST

/* user::rw-, user:7:rwx, group::r--, mask::rwx, other::--- */
static const uint8_t acl[] = {2,   0,   0,   0, //
                              1,   0,   6,   0,   255, 255, 255, 255, 2,   0,   7,   0,  7, 0,
                              0,   0,   4,   0,   4,   0,   255, 255, 255, 255, 16,  0,  7, 0,
                              255, 255, 255, 255, 32,  0,   0,   0,   255, 255, 255, 255};

static const char *const same_acls[] = {
    "user::rw-,user:7:rwx,group::r--,mask::rwx,other::---",
    "other::---,mask::rwx,group::r--,user:7:rwx,user::rw-",
    "user::rw-\nuser:7:rwx\t#effective:r--\n group::r--\n#comment\nmask::rwx\nother::---\n",
    "u::rw,u:7:rwx,g::r,m::rwx,o::-",
    "user::rw-,user:nobody-of-this-name:rwx:7,group::r--,mask::rwx,other::---",
    "user::rw-,user:7:rwx:99,group::r--,mask:rwx,other:---",
    "USER"};

START_TEST(forms_of_lists)
{
    struct untar *untar;
    char record[200] = "SCHILY.acl.access=user::rw-,user:root:rwx:7,group::r--,mask::rwx,other::-";
    uint8_t expected[sizeof acl];
    memcpy(expected, acl, sizeof acl);
    if (strcmp(same_acls[_i], "USER") != 0)
        snprintf(record, sizeof record, "SCHILY.acl.access=%s", same_acls[_i]);
    else
        expected[16] = 0; /* a name that is known counts for more than the number */
    RAW_PAX(&pack, 'x', record, "SCHILY.acl.default=");
    raw_file(&pack, "f");
    ck_assert_int_eq(untar_create(&untar), 0);
    const struct member *member = first_member(untar);
    check_attribute(member, METADATA_ACL_ACCESS, expected, sizeof expected);
    ck_assert(!member->lost_attributes);
    untar_destroy(untar);
}
END_TEST

/* What is lost is said, and the member is there all the same. */
static const char *const lost[] = {
    "SCHILY.acl.access=user::rw-,user:nobody-of-this-name:rwx,group::r--,other::-",
    "SCHILY.acl.access=user::rws,group::r--,other::-",
    "SCHILY.acl.access=user::rw-,mask:7:r,other::-",
    "SCHILY.acl.access=user::rw-,everyone::r",
    "SCHILY.acl.access=user",
    "SCHILY.acl.access=user:7",
    "SCHILY.acl.access=user:4294967295:r",
    "SCHILY.acl.access=#",
    "SCHILY.acl.ace=owner@:rwx::allow",
    "LIBARCHIVE.xattr.user.a=!",
    "SCHILY.xattr.user.%00a=nul",
};

START_TEST(lost_attributes)
{
    struct untar *untar;
    RAW_PAX(&pack, 'x', lost[_i], "SCHILY.xattr.user.kept=1");
    raw_file(&pack, "f");
    raw_end();
    EXPECT("f|none|", AFTER, "end: 0\n");
    ck_assert_int_eq(untar_create(&untar), 0);
    const struct member *member = first_member(untar);
    struct metadata_attribute attribute;
    size_t cursor = 0;
    ck_assert(member->lost_attributes);
    ck_assert(metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute));
    ck_assert_str_eq(attribute.name, "user.kept");
    ck_assert_uint_eq(cursor, member->attribute_bytes);
    untar_destroy(untar);
}
END_TEST

START_TEST(list_of_solaris)
{
    static const char list[] =
        "1000005\0user::rw-,user:lp-of-nobody:rwx:7,group::r--,mask:rwx,other:---";
    struct untar *untar;
    raw_body(&pack, 'A', list, sizeof list);
    raw_file(&pack, "f");
    ck_assert_int_eq(untar_create(&untar), 0);
    check_attribute(first_member(untar), METADATA_ACL_ACCESS, acl, sizeof acl);
    untar_destroy(untar);
    pack.used = 0;
    raw_body(&pack, 'A', "3000005\0owner@:rwx::allow", 26);
    raw_file(&pack, "f");
    ck_assert_int_eq(untar_create(&untar), 0);
    ck_assert(first_member(untar)->lost_attributes);
    untar_destroy(untar);
}
END_TEST

/* What fits is kept, though it comes behind what does not. */
START_TEST(too_many)
{
    static char body[200000];
    static const char value[60000];
    struct untar *untar;
    size_t used = raw_record(body, "SCHILY.xattr.user.a", value, sizeof value);
    used += raw_record(body + used, "SCHILY.xattr.user.b", value, sizeof value);
    used += raw_record(body + used, "SCHILY.xattr.user.c", "kept", 4);
    raw_body(&pack, 'x', body, used);
    raw_file(&pack, "f");
    for (used = 0; used < 180000;) {
        char key[50];
        sprintf(key, "SCHILY.xattr.%zu", used);
        used += raw_record(body + used, key, "", 0);
    }
    raw_body(&pack, 'x', body, used);
    raw_file(&pack, "g");
    raw_end();
    EXPECT("f|none|", "g|none|", AFTER, "end: 0\n");
    ck_assert_int_eq(untar_create(&untar), 0);
    struct untar_step step = {.input = pack.bytes, .input_bytes = pack.used};
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_MEMBER);
    const struct member *member = untar_member(untar);
    ck_assert(member->lost_attributes);
    check_attribute(member, "user.a", value, sizeof value);
    check_attribute(member, "user.c", "kept", 4);
    while (untar_next(untar, &step) != UNTAR_MEMBER)
        ck_assert_ptr_null(untar_error(untar));
    ck_assert(member->lost_attributes);
    ck_assert_uint_gt(member->attribute_bytes, METADATA_MAX_BYTES - 100);
    ck_assert_uint_le(member->attribute_bytes, METADATA_MAX_BYTES);
    untar_destroy(untar);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("untar_attributes");
    TCase *tcase = tcase_create("made by hand");
    tcase_add_checked_fixture(tcase, NULL, raw_teardown);
    tcase_add_test(tcase, forms_of_attributes);
    tcase_add_test(tcase, attributes_are_passed_over);
    tcase_add_loop_test(tcase, forms_of_lists, 0, sizeof same_acls / sizeof *same_acls);
    tcase_add_loop_test(tcase, lost_attributes, 0, sizeof lost / sizeof *lost);
    tcase_add_test(tcase, list_of_solaris);
    tcase_add_test(tcase, too_many);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
