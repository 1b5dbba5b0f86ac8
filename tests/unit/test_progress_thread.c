/* The thread of the progress display: on terminals, in logs, as events, started and stopped. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/progress.h"
#include "pipeline/sync.h"
#include "stages/text.h"
#include "tests/unit/json_check.h"

#define SECOND UINT64_C(1000000000)

/* A job that never ends: each sample sees it a step further, as does a working thread. */
struct fake_job {
    _Atomic uint64_t files_done, bytes_done;
    _Atomic bool stop;
};

static void sample_fake(void *context, struct progress_snapshot *out)
{
    struct fake_job *job = context;
    out->files_done = atomic_fetch_add_explicit(&job->files_done, 1, memory_order_relaxed) + 1;
    out->bytes_done = atomic_fetch_add_explicit(&job->bytes_done, 1000, memory_order_relaxed);
    out->files_total = 100000;
    out->bytes_total = 1000000000;
    out->totals_final = true;
    out->stage_count = 1;
    out->stage[0].name = "hash";
    out->stage[0].workers = 1;
}

static void *work(void *argument)
{
    struct fake_job *job = argument;
    while (!atomic_load_explicit(&job->stop, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&job->files_done, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&job->bytes_done, 4096, memory_order_relaxed);
        usleep(10);
    }
    return NULL;
}

static void end(struct progress *progress)
{
    progress_stop(progress);
    progress_finish(progress);
}

static char captured[1 << 16];

static struct report *open_report(int fd)
{
    return report_create(&(struct report_options){.program = "treemill", .fd = fd});
}

static const char *captured_of(int fd)
{
    ssize_t length = pread(fd, captured, sizeof captured - 1, 0);
    ck_assert_int_ge(length, 0);
    captured[length] = '\0';
    return captured;
}

