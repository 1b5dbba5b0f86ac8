/* What becomes of members that are not plain: names of one file, holes, attributes, encodings,
 * sizes that are wrong or not known, encryption. */
#include <sys/sysmacros.h>

#include "stages/metadata.h"
#include "tests/unit/archive_pack.h"
#include "tests/unit/foreign_reading.h"

static struct foreign *foreign;
static const struct member *member;
static int fd;

static void begin(const char *path)
{
    fd = open_file(path);
    ck_assert_int_eq(foreign_open(fd, false, &foreign), 0);
}

static void end(void)
{
    foreign_close(foreign);
    foreign = NULL;
    close(fd);
}

static void expect(const char *path, const char *target, const char *data)
{
    char found[300];
    int next = foreign_next(foreign, &member);
    ck_assert_msg(next == 1, "%s: %d: %s", path, next, foreign_error(foreign));
    ck_assert_uint_eq(member->path_bytes, strlen(path));
    ck_assert_str_eq(member->path, path);
    ck_assert_int_eq(member->target != NULL, target != NULL);
    if (target)
        ck_assert_str_eq(member->target, target);
    ck_assert_uint_eq(member->stat.size_bytes, data ? strlen(data) : 0);
    ck_assert_int_eq(read_all(foreign, found, sizeof found), data ? (ptrdiff_t)strlen(data) : 0);
    if (data)
        ck_assert_mem_eq(found, data, strlen(data));
    /* There is no more, however often it is asked. */
    uint64_t offset;
    ck_assert_int_eq(foreign_read(foreign, found, sizeof found, &offset), 0);
}

static void expect_link(const char *path, const char *target)
{
    expect(path, target, NULL);
    ck_assert(member->is_hard_link);
    ck_assert_uint_eq(member->stat.mode, S_IFREG | 0640);
    ck_assert_int_eq(member->stat.mtime_seconds, 1700000000);
    ck_assert_uint_eq(member->stat.uid, 7);
}

static void expect_end(void)
{
    ck_assert_int_eq(foreign_next(foreign, &member), 0);
    ck_assert_int_eq(foreign_next(foreign, &member), 0);
    end();
}

/* Names of one file in cpio. */

#define FILE_MODE (S_IFREG | 0640)

START_TEST(names_wait_for_the_data)
{
    static const struct cpio_member members[] = {
        {"a1", "", 1, FILE_MODE, 3},          {"single", "alone", 2, FILE_MODE, 1},
        {"b1", "", 3, FILE_MODE, 2},          {"a2", "", 1, FILE_MODE, 3},
        {"empty1", "", 4, FILE_MODE, 2},      {"a3", "of three", 1, FILE_MODE, 3},
        {"b2", "of two", 3, FILE_MODE, 2},    {"empty2", "", 4, FILE_MODE, 2},
        {"missing", "some", 5, FILE_MODE, 9}, {"lonely", "", 6, FILE_MODE, 2},
        {"next", "another", 1, FILE_MODE, 2}, {"first is full", "", 1, FILE_MODE, 2},
    };
    make_cpio("archive", members, sizeof members / sizeof *members);
    begin("archive");
    expect("single", NULL, "alone");
    expect("a3", NULL, "of three");
    expect_link("a1", "a3");
    expect_link("a2", "a3");
    expect("b2", NULL, "of two");
    expect_link("b1", "b2");
    expect("missing", NULL, "some");
    /* The number is free for another file once all names of the first have come. */
    expect("next", NULL, "another");
    expect_link("first is full", "next");
    expect("empty1", NULL, NULL);
    ck_assert(!member->is_hard_link);
    expect_link("empty2", "empty1");
    expect("lonely", NULL, NULL);
    ck_assert(!member->is_hard_link);
    expect_end();
}
END_TEST

