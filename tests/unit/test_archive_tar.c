/* Headers of tar, read back by libarchive: every kind of member, and both sides of every limit of
 * the ustar header. */
#include <errno.h>
#include <grp.h>
#include <locale.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/unit/tar_reading.h"

#define PLAIN TAR_BLOCK_BYTES /* the length of a header that is a ustar header alone */

static void check_status(struct archive_entry *entry, const struct file_stat *stat)
{
    ck_assert_uint_eq(archive_entry_mode(entry), stat->mode);
    ck_assert_int_eq(archive_entry_uid(entry), stat->uid);
    ck_assert_int_eq(archive_entry_gid(entry), stat->gid);
    ck_assert_int_eq(archive_entry_mtime(entry), stat->mtime_seconds);
}

static const uint32_t kinds[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO};

START_TEST(every_kind)
{
    struct archive_member member = member_of("some/name", kinds[_i] | 04751, 12345);
    member.stat.uid = 12;
    member.stat.gid = 34;
    member.stat.rdev = makedev(8, 257);
    member_target(&member, "a target");

    size_t header;
    struct reading reading = round_trip(&member, &header);
    ck_assert_uint_eq(header, PLAIN);
    check_status(reading.entry, &member.stat);
    ck_assert_str_eq(archive_entry_pathname(reading.entry),
                     kinds[_i] == S_IFDIR ? "some/name/" : "some/name");
    ck_assert_int_eq(archive_entry_size(reading.entry), kinds[_i] == S_IFREG ? 12345 : 0);
    if (kinds[_i] == S_IFLNK)
        ck_assert_str_eq(archive_entry_symlink(reading.entry), "a target");
    if (kinds[_i] == S_IFCHR || kinds[_i] == S_IFBLK) {
        ck_assert_uint_eq(archive_entry_rdevmajor(reading.entry), 8);
        ck_assert_uint_eq(archive_entry_rdevminor(reading.entry), 257);
    }
    done(&reading);

    member.is_hard_link = true;
    ck_assert_uint_eq(archive_data_bytes(&member), 0);
    reading = round_trip(&member, &header);
    ck_assert_uint_eq(header, PLAIN);
    ck_assert_str_eq(archive_entry_hardlink(reading.entry), "a target");
    ck_assert_str_eq(archive_entry_pathname(reading.entry), "some/name");
    done(&reading);
}
END_TEST

START_TEST(what_is_refused)
{
    uint8_t room[ARCHIVE_HEADER_BOUND(100)];
    struct archive_extent extents[2] = {{0, 10}, {5, 10}};
    struct archive_member member = member_of("socket", S_IFSOCK | 0600, 0);
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -ENOTSUP);
    member = member_of("", S_IFREG, 0);
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    member = member_of("ab", S_IFREG, 0);
    member.path = "a\0b";
    member.path_bytes = 3;
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    member = member_of("link", S_IFLNK | 0777, 0);
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    member = member_of("sparse", S_IFREG | 0600, 100);
    member.extents = extents;
    member.extent_count = 2;
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    extents[1] = (struct archive_extent){50, 10};
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    member.extent_count = 1;
    ck_assert_int_gt(tar_header(writer, &member, room, sizeof room), 0);
    extents[0] = (struct archive_extent){50, 51};
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
    extents[0] = (struct archive_extent){UINT64_MAX, 2};
    ck_assert_int_eq(tar_header(writer, &member, room, sizeof room), -EINVAL);
}
END_TEST

/* Every room that is too small is -ENOBUFS, and nothing beyond it is touched. */
START_TEST(every_room)
{
    struct archive_member member = member_of("name", S_IFREG | 0644, 1ull << 33);
    uint8_t bytes[4096];
    ptrdiff_t whole = tar_header(writer, &member, bytes, sizeof bytes);
    ck_assert_int_gt(whole, PLAIN);
    for (ptrdiff_t capacity = 0; capacity <= whole; capacity++) {
        memset(bytes, '~', sizeof bytes);
        ptrdiff_t written = tar_header(writer, &member, bytes, (size_t)capacity);
        ck_assert_int_eq(written, capacity < whole ? -ENOBUFS : whole);
        for (size_t i = (size_t)capacity; i < sizeof bytes; i++)
            if (bytes[i] != '~')
                ck_abort_msg("room for %td: byte %zu was written", capacity, i);
    }
}
END_TEST

