/* The estimates behind the bar: rates, time left, busy shares. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"

#define SECOND UINT64_C(1000000000)

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

/* After a stop everything must be read from the disk again: slow for a second, then as before. What
 * is shown goes up no faster than the clock runs. */
START_TEST(eta_does_not_jump_after_a_stop)
{
    struct progress_estimator estimator = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    advance(&estimator, &snapshot, 20, 10e6, &view);
    double shown = eta_seconds(&view);
    progress_estimate(&estimator, &snapshot, SECOND / 5, true, &view);
    ck_assert_double_eq_tol(eta_seconds(&view), shown, 0.5);
    for (int i = 0; i < 25; i++) {
        double before = eta_seconds(&view);
        advance(&estimator, &snapshot, 0.2, i < 5 ? 1e6 : 10e6, &view);
        ck_assert_double_lt(eta_seconds(&view) - before, 2);
        ck_assert_double_gt(eta_seconds(&view) - before, -1);
    }
    ck_assert_double_eq_tol(eta_seconds(&view), shown, 10);
}
END_TEST

START_TEST(ratio_and_name_as_they_come)
{
    struct progress_estimator estimator = {0};
    struct in_work box = {0};
    struct progress_snapshot snapshot = one_file();
    struct progress_view view = {0};
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_double_lt(view.ratio, 0);
    ck_assert_ptr_null(view.in_work);
    /* What is made without compressing has a size and no ratio. */
    snapshot.output_bytes = 300;
    snapshot.in_work = &box;
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_double_lt(view.ratio, 0);
    ck_assert_ptr_null(view.in_work);
    snapshot.coded_bytes = 1200;
    in_work_offer(&box, "a/", 2, "file", 4);
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_double_eq(view.ratio, 0.25);
    ck_assert_str_eq(view.in_work, "a/file");
    /* The name stays until there is another one. */
    progress_estimate(&estimator, &snapshot, SECOND, false, &view);
    ck_assert_str_eq(view.in_work, "a/file");
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
    tcase_add_test(tests, eta_is_unknown_until_there_is_ground_for_it);
    tcase_add_test(tests, eta_of_a_job_that_stalls_or_ends);
    tcase_add_test(tests, eta_follows_a_changed_rate_without_a_jump);
    tcase_add_test(tests, alternating_speed_does_not_make_the_eta_dance);
    tcase_add_test(tests, stopped_time_does_not_count);
    tcase_add_test(tests, eta_does_not_jump_after_a_stop);
    tcase_add_test(tests, ratio_and_name_as_they_come);
    tcase_add_test(tests, snapshots_that_contradict_themselves);
    tcase_add_test(tests, busy_shares_and_bottleneck);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
