/* Names and numbers made fit for terminals, people and JSON. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/units.h"
#include "stages/text.h"
#include "tests/unit/json_check.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static void expect_escape(size_t (*escape)(const char *, size_t, char *, size_t), const char *bytes,
                          size_t length, const char *expected)
{
    char out[256];
    ck_assert_uint_eq(escape(bytes, length, NULL, 0), strlen(expected));
    ck_assert_uint_eq(escape(bytes, length, out, sizeof out), strlen(expected));
    ck_assert_str_eq(out, expected);
    /* Every smaller buffer holds a prefix, ended and not overrun. */
    for (size_t capacity = 1; capacity <= strlen(expected); capacity++) {
        memset(out, '#', sizeof out);
        ck_assert_uint_eq(escape(bytes, length, out, capacity), strlen(expected));
        ck_assert_uint_lt(strlen(out), capacity);
        ck_assert_int_eq(strncmp(out, expected, strlen(out)), 0);
        ck_assert_int_eq(out[capacity], '#');
    }
}

START_TEST(utf8_of_all_lengths)
{
    ck_assert(text_is_utf8(BYTES("")));
    ck_assert(text_is_utf8(BYTES("plain ascii, longer than a word")));
    ck_assert(text_is_utf8(BYTES("gr\xc3\xbc\xc3\x9f \xe2\x89\xa5 \xf0\x9f\x98\x80 end of text")));
    ck_assert(text_is_utf8(BYTES("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf")));
    ck_assert(text_is_utf8(BYTES("nul\0inside")));
}
END_TEST

