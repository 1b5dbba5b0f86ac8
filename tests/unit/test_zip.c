/* Headers and central directory of zip, read back by libarchive and by the tools that people have:
 * unzip, zipinfo, 7z, bsdtar. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "stages/zip.h"
#include "tests/unit/archive_pack.h"

static char directory[64];
static struct pack pack;
static struct zip_directory *central;
static struct archive_options options;

static void setup(void)
{
    strcpy(directory, "/tmp/test_zip.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    options = (struct archive_options){0};
    ck_assert_int_eq(zip_directory_create(&options, 0, directory, &central), 0);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "cd / && rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
    zip_directory_destroy(central);
    central = NULL;
    pack_free(&pack);
}

static int to_pack(void *context, const void *data, size_t bytes)
{
    pack_bytes(context, data, bytes);
    return 0;
}

static void finish(void)
{
    ck_assert_int_eq(zip_directory_end(central, pack.used, to_pack, &pack), 0);
}

static size_t deflated(const void *data, size_t bytes, uint8_t *output, size_t capacity)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)bytes;
    stream.next_out = output;
    stream.avail_out = (uInt)capacity;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static void pack_header(const struct zip_entry *entry)
{
    size_t room = ZIP_HEADER_BOUND(entry->member->path_bytes);
    uint8_t *to = pack_room(&pack, room);
    ptrdiff_t header = zip_local_header(&options, entry, to, room);
    ck_assert_int_gt(header, 0);
    pack.used += (size_t)header;
}

enum how { STREAMED, KNOWN, STORED };

/* A member with its data. Of the status's size nothing is believed but what decides on zip64. */
static void add(const struct archive_member *member, enum how how, const void *data, size_t bytes)
{
    struct zip_entry entry;
    uint8_t output[4096];
    ck_assert_int_eq(zip_entry_of(member, &entry), 0);
    entry.offset = pack.used;
    if ((member->stat.mode & S_IFMT) != S_IFREG) {
        ck_assert(!entry.streamed);
        pack_header(&entry);
        pack_bytes(&pack, member->target, entry.compressed_bytes);
        ck_assert_int_eq(zip_directory_add(central, &entry), 0);
        return;
    }
    size_t compressed = bytes;
    if (how == STORED) {
        entry.method = ZIP_STORED;
        memcpy(output, data, bytes);
    } else {
        compressed = deflated(data, bytes, output, sizeof output);
    }
    entry.streamed = how == STREAMED;
    if (how == STREAMED)
        pack_header(&entry); /* before the numbers are there */
    entry.crc32 = (uint32_t)crc32_z(0, data, bytes);
    entry.compressed_bytes = compressed;
    entry.uncompressed_bytes = bytes;
    if (how != STREAMED)
        pack_header(&entry);
    pack_bytes(&pack, output, compressed);
    if (how == STREAMED) {
        ptrdiff_t descriptor =
            zip_descriptor(&entry, pack_room(&pack, ZIP_DESCRIPTOR_BOUND), ZIP_DESCRIPTOR_BOUND);
        ck_assert_int_gt(descriptor, 0);
        pack.used += (size_t)descriptor;
    }
    ck_assert_int_eq(zip_directory_add(central, &entry), 0);
}

static void check_with_tools(void)
{
    pack_to_file(&pack, "a.zip");
    run_tool("unzip", "unzip -tq a.zip >/dev/null");
    run_tool("zipinfo", "zipinfo -t a.zip >list");
    run_tool("7z", "7z t a.zip >list");
    run_tool("bsdtar", "LC_ALL=C.UTF-8 bsdtar -tvf a.zip >list");
}

/* By its directory, and as a stream from its front. */
static struct archive *open_zip(bool seekable)
{
    struct archive *archive = archive_read_new();
    ck_assert_int_eq(seekable ? archive_read_support_format_zip_seekable(archive)
                              : archive_read_support_format_zip_streamable(archive),
                     ARCHIVE_OK);
    ck_assert_int_eq(archive_read_open_memory(archive, pack.bytes, pack.used), ARCHIVE_OK);
    return archive;
}

