/* Messages, summary, table and events: exact texts, whole lines, nothing lost. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/report.h"
#include "stages/text.h"
#include "tests/unit/json_check.h"

static char captured[1 << 20];

/* A file in memory stands for standard error. */
static struct report *open_report(struct report_options options)
{
    options.program = "treemill";
    options.fd = memfd_create("stderr", 0);
    ck_assert_int_ge(options.fd, 0);
    struct report *report = report_create(&options);
    ck_assert_ptr_nonnull(report);
    return report;
}

/* What was written until now; the report is gone then. */
static const char *close_report(struct report *report)
{
    ssize_t length = pread(report_fd(report), captured, sizeof captured - 1, 0);
    ck_assert_int_ge(length, 0);
    captured[length] = '\0';
    close(report_fd(report));
    report_destroy(report);
    return captured;
}

START_TEST(one_line_a_message)
{
    struct report *report = open_report((struct report_options){0});
    report_error(report, "dir/a b", fault_system(TM_OP_OPEN, EACCES), NULL);
    report_error(report, "evil\n\033[2Jname", fault_of(TM_FAULT_CHANGED), NULL);
    struct tm_fault killed = fault_of(TM_FAULT_SIGNAL);
    killed.detail = SIGKILL;
    report_error(report, "f", killed, "hash");
    report_error_text(report, NULL, NULL, "cannot start %d workers", 7);
    report_error_text(report, "sums", "parse", "line %d: two\nlines", 3);
    report_skipped(report, "fifo", fault_of(TM_FAULT_SPECIAL));
    report_warning(report, "sums", "%d lines are improperly formatted", 2);
    report_note(report, NULL, "not shown without -v");
    ck_assert_uint_eq(report_error_count(report), 5);
    ck_assert_uint_eq(report_skipped_count(report), 1);
    ck_assert_str_eq(close_report(report),
                     "treemill: dir/a b: open: Permission denied\n"
                     "treemill: evil\\n\\033[2Jname: read: file changed while being read\n"
                     "treemill: f: hash: worker killed by signal 9 (Killed)\n"
                     "treemill: cannot start 7 workers\n"
                     "treemill: sums: parse: line 3: two\\nlines\n"
                     "treemill: fifo: skipped: not a regular file\n"
                     "treemill: sums: 2 lines are improperly formatted\n");
}
END_TEST

START_TEST(quiet_and_verbose)
{
    struct report_summary summary = {.verb = "hash", .done = "hashed"};
    struct report *report = open_report((struct report_options){.quiet = true, .verbose = true});
    report_note(report, "f", "note");
    report_summary(report, &summary);
    report_skipped(report, "fifo", fault_of(TM_FAULT_SPECIAL));
    ck_assert_str_eq(close_report(report), "treemill: fifo: skipped: not a regular file\n");

    report = open_report((struct report_options){.silent = true});
    report_warning(report, NULL, "warning");
    report_skipped(report, "fifo", fault_of(TM_FAULT_SPECIAL));
    report_summary(report, &summary);
    report_error_text(report, "f", NULL, "error");
    ck_assert_uint_eq(report_skipped_count(report), 1);
    ck_assert_str_eq(close_report(report), "treemill: f: error\n");

    report = open_report((struct report_options){.verbose = true});
    report_note(report, "f", "note %d", 1);
    ck_assert_str_eq(close_report(report), "treemill: f: note 1\n");
}
END_TEST