START_TEST(utf8_refuses_what_is_not)
{
    static const char *const wrong[] = {
        "\x80",     "\xff\xfe",         "\xc0\x80",         "\xc1\xbf",
        "\xc3",     "12345678\xc3",     "\xe0\x9f\xbf",     "\xed\xa0\x80",
        "\xe2\x89", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3\x28", "\xe2\x28\xa1",     "\xf0\x9f\x98",     "12345678abc\xe2\x82\x28",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!text_is_utf8(wrong[i], strlen(wrong[i])), "case %zu", i);
    /* What makes a character whole must lie inside the length. */
    ck_assert(!text_is_utf8("\xc3\xbc", 1));
}
END_TEST

START_TEST(terminal_escapes)
{
    expect_escape(text_escape_terminal, BYTES("plain name.txt"), "plain name.txt");
    expect_escape(text_escape_terminal, BYTES("a\nb\tc\rd"), "a\\nb\\tc\\rd");
    expect_escape(text_escape_terminal, BYTES("back\\slash"), "back\\\\slash");
    expect_escape(text_escape_terminal, BYTES("\033]0;title\007\033[2J"),
                  "\\033]0;title\\007\\033[2J");
    expect_escape(text_escape_terminal, BYTES("\xff\xfe\x7f"), "\\377\\376\\177");
    expect_escape(text_escape_terminal, BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    /* CSI as one C1 character, a right-to-left override, a line separator. */
    expect_escape(text_escape_terminal,
                  BYTES("\xc2\x9b"
                        "2J"),
                  "\\302\\2332J");
    expect_escape(text_escape_terminal, BYTES("exe\xe2\x80\xaegpj"), "exe\\342\\200\\256gpj");
    expect_escape(text_escape_terminal, BYTES("\xe2\x80\xa8"), "\\342\\200\\250");
    expect_escape(text_escape_terminal, BYTES("\xe2\x89\xa5"), "\xe2\x89\xa5");
    /* A whole message keeps the escapes that are in it. */
    expect_escape(text_escape_message, BYTES("a\\nb\033\n"), "a\\nb\\033\\n");
}
END_TEST

START_TEST(terminal_escapes_are_unambiguous_and_harmless)
{
    char names[65536 / 16][16];
    size_t count = 0;
    /* All pairs of a few treacherous bytes. */
    static const char bytes[] = "\\n\n0\033\xc2\x9b\xff"
                                "a1t\t";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        for (size_t j = 0; j < sizeof bytes - 1; j++) {
            char pair[2] = {bytes[i], bytes[j]};
            text_escape_terminal(pair, 2, names[count], sizeof names[count]);
            for (const char *at = names[count]; *at; at++)
                ck_assert((unsigned char)*at >= 0x20 && *at != 0x7f);
            ck_assert(text_is_utf8(names[count], strlen(names[count])));
            for (size_t other = 0; other < count; other++)
                ck_assert_str_ne(names[other], names[count]);
            count++;
        }
    }
}
END_TEST

START_TEST(json_escapes)
{
    expect_escape(text_json_escape, BYTES("a\"b\\c/d"), "a\\\"b\\\\c/d");
    expect_escape(text_json_escape, BYTES("\b\f\n\r\t\x01\x1f\x7f"),
                  "\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f");
    expect_escape(text_json_escape, BYTES("a\0b"), "a\\u0000b");
    expect_escape(text_json_escape, BYTES("\xe2\x89\xa5\xff"), "\xe2\x89\xa5\\ufffd");
}
END_TEST

START_TEST(gnu_escapes)
{
    expect_escape(text_gnu_escape, BYTES("a\\b\nc\r"), "a\\\\b\\nc\\r");
    expect_escape(text_gnu_escape, BYTES("\n\n"), "\\n\\n");
    expect_escape(text_gnu_escape, BYTES("\xff\t\x1b plain"), "\xff\t\x1b plain");
    expect_escape(text_gnu_escape, BYTES(""), "");
}
END_TEST

START_TEST(hexadecimal)
{
    char out[6] = "-----";
    text_hex((const uint8_t[]){0x0f, 0xa9}, 2, out);
    ck_assert_str_eq(out, "0fa9-");
}
END_TEST

START_TEST(base64_vectors_of_rfc_4648)
{
    expect_escape(text_base64, BYTES(""), "");
    expect_escape(text_base64, BYTES("f"), "Zg==");
    expect_escape(text_base64, BYTES("fo"), "Zm8=");
    expect_escape(text_base64, BYTES("foo"), "Zm9v");
    expect_escape(text_base64, BYTES("foob"), "Zm9vYg==");
    expect_escape(text_base64, BYTES("fooba"), "Zm9vYmE=");
    expect_escape(text_base64, BYTES("foobar"), "Zm9vYmFy");
    expect_escape(text_base64, BYTES("\xff\xfe\xfb\xef"), "//777w==");
}
END_TEST

START_TEST(columns_of_text)
{
    ck_assert_uint_eq(text_columns(""), 0);
    ck_assert_uint_eq(text_columns("abc"), 3);
    ck_assert_uint_eq(text_columns("\xe2\x89\xa5 1"), 3);
    ck_assert_uint_eq(text_columns("\033[31m2 errors\033[0m"), 8);
}
END_TEST

START_TEST(units_of_bytes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.00 kB"},
        {1004, "1.00 kB"},
        {1005, "1.01 kB"},
        {9994, "9.99 kB"},
        {9995, "10.0 kB"},
        {99949, "99.9 kB"},
        {99950, "100 kB"},
        {999499, "999 kB"},
        {999500, "1.00 MB"},
        {1320000000, "1.32 GB"},
        {999999999999, "1.00 TB"},
        {UINT64_C(10000000000000000000), "10.0 EB"},
        {UINT64_MAX, "18.4 EB"},
    };
    char out[UNITS_CAPACITY];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(units_bytes(cases[i].bytes, out), cases[i].text);
    for (uint64_t bytes = 1; bytes < UINT64_MAX / 3; bytes = bytes * 3 + 1)
        ck_assert_uint_le(strlen(units_bytes(bytes, out)), 7);
}
END_TEST

