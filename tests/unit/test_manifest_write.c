/* Manifests as they are written. The expected lines are what the tools of each format printed for
 * files holding "treemill\n": sha256sum and friends of coreutils 9.1, rhash 1.4.3, openssl 3.0,
 * xxhsum 0.8.1, hashdeep 4.4, bsdtar of libarchive 3.6.2. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/digest.h"
#include "stages/manifest.h"

#define MD5_HEX    "b5e14a7447d9b9105bd231884d82d0ed"
#define SHA1_HEX   "c627741d5797856c799f89eaa907a9a189fbd709"
#define SHA256_HEX "f3604317fdad774bfda158ccf32f7ee6c8ce30b56c45fe13877be6ce95668d3d"

#define SET(id)        (1u << DIGEST_##id)
#define BYTES(literal) literal, sizeof(literal) - 1

static const char content[] = "treemill\n";

/* An entry with the true digests of `content`, which live until the next call. */
static struct manifest_entry entry_of(const char *path, size_t path_bytes, uint32_t set)
{
    static uint8_t digests[DIGEST_MAX_BYTES * DIGEST_COUNT];
    struct digest_hasher *hasher;
    ck_assert_int_eq(digest_hasher_create(set, &hasher), 0);
    ck_assert_int_eq(digest_once(hasher, set, content, sizeof content - 1, digests), 0);
    digest_hasher_destroy(hasher);
    return (struct manifest_entry){
        .path = path,
        .path_bytes = path_bytes,
        .size_bytes = sizeof content - 1,
        .mtime_seconds = 1700000000,
        .mtime_ns = 7,
        .mode = 0100644,
        .uid = 1000,
        .gid = 1000,
        .algorithms = set,
        .digests = digests,
    };
}

/* The buffer has exactly the room needed, in memory where one byte more is noticed; with every
 * smaller room the answer is -ENOSPC and nothing beyond it changes. */
static void expect_bytes(enum manifest_format format, const struct manifest_entry *entry,
                         const char *expected, size_t length)
{
    char *buffer = malloc(length + 64);
    ck_assert_ptr_nonnull(buffer);
    for (size_t capacity = 0; capacity <= length; capacity++) {
        memset(buffer, '~', length + 64);
        ptrdiff_t written = manifest_render(format, entry, buffer, capacity);
        ck_assert_int_eq(written, capacity < length ? -ENOSPC : (ptrdiff_t)length);
        for (size_t i = capacity; i < length + 64; i++)
            ck_assert_msg(buffer[i] == '~', "%s, capacity %zu: byte %zu was written",
                          manifest_format_name(format), capacity, i);
    }
    ck_assert_msg(memcmp(buffer, expected, length) == 0, "%s:\n%.*s\nexpected:\n%.*s",
                  manifest_format_name(format), (int)length, buffer, (int)length, expected);
    free(buffer);
    char *exact = malloc(length);
    ck_assert_ptr_nonnull(exact);
    ck_assert_int_eq(manifest_render(format, entry, exact, length), (ptrdiff_t)length);
    free(exact);
}

static void expect(enum manifest_format format, const struct manifest_entry *entry,
                   const char *expected)
{
    expect_bytes(format, entry, expected, strlen(expected));
}

