/* pipeline/confine: what a worker process can and cannot do any more, by itself and as a part of a
 * graph. */
#include "pipeline/confine.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/graph_private.h"
#include "tests/unit/scratch.h"

/* What a confined child does. 0, or the errno that it failed with. */
typedef int deed(void);

static int bell, file;

static int result_of(long result)
{
    return result < 0 ? errno : 0;
}

/* How a child ends that is confined and then does it: its exit status, or 1000 + its signal. */
static int end_of(deed *does, enum confinement confinement)
{
    pid_t pid = fork();
    if (pid == 0) {
        int writable[] = {STDERR_FILENO, bell};
        int error = confine_enter(confinement, writable, 2);
        _exit(error ? 100 : does());
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Allowed. */

static int uses_memory(void)
{
    for (size_t bytes = 1; bytes < 1u << 27; bytes *= 8) {
        char *memory = malloc(bytes);
        if (!memory)
            return ENOMEM;
        memset(memory, 1, bytes);
        char *more = realloc(memory, bytes * 2);
        if (!more)
            return ENOMEM;
        free(more);
    }
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : result_of(mprotect(page, 4096, PROT_READ | PROT_WRITE));
}

static int uses_clocks_and_futexes(void)
{
    uint32_t word = 0;
    struct timespec now, nap = {.tv_nsec = 1000};
    clock_gettime(CLOCK_MONOTONIC, &now);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now); /* not by the vDSO */
    nanosleep(&nap, NULL);
    sched_yield();
    if (syscall(SYS_futex, &word, FUTEX_WAIT, 0, &nap, NULL, 0) == 0 || errno != ETIMEDOUT)
        return errno;
    return getpid() > 0 && syscall(SYS_getrandom, &word, sizeof word, 0) == sizeof word ? 0 : EIO;
}

static int rings_the_bell(void)
{
    return result_of(eventfd_write(bell, 1));
}

static int writes_a_last_word(void)
{
    return result_of(write(STDERR_FILENO, "", 0));
}

static int aborts(void)
{
    abort();
}

static int kills_itself(void)
{
    return result_of(kill(getpid(), SIGKILL));
}

static int reads_what_is_open(void)
{
    char text[4];
    struct stat status;
    struct pollfd ready = {.fd = file, .events = POLLIN};
    bool good = pread(file, text, 4, 0) == 4 && read(file, text, 4) == 4 &&
                lseek(file, 0, SEEK_SET) == 0 && fstat(file, &status) == 0 && status.st_size == 4 &&
                poll(&ready, 1, 0) == 1 && close(file) == 0;
    return good && memcmp(text, "text", 4) == 0 ? 0 : errno ? errno : EIO;
}

/* Refused, with EPERM. */

static int asks_about_a_file(void)
{
    struct stat status;
    return result_of(stat("file", &status));
}

static int asks_for_a_limit(void)
{
    struct rlimit limit;
    return result_of(getrlimit(RLIMIT_NOFILE, &limit));
}

static int asks_for_what_nobody_knows(void)
{
    return result_of(syscall(4095));
}

/* Deadly. */

static int opens_for_reading(void)
{
    return result_of(open("file", O_RDONLY));
}

static int makes_a_file(void)
{
    return result_of(open("new", O_CREAT | O_WRONLY, 0600));
}

static int writes_to_a_file(void)
{
    return result_of(write(file, "x", 1));
}

static int writes_at_an_offset(void)
{
    return result_of(pwrite(file, "x", 1, 0));
}

static int truncates(void)
{
    return result_of(ftruncate(file, 0));
}

static int removes(void)
{
    return result_of(unlink("file"));
}

static int changes_a_mode(void)
{
    return result_of(fchmod(file, 0777));
}

static int maps_a_file(void)
{
    return mmap(NULL, 4, PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED ? errno : 0;
}

static int makes_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

static int makes_memory_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return result_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int makes_a_socket(void)
{
    return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int executes(void)
{
    return result_of(execl("/bin/true", "true", NULL));
}

static int forks(void)
{
    return result_of(fork());
}

static int kills_its_parent(void)
{
    return result_of(kill(getppid(), 0));
}

static int traces(void)
{
    return result_of(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
}

static int makes_a_ring(void)
{
    char parameters[120] = {0};
    return result_of(syscall(SYS_io_uring_setup, 1, parameters));
}

#define DEADLY  (1000 + SIGSYS)
#define REFUSED EPERM

static const struct {
    deed *deed;
    int computing, reading; /* how it ends */
} deeds[] = {
    {uses_memory, 0, 0},
    {uses_clocks_and_futexes, 0, 0},
    {rings_the_bell, 0, 0},
    {writes_a_last_word, 0, 0},
    {aborts, 1000 + SIGABRT, 1000 + SIGABRT},
    {kills_itself, 1000 + SIGKILL, 1000 + SIGKILL},
    {reads_what_is_open, REFUSED, 0},
    {asks_about_a_file, REFUSED, REFUSED},
    {asks_for_a_limit, REFUSED, REFUSED},
    {asks_for_what_nobody_knows, REFUSED, REFUSED},
    {opens_for_reading, DEADLY, DEADLY},
    {makes_a_file, DEADLY, DEADLY},
    {writes_to_a_file, DEADLY, DEADLY},
    {writes_at_an_offset, DEADLY, DEADLY},
    {truncates, DEADLY, DEADLY},
    {removes, DEADLY, DEADLY},
    {changes_a_mode, DEADLY, DEADLY},
    {maps_a_file, DEADLY, DEADLY},
    {makes_code, DEADLY, DEADLY},
    {makes_memory_code, DEADLY, DEADLY},
    {makes_a_socket, DEADLY, DEADLY},
    {executes, DEADLY, DEADLY},
    {forks, DEADLY, DEADLY},
    {kills_its_parent, DEADLY, DEADLY},
    {traces, DEADLY, DEADLY},
    {makes_a_ring, DEADLY, DEADLY},
};
#define DEEDS ((int)(sizeof deeds / sizeof *deeds))

static void set_up(void)
{
    scratch_make();
    make_file("file", "text");
    file = open("file", O_RDWR | O_CLOEXEC);
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(file, 0);
    ck_assert_int_ge(bell, 0);
}

static void tear_down(void)
{
    close(file);
    close(bell);
    scratch_remove();
}

START_TEST(a_confined_process_ends_as_it_should)
{
    char text[8] = "";
    ck_assert_int_eq(end_of(deeds[_i].deed, CONFINE_COMPUTING), deeds[_i].computing);
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0); /* the offset is shared with the child */
    ck_assert_int_eq(end_of(deeds[_i].deed, CONFINE_READING), deeds[_i].reading);
    ck_assert_int_eq(pread(file, text, sizeof text, 0), 4);
    ck_assert_str_eq(text, "text");
    ck_assert_int_ne(access("new", F_OK), 0);
}
END_TEST

START_TEST(without_confinement_nothing_is_refused)
{
    ck_assert_int_eq(end_of(opens_for_reading, CONFINE_NONE), 0);
    ck_assert_int_eq(end_of(writes_to_a_file, CONFINE_NONE), 0);
    ck_assert_int_eq(end_of(forks, CONFINE_NONE), 0);
}
END_TEST

/* In a graph. */

struct job {
    enum confinement confinement;
    uint64_t opens_at; /* number of the item whose stage opens a file; 0: none */
};

static int keep_job(void *job, void **state)
{
    *state = job;
    return result_of(access("/", F_OK)); /* before it is confined */
}

static void work(void *state, const struct item_view *view)
{
    const struct job *job = state;
    uint64_t *numbers = (uint64_t *)view->input;
    if (numbers[0] == job->opens_at && open("/dev/null", O_RDONLY) < 0)
        numbers[0] = 0;
    numbers[1] = numbers[0] * 3;
}

static enum confinement confinement_of(const void *job)
{
    return ((const struct job *)job)->confinement;
}

static const struct stage_ops work_stage = {
    .name = "work", .open = keep_job, .run = work, .confinement = confinement_of};
static const struct stage_ops undeclared_stage = {
    .name = "undeclared", .open = keep_job, .run = work};

#define ITEMS 50

struct seen {
    unsigned good, killed_by_filter, others;
};

static int take(void *context, const struct item_view *view)
{
    struct seen *seen = context;
    const uint64_t *numbers = (const uint64_t *)view->input;
    struct tm_fault fault = view->item->fault;
    if (!fault_is_set(fault) && numbers[0] && numbers[1] == numbers[0] * 3)
        seen->good++;
    else if (fault.kind == TM_FAULT_SIGNAL && fault.detail == SIGSYS)
        seen->killed_by_filter++;
    else
        seen->others++;
    return 0;
}

static struct graph_setup graph_of(struct job *job, struct seen *seen)
{
    return (struct graph_setup){
        .lane_count = 1,
        .confines = true,
        .lane[0] = {
            .stage[0] = {.ops = &work_stage, .job = job, .model = MODEL_PROCESSES, .workers = 2},
            .stage_count = 1,
            .items = 4,
            .input_bytes = 64,
            .output_bytes = 64,
            .sink = take,
            .sink_context = seen,
            .ordered = true}};
}

static void run_items(const struct graph_setup *setup, enum confinement expected)
{
    struct tm_graph *graph;
    struct item_view view;
    ck_assert_int_eq(graph_create(setup, &graph), 0);
    ck_assert_int_eq(lane_confinement(graph_lane(graph, 0), 0), expected);
    ck_assert_int_eq(graph_start(graph), 0);
    for (uint64_t n = 1; n <= ITEMS; n++) {
        ck_assert_int_eq(lane_acquire(graph_lane(graph, 0), &view), 0);
        ((uint64_t *)view.input)[0] = n;
        ck_assert_int_eq(lane_submit(graph_lane(graph, 0), &view), 0);
    }
    lane_finish(graph_lane(graph, 0));
    graph_finish(graph);
    graph_destroy(graph);
}

START_TEST(workers_of_a_graph_are_confined)
{
    struct job job = {.confinement = CONFINE_COMPUTING};
    struct seen seen = {0};
    struct graph_setup setup = graph_of(&job, &seen);
    run_items(&setup, CONFINE_COMPUTING);
    ck_assert_uint_eq(seen.good, ITEMS);
    /* One that does what it should not costs the item that made it do so. */
    job.opens_at = 17;
    seen = (struct seen){0};
    run_items(&setup, CONFINE_COMPUTING);
    ck_assert_uint_eq(seen.good, ITEMS - 1);
    ck_assert_uint_eq(seen.killed_by_filter, 1);
}
END_TEST

START_TEST(only_those_are_confined_that_can_be)
{
    struct job job = {.opens_at = 17};
    struct seen seen = {0};
    struct graph_setup setup = graph_of(&job, &seen);
    run_items(&setup, CONFINE_NONE); /* says that it needs all */
    job.confinement = CONFINE_COMPUTING;
    setup.confines = false;
    run_items(&setup, CONFINE_NONE); /* not asked for */
    setup.confines = true;
    setup.lane[0].stage[0].ops = &undeclared_stage;
    run_items(&setup, CONFINE_NONE);
    setup.lane[0].stage[0].ops = &work_stage;
    setup.lane[0].stage[0].model = MODEL_THREADS;
    run_items(&setup, CONFINE_NONE);
    /* With one that needs more in the same workers. */
    setup.lane[0].stage[0].model = MODEL_PROCESSES;
    setup.lane[0].stage[1] =
        (struct stage_setup){.ops = &undeclared_stage, .job = &job, .model = MODEL_INLINE};
    setup.lane[0].stage_count = 2;
    run_items(&setup, CONFINE_NONE);
    ck_assert_uint_eq(seen.good, 5 * ITEMS);
    struct job reading = {.confinement = CONFINE_READING};
    job.opens_at = 0;
    setup.lane[0].stage[1].ops = &work_stage;
    setup.lane[0].stage[1].job = &reading;
    run_items(&setup, CONFINE_READING);
    ck_assert_uint_eq(seen.good, 6 * ITEMS);
}
END_TEST

int main(void)
{
    char why[128];
    if (confine_probe(why, sizeof why) < 0) {
        printf("skipped: %s\n", why);
        return 77;
    }
    Suite *suite = suite_create("confine");
    TCase *tests = tcase_create("confine");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_confined_process_ends_as_it_should, 0, DEEDS);
    tcase_add_test(tests, without_confinement_nothing_is_refused);
    tcase_add_test(tests, workers_of_a_graph_are_confined);
    tcase_add_test(tests, only_those_are_confined_that_can_be);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