START_TEST(path_longer_than_any_buffer)
{
    size_t length = 100000;
    char *path = malloc(length + 1);
    memset(path, '\n', length);
    path[length] = '\0';
    struct report *report = open_report((struct report_options){0});
    report_error_text(report, path, NULL, "end");
    const char *text = close_report(report);
    ck_assert_uint_eq(strlen(text), strlen("treemill: ") + 2 * length + strlen(": end\n"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(path);
}
END_TEST

START_TEST(bar_is_erased_and_drawn_again_in_one_write)
{
    int ends[2];
    char packet[512];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct report *report =
        report_create(&(struct report_options){.program = "treemill", .fd = ends[0]});
    static const char *const expected[] = {
        "\r\033[?7lbar one\033[J\033[?7h\r",
        "\r\033[Jtreemill: f: gone\n\r\033[?7lbar one\033[J\033[?7h\r",
        "\r\033[?7lbar\033[K\r\ntwo\033[J\033[?7h\033[A\r",
        "\r\033[J",
        "\r\033[?7lbar\033[J\033[?7h\r",
        "\r\033[J",
        "a note beside half a line\n",
        "\r\033[?7lnew\033[J\033[?7h\r",
        "\r\033[J",
        "plain\n",
    };
    report_set_bar(report, "bar one", 7);
    report_error_text(report, "f", NULL, "gone");
    report_set_bar(report, "bar\ntwo", 7);
    report_set_bar(report, NULL, 0);
    report_set_bar(report, NULL, 0);
    /* Data on the same terminal: the bar makes way, and waits for the end of a line. */
    report_begin_data(report);
    report_end_data(report, true);
    report_set_bar(report, "bar", 3);
    report_begin_data(report);
    report_end_data(report, false);
    report_set_bar(report, "new", 3);
    report_line(report, "a note beside half a line");
    report_begin_data(report);
    report_end_data(report, true);
    report_set_bar(report, NULL, 0);
    report_line(report, "plain");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ssize_t length = recv(ends[1], packet, sizeof packet - 1, 0);
        ck_assert_int_gt(length, 0);
        packet[length] = '\0';
        ck_assert_str_eq(packet, expected[i]);
    }
    report_destroy(report);
    close(ends[0]);
    ck_assert_int_eq(recv(ends[1], packet, sizeof packet, 0), 0);
    close(ends[1]);
}
END_TEST

#define WRITERS        4
#define LINES_A_WRITER 500

static void *write_lines(void *argument)
{
    struct report *report = argument;
    for (int i = 0; i < LINES_A_WRITER; i++)
        report_error_text(report, "some/path/name", "read", "line %d of many", i);
    return NULL;
}

/* Timeline: writers fill a pipe that takes one page and would block; the reader empties it slowly;
 * every line must come through whole, with a bar drawn in between. */
START_TEST(lines_survive_a_pipe_that_is_full)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, 0), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    struct report *report =
        report_create(&(struct report_options){.program = "treemill", .fd = ends[1]});
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, report), 0);
    FILE *reader = fdopen(ends[0], "r");
    char line[256];
    int lines = 0;
    while (lines < WRITERS * LINES_A_WRITER && fgets(line, sizeof line, reader)) {
        int number = -1, used = 0;
        sscanf(line, "treemill: some/path/name: read: line %d of many\n%n", &number, &used);
        ck_assert_msg(used > 0 && line[used] == '\0' && number >= 0, "torn: %s", line);
        lines++;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(lines, WRITERS * LINES_A_WRITER);
    ck_assert_uint_eq(report_error_count(report), WRITERS * LINES_A_WRITER);
    report_destroy(report);
    fclose(reader);
    close(ends[1]);
}
END_TEST

START_TEST(bar_is_dropped_when_the_terminal_would_block)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    struct report *report =
        report_create(&(struct report_options){.program = "treemill", .fd = ends[1]});
    char block[4096] = "";
    while (write(ends[1], block, sizeof block) > 0)
        ;
    /* Returns instead of waiting for a reader that there is not. */
    report_set_bar(report, "bar", 3);
    report_destroy(report);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(closed_standard_error_is_ignored)
{
    signal(SIGPIPE, SIG_IGN);
    struct report *report =
        report_create(&(struct report_options){.program = "treemill", .fd = -1});
    report_error_text(report, "f", NULL, "x");
    report_set_bar(report, "bar", 3);
    report_line(report, "x");
    ck_assert_uint_eq(report_error_count(report), 1);
    report_destroy(report);

    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    report = report_create(&(struct report_options){.program = "treemill", .fd = ends[1]});
    report_error_text(report, "f", NULL, "x");
    report_destroy(report);
    close(ends[1]);
}
END_TEST

