/* Attributes and access control lists in headers of tar. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "stages/metadata.h"
#include "tests/unit/tar_reading.h"

static void add(uint8_t *packed, size_t capacity, size_t *used, const char *name, const void *value,
                size_t bytes)
{
    ptrdiff_t now = metadata_add(packed, *used, capacity, name, value, bytes);
    ck_assert_int_gt(now, 0);
    *used = (size_t)now;
}

/* linux/posix_acl_xattr.h: user::rw-, user:7:rwx, group::rwx, group:1:r--, mask::r--, other::--- */
static const uint8_t acl[] = {2,  0, 0, 0, //
                              1,  0, 6, 0, 255, 255, 255, 255, 2,  0, 7, 0, 7,   0,   0,   0,
                              4,  0, 7, 0, 255, 255, 255, 255, 8,  0, 4, 0, 1,   0,   0,   0,
                              16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

START_TEST(attributes)
{
    uint8_t packed[70000];
    char *large = malloc(65537);
    ck_assert_ptr_nonnull(large);
    memset(large, 'v', 65536);
    large[65536] = '\0';
    size_t used = 0;
    add(packed, sizeof packed, &used, "user.text", "value", 5);
    add(packed, sizeof packed, &used, "user.empty", NULL, 0);
    add(packed, sizeof packed, &used, "user.bytes", "\0\n=\xff", 4);
    add(packed, sizeof packed, &used, METADATA_ACL_ACCESS, acl, sizeof acl);
    add(packed, sizeof packed, &used, METADATA_ACL_DEFAULT, acl, sizeof acl);
    add(packed, sizeof packed, &used, "user.large", large, 65536);
    struct archive_member member = member_of("d", S_IFDIR | 0640, 0);
    member.attributes = packed;
    member.attribute_bytes = used;

    struct reading reading = round_trip(&member, NULL);
    ck_assert_int_eq(archive_entry_xattr_reset(reading.entry), 4);
    const char *name;
    const void *value;
    size_t bytes, found = 0;
    while (archive_entry_xattr_next(reading.entry, &name, &value, &bytes) == ARCHIVE_OK) {
        if (!strcmp(name, "user.large"))
            ck_assert(bytes == 65536 && !memcmp(value, large, bytes));
        else if (!strcmp(name, "user.bytes"))
            ck_assert(bytes == 4 && !memcmp(value, "\0\n=\xff", 4));
        else if (!strcmp(name, "user.text"))
            ck_assert(bytes == 5 && !memcmp(value, "value", 5));
        else
            ck_assert_str_eq(name, "user.empty");
        found++;
    }
    ck_assert_uint_eq(found, 4);
    char *text = archive_entry_acl_to_text(reading.entry, NULL, ARCHIVE_ENTRY_ACL_TYPE_ACCESS);
    ck_assert_str_eq(text, "user::rw-\ngroup::rwx\nother::---\nuser:7:rwx\ngroup:1:r--\nmask::r--");
    free(text);
    ck_assert_int_eq(archive_entry_acl_reset(reading.entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT), 6);
    done(&reading);

    /* The block with the header proper is the last; without lists the mask decides. */
    size_t header = pack_tar_member(&pack, writer, &member, NULL);
    ck_assert_str_eq((char *)pack.bytes + header - TAR_BLOCK_BYTES + 100, "0000640");
    pack.used = 0;
    free(large);
}
END_TEST

START_TEST(broken_lists)
{
    uint8_t packed[200], output[ARCHIVE_HEADER_BOUND(200)];
    struct archive_member member = member_of("f", S_IFREG | 0640, 0);
    static const size_t cuts[] = {0, 3, 11, sizeof acl - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        size_t used = 0;
        add(packed, sizeof packed, &used, METADATA_ACL_ACCESS, acl, cuts[i]);
        member.attributes = packed;
        member.attribute_bytes = used;
        ck_assert_int_eq(tar_header(writer, &member, output, sizeof output), -EINVAL);
    }
}
END_TEST

/* What the tools make of it: the file's own attributes, by way of an archive. The right-hand side
 * is read by getfattr and getfacl, so that two readings of other people's agree. */
static const char *const extractions[] = {
    "tar --xattrs --xattrs-include='*' --acls -xpf ../a.tar",
    "bsdtar --xattrs --acls -xpf ../a.tar",
};

/* bsdtar 3.6.2 does not decode "=" and "%" in names of attributes, neither what GNU tar writes nor
 * what it writes itself. */
static const char *const corrections[] = {"", "sed -i 's/%3D/\\\\075/;s/%25/%/' out/list;"};

START_TEST(through_the_tools)
{
    char name[] = "/tmp/test_attributes.XXXXXX";
    char command[512];
    static uint8_t packed[METADATA_MAX_BYTES];
    ck_assert_ptr_nonnull(mkdtemp(name));
    ck_assert_int_eq(chdir(name), 0);
    if (system(
            "mkdir d && chmod 750 d && touch -d @1700000000 d && setfattr -n user.text -v value d "
            "&& setfattr -n user.bytes -v 0x000a3dff d && setfattr -n user.a=b%c -v x d && "
            "setfacl -m u:7:rwx,u:70000:r,g:1:rx,m::rx -d -m u:7:rwx,g:70001:- d") != 0) {
        fprintf(stderr, "skipped: no attributes or ACLs in /tmp, or no setfattr and setfacl\n");
    } else {
        ptrdiff_t bytes = metadata_read(AT_FDCWD, "d", METADATA_ALL, packed, sizeof packed);
        ck_assert_int_gt(bytes, 0);
        struct archive_member member = member_of("d", S_IFDIR | 0750, 0);
        member.stat.uid = getuid();
        member.stat.gid = getgid();
        member.attributes = packed;
        member.attribute_bytes = (size_t)bytes;
        teardown();
        setup_with((struct archive_options){.numeric_owner = _i / 2});
        pack_tar_member(&pack, writer, &member, NULL);
        pack_tar_end(&pack);
        pack_to_file(&pack, "a.tar");
        snprintf(command, sizeof command,
                 "set -e; umask 077; (mkdir out; cd out; %s)\n"
                 "for i in . out; do (cd $i; getfacl -nc d; getfattr -d -e hex d; "
                 "stat -c '%%a %%Y' d) >$i/list; done; %s diff list out/list",
                 extractions[_i % 2], corrections[_i % 2]);
        run_tool(_i % 2 ? "bsdtar" : "tar", command);
    }
    snprintf(command, sizeof command, "cd / && rm -rf '%s'", name);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archive_attributes");
    TCase *tar = tcase_create("tar");
    tcase_add_checked_fixture(tar, setup, teardown);
    tcase_add_test(tar, attributes);
    tcase_add_test(tar, broken_lists);
    tcase_add_loop_test(tar, through_the_tools, 0, 4);
    suite_add_tcase(suite, tar);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
