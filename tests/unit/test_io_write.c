/* pipeline/io: operations that write and that make and change names, the same under each engine. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/io_engines.h"

#define BYTES 1000003

static char directory[] = "/tmp/treemill-test-io-XXXXXX";
static uint8_t *data;
static struct engine engine;
static int stop_fd;

/* In the test's own process. */
static bool begin(int kind, const char *faults)
{
    if (faults)
        setenv("TREEMILL_IO_FAULT", faults, 1);
    signal(SIGPIPE, SIG_IGN);
    stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!engine_open(&engine, (enum io_kind)kind, stop_fd))
        return false;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    data = malloc(BYTES);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    return true;
}

static void end(void)
{
    char command[64];
    engine_close(&engine);
    close(stop_fd);
    free(data);
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static int64_t run_one(struct io_op op)
{
    struct io_chain chain = {0};
    io_add(&chain, op);
    engine_run(&engine, &chain);
    return chain.op[0].result;
}

static int64_t write_at(int fd, size_t bytes, off_t offset)
{
    return run_one(
        (struct io_op){.code = IO_WRITE, .fd = fd, .data = data, .size = bytes, .offset = offset});
}

static void expect_file(const char *path, size_t hole, size_t bytes)
{
    uint8_t *found = malloc(hole + bytes + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, found, hole + bytes + 1), (ssize_t)(hole + bytes));
    for (size_t i = 0; i < hole; i++)
        if (found[i])
            ck_abort_msg("byte %zu", i); /* each assertion costs a system call */
    ck_assert(memcmp(found + hole, data, bytes) == 0);
    close(fd);
    free(found);
}

static const char *const faults[] = {NULL, "short:2,eintr:3,again:5,cancel:7", "short:1"};
#define FAULTS ((int)(sizeof faults / sizeof *faults))

START_TEST(files_are_written_whole)
{
    if (!begin(_i % IO_KIND_COUNT, faults[_i / IO_KIND_COUNT]))
        return;
    int fd = open("f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(write_at(fd, BYTES, 12345), BYTES);
    expect_file("f", 12345, BYTES);
    ck_assert_int_eq(write_at(fd, 0, 0), 0);
    ck_assert_int_eq(write_at(fd, 20000, IO_AT_POSITION), 20000);
    ck_assert_int_eq(ftruncate(fd, 20000), 0);
    expect_file("f", 0, 20000);
    ck_assert_int_eq(run_one((struct io_op){.code = IO_FSYNC, .fd = fd}), 0);
    close(fd);
    end();
}
END_TEST

/* Reads slowly what the other end writes. */
static void *read_all(void *argument)
{
    int fd = *(int *)argument;
    uint8_t *found = malloc(BYTES);
    size_t got = 0;
    ssize_t now;
    usleep(20000); /* the pipe is full by then */
    while ((now = read(fd, found + got, BYTES - got < 7001 ? BYTES - got : 7001)) > 0)
        got += (size_t)now;
    ck_assert_uint_eq(got, BYTES);
    ck_assert(memcmp(found, data, BYTES) == 0);
    free(found);
    return NULL;
}

enum stream { PIPE, NONBLOCKING_PIPE, FIFO, SOCKET, STREAMS };

/* fd[0] is read from, fd[1] written to. */
static void open_stream(enum stream kind, int fd[2])
{
    switch (kind) {
    case PIPE:
    case NONBLOCKING_PIPE:
        ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
        break;
    case FIFO:
        ck_assert_int_eq(mkfifo("fifo", 0600), 0);
        fd[0] = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        fd[1] = open("fifo", O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(fcntl(fd[0], F_SETFL, 0), 0);
        break;
    default:
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        break;
    }
    if (kind == NONBLOCKING_PIPE)
        ck_assert_int_eq(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
}

START_TEST(streams_are_written_as_they_are_read)
{
    pthread_t reader;
    int fd[2];
    int kind = _i % IO_KIND_COUNT, stream = _i / IO_KIND_COUNT % STREAMS;
    if (!begin(kind, faults[_i / IO_KIND_COUNT / STREAMS]))
        return;
    open_stream((enum stream)stream, fd);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &fd[0]), 0);
    ck_assert_int_eq(write_at(fd[1], BYTES, IO_AT_POSITION), BYTES);
    close(fd[1]);
    pthread_join(reader, NULL);
    close(fd[0]);
    end();
}
END_TEST

static void *stop_soon(void *unused)
{
    (void)unused;
    usleep(50000);
    eventfd_write(stop_fd, 1);
    return NULL;
}

START_TEST(the_end_of_the_job_ends_the_wait_for_a_reader)
{
    pthread_t stopper;
    int fd[2];
    if (!begin(_i % IO_KIND_COUNT, NULL))
        return;
    open_stream((enum stream)(_i / IO_KIND_COUNT), fd);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, NULL), 0);
    ck_assert_int_eq(write_at(fd[1], BYTES, IO_AT_POSITION), -ECANCELED);
    pthread_join(stopper, NULL);
    close(fd[0]);
    close(fd[1]);
    end();
}
END_TEST