START_TEST(summary_line)
{
    struct report_summary summary = {.verb = "hash",
                                     .done = "hashed",
                                     .files = 78579,
                                     .bytes = 1320000000,
                                     .errors = 2,
                                     .skipped = 1,
                                     .elapsed_ns = 710000000};
    char text[256];
    size_t length = report_summary_text(&summary, false, text, sizeof text);
    ck_assert_str_eq(text,
                     "hashed 78,579 files, 1.32 GB in 0.71 s (1.86 GB/s), 2 errors, 1 skipped");
    ck_assert_uint_eq(length, strlen(text));
    ck_assert_uint_eq(report_summary_text(&summary, false, text, 10), length);
    ck_assert_str_eq(text, "hashed 78");
    report_summary_text(&summary, true, text, sizeof text);
    ck_assert_str_eq(text, "hashed 78,579 files, 1.32 GB in 0.71 s (1.86 GB/s), "
                           "\033[31m2 errors\033[0m, 1 skipped");
    struct report *report = open_report((struct report_options){.color = true});
    report_summary(report, &summary);
    ck_assert_str_eq(close_report(report), "treemill: hashed 78,579 files, 1.32 GB in 0.71 s "
                                           "(1.86 GB/s), \033[31m2 errors\033[0m, 1 skipped\n");

    report_summary_text(&(struct report_summary){.done = "hashed", .files = 1}, false, text,
                        sizeof text);
    ck_assert_str_eq(text, "hashed 1 file, 0 B in 0.00 s");
    summary = (struct report_summary){.done = "verified",
                                      .files = 9,
                                      .bytes = 1000,
                                      .output_bytes = 264,
                                      .differing = 1,
                                      .missing = 2,
                                      .extra = 3,
                                      .errors = 1,
                                      .elapsed_ns = UINT64_C(125000000000),
                                      .interrupted = true};
    report_summary_text(&summary, false, text, sizeof text);
    ck_assert_str_eq(text, "interrupted: verified 9 files, 1.00 kB to 264 B (ratio 0.264) in 2:05 "
                           "(8 B/s), 1 differs, 2 missing, 3 extra, 1 error");
}
END_TEST

static const struct stage_stats stages[] = {
    {.name = "scan",
     .model = "uring",
     .workers = 1,
     .depth = 16,
     .hits = 1234,
     .misses = 5,
     .items = 78579,
     .busy_ns = 120000000,
     .wait_output_ns = 590000000},
    {.name = "hash",
     .model = "processes",
     .workers = 12,
     .items = 1234567,
     .bytes = 1320000000,
     .busy_ns = UINT64_C(61000000000),
     .wait_input_ns = 20000000,
     .queue_mean = 12.34,
     .queue_peak = 64,
     .queue_capacity = 64,
     .restarts = 3,
     .why = "2 CPUs \"usable\""},
    {.name = "read", .model = "threads", .workers = 2, .depth = 16, .bursts = true, .hits = 7},
};

START_TEST(stats_table)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    report_stats(file, stages, 2);
    fclose(file);
    ck_assert_str_eq(
        text,
        "stage  model      workers      items    bytes    busy  wait input  wait output  queue mean"
        "  queue peak  restarts   hits  misses  chosen because\n"
        "scan   uring:16         1     78,579      0 B  0.12 s      0.00 s       0.59 s           -"
        "           -         0  1,234       5\n"
        "hash   processes       12  1,234,567  1.32 GB    1:01      0.02 s       0.00 s        12.3"
        "       64/64         3      -       -  2 CPUs \"usable\"\n");
    free(text);
    file = open_memstream(&text, &length);
    report_stats(file, &stages[2], 1);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "\nread   threads,burst=16        2      0    0 B"));
    free(text);

    struct json_writer json = {0};
    report_stats_json(&json, NULL, stages, 2);
    json_end_line(&json);
    ck_assert_int_eq(json_lines(json.text), 1);
    ck_assert_ptr_nonnull(strstr(json.text, "\"busy_seconds\":61.000000,\"wait_input_seconds\":"
                                            "0.020000,\"wait_output_seconds\":0.000000,"
                                            "\"queue_mean\":12.34,\"queue_peak\":64,"
                                            "\"queue_capacity\":64,\"restarts\":3,"
                                            "\"why\":\"2 CPUs \\\"usable\\\"\"}"));
    json_free(&json);
}
END_TEST

