/* What the bar shows, at all widths, and the status line. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "stages/text.h"
#include "tests/unit/rounds.h"

#define SECOND UINT64_C(1000000000)

static const struct progress_view sample_view = {
    .verb = "hash",
    .files_done = 33790,
    .files_total = 78579,
    .bytes_done = 568000000,
    .bytes_total = 1320000000,
    .totals_final = true,
    .share = 0.4375,
    .rate = 1.86e9,
    .mean = 1.8e9,
    .files_rate = 100000,
    .eta_ns = 2 * SECOND,
    .elapsed_ns = 3 * SECOND / 2,
    .ratio = -1,
    .bottleneck = 2,
    .stage_count = 4,
    .stage = {{"scan", .12, 1, 0, 0},
              {"read", .5, 1, 3, 64},
              {"hash", .95, 2, 60, 64},
              {"write", .01, 1, 0, 64}},
};

static void expect_frame(const struct progress_view *view, unsigned columns, unsigned flags,
                         const char *expected)
{
    char out[PROGRESS_LINE_CAPACITY];
    size_t length = progress_render(view, columns, 5, flags, out, sizeof out);
    ck_assert_str_eq(out, expected);
    ck_assert_uint_eq(length, strlen(expected));
    ck_assert_uint_lt(text_columns(out), columns > 0 ? columns : 1);
}

/* On a terminal that is high enough. */
static void expect_two_lines(const struct progress_view *view, unsigned columns, unsigned flags,
                             const char *first, const char *second)
{
    char out[PROGRESS_FRAME_CAPACITY], expected[PROGRESS_FRAME_CAPACITY];
    snprintf(expected, sizeof expected, "%s\n%s", first, second);
    size_t length = progress_render(view, columns, 24, flags, out, sizeof out);
    ck_assert_str_eq(out, expected);
    ck_assert_uint_eq(length, strlen(expected));
    *strchr(out, '\n') = '\0';
    ck_assert_uint_lt(text_columns(out), columns);
    ck_assert_uint_lt(text_columns(second), columns);
}

START_TEST(frames_of_all_widths)
{
    const struct progress_view *view = &sample_view;
    expect_frame(view, 0, 0, "");
    expect_frame(view, 4, 0, "");
    expect_frame(view, 5, 0, " 43%");
    expect_frame(view, 20, 0, " 43%  1.86 GB/s");
    expect_frame(view, 40, 0, " 43%  [===>     ]  1.86 GB/s  ETA  0:02");
    expect_frame(view, 80, 0,
                 " 43%  [====>      ]  33,790/78,579 files   568 MB/1.32 GB  1.86 GB/s  ETA  0:02");
    expect_frame(view, 80, PROGRESS_UTF8,
                 " 43%  [████▊      ]  33,790/78,579 files   568 MB/1.32 GB  1.86 GB/s  ETA  0:02");
    expect_frame(view, 120, 0,
                 "hash   43%  [=========>            ]  33,790/78,579 files   568 MB/1.32 GB"
                 "  1.86 GB/s  mean 1.80 GB/s   0:01  ETA  0:02");
    expect_frame(view, 200, 0,
                 "hash   43%  [=========>           ]  33,790/78,579 files   568 MB/1.32 GB"
                 "  1.86 GB/s  mean 1.80 GB/s   0:01  ETA  0:02  bottleneck hash  95%"
                 "  scan 12%  read 50%  3/64  hash 95% 60/64  write  1%  0/64");
}
END_TEST