/* Names. */

/* Components of so many bytes, together so many. */
static char *name_of(size_t bytes, size_t component)
{
    char *name = malloc(bytes + 1);
    ck_assert_ptr_nonnull(name);
    for (size_t i = 0; i < bytes; i++)
        name[i] = (i + 1) % (component + 1) ? (char)('a' + i % 26) : '/';
    if (name[bytes - 1] == '/')
        name[bytes - 1] = 'z';
    name[bytes] = '\0';
    return name;
}

static const struct {
    size_t bytes, component;
    bool plain;           /* as a file */
    bool plain_directory; /* with the slash behind it */
} lengths[] = {
    {1, 255, true, true},      {99, 255, true, true},     {100, 255, true, false},
    {101, 255, false, false},  {101, 50, true, true},     {102, 1, true, true},
    {200, 100, true, true},    {201, 100, true, false},   {256, 155, true, false},
    {257, 155, false, false},  {257, 156, false, false},  {255, 154, true, false},
    {256, 50, false, false},   {257, 50, false, false},   {1000, 99, false, false},
    {5000, 255, false, false}, {40000, 20, false, false},
};

START_TEST(lengths_of_names)
{
    char *name = name_of(lengths[_i].bytes, lengths[_i].component);
    struct archive_member member = member_of(name, S_IFREG | 0644, 77);
    size_t header;
    struct reading reading = round_trip(&member, &header);
    ck_assert_str_eq(archive_entry_pathname(reading.entry), name);
    ck_assert_msg((header == PLAIN) == lengths[_i].plain, "%zu", header);
    done(&reading);

    member.stat.mode = S_IFDIR | 0755;
    reading = round_trip(&member, &header);
    ck_assert_uint_eq(strlen(archive_entry_pathname(reading.entry)), lengths[_i].bytes + 1);
    ck_assert_int_eq(memcmp(archive_entry_pathname(reading.entry), name, lengths[_i].bytes), 0);
    ck_assert_msg((header == PLAIN) == lengths[_i].plain_directory, "%zu", header);
    done(&reading);

    member = member_of("link", S_IFLNK | 0777, 77);
    member_target(&member, name);
    reading = round_trip(&member, &header);
    ck_assert_str_eq(archive_entry_symlink(reading.entry), name);
    ck_assert_int_eq(header == PLAIN, lengths[_i].bytes <= 100);
    done(&reading);
    member.is_hard_link = true;
    reading = round_trip(&member, &header);
    ck_assert_str_eq(archive_entry_hardlink(reading.entry), name);
    ck_assert_int_eq(header == PLAIN, lengths[_i].bytes <= 100);
    done(&reading);
    free(name);
}
END_TEST

#define DECOMPOSED "e\xcc\x81"

/* The reader needs a locale of its own to make anything of UTF-8; the writer does not. */
static void check_bytes_beyond_ascii(const char *bytes, size_t prefix)
{
    char name[400];
    memset(name, 'p', prefix);
    strcpy(name + prefix, bytes);
    struct archive_member member = member_of(name, S_IFREG | 0644, 0);
    size_t header;
    setlocale(LC_ALL, "C");
    pack.used = 0;
    header = pack_tar_member(&pack, writer, &member, NULL);
    setlocale(LC_ALL, "C.UTF-8");
    ck_assert_int_eq(header == PLAIN, prefix == 0);
    ck_assert_ptr_nonnull(memmem(pack.bytes, pack.used, name, strlen(name)));
    struct reading reading = read_back();
    /* libarchive composes what it reads as UTF-8, from a pax header, into NFC. */
    if (strcmp(bytes, DECOMPOSED) != 0)
        ck_assert_str_eq(archive_entry_pathname(reading.entry), name);
    done(&reading);
    setlocale(LC_ALL, "C");
}