START_TEST(a_reader_that_goes_is_an_error)
{
    int fd[2];
    if (!begin(_i % IO_KIND_COUNT, NULL))
        return;
    open_stream((enum stream)(_i / IO_KIND_COUNT), fd);
    close(fd[0]);
    ck_assert_int_eq(write_at(fd[1], BYTES, IO_AT_POSITION), -EPIPE);
    close(fd[1]);
    end();
}
END_TEST

#define ERRORS 2
START_TEST(an_error_ends_the_chain)
{
    static const char *const texts[ERRORS] = {"enospc:2", "eio:2"};
    static const int errors[ERRORS] = {-ENOSPC, -EIO};
    struct io_chain chain = {0};
    if (!WITH_FAULTS || !begin(_i % IO_KIND_COUNT, texts[_i / IO_KIND_COUNT]))
        return;
    io_add(&chain, (struct io_op){.code = IO_OPEN,
                                  .dir = AT_FDCWD,
                                  .path = "f",
                                  .flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                                  .mode = 0600});
    for (int i = 0; i < 3; i++)
        io_add(&chain, (struct io_op){.code = IO_WRITE,
                                      .fd = IO_FD_OF_CHAIN,
                                      .data = data,
                                      .size = 1000,
                                      .offset = 1000 * i});
    io_add(&chain, (struct io_op){.code = IO_FSYNC, .fd = IO_FD_OF_CHAIN});
    io_add(&chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    engine_run(&engine, &chain);
    ck_assert_int_ge(chain.op[0].result, 0);
    ck_assert_int_eq(chain.op[1].result, 1000);
    ck_assert_int_eq(chain.op[2].result, errors[_i / IO_KIND_COUNT]);
    ck_assert_int_eq(chain.op[3].result, -ECANCELED);
    ck_assert_int_eq(chain.op[4].result, -ECANCELED);
    ck_assert_int_eq(chain.op[5].result, 0);
    ck_assert_int_eq(fcntl((int)chain.op[0].result, F_GETFD), -1); /* closed */
    end();
}
END_TEST

START_TEST(devices_say_what_is_wrong)
{
    if (!begin(_i, NULL))
        return;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(write_at(full, BYTES, 0), -ENOSPC);
    ck_assert_int_eq(write_at(full, BYTES, IO_AT_POSITION), -ENOSPC);
    ck_assert_int_eq(write_at(null, BYTES, IO_AT_POSITION), BYTES);
    ck_assert_int_eq(write_at(-1, BYTES, 0), -EBADF);
    close(full);
    close(null);
    end();
}
END_TEST

/* A file is made, filled, dressed and named in one chain. */
START_TEST(a_nameless_file_gets_attributes_and_a_name)
{
    struct timespec times[2] = {{.tv_sec = 1, .tv_nsec = 2}, {.tv_sec = 86400, .tv_nsec = 3}};
    struct io_owner owner = {getuid(), getgid()};
    struct io_chain chain = {0};
    struct stat status;
    if (!begin(_i, NULL))
        return;
    io_add(&chain, (struct io_op){.code = IO_OPEN,
                                  .dir = AT_FDCWD,
                                  .path = ".",
                                  .flags = O_TMPFILE | O_WRONLY | O_CLOEXEC,
                                  .mode = 0600});
    io_add(&chain,
           (struct io_op){.code = IO_WRITE, .fd = IO_FD_OF_CHAIN, .data = data, .size = BYTES});
    io_add(&chain,
           (struct io_op){.code = IO_SET_SIZE, .fd = IO_FD_OF_CHAIN, .offset = BYTES + 100});
    io_add(&chain, (struct io_op){.code = IO_SET_OWNER, .fd = IO_FD_OF_CHAIN, .data = &owner});
    io_add(&chain, (struct io_op){.code = IO_SET_MODE, .fd = IO_FD_OF_CHAIN, .mode = 0751});
    io_add(&chain, (struct io_op){.code = IO_SET_TIMES, .fd = IO_FD_OF_CHAIN, .data = times});
    io_add(&chain,
           (struct io_op){
               .code = IO_LINK_FD, .fd = IO_FD_OF_CHAIN, .to_dir = AT_FDCWD, .to_path = "f"});
    io_add(&chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    engine_run(&engine, &chain);
    if (chain.op[0].result != -EOPNOTSUPP) { /* not every file system can */
        for (unsigned i = 0; i < chain.count; i++)
            ck_assert_msg(chain.op[i].result >= 0, "%u: %d", i, (int)chain.op[i].result);
        ck_assert_int_eq(stat("f", &status), 0);
        ck_assert_int_eq(status.st_size, BYTES + 100);
        ck_assert_int_eq(truncate("f", BYTES), 0); /* changes the time */
        expect_file("f", 0, BYTES);
        ck_assert_uint_eq(status.st_mode, S_IFREG | 0751);
        ck_assert_int_eq(status.st_mtim.tv_sec, 86400);
        ck_assert_int_eq(status.st_mtim.tv_nsec, 3);
    }
    end();
}
END_TEST

START_TEST(names_are_made_and_changed)
{
    struct io_op rename = {.code = IO_RENAME,
                           .dir = AT_FDCWD,
                           .path = "a",
                           .to_dir = AT_FDCWD,
                           .to_path = "b",
                           .flags = RENAME_NOREPLACE};
    struct io_op link = {
        .code = IO_LINK, .dir = AT_FDCWD, .path = "b", .to_dir = AT_FDCWD, .to_path = "c"};
    struct io_op mkdir = {.code = IO_MKDIR, .dir = AT_FDCWD, .path = "d", .mode = 0700};
    struct io_op unlink = {.code = IO_UNLINK, .dir = AT_FDCWD, .path = "c"};
    char text[8] = "";
    struct io_op readlink = {
        .code = IO_READLINK, .dir = AT_FDCWD, .path = "s", .data = text, .size = sizeof text};
    struct stat status;
    if (!begin(_i, NULL))
        return;
    int fd = open("a", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(run_one(rename), 0);
    ck_assert_int_eq(run_one(rename), -ENOENT);
    ck_assert_int_eq(run_one(link), 0);
    ck_assert_int_eq(run_one(link), -EEXIST);
    ck_assert_int_eq(stat("c", &status), 0);
    ck_assert_uint_eq(status.st_nlink, 2);
    rename.path = "c";
    ck_assert_int_eq(run_one(rename), -EEXIST);
    ck_assert_int_eq(run_one(unlink), 0);
    ck_assert_int_eq(run_one(unlink), -ENOENT);
    ck_assert_int_eq(run_one(mkdir), 0);
    ck_assert_int_eq(run_one(mkdir), -EEXIST);
    unlink.path = "d", unlink.flags = AT_REMOVEDIR;
    ck_assert_int_eq(run_one(unlink), 0);
    ck_assert_int_eq(symlink("to", "s"), 0);
    ck_assert_int_eq(run_one(readlink), 2);
    ck_assert(memcmp(text, "to", 2) == 0);
    readlink.path = "b";
    ck_assert_int_eq(run_one(readlink), -EINVAL);
    int64_t set = run_one((struct io_op){
        .code = IO_SET_XATTR, .fd = fd, .path = "user.treemill", .data = data, .size = 5});
    ck_assert(set == -EOPNOTSUPP || (set == 0 && getxattr("b", "user.treemill", NULL, 0) == 5));
    close(fd);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io_write");
    TCase *tests = tcase_create("io_write");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, files_are_written_whole, 0, IO_KIND_COUNT * FAULTS);
    tcase_add_loop_test(tests, streams_are_written_as_they_are_read, 0,
                        IO_KIND_COUNT * STREAMS * FAULTS);
    tcase_add_loop_test(tests, the_end_of_the_job_ends_the_wait_for_a_reader, 0,
                        IO_KIND_COUNT * STREAMS);
    tcase_add_loop_test(tests, a_reader_that_goes_is_an_error, 0, IO_KIND_COUNT * STREAMS);
    tcase_add_loop_test(tests, an_error_ends_the_chain, 0, IO_KIND_COUNT * ERRORS);
    tcase_add_loop_test(tests, devices_say_what_is_wrong, 0, IO_KIND_COUNT);
    tcase_add_loop_test(tests, a_nameless_file_gets_attributes_and_a_name, 0, IO_KIND_COUNT);
    tcase_add_loop_test(tests, names_are_made_and_changed, 0, IO_KIND_COUNT);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
