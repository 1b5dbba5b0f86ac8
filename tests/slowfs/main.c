/*
 * Shows a directory as a slow, read-only file system.
 *
 *   slowfs [OPTION]... SOURCE MOUNTPOINT
 *
 * Returns when it is mounted, having printed the number of the process that serves it; SIGTERM
 * to that process unmounts it. Each read costs its latency, since nothing is kept in the page
 * cache, but any number of them run at once, as on a device far away: one thread takes requests,
 * puts them aside (delay.c) and answers each when its time has come (operations.c). What is shown
 * must not change meanwhile, except for the contents of files.
 *
 * Exit status: 0 mounted, 2 wrong usage, 77 cannot be mounted here (a test is then skipped).
 */
#include "tests/slowfs/slowfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_HERE = 77 };

static const char usage[] =
    "usage: slowfs [OPTION]... SOURCE MOUNTPOINT\n"
    "\n"
    "  --latency-ms=T         each read takes T milliseconds (5; 0.5 is possible)\n"
    "  --open-latency-ms=T    each open takes T (0)\n"
    "  --lookup-latency-ms=T  each name looked up the first time, each part of a listing (0)\n"
    "  --max-read=BYTES       the most that one read is asked for (1048576)\n"
    "  --buffered             readahead and the page cache, emptied at each open; else direct\n"
    "  --short-reads          each read answers fewer bytes than there are\n"
    "  --fail-read=N          the N-th read after each open of a file is EIO\n"
    "  --fail-name=GLOB       only of files that are named so\n"
    "  --foreground           do not return when mounted, print nothing\n";

struct arguments {
    struct slowfs fs;
    const char *source;
    const char *mountpoint;
    bool foreground;
};

enum {
    LATENCY = 1,
    OPEN_LATENCY,
    LOOKUP_LATENCY,
    MAX_READ,
    BUFFERED,
    SHORT_READS,
    FAIL_READ,
    FAIL_NAME,
    FOREGROUND,
    HELP,
};

static const struct option options[] = {
    {"latency-ms", required_argument, NULL, LATENCY},
    {"open-latency-ms", required_argument, NULL, OPEN_LATENCY},
    {"lookup-latency-ms", required_argument, NULL, LOOKUP_LATENCY},
    {"max-read", required_argument, NULL, MAX_READ},
    {"buffered", no_argument, NULL, BUFFERED},
    {"short-reads", no_argument, NULL, SHORT_READS},
    {"fail-read", required_argument, NULL, FAIL_READ},
    {"fail-name", required_argument, NULL, FAIL_NAME},
    {"foreground", no_argument, NULL, FOREGROUND},
    {"help", no_argument, NULL, HELP},
    {0},
};

static void fail_usage(const char *what)
{
    fprintf(stderr, "slowfs: %s\n%s", what, usage);
    exit(EXIT_USAGE);
}

static double parse_number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= min && value <= max))
        fail_usage(text);
    return value;
}

static int64_t parse_latency_ns(const char *text)
{
    return (int64_t)llround(parse_number(text, 0, 3600e3) * 1e6);
}

static void parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    struct slowfs *fs = &arguments->fs;
    int option;

    fs->read_latency_ns = 5000000;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == LATENCY)
            fs->read_latency_ns = parse_latency_ns(optarg);
        else if (option == OPEN_LATENCY)
            fs->open_latency_ns = parse_latency_ns(optarg);
        else if (option == LOOKUP_LATENCY)
            fs->lookup_latency_ns = parse_latency_ns(optarg);
        else if (option == MAX_READ)
            fs->max_read_bytes = (size_t)parse_number(optarg, 4096, 1 << 20);
        else if (option == BUFFERED)
            fs->buffered = true;
        else if (option == SHORT_READS)
            fs->short_reads = true;
        else if (option == FAIL_READ)
            fs->fail_read = (uint64_t)parse_number(optarg, 1, 1e15);
        else if (option == FAIL_NAME)
            fs->fail_name = optarg;
        else if (option == FOREGROUND)
            arguments->foreground = true;
        else if (option == HELP)
            exit(fputs(usage, stdout) < 0);
        else
            fail_usage("unknown option");
    }
    if (argc - optind != 2)
        fail_usage("SOURCE and MOUNTPOINT are needed");
    /* The page cache takes a short read for the end of the file. */
    if (fs->buffered && fs->short_reads)
        fail_usage("--short-reads does not go with --buffered");
    arguments->source = argv[optind];
    arguments->mountpoint = argv[optind + 1];
}

