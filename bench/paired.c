/*
 * Runs commands in turn, A B C A B C ..., and compares them round by round.
 *
 *   bench_paired [-r ROUNDS] [-w WARMUPS] [-s SECONDS] [-k SECONDS] [-p COMMAND] [-P COMMAND]
 *                [-b NAME]... [-m] [-c] NAME=COMMAND... NAME:KEY,KEY...=COMMAND...
 *
 *   -r  timed rounds (5)             -w  rounds before them that are not timed (1)
 *   -s  begin no further round when it would not end within so many seconds (no limit)
 *   -k  end a command that runs longer than this (600)
 *   -p  a command to run before every other one, not timed (to empty caches, to remove outputs)
 *   -P  a command to run before every round, not timed (to fill caches: rclone tells the kernel
 *       to forget what it has read, and the next command would pay for it)
 *   -b  a row to compare with; a column vs_NAME is printed for each
 *   -m  sample memory during the warm-up rounds
 *   -c  print context switches: those because of waiting, and those that were forced
 *
 * Each COMMAND is given to /bin/sh -c with its output discarded. Measured: time by
 * CLOCK_MONOTONIC from fork to the end of the shell; user and system time, context switches and
 * peak resident size by wait4(), which covers every descendant that was waited for. The peak is
 * that of the largest process; what all processes of a command hold together is sampled during the
 * warm-up (so that looking at /proc does not disturb the timing) as the sum of their proportional
 * set sizes, in which a page shared by two processes counts once.
 *
 * A NAME:KEY,...=COMMAND measures by itself: its lines KEY=SECONDS are taken, each as a row
 * NAME.KEY. This is how the physical limit takes part in the rounds.
 *
 * Comparing by rounds: for each round the ratio TIME / TIME of the -b row in that same round, then
 * the median of these ratios. A disturbance that lasts some rounds touches both sides.
 *
 * Output: a table of tab-separated columns with a heading; '-' where there is nothing. A command
 * that fails is reported on standard error, gets no further rounds and the row says so; the exit
 * status is then 1.
 */
#include "bench/run_command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_COMMANDS = 32,
    MAX_ROWS = 64,
    MAX_BASES = 4,
    MAX_ROUNDS = 1000,
};

struct row {
    char name[64];
    char key[32]; /* empty: the command's own wall time */
    double seconds[MAX_ROUNDS];
};

struct command {
    const char *text;
    size_t first_row;
    size_t row_count;
    double user_s[MAX_ROUNDS];
    double system_s[MAX_ROUNDS];
    double voluntary[MAX_ROUNDS]; /* context switches */
    double involuntary[MAX_ROUNDS];
    long peak_kib;       /* of the largest process */
    long together_kib;   /* of all processes, as sampled; 0 = not known */
    const char *failure; /* NULL: none so far */
};

static struct command commands[MAX_COMMANDS];
static struct row rows[MAX_ROWS];
static size_t command_count;
static size_t row_count;

static double timeval_s(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* Finds the line KEY=NUMBER in the output of a command that measures by itself. */
static bool find_value(const char *output, const char *key, double *value)
{
    size_t length = strlen(key);

    for (const char *line = output; line != NULL && *line != '\0';) {
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            char *end;

            *value = strtod(line + length + 1, &end);
            return end != line + length + 1;
        }
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    return false;
}

static void fail(struct command *command, const struct outcome *out)
{
    const char *name = rows[command->first_row].name;

    command->failure = timed_out ? "too slow" : "failed";
    if (timed_out)
        fprintf(stderr, "bench_paired: %s: ended, as it ran too long\n", name);
    else if (WIFSIGNALED(out->status))
        fprintf(stderr, "bench_paired: %s: ended by signal %d\n", name, WTERMSIG(out->status));
    else
        fprintf(stderr, "bench_paired: %s: exit status %d\n", name, WEXITSTATUS(out->status));
}

/* Runs COMMAND once; ROUND < 0 is a warm-up, whose times are not kept. */
static void run_command(struct command *command, int round, bool sample, unsigned kill_s)
{
    static struct outcome out;
    bool measures_itself = rows[command->first_row].key[0] != '\0';

    run(command->text, measures_itself, sample && round < 0 && !measures_itself, kill_s, &out);
    if (timed_out || !WIFEXITED(out.status) || WEXITSTATUS(out.status) != 0) {
        fail(command, &out);
        return;
    }
    if (out.usage.ru_maxrss > command->peak_kib)
        command->peak_kib = out.usage.ru_maxrss;
    if (out.together_kib > command->together_kib)
        command->together_kib = out.together_kib;
    if (round < 0)
        return;
    command->user_s[round] = timeval_s(out.usage.ru_utime);
    command->system_s[round] = timeval_s(out.usage.ru_stime);
    command->voluntary[round] = (double)out.usage.ru_nvcsw;
    command->involuntary[round] = (double)out.usage.ru_nivcsw;
    for (size_t i = command->first_row; i < command->first_row + command->row_count; i++) {
        if (!measures_itself) {
            rows[i].seconds[round] = out.wall_s;
        } else if (!find_value(out.output, rows[i].key, &rows[i].seconds[round])) {
            fprintf(stderr, "bench_paired: %s: no line %s=NUMBER\n", rows[i].name, rows[i].key);
            command->failure = "no value";
        }
    }
}

static int compare_double(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

struct summary {
    double median;
    double min;
    double max;
};

static struct summary summarize(const double *values, size_t count)
{
    static double sorted[MAX_ROUNDS];

    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare_double);
    return (struct summary){
        .median =
            count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2,
        .min = sorted[0],
        .max = sorted[count - 1],
    };
}

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    fprintf(stderr, "bench_paired: no row is named %s\n", name);
    exit(2);
}