START_TEST(names_beyond_ascii)
{
    static const char *const names[] = {"gr\xc3\xbc\xc3\x9f", "\xff\xfe latin \xe9",
                                        "a\nb\t\x01",         DECOMPOSED,
                                        "\xed\xa0\x80",       "\xf0\x9f\x98\x80"};
    check_bytes_beyond_ascii(names[_i], 0);
    check_bytes_beyond_ascii(names[_i], 200);
}
END_TEST

/* Numbers. */

START_TEST(sizes)
{
    static const uint64_t values[] = {0,          511,        1ull << 32, (1ull << 33) - 1,
                                      1ull << 33, 1ull << 40, 1ull << 59};
    struct archive_member member = member_of("f", S_IFREG | 0644, values[_i]);
    size_t header;
    struct reading reading = round_trip(&member, &header);
    ck_assert_int_eq(archive_entry_size(reading.entry), (int64_t)values[_i]);
    ck_assert_int_eq(header == PLAIN, values[_i] < 1ull << 33);
    done(&reading);
}
END_TEST

START_TEST(owners)
{
    static const uint32_t values[] = {0, 262144, 2097151, 2097152, UINT32_MAX - 1};
    struct archive_member member = member_of("f", S_IFREG | 0644, 1);
    for (int other = 0; other < 2; other++) {
        member.stat.uid = other ? 1 : values[_i];
        member.stat.gid = other ? values[_i] : 1;
        size_t header;
        struct reading reading = round_trip(&member, &header);
        check_status(reading.entry, &member.stat);
        ck_assert_int_eq(header == PLAIN, values[_i] < 2097152);
        done(&reading);
    }
}
END_TEST

START_TEST(devices)
{
    static const unsigned values[] = {0, 255, 1048575, 2097151, 2097152, 16777215};
    struct archive_member member = member_of("f", S_IFCHR | 0644, 0);
    for (int other = 0; other < 2; other++) {
        member.stat.rdev = other ? makedev(1, values[_i]) : makedev(values[_i], 1);
        size_t header;
        struct reading reading = round_trip(&member, &header);
        ck_assert_uint_eq(archive_entry_rdevmajor(reading.entry), other ? 1 : values[_i]);
        ck_assert_uint_eq(archive_entry_rdevminor(reading.entry), other ? values[_i] : 1);
        ck_assert_int_eq(header == PLAIN, values[_i] < 2097152);
        done(&reading);
    }
}
END_TEST

START_TEST(times)
{
    static const struct {
        int64_t seconds;
        uint32_t ns;
        bool plain;
    } values[] = {{0, 0, true},          {0, 1, true},
                  {1ll << 31, 0, true},  {(1ll << 33) - 1, 999999999, true},
                  {1ll << 33, 0, false}, {1ll << 33, 5, false},
                  {-1, 0, false},        {-2000000000, 0, false}};
    struct archive_member member = member_of("f", S_IFREG | 0644, 0);
    member.stat.mtime_seconds = values[_i].seconds;
    member.stat.mtime_ns = values[_i].ns;
    size_t header;
    struct reading reading = round_trip(&member, &header);
    ck_assert_int_eq(archive_entry_mtime(reading.entry), values[_i].seconds);
    bool has_fraction = !values[_i].plain && values[_i].seconds >= 0;
    ck_assert_int_eq(archive_entry_mtime_nsec(reading.entry), has_fraction ? values[_i].ns : 0);
    ck_assert_int_eq(header == PLAIN, values[_i].plain);
    done(&reading);
}
END_TEST

