/* A program that watches through a descriptor: whole lines, and no way to hold the job up. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/watcher.h"
#include "pipeline/sync.h"
#include "tests/unit/json_check.h"

#define SECOND UINT64_C(1000000000)

static void put_line(struct json_writer *json, size_t bytes)
{
    char *text = calloc(1, bytes + 1);
    memset(text, 'x', bytes);
    json_begin_object(json, NULL);
    json_string(json, "text", text);
    json_end_object(json);
    json_end_line(json);
    free(text);
}

START_TEST(descriptors_that_cannot_be_written)
{
    struct watcher *watcher = NULL;
    int fd = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(watcher_create(fd, &watcher), -EBADF);
    close(fd);
    ck_assert_int_eq(watcher_create(fd, &watcher), -EBADF);
    ck_assert_ptr_null(watcher);
    watcher_destroy(NULL);
    struct json_writer json = {0};
    put_line(&json, 3);
    watcher_write_last(NULL, &json);
    ck_assert_uint_eq(json.length, 0);
    json_free(&json);
}
END_TEST

/* Timeline: the reader does not read; lines come until the pipe is full, and more; then it reads
 * all that there is: whole lines, fewer than were written. Another line comes through again. */
START_TEST(a_reader_that_does_not_read_loses_lines)
{
    enum { LINES = 200, BYTES = 2000 };
    static char text[LINES * (BYTES + 20)];
    int ends[2];
    struct watcher *watcher;
    struct json_writer json = {0};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(watcher_create(ends[1], &watcher), 0);
    ck_assert_int_eq(fcntl(ends[1], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    uint64_t start = clock_ns();
    for (int i = 0; i < LINES; i++) {
        put_line(&json, BYTES);
        watcher_write(watcher, &json);
        ck_assert_uint_eq(json.length, 0);
    }
    ck_assert_uint_lt(clock_ns() - start, 5 * SECOND);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    int lines = json_lines(text);
    ck_assert_int_gt(lines, 10);
    ck_assert_int_lt(lines, LINES);
    put_line(&json, 5);
    watcher_write(watcher, &json);
    ssize_t got = read(ends[0], text, sizeof text);
    ck_assert_int_eq(got, (ssize_t)strlen("{\"text\":\"xxxxx\"}\n"));
    watcher_destroy(watcher);
    json_free(&json);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static void *read_late(void *argument)
{
    static char text[1 << 20];
    int fd = *(int *)argument;
    size_t length = 0;
    usleep(300000);
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    return text;
}

/* Timeline: the pipe is full; the last line, larger than the pipe, waits; the reader comes 0.3 s
 * later and gets all of it. */
START_TEST(the_last_line_waits_for_a_slow_reader)
{
    int ends[2];
    pthread_t reader;
    struct watcher *watcher;
    struct json_writer json = {0};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(watcher_create(ends[1], &watcher), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_late, &ends[0]), 0);
    put_line(&json, 200000);
    watcher_write_last(watcher, &json);
    close(ends[1]);
    void *text;
    pthread_join(reader, &text);
    ck_assert_int_eq(json_lines(text), 1);
    ck_assert_uint_gt(strlen(text), 200000);
    watcher_destroy(watcher);
    json_free(&json);
    close(ends[0]);
}
END_TEST

/* Half a line is out when the reader's patience counts: nothing may follow it, and it ends soon. */
START_TEST(a_line_that_was_cut_is_the_last)
{
    int ends[2];
    struct watcher *watcher;
    struct json_writer json = {0};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(watcher_create(ends[1], &watcher), 0);
    uint64_t start = clock_ns();
    put_line(&json, 200000);
    watcher_write(watcher, &json);
    ck_assert_uint_lt(clock_ns() - start, 10 * SECOND);
    static char text[1 << 20];
    ssize_t length = read(ends[0], text, sizeof text);
    ck_assert_int_gt(length, 4096);
    put_line(&json, 5);
    watcher_write_last(watcher, &json);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(read(ends[0], text, sizeof text), -1);
    watcher_destroy(watcher);
    json_free(&json);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_reader_that_has_gone_is_forgotten)
{
    int ends[2];
    struct watcher *watcher;
    struct json_writer json = {0};
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(watcher_create(ends[1], &watcher), 0);
    close(ends[0]);
    for (int i = 0; i < 3; i++) {
        put_line(&json, 10);
        watcher_write(watcher, &json);
    }
    watcher_destroy(watcher);
    json_free(&json);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watcher");
    TCase *tests = tcase_create("watcher");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, descriptors_that_cannot_be_written);
    tcase_add_test(tests, a_reader_that_does_not_read_loses_lines);
    tcase_add_test(tests, the_last_line_waits_for_a_slow_reader);
    tcase_add_test(tests, a_line_that_was_cut_is_the_last);
    tcase_add_test(tests, a_reader_that_has_gone_is_forgotten);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
