/* Changes archives and takes each apart, in a child of its own: whatever they have become, the
 * child ends by itself, with a status of treemill's, and nothing changes but what is below the
 * target.
 *
 * mutate SEEDS WORK COUNT [FIRST]: SEEDS is a directory of small archives, WORK an empty one to
 * work in. The same numbers make the same archives. An archive that is taken badly stays in
 * WORK/box as "failed-NUMBER". Fork without exec: a program that is started anew takes ten times as
 * long when it is built with a sanitizer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "tests/hostile/mutation.h"

#define SECONDS_MAX   60
#define ARCHIVE_BYTES ((size_t)1 << 20)
#define SEEDS_MAX     64
#define WORDS_MAX     16

struct seeds {
    struct seed seed[SEEDS_MAX];
    size_t count;
};

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "mutate: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* Seeds. */

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct seed *)left)->name, ((const struct seed *)right)->name);
}

static void load(struct seeds *seeds, const char *directory, const char *name)
{
    char path[4096];
    struct seed *seed = &seeds->seed[seeds->count];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    seed->bytes = malloc(ARCHIVE_BYTES);
    if (!file || !seed->bytes)
        stop(path);
    seed->count = fread(seed->bytes, 1, ARCHIVE_BYTES, file);
    fclose(file);
    snprintf(seed->name, sizeof seed->name, "%.*s", (int)sizeof seed->name - 1, name);
    seeds->count++;
}

static void load_all(struct seeds *seeds, const char *directory)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    if (!stream)
        stop(directory);
    while ((entry = readdir(stream)) && seeds->count < SEEDS_MAX)
        if (*entry->d_name != '.')
            load(seeds, directory, entry->d_name);
    closedir(stream);
    qsort(seeds->seed, seeds->count, sizeof *seeds->seed, by_name);
}

/* Around the target. */

static const char *const around[] = {".", "box", "box/out", "box/out/file"};
#define AROUND (sizeof around / sizeof *around)

static void make_around(const char *work)
{
    if (chdir(work) < 0 || mkdir("box", 0755) < 0 || mkdir("box/target", 0755) < 0 ||
        mkdir("box/out", 0755) < 0)
        stop(work);
    /* Before they are looked at: afterwards they only change what they have. */
    static const char *const files[] = {"box/out/file", "archive", "out", "err"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(files[i], "w");
        if (!file || fputs("canary\n", file) < 0 || fclose(file))
            stop(files[i]);
    }
}

static void look_around(struct stat status[static AROUND])
{
    for (size_t i = 0; i < AROUND; i++)
        if (lstat(around[i], &status[i]) < 0)
            memset(&status[i], 0, sizeof status[i]);
}

static const char *what_changed(const struct stat before[static AROUND])
{
    struct stat now[AROUND];
    look_around(now);
    for (size_t i = 0; i < AROUND; i++) {
        const struct stat *a = &before[i], *b = &now[i];
        if (a->st_ino != b->st_ino || a->st_mode != b->st_mode || a->st_nlink != b->st_nlink ||
            a->st_size != b->st_size || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
            a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
            a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec)
            return around[i];
    }
    return NULL;
}

static int open_up(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)place;
    return kind == FTW_D || kind == FTW_DNR ? chmod(path, 0700) : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    if (place->level == 0)
        return 0;
    return kind == FTW_DP || kind == FTW_D || kind == FTW_DNR ? rmdir(path) : unlink(path);
}

/* A directory that was closed is looked into only after it has been opened. */
static void empty_target(void)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        if (nftw("box/target", open_up, 16, FTW_PHYS) == 0 &&
            nftw("box/target", remove_one, 16, FTW_PHYS | FTW_DEPTH) == 0)
            break;
    }
    if (chmod("box/target", 0755) < 0)
        stop("box/target");
}

/* Taking apart. */

#define INLINE "--scan=inline", "--read=inline", "--compress=inline", "--write=inline"
static const char *const ways[][WORDS_MAX] = {
    {"extract", INLINE},
    {"list", "-v", "--scan=inline", "--read=inline", "--compress=inline"},
    {"extract", "-f", "-p", "--xattrs", "--same-owner", "--devices", "--sandbox=off", INLINE},
    {"extract", "--safe-links", "--write=threads:2"},
    {"extract", "--manifest=box/target/manifest", INLINE},
    {"extract", "<", INLINE}, /* from standard input */
    {"extract", "--scan=processes:1", "--write=inline"},
};
#define WAYS (sizeof ways / sizeof *ways)

static int run_verb(const struct options *options)
{
    return options->verb == VERB_LIST ? verb_list(options) : verb_extract(options);
}

static void redirect(const char *path, int flags, int fd)
{
    int opened = open(path, flags | O_CLOEXEC);
    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(99);
    close(opened);
}

