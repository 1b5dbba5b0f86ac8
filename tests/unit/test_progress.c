/* What the bar shows and the estimates behind it: the pure parts of the progress display. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "stages/text.h"

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
    size_t length = progress_render(view, columns, flags, out, sizeof out);
    ck_assert_str_eq(out, expected);
    ck_assert_uint_eq(length, strlen(expected));
    ck_assert_uint_lt(text_columns(out), columns > 0 ? columns : 1);
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
        progress_render(&view, 80, 0, out, sizeof out);
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
        .verb = "hash", .totals_final = true, .share = 1, .bottleneck = -1};
    expect_frame(&view, 60, 0, "100%  [=========]      0 B/0 B      0 B/s   0:00  ETA  0:00");
    /* Empty files: what moves is files. */
    view = (struct progress_view){.verb = "hash",
                                  .files_done = 500,
                                  .files_total = 1000,
                                  .totals_final = true,
                                  .share = .5,
                                  .files_rate = 1234.4,
                                  .eta_ns = SECOND / 2,
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
    view.output_bytes = 150000000;
    char out[PROGRESS_LINE_CAPACITY];
    progress_render(&view, 200, 0, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "  ratio 0.264  "));
}
END_TEST

START_TEST(no_frame_is_too_wide_or_overruns)
{
    uint32_t state = 7;
    for (int round = 0; round < 20000; round++) {
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
        unsigned columns = state >> 8 & 255, flags = state >> 4 & 3;
        char out[PROGRESS_LINE_CAPACITY + 1];
        memset(out, '#', sizeof out);
        size_t capacity = round % 4 ? PROGRESS_LINE_CAPACITY : state >> 12 & 511;
        size_t length = progress_render(&view, columns, flags, out, capacity);
        ck_assert_int_eq(out[capacity], '#');
        if (capacity == 0)
            continue;
        ck_assert_uint_lt(length, capacity);
        ck_assert_uint_eq(length, strlen(out));
        ck_assert_uint_lt(text_columns(out), columns > 0 ? columns : 1);
        ck_assert(text_is_utf8(out, length));
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
    progress_status_line(&view, PROGRESS_UTF8, out, sizeof out);
    ck_assert_str_eq(out, "hash: 33,790/≥78,579 files, 568 MB/≥1.32 GB, 1.86 GB/s, mean 1.80 GB/s, "
                          "ETA --:--, elapsed 0:01, 1 error");
}
END_TEST

/* A job of 1000 MB in one file that is read at `rate` bytes a second from now on. */
static void advance(struct progress_estimator *estimator, struct progress_snapshot *snapshot,
                    double seconds, double rate, struct progress_view *view)
{
    const double step = 0.2;
    for (double passed = step / 2; passed < seconds; passed += step) {
        uint64_t left = snapshot->bytes_total - snapshot->bytes_done;
        uint64_t more = (uint64_t)(rate * step);
        snapshot->bytes_done += more < left ? more : left;
        progress_estimate(estimator, snapshot, (uint64_t)(step * 1e9), false, view);
    }
}

static struct progress_snapshot one_file(void)
{
    return (struct progress_snapshot){
        .files_total = 1, .bytes_total = 1000000000, .totals_final = true};
}

static double eta_seconds(const struct progress_view *view)
{
    ck_assert_uint_ne(view->eta_ns, PROGRESS_ETA_UNKNOWN);
    return (double)view->eta_ns / 1e9;
}

START_TEST(eta_is_unknown_until_there_is_ground_for_it)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    progress_estimate(&estimator, &snapshot, 0, false, &view);
    ck_assert_uint_eq(view.eta_ns, PROGRESS_ETA_UNKNOWN);
    ck_assert_double_eq(view.rate, 0);
    ck_assert_double_eq(view.mean, 0);
    advance(&estimator, &snapshot, 0.8, 10e6, &view);
    ck_assert_uint_eq(view.eta_ns, PROGRESS_ETA_UNKNOWN);
    /* From the first sample on the rate is the true one: no rise from zero. */
    ck_assert_double_eq_tol(view.rate, 10e6, 1e3);
    advance(&estimator, &snapshot, 0.4, 10e6, &view);
    ck_assert_double_eq_tol(eta_seconds(&view), 98.8, 0.1);
    ck_assert_double_eq_tol(view.mean, 10e6, 1e3);
    /* While the scan runs the end is unknown. */
    snapshot.totals_final = false;
    advance(&estimator, &snapshot, 5, 10e6, &view);
    ck_assert_uint_eq(view.eta_ns, PROGRESS_ETA_UNKNOWN);
}
END_TEST

