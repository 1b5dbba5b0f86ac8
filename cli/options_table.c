/* The tables of verbs and options, and the few values that have a form of their own. */
#include "cli/options.h"
#include "cli/progress.h"
#include "stages/digest.h"
#include "stages/manifest.h"

#include <errno.h>
#include <string.h>

#define BIT(verb)   (1u << (verb))
#define HASH        BIT(VERB_HASH)
#define VERIFY      BIT(VERB_VERIFY)
#define JOBS        (HASH | VERIFY)
#define EVERY       (BIT(VERB_COUNT) - 1)
#define FIELD(name) offsetof(struct options, name)

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define MS  UINT64_C(1000000)
#define DAY (86400000 * MS)

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
/* Each list in the order of its enum. */
#define LIST_NAME(identifier, name) name,
static const char *const verb_names[] = {VERB_LIST(LIST_NAME) NULL};
static const char *const orders[] = {"path", "none", NULL};
static const char *const formats[] = {MANIFEST_FORMAT_LIST(LIST_NAME) NULL};
static const char *const extras[] = {"report", "fail", "ignore", NULL};
static const char *const specials[] = {"skip", "read", NULL};
static const char *const fsyncs[] = {"none", "file", "end", NULL};
static const char *const changes[] = {"warn", "fail", "retry:", NULL};
static const char *const engines[] = {"auto", "openssl", "multibuffer", NULL};
_Static_assert(DIGEST_ENGINE_AUTO == 0 && DIGEST_ENGINE_OPENSSL == 1 &&
                   DIGEST_ENGINE_MULTIBUFFER == 2,
               "the choices of --engine are in the order of enum digest_engine");
static const char *const progresses[] = {"auto", "always", "never", "json", NULL};
_Static_assert(PROGRESS_AUTO == 0 && PROGRESS_ALWAYS == 1 && PROGRESS_NEVER == 2 &&
                   PROGRESS_JSON == 3,
               "the choices of --progress are in the order of enum progress_mode");
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const algorithms[] = {DIGEST_LIST(LIST_NAME) NULL};
_Static_assert((int)DIGEST_COUNT <= OPTIONS_ALGORITHMS_MAX, "all can be asked for at once");

/* A row is read as a paragraph here, not as a column of fields. */
/* clang-format off */
static const struct verb_row verb_table[VERB_COUNT] = {
    [VERB_HASH] =
        {.name = "hash", .operands = "PATH...", .operands_min = 1, .operands_max = UINT32_MAX,
         .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "write a checksum manifest of files and trees",
         .man = "Reads each PATH, directories with all that is below them, and writes one line "
                "per regular file to standard output, or to the file of --output. A PATH of - is "
                "standard input. Lines come in the bytewise order of the paths and do not depend "
                "on the number of workers. Symbolic links are not followed; FIFOs, sockets and "
                "devices are skipped with a notice.",
         .examples = {"treemill hash -o photos.sha256 photos",
                      "Checksums of a tree, for sha256sum -c or treemill verify.",
                      "treemill hash -a sha256,md5 --format=hashdeep --exclude='*.tmp' .",
                      "Two digests in one read, without temporary files."}},
    [VERB_VERIFY] =
        {.name = "verify", .operands = "MANIFEST...", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "MANIFEST", .complete = COMPLETE_FILE,
         .help = "check files against checksum manifests",
         .man = "Reads each MANIFEST (- is standard input), finds out its format by itself, and "
                "compares the files that it names with it. Names are relative to the current "
                "directory or to that of --directory. Differing, missing and unreadable files "
                "are reported one by one.",
         .examples = {"treemill verify -q photos.sha256", "Print only what does not match.",
                      "treemill verify -C /mnt/backup --extra=fail photos.sha256",
                      "Check a copy, and fail if it holds files that the manifest does not name."}},
    [VERB_INFO] =
        {.name = "info", .operands = "", .operand_name = "operand",
         .help = "show what is available here, and why not",
         .man = "Prints what this machine and this build offer to treemill, and for what is "
                "missing the reason.",
         .examples = {"treemill info", "What is available here, and why the rest is not.",
                      "treemill info | grep -i cpu", "The number of usable CPUs."}},
    [VERB_COMPLETION] =
        {.name = "completion", .operands = "bash|zsh|fish", .operands_min = 1, .operands_max = 1,
         .operand_name = "SHELL", .operand_choices = shells,
         .help = "print the completions of a shell",
         .man = "Prints a script that teaches the shell to complete verbs, options and their "
                "values.",
         .examples = {"source <(treemill completion bash)", "Completions for this bash session.",
                      "treemill completion fish > ~/.config/fish/completions/treemill.fish",
                      "Completions for every fish session."}},
    [VERB_MAN] =
        {.name = "man", .operands = "", .operand_name = "operand",
         .help = "print the manual page (roff)",
         .man = "Prints this page in the form that man(1) reads.",
         .examples = {"treemill man | man -l -", "Read the manual page.",
                      "treemill man > treemill.1", "Keep it as a file."}},
    [VERB_HELP] =
        {.name = "help", .operands = "[VERB]", .operands_max = 1, .operand_name = "VERB",
         .operand_choices = verb_names, .help = "print the help of the program or of a verb",
         .man = "The same as treemill VERB --help.",
         .examples = {"treemill help", "Verbs and the most used options.", "treemill help hash",
                      "All options of hash."}},
};
/* clang-format on */