/* Where each name has the data: numbers of 18 bits can be the same for two files. */
START_TEST(names_with_data)
{
    static const struct cpio_member members[] = {
        {"a1", "the data", 1, FILE_MODE, 4},
        {"a2", "the data", 1, FILE_MODE, 4},
        {"other", "of another", 1, FILE_MODE, 4},
        {"a3", "", 1, FILE_MODE, 4},
    };
    make_cpio("archive", members, sizeof members / sizeof *members);
    begin("archive");
    expect("a1", NULL, "the data");
    expect_link("a2", "a1");
    expect("other", NULL, "of another");
    expect_link("a3", "a1");
    expect_end();
}
END_TEST

START_TEST(waiting_names_at_close)
{
    static const struct cpio_member members[] = {{"a1", "", 1, FILE_MODE, 3},
                                                 {"b1", "", 2, FILE_MODE, 3},
                                                 {"single", "alone", 3, FILE_MODE, 1},
                                                 {"a2", "", 1, FILE_MODE, 3}};
    make_cpio("archive", members, sizeof members / sizeof *members);
    begin("archive");
    expect("single", NULL, "alone");
    end();
    begin("archive");
    expect("single", NULL, "alone");
    expect("a1", NULL, NULL);
    end();
}
END_TEST

/* Names that wait take memory: so much, and no more. */
START_TEST(names_beyond_the_limit)
{
    static char name[60001];
    FILE *file = fopen("archive", "w");
    ck_assert_ptr_nonnull(file);
    memset(name, 'n', sizeof name - 1);
    for (unsigned i = 0; i < 1200; i++)
        add_cpio(file, (struct cpio_member){name, "", i, FILE_MODE, 2});
    ck_assert_int_eq(fclose(file), 0);
    begin("archive");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(foreign_next(foreign, &member), -E2BIG);
    ck_assert_str_ne(foreign_error(foreign), "");
    end();
}
END_TEST

START_TEST(kinds)
{
    static const struct cpio_member members[] = {
        {"socket", "", 1, S_IFSOCK | 0755, 1},  {"tty", "", 2, S_IFCHR | 0600, 1},
        {"disk", "", 3, S_IFBLK | 0660, 1},     {"dir", "", 4, S_IFDIR | 01777, 3},
        {"dir2", "", 4, S_IFDIR | 02755, 3},    {"link", "to", 5, S_IFLNK | 0777, 1},
        {"setuid", "x", 6, S_IFREG | 06755, 1}, {"odd", "", 7, 0644, 1},
    };
    make_cpio("archive", members, sizeof members / sizeof *members);
    begin("archive");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        ck_assert_int_eq(foreign_next(foreign, &member), 1);
        ck_assert_str_eq(member->path, members[i].name);
        ck_assert_uint_eq(member->stat.mode, members[i].mode);
        ck_assert_uint_eq(member->stat.uid, 7);
        ck_assert_uint_eq(member->stat.gid, 8);
        ck_assert(!member->is_hard_link);
        bool is_device = S_ISCHR(members[i].mode) || S_ISBLK(members[i].mode);
        ck_assert_uint_eq(member->stat.rdev, is_device ? makedev(5, 6) : 0);
        ck_assert_int_eq(member->target != NULL, S_ISLNK(members[i].mode));
        if (member->target)
            ck_assert_str_eq(member->target, "to");
    }
    expect_end();
}
END_TEST

/* ar: its tables are no members. */
START_TEST(symbols_of_ar)
{
    if (!has_tool("ar") || !has_tool("gcc"))
        return;
    run("echo 'int f(void) { return 1; }' >f.c && gcc -c f.c -o f.o");
    make_file("a name that takes a table", "x\n");
    run("ar rcs archive f.o 'a name that takes a table' && grep -q '^!<arch>' archive");
    begin("archive");
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert_str_eq(member->path, "f.o");
    ck_assert(S_ISREG(member->stat.mode));
    expect("a name that takes a table", NULL, "x\n");
    expect_end();
}
END_TEST

/* Holes. */