START_TEST(eta_of_a_job_that_stalls_or_ends)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    advance(&estimator, &snapshot, 30, 0, &view);
    ck_assert_uint_eq(view.eta_ns, PROGRESS_ETA_UNKNOWN);
    advance(&estimator, &snapshot, 50, 10e6, &view);
    ck_assert_double_eq_tol(eta_seconds(&view), 50, 1);
    /* A stall lets it grow, and at last it is not known any more. */
    advance(&estimator, &snapshot, 10, 0, &view);
    ck_assert_double_gt(eta_seconds(&view), 60);
    advance(&estimator, &snapshot, 300, 0, &view);
    ck_assert_uint_eq(view.eta_ns, PROGRESS_ETA_UNKNOWN);
    ck_assert_double_lt(view.rate, 1);
    advance(&estimator, &snapshot, 60, 10e6, &view);
    snapshot.files_done = 1;
    progress_estimate(&estimator, &snapshot, SECOND / 5, false, &view);
    ck_assert_uint_eq(view.eta_ns, 0);
    ck_assert_double_eq(view.share, 1);
}
END_TEST

START_TEST(eta_follows_a_changed_rate_without_a_jump)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    advance(&estimator, &snapshot, 20, 20e6, &view);
    double shown = eta_seconds(&view);
    ck_assert_double_eq_tol(shown, 30, 0.5);
    /* A quarter of the speed: 120 s are left in truth. */
    for (int i = 0; i < 100; i++) {
        advance(&estimator, &snapshot, 0.2, 5e6, &view);
        ck_assert_double_lt(eta_seconds(&view) - shown, 5);
        ck_assert_double_gt(eta_seconds(&view) - shown, -2);
        shown = eta_seconds(&view);
    }
    ck_assert_double_eq_tol(shown, 100, 10);
    ck_assert_double_eq_tol(view.rate, 5e6, 0.5e6);
    /* Steady: the ETA runs down like a clock. */
    advance(&estimator, &snapshot, 30, 5e6, &view);
    shown = eta_seconds(&view);
    advance(&estimator, &snapshot, 10, 5e6, &view);
    ck_assert_double_eq_tol(eta_seconds(&view), shown - 10, 0.3);
}
END_TEST

START_TEST(alternating_speed_does_not_make_the_eta_dance)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    advance(&estimator, &snapshot, 10, 10e6, &view);
    for (int i = 0; i < 60; i++) {
        double before = eta_seconds(&view);
        advance(&estimator, &snapshot, 0.2, i % 2 ? 0 : 20e6, &view);
        ck_assert_double_lt(eta_seconds(&view), before + 0.5);
        ck_assert_double_gt(eta_seconds(&view), before - 1.5);
    }
    ck_assert_double_eq_tol(eta_seconds(&view), 78, 5);
}
END_TEST

START_TEST(stopped_time_does_not_count)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    advance(&estimator, &snapshot, 20, 10e6, &view);
    double shown = eta_seconds(&view), rate = view.rate;
    uint64_t elapsed = view.elapsed_ns;
    snapshot.bytes_done += 500000;
    progress_estimate(&estimator, &snapshot, SECOND / 5, true, &view);
    ck_assert_double_eq(view.rate, rate);
    ck_assert_double_eq_tol(eta_seconds(&view), shown, 1);
    ck_assert_uint_eq(view.elapsed_ns, elapsed + SECOND / 5);
    advance(&estimator, &snapshot, 1, 10e6, &view);
    ck_assert_double_eq_tol(view.rate, 10e6, 1e4);
}
END_TEST

