/* The advice of -v, on made-up statistics: the flag that would help, and silence where none would.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/advice.h"

#define SECOND UINT64_C(1000000000)
#define MB     UINT64_C(1000000)

enum { SCAN, READ, MAIN, WRITE, STAGES };

struct scene {
    struct advice_job job;
    struct stage_stats stages[STAGES];
};

/* Ten seconds on 8 CPUs; two threads compress and have no rest. */
static struct scene compressing(void)
{
    return (struct scene){
        .job = {.elapsed_ns = 10 * SECOND,
                .cpu_ns = 20 * SECOND,
                .cpus = 8,
                .files = 5000,
                .bytes = 1000 * MB,
                .largest_bytes = 10 * MB,
                .has_uring = true,
                .kind = {STAGE_SCAN, STAGE_READ, STAGE_COMPRESS, STAGE_WRITE}},
        .stages = {{.name = "scan",
                    .model = "threads",
                    .workers = 4,
                    .items = 500,
                    .busy_ns = SECOND / 10},
                   {.name = "read",
                    .model = "threads",
                    .workers = 1,
                    .items = 1000,
                    .busy_ns = SECOND / 2},
                   {.name = "compress",
                    .model = "threads",
                    .workers = 2,
                    .items = 1000,
                    .busy_ns = 194 * SECOND / 10},
                   {.name = "write", .model = "inline", .workers = 1, .busy_ns = SECOND / 10}},
    };
}

/* Ten seconds; one reader waits for each of 20,000 small files. */
static struct scene waiting_for_files(void)
{
    struct scene scene = compressing();
    scene.job.cpu_ns = 2 * SECOND;
    scene.job.files = 20000;
    scene.job.bytes = 100 * MB;
    scene.job.largest_bytes = MB;
    scene.job.kind[MAIN] = STAGE_HASH;
    scene.stages[READ].busy_ns = 83 * SECOND / 10;
    scene.stages[MAIN].name = "hash";
    scene.stages[MAIN].busy_ns = SECOND / 10;
    return scene;
}

static void expect(const struct scene *scene, const char *expected)
{
    char text[ADVICE_BYTES] = "";
    bool says = advice_text(&scene->job, scene->stages, STAGES, text, sizeof text);
    if (expected)
        ck_assert_str_eq(says ? text : "nothing", expected);
    else
        ck_assert_msg(!says, "advice: %s", text);
}

START_TEST(more_workers_where_cpus_are_idle)
{
    struct scene scene = compressing();
    expect(&scene, "compress was busy 97 % of the time on 2 of 8 CPUs: --compress=threads:8");
    scene.stages[MAIN].model = "processes";
    expect(&scene, "compress was busy 97 % of the time on 2 of 8 CPUs: --compress=processes:8");
    /* In the calling thread. */
    scene.stages[MAIN].model = "inline";
    scene.stages[MAIN].workers = 0;
    scene.stages[MAIN].busy_ns = 9 * SECOND;
    scene.job.cpu_ns = 10 * SECOND;
    expect(&scene, "compress was busy 90 % of the time on 1 of 8 CPUs: --compress=threads:8");
    /* Its flag is that of the stage, not the name of what it does. */
    scene = compressing();
    scene.stages[MAIN].name = "decompress";
    expect(&scene, "decompress was busy 97 % of the time on 2 of 8 CPUs: --compress=threads:8");
}
END_TEST

START_TEST(shared_workers_count_together)
{
    struct scene scene = compressing();
    scene.job.is_fused[MAIN] = true;
    scene.stages[READ].workers = 2;
    scene.stages[READ].busy_ns = 6 * SECOND;
    scene.stages[MAIN].busy_ns = 13 * SECOND;
    expect(&scene, "compress was busy 95 % of the time on 2 of 8 CPUs: --compress=threads:8");
    /* The smaller part is not what holds things up. */
    scene.stages[READ].busy_ns = 13 * SECOND;
    scene.stages[MAIN].busy_ns = 6 * SECOND;
    expect(&scene, NULL);
}
END_TEST

START_TEST(no_more_workers_where_they_would_not_help)
{
    struct scene scene = compressing();
    scene.job.elapsed_ns = SECOND; /* over soon */
    scene.job.cpu_ns = 2 * SECOND;
    scene.stages[MAIN].busy_ns = 194 * SECOND / 100;
    expect(&scene, NULL);
    scene = compressing();
    scene.job.cpus = 2; /* all are in use */
    expect(&scene, NULL);
    scene.job.cpus = 0;
    expect(&scene, NULL);
    scene = compressing();
    scene.job.cpu_ns = 72 * SECOND; /* by other stages */
    expect(&scene, NULL);
    scene = compressing();
    scene.job.cpu_ns = 9 * SECOND; /* by other programs */
    expect(&scene, NULL);
    scene = compressing();
    scene.stages[MAIN].busy_ns = 15 * SECOND; /* it had rest */
    expect(&scene, NULL);
    scene = compressing();
    scene.stages[MAIN].workers = 8;
    scene.stages[MAIN].busy_ns = 78 * SECOND;
    scene.job.cpu_ns = 65 * SECOND;
    expect(&scene, NULL);
    /* Writing: whether it waits for the disk is not known. */
    scene = compressing();
    scene.stages[MAIN].busy_ns = SECOND;
    scene.stages[WRITE].busy_ns = 97 * SECOND / 10;
    scene.job.cpu_ns = 10 * SECOND;
    expect(&scene, NULL);
}
END_TEST