static struct archive_entry *next(struct archive *archive, const char *path)
{
    struct archive_entry *entry;
    int status = archive_read_next_header(archive, &entry);
    ck_assert_msg(status == ARCHIVE_OK, "%s: %s", path, archive_error_string(archive));
    ck_assert_str_eq(archive_entry_pathname(entry), path);
    return entry;
}

static void check_data(struct archive *archive, const char *content)
{
    char data[4096];
    la_ssize_t bytes = archive_read_data(archive, data, sizeof data);
    ck_assert_msg(bytes >= 0, "%s", archive_error_string(archive));
    ck_assert_uint_eq(bytes, strlen(content));
    ck_assert_int_eq(memcmp(data, content, strlen(content)), 0);
    /* libarchive looks at the descriptor once it is asked for more. */
    ck_assert_int_eq(archive_read_data(archive, data, sizeof data), 0);
}

static const char content[] = "some content, some content, some content\n";
#define CONTENT content, sizeof content - 1

START_TEST(kinds)
{
    struct archive_member member = member_of("dir", S_IFDIR | 0750, 4096);
    add(&member, STREAMED, NULL, 0);
    for (int how = STREAMED; how <= STORED; how++) {
        char path[] = "dir/file0";
        path[8] = (char)('0' + how);
        member = member_of(path, S_IFREG | 04711, sizeof content - 1);
        member.stat.uid = 70000;
        member.stat.gid = 80000;
        add(&member, how, CONTENT);
        path[7] = '_';
        member.path = path;
        add(&member, how, "", 0);
    }
    member = member_of("link", S_IFLNK | 0777, 3);
    member_target(&member, "some/target");
    add(&member, STREAMED, NULL, 0);
    finish();

    struct archive *archive = open_zip(true);
    struct archive_entry *entry = next(archive, "dir/");
    ck_assert_uint_eq(archive_entry_mode(entry), S_IFDIR | 0750);
    for (int how = STREAMED; how <= STORED; how++) {
        char path[] = "dir/file0";
        path[8] = (char)('0' + how);
        entry = next(archive, path);
        ck_assert_uint_eq(archive_entry_mode(entry), S_IFREG | 04711);
        ck_assert_int_eq(archive_entry_mtime(entry), 1700000000);
        ck_assert_int_eq(archive_entry_uid(entry), 70000);
        ck_assert_int_eq(archive_entry_gid(entry), 80000);
        ck_assert_int_eq(archive_entry_size(entry), sizeof content - 1);
        check_data(archive, content);
        path[7] = '_';
        next(archive, path);
        check_data(archive, "");
    }
    entry = next(archive, "link");
    ck_assert_str_eq(archive_entry_symlink(entry), "some/target");
    ck_assert_int_eq(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
    archive_read_free(archive);
    check_with_tools();
    run_tool("unzip",
             "unzip -qK a.zip && test \"$(readlink link)\" = some/target && test -d dir && "
             "test \"$(stat -c '%a %Y' dir/file0)\" = '4711 1700000000'");
}
END_TEST

/* A reader of a stream has the local headers and descriptors only. */
START_TEST(as_a_stream)
{
    static const uint64_t sizes[] = {0, 0xefffffff, 0xf0000000, 0xffffffff, 1ull << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct archive_member member = member_of("file", S_IFREG | 0644, sizes[i]);
        size_t before = pack.used;
        add(&member, STREAMED, CONTENT);
        uint16_t version = (uint16_t)(pack.bytes[before + 4] | pack.bytes[before + 5] << 8);
        ck_assert_uint_eq(version, sizes[i] < 0xf0000000 ? 20 : 45);
        add(&member, KNOWN, CONTENT);
    }
    finish();
    struct archive *archive = open_zip(false);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        next(archive, "file");
        check_data(archive, content);
    }
    archive_read_free(archive);
    pack_to_file(&pack, "a.zip");
    run_tool("7z", "7z t a.zip >list");
    run_tool("unzip", "unzip -tq a.zip >/dev/null");
}
END_TEST