static int set_stages(const char *value, bool from_environment, struct options *options,
                      char *reason, size_t capacity)
{
    return parse_stages(value, from_environment ? STAGE_BY_ENVIRONMENT : STAGE_BY_STAGES,
                        options->stage, reason, capacity);
}

static int set_memory(const char *value, bool from_environment, struct options *options,
                      char *reason, size_t capacity)
{
    struct option_memory memory = {0};
    (void)from_environment;
    if (parse_percent(value, &memory.percent) != 0 &&
        (parse_size(value, &memory.bytes) != 0 || memory.bytes < MIB)) {
        snprintf(reason, capacity, "accepted: 1M or more, such as 64M or 1GiB, or 1%% to 100%%");
        return -EINVAL;
    }
    options->memory = memory;
    return 0;
}

static int set_newer(const char *value, bool from_environment, struct options *options,
                     char *reason, size_t capacity)
{
    struct option_newer newer = {.text = value};
    (void)from_environment;
    if (!*value) {
        snprintf(reason, capacity, "accepted: YYYY-MM-DD, 'YYYY-MM-DD hh:mm', @SECONDS or a file");
        return -EINVAL;
    }
    newer.is_date = parse_moment(value, &newer.moment) == 0;
    options->newer = newer;
    return 0;
}

static int set_on_change(const char *value, bool from_environment, struct options *options,
                         char *reason, size_t capacity)
{
    enum { RETRIES_MAX = 100 };
    const char *const retry = changes[CHANGE_RETRY];
    uint64_t retries = 0;
    (void)from_environment;

    for (int i = 0; i < CHANGE_RETRY; i++) {
        if (strcmp(value, changes[i]) == 0) {
            options->on_change = i;
            return 0;
        }
    }
    if (strncmp(value, retry, strlen(retry)) == 0 &&
        parse_count(value + strlen(retry), RETRIES_MAX, &retries) == 0 && retries > 0) {
        options->on_change = CHANGE_RETRY;
        options->on_change_retries = (unsigned)retries;
        return 0;
    }
    snprintf(reason, capacity, "accepted: warn, fail, retry:1 to retry:%d", RETRIES_MAX);
    return -EINVAL;
}

