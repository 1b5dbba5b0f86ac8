/* Archives as this program writes them, read back: every kind of member, to the last byte. */
#include <fcntl.h>
#include <linux/posix_acl_xattr.h>
#include <unistd.h>

#include "tests/unit/archive_pack.h"
#include "tests/unit/untar_listing.h"

static struct tar_writer *writer;
static struct untar *untar;
static struct pack pack;

static void setup(void)
{
    struct archive_options options = {.numeric_owner = true};
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
    ck_assert_int_eq(untar_create(&untar), 0);
}

static void teardown(void)
{
    tar_writer_destroy(writer);
    untar_destroy(untar);
    pack_free(&pack);
}

/* Packs the member, and a file behind it if there is data; reads until it has begun. */
static const struct member *round_trip(const struct archive_member *member, const void *data,
                                       struct untar_step *step)
{
    pack.used = 0;
    pack_tar_member(&pack, writer, member, data);
    if (data) {
        struct archive_member after = member_of("after", S_IFREG | 0644, 5);
        pack_tar_member(&pack, writer, &after, "after");
        pack_tar_end(&pack);
        free(list_in_all_pieces(pack.bytes, pack.used));
    }
    untar_reset(untar);
    *step = (struct untar_step){.input = pack.bytes, .input_bytes = pack.used};
    enum untar_event event = untar_next(untar, step);
    ck_assert_msg(event == UNTAR_MEMBER, "%d: %s", event, untar_error(untar));
    return untar_member(untar);
}

/* That the file behind it is where it should be. */
static void check_after(struct untar_step *step)
{
    ck_assert_int_eq(untar_next(untar, step), UNTAR_DONE);
    ck_assert_int_eq(untar_next(untar, step), UNTAR_MEMBER);
    ck_assert_str_eq(untar_member(untar)->path, "after");
    ck_assert_int_eq(untar_next(untar, step), UNTAR_DATA);
    ck_assert_int_eq(memcmp(step->data, "after", 5), 0);
    ck_assert_int_eq(untar_next(untar, step), UNTAR_DONE);
    ck_assert_int_eq(untar_next(untar, step), UNTAR_END);
    ck_assert_int_eq(untar_finish(untar), 0);
}

static void check_stat(const struct file_stat *read, const struct file_stat *written)
{
    ck_assert_uint_eq(read->mode, written->mode);
    ck_assert_uint_eq(read->uid, written->uid);
    ck_assert_uint_eq(read->gid, written->gid);
    ck_assert_int_eq(read->mtime_seconds, written->mtime_seconds);
}

static const uint32_t kinds[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO};

START_TEST(every_kind)
{
    struct archive_member member = member_of("some/name", kinds[_i] | 04751, 5);
    struct untar_step step;
    member.stat.uid = 12;
    member.stat.gid = 34;
    member.stat.rdev = makedev(8, 257);
    member_target(&member, "a target");
    const struct member *read = round_trip(&member, "12345", &step);
    check_stat(&read->stat, &member.stat);
    ck_assert_str_eq(read->path, kinds[_i] == S_IFDIR ? "some/name/" : "some/name");
    ck_assert_uint_eq(read->path_bytes, strlen(read->path));
    ck_assert_uint_eq(read->stat.size_bytes, kinds[_i] == S_IFREG ? 5 : 0);
    ck_assert(!read->is_hard_link && !read->attributes && !read->user && !read->group);
    if (kinds[_i] == S_IFLNK)
        ck_assert(read->target_bytes == 8 && !strcmp(read->target, "a target"));
    else
        ck_assert_ptr_null(read->target);
    if (kinds[_i] == S_IFCHR || kinds[_i] == S_IFBLK)
        ck_assert_uint_eq(read->stat.rdev, member.stat.rdev);
    if (kinds[_i] == S_IFREG) {
        ck_assert_int_eq(untar_next(untar, &step), UNTAR_DATA);
        ck_assert(step.data_bytes == 5 && step.offset == 0 && !memcmp(step.data, "12345", 5));
        /* Not copied. */
        ck_assert(step.data > pack.bytes && step.data < pack.bytes + pack.used);
    }
    check_after(&step);

    member.is_hard_link = true;
    read = round_trip(&member, "", &step);
    ck_assert(read->is_hard_link && !strcmp(read->target, "a target"));
    ck_assert_uint_eq(read->stat.size_bytes, 0);
    check_after(&step);
}
END_TEST