static const struct {
    const char *name;
    const char *gnu;   /* the line's beginning and the name in it */
    const char *mtree; /* the first word */
    const char *json;  /* the first member */
} names[] = {
    {"plain.txt", "plain.txt", "./plain.txt", "\"path\":\"plain.txt\""},
    {"two words", "two words", "./two\\040words", "\"path\":\"two words\""},
    {"back\\slash", "\\back\\\\slash", "./back\\134slash", "\"path\":\"back\\\\slash\""},
    {"\\", "\\\\\\", "./\\134", "\"path\":\"\\\\\""},
    {"new\nline", "\\new\\nline", "./new\\012line", "\"path\":\"new\\nline\""},
    {"cr\r", "\\cr\\r", "./cr\\015", "\"path\":\"cr\\r\""},
    {"\\\r\n\\", "\\\\\\\\r\\n\\\\", "./\\134\\015\\012\\134", "\"path\":\"\\\\\\r\\n\\\\\""},
    {"-dash", "-dash", "./-dash", "\"path\":\"-dash\""},
    {" lead", " lead", "./\\040lead", "\"path\":\" lead\""},
    {"*star", "*star", "./\\052star", "\"path\":\"*star\""},
    {"\xff\xfe", "\xff\xfe", "./\\377\\376", "\"path_b64\":\"//4=\""},
    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", "./\\303\\251t\\303\\251",
     "\"path\":\"\xc3\xa9t\xc3\xa9\""},
    {"a#b=c?[d]", "a#b=c?[d]", "./a\\043b\\075c\\077\\133d]", "\"path\":\"a#b=c?[d]\""},
    {"tab\there\x7f", "tab\there\x7f", "./tab\\011here\\177", NULL},
    {"say \"so\"", "say \"so\"", "./say\\040\"so\"", "\"path\":\"say \\\"so\\\"\""},
    {"x) = y", "x) = y", "./x)\\040\\075\\040y", "\"path\":\"x) = y\""},
    {"dir,comma/f", "dir,comma/f", "./dir,comma/f", "\"path\":\"dir,comma/f\""},
    {"./dot/f", "./dot/f", "./dot/f", "\"path\":\"./dot/f\""},
    {"../up", "../up", "./../up", "\"path\":\"../up\""},
    {".hidden", ".hidden", "./.hidden", "\"path\":\".hidden\""},
    {"/set/abs", "/set/abs", "\\057set/abs", "\"path\":\"/set/abs\""},
};

START_TEST(names_in_every_format)
{
    char line[512];
    struct manifest_entry entry = entry_of(names[_i].name, strlen(names[_i].name), SET(SHA256));
    const char *gnu = names[_i].gnu;
    bool escaped = strpbrk(names[_i].name, "\\\n\r") != NULL;

    snprintf(line, sizeof line, "%s" SHA256_HEX "  %s\n", escaped ? "\\" : "", gnu + escaped);
    expect(MANIFEST_GNU, &entry, line);
    snprintf(line, sizeof line, "%sSHA256 (%s) = " SHA256_HEX "\n", escaped ? "\\" : "",
             gnu + escaped);
    expect(MANIFEST_BSD, &entry, line);
    int length = snprintf(line, sizeof line, SHA256_HEX "  %s", names[_i].name);
    expect_bytes(MANIFEST_GNU0, &entry, line, (size_t)length + 1);
    snprintf(line, sizeof line,
             "%s type=file mode=0644 size=9 time=1700000000.000000007 sha256digest=" SHA256_HEX
             "\n",
             names[_i].mtree);
    expect(MANIFEST_MTREE, &entry, line);
    snprintf(line, sizeof line, "9," SHA256_HEX ",%s\n", names[_i].name);
    /* It has no quoting: a newline would let a name forge the next line. */
    if (strchr(names[_i].name, '\n'))
        ck_assert_int_eq(manifest_render(MANIFEST_HASHDEEP, &entry, line, sizeof line), -EILSEQ);
    else
        expect(MANIFEST_HASHDEEP, &entry, line);
    snprintf(line, sizeof line,
             "{%s,\"size\":9,\"mtime\":\"1700000000.000000007\",\"mode\":\"0644\","
             "\"sha256\":\"" SHA256_HEX "\"}\n",
             names[_i].json ? names[_i].json : "\"path\":\"tab\\there\\u007f\"");
    expect(MANIFEST_JSON, &entry, line);
}
END_TEST