static _Noreturn void take_apart(const char *const way[static WORDS_MAX])
{
    static const char *const limits[] = {"-q", "--memory=32M", "--max-total=32M",
                                         "--max-members=5000"};
    char *words[2 * WORDS_MAX] = {(char *)"treemill"};
    int count = 1;
    bool is_input = false;
    struct options options;
    char error[512];
    setpgid(0, 0);
    redirect("out", O_WRONLY | O_TRUNC, STDOUT_FILENO);
    redirect("err", O_WRONLY | O_TRUNC, STDERR_FILENO);
    for (unsigned i = 0; i < WORDS_MAX && way[i]; i++)
        if (strcmp(way[i], "<") == 0)
            is_input = true;
        else
            words[count++] = (char *)way[i];
    for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++)
        words[count++] = (char *)limits[i];
    if (strcmp(way[0], "extract") == 0)
        words[count++] = (char *)"--directory=box/target";
    redirect(is_input ? "archive" : "/dev/null", O_RDONLY, STDIN_FILENO);
    words[count++] = is_input ? (char *)"-" : (char *)"archive";
    if (options_parse(count, words, getenv, &options, error, sizeof error)) {
        fprintf(stderr, "mutate: %s\n", error);
        exit(98);
    }
    int status = run_verb(&options);
    options_release(&options);
    exit(status);
}

/* -1: it hangs. */
static int wait_for(pid_t child)
{
    const struct timespec limit = {.tv_sec = SECONDS_MAX};
    int status;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return status;
        if (ended < 0)
            stop("waitpid");
        if (sigtimedwait(&ends, NULL, &limit) < 0 && errno == EAGAIN)
            break;
    }
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

/* What was said is treemill's, line by line, and fit for a terminal. */
static bool is_well_said(void)
{
    static char line[1 << 20];
    bool good = true;
    FILE *file = fopen("err", "r");
    if (!file)
        return false;
    while (good && fgets(line, sizeof line, file)) {
        good = strncmp(line, "treemill: ", 10) == 0;
        for (const char *at = line; *at; at++)
            good &= (unsigned char)*at >= ' ' || *at == '\n';
    }
    fclose(file);
    return good;
}

static void show_messages(void)
{
    char text[4096];
    FILE *file = fopen("err", "r");
    size_t bytes = file ? fread(text, 1, sizeof text, file) : 0;
    fwrite(text, 1, bytes, stdout);
    if (file)
        fclose(file);
}

static void write_archive(const char *name, const uint8_t *bytes, size_t count)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, bytes, count) != (ssize_t)count || close(fd) < 0)
        stop(name);
}

/* NULL: all is well. */
static const char *judge(int status, const struct stat before[static AROUND])
{
    const char *changed = what_changed(before);
    if (status == -1)
        return "it hangs";
    if (!WIFEXITED(status))
        return "it was killed";
    if (WEXITSTATUS(status) > 3 || WEXITSTATUS(status) == 2)
        return "its status is none for an archive";
    if (!is_well_said())
        return "it says what treemill does not say";
    return changed;
}

/* Of everything that was done; false: badly. */
static bool do_one(const struct seeds *seeds, unsigned long number,
                   const struct stat before[static AROUND])
{
    static uint8_t bytes[2 * ARCHIVE_BYTES];
    const struct seed *seed = &seeds->seed[number % seeds->count];
    const struct seed *other = &seeds->seed[number / 7 % seeds->count];
    unsigned way = (unsigned)(number / seeds->count % WAYS);
    if (getenv("MUTATE_WITHOUT_PROCESSES") && way == WAYS - 1)
        way = 0;
    size_t count = mutate(seed, other, number, bytes, sizeof bytes);
    write_archive("archive", bytes, count);
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        stop("fork");
    if (child == 0)
        take_apart(ways[way]);
    int status = wait_for(child);
    const char *wrong = judge(status, before);
    empty_target();
    if (!wrong)
        return true;
    char name[64];
    printf("FAILED: number %lu (%s, %s %s): %s (status %d)\n", number, seed->name, ways[way][0],
           ways[way][1], wrong, status);
    show_messages();
    snprintf(name, sizeof name, "box/failed-%lu", number);
    write_archive(name, bytes, count);
    return false;
}

int main(int argc, char **argv)
{
    static struct seeds seeds;
    struct stat before[AROUND];
    unsigned long failed = 0;
    if (argc < 4) {
        fprintf(stderr, "usage: mutate SEEDS WORK COUNT [FIRST]\n");
        return 2;
    }
    unsigned long first = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    unsigned long count = strtoul(argv[3], NULL, 10);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    load_all(&seeds, argv[1]);
    if (!seeds.count)
        stop("no seeds");
    make_around(argv[2]);
    look_around(before);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    for (unsigned long i = first; i < first + count; i++)
        if (!do_one(&seeds, i, before)) {
            failed++;
            look_around(before); /* what has changed once is not told of again */
        }
    for (size_t i = 0; i < seeds.count; i++)
        free(seeds.seed[i].bytes);
    printf("%lu archives of %zu kinds, %lu failed\n", count, seeds.count, failed);
    return failed > 0;
}