/* Names: at the limits of fields, and of any bytes. */

static const struct {
    size_t bytes, component;
} lengths[] = {{1, 9},     {99, 255},  {100, 255}, {101, 255}, {100, 50},  {155, 100},
               {200, 100}, {255, 100}, {256, 100}, {257, 100}, {300, 255}, {40000, 255}};

START_TEST(lengths_of_names)
{
    size_t bytes = lengths[_i].bytes;
    char *name = malloc(bytes + 1);
    struct untar_step step;
    for (size_t i = 0; i < bytes; i++)
        name[i] = (i + 1) % (lengths[_i].component + 1) ? (char)('a' + i % 26) : '/';
    if (name[bytes - 1] == '/')
        name[bytes - 1] = 'z';
    name[bytes] = '\0';
    struct archive_member member = member_of(name, S_IFREG | 0644, 3);
    const struct member *read = round_trip(&member, "abc", &step);
    ck_assert_uint_eq(read->path_bytes, bytes);
    ck_assert_str_eq(read->path, name);

    member = member_of("link", S_IFLNK | 0777, 0);
    member_target(&member, name);
    read = round_trip(&member, "", &step);
    ck_assert_uint_eq(read->target_bytes, bytes);
    ck_assert_str_eq(read->target, name);
    check_after(&step);
    member.is_hard_link = true;
    read = round_trip(&member, "", &step);
    ck_assert_str_eq(read->target, name);
    check_after(&step);
    free(name);
}
END_TEST

static const char *const names[] = {"gr\xc3\xbc\xc3\x9f", "\xff\xfe latin \xe9", "a\nb\t\x01=%",
                                    "e\xcc\x81", "\xed\xa0\x80"};

START_TEST(bytes_of_names)
{
    struct untar_step step;
    for (size_t prefix = 0; prefix <= 300; prefix += 300) {
        char name[400];
        memset(name, 'p', prefix);
        strcpy(name + prefix, names[_i]);
        struct archive_member member = member_of(name, S_IFREG | 0644, 0);
        ck_assert_str_eq(round_trip(&member, "", &step)->path, name);
        check_after(&step);
    }
}
END_TEST

/* Numbers. */

START_TEST(sizes)
{
    static const uint64_t values[] = {0,          511,        1ull << 32, (1ull << 33) - 1,
                                      1ull << 33, 1ull << 40, 1ull << 62};
    struct archive_member member = member_of("f", S_IFREG | 0644, values[_i]);
    struct untar_step step;
    ck_assert_uint_eq(round_trip(&member, NULL, &step)->stat.size_bytes, values[_i]);
    ck_assert(!untar_is_sparse(untar));
    ck_assert_int_eq(untar_next(untar, &step), values[_i] ? UNTAR_MORE : UNTAR_DONE);
    ck_assert_int_eq(untar_finish(untar), values[_i] ? -ENODATA : 1);
}
END_TEST

START_TEST(owners_and_devices)
{
    static const uint32_t values[] = {0, 262144, 2097151, 2097152, UINT32_MAX - 1};
    struct untar_step step;
    struct archive_member member = member_of("f", S_IFCHR | 0644, 0);
    member.stat.uid = values[_i];
    member.stat.gid = values[4 - _i];
    member.stat.rdev = makedev(values[_i] & 0xfff, values[4 - _i] & 0xfffff);
    const struct member *read = round_trip(&member, "", &step);
    check_stat(&read->stat, &member.stat);
    ck_assert_uint_eq(read->stat.rdev, member.stat.rdev);
    check_after(&step);
}
END_TEST