START_TEST(a_large_file_has_one_worker_that_hashes_it)
{
    struct scene scene = compressing();
    scene.job.kind[MAIN] = STAGE_HASH;
    scene.stages[MAIN].name = "hash";
    scene.stages[MAIN].workers = 1;
    scene.stages[MAIN].busy_ns = 97 * SECOND / 10;
    scene.job.cpu_ns = 10 * SECOND;
    expect(&scene, "hash was busy 97 % of the time on 1 of 8 CPUs: --hash=threads:8");
    scene.job.largest_bytes = 300 * MB; /* of 1000 */
    expect(&scene, "hash was busy 97 % of the time on 1 of 8 CPUs: --hash=threads:3");
    scene.job.largest_bytes = 700 * MB;
    expect(&scene, NULL);
    scene.job.files = 1;
    scene.job.largest_bytes = scene.job.bytes;
    expect(&scene, NULL);
    /* Compressing divides it. */
    scene = compressing();
    scene.job.files = 1;
    scene.job.largest_bytes = scene.job.bytes;
    expect(&scene, "compress was busy 97 % of the time on 2 of 8 CPUs: --compress=threads:8");
    scene.job.is_keyed = true; /* decompressing may not */
    expect(&scene, NULL);
}
END_TEST

START_TEST(reads_in_flight_where_files_are_waited_for)
{
    struct scene scene = waiting_for_files();
    expect(&scene, "read waited 83 % of the time for one file after another: --read=uring:64");
    scene.job.has_uring = false;
    expect(&scene, "read waited 83 % of the time for one file after another: --read=threads:32");
    scene = waiting_for_files();
    scene.stages[READ].workers = 8;
    scene.stages[READ].busy_ns = 80 * SECOND;
    scene.job.cpu_ns = 10 * SECOND;
    expect(&scene, "read waited 100 % of the time for one file after another: --read=uring:64");
    scene = waiting_for_files();
    scene.stages[READ].model = "epoll";
    scene.stages[READ].depth = 8;
    expect(&scene, "read waited 83 % of the time for one file after another: --read=uring:64");
}
END_TEST

START_TEST(no_reads_in_flight_where_they_would_not_help)
{
    struct scene scene = waiting_for_files();
    scene.job.cpu_ns = 8 * SECOND; /* it did not wait, it worked */
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.stages[READ].busy_ns = 5 * SECOND; /* nor did it always */
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.job.is_rotational = true;
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.job.files = 50;
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.job.bytes = 20000 * MB; /* large ones: how fast they come is the disk's doing */
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.stages[READ].depth = 64;
    scene.stages[READ].model = "uring";
    expect(&scene, NULL);
    scene = waiting_for_files();
    scene.job.has_uring = false;
    scene.stages[READ].workers = 32;
    scene.stages[READ].busy_ns = 320 * SECOND;
    expect(&scene, NULL);
}
END_TEST

START_TEST(directories_that_are_waited_for)
{
    struct scene scene = waiting_for_files();
    scene.stages[READ].busy_ns = SECOND;
    scene.stages[SCAN].busy_ns = 9 * SECOND;
    scene.stages[SCAN].workers = 1;
    expect(&scene, "scan waited 90 % of the time for one directory after another: "
                   "--scan=threads:4");
    scene.stages[SCAN].items = 10; /* there is not always another one to look at */
    expect(&scene, NULL);
    scene.stages[SCAN].items = 500;
    scene.stages[SCAN].workers = 4;
    scene.stages[SCAN].busy_ns = 36 * SECOND;
    expect(&scene, NULL);
    scene.stages[SCAN].workers = 1;
    scene.stages[SCAN].busy_ns = 9 * SECOND;
    scene.job.cpu_ns = 9 * SECOND;
    expect(&scene, NULL);
}
END_TEST

START_TEST(nothing_to_go_by)
{
    struct scene scene = {0};
    expect(&scene, NULL);
    char text[ADVICE_BYTES];
    ck_assert(!advice_text(&scene.job, scene.stages, 0, text, sizeof text));
    scene = waiting_for_files();
    scene.job.files = scene.job.bytes = scene.job.largest_bytes = 0;
    expect(&scene, NULL);
    ck_assert(!advice_text(&scene.job, scene.stages, 0, text, sizeof text));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("advice");
    TCase *tests = tcase_create("advice");
    tcase_add_test(tests, more_workers_where_cpus_are_idle);
    tcase_add_test(tests, shared_workers_count_together);
    tcase_add_test(tests, no_more_workers_where_they_would_not_help);
    tcase_add_test(tests, a_large_file_has_one_worker_that_hashes_it);
    tcase_add_test(tests, reads_in_flight_where_files_are_waited_for);
    tcase_add_test(tests, no_reads_in_flight_where_they_would_not_help);
    tcase_add_test(tests, directories_that_are_waited_for);
    tcase_add_test(tests, nothing_to_go_by);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
