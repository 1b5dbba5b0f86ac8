/* The small languages of the command line: sizes, counts, dates, durations, names. */
#include "cli/parse.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"1", 1},
                {"17B", 17},
                {"1K", 1024},
                {"1k", 1024},
                {"1KiB", 1024},
                {"1KB", 1000},
                {"64M", 67108864},
                {"2MB", 2000000},
                {"1GiB", 1 << 30},
                {"1Ti", 1LL << 40},
                {"3PB", 3000000000000000},
                {"15E", 15ull << 60},
                {"18446744073709551615", UINT64_MAX},
                {"007", 7}};
    static const char *const malformed[] = {"",     "K",     "-1", "+1",  " 1",   "1 ",
                                            "1.5K", "1KK",   "1Q", "1iB", "1KIB", "0x10",
                                            "1 K",  "1KiBs", "%",  "1BB"};
    static const char *const large[] = {"16E", "18446744073709551616", "18446744073709551615K",
                                        "99999999999999999999999B", "19000PB"};
    uint64_t bytes = 0;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(parse_size(good[i].text, &bytes) == 0, "%s", good[i].text);
        ck_assert_msg(bytes == good[i].bytes, "%s: %llu", good[i].text, (unsigned long long)bytes);
    }
    bytes = 42;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        ck_assert_msg(parse_size(malformed[i], &bytes) == -EINVAL, "%s", malformed[i]);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
        ck_assert_msg(parse_size(large[i], &bytes) == -ERANGE, "%s", large[i]);
    ck_assert_uint_eq(bytes, 42);
}
END_TEST

START_TEST(counts_and_percents)
{
    uint64_t count = 0;
    unsigned percent = 0;

    ck_assert_int_eq(parse_count("12", 12, &count), 0);
    ck_assert_uint_eq(count, 12);
    ck_assert_int_eq(parse_count("13", 12, &count), -ERANGE);
    ck_assert_int_eq(parse_count("99999999999999999999", UINT64_MAX, &count), -ERANGE);
    ck_assert_int_eq(parse_count("", 12, &count), -EINVAL);
    ck_assert_int_eq(parse_count("1x", 12, &count), -EINVAL);
    ck_assert_int_eq(parse_percent("50%", &percent), 0);
    ck_assert_uint_eq(percent, 50);
    ck_assert_int_eq(parse_percent("100%", &percent), 0);
    ck_assert_int_eq(parse_percent("0%", &percent), -ERANGE);
    ck_assert_int_eq(parse_percent("101%", &percent), -ERANGE);
    ck_assert_int_eq(parse_percent("50", &percent), -EINVAL);
    ck_assert_int_eq(parse_percent("5%%", &percent), -EINVAL);
    ck_assert_uint_eq(percent, 100);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"1", 1000000000},      {"1s", 1000000000},   {"500ms", 500000000},
                {"3us", 3000},          {"7ns", 7},           {"1.5s", 1500000000},
                {"0.25", 250000000},    {"2m", 120000000000}, {"1h", 3600000000000},
                {"1d", 86400000000000}, {"0.5m", 30000000000}};
    static const char *const malformed[] = {"",    "s",   "1x",  "1.s",  ".5",
                                            "-1s", "1 s", "1ss", "1.2.3"};
    uint64_t ns = 0;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(parse_duration(good[i].text, &ns) == 0, "%s", good[i].text);
        ck_assert_msg(ns == good[i].ns, "%s: %llu", good[i].text, (unsigned long long)ns);
    }
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        ck_assert_msg(parse_duration(malformed[i], &ns) == -EINVAL, "%s", malformed[i]);
    ck_assert_int_eq(parse_duration("18446744073709551615s", &ns), -ERANGE);
    ck_assert_int_eq(parse_duration("300000d", &ns), -ERANGE);
}
END_TEST

START_TEST(moments)
{
    /* Seconds as date -u +%s gives them; local time is that of TZ, two hours east in summer. */
    static const struct {
        const char *text;
        int64_t seconds;
        long ns;
    } good[] = {{"@0", 0, 0},
                {"@-1.25", -2, 750000000},
                {"@1714564800.000000001", 1714564800, 1},
                {"2024-05-01", 1714514400, 0},
                {"2024-05-01 12:00", 1714557600, 0},
                {"2024-05-01 12:00Z", 1714564800, 0},
                {"2024-05-01T12:00:30Z", 1714564830, 0},
                {"2024-05-01 12:00:30.5+05:30", 1714545030, 500000000},
                {"2024-05-01 12:00 -0130", 1714570200, 0},
                {"2024-02-29 00:00+00", 1709164800, 0},
                {"1969-12-31 23:59:59Z", -1, 0}};
    static const char *const malformed[] = {"",
                                            "@",
                                            "@x",
                                            "2024",
                                            "24-5-1",
                                            "2024-05",
                                            "2024-05-01 ",
                                            "2024-05-01 12",
                                            "2024-05-01 12:0",
                                            "2024-05-01 12:00 CET",
                                            "2024-05-01 12:00+1",
                                            "2024-05-01x",
                                            "./2024-05-01",
                                            "2024-05-01 12:00.5",
                                            "2024-05-01 12:00+24:00"};
    static const char *const impossible[] = {
        "2024-02-30", "2023-02-29",       "2024-13-01",       "2024-00-01",
        "2024-01-00", "2024-01-01 24:00", "2024-01-01 10:60", "@9223372036854775807"};
    struct timespec moment = {0};

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(parse_moment(good[i].text, &moment) == 0, "%s", good[i].text);
        ck_assert_msg(moment.tv_sec == good[i].seconds && moment.tv_nsec == good[i].ns,
                      "%s: %lld.%09ld", good[i].text, (long long)moment.tv_sec, moment.tv_nsec);
    }
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        ck_assert_msg(parse_moment(malformed[i], &moment) == -EINVAL, "%s", malformed[i]);
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
        ck_assert_msg(parse_moment(impossible[i], &moment) == -ERANGE, "%s", impossible[i]);
}
END_TEST

START_TEST(names_near_and_quoted)
{
    char out[16];

    ck_assert_uint_eq(edit_distance("hash", "hash"), 0);
    ck_assert_uint_eq(edit_distance("hsah", "hash"), 1);
    ck_assert_uint_eq(edit_distance("has", "hash"), 1);
    ck_assert_uint_eq(edit_distance("kitten", "sitting"), 3);
    ck_assert_uint_eq(edit_distance("", "abc"), 3);
    ck_assert_uint_eq(
        edit_distance("a", "0123456789012345678901234567890123456789012345678901234567890123"),
        UINT_MAX);
    ck_assert_str_eq(quote_text("a\nb", 3, out, sizeof(out)), "'a\\012b'");
    ck_assert_str_eq(quote_text("\377", 1, out, sizeof(out)), "'\\377'");
    ck_assert_str_eq(quote_text("0123456789abcdef", 16, out, sizeof(out)), "'0123456...'");
    ck_assert_str_eq(quote_text("abc", 3, out, 4), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse");
    TCase *cases = tcase_create("parse");
    tcase_add_test(cases, sizes);
    tcase_add_test(cases, counts_and_percents);
    tcase_add_test(cases, durations);
    tcase_add_test(cases, moments);
    tcase_add_test(cases, names_near_and_quoted);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