START_TEST(modes_without_a_terminal)
{
    static const struct {
        enum progress_mode mode;
        bool is_terminal;
        const char *term;
        int lines;
    } cases[] = {
        {PROGRESS_AUTO, false, "xterm", 0}, {PROGRESS_AUTO, true, "dumb", 0},
        {PROGRESS_NEVER, true, "xterm", 0}, {PROGRESS_ALWAYS, false, "xterm", 1},
        {PROGRESS_ALWAYS, true, "dumb", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("TERM", cases[i].term, 1);
        int fd = memfd_create("stderr", 0);
        struct fake_job job = {0};
        struct report *report = open_report(fd);
        struct progress *progress =
            progress_start(&(struct progress_options){.mode = cases[i].mode,
                                                      .is_terminal = cases[i].is_terminal,
                                                      .verb = "hash",
                                                      .report = report},
                           sample_fake, &job);
        end(progress);
        const char *text = captured_of(fd);
        ck_assert_ptr_null(strchr(text, '\r'));
        ck_assert_ptr_null(strchr(text, '\033'));
        if (cases[i].lines == 0)
            ck_assert_str_eq(text, "");
        else
            ck_assert_int_eq(strncmp(text, "hash: 0%, 1/100,000 files, 0 B/1.00 GB, ", 40), 0);
        report_destroy(report);
        close(fd);
    }
}
END_TEST

START_TEST(events_at_the_interval)
{
    int fd = memfd_create("stderr", 0), sink = memfd_create("stdout", 0);
    FILE *file = fdopen(sink, "w");
    struct events *events = events_create(file);
    struct fake_job job = {0};
    struct report *report = open_report(fd);
    struct progress *progress = progress_start(&(struct progress_options){.mode = PROGRESS_JSON,
                                                                          .interval_ns = 1,
                                                                          .verb = "hash",
                                                                          .report = report,
                                                                          .events = events},
                                               sample_fake, &job);
    usleep(550000);
    end(progress);
    /* The least interval is 0.1 s: five in the time, and the last one. A slow machine has less. */
    const char *text = captured_of(fd);
    int lines = json_lines(text);
    ck_assert_int_ge(lines, 2);
    ck_assert_int_le(lines, 7);
    static const char start[] =
        "{\"event\":\"status\",\"schema\":1,\"verb\":\"hash\",\"final\":false,"
        "\"elapsed_seconds\":0.";
    ck_assert_int_eq(strncmp(text, start, sizeof start - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"files_total\":100000,"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"eta_seconds\":null,\"bottleneck\":null,\"stages\":[{\"name\":\"hash\","
                     "\"workers\":1,\"busy_share\":0.000,\"queue_fill\":0,"
                     "\"queue_capacity\":0}]}\n"));
    char *copy = strdup(text);
    ck_assert_str_eq(captured_of(sink), copy);
    free(copy);
    events_destroy(events);
    fclose(file);
    report_destroy(report);
    close(fd);
}
END_TEST

START_TEST(status_on_demand_without_a_thread)
{
    int fd = memfd_create("stderr", 0);
    struct fake_job job = {0};
    struct report *report = open_report(fd);
    struct progress *progress = progress_start(
        &(struct progress_options){.mode = PROGRESS_NEVER, .verb = "hash", .report = report},
        sample_fake, &job);
    progress_print_status(progress);
    progress_print_status(progress);
    end(progress);
    const char *text = captured_of(fd);
    ck_assert_int_eq(strncmp(text, "hash: 0%, 1/100,000 files, ", 27), 0);
    const char *second = strchr(text, '\n');
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(strncmp(second, "\nhash: 0%, 2/100,000 files, ", 28), 0);
    report_destroy(report);
    close(fd);
    end(NULL);
}
END_TEST

/* Reads what a terminal gets until it has seen `frames` bars or 5 s have passed. */
static size_t read_terminal(int fd, char *text, size_t capacity, int frames)
{
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (frames > 0 && length < capacity - 1 && poll(&ready, 1, 5000) > 0) {
        ssize_t got = read(fd, text + length, capacity - 1 - length);
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            frames -= text[length + i] == 'J';
        length += (size_t)got;
    }
    text[length] = '\0';
    return length;
}

/* How many frames there are of so many lines; each line fits the width, and each frame ends where
 * it has begun. */
static int count_bars(char *text, unsigned columns, bool two_lines)
{
    static const char no_wrap[] = "\033[?7l", wrap[] = "\033[?7h";
    int bars = 0;
    for (char *end; (end = strstr(text, "\033[J")); text = end) {
        *end = '\0';
        end += 3;
        char *first = text + (*text == '\r');
        if (strncmp(first, no_wrap, strlen(no_wrap)) == 0) {
            first += strlen(no_wrap);
            ck_assert_int_eq(strncmp(end, wrap, strlen(wrap)), 0);
            end += strlen(wrap);
        }
        char *second = strstr(first, "\033[K\r\r\n");
        if (second) { /* CR and newline: the terminal puts a CR before the newline */
            *second = '\0';
            second += 6;
            ck_assert_uint_lt(text_columns(second), columns);
            ck_assert_int_eq(strncmp(end, "\033[A\r", 4), 0);
            end += 3;
        }
        ck_assert_uint_lt(text_columns(first), columns);
        ck_assert_ptr_null(strchr(first, '\n'));
        ck_assert_int_eq(*end, '\r');
        end++;
        bars += strchr(first, '%') && two_lines == (second != NULL);
    }
    return bars;
}

/* Timeline: three frames at 80 columns; the terminal shrinks; three frames at 40; the end. */
START_TEST(bar_on_a_terminal_that_is_resized)
{
    int terminal, fd;
    char text[4096];
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    setenv("TERM", "xterm", 1);
    ck_assert_int_eq(openpty(&terminal, &fd, NULL, NULL, &size), 0);
    struct fake_job job = {0};
    struct report *report = open_report(fd);
    struct progress *progress = progress_start(
        &(struct progress_options){
            .mode = PROGRESS_AUTO, .is_terminal = true, .verb = "hash", .report = report},
        sample_fake, &job);
    read_terminal(terminal, text, sizeof text, 3);
    ck_assert_ptr_nonnull(strstr(text, "/1.00 GB"));
    ck_assert_int_ge(count_bars(text, 80, true), 2);
    size.ws_col = 40;
    ck_assert_int_eq(ioctl(terminal, TIOCSWINSZ, &size), 0);
    read_terminal(terminal, text, sizeof text, 1); /* may be from before */
    read_terminal(terminal, text, sizeof text, 3);
    ck_assert_int_ge(count_bars(text, 40, false), 2);
    end(progress);
    /* At least the erasure at the end. */
    size_t length = read_terminal(terminal, text, sizeof text, 1);
    ck_assert_uint_ge(length, 4);
    ck_assert_str_eq(text + length - 4, "\r\033[J");
    report_line(report, "summary");
    report_destroy(report);
    close(fd);
    close(terminal);
}
END_TEST

/* Timeline: frames; suspended for 0.7 s, in which three would be due: the bar is erased and nothing
 * else comes but what is asked for; resumed: it is there again at once. */
START_TEST(nothing_is_drawn_while_suspended)
{
    int terminal, fd;
    char text[4096];
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    setenv("TERM", "xterm", 1);
    ck_assert_int_eq(openpty(&terminal, &fd, NULL, NULL, &size), 0);
    struct fake_job job = {0};
    struct report *report = open_report(fd);
    struct progress *progress = progress_start(
        &(struct progress_options){
            .mode = PROGRESS_AUTO, .is_terminal = true, .verb = "hash", .report = report},
        sample_fake, &job);
    read_terminal(terminal, text, sizeof text, 2);
    uint64_t start = clock_ns();
    progress_suspend(progress);
    usleep(700000);
    progress_print_status(progress); /* asked for by name it comes, and is a line */
    size_t length = read_terminal(terminal, text, sizeof text, 1);
    ck_assert_ptr_nonnull(strstr(text, "\r\033[J"));
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    while (poll(&ready, 1, 0) > 0 && length < sizeof text - 1)
        length += (size_t)read(terminal, text + length, sizeof text - 1 - length);
    text[length] = '\0';
    char *erased = strstr(text, "\r\033[Jhash: ");
    ck_assert_ptr_nonnull(erased);
    ck_assert_ptr_null(strstr(erased + 5, "\033["));
    progress_resume(progress);
    uint64_t stopped = progress_stopped_ns(progress);
    ck_assert_uint_gt(stopped, 7 * SECOND / 10 - 1);
    ck_assert_uint_lt(stopped, clock_ns() - start);
    ck_assert_int_gt(poll(&ready, 1, 0), 0);
    read_terminal(terminal, text, sizeof text, 1);
    ck_assert_int_eq(count_bars(text, 80, true), 1);
    end(progress);
    report_destroy(report);
    close(fd);
    close(terminal);
}
END_TEST

#define ROUNDS 1000

struct printer {
    struct report *report;
    struct fake_job *job;
};

static void *report_lines(void *argument)
{
    struct printer *printer = argument;
    while (!atomic_load_explicit(&printer->job->stop, memory_order_relaxed)) {
        report_line(printer->report, "a message");
        usleep(10);
    }
    return NULL;
}

/* Timeline: one thread works, one prints messages, this one starts and stops the progress, in all
 * modes, before, during and after its first tick, and does what signals ask for. */
START_TEST(started_and_stopped_a_thousand_times)
{
    int fd = open("/dev/null", O_WRONLY);
    setenv("TERM", "xterm", 1);
    struct fake_job job = {0};
    struct report *report = open_report(fd);
    struct printer printing = {report, &job};
    pthread_t worker, printer;
    ck_assert_int_eq(pthread_create(&worker, NULL, work, &job), 0);
    ck_assert_int_eq(pthread_create(&printer, NULL, report_lines, &printing), 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct progress *progress =
            progress_start(&(struct progress_options){.mode = (enum progress_mode)(i % 4),
                                                      .is_terminal = i % 8 < 4,
                                                      .interval_ns = 1,
                                                      .verb = "hash",
                                                      .report = report},
                           sample_fake, &job);
        ck_assert_ptr_nonnull(progress);
        if (i % 3 == 0)
            progress_print_status(progress);
        if (i % 5 == 0)
            progress_suspend(progress);
        if (i % 5 == 0)
            progress_resume(progress);
        progress_resized(progress);
        /* Some rounds last for a frame of the bar (8, 208, ...) or a few events (107, 307, ...). */
        if (i % 200 == 8 || i % 200 == 107)
            usleep(250000);
        end(progress);
    }
    atomic_store(&job.stop, true);
    pthread_join(worker, NULL);
    pthread_join(printer, NULL);
    report_destroy(report);
    close(fd);
}
END_TEST

/* Timeline: the child runs 0.4 s, is stopped for 2.6 s, goes on, and its last event tells the time
 * that it was at work. */
START_TEST(clock_stands_still_while_the_process_is_stopped)
{
    int fd = memfd_create("stderr", 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct fake_job job = {0};
        uint64_t start = clock_ns();
        struct report *report = open_report(fd);
        struct progress *progress = progress_start(
            &(struct progress_options){.mode = PROGRESS_JSON, .verb = "hash", .report = report},
            sample_fake, &job);
        while (clock_ns() - start < 33 * SECOND / 10)
            usleep(50000);
        end(progress);
        report_destroy(report);
        _exit(0);
    }
    usleep(400000);
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    usleep(2600000);
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    static const char key[] = "\"elapsed_seconds\":";
    const char *last = NULL, *at = captured_of(fd);
    while ((at = strstr(at, key)))
        last = at += strlen(key);
    ck_assert_ptr_nonnull(last);
    ck_assert_double_gt(atof(last), 0.1);
    ck_assert_double_lt(atof(last), 2.5); /* of 3.3 */
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress_thread");
    TCase *tests = tcase_create("progress");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, modes_without_a_terminal);
    tcase_add_test(tests, events_at_the_interval);
    tcase_add_test(tests, status_on_demand_without_a_thread);
    tcase_add_test(tests, bar_on_a_terminal_that_is_resized);
    tcase_add_test(tests, nothing_is_drawn_while_suspended);
    tcase_add_test(tests, started_and_stopped_a_thousand_times);
    tcase_add_test(tests, clock_stands_still_while_the_process_is_stopped);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