START_TEST(messages_as_events)
{
    char *sunk = NULL;
    size_t sunk_length = 0;
    FILE *file = open_memstream(&sunk, &sunk_length);
    struct events *events = events_create(file);
    struct report *report =
        open_report((struct report_options){.json = true, .verbose = true, .events = events});
    report_error(report, "a\"\n", fault_system(TM_OP_READ, EIO), NULL);
    report_error(report, "\xff", fault_of(TM_FAULT_CHANGED), NULL);
    report_error_text(report, NULL, NULL, "no workers");
    report_warning(report, "w", "careful");
    report_note(report, NULL, "by the way");
    report_skipped(report, "fifo", fault_of(TM_FAULT_SPECIAL));
    report_summary(report, &(struct report_summary){.verb = "hash",
                                                    .done = "hashed",
                                                    .files = 2,
                                                    .bytes = 5,
                                                    .errors = 3,
                                                    .skipped = 1,
                                                    .elapsed_ns = 1500000,
                                                    .exit_status = 3,
                                                    .stages = stages,
                                                    .stage_count = 2});
    static const char expected[] =
        "{\"event\":\"error\",\"schema\":1,\"path\":\"a\\\"\\n\",\"operation\":\"read\","
        "\"reason\":\"Input/output error\"}\n"
        "{\"event\":\"error\",\"schema\":1,\"path_b64\":\"/w==\",\"operation\":\"read\","
        "\"reason\":\"file changed while being read\"}\n"
        "{\"event\":\"error\",\"schema\":1,\"operation\":\"\",\"reason\":\"no workers\"}\n"
        "{\"event\":\"message\",\"schema\":1,\"severity\":\"warning\",\"path\":\"w\",\"text\":"
        "\"careful\"}\n"
        "{\"event\":\"message\",\"schema\":1,\"severity\":\"note\",\"text\":\"by the way\"}\n"
        "{\"event\":\"message\",\"schema\":1,\"severity\":\"skipped\",\"path\":\"fifo\","
        "\"text\":\"skipped: not a regular file\"}\n"
        "{\"event\":\"summary\",\"schema\":1,\"verb\":\"hash\",\"files\":2,\"bytes\":5,\"errors\":"
        "3,"
        "\"skipped\":1,\"differing\":0,\"missing\":0,\"extra\":0,\"elapsed_seconds\":0.001500,"
        "\"exit_status\":3,\"interrupted\":false,\"stages\":[";
    const char *text = close_report(report);
    ck_assert_int_eq(strncmp(text, expected, sizeof expected - 1), 0);
    ck_assert_int_eq(json_lines(text), 7);
    ck_assert_int_eq(events_finish(events), 0);
    ck_assert_str_eq(sunk, text);
    events_destroy(events);
    fclose(file);
    free(sunk);
}
END_TEST

START_TEST(file_and_start_events)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    struct events *events = events_create(file);
    struct json_writer json = {0};
    event_start(&json, "hash");
    ck_assert_int_eq(events_write(events, &json), 0);
    ck_assert_uint_eq(json.length, 0);
    struct event_digest digests[] = {{"md5", "d41d"}, {"sha256", "e3b0"}};
    ck_assert_int_eq(events_file(events, &(struct event_file){.path = "a/b",
                                                              .path_length = 3,
                                                              .size_bytes = 0,
                                                              .digests = digests,
                                                              .digest_count = 2}),
                     0);
    ck_assert_int_eq(events_file(events, &(struct event_file){.path = "c\xfe",
                                                              .path_length = 2,
                                                              .size_bytes = EVENT_SIZE_UNKNOWN,
                                                              .result = "missing"}),
                     0);
    ck_assert_int_eq(events_finish(events), 0);
    ck_assert_str_eq(
        text, "{\"event\":\"start\",\"schema\":1,\"version\":"
              "\"" TREEMILL_VERSION "\",\"verb\":\"hash\"}\n"
              "{\"event\":\"file\",\"schema\":1,\"path\":\"a/b\",\"size\":0,"
              "\"digests\":{\"md5\":\"d41d\",\"sha256\":\"e3b0\"}}\n"
              "{\"event\":\"file\",\"schema\":1,\"path_b64\":\"Y/4=\",\"result\":\"missing\"}\n");
    ck_assert_int_eq(json_lines(text), 3);
    json_free(&json);
    events_destroy(events);
    fclose(file);
    free(text);
}
END_TEST

START_TEST(events_keep_the_first_error)
{
    FILE *file = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(file);
    struct events *events = events_create(file);
    events_file(events, &(struct event_file){.path = "a", .path_length = 1});
    ck_assert_int_eq(events_flush(events), -ENOSPC);
    ck_assert_int_eq(events_finish(events), -ENOSPC);
    events_destroy(events);
    fclose(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_line_a_message);
    tcase_add_test(tests, quiet_and_verbose);
    tcase_add_test(tests, path_longer_than_any_buffer);
    tcase_add_test(tests, bar_is_erased_and_drawn_again_in_one_write);
    tcase_add_test(tests, lines_survive_a_pipe_that_is_full);
    tcase_add_test(tests, bar_is_dropped_when_the_terminal_would_block);
    tcase_add_test(tests, closed_standard_error_is_ignored);
    tcase_add_test(tests, summary_line);
    tcase_add_test(tests, stats_table);
    tcase_add_test(tests, messages_as_events);
    tcase_add_test(tests, file_and_start_events);
    tcase_add_test(tests, events_keep_the_first_error);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
