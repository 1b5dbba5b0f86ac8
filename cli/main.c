/* treemill: where things are, in the order in which a file's bytes flow.
 *
 *   cli/main.c            here: the command line to a verb
 *   cli/options*.c        the one table of options: parser, --help, man page, completions
 *   cli/verb_*.c          one file a verb
 *   cli/plan.c            which model and how many workers: wires the graph
 *   cli/job.c             what is around a graph: progress, signals, counting, exit status
 *
 *   stages/walk*.c        names to trees to files, in canonical order
 *   stages/scan.c         lists directories, takes the status of files
 *   stages/read.c         fills slabs with bytes
 *   stages/hash.c         digests of what the slabs hold      (digest.c: the algorithms)
 *   stages/render.c       lines of a manifest from digests    (manifest_*.c: the formats)
 *   stages/compare.c      verify: digests against those expected
 *   stages/pack*.c        create: pieces of an archive    (archive_*.c, zip*.c: their headers)
 *   stages/squeeze.c      compress: each file by itself   (place.c: writes them)
 *   stages/expand.c       decompress, test                (decode*.c: gzip and zstd)
 *   stages/unpack*.c      extract, list: members of an archive  (untar*.c, unzip*.c, foreign*.c)
 *   stages/extract*.c     makes them below the target    (beneath.c: without ever leaving it)
 *   stages/codec*.c       compression of blocks, and the containers that they make
 *
 *   pipeline/graph.h      what an item, a stage, a lane and a graph are
 *   pipeline/queue.c      the queue between two stages
 *   pipeline/worker.c     the loop that blocking workers run (worker_loop.c: event loops)
 *   pipeline/exec_*.c     workers as threads, as processes, or none
 *   pipeline/supervisor.c what happens when a process dies
 *   pipeline/io*.c        the operations that stages ask for, and the engines that do them
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/absolute_paths.h"
#include "cli/job.h"
#include "cli/verbs.h"

/* Help and such go to standard output like any data: a full disk is an error. */
static int printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    fprintf(stderr, "treemill: standard output: write: %s\n", strerror(errno));
    return EXIT_FATAL;
}

static int run_verb(const struct options *options)
{
    switch (options->verb) {
    case VERB_HASH:
        return verb_hash(options);
    case VERB_VERIFY:
        return verb_verify(options);
    case VERB_CREATE:
        return verb_create(options);
    case VERB_COMPRESS:
        return verb_compress(options);
    case VERB_DECOMPRESS:
    case VERB_TEST:
        return verb_expand(options);
    case VERB_EXTRACT:
        return verb_extract(options);
    case VERB_LIST:
        return verb_list(options);
    case VERB_INFO:
        return verb_info(options);
    case VERB_COMPLETION:
        options_print_completion(stdout, options->operands.items[0]);
        return printed();
    case VERB_MAN:
        options_print_man(stdout, options->operands.count
                                      ? options_find_verb(options->operands.items[0])
                                      : VERB_NONE);
        return printed();
    case VERB_HELP:
    case VERB_NONE:
    case VERB_COUNT:
        break;
    }
    options_print_help(stdout, VERB_NONE, HELP_SHORT);
    return printed();
}

/* A standard descriptor that was closed by the caller would be given to the next file opened, and
 * data or messages would go into that. /dev/null takes its place, opened for the direction that is
 * not its use: reading standard input, writing standard output still fail with EBADF. */
static bool hold_standard_descriptors(void)
{
    static const int contrary[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", contrary[fd]) != fd) /* the lowest free number */
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!hold_standard_descriptors()) /* there may be nowhere to say so */
        return EXIT_FATAL;
    signal(SIGXFSZ, SIG_IGN); /* a file that would become too large is an error of writing */
    struct options options;
    char error[512];
    setlocale(LC_CTYPE, ""); /* to know whether the terminal shows UTF-8 */
    int failed = options_parse(argc, argv, getenv, &options, error, sizeof error);
    if (!failed && (failed = options_make_paths_absolute(&options)))
        snprintf(error, sizeof error, "the current directory: %s", strerror(-failed));
    if (failed) {
        fprintf(stderr, "treemill: %s\n", error);
        if (options.show_usage)
            options_print_usage(stderr, options.verb);
        return EXIT_FATAL;
    }
    int status;
    if (options.show_version) {
        options_print_version(stdout);
        status = printed();
    } else if (options.show_table) {
        options_print_table(stdout);
        status = printed();
    } else if (options.show_help) {
        options_print_help(stdout, options.help_verb, (enum help_extent)options.show_help);
        status = printed();
    } else {
        status = run_verb(&options);
    }
    options_release(&options);
    return status;
}
