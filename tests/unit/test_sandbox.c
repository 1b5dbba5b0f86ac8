/* stages/sandbox: what cannot be done inside, with each ABI of Landlock up to that of the kernel.
 */
#include "stages/sandbox.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/unit/io_engines.h"
#include "tests/unit/sandbox_child.h"

static int listener; /* on an abstract socket of the test's process */
static struct sockaddr_un listener_address;
static socklen_t listener_bytes;

/* Changes of files outside. */

static int opens_truncating(void)
{
    return result_of(open("out/file", O_RDONLY | O_TRUNC));
}

static int truncates(void)
{
    return result_of(truncate("out/file", 0));
}

static int makes_a_file(void)
{
    return result_of(open("out/new", O_WRONLY | O_CREAT, 0600));
}

static int makes_a_nameless_file(void)
{
    return result_of(open("out", O_WRONLY | O_TMPFILE, 0600));
}

static int makes_a_directory(void)
{
    return result_of(mkdir("out/new", 0700));
}

static int makes_a_link(void)
{
    return result_of(symlink("file", "out/new"));
}

static int makes_a_fifo(void)
{
    return result_of(mkfifo("out/new", 0600));
}

static int makes_a_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "out/new"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? 100 : result_of(bind(fd, (struct sockaddr *)&address, sizeof address));
}

static int makes_a_device(void)
{
    return result_of(mknod("out/new", S_IFCHR | 0600, makedev(1, 3)));
}

static int removes_a_directory(void)
{
    return result_of(rmdir("out/empty"));
}

static int moves_out(void)
{
    return result_of(rename("in/file", "out/other"));
}

static int moves_in(void)
{
    return result_of(rename("out/file", "in/other"));
}

static int links_out(void)
{
    return result_of(link("in/file", "out/other"));
}

static int links_in(void)
{
    return result_of(link("out/file", "in/other"));
}

static int writes_through_a_link(void)
{
    return result_of(open("in/way-out/file", O_WRONLY));
}

static int writes_through_proc(void)
{
    char path[40];
    int fd = open("out/file", O_RDONLY);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 ? 100 : result_of(open(path, O_WRONLY));
}

static int as_a_child(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(opens_for_writing());
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static void *thread_main(void *result)
{
    *(int *)result = opens_for_writing();
    return NULL;
}

static int as_a_thread(void)
{
    pthread_t thread;
    int result = 0;
    if (pthread_create(&thread, NULL, thread_main, &result) || pthread_join(thread, NULL))
        return 100;
    return result;
}

static int by_a_ring(void)
{
    struct engine engine;
    struct io_chain chain = {.count = 1,
                             .op[0] = {.code = IO_OPEN,
                                       .dir = AT_FDCWD,
                                       .path = "out/new",
                                       .flags = O_WRONLY | O_CREAT | O_CLOEXEC,
                                       .mode = 0600}};
    if (!engine_open(&engine, IO_URING, -1))
        return opens_for_writing();
    engine_run(&engine, &chain);
    engine_close(&engine);
    return chain.op[0].result < 0 ? (int)-chain.op[0].result : 0;
}

/* And other things. */

static int executes(void)
{
    return result_of(execl("/bin/true", "true", NULL));
}

static int asks_a_device(void)
{
    int fd = open("/dev/null", O_RDONLY), bytes;
    return fd < 0 ? 100 : result_of(ioctl(fd, FIONREAD, &bytes));
}

static int tcp(int (*call)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? 100 : result_of(call(fd, (struct sockaddr *)&address, sizeof address));
}

static int binds(void)
{
    return tcp(bind);
}

static int connects(void)
{
    return tcp(connect);
}

static int connects_to_abstract(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? 100
                  : result_of(connect(fd, (struct sockaddr *)&listener_address, listener_bytes));
}

static int signals_its_parent(void)
{
    return result_of(kill(getppid(), 0));
}

/* `freely`: without a sandbox, and with ABIs before `from`. */
static const struct {
    deed *deed;
    int from, inside, freely;
} deeds[] = {
    {opens_for_writing, 1, EACCES, 0},
    {opens_truncating, 3, EACCES, 0},
    {truncates, 3, EACCES, 0},
    {makes_a_file, 1, EACCES, 0},
    {makes_a_nameless_file, 1, EACCES, 0},
    {makes_a_directory, 1, EACCES, 0},
    {makes_a_link, 1, EACCES, 0},
    {makes_a_fifo, 1, EACCES, 0},
    {makes_a_socket, 1, EACCES, 0},
    {makes_a_device, 1, EACCES, 0},
    {removes, 1, EACCES, 0},
    {removes_a_directory, 1, EACCES, 0},
    {renames, 1, EACCES, 0},
    {moves_out, 1, EACCES, 0},
    {moves_in, 1, EACCES, 0},
    {links_out, 1, EACCES, 0},
    {links_in, 1, EXDEV, 0},
    {writes_through_a_link, 1, EACCES, 0},
    {writes_through_proc, 1, EACCES, 0},
    {as_a_child, 1, EACCES, 0},
    {as_a_thread, 1, EACCES, 0},
    {by_a_ring, 1, EACCES, 0},
    {executes, 1, EACCES, 0},
    {asks_a_device, 5, EACCES, ENOTTY},
    {binds, 4, EACCES, 0},
    {connects, 4, EACCES, ECONNREFUSED},
    {connects_to_abstract, 6, EPERM, 0},
    {signals_its_parent, 6, EPERM, 0},
};
#define DEEDS ((int)(sizeof deeds / sizeof *deeds))

static void set_up(void)
{
    make_places();
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listener_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(listener_address.sun_path + 1, scratch, strlen(scratch));
    listener_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(scratch));
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&listener_address, listener_bytes), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
}