START_TEST(what_is_refused)
{
    static const uint32_t modes[] = {S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK};
    struct zip_entry entry;
    struct archive_member member;
    uint8_t room[1024];
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        member = member_of("special", modes[i] | 0600, 0);
        ck_assert_int_eq(zip_entry_of(&member, &entry), -ENOTSUP);
    }
    member = member_of("hard", S_IFREG | 0600, 0);
    member.is_hard_link = true;
    member_target(&member, "other");
    ck_assert_int_eq(zip_entry_of(&member, &entry), -ENOTSUP);
    char *name = malloc(65537);
    ck_assert_ptr_nonnull(name);
    memset(name, 'n', 65536);
    name[65536] = '\0';
    member = member_of(name, S_IFREG | 0600, 0);
    ck_assert_int_eq(zip_entry_of(&member, &entry), -ENAMETOOLONG);
    name[65535] = '\0';
    member = member_of(name, S_IFDIR | 0600, 0);
    ck_assert_int_eq(zip_entry_of(&member, &entry), -ENAMETOOLONG);
    member = member_of(name, S_IFREG | 0600, 0);
    add(&member, KNOWN, CONTENT);
    ck_assert_int_eq(zip_entry_of(&member, &entry), 0);
    ck_assert_int_eq(zip_local_header(&options, &entry, room, sizeof room), -ENOBUFS);
    entry.uncompressed_bytes = 1ull << 32;
    ck_assert_int_eq(zip_descriptor(&entry, room, sizeof room), -EOVERFLOW);
    entry.uncompressed_bytes = 5;
    ck_assert_int_eq(zip_descriptor(&entry, room, ZIP_DESCRIPTOR_BOUND - 1), -ENOBUFS);
    ck_assert_int_eq(zip_descriptor(&entry, room, sizeof room), 16);
    free(name);
    finish();
    struct archive *archive = open_zip(true);
    struct archive_entry *found;
    ck_assert_int_eq(archive_read_next_header(archive, &found), ARCHIVE_OK);
    ck_assert_uint_eq(strlen(archive_entry_pathname(found)), 65535);
    archive_read_free(archive);
}
END_TEST

START_TEST(names_beyond_ascii)
{
    static const struct {
        const char *name;
        bool marked;
    } rows[] = {{"ascii", false}, {"gr\xc3\xbc\xc3\x9f", true}, {"\xff\xe9", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct archive_member member = member_of(rows[i].name, S_IFREG | 0644, 3);
        size_t before = pack.used;
        add(&member, KNOWN, CONTENT);
        ck_assert_int_eq((pack.bytes[before + 7] & 8) != 0, rows[i].marked);
        ck_assert_int_eq(memcmp(pack.bytes + before + 30, rows[i].name, strlen(rows[i].name)), 0);
    }
    finish();
    pack_to_file(&pack, "a.zip");
    run_tool("unzip", "unzip -tq a.zip >/dev/null");
    run_tool("7z", "7z t a.zip >list");
}
END_TEST

/* The date and time words of the first local header, as if they were UTC. */
static int64_t dos_seconds(void)
{
    const uint8_t *at = pack.bytes + 10;
    unsigned time = at[0] | at[1] << 8, date = at[2] | at[3] << 8;
    struct tm tm = {.tm_year = (int)(date >> 9) + 80,
                    .tm_mon = (int)(date >> 5 & 15) - 1,
                    .tm_mday = (int)date & 31,
                    .tm_hour = (int)time >> 11,
                    .tm_min = (int)(time >> 5 & 63),
                    .tm_sec = (int)(time & 31) * 2};
    return timegm(&tm);
}

START_TEST(times)
{
    static const int64_t first = 315532800, last = 4354819198; /* of 1980, of 2107 */
    static const int64_t rows[] = {1700000001, 0,    -5000000000, 315532800, 315532799,
                                   4294967296, last, last + 2,    1ll << 40};
    setenv("TZ", "XXX-5", 1); /* five hours ahead */
    tzset();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct archive_member member = member_of("f", S_IFREG | 0644, 3);
        member.stat.mtime_seconds = rows[i];
        for (int utc = 0; utc < 2; utc++) {
            options.reproducible = utc;
            pack.used = 0;
            add(&member, KNOWN, CONTENT);
            int64_t expected = (rows[i] & ~1ll) + (utc ? 0 : 5 * 3600);
            expected = expected < first ? first : expected > last ? last : expected;
            ck_assert_int_eq(dos_seconds(), expected);
        }
    }
}
END_TEST