/* clang-format off */
static const struct option_row option_table[] = {
    /* Stages and resources */
    {.name = "scan", .argument = "MODEL[:COUNT]", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_SCAN,
     .help = "how directories are listed (see Models)"},
    {.name = "read", .argument = "MODEL[:COUNT]", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_READ,
     .help = "how files are read"},
    {.name = "hash", .argument = "MODEL[:COUNT]", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_HASH,
     .help = "how digests are computed"},
    {.name = "write", .argument = "MODEL[:COUNT]", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_WRITE,
     .help = "how results are written"},
    {.name = "stages", .argument = "LIST", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CALLBACK, .parse = set_stages, .environment = "TREEMILL_STAGES",
     .help = "several at once: 'read=threads:2;hash=threads:8'",
     .man = "The flag of a stage prevails over it, and it prevails over the environment variable "
            "TREEMILL_STAGES. Stages of one model that follow each other may share workers: hash "
            "in the workers that read, write in those that hash."},
    {.name = "threads", .letter = 'T', .argument = "N", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_COUNT, .offset = FIELD(threads), .maximum = STAGE_WORKERS_MAX,
     .help = "workers of the computing stages (0: one a CPU)",
     .man = "The default is 0. Usable are the CPUs of the affinity mask, limited by the quota of "
            "the control group. A count given to a stage itself prevails."},
    {.name = "engine", .argument = "ENGINE", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CHOICE, .offset = FIELD(engine), .choices = engines,
     .help = "what computes sha256: auto, openssl, multibuffer",
     .man = "Several files can be computed at once, many small ones with AVX-512, AVX2 or the SHA "
            "instructions, two large ones with the SHA instructions (multibuffer); openssl "
            "computes one after another. The default, auto, measures which is faster. treemill "
            "info shows the figures."},
    {.name = "memory", .argument = "SIZE|N%", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CALLBACK, .parse = set_memory,
     .help = "bound on buffers: 64M, 1GiB, or a share of RAM"},
    {.name = "block-size", .argument = "SIZE", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_SIZE, .offset = FIELD(block_size_bytes), .minimum = OPTION_BLOCK_BYTES_MIN,
     .maximum = OPTION_BLOCK_BYTES_MAX,
     .help = "bytes that are handed over at a time (4K to 64M)"},
    {.name = "order", .argument = "ORDER", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CHOICE, .offset = FIELD(order), .choices = orders,
     .help = "order of the results: path (default) or none",
     .man = "path: the same bytes whatever the workers; none: as they come."},

    /* Selection */
    {.name = "exclude", .argument = "GLOB", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_EXCLUDE,
     .help = "leave out files and directories that match",
     .man = "The rules are tried in the order given, across --exclude, --include, --exclude-from "
            "and --exclude-vcs; the first that matches decides. A directory that is left out is "
            "not entered. A pattern without a slash is matched with the name, one that begins with "
            "a slash with the whole path below the operand, any other with the end of the path; "
            "a slash at its end means directories only. ** matches slashes, too. For verify the "
            "rules limit the search for extra files."},
    {.name = "exclude-from", .argument = "FILE", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_EXCLUDE_FROM,
     .complete = COMPLETE_FILE, .help = "leave out what matches a line of FILE"},
    {.name = "include", .argument = "GLOB", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_INCLUDE,
     .help = "keep what matches in spite of later --exclude"},
    {.name = "exclude-vcs", .verbs = JOBS, .group = GROUP_SELECTION, .kind = OPTION_RULE,
     .offset = FIELD(rules), .value = RULE_EXCLUDE_VCS,
     .help = "leave out .git, .svn, .hg and their like"},
    {.name = "exclude-caches", .verbs = JOBS, .group = GROUP_SELECTION, .kind = OPTION_FLAG,
     .offset = FIELD(exclude_caches), .help = "leave out what lies beside a valid CACHEDIR.TAG"},
    {.name = "files-from", .argument = "FILE", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_LIST, .offset = FIELD(files_from), .complete = COMPLETE_FILE,
     .help = "take paths from FILE, too (-: standard input)"},
    {.name = "null", .letter = '0', .verbs = HASH, .group = GROUP_SELECTION, .kind = OPTION_FLAG,
     .offset = FIELD(null_separated), .help = "paths of --files-from end with a NUL byte"},
    {.name = "one-file-system", .letter = 'x', .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_FLAG, .offset = FIELD(one_file_system),
     .help = "do not enter other file systems"},
    {.name = "dereference", .letter = 'L', .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_FLAG, .offset = FIELD(dereference), .help = "follow symbolic links"},
    {.name = "special", .argument = "WHAT", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_CHOICE, .offset = FIELD(special), .choices = specials,
     .help = "FIFOs, sockets and devices that are named: skip, read",
     .man = "With read, a FIFO, Unix stream socket or device named on the command line or by "
            "--files-from is read to its end. With --hash=epoll or uring one loop reads hundreds "
            "of them at once. Those found below a directory are skipped in any case."},
    {.name = "max-size", .argument = "SIZE", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_SIZE, .offset = FIELD(max_size_bytes), .maximum = UINT64_MAX,
     .help = "leave out files larger than SIZE"},
    {.name = "min-size", .argument = "SIZE", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_SIZE, .offset = FIELD(min_size_bytes), .maximum = UINT64_MAX,
     .help = "leave out files smaller than SIZE"},
    {.name = "newer", .argument = "DATE|FILE", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_CALLBACK, .parse = set_newer, .complete = COMPLETE_FILE,
     .help = "only files modified later than DATE or FILE",
     .man = "DATE is YYYY-MM-DD, optionally with a time (hh:mm or hh:mm:ss) and a zone (Z or "
            "+hh:mm), local time without one; or @SECONDS since 1970. Anything else, also "
            "./2024-05-01, is a file."},

    /* Manifest */
    {.name = "algorithm", .letter = 'a', .argument = "LIST", .verbs = HASH, .group = GROUP_LIST,
     .kind = OPTION_ALGORITHM, .offset = FIELD(algorithms), .choices = algorithms,
     .help = "digests, separated by commas (default sha256)",
     .man = "All are computed in one read of the file."},
    {.name = "algorithm", .letter = 'a', .argument = "LIST", .verbs = VERIFY,
     .group = GROUP_CHECK, .kind = OPTION_ALGORITHM, .offset = FIELD(algorithms),
     .choices = algorithms, .help = "digest of manifests that do not tell which it is",
     .man = "Without it the name of the manifest tells (SHA512SUMS, x.b2), else the length of the "
            "digest: 64 digits are taken as sha256. Those of 8 and 16 digits are not guessed, and "
            "files without a digest that can be checked make the exit status 1."},
    {.name = "format", .argument = "FORMAT", .verbs = HASH, .group = GROUP_LIST,
     .kind = OPTION_CHOICE, .offset = FIELD(format), .choices = formats,
     .help = "gnu (default), bsd, gnu0, mtree, hashdeep or json"},
    {.name = "tag", .verbs = HASH, .group = GROUP_LIST, .kind = OPTION_VALUE,
     .offset = FIELD(format), .value = MANIFEST_BSD, .help = "the same as --format=bsd"},
    {.name = "zero", .letter = 'z', .verbs = HASH, .group = GROUP_LIST, .kind = OPTION_VALUE,
     .offset = FIELD(format), .value = MANIFEST_GNU0,
     .help = "the same as --format=gnu0: lines end with NUL"},

    /* Checking */
    {.name = "directory", .letter = 'C', .argument = "DIR", .verbs = VERIFY,
     .group = GROUP_CHECK, .kind = OPTION_STRING, .offset = FIELD(directory),
     .complete = COMPLETE_DIRECTORY, .help = "names in manifests are relative to DIR"},
    {.name = "status", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(status), .help = "print nothing; the exit status tells"},
    {.name = "quiet", .letter = 'q', .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(quiet), .help = "no OK lines, no progress and no summary"},
    {.name = "strict", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(strict), .help = "fail if a line of a manifest is malformed"},
    {.name = "ignore-missing", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(ignore_missing), .help = "do not report files that do not exist"},
    {.name = "warn", .letter = 'w', .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(warn), .help = "name each malformed line"},
    {.name = "extra", .argument = "WHAT", .verbs = VERIFY, .group = GROUP_CHECK,
     .kind = OPTION_CHOICE, .offset = FIELD(extra), .choices = extras,
     .help = "files in no manifest: report, fail or ignore",
     .man = "The default is ignore. report prints them, fail makes the exit status 1 as well."},

    /* Output */
    {.name = "output", .letter = 'o', .argument = "FILE", .verbs = HASH, .group = GROUP_OUTPUT,
     .kind = OPTION_STRING, .offset = FIELD(output), .complete = COMPLETE_FILE,
     .help = "write to FILE instead of standard output",
     .man = "It appears under this name when it is complete, never in part."},
    {.name = "force", .letter = 'f', .verbs = HASH, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(force), .help = "replace an output file that exists"},
    {.name = "dry-run", .letter = 'n', .verbs = HASH, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(dry_run), .help = "list what would be hashed, read no file"},
    {.name = "fsync", .argument = "WHEN", .verbs = HASH, .group = GROUP_OUTPUT,
     .kind = OPTION_CHOICE, .offset = FIELD(fsync), .choices = fsyncs,
     .help = "flush to the disk: none (default), file or end",
     .man = "file: each output before it gets its name; end: once, before the program ends."},
    {.name = "on-change", .argument = "WHAT", .verbs = JOBS, .group = GROUP_OUTPUT,
     .kind = OPTION_CALLBACK, .parse = set_on_change, .choices = changes,
     .help = "on files that change: warn, fail, retry:N",
     .man = "The default is retry:1. retry:N reads a file that changed while it was read again, "
            "up to N times; if it changes each time, the file fails: it has no line. fail: it "
            "fails at once. warn: its digest is kept, and a warning printed. Each of them makes "
            "the exit status 3."},
    {.name = "fail-fast", .verbs = JOBS, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(fail_fast), .help = "end at the first file that fails"},

    /* Progress and messages */
    {.name = "progress", .argument = "WHEN", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_CHOICE, .offset = FIELD(progress), .choices = progresses,
     .help = "auto (on a terminal), always, never or json",
     .man = "The default is auto: a bar if standard error is a terminal, else nothing. json: "
            "status events on standard error."},
    {.name = "progress-interval", .argument = "TIME", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_DURATION, .offset = FIELD(progress_interval_ns), .minimum = 100 * MS,
     .maximum = DAY, .help = "time between updates (default 1s)"},
    {.name = "quiet", .letter = 'q', .verbs = HASH, .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(quiet), .help = "no progress and no summary"},
    {.name = "verbose", .letter = 'v', .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_FLAG, .offset = FIELD(verbose), .help = "tell what was chosen, and why"},
    {.name = "color", .argument = "WHEN", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_CHOICE, .offset = FIELD(color), .choices = colors,
     .help = "auto (on a terminal), always or never",
     .man = "The default is auto, or never if NO_COLOR is set."},
    {.name = "json", .verbs = JOBS, .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(json), .help = "report as events, one JSON object a line",
     .man = "The events are start, status, file, error and summary. A name that is not UTF-8 is "
            "given as path_b64, in base64."},
    {.name = "stats", .verbs = JOBS, .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(stats), .help = "table of the stages: work, waiting, queues"},

    /* General */
    {.name = "help", .letter = 'h', .verbs = EVERY, .group = GROUP_GENERAL, .kind = OPTION_FLAG,
     .offset = FIELD(show_help), .program = true, .help = "print help and exit"},
    {.name = "version", .letter = 'V', .verbs = EVERY, .group = GROUP_GENERAL,
     .kind = OPTION_FLAG, .offset = FIELD(show_version), .program = true,
     .help = "print the version and exit"},
    {.name = "table", .verbs = BIT(VERB_HELP), .group = GROUP_GENERAL, .kind = OPTION_FLAG,
     .offset = FIELD(show_table), .hidden = true, .help = "print verbs and options for tests"},
};
/* clang-format on */