START_TEST(units_of_rates_counts_and_times)
{
    char out[UNITS_CAPACITY];
    ck_assert_str_eq(units_rate(1.86e9, out), "1.86 GB/s");
    ck_assert_str_eq(units_rate(0.4, out), "0 B/s");
    ck_assert_str_eq(units_rate(-5, out), "0 B/s");
    ck_assert_str_eq(units_rate(NAN, out), "0 B/s");
    ck_assert_str_eq(units_rate(INFINITY, out), "18.4 EB/s");
    ck_assert_str_eq(units_count(0, out), "0");
    ck_assert_str_eq(units_count(999, out), "999");
    ck_assert_str_eq(units_count(1000, out), "1,000");
    ck_assert_str_eq(units_count(78579, out), "78,579");
    ck_assert_str_eq(units_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
    ck_assert_str_eq(units_clock(0, out), "0:00");
    ck_assert_str_eq(units_clock(UINT64_C(59999999999), out), "0:59");
    ck_assert_str_eq(units_clock(UINT64_C(754000000000), out), "12:34");
    ck_assert_str_eq(units_clock(UINT64_C(3723000000000), out), "1:02:03");
    ck_assert_str_eq(units_seconds(706000000, out), "0.71 s");
    ck_assert_str_eq(units_seconds(UINT64_C(9994999999), out), "9.99 s");
    ck_assert_str_eq(units_seconds(UINT64_C(9995000000), out), "10.0 s");
    ck_assert_str_eq(units_seconds(UINT64_C(59940000000), out), "59.9 s");
    ck_assert_str_eq(units_seconds(UINT64_C(59960000000), out), "1:00");
    ck_assert_uint_eq(units_percent(0.456), 46);
    ck_assert_uint_eq(units_percent(7), 100);
    ck_assert_uint_eq(units_percent(NAN), 0);
    ck_assert_str_eq(units_decimal(0.2644, 3, out), "0.264");
    ck_assert_str_eq(units_decimal(-1.5, 1, out), "-1.5");
    ck_assert_str_eq(units_decimal(-0.001, 1, out), "0.0");
    ck_assert_str_eq(units_decimal(INFINITY, 1, out), "0.0");
    ck_assert_str_eq(units_decimal(1e300, 0, out), "1000000000000000000");
}
END_TEST

START_TEST(json_writer_puts_commas_and_keys)
{
    struct json_writer json = {0};
    json_begin_object(&json, NULL);
    json_string(&json, "a", "x\ny");
    json_begin_array(&json, "list");
    json_uint(&json, NULL, UINT64_MAX);
    json_int(&json, NULL, INT64_MIN);
    json_begin_object(&json, NULL);
    json_end_object(&json);
    json_begin_array(&json, NULL);
    json_end_array(&json);
    json_end_array(&json);
    json_bool(&json, "yes", true);
    json_null(&json, "nothing");
    json_string(&json, "none", NULL);
    json_decimal(&json, "half", 0.5, 3);
    json_decimal(&json, "nan", NAN, 3);
    json_bytes(&json, "path", BYTES("a/b"));
    json_bytes(&json, "path", BYTES("\xff"));
    json_end_object(&json);
    json_end_line(&json);
    ck_assert(json_ok(&json));
    ck_assert_str_eq(json.text,
                     "{\"a\":\"x\\ny\",\"list\":[18446744073709551615,-9223372036854775808,{},[]],"
                     "\"yes\":true,\"nothing\":null,\"none\":null,\"half\":0.500,\"nan\":null,"
                     "\"path\":\"a/b\",\"path_b64\":\"/w==\"}\n");
    ck_assert_uint_eq(json.length, strlen(json.text));
    ck_assert_int_eq(json_lines(json.text), 1);
    json_clear(&json);
    json_begin_array(&json, NULL);
    json_end_array(&json);
    ck_assert_str_eq(json.text, "[]");
    json_free(&json);
}
END_TEST

START_TEST(json_writer_survives_any_bytes)
{
    struct json_writer json = {0};
    uint32_t state = 1;
    for (int round = 0; round < 2000; round++) {
        char name[600];
        size_t length = (size_t)round % sizeof name;
        for (size_t i = 0; i < length; i++) {
            state = state * 1664525 + 1013904223;
            /* Half of the names are ASCII, so that both forms appear. */
            name[i] = (char)(state >> 24 & (round % 2 ? 0x7f : 0xff));
        }
        json_begin_object(&json, NULL);
        json_bytes(&json, "path", name, length);
        name[length < sizeof name ? length : length - 1] = '\0';
        json_string(&json, "text", name);
        json_end_object(&json);
        json_end_line(&json);
        ck_assert(json_ok(&json));
        ck_assert(text_is_utf8(json.text, json.length));
        ck_assert_int_eq(json_lines(json.text), 1);
        json_clear(&json);
    }
    json_free(&json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, utf8_of_all_lengths);
    tcase_add_test(tests, utf8_refuses_what_is_not);
    tcase_add_test(tests, terminal_escapes);
    tcase_add_test(tests, terminal_escapes_are_unambiguous_and_harmless);
    tcase_add_test(tests, json_escapes);
    tcase_add_test(tests, gnu_escapes);
    tcase_add_test(tests, hexadecimal);
    tcase_add_test(tests, base64_vectors_of_rfc_4648);
    tcase_add_test(tests, columns_of_text);
    tcase_add_test(tests, units_of_bytes);
    tcase_add_test(tests, units_of_rates_counts_and_times);
    tcase_add_test(tests, json_writer_puts_commas_and_keys);
    tcase_add_test(tests, json_writer_survives_any_bytes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