/* As POSIX has them and GNU tar reads them; libarchive 3.6.2 reads them as it would write them. */
START_TEST(fractions_before_1970)
{
    static const struct {
        int64_t seconds;
        uint32_t ns;
        const char *record;
    } values[] = {{-2, 750000000, " mtime=-1.25\n"},
                  {-3, 1, " mtime=-2.999999999\n"},
                  {-2000000000, 999999999, " mtime=-1999999999.000000001\n"},
                  {-1, 500000000, " mtime=-1\n"}};
    struct archive_member member = member_of("f", S_IFREG | 0644, 0);
    member.stat.mtime_seconds = values[_i].seconds;
    member.stat.mtime_ns = values[_i].ns;
    pack_tar_member(&pack, writer, &member, NULL);
    ck_assert_ptr_nonnull(
        memmem(pack.bytes, pack.used, values[_i].record, strlen(values[_i].record)));
}
END_TEST

/* Fractions come along where there is a pax header anyway. */
START_TEST(fractions_beside_long_names)
{
    char *name = name_of(300, 255);
    struct archive_member member = member_of(name, S_IFREG | 0644, 0);
    member.stat.mtime_ns = 123456789;
    struct reading reading = round_trip(&member, NULL);
    ck_assert_int_eq(archive_entry_mtime_nsec(reading.entry), 123456789);
    done(&reading);
    free(name);
}
END_TEST

/* Owners and options. */

START_TEST(names_of_owners)
{
    teardown();
    setup_with((struct archive_options){0});
    struct archive_member member = member_of("f", S_IFREG | 0644, 0);
    for (int round = 0; round < 2; round++) {
        for (uint32_t id = 0; id < 200; id++) { /* more than are remembered */
            member.stat.uid = member.stat.gid = id;
            struct reading reading = round_trip(&member, NULL);
            struct passwd *user = getpwuid(id);
            struct group *group = getgrgid(id);
            const char *name = archive_entry_uname(reading.entry);
            ck_assert_str_eq(name ? name : "", user ? user->pw_name : "");
            name = archive_entry_gname(reading.entry);
            ck_assert_str_eq(name ? name : "", group ? group->gr_name : "");
            done(&reading);
        }
    }
}
END_TEST

START_TEST(reproducible)
{
    static const struct {
        uint32_t given, stored;
    } modes[] = {
        {S_IFREG | 0600, S_IFREG | 0644}, {S_IFREG | 04711, S_IFREG | 0755},
        {S_IFREG | 0655, S_IFREG | 0644}, {S_IFDIR | 02700, S_IFDIR | 0755},
        {S_IFLNK | 0700, S_IFLNK | 0777}, {S_IFIFO | 0622, S_IFIFO | 0644},
    };
    teardown();
    setup_with((struct archive_options){
        .reproducible = true, .clamp_mtime = true, .mtime_max_seconds = 1000});
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct archive_member member = member_of("f", modes[i].given, 0);
        member.stat.uid = member.stat.gid = 3000000;
        member.stat.mtime_ns = 5;
        member_target(&member, "t");
        size_t header;
        struct reading reading = round_trip(&member, &header);
        ck_assert_uint_eq(header, PLAIN);
        check_status(reading.entry,
                     &(struct file_stat){.mode = modes[i].stored, .mtime_seconds = 1000});
        ck_assert(!archive_entry_uname(reading.entry) || !*archive_entry_uname(reading.entry));
        done(&reading);
        member.stat.mtime_seconds = 999;
        reading = round_trip(&member, &header);
        ck_assert_int_eq(archive_entry_mtime(reading.entry), 999);
        done(&reading);
    }
}
END_TEST

/* Determinism. */