static const struct command *command_of(const struct row *row)
{
    size_t number = (size_t)(row - rows);

    for (size_t c = 0; c < command_count; c++) {
        if (number < commands[c].first_row + commands[c].row_count)
            return &commands[c];
    }
    return NULL;
}

static void print_kib(long kib)
{
    if (kib > 0)
        printf("\t%ld", kib);
    else
        printf("\t-");
}

static void print_ratio(const struct row *row, const struct row *base, size_t rounds)
{
    static double ratios[MAX_ROUNDS];
    const struct command *base_command = command_of(base);

    if (base_command == NULL || base_command->failure != NULL) {
        printf("\t-");
        return;
    }
    for (size_t i = 0; i < rounds; i++)
        ratios[i] = row->seconds[i] / base->seconds[i];
    printf("\t%.3f", summarize(ratios, rounds).median);
}

struct columns {
    const struct row *bases[MAX_BASES];
    size_t base_count;
    bool switches;
};

static void print_dashes(size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("\t-");
}

static void print_usage(const struct command *command, size_t rounds, bool switches)
{
    printf("\t%.4f\t%.4f", summarize(command->user_s, rounds).median,
           summarize(command->system_s, rounds).median);
    print_kib(command->peak_kib);
    print_kib(command->together_kib);
    if (switches)
        printf("\t%.0f\t%.0f", summarize(command->voluntary, rounds).median,
               summarize(command->involuntary, rounds).median);
}

static void print_row(const struct row *row, size_t rounds, const struct columns *columns)
{
    const struct command *command = command_of(row);
    size_t usage_columns = columns->switches ? 6 : 4;

    if (command->failure != NULL) {
        printf("%s\t%s", row->name, command->failure);
        print_dashes(3 + usage_columns + columns->base_count);
        putchar('\n');
        return;
    }
    struct summary wall = summarize(row->seconds, rounds);

    printf("%s\t%zu\t%.4f\t%.4f\t%.4f", row->name, rounds, wall.median, wall.min, wall.max);
    if (row->key[0] == '\0')
        print_usage(command, rounds, columns->switches);
    else
        print_dashes(usage_columns);
    for (size_t b = 0; b < columns->base_count; b++)
        print_ratio(row, columns->bases[b], rounds);
    putchar('\n');
}

static void print_table(size_t rounds, const struct columns *columns)
{
    printf("name\trounds\tmedian_s\tmin_s\tmax_s\tuser_s\tsystem_s\tpeak_kib\ttogether_kib");
    if (columns->switches)
        printf("\tvoluntary\tinvoluntary");
    for (size_t b = 0; b < columns->base_count; b++)
        printf("\tvs_%s", columns->bases[b]->name);
    putchar('\n');
    for (size_t i = 0; i < row_count; i++)
        print_row(&rows[i], rounds, columns);
}

static struct row *add_row(const char *name, size_t name_length, const char *key, size_t key_length)
{
    if (row_count == MAX_ROWS || name_length == 0)
        die("names", EINVAL);
    struct row *row = &rows[row_count++];
    int printed = key_length != 0
                      ? snprintf(row->name, sizeof(row->name), "%.*s.%.*s", (int)name_length, name,
                                 (int)key_length, key)
                      : snprintf(row->name, sizeof(row->name), "%.*s", (int)name_length, name);

    if (printed < 0 || (size_t)printed >= sizeof(row->name) || key_length >= sizeof(row->key))
        die(name, ENAMETOOLONG);
    memcpy(row->key, key, key_length);
    row->key[key_length] = '\0';
    return row;
}