/* Returns a mounted session, or NULL: the library has said why not. */
static struct fuse_session *mount_session(struct slowfs *fs, const char *mountpoint)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;
    char max_read[32];

    snprintf(max_read, sizeof(max_read), "max_read=%zu", fs->max_read_bytes);
    /* Others than root may only look where /etc/fuse.conf lets them be shown anything. */
    bool added = fuse_opt_add_arg(&args, "slowfs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
                 fuse_opt_add_arg(&args, geteuid() == 0 ? "ro,allow_other,default_permissions"
                                                        : "ro,default_permissions") == 0;

    if (added && fs->max_read_bytes != 0)
        added = fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, max_read) == 0;
    if (added)
        session = fuse_session_new(&args, &slowfs_operations, sizeof(slowfs_operations), fs);
    fuse_opt_free_args(&args);
    if (session != NULL && fuse_session_mount(session, mountpoint) != 0) {
        fuse_session_destroy(session);
        session = NULL;
    }
    return session;
}

/* Answers all that is due, then waits for a request, a signal or the next that is due. */
static bool wait_for_work(struct slowfs *fs, struct pollfd *files, nfds_t count)
{
    struct request due;

    while (delay_take(&fs->delays, delay_now_ns(), &due)) {
        due.answer(fs, &due);
        free(due.name);
    }
    int64_t wait_ns = delay_until_next_ns(&fs->delays, delay_now_ns());
    struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};

    return ppoll(files, count, wait_ns >= 0 ? &timeout : NULL, NULL) >= 0 || errno == EINTR;
}

/* Serves until a signal comes or somebody else unmounts. */
static void serve(struct slowfs *fs, struct fuse_session *session, int signals)
{
    struct pollfd files[] = {{.fd = fuse_session_fd(session), .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
    struct fuse_buf buffer = {0};

    while (!fuse_session_exited(session) && wait_for_work(fs, files, 2)) {
        if (files[1].revents != 0)
            break;
        if (files[0].revents == 0)
            continue;
        int got = fuse_session_receive_buf(session, &buffer);

        if (got > 0)
            fuse_session_process_buf(session, &buffer);
        else if (got != -EINTR && got != -EAGAIN)
            break;
    }
    free(buffer.mem);
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The caller goes on only in the process that serves; the one that was started ends here. */
static void go_to_background(void)
{
    pid_t pid = fork();
    int null;

    if (pid < 0) {
        perror("slowfs: fork");
        return;
    }
    if (pid > 0) {
        printf("%d\n", (int)pid);
        fflush(stdout);
        _exit(0);
    }
    setsid();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Whoever waits for the end of our output must not wait for us. */
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
}

int main(int argc, char **argv)
{
    static struct arguments arguments;
    struct slowfs *fs = &arguments.fs;

    parse_arguments(argc, argv, &arguments);
    fs->source = open(arguments.source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs->source < 0) {
        fprintf(stderr, "slowfs: %s: %s\n", arguments.source, strerror(errno));
        return EXIT_USAGE;
    }
    int signals = open_signals();
    struct fuse_session *session = mount_session(fs, arguments.mountpoint);

    if (session == NULL || signals < 0) {
        fprintf(stderr, "slowfs: cannot mount %s\n", arguments.mountpoint);
        return EXIT_NOT_HERE;
    }
    /* Nonblocking: a request that was taken back between poll and read must not stop the clock. */
    fcntl(fuse_session_fd(session), F_SETFL, O_RDWR | O_NONBLOCK);
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default adds 50 microseconds to each latency */
    if (!arguments.foreground)
        go_to_background();
    serve(fs, session, signals);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    slowfs_destroy(fs);
    close(signals);
    return 0;
}