/* One line of each tool, as printed. */
START_TEST(lines_of_the_tools)
{
    struct manifest_entry entry = entry_of(BYTES("new\nline"), SET(SHA256));
    expect(MANIFEST_GNU, &entry, "\\" SHA256_HEX "  new\\nline\n");
    expect(MANIFEST_BSD, &entry, "\\SHA256 (new\\nline) = " SHA256_HEX "\n");
    expect_bytes(MANIFEST_GNU0, &entry, BYTES(SHA256_HEX "  new\nline\0"));
    entry = entry_of(BYTES("plain.txt"), SET(MD5) | SET(SHA1) | SET(SHA256));
    expect(MANIFEST_HASHDEEP, &entry, "9," MD5_HEX "," SHA1_HEX "," SHA256_HEX ",plain.txt\n");
}
END_TEST

static const struct {
    enum digest_id id;
    const char *tag;
    const char *hex;
} algorithms[] = {
    {DIGEST_MD5, "MD5", MD5_HEX},
    {DIGEST_SHA1, "SHA1", SHA1_HEX},
    {DIGEST_SHA224, "SHA224", "611b1feb9224034c2473e6949a5ee1d19fbf87eae3a4933aaeaf784c"},
    {DIGEST_SHA256, "SHA256", SHA256_HEX},
    {DIGEST_SHA384, "SHA384",
     "fbeda81c6863f8a537ba207c97b4d9798f2422250f8e54b40895096f0bebf1f2"
     "244b1532c684b0d1d3b15d5c934ccd43"},
    {DIGEST_SHA512, "SHA512",
     "793bd873521ff05b73ccb8b02e5f8b4399b40ca351cbd44ec0b4155b101d0620"
     "954430c3180967ae1f0d4980f0b1f2ff8c6846594521f5ae54f5fe9c17a8b967"},
    {DIGEST_SHA512_256, "SHA512-256",
     "547f6db8397e743f4e6164f74770186a5be6099e8cd231ddcbfc5da5b7824f35"},
    {DIGEST_SHA3_256, "SHA3-256",
     "7ceb1db9f8366a3fc0318765df861403b8ac5c0cac4e45f88490fe7124323fec"},
    {DIGEST_SHA3_512, "SHA3-512",
     "b721f7a42b88248641051d3aabda1709e58cddfc7cc156a6febe2bd3c2f34df0"
     "0a2f34b12513326279a3136a39d168144263538805b42032e3b4dca0d89a5d68"},
    {DIGEST_BLAKE2B, "BLAKE2b",
     "fc20fd09213610d62a929444edfec09e1ee681b9fa8ce547b1f5537fc3372d66"
     "53f29238acfe1434aca2aae6a44782c4a69e26777c762f3b49ffcf353300703f"},
    {DIGEST_BLAKE2S, "BLAKE2s", "e9169315ca030d74e0e587214eb07a5c7175501a696ab6b7ec2f481d08aa349d"},
    {DIGEST_CRC32, "CRC32", "6b5819b5"},
    {DIGEST_XXH3, "XXH3", "462e2ed1bae6ce83"},
    {DIGEST_XXH128, "XXH128", "eebdfe7260206c29cd3ac45d7be6e954"},
};

_Static_assert(sizeof algorithms / sizeof *algorithms == DIGEST_COUNT, "each algorithm once");

START_TEST(every_algorithm)
{
    char line[512];
    struct manifest_entry entry = entry_of(BYTES("plain.txt"), 1u << algorithms[_i].id);
    const char *hex = algorithms[_i].hex;

    snprintf(line, sizeof line, "%s (plain.txt) = %s\n", algorithms[_i].tag, hex);
    expect(MANIFEST_BSD, &entry, line);
    /* What xxhsum -H3 prints without --tag, too. */
    if (algorithms[_i].id != DIGEST_XXH3)
        snprintf(line, sizeof line, "%s  plain.txt\n", hex);
    expect(MANIFEST_GNU, &entry, line);
    int length = snprintf(line, sizeof line, "%s  plain.txt", hex);
    expect_bytes(MANIFEST_GNU0, &entry, line, (size_t)length + 1);

    const char *name = digest_algorithm(algorithms[_i].id)->name;
    snprintf(line, sizeof line,
             "{\"path\":\"plain.txt\",\"size\":9,\"mtime\":\"1700000000.000000007\","
             "\"mode\":\"0644\",\"%s\":\"%s\"}\n",
             name, hex);
    expect(MANIFEST_JSON, &entry, line);
    if (manifest_supports(MANIFEST_MTREE, entry.algorithms, NULL, 0)) {
        snprintf(line, sizeof line,
                 "./plain.txt type=file mode=0644 size=9 time=1700000000.000000007 "
                 "%sdigest=%s\n",
                 name, hex);
        expect(MANIFEST_MTREE, &entry, line);
    } else {
        ck_assert_int_eq(manifest_render(MANIFEST_MTREE, &entry, line, sizeof line), -EINVAL);
    }
    if (!manifest_supports(MANIFEST_HASHDEEP, entry.algorithms, NULL, 0))
        ck_assert_int_eq(manifest_render(MANIFEST_HASHDEEP, &entry, line, sizeof line), -EINVAL);
}
END_TEST