START_TEST(same_bytes_every_time)
{
    char *name = name_of(5000, 100);
    struct archive_extent extents[] = {{4096, 512}, {8192, 8}};
    struct archive_member member = member_of(name, S_IFREG | 0644, 1ull << 34);
    member.extents = extents;
    member.extent_count = 2;
    static uint8_t first[ARCHIVE_HEADER_BOUND(6000)], second[sizeof first];
    ptrdiff_t bytes = tar_header(writer, &member, first, sizeof first);
    teardown();
    sleep(1);
    setup();
    ck_assert_int_eq(tar_header(writer, &member, second, sizeof second), bytes);
    ck_assert_int_eq(memcmp(first, second, (size_t)bytes), 0);
    free(name);
}
END_TEST

START_TEST(aligned_extents)
{
    struct archive_extent extents[] = {{0, 1},    {511, 2},     {2000, 0},   {2048, 512},
                                       {2560, 1}, {10000, 100}, {12000, 300}};
    static const struct archive_extent expected[] = {
        {0, 1024}, {2048, 1024}, {9728, 512}, {11776, 400}};
    ck_assert_uint_eq(archive_extents_align(extents, 7, 12176), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(extents[i].offset, expected[i].offset);
        ck_assert_uint_eq(extents[i].bytes, expected[i].bytes);
    }
    ck_assert_uint_eq(archive_extents_align(NULL, 0, 5), 0);
    extents[0] = (struct archive_extent){100, 100}; /* the file has become shorter */
    ck_assert_uint_eq(archive_extents_align(extents, 1, 0), 0);
}
END_TEST

/* The longest numbers there are, in the room that is said to be enough. */
START_TEST(many_extents)
{
    enum { COUNT = 5000 };
    static struct archive_extent extents[COUNT];
    uint64_t first = (1ull << 59) - COUNT * 1024ull;
    for (size_t i = 0; i < COUNT; i++)
        extents[i] = (struct archive_extent){first + i * 1024, 512};
    struct archive_member member = member_of("f", S_IFREG | 0644, 1ull << 59);
    member.extents = extents;
    member.extent_count = COUNT;
    struct reading reading = round_trip(&member, NULL);
    ck_assert_int_eq(archive_entry_size(reading.entry), 1ll << 59);
    done(&reading);
}
END_TEST

START_TEST(ends)
{
    for (uint64_t bytes = 0; bytes < 1 << 16; bytes += TAR_BLOCK_BYTES) {
        ck_assert_uint_ge(tar_end_bytes(bytes), 1024);
        ck_assert_uint_le(tar_end_bytes(bytes), TAR_END_MAX);
        ck_assert_uint_eq((bytes + tar_end_bytes(bytes)) % 10240, 0);
    }
    ck_assert_uint_eq(tar_end_bytes(10240 - 1024), 1024);
    ck_assert_uint_eq(tar_padding(0), 0);
    ck_assert_uint_eq(tar_padding(1), 511);
    ck_assert_uint_eq(tar_padding((1ull << 40) + 512), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archive_tar");
    TCase *tar = tcase_create("headers");
    tcase_add_checked_fixture(tar, setup, teardown);
    tcase_add_loop_test(tar, every_kind, 0, sizeof kinds / sizeof *kinds);
    tcase_add_test(tar, what_is_refused);
    tcase_add_test(tar, every_room);
    tcase_add_loop_test(tar, lengths_of_names, 0, sizeof lengths / sizeof *lengths);
    tcase_add_loop_test(tar, names_beyond_ascii, 0, 6);
    tcase_add_loop_test(tar, sizes, 0, 7);
    tcase_add_loop_test(tar, owners, 0, 5);
    tcase_add_loop_test(tar, devices, 0, 6);
    tcase_add_loop_test(tar, times, 0, 8);
    tcase_add_loop_test(tar, fractions_before_1970, 0, 4);
    tcase_add_test(tar, fractions_beside_long_names);
    tcase_add_test(tar, names_of_owners);
    tcase_add_test(tar, reproducible);
    tcase_add_test(tar, same_bytes_every_time);
    tcase_add_test(tar, aligned_extents);
    tcase_add_test(tar, many_extents);
    tcase_add_test(tar, ends);
    suite_add_tcase(suite, tar);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