static void add_command(const char *argument)
{
    const char *equals = strchr(argument, '=');

    if (equals == NULL || command_count == MAX_COMMANDS)
        die(argument, EINVAL);
    size_t name_length = strcspn(argument, ":=");
    struct command *command = &commands[command_count++];

    command->text = equals + 1;
    command->first_row = row_count;
    if (argument[name_length] == '=') {
        add_row(argument, name_length, "", 0);
    } else {
        const char *key = argument + name_length + 1;

        while (key < equals) {
            size_t length = strcspn(key, ",=");

            if (length == 0)
                die(argument, EINVAL);
            add_row(argument, name_length, key, length);
            key += length + 1;
        }
        if (row_count == command->first_row)
            die(argument, EINVAL);
    }
    command->row_count = row_count - command->first_row;
}

static unsigned parse_number(const char *text, unsigned min, unsigned max)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        die(text, EINVAL);
    return (unsigned)value;
}

static void prepare(const char *text, unsigned kill_s)
{
    static struct outcome out;

    run(text, false, false, kill_s, &out);
    if (!WIFEXITED(out.status) || WEXITSTATUS(out.status) != 0) {
        fprintf(stderr, "bench_paired: the command before each run failed: %s\n", text);
        exit(2);
    }
}

/* Returns the number of rounds that were done. */
static size_t run_rounds(unsigned warmups, unsigned wanted, unsigned limit_s, unsigned kill_s,
                         const char *before, const char *before_round, bool sample)
{
    double begin = now_s();
    size_t rounds = 0;

    for (unsigned w = 0; w < warmups; w++) {
        if (before_round != NULL)
            prepare(before_round, kill_s);
        for (size_t c = 0; c < command_count; c++) {
            if (commands[c].failure != NULL)
                continue;
            if (before != NULL)
                prepare(before, kill_s);
            run_command(&commands[c], -1, sample, kill_s);
        }
    }
    while (rounds < wanted) {
        double round_begin = now_s();

        if (before_round != NULL)
            prepare(before_round, kill_s);

        for (size_t c = 0; c < command_count; c++) {
            if (commands[c].failure != NULL)
                continue;
            if (before != NULL)
                prepare(before, kill_s);
            run_command(&commands[c], (int)rounds, false, kill_s);
        }
        rounds++;
        double now = now_s();

        if (limit_s != 0 && now - begin + (now - round_begin) > limit_s && rounds < wanted) {
            fprintf(stderr, "bench_paired: %zu of %u rounds within %u s\n", rounds, wanted,
                    limit_s);
            break;
        }
    }
    return rounds;
}

int main(int argc, char **argv)
{
    unsigned rounds = 5;
    unsigned warmups = 1;
    unsigned limit_s = 0;
    unsigned kill_s = 600;
    const char *before = NULL;
    const char *before_round = NULL;
    const char *base_names[MAX_BASES];
    struct columns columns = {0};
    bool sample = false;
    int option;

    while ((option = getopt(argc, argv, "r:w:s:k:p:P:b:mc")) != -1) {
        if (option == 'r')
            rounds = parse_number(optarg, 1, MAX_ROUNDS);
        else if (option == 'w')
            warmups = parse_number(optarg, 0, 100);
        else if (option == 's')
            limit_s = parse_number(optarg, 0, 1000000);
        else if (option == 'k')
            kill_s = parse_number(optarg, 1, 1000000);
        else if (option == 'p')
            before = optarg;
        else if (option == 'P')
            before_round = optarg;
        else if (option == 'm')
            sample = true;
        else if (option == 'c')
            columns.switches = true;
        else if (option == 'b' && columns.base_count < MAX_BASES)
            base_names[columns.base_count++] = optarg;
        else
            return 2;
    }
    for (int i = optind; i < argc; i++)
        add_command(argv[i]);
    if (command_count == 0) {
        fputs("usage: bench_paired [-r ROUNDS] [-w WARMUPS] [-s SECONDS] [-k SECONDS] "
              "[-p COMMAND] [-P COMMAND] [-b NAME]... [-m] [-c] NAME[:KEY,...]=COMMAND...\n",
              stderr);
        return 2;
    }
    for (size_t i = 0; i < columns.base_count; i++)
        columns.bases[i] = find_row(base_names[i]);
    catch_signals();

    size_t done = run_rounds(warmups, rounds, limit_s, kill_s, before, before_round, sample);

    print_table(done, &columns);
    for (size_t c = 0; c < command_count; c++) {
        if (commands[c].failure != NULL)
            return 1;
    }
    return 0;
}