START_TEST(several_algorithms_in_order)
{
    struct manifest_entry entry =
        entry_of(BYTES("a\\b"), SET(XXH3) | SET(SHA256) | SET(MD5) | SET(CRC32));
    expect(MANIFEST_GNU, &entry,
           "\\" MD5_HEX "  a\\\\b\n"
           "\\" SHA256_HEX "  a\\\\b\n"
           "\\6b5819b5  a\\\\b\n"
           "\\XXH3 (a\\\\b) = 462e2ed1bae6ce83\n");
    expect(MANIFEST_BSD, &entry,
           "\\MD5 (a\\\\b) = " MD5_HEX "\n"
           "\\SHA256 (a\\\\b) = " SHA256_HEX "\n"
           "\\CRC32 (a\\\\b) = 6b5819b5\n"
           "\\XXH3 (a\\\\b) = 462e2ed1bae6ce83\n");
    expect_bytes(MANIFEST_GNU0, &entry,
                 BYTES(MD5_HEX "  a\\b\0" SHA256_HEX "  a\\b\0"
                               "6b5819b5  a\\b\0"
                               "462e2ed1bae6ce83  a\\b\0"));
    expect(MANIFEST_JSON, &entry,
           "{\"path\":\"a\\\\b\",\"size\":9,\"mtime\":\"1700000000.000000007\",\"mode\":\"0644\","
           "\"md5\":\"" MD5_HEX "\",\"sha256\":\"" SHA256_HEX "\",\"crc32\":\"6b5819b5\","
           "\"xxh3\":\"462e2ed1bae6ce83\"}\n");
    entry = entry_of(BYTES("a\\b"), SET(SHA256) | SET(MD5));
    expect(MANIFEST_MTREE, &entry,
           "./a\\134b type=file mode=0644 size=9 time=1700000000.000000007 md5digest=" MD5_HEX
           " sha256digest=" SHA256_HEX "\n");
}
END_TEST

START_TEST(times_modes_and_sizes)
{
    static const struct {
        int64_t seconds;
        uint32_t ns;
        const char *pair;     /* in mtree: two numbers */
        const char *fraction; /* in JSON */
    } times[] = {
        {0, 0, "0.000000000", "0.000000000"},
        {1, 999999999, "1.999999999", "1.999999999"},
        {-1, 500000000, "-1.500000000", "-0.500000000"}, /* bsdtar: time=-1.500000000 */
        {-2, 1, "-2.000000001", "-1.999999999"},
        {-3, 0, "-3.000000000", "-3.000000000"},
        {INT64_MAX, 0, "9223372036854775807.000000000", "9223372036854775807.000000000"},
        {INT64_MIN, 0, "-9223372036854775808.000000000", "-9223372036854775808.000000000"},
        {INT64_MIN, 1, "-9223372036854775808.000000001", "-9223372036854775807.999999999"},
    };
    char line[512];
    struct manifest_entry entry = entry_of(BYTES("f"), SET(CRC32));
    entry.size_bytes = UINT64_MAX;
    entry.mode = 0104755;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        entry.mtime_seconds = times[i].seconds;
        entry.mtime_ns = times[i].ns;
        entry.algorithms = SET(CRC32);
        snprintf(line, sizeof line,
                 "{\"path\":\"f\",\"size\":18446744073709551615,\"mtime\":\"%s\","
                 "\"mode\":\"4755\",\"crc32\":\"6b5819b5\"}\n",
                 times[i].fraction);
        expect(MANIFEST_JSON, &entry, line);
        entry.algorithms = 0;
        snprintf(line, sizeof line, "./f type=file mode=4755 size=18446744073709551615 time=%s\n",
                 times[i].pair);
        expect(MANIFEST_MTREE, &entry, line);
    }
    entry.mode = 0;
    entry.size_bytes = 0;
    expect(MANIFEST_MTREE, &entry,
           "./f type=file mode=0000 size=0 time=-9223372036854775808.000000001\n");
}
END_TEST