START_TEST(two_lines_where_there_is_room)
{
    struct progress_view view = sample_view;
    view.in_work = "usr/share/doc/a-package/examples/some-longer-name.txt";
    view.ratio = 0.2643;
    static const char eighty[] =
        " 43%  [====>      ]  33,790/78,579 files   568 MB/1.32 GB  1.86 GB/s  ETA  0:02";
    static const char two_hundred[] =
        "hash   43%  [=================>                      ]  33,790/78,579 files"
        "   568 MB/1.32 GB  1.86 GB/s  ETA  0:02";
    static const char figures[] = "mean 1.80 GB/s  ratio 0.264   0:01  bottleneck hash  95%";
    static const char stages[] = "  scan 12%  read 50%  3/64  hash 95% 60/64  write  1%  0/64  ";
    char second[PROGRESS_LINE_CAPACITY];
    expect_frame(&view, 40, 0, " 43%  [===>     ]  1.86 GB/s  ETA  0:02");
    expect_two_lines(&view, 60, 0, "hash   43%  [==>   ]   568 MB/1.32 GB  1.86 GB/s  ETA  0:02",
                     figures);
    snprintf(second, sizeof second, "%s  ...me-longer-name.txt", figures);
    expect_two_lines(&view, 80, 0, eighty, second);
    snprintf(second, sizeof second, "%s  …some-longer-name.txt", figures);
    expect_two_lines(&view, 80, PROGRESS_UTF8,
                     " 43%  [████▊      ]  33,790/78,579 files   568 MB/1.32 GB  1.86 GB/s"
                     "  ETA  0:02",
                     second);
    snprintf(second, sizeof second, "%s%s%s", figures, stages, view.in_work);
    expect_two_lines(&view, 200, 0, two_hundred, second);
    /* No name yet, nothing compressed, no stage in need of anything. */
    view.in_work = NULL;
    view.ratio = -1;
    view.bottleneck = -1;
    expect_two_lines(&view, 82, 0,
                     "hash   43%  [===>   ]  33,790/78,579 files   568 MB/1.32 GB  1.86 GB/s"
                     "  ETA  0:02",
                     "mean 1.80 GB/s   0:01  scan 12%  read 50%  3/64"
                     "  hash 95% 60/64  write  1%  0/64");
    /* Errors are on the first line. */
    view.errors = 2;
    view.stage_count = 0;
    expect_two_lines(&view, 80, 0,
                     "hash   43%  [=======>        ]   568 MB/1.32 GB  1.86 GB/s  ETA  0:02"
                     "  2 errors",
                     "mean 1.80 GB/s   0:01");
}
END_TEST

/* The second line of a terminal of 80 columns has 21 for the name, and one less where not all of
 * them can be filled. */
START_TEST(names_are_shown_by_their_ends)
{
    static const struct {
        const char *path, *ascii, *utf8;
    } cases[] = {
        {"a/short/name", "a/short/name", "a/short/name"},
        {"12345678/12345678/123", "12345678/12345678/123", "12345678/12345678/123"},
        {"x12345678/12345678/123", "...45678/12345678/123", "…2345678/12345678/123"},
        {"größe/é", "gr??e/?", "größe/é"},
        /* Characters of two columns. */
        {"漢字漢字漢字漢字漢字漢字", "????????????", "…漢字漢字漢字漢字漢字"},
        {"a\nb\033[2Jc\xff", "a\\nb\\033[2Jc\\377", "a\\nb\\033[2Jc\\377"},
    };
    static const char before[] = "  bottleneck hash  95%  ";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned flags = 0; flags < 2; flags++) {
            char out[PROGRESS_FRAME_CAPACITY];
            struct progress_view view = sample_view;
            view.ratio = 0.2643;
            view.in_work = cases[i].path;
            progress_render(&view, 80, 24, flags, out, sizeof out);
            const char *name = strstr(out, before);
            ck_assert_ptr_nonnull(name);
            ck_assert_str_eq(name + strlen(before), flags ? cases[i].utf8 : cases[i].ascii);
        }
    }
}
END_TEST

START_TEST(totals_are_lower_bounds_while_the_scan_runs)
{
    struct progress_view view = sample_view;
    view.totals_final = false;
    view.eta_ns = PROGRESS_ETA_UNKNOWN;
    view.elapsed_ns = SECOND;
    expect_frame(&view, 40, 0, " --%  [     <=> ]  1.86 GB/s  ETA --:--");
    expect_frame(&view, 80, 0,
                 " --%  [   <=> ]  33,790/>=78,579 files   568 MB/>=1.32 GB  1.86 GB/s  ETA --:--");
    expect_frame(&view, 80, PROGRESS_UTF8,
                 " --%  [     <=> ]  33,790/≥78,579 files   568 MB/≥1.32 GB  1.86 GB/s  ETA --:--");
    /* The mark goes to the end and comes back, and never leaves the bar. */
    char out[PROGRESS_LINE_CAPACITY];
    for (view.elapsed_ns = 0; view.elapsed_ns < 20 * SECOND; view.elapsed_ns += SECOND / 5) {
        progress_render(&view, 80, 5, 0, out, sizeof out);
        ck_assert_ptr_nonnull(strstr(out, "<=>"));
        ck_assert_uint_lt(text_columns(out), 80);
    }
}
END_TEST