static void tear_down(void)
{
    close(listener);
    scratch_remove();
}

START_TEST(what_is_outside_cannot_be_changed)
{
    for (unsigned version = (unsigned)deeds[_i].from; version <= ABI_KNOWN; version++) {
        if ((int)version > abi)
            break;
        struct sandbox_request request = {.abi_max = version};
        int found = inside(deeds[_i].deed, request);
        /* With ABI 1 links between directories are refused in another way. */
        if (version == 1 && found == EXDEV)
            found = deeds[_i].inside;
        ck_assert_msg(found == deeds[_i].inside, "ABI %u: %s", version, strerror(found));
        expect_untouched();
    }
}
END_TEST

START_TEST(it_could_be_without_the_sandbox)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(deeds[_i].deed());
    int found = status_of(pid);
    if (found == EPERM && deeds[_i].deed == makes_a_device)
        return; /* not for everybody */
    ck_assert_msg(found == deeds[_i].freely, "%s", strerror(found));
}
END_TEST

START_TEST(older_kernels_leave_more)
{
    unsigned before = (unsigned)deeds[_i].from - 1;
    if (!before || (int)before > abi)
        return;
    int found = inside(deeds[_i].deed, (struct sandbox_request){.abi_max = before});
    ck_assert_msg(found == deeds[_i].freely, "%s", strerror(found));
}
END_TEST

/* Requests. */

START_TEST(names_may_be_looked_up)
{
    struct sandbox_request request = {.looks_up_names = true};
    ck_assert_int_eq(inside(binds, request), 0);
    ck_assert_int_eq(inside(connects, request), ECONNREFUSED);
    ck_assert_int_eq(inside(connects_to_abstract, request), 0);
    ck_assert_int_eq(inside(opens_for_writing, request), EACCES);
}
END_TEST

START_TEST(what_an_old_kernel_cannot_is_said)
{
    char why[SANDBOX_WHY_BYTES];
    struct sandbox_request request = {.moves = true, .abi_max = 1};
    ck_assert_int_eq(sandbox_enter(&request, why, sizeof why), -EOPNOTSUPP);
    ck_assert_str_eq(why, "this kernel's Landlock (ABI 1) forbids links between directories");
    request = (struct sandbox_request){.strict = true, .abi_max = 2};
    ck_assert_int_eq(sandbox_enter(&request, why, sizeof why), -EOPNOTSUPP);
    ck_assert_str_eq(why, "this kernel's Landlock (ABI 1 or 2) does not prevent truncation");
    ck_assert_int_eq(opens_for_writing(), 0);
    if (abi >= 3)
        ck_assert_int_eq(
            inside(opens_for_writing, (struct sandbox_request){.strict = true, .moves = true}),
            EACCES);
}
END_TEST

static void *wait_for_the_end(void *fd)
{
    char byte;
    while (read(*(int *)fd, &byte, 1) < 0)
        ;
    return NULL;
}

/* ThreadSanitizer has a thread of its own, which the sandbox takes no notice of. */
#if defined(__SANITIZE_THREAD__)
#define IS_TSAN 1
#elif defined(__has_feature)
#define IS_TSAN __has_feature(thread_sanitizer)
#else
#define IS_TSAN 0
#endif

START_TEST(threads_come_later)
{
    char why[SANDBOX_WHY_BYTES];
    int pipe_fds[2];
    pthread_t thread;
    if (IS_TSAN)
        return;
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_the_end, pipe_fds), 0);
    ck_assert_int_eq(sandbox_enter(&(struct sandbox_request){0}, why, sizeof why), -EBUSY);
    ck_assert_str_eq(why, "there are other threads already");
    ck_assert_int_eq(opens_for_writing(), 0);
    close(pipe_fds[1]);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    close(pipe_fds[0]);
}
END_TEST

START_TEST(describing)
{
    char text[SANDBOX_WHY_BYTES];
    sandbox_describe(1, text, sizeof text);
    ck_assert_str_eq(text, "ABI 1: no links between directories, writing beneath given places "
                           "only, no programs, truncation stays");
    sandbox_describe(7, text, sizeof text);
    ck_assert_str_eq(text, "ABI 7: writing beneath given places only, no programs, no TCP, no "
                           "ioctl on devices, no signals to others");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tests = tcase_create("outside");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, what_is_outside_cannot_be_changed, 0, DEEDS);
    tcase_add_loop_test(tests, it_could_be_without_the_sandbox, 0, DEEDS);
    tcase_add_loop_test(tests, older_kernels_leave_more, 0, DEEDS);
    tcase_add_test(tests, names_may_be_looked_up);
    tcase_add_test(tests, what_an_old_kernel_cannot_is_said);
    tcase_add_test(tests, threads_come_later);
    tcase_add_test(tests, describing);
    return run_suite(suite, tests);
}