START_TEST(holes)
{
    static uint8_t file[3000000], made[3000000], piece[5000];
    uint64_t offset, next = 0;
    ptrdiff_t bytes;
    run("truncate -s 3000000 file && printf 'at 1 MiB' | dd of=file bs=1M seek=1 conv=notrunc "
        "status=none && printf last | dd of=file bs=1 seek=2000000 conv=notrunc status=none");
    run("truncate -s 2000000 hole && echo x >plain && tar -S -cf archive file hole plain");
    begin("archive");
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert(foreign_is_sparse(foreign));
    ck_assert_uint_eq(member->stat.size_bytes, sizeof file);
    size_t all = 0;
    while ((bytes = foreign_read(foreign, piece, sizeof piece, &offset)) > 0) {
        ck_assert_uint_ge(offset, next);
        next = offset + (uint64_t)bytes;
        ck_assert_uint_le(next, sizeof made);
        memcpy(made + offset, piece, (size_t)bytes);
        all += (size_t)bytes;
    }
    ck_assert_int_eq(bytes, 0);
    ck_assert_uint_lt(all, 100000);
    int source = open_file("file");
    ck_assert_int_eq(read(source, file, sizeof file), sizeof file);
    close(source);
    ck_assert_mem_eq(file, made, sizeof file);
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert(foreign_is_sparse(foreign));
    ck_assert_uint_eq(member->stat.size_bytes, 2000000);
    ck_assert_int_eq(foreign_read(foreign, piece, sizeof piece, &offset), 0);
    expect("plain", NULL, "x\n");
    ck_assert(!foreign_is_sparse(foreign));
    expect_end();
}
END_TEST

/* Attributes. */

/* linux/posix_acl_xattr.h: user::rw-, user:7:rwx, group::rwx, group:1:r--, mask::r--, other::--- */
static const uint8_t acl[] = {2,  0, 0, 0, //
                              1,  0, 6, 0, 255, 255, 255, 255, 2,  0, 7, 0, 7,   0,   0,   0,
                              4,  0, 7, 0, 255, 255, 255, 255, 8,  0, 4, 0, 1,   0,   0,   0,
                              16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

static size_t add(uint8_t *packed, size_t used, const char *name, const void *value, size_t bytes)
{
    ptrdiff_t now = metadata_add(packed, used, METADATA_MAX_BYTES, name, value, bytes);
    ck_assert_int_gt(now, 0);
    return (size_t)now;
}

static void write_tar(const struct archive_member *written, const char *path)
{
    struct pack pack = {0};
    struct tar_writer *writer;
    struct archive_options options = {.numeric_owner = true};
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
    pack_tar_member(&pack, writer, written, NULL);
    pack_tar_end(&pack);
    pack_to_file(&pack, path);
    tar_writer_destroy(writer);
    pack_free(&pack);
}

/* What create packs comes back as it was. */
START_TEST(attributes)
{
    static uint8_t packed[METADATA_MAX_BYTES];
    struct archive_member written = member_of("d", S_IFDIR | 0640, 0);
    size_t used = add(packed, 0, "security.label", "l", 2);
    used = add(packed, used, METADATA_ACL_ACCESS, acl, sizeof acl);
    used = add(packed, used, METADATA_ACL_DEFAULT, acl, sizeof acl);
    used = add(packed, used, "trusted.x", "\0\n=\xff", 4);
    used = add(packed, used, "user.empty", NULL, 0);
    used = add(packed, used, "user.text", "value", 5);
    written.attributes = packed;
    written.attribute_bytes = used;
    write_tar(&written, "archive");
    begin("archive");
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert_uint_eq(member->attribute_bytes, used);
    ck_assert_mem_eq(member->attributes, packed, used);
    ck_assert(!member->lost_attributes);
    ck_assert_uint_eq(member->stat.mode, S_IFDIR | 0640);
    expect_end();
}
END_TEST

/* Some that are not known, and more than there is room for: the others stay. */
START_TEST(attributes_that_are_lost)
{
    static uint8_t packed[METADATA_MAX_BYTES + 70000];
    static uint8_t large[65000];
    struct archive_member written = member_of("d", S_IFDIR | 0750, 0);
    ptrdiff_t used = metadata_add(packed, 0, sizeof packed, "user.a", "1", 1);
    if (_i == 0)
        used = metadata_add(packed, (size_t)used, sizeof packed, "system.other", "2", 1);
    for (int i = 0; _i && i < 2; i++)
        used = metadata_add(packed, (size_t)used, sizeof packed, i ? "user.b" : "user.c", large,
                            sizeof large);
    written.attributes = packed;
    written.attribute_bytes =
        (size_t)metadata_add(packed, (size_t)used, sizeof packed, "user.z", "3", 1);
    write_tar(&written, "archive");
    begin("archive");
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert(member->lost_attributes);
    size_t cursor = 0;
    struct metadata_attribute attribute;
    ck_assert(metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute));
    ck_assert_str_eq(attribute.name, "user.a");
    if (_i) {
        ck_assert(metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute));
        ck_assert_uint_eq(attribute.value_bytes, sizeof large);
    }
    ck_assert(metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute));
    ck_assert_str_eq(attribute.name, "user.z");
    ck_assert(!metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute));
    expect_end();
}
END_TEST