START_TEST(errors_are_red_and_stay_on_narrow_terminals)
{
    struct progress_view view = sample_view;
    view.errors = 2;
    expect_frame(&view, 20, 0, " 43%  2 errors");
    expect_frame(&view, 40, PROGRESS_COLOR, " 43%  1.86 GB/s  ETA  0:02  \033[31m2 errors\033[0m");
    view.errors = 1;
    expect_frame(&view, 20, PROGRESS_COLOR, "hash   43%  \033[31m1 error\033[0m");
}
END_TEST

START_TEST(special_frames)
{
    struct progress_view view = {
        .verb = "hash", .totals_final = true, .share = 1, .ratio = -1, .bottleneck = -1};
    expect_frame(&view, 60, 0, "100%  [=========]      0 B/0 B      0 B/s   0:00  ETA  0:00");
    /* Empty files: what moves is files. */
    view = (struct progress_view){.verb = "hash",
                                  .files_done = 500,
                                  .files_total = 1000,
                                  .totals_final = true,
                                  .share = .5,
                                  .files_rate = 1234.4,
                                  .eta_ns = SECOND / 2,
                                  .ratio = -1,
                                  .bottleneck = -1};
    expect_frame(&view, 40, 0, " 50%  1,234 files/s   0:00  ETA  0:01");
    /* Nearly done is not done. */
    view.files_done = 999;
    view.share = 0.9999;
    expect_frame(&view, 10, 0, " 99%");
    view.files_done = 1000;
    view.share = 1;
    expect_frame(&view, 10, 0, "100%");
    view = sample_view;
    view.ratio = 0.2641;
    char out[PROGRESS_LINE_CAPACITY];
    progress_render(&view, 200, 5, 0, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "  ratio 0.264  "));
}
END_TEST

/* Names of all kinds: with controls, what is no UTF-8, and characters of three and four bytes. */
static void make_path(char path[static 64], uint32_t *state)
{
    static const char *const parts[] = {"a", "/",  "\n", "\033[K", "\xff",
                                        "é", "漢", "😀",  "%",      "\\"};
    unsigned count = (*state = *state * 1664525 + 1013904223) >> 28;
    *path = '\0';
    for (unsigned i = 0; i < count; i++)
        strcat(path, parts[((*state = *state * 1664525 + 1013904223) >> 8) % 10]);
}

/* No more than two lines, and none as wide as the terminal even if those characters take two. */
static void expect_narrow_lines(const char *frame, unsigned columns, unsigned rows)
{
    unsigned lines = 1, width = 0;
    for (const char *at = frame; *at; at++) {
        if (*at == '\n') {
            lines++;
            width = 0;
        } else if (*at == '\033') {
            ck_assert_int_eq(at[1], '[');
            at += strcspn(at, "m");
            ck_assert_int_eq(*at, 'm');
        } else {
            unsigned char byte = (unsigned char)*at;
            ck_assert_uint_ge(byte, ' ');
            width += byte >= 0xe3 ? 2 : (byte & 0xc0) != 0x80;
            ck_assert_uint_lt(width, columns);
        }
    }
    ck_assert_uint_le(
        lines, columns >= PROGRESS_TWO_LINES_COLUMNS && rows >= PROGRESS_TWO_LINES_ROWS ? 2 : 1);
}