START_TEST(reproducible)
{
    struct archive_member member = member_of("f", S_IFREG | 0751, 3);
    member.stat.uid = 5;
    options = (struct archive_options){
        .reproducible = true, .clamp_mtime = true, .mtime_max_seconds = 1600000000};
    zip_directory_destroy(central);
    ck_assert_int_eq(zip_directory_create(&options, 0, NULL, &central), 0);
    add(&member, KNOWN, CONTENT);
    finish();
    struct archive *archive = open_zip(true);
    struct archive_entry *entry = next(archive, "f");
    ck_assert_uint_eq(archive_entry_mode(entry), S_IFREG | 0755);
    ck_assert_int_eq(archive_entry_mtime(entry), 1600000000);
    ck_assert_int_eq(archive_entry_uid(entry), 0);
    archive_read_free(archive);
    ck_assert_ptr_null(memmem(pack.bytes, pack.used, "ux\x0b", 3));
}
END_TEST

/* Zip64. */

/* More members than 16 bits count, and more directory than the memory holds. */
START_TEST(many_members)
{
    static const unsigned counts[] = {65534, 65535, 65536, 100000};
    char path[32];
    bool good = true;
    for (unsigned i = 0; i < counts[_i]; i++) {
        snprintf(path, sizeof path, "d%u/f%u", i / 1000, i);
        struct archive_member member = member_of(path, S_IFREG | 0644, 0);
        struct zip_entry entry;
        good &= !zip_entry_of(&member, &entry);
        entry.method = ZIP_STORED;
        entry.streamed = false;
        entry.offset = pack.used;
        size_t room = ZIP_HEADER_BOUND(member.path_bytes);
        ptrdiff_t bytes = zip_local_header(&options, &entry, pack_room(&pack, room), room);
        good &= bytes > 0 && !zip_directory_add(central, &entry);
        pack.used += (size_t)bytes;
    }
    ck_assert(good);
    finish();
    ck_assert_int_eq(memmem(pack.bytes, pack.used, "PK\6\6", 4) != NULL, counts[_i] > 65534);
    struct archive *archive = open_zip(true);
    struct archive_entry *entry;
    unsigned found = 0;
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK)
        found++;
    archive_read_free(archive);
    ck_assert_uint_eq(found, counts[_i]);
    check_with_tools();
}
END_TEST

/* Sizes that need zip64, of members that are not there: headers only. */
START_TEST(large_sizes)
{
    static const uint64_t sizes[][2] = {
        {0xfffffffe, 0xfffffffe}, {0xffffffff, 5}, {5, 0xffffffff}, {1ull << 40, 1ull << 41}};
    for (size_t i = 0; i < 4; i++) {
        struct archive_member member = member_of("f", S_IFREG | 0644, sizes[i][0]);
        struct zip_entry entry;
        ck_assert_int_eq(zip_entry_of(&member, &entry), 0);
        entry.streamed = false;
        entry.uncompressed_bytes = sizes[i][0];
        entry.compressed_bytes = sizes[i][1];
        entry.offset = 0;
        pack.used = 0;
        zip_directory_destroy(central);
        ck_assert_int_eq(zip_directory_create(&options, 0, NULL, &central), 0);
        pack_header(&entry);
        ck_assert_int_eq(zip_directory_add(central, &entry), 0);
        finish();
        for (int seekable = 0; seekable < 2; seekable++) {
            struct archive *archive = open_zip(seekable);
            ck_assert_int_eq(archive_entry_size(next(archive, "f")), sizes[i][0]);
            archive_read_free(archive);
        }
        char command[100];
        pack_to_file(&pack, "a.zip");
        snprintf(command, sizeof command, "zipinfo -l a.zip | grep -q ' %ju .* %ju def'",
                 (uintmax_t)sizes[i][0], (uintmax_t)sizes[i][1]);
        run_tool("zipinfo", command);
    }
}
END_TEST