/* Names. */

static uint16_t lha_crc(const char *data)
{
    unsigned crc = 0;
    for (; *data; data++) {
        crc ^= (uint8_t)*data;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return (uint16_t)crc;
}

static void put(uint8_t **at, uint32_t value, int bytes)
{
    for (; bytes; bytes--, value >>= 8)
        *(*at)++ = (uint8_t)value;
}

/* A header of level 0, as lha for Unix writes it, and the data stored. */
static void add_lha(FILE *file, const char *name, const char *data)
{
    uint8_t header[300], *at = header;
    uint8_t name_bytes = (uint8_t)strlen(name), sum = 0;
    put(&at, 22 + name_bytes + 12, 1);
    put(&at, 0, 1);
    at = mempcpy(at, "-lh0-", 5);
    put(&at, (uint32_t)strlen(data), 4);
    put(&at, (uint32_t)strlen(data), 4);
    put(&at, 0, 4);
    put(&at, 0x0020, 2);
    put(&at, name_bytes, 1);
    at = mempcpy(at, name, name_bytes);
    put(&at, lha_crc(data), 2);
    put(&at, 'U', 2);
    put(&at, 1700000000, 4);
    put(&at, S_IFREG | 0640, 2);
    put(&at, 7, 2);
    put(&at, 8, 2);
    for (const uint8_t *byte = header + 2; byte < at; byte++)
        sum = (uint8_t)(sum + *byte);
    header[1] = sum;
    fwrite(header, 1, (size_t)(at - header), file);
    fputs(data, file);
}

/* Shift-JIS, UTF-8, ISO 8859-1, anything: bytes go through. */
START_TEST(bytes_of_lha)
{
    static const char *const names[] = {"plain", "\x83\x65\x83\x58\x83\x67", "gr\xc3\xbc\xc3\x9f",
                                        "gr\xfc\xdf", "\x80\xff\xfe"};
    FILE *file = fopen("archive", "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 5; i++)
        add_lha(file, names[i], "the data");
    fputc(0, file);
    fclose(file);
    begin("archive");
    for (int i = 0; i < 5; i++) {
        expect(names[i], NULL, "the data");
        ck_assert_uint_eq(member->stat.mode, S_IFREG | 0640);
    }
    expect_end();
}
END_TEST

/* 7-Zip has names in UTF-16, which libarchive gives in form C. */
START_TEST(form_c)
{
    if (!has_tool("7z"))
        return;
    run("printf x >\"$(printf 'e\\314\\201')\" && LC_ALL=C.UTF-8 7z a archive.7z e* >/dev/null");
    begin("archive.7z");
    expect("\xc3\xa9", NULL, "x");
    expect_end();
}
END_TEST

/* A zip that says that a name is UTF-8, which it is not. */
START_TEST(name_that_is_lost)
{
    if (!has_tool("python3"))
        return;
    run("python3 -c \"import zipfile\nz=zipfile.ZipFile('z','w')\nfor n in "
        "('one','\\u00fc\\u00fc','three'): z.writestr(n,'data of '+n[:1]*0)\" && sed "
        "'s/\\xc3\\xbc\\xc3\\xbc/\\xfc\\xfc\\xfc\\xfc/g' z >archive");
    begin("archive");
    expect("one", NULL, "data of ");
    expect("unnamed-2", NULL, "data of ");
    ck_assert_ptr_nonnull(strstr(foreign_error(foreign), "cannot be converted"));
    expect("three", NULL, "data of ");
    expect_end();
}
END_TEST

/* Sizes. */

/* Each size in both headers of a zip's one member, made one more or less: the archive says that
 * there is as much. */
START_TEST(sizes_that_lie)
{
    size_t bytes;
    char found[2000];
    if (!has_tool("zip"))
        return;
    run("seq 300 >plain && zip -q a.zip plain");
    uint8_t *zip = content_of("a.zip", &bytes);
    uint8_t *directory = memmem(zip, bytes, "PK\1\2", 4);
    ck_assert_ptr_nonnull(directory);
    for (int change = -1; change <= 1; change += 2) {
        zip[22] += (uint8_t)change;
        directory[24] += (uint8_t)change;
        write_bytes("archive", zip, bytes);
        zip[22] -= (uint8_t)change;
        directory[24] -= (uint8_t)change;
        begin("archive");
        ck_assert_int_eq(foreign_next(foreign, &member), 1);
        ck_assert_int_eq(read_all(foreign, found, sizeof found), -EBADMSG);
        ck_assert_str_ne(foreign_error(foreign), "");
        /* It stays so. */
        ck_assert_int_eq(read_all(foreign, found, sizeof found), -EBADMSG);
        end();
    }
    free(zip);
}
END_TEST

START_TEST(size_that_is_not_known)
{
    char found[20];
    if (!has_tool("zip"))
        return;
    run("printf 'hello' | zip -q - - | cat >archive");
    FILE *pipe = open_pipe("archive");
    ck_assert_int_eq(foreign_open(fileno(pipe), false, &foreign), 0);
    ck_assert_int_eq(foreign_next(foreign, &member), 1);
    ck_assert_uint_eq(member->stat.size_bytes, FOREIGN_SIZE_UNKNOWN);
    ck_assert_int_eq(read_all(foreign, found, sizeof found), 5);
    ck_assert_mem_eq(found, "hello", 5);
    ck_assert_int_eq(foreign_next(foreign, &member), 0);
    foreign_close(foreign);
    pclose(pipe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign members");
    TCase *members = tcase_create("members");
    tcase_set_timeout(members, 60);
    tcase_add_checked_fixture(members, scratch_make, scratch_remove);
    tcase_add_test(members, names_wait_for_the_data);
    tcase_add_test(members, names_with_data);
    tcase_add_test(members, waiting_names_at_close);
    tcase_add_test(members, names_beyond_the_limit);
    tcase_add_test(members, kinds);
    tcase_add_test(members, symbols_of_ar);
    tcase_add_test(members, holes);
    tcase_add_test(members, attributes);
    tcase_add_loop_test(members, attributes_that_are_lost, 0, 2);
    tcase_add_test(members, bytes_of_lha);
    tcase_add_test(members, form_c);
    tcase_add_test(members, name_that_is_lost);
    tcase_add_test(members, sizes_that_lie);
    tcase_add_test(members, size_that_is_not_known);
    suite_add_tcase(suite, members);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