START_TEST(no_frame_is_too_wide_or_overruns)
{
    uint32_t state = 7;
    for (int round = 0; round < ROUNDS(20000); round++) {
        struct progress_view view = sample_view;
        uint64_t random[6];
        for (int i = 0; i < 6; i++) {
            random[i] = 0;
            for (int part = 0; part < 3; part++)
                random[i] = random[i] << 24 ^ (state = state * 1664525 + 1013904223) >> 8;
            random[i] >>= state >> 8 & 63;
        }
        view.files_done = random[0];
        view.files_total = random[0] > random[1] ? random[0] : random[1];
        view.bytes_done = random[2];
        view.bytes_total = random[2] > random[3] ? random[2] : random[3];
        view.errors = random[4] & 1 ? random[5] : 0;
        view.rate = (double)random[5] - 10;
        view.mean = (double)random[4] * 1e9;
        view.eta_ns = random[1];
        view.elapsed_ns = random[3];
        view.share = round % 3 ? (double)(random[4] & 1023) / 1000 : -0.5;
        view.totals_final = state >> 16 & 1;
        view.output_bytes = random[0];
        char path[64];
        make_path(path, &state);
        view.in_work = round % 5 ? path : NULL;
        view.ratio = round % 7 ? (double)random[2] / 1e12 : -1;
        unsigned columns = state >> 8 & 255, rows = state >> 20 & 15, flags = state >> 4 & 3;
        char out[PROGRESS_FRAME_CAPACITY + 1];
        memset(out, '#', sizeof out);
        size_t capacity = round % 4 ? PROGRESS_FRAME_CAPACITY : state >> 12 & 511;
        size_t length = progress_render(&view, columns, rows, flags, out, capacity);
        ck_assert_int_eq(out[capacity], '#');
        if (capacity == 0)
            continue;
        ck_assert_uint_lt(length, capacity);
        ck_assert_uint_eq(length, strlen(out));
        ck_assert(text_is_utf8(out, length));
        expect_narrow_lines(out, columns, rows);
        if (!(flags & PROGRESS_UTF8))
            for (size_t i = 0; i < length; i++)
                ck_assert(!((unsigned char)out[i] & 0x80));
    }
}
END_TEST

START_TEST(status_line)
{
    char out[PROGRESS_LINE_CAPACITY];
    struct progress_view view = sample_view;
    view.errors = 1;
    static const char expected[] =
        "hash: 43%, 33,790/78,579 files, 568 MB/1.32 GB, 1.86 GB/s, mean 1.80 GB/s, ETA 0:02, "
        "elapsed 0:01, 1 error, bottleneck hash 95%; "
        "scan 12%  read 50% 3/64  hash 95% 60/64  write 1% 0/64";
    ck_assert_uint_eq(progress_status_line(&view, PROGRESS_COLOR, out, sizeof out),
                      sizeof expected - 1);
    ck_assert_str_eq(out, expected);
    ck_assert_uint_eq(progress_status_line(&view, 0, out, 10), sizeof expected - 1);
    ck_assert_str_eq(out, "hash: 43%");
    view.totals_final = false;
    view.stage_count = 0;
    view.bottleneck = -1;
    view.eta_ns = PROGRESS_ETA_UNKNOWN;
    view.ratio = 0.5;
    view.in_work = "a/file";
    progress_status_line(&view, PROGRESS_UTF8, out, sizeof out);
    ck_assert_str_eq(out, "hash: 33,790/≥78,579 files, 568 MB/≥1.32 GB, 1.86 GB/s, mean 1.80 GB/s, "
                          "ETA --:--, elapsed 0:01, 1 error, ratio 0.500; a/file");
    view.is_last = true; /* nothing is in work any more */
    view.ratio = -1;
    progress_status_line(&view, PROGRESS_UTF8, out, sizeof out);
    ck_assert_str_eq(out, "hash: 33,790/≥78,579 files, 568 MB/≥1.32 GB, 1.86 GB/s, mean 1.80 GB/s, "
                          "ETA --:--, elapsed 0:01, 1 error");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress_render");
    TCase *tests = tcase_create("progress_render");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, frames_of_all_widths);
    tcase_add_test(tests, two_lines_where_there_is_room);
    tcase_add_test(tests, names_are_shown_by_their_ends);
    tcase_add_test(tests, totals_are_lower_bounds_while_the_scan_runs);
    tcase_add_test(tests, errors_are_red_and_stay_on_narrow_terminals);
    tcase_add_test(tests, special_frames);
    tcase_add_test(tests, no_frame_is_too_wide_or_overruns);
    tcase_add_test(tests, status_line);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