static int to_file(void *context, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, context) == bytes ? 0 : -EIO;
}

/* A member that begins behind 4 GiB. What is before it is a hole, of the file and of the archive.
 */
START_TEST(large_offsets)
{
    static const uint64_t offsets[] = {0xfffffffe, 0xffffffff, 5ull << 30};
    FILE *file = fopen("a.zip", "w");
    ck_assert_ptr_nonnull(file);
    struct archive_member member = member_of("first", S_IFREG | 0644, sizeof content - 1);
    add(&member, STREAMED, CONTENT);
    ck_assert_int_eq(to_file(file, pack.bytes, pack.used), 0);
    struct zip_entry entry;
    member.path = "other";
    ck_assert_int_eq(zip_entry_of(&member, &entry), 0);
    entry.method = ZIP_STORED;
    entry.streamed = false;
    entry.crc32 = (uint32_t)crc32_z(0, (const Bytef *)content, sizeof content - 1);
    entry.compressed_bytes = entry.uncompressed_bytes = sizeof content - 1;
    entry.offset = offsets[_i];
    pack.used = 0;
    pack_header(&entry);
    pack_bytes(&pack, CONTENT);
    ck_assert_int_eq(fseeko(file, (off_t)entry.offset, SEEK_SET), 0);
    ck_assert_int_eq(to_file(file, pack.bytes, pack.used), 0);
    ck_assert_int_eq(zip_directory_add(central, &entry), 0);
    ck_assert_int_eq(zip_directory_end(central, offsets[_i] + pack.used, to_file, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    run_tool("unzip",
             "unzip -tq a.zip >/dev/null && unzip -p a.zip other | grep -q '^some content'");
    run_tool("7z", "7z t a.zip >list");
    run_tool("bsdtar", "bsdtar -xOf a.zip other | grep -q '^some content'");
}
END_TEST

static int refuse(void *context, const void *data, size_t bytes)
{
    (void)context;
    (void)data;
    (void)bytes;
    return -ENOSPC;
}

START_TEST(failures)
{
    struct archive_member member = member_of("f", S_IFREG | 0644, 0);
    add(&member, STORED, "", 0);
    ck_assert_int_eq(zip_directory_end(central, pack.used, refuse, NULL), -ENOSPC);
    zip_directory_destroy(central);
    zip_directory_destroy(NULL);
    ck_assert_int_eq(zip_directory_create(&options, 0, "/nowhere", &central), 0);
    struct zip_entry entry;
    ck_assert_int_eq(zip_entry_of(&member, &entry), 0);
    int error = 0;
    for (int i = 0; i < 10000 && !error; i++)
        error = zip_directory_add(central, &entry);
    ck_assert_int_eq(error, -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zip");
    TCase *zip = tcase_create("zip");
    tcase_set_timeout(zip, 60);
    tcase_add_checked_fixture(zip, setup, teardown);
    tcase_add_test(zip, kinds);
    tcase_add_test(zip, as_a_stream);
    tcase_add_test(zip, what_is_refused);
    tcase_add_test(zip, names_beyond_ascii);
    tcase_add_test(zip, times);
    tcase_add_test(zip, reproducible);
    tcase_add_loop_test(zip, many_members, 0, 4);
    tcase_add_test(zip, large_sizes);
    tcase_add_loop_test(zip, large_offsets, 0, 3);
    tcase_add_test(zip, failures);
    suite_add_tcase(suite, zip);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
