/* stages/unzip: names, kinds, modes, times and owners of entries made by hand. */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unzip_making.h"
#include "tests/unit/unzip_reading.h"

static int fd;
static struct pack pack;

static void setup(void)
{
    setenv("TZ", "XXX-5", 1); /* five hours ahead */
    fd = memfd_create("zip", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
    close(fd);
    pack_free(&pack);
}

/* The only record, kept. */
struct kept {
    char path[256], target[256];
    struct file_stat stat;
    uint16_t flags;
    struct tm_fault fault;
};

static void keep(void *context, const struct unzipped *unzipped)
{
    struct kept *kept = context;
    snprintf(kept->path, sizeof kept->path, "%s", unzipped->path);
    snprintf(kept->target, sizeof kept->target, "%s",
             unzipped->extra.target ? unzipped->extra.target : "");
    kept->stat = unzipped->file->stat;
    kept->flags = unzipped->file->flags;
    kept->fault = unzipped->fault;
}

static struct kept read_only_one(void)
{
    struct kept kept = {0};
    struct reading reading = {
        .fd = fd, .shape = batch_shape_of(4096, 4, 0), .told = keep, .context = &kept};
    made_file(fd, &pack);
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(reading.records, 1);
    return kept;
}

/* An archive of one stored entry. */
static struct kept read_made(struct made made, const char *data)
{
    uint8_t output[256];
    pack.used = 0;
    size_t bytes = made_data(&made, data, strlen(data), output, sizeof output);
    made_local(&pack, &made, 0, output, bytes);
    made_directory(&pack, &made, 1);
    return read_only_one();
}

static const struct {
    const char *name;
    uint8_t host;
    uint32_t attributes;
    const char *data, *path;
    uint32_t mode;
} kinds[] = {
    {"a", 3, (S_IFREG | 04751u) << 16, "x", "a", S_IFREG | 04751},
    {"a/b", 19, (S_IFREG | 0600u) << 16, "x", "a/b", S_IFREG | 0600},
    {"a", 3, 0, "x", "a", S_IFREG | 0644},
    {"a", 3, 0640u << 16, "x", "a", S_IFREG | 0640},
    {"a/", 3, 0, "", "a", S_IFDIR | 0755},
    {"a/", 3, (S_IFDIR | 01770u) << 16, "", "a", S_IFDIR | 01770},
    {"a/", 3, (S_IFREG | 0640u) << 16, "", "a", S_IFDIR | 0750},
    {"a", 3, (S_IFDIR | 0700u) << 16, "", "a", S_IFDIR | 0700},
    {"a", 3, 0700u << 16 | 0x10, "", "a", S_IFDIR | 0700},
    {"a", 3, (S_IFLNK | 0777u) << 16, "to", "a", S_IFLNK | 0777},
    {"a", 0, (S_IFLNK | 0777u) << 16, "to", "a", S_IFREG | 0644},
    {"a", 3, (S_IFIFO | 0600u) << 16, "", "a", S_IFIFO | 0600},
    {"a", 3, (S_IFIFO | 0600u) << 16, "x", "a", S_IFREG | 0600},
    {"a", 3, (S_IFCHR | 0600u) << 16, "", "a", 0600},
    {"a", 3, (S_IFBLK | 0600u) << 16, "x", "a", S_IFREG | 0600},
    {"a", 3, 0x3000u << 16 | 0600u << 16, "x", "a", S_IFREG | 0600},
    {"a", 0, 0, "x", "a", S_IFREG | 0644},
    {"a", 0, 1, "x", "a", S_IFREG | 0444},
    {"a", 10, 1, "x", "a", S_IFREG | 0644},
    {"a", 0, 0x10, "", "a", S_IFDIR | 0755},
    {"a", 0, 0x10, "x", "a", S_IFREG | 0644},
    {"a/", 11, 0, "", "a", S_IFDIR | 0755},
    {"a\\b\\c", 0, 0, "x", "a/b/c", S_IFREG | 0644},
    {"a\\b\\", 0, 0, "", "a/b", S_IFDIR | 0755},
    {"a/b\\c", 0, 0, "x", "a/b\\c", S_IFREG | 0644},
    {"a\\b", 3, 0, "x", "a\\b", S_IFREG | 0644},
    {"\xff\xfe", 3, 0, "x", "\xff\xfe", S_IFREG | 0644},
    {"./a//b", 3, 0, "x", "a/b", S_IFREG | 0644},
};

START_TEST(kinds_and_names)
{
    struct made made = {
        .name = kinds[_i].name, .host = kinds[_i].host, .attributes = kinds[_i].attributes};
    struct kept kept = read_made(made, kinds[_i].data);
    ck_assert_int_eq(kept.fault.kind, TM_FAULT_NONE);
    ck_assert_str_eq(kept.path, kinds[_i].path);
    ck_assert_msg(kept.stat.mode == kinds[_i].mode, "%o", kept.stat.mode);
    ck_assert_str_eq(kept.target, S_ISLNK(kept.stat.mode) ? "to" : "");
    ck_assert_uint_eq(kept.stat.size_bytes, S_ISREG(kept.stat.mode) ? strlen(kinds[_i].data) : 0);
    ck_assert_uint_eq(kept.stat.uid, geteuid());
    ck_assert_uint_eq(kept.stat.gid, getegid());
}
END_TEST

START_TEST(names_that_are_refused)
{
    struct kept kept = read_made((struct made){.name = "../a", .host = 3}, "x");
    ck_assert_int_eq(kept.fault.kind, TM_FAULT_UNSAFE);
    kept = read_made((struct made){.name = "..\\a", .host = 0}, "x");
    ck_assert_int_eq(kept.fault.kind, TM_FAULT_UNSAFE);
    kept = read_made((struct made){.name = "a\0b", .name_bytes = 3, .host = 3}, "x");
    ck_assert_int_eq(kept.fault.kind, TM_FAULT_UNSAFE);
}
END_TEST

/* Data of a directory, targets that are none. */
START_TEST(kinds_that_contradict_their_data)
{
    struct made made = {.name = "a/", .host = 3, .attributes = (S_IFDIR | 0755u) << 16};
    ck_assert_int_eq(read_made(made, "data").fault.kind, TM_FAULT_CORRUPT);
    made.name = "a";
    made.attributes = (S_IFLNK | 0777u) << 16;
    ck_assert_int_eq(read_made(made, "").fault.kind, TM_FAULT_CORRUPT);
}
END_TEST

/* Each way of saying a time, and which one wins. The DOS time is always there. */

#define DOS_2021 (41u << 25 | 3u << 21 | 4u << 16 | 5u << 11 | 6u << 5 | 4u) /* 03-04 05:06:08 */
#define UT       "UT\5\0\1\x01\x00\x00\x60"                                  /* 0x60000001 */
#define UX       "UX\x08\0\x07\0\0\0\x02\0\0\x60"
/* In 100 ns since 1601: below, 123,456,700 ns after 0x60000001, and an hour later. */
#define NTFS(ticks) "\x0a\0\x20\0\0\0\0\0\1\0\x18\0" ticks "0123456789abcdef"

static const struct {
    const char *extra;
    size_t bytes;
    int64_t seconds;
    uint32_t ns;
} times[] = {
    {"", 0, 1614834368 - 5 * 3600, 0},
    {UT, 9, 0x60000001, 0},
    {"UT\5\0\2\1\0\0\x60", 9, 1614834368 - 5 * 3600, 0}, /* time of access only */
    {"UT\5\0\1\xff\xff\xff\xff", 9, -1, 0},
    {"UT\3\0\1\1\0", 7, 1614834368 - 5 * 3600, 0},
    {"UT\5\0\1\1\0", 7, 1614834368 - 5 * 3600, 0}, /* longer than what there is */
    {UX, 12, 0x60000002, 0},
    {UX UT, 21, 0x60000001, 0},
    {NTFS("\x07\xed\xe9\xd5\x4e\xea\xd6\x01"), 36, 0x60000001, 123456700},
    {NTFS("\x07\xed\xe9\xd5\x4e\xea\xd6\x01") UT, 45, 0x60000001, 123456700},
    {NTFS("\x07\x55\xae\x37\x57\xea\xd6\x01") UT, 45, 0x60000001, 0},
    {NTFS("\0\0\0\0\0\0\0\0"), 36, 1614834368 - 5 * 3600, 0},
};

START_TEST(times_of_modification)
{
    struct made made = {.name = "a",
                        .host = 3,
                        .dos_time = DOS_2021,
                        .extra = times[_i].extra,
                        .extra_bytes = times[_i].bytes};
    struct kept kept = read_made(made, "x");
    ck_assert_int_eq(kept.stat.mtime_seconds, times[_i].seconds);
    ck_assert_uint_eq(kept.stat.mtime_ns, times[_i].ns);
}
END_TEST

START_TEST(times_without_a_day)
{
    struct kept kept = read_made((struct made){.name = "a", .host = 3, .dos_time = 0}, "x");
    ck_assert_int_eq(kept.stat.mtime_seconds, 315532800 - 5 * 3600);
}
END_TEST

/* Many entries of one archive, on the day when the clock is put back, but for the hour that is
 * there twice. */

static unsigned seen_times;

static void check_time(void *context, const struct unzipped *unzipped)
{
    struct tm tm = {.tm_year = 121, .tm_mon = 9, .tm_mday = 31, .tm_isdst = -1};
    (void)context;
    ck_assert_int_eq(sscanf(unzipped->path, "%d:%d:%d", &tm.tm_hour, &tm.tm_min, &tm.tm_sec), 3);
    ck_assert_int_eq(unzipped->file->stat.mtime_seconds, mktime(&tm));
    seen_times++;
}

START_TEST(times_of_many)
{
    struct made made[200];
    char names[200][16];
    unsigned count = 0;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    for (unsigned second = 0; second < 5 * 3600; second += 142) {
        unsigned hour = second / 3600, minute = second / 60 % 60;
        if (hour == 2)
            continue;
        snprintf(names[count], sizeof *names, "%u:%u:%u", hour, minute, second % 60);
        made[count] = (struct made){.name = names[count], .host = 3};
        made[count].dos_time =
            41u << 25 | 10u << 21 | 31u << 16 | hour << 11 | minute << 5 | second % 60 / 2;
        made_local(&pack, &made[count], 0, "", 0);
        count++;
    }
    made_directory(&pack, made, count);
    made_file(fd, &pack);
    struct reading reading = {
        .fd = fd, .shape = batch_shape_of(4096, 64, 0), .told = check_time, .lists = true};
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_gt(count, 90);
    ck_assert_uint_eq(seen_times, count);
}
END_TEST

static const struct {
    const char *extra;
    size_t bytes;
    int64_t uid, gid; /* -1: the reader's own */
} owners[] = {
    {"ux\x0b\0\1\4\x10\x27\0\0\4\x20\x4e\0\0", 15, 10000, 20000},
    {"ux\x05\0\1\1\7\1\x08", 9, 7, 8},
    {"ux\x13\0\1\x08\x10\x27\0\0\0\0\0\0\x08\x20\x4e\0\0\0\0\0\0", 23, 10000, 20000},
    {"ux\x13\0\1\x08\x10\x27\0\0\1\0\0\0\x08\x20\x4e\0\0\0\0\0\0", 23, -1, -1},
    {"ux\x0b\0\2\4\x10\x27\0\0\4\x20\x4e\0\0", 15, -1, -1}, /* another version */
    {"ux\x0b\0\1\4\x10\x27\0\0\5\x20\x4e\0\0", 15, -1, -1},
    {"ux\x06\0\1\4\x10\x27\0\0", 10, -1, -1},
    {"ux\x05\0\1\0\1\1\x08", 9, -1, -1},
    {"ux\0\0", 4, -1, -1},
    {"ux\x0b\0\1\4\xff\xff\xff\xff\4\xff\xff\xff\xff", 15, -1, -1},
};

START_TEST(owners_by_number)
{
    struct made made = {
        .name = "a", .host = 3, .extra = owners[_i].extra, .extra_bytes = owners[_i].bytes};
    struct kept kept = read_made(made, "x");
    ck_assert_uint_eq(kept.stat.uid, owners[_i].uid < 0 ? geteuid() : owners[_i].uid);
    ck_assert_uint_eq(kept.stat.gid, owners[_i].gid < 0 ? getegid() : owners[_i].gid);
}
END_TEST

START_TEST(unicode_paths)
{
    uint8_t field[4 + 5 + 3] = "up\x08\0\1";
    memcpy(field + 9, "\xc3\xbc/", 3);
    struct made made = {.name = "\x81\\", .host = 0, .extra = field, .extra_bytes = sizeof field};
    zip_put32(field + 5, (uint32_t)crc32_z(0, (const Bytef *)made.name, 2));
    struct kept kept = read_made(made, "");
    ck_assert_str_eq(kept.path, "\xc3\xbc");
    ck_assert_uint_eq(kept.stat.mode, S_IFDIR | 0755);
    field[5] ^= 1; /* of another name */
    ck_assert_str_eq(read_made(made, "").path, "\x81");
    field[5] ^= 1;
    field[4] = 2;
    ck_assert_str_eq(read_made(made, "").path, "\x81");
}
END_TEST

/* The same names and data in zip64 form where no number needs it. */
START_TEST(zip64_numbers)
{
    uint8_t field[4 + 24];
    struct made made = {.name = "a", .host = 3, .method = ZIP_STORED};
    uint8_t output[8];
    for (unsigned which = 0; which < 8; which++) {
        made.extra_bytes = 0;
        pack.used = 0;
        pack_zeros(&pack, 5); /* so that the offset is none that could be right by chance */
        size_t bytes = made_data(&made, "hello", 5, output, sizeof output);
        made_local(&pack, &made, 0, output, bytes);
        uint8_t *at = field + 4;
        at = which & 1 ? zip_put64(at, 5) : at;
        at = which & 2 ? zip_put64(at, 5) : at;
        at = which & 4 ? zip_put64(at, 5) : at;
        zip_put16(field, 1);
        zip_put16(field + 2, (uint16_t)(at - field - 4));
        made.extra = field;
        made.extra_bytes = (size_t)(at - field);
        made.uncompressed_bytes = which & 1 ? UINT32_MAX : 5;
        made.compressed_bytes = which & 2 ? UINT32_MAX : 5;
        made.offset = which & 4 ? UINT32_MAX : 5;
        made_directory(&pack, &made, 1);
        struct kept kept = read_only_one();
        ck_assert_int_eq(kept.fault.kind, TM_FAULT_NONE);
        ck_assert_uint_eq(kept.stat.size_bytes, 5);
    }
}
END_TEST

#define COUNT_OF(rows) ((int)(sizeof(rows) / sizeof *(rows)))

int main(void)
{
    Suite *suite = suite_create("unzip_members");
    TCase *cases = tcase_create("members");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, kinds_and_names, 0, COUNT_OF(kinds));
    tcase_add_test(cases, names_that_are_refused);
    tcase_add_test(cases, kinds_that_contradict_their_data);
    tcase_add_loop_test(cases, times_of_modification, 0, COUNT_OF(times));
    tcase_add_test(cases, times_without_a_day);
    tcase_add_test(cases, times_of_many);
    tcase_add_loop_test(cases, owners_by_number, 0, COUNT_OF(owners));
    tcase_add_test(cases, unicode_paths);
    tcase_add_test(cases, zip64_numbers);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