START_TEST(every_byte_as_digits)
{
    uint8_t digest[64];
    char line[256], expected[256];
    struct manifest_entry entry = {
        .path = "f", .path_bytes = 1, .algorithms = SET(SHA512), .digests = digest};
    for (unsigned first = 0; first < 256; first += 64) {
        for (unsigned i = 0; i < 64; i++) {
            digest[i] = (uint8_t)(first + i);
            snprintf(expected + 2 * i, 3, "%02hhx", (unsigned char)(first + i));
        }
        memcpy(expected + 128, "  f\n", 4);
        ck_assert_int_eq(manifest_render(MANIFEST_GNU, &entry, line, sizeof line), 132);
        ck_assert_mem_eq(line, expected, 132);
    }
}
END_TEST

/* A name of PATH_MAX bytes, every one of them escaped. */
START_TEST(longest_names)
{
    static char path[4096], buffer[65536];
    memset(path, '\n', sizeof path);
    struct manifest_entry entry = entry_of(path, sizeof path, SET(CRC32));
    ck_assert_int_eq(manifest_render(MANIFEST_GNU, &entry, buffer, sizeof buffer),
                     1 + 8 + 2 + 2 * 4096 + 1);
    memset(path, '\xff', sizeof path);
    ptrdiff_t length = manifest_render(MANIFEST_JSON, &entry, buffer, sizeof buffer);
    ck_assert_int_gt(length, 4096 / 3 * 4);
    ck_assert_mem_eq(buffer, "{\"path_b64\":\"//////", 19);
    entry.algorithms = 0;
    length = manifest_render(MANIFEST_MTREE, &entry, buffer, sizeof buffer);
    ck_assert_int_gt(length, 4 * 4096);
    ck_assert_mem_eq(buffer, "./\\377\\377", 10);
    ck_assert_mem_eq(buffer + 2 + 4 * 4096, " type=file", 10);
}
END_TEST