const struct verb_row *options_verbs(void)
{
    return verb_table;
}

const struct option_row *options_rows(size_t *count)
{
    *count = sizeof(option_table) / sizeof(option_table[0]);
    return option_table;
}

const char *option_group_title(enum option_group group)
{
    static const char *const titles[GROUP_COUNT] = {[GROUP_STAGES] = "Stages and resources",
                                                    [GROUP_SELECTION] = "Selection of files",
                                                    [GROUP_LIST] = "Manifest",
                                                    [GROUP_CHECK] = "Checking",
                                                    [GROUP_OUTPUT] = "Output and safety",
                                                    [GROUP_PROGRESS] = "Progress and messages",
                                                    [GROUP_GENERAL] = "General"};
    return (unsigned)group < GROUP_COUNT ? titles[group] : "?";
}

enum verb options_find_verb(const char *name)
{
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verb_table[i].name, name) == 0)
            return (enum verb)i;
    }
    return VERB_NONE;
}

void options_defaults(struct options *options)
{
    *options = (struct options){
        .verb = VERB_NONE,
        .help_verb = VERB_NONE,
        .order = ORDER_PATH,
        .max_size_bytes = UINT64_MAX,
        .fsync = FSYNC_NONE,
        .on_change = CHANGE_RETRY,
        .on_change_retries = 1,
        .format = MANIFEST_GNU,
        .extra = EXTRA_IGNORE,
        .progress = PROGRESS_AUTO,
        .progress_interval_ns = 1000 * MS,
        .color = COLOR_AUTO,
    };
}