START_TEST(times)
{
    static const struct {
        int64_t seconds;
        uint32_t ns;
    } values[] = {
        {0, 0},           {1ll << 31, 0}, {(1ll << 33) - 1, 0}, {1ll << 33, 0},   {1ll << 33, 500},
        {1ll << 40, 123}, {-1, 0},        {-2000000000, 0},     {-2000000000, 1}, {-2, 750000000}};
    struct archive_member member = member_of("f", S_IFREG | 0644, 0);
    struct untar_step step;
    member.stat.mtime_seconds = values[_i].seconds;
    member.stat.mtime_ns = values[_i].ns;
    const struct member *read = round_trip(&member, "", &step);
    check_stat(&read->stat, &member.stat);
    ck_assert_uint_eq(read->stat.mtime_ns, values[_i].ns);
    check_after(&step);
}
END_TEST

/* Sparse files. */

#define MIB (1ull << 20)

static const struct {
    uint64_t size;
    size_t count;
    struct archive_extent extents[4];
    bool is_sparse;
} sparse[] = {
    {MIB, 0, {{0, 0}}, true},
    {0, 0, {{0, 0}}, false},
    {MIB, 1, {{0, MIB}}, false},
    {MIB, 1, {{0, 4096}}, true},
    {MIB, 1, {{MIB - 4096, 4096}}, true},
    {MIB, 3, {{4096, 4096}, {65536, 512}, {100352, 512}}, true},
    {MIB + 5, 2, {{8192, 8192}, {MIB - 4096, 4101}}, true},
    {9ull << 30, 2, {{4096, 512}, {8ull << 30, 512}}, true},
};

START_TEST(sparse_files)
{
    struct archive_member member = member_of("s", S_IFREG | 0644, sparse[_i].size);
    struct untar_step step;
    static uint8_t data[MIB];
    for (size_t i = 0; i < MIB; i++)
        data[i] = (uint8_t)(i * 7 % 251 + 1);
    member.extents = sparse[_i].extents;
    member.extent_count = sparse[_i].count;
    const struct member *read = round_trip(&member, data, &step);
    ck_assert_str_eq(read->path, "s");
    ck_assert_uint_eq(read->stat.size_bytes, sparse[_i].size);
    ck_assert_int_eq(untar_is_sparse(untar), sparse[_i].is_sparse);
    const uint8_t *expected = data;
    for (size_t i = 0; i < sparse[_i].count; i++) {
        ck_assert_int_eq(untar_next(untar, &step), UNTAR_DATA);
        ck_assert_uint_eq(step.offset, sparse[_i].extents[i].offset);
        ck_assert_uint_eq(step.data_bytes, sparse[_i].extents[i].bytes);
        ck_assert_int_eq(memcmp(step.data, expected, step.data_bytes), 0);
        expected += step.data_bytes;
    }
    check_after(&step);
}
END_TEST

START_TEST(many_extents)
{
    enum { COUNT = 50000 };
    static struct archive_extent extents[COUNT];
    static uint8_t data[COUNT * 512];
    for (size_t i = 0; i < COUNT; i++)
        extents[i] = (struct archive_extent){(1ull << 50) + i * 1024, 512};
    struct archive_member member = member_of("f", S_IFREG | 0644, 1ull << 59);
    struct untar_step step;
    member.extents = extents;
    member.extent_count = COUNT;
    pack_tar_member(&pack, writer, &member, data);
    step = (struct untar_step){.input = pack.bytes, .input_bytes = pack.used};
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_MEMBER);
    for (size_t i = 0; i < COUNT; i++)
        if (untar_next(untar, &step) != UNTAR_DATA || step.offset != extents[i].offset ||
            step.data_bytes != 512)
            ck_abort_msg("extent %zu", i);
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_DONE);
}
END_TEST

/* Attributes. */

static const uint8_t acl[] = {2,   0,   0,   0, //
                              1,   0,   6,   0,   255, 255, 255, 255, 2, 0, 7,   0,   7,   0,
                              0,   0,   2,   0,   4,   0,   0,   1,   0, 0, 4,   0,   7,   0,
                              255, 255, 255, 255, 8,   0,   4,   0,   1, 0, 0,   0,   16,  0,
                              4,   0,   255, 255, 255, 255, 32,  0,   0, 0, 255, 255, 255, 255};