START_TEST(what_formats_can_hold)
{
    uint32_t all = (1u << DIGEST_COUNT) - 1;
    uint32_t of_mtree = SET(MD5) | SET(SHA1) | SET(SHA256) | SET(SHA384) | SET(SHA512);
    uint32_t of_hashdeep = SET(MD5) | SET(SHA1) | SET(SHA256);
    char why[256];

    for (unsigned id = 0; id < DIGEST_COUNT; id++) {
        uint32_t set = 1u << id;
        ck_assert(manifest_supports(MANIFEST_GNU, set, why, sizeof why));
        ck_assert(manifest_supports(MANIFEST_GNU0, set, why, sizeof why));
        ck_assert(manifest_supports(MANIFEST_BSD, set, why, sizeof why));
        ck_assert(manifest_supports(MANIFEST_JSON, set, why, sizeof why));
        ck_assert_int_eq(manifest_supports(MANIFEST_MTREE, set, why, sizeof why),
                         (of_mtree & set) != 0);
        ck_assert_int_eq(manifest_supports(MANIFEST_HASHDEEP, set, why, sizeof why),
                         (of_hashdeep & set) != 0);
    }
    ck_assert(!manifest_supports(MANIFEST_HASHDEEP, SET(SHA512) | SET(MD5) | SET(CRC32), why,
                                 sizeof why));
    ck_assert_str_eq(why, "the hashdeep format cannot hold sha512, crc32 "
                          "(it takes md5, sha1, sha256)");
    ck_assert(!manifest_supports(MANIFEST_MTREE, SET(BLAKE2B), why, sizeof why));
    ck_assert_str_eq(why, "the mtree format cannot hold blake2b "
                          "(it takes md5, sha1, sha256, sha384, sha512)");
    ck_assert(!manifest_supports(MANIFEST_HASHDEEP, all, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "xxh128 (it takes"));
    /* The reason is cut to the room there is. */
    memset(why, '~', sizeof why);
    ck_assert(!manifest_supports(MANIFEST_MTREE, SET(BLAKE2B), why, 10));
    ck_assert_str_eq(why, "the mtree");
    ck_assert_int_eq(why[10], '~');
    /* No digest at all: two formats still say something about the file. */
    ck_assert(manifest_supports(MANIFEST_JSON, 0, why, sizeof why));
    ck_assert(manifest_supports(MANIFEST_MTREE, 0, why, sizeof why));
    ck_assert(!manifest_supports(MANIFEST_GNU, 0, why, sizeof why));
    ck_assert_str_eq(why, "the gnu format needs at least one checksum algorithm");
    ck_assert(!manifest_supports(MANIFEST_JSON, 1u << DIGEST_COUNT, why, sizeof why));
    ck_assert(!manifest_supports(MANIFEST_FORMAT_COUNT, SET(MD5), why, sizeof why));
}
END_TEST

static void expect_header(enum manifest_format format, uint32_t set, const char *expected)
{
    char buffer[1024];
    size_t length = strlen(expected);
    for (size_t capacity = 0; capacity <= length; capacity++) {
        memset(buffer, '~', sizeof buffer);
        ck_assert_int_eq(manifest_header(format, set, buffer, capacity),
                         capacity < length ? -ENOSPC : (ptrdiff_t)length);
        ck_assert_int_eq(buffer[capacity], '~');
    }
    ck_assert_mem_eq(buffer, expected, length);
}

START_TEST(headers)
{
    expect_header(MANIFEST_GNU, SET(SHA256), "");
    expect_header(MANIFEST_GNU0, SET(SHA256), "");
    expect_header(MANIFEST_BSD, SET(SHA256), "");
    expect_header(MANIFEST_JSON, SET(SHA256), "");
    expect_header(MANIFEST_MTREE, SET(SHA256), "#mtree\n");
    expect_header(MANIFEST_HASHDEEP, SET(SHA256) | SET(MD5),
                  "%%%% HASHDEEP-1.0\n"
                  "%%%% size,md5,sha256,filename\n"
                  "## Invoked from: .\n"
                  "## $ treemill\n"
                  "## \n");
}
END_TEST

START_TEST(format_names)
{
    static const char *const known[] = {"gnu", "bsd", "gnu0", "mtree", "hashdeep", "json"};
    for (unsigned format = 0; format < MANIFEST_FORMAT_COUNT; format++)
        ck_assert_str_eq(manifest_format_name((enum manifest_format)format), known[format]);
    ck_assert_str_eq(manifest_format_name(MANIFEST_FORMAT_COUNT), "unknown");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manifest_write");
    TCase *lines = tcase_create("lines");
    tcase_add_loop_test(lines, names_in_every_format, 0, sizeof names / sizeof *names);
    tcase_add_loop_test(lines, every_algorithm, 0, DIGEST_COUNT);
    tcase_add_test(lines, lines_of_the_tools);
    tcase_add_test(lines, several_algorithms_in_order);
    tcase_add_test(lines, times_modes_and_sizes);
    tcase_add_test(lines, every_byte_as_digits);
    tcase_add_test(lines, longest_names);
    suite_add_tcase(suite, lines);
    TCase *formats = tcase_create("formats");
    tcase_add_test(formats, what_formats_can_hold);
    tcase_add_test(formats, headers);
    tcase_add_test(formats, format_names);
    suite_add_tcase(suite, formats);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