START_TEST(snapshots_that_contradict_themselves)
{
    struct progress_estimator estimator = {0};
    struct progress_view view = {0};
    struct progress_snapshot snapshot = {
        .files_done = 10, .files_total = 8, .bytes_done = 500, .bytes_total = 400};
    snapshot.totals_final = true;
    snapshot.stage_count = 1000;
    for (int i = 0; i < PROGRESS_MAX_STAGES; i++)
        snapshot.stage[i].name = "s";
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_uint_eq(view.files_total, 10);
    ck_assert_uint_eq(view.bytes_total, 500);
    ck_assert_double_eq(view.share, 1);
    ck_assert_uint_eq(view.stage_count, PROGRESS_MAX_STAGES);
    ck_assert_int_eq(view.bottleneck, -1);
    /* Counters set back, no time passed: no huge rates, nothing that is not a number. */
    snapshot.bytes_done = 100;
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_double_ge(view.rate, 0);
    ck_assert_double_le(view.rate, 500);
    double rate = view.rate;
    progress_estimate(&estimator, &snapshot, 0, false, &view);
    ck_assert_double_eq(view.rate, rate);
    /* Nothing to do, and the scan knows it. */
    struct progress_estimator fresh = {0};
    snapshot = (struct progress_snapshot){.totals_final = true};
    progress_estimate(&fresh, &snapshot, 0, false, &view);
    ck_assert_double_eq(view.share, 1);
    ck_assert_uint_eq(view.eta_ns, 0);
}
END_TEST

START_TEST(busy_shares_and_bottleneck)
{
    struct progress_estimator estimator = {0};
    struct progress_view view = {0};
    struct progress_snapshot snapshot = {
        .stage_count = 3,
        .stage = {{"read", 0, 2, 5, 8}, {"hash", 0, 4, 0, 0}, {"write", 0, 0, 0, 0}}};
    for (int i = 0; i < 50; i++) {
        snapshot.stage[0].busy_ns += SECOND / 10; /* 2 workers, 0.2 s: a quarter */
        snapshot.stage[1].busy_ns += SECOND * 3;  /* more than there can be */
        snapshot.stage[2].busy_ns += SECOND;
        progress_estimate(&estimator, &snapshot, SECOND / 5, false, &view);
    }
    ck_assert_double_eq_tol(view.stage[0].busy_share, 0.25, 1e-6);
    ck_assert_double_eq_tol(view.stage[1].busy_share, 1, 1e-6);
    ck_assert_double_eq(view.stage[2].busy_share, 0);
    ck_assert_int_eq(view.bottleneck, 1);
    ck_assert_uint_eq(view.stage[0].queue_fill, 5);
    ck_assert_uint_eq(view.stage[0].queue_capacity, 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tests = tcase_create("progress");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, frames_of_all_widths);
    tcase_add_test(tests, totals_are_lower_bounds_while_the_scan_runs);
    tcase_add_test(tests, errors_are_red_and_stay_on_narrow_terminals);
    tcase_add_test(tests, special_frames);
    tcase_add_test(tests, no_frame_is_too_wide_or_overruns);
    tcase_add_test(tests, status_line);
    tcase_add_test(tests, eta_is_unknown_until_there_is_ground_for_it);
    tcase_add_test(tests, eta_of_a_job_that_stalls_or_ends);
    tcase_add_test(tests, eta_follows_a_changed_rate_without_a_jump);
    tcase_add_test(tests, alternating_speed_does_not_make_the_eta_dance);
    tcase_add_test(tests, stopped_time_does_not_count);
    tcase_add_test(tests, snapshots_that_contradict_themselves);
    tcase_add_test(tests, busy_shares_and_bottleneck);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