static size_t pack_attributes(uint8_t *packed, size_t capacity)
{
    static char large[30000];
    static const struct {
        const char *name;
        const void *value;
        size_t bytes;
    } attributes[] = {
        {"security.selinux", "user_u:object_r", 16},
        {METADATA_ACL_ACCESS, acl, sizeof acl},
        {METADATA_ACL_DEFAULT, acl, sizeof acl},
        {"user.a=b%c%41", "x", 1},
        {"user.empty", NULL, 0},
        {"user.large", large, sizeof large},
        {"user.\xc3\xbc\xff", "\0\n=\xff", 4},
    };
    size_t used = 0;
    memset(large, 'v', sizeof large);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        ptrdiff_t now = metadata_add(packed, used, capacity, attributes[i].name,
                                     attributes[i].value, attributes[i].bytes);
        ck_assert_int_gt(now, 0);
        used = (size_t)now;
    }
    return used;
}

/* With names of owners and without; root and daemon are everywhere. */
START_TEST(attributes)
{
    static uint8_t packed[METADATA_MAX_BYTES];
    struct untar_step step;
    struct archive_member member = member_of("d", S_IFDIR | 0640, 0);
    tar_writer_destroy(writer);
    struct archive_options options = {.numeric_owner = _i};
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
    member.attributes = packed;
    member.attribute_bytes = pack_attributes(packed, sizeof packed);
    const struct member *read = round_trip(&member, "", &step);
    ck_assert_uint_eq(read->stat.mode, S_IFDIR | 0640);
    ck_assert_uint_eq(read->attribute_bytes, member.attribute_bytes);
    ck_assert_int_eq(memcmp(read->attributes, packed, member.attribute_bytes), 0);
    ck_assert(!read->lost_attributes);
    ck_assert_str_eq(read->user ? read->user : "", _i ? "" : "root");
    check_after(&step);
}
END_TEST

/* Positions: of the first of the headers, and of the data. */
START_TEST(positions)
{
    char name[300];
    memset(name, 'n', sizeof name);
    struct archive_member plain = member_of("f", S_IFREG | 0644, 5), large = plain;
    large.path = name;
    large.path_bytes = sizeof name;
    struct untar_step step;
    pack_tar_member(&pack, writer, &plain, "abcde");
    size_t header = pack_tar_member(&pack, writer, &large, "abcde");
    step = (struct untar_step){.input = pack.bytes, .input_bytes = pack.used};
    ck_assert_uint_eq(untar_position(untar), 0);
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_MEMBER);
    ck_assert_uint_eq(untar_member_position(untar), 0);
    ck_assert_uint_eq(untar_position(untar), 512);
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_DATA);
    ck_assert_uint_eq(untar_position(untar), 517);
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_DONE);
    ck_assert_int_eq(untar_next(untar, &step), UNTAR_MEMBER);
    ck_assert_uint_eq(untar_member_position(untar), 1024);
    ck_assert_uint_eq(untar_position(untar), 1024 + header);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("untar");
    TCase *tar = tcase_create("round trips");
    tcase_set_timeout(tar, 60);
    tcase_add_checked_fixture(tar, setup, teardown);
    tcase_add_loop_test(tar, every_kind, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(tar, lengths_of_names, 0, sizeof lengths / sizeof *lengths);
    tcase_add_loop_test(tar, bytes_of_names, 0, sizeof names / sizeof *names);
    tcase_add_loop_test(tar, sizes, 0, 7);
    tcase_add_loop_test(tar, owners_and_devices, 0, 5);
    tcase_add_loop_test(tar, times, 0, 10);
    tcase_add_loop_test(tar, sparse_files, 0, sizeof sparse / sizeof *sparse);
    tcase_add_test(tar, many_extents);
    tcase_add_loop_test(tar, attributes, 0, 2);
    tcase_add_test(tar, positions);
    suite_add_tcase(suite, tar);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
