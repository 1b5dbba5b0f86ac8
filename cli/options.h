/* options: the command line. One table of verbs and one of options drive the parser, --help, the
 * man page, the completions and the dump that the tests compare them with.
 *
 * To add an option: a field in struct options, its default in options_defaults(), a row in
 * cli/options_table.c. To add a verb: a line in VERB_LIST, a row in the table of verbs (what it
 * does, its common options, examples), its bit in the rows of the options that it takes. Help,
 * manual pages, completions and suggestions follow.
 *
 * Several rows may share a name or letter if no verb has two of them: that is how one option
 * gets another text for another verb.
 *
 * Nothing here keeps state: all functions may be called from any thread on separate objects.
 */
#ifndef TREEMILL_CLI_OPTIONS_H
#define TREEMILL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "cli/parse.h"

#define VERB_LIST(X)                                                                               \
    X(VERB_HASH, "hash")                                                                           \
    X(VERB_VERIFY, "verify")                                                                       \
    X(VERB_CREATE, "create")                                                                       \
    X(VERB_COMPRESS, "compress")                                                                   \
    X(VERB_DECOMPRESS, "decompress")                                                               \
    X(VERB_EXTRACT, "extract")                                                                     \
    X(VERB_LIST, "list")                                                                           \
    X(VERB_TEST, "test")                                                                           \
    X(VERB_INFO, "info")                                                                           \
    X(VERB_COMPLETION, "completion")                                                               \
    X(VERB_MAN, "man")                                                                             \
    X(VERB_HELP, "help")

#define VERB_ENUM(identifier, name) identifier,
enum verb {
    VERB_NONE = -1, /* `treemill --help`, `treemill --version` */
    VERB_LIST(VERB_ENUM) VERB_COUNT
};
#undef VERB_ENUM

/* Choices of options: in the order of their lists in cli/options_table.c. */
enum output_order { ORDER_PATH, ORDER_NONE };
enum special_policy { SPECIAL_SKIP, SPECIAL_READ };
enum extra_policy { EXTRA_REPORT, EXTRA_FAIL, EXTRA_IGNORE };
enum change_policy { CHANGE_WARN, CHANGE_FAIL, CHANGE_RETRY };
enum fsync_policy { FSYNC_NONE, FSYNC_FILE, FSYNC_END };
enum sandbox_policy { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };
enum archive_format {
    ARCHIVE_BY_SUFFIX,
    ARCHIVE_TAR,
    ARCHIVE_TAR_GZ,
    ARCHIVE_TAR_ZST,
    ARCHIVE_ZIP
};
enum list_format { LIST_NAMES, LIST_MTREE };
enum file_format { FILE_FORMAT_GZIP, FILE_FORMAT_ZSTD };
/* What an option with an optional value becomes: 0 if it is not given. */
enum help_extent { HELP_NONE, HELP_SHORT, HELP_ALL };
enum stats_format { STATS_NONE, STATS_TABLE, STATS_JSON };
enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* One of --exclude, --include, --exclude-from (text is a file of patterns) and --exclude-vcs (no
 * text). */
enum rule_kind { RULE_EXCLUDE, RULE_INCLUDE, RULE_EXCLUDE_FROM, RULE_EXCLUDE_VCS };
struct option_rule {
    enum rule_kind kind;
    const char *text;
};

/* In the order of the command line, across the four options. */
struct option_rules {
    struct option_rule *items;
    size_t count;
};

struct option_list {
    const char **items;
    size_t count;
};

/* What --block-size takes. At least one file of a full batch fits at its largest, and a slab of any
 * number of workers is still allocated. */
#define OPTION_BLOCK_BYTES_MIN UINT64_C(4096)
#define OPTION_BLOCK_BYTES_MAX (UINT64_C(64) << 20)

enum { OPTIONS_ALGORITHMS_MAX = 32 };

/* Names of digests, in the order given, each once; static strings of the option's table. */
struct option_algorithms {
    const char *items[OPTIONS_ALGORITHMS_MAX];
    size_t count; /* 0: not given */
};

/* --newer: text is NULL if not given. If it is not a date it names a file whose modification
 * time is meant; reading that is left to the caller. */
struct option_newer {
    const char *text;
    bool is_date;
    struct timespec moment;
};

/* --memory: bytes, or a share of the machine's memory; both 0 if not given. */
struct option_memory {
    uint64_t bytes;
    unsigned percent;
};

/* All that a command line says. Strings point into argv and the environment, which must outlive
 * it; the arrays belong to it (options_release()). */
struct options {
    enum verb verb;
    enum verb help_verb; /* with show_help: whose help, VERB_NONE for the program's */
    int show_help;       /* enum help_extent: print help and end; nothing else was checked */
    bool show_version;   /* likewise */
    bool show_table;     /* `help --table`: options_print_table() */
    bool show_usage;     /* after failure: nothing but a verb, or not even that, was given; what
                            options_print_usage() prints of it would help */

    struct option_list operands; /* without the verb; "-" is among them */

    struct stage_spec stage[STAGE_COUNT];
    unsigned threads; /* 0: all usable CPUs */
    struct option_memory memory;
    uint64_t block_size_bytes; /* 0: chosen */
    int order;                 /* enum output_order */
    int engine;                /* hash, verify: enum digest_engine; create: enum codec_engine */

    struct option_rules rules;
    bool exclude_caches;
    struct option_list files_from;
    bool null_separated; /* names in files_from end with NUL */
    int special;         /* enum special_policy */
    bool one_file_system;
    bool dereference;
    uint64_t max_size_bytes; /* UINT64_MAX: no limit */
    uint64_t min_size_bytes;
    struct option_newer newer;

    const char *output;
    bool force;
    bool dry_run;
    int fsync;     /* enum fsync_policy */
    int sandbox;   /* enum sandbox_policy */
    int on_change; /* enum change_policy */
    unsigned on_change_retries;
    bool fail_fast;

    int archive_format; /* enum archive_format */
    int file_format;    /* enum file_format */
    int list_format;    /* enum list_format */
    bool recursive, to_stdout, keep, remove_source, only_smaller;
    const char *suffix;
    unsigned level; /* LEVEL_DEFAULT: not given */
    bool rsyncable, single_member;
    unsigned long_log; /* log2 of the window; 0: not given */
    bool reproducible, numeric_owner, xattrs;
    unsigned strip_components;
    int overwrite;  /* enum extract_overwrite */
    bool long_list; /* list: mode, owner, size and time */
    bool same_owner, preserve_permissions, devices, safe_links;
    uint64_t max_total_bytes, max_members, max_ratio; /* 0: any */
    const char *manifest;                             /* file to write; NULL: none */

    struct option_algorithms algorithms;
    int format; /* enum manifest_format of stages/manifest.h */

    const char *archive; /* verify: whose members are checked; NULL: files */
    const char *directory;
    char **resolved; /* owned: paths of other options, see cli/absolute_paths.h */
    size_t resolved_count;
    bool status, strict, ignore_missing, warn;
    int extra; /* enum extra_policy */

    int progress;                  /* enum progress_mode of cli/progress.h */
    uint64_t progress_interval_ns; /* 0: not given */
    unsigned progress_fd;          /* PROGRESS_FD_NONE: none */
    bool scan_first;
    bool quiet, verbose, json;
    int stats; /* enum stats_format */
    int color; /* enum color_mode; NO_COLOR is taken into account */
};

/* struct options.level */
#define LEVEL_DEFAULT 0
/* struct options.progress_fd: standard input, which nothing can be written to */
#define PROGRESS_FD_NONE 0
#define PROGRESS_FD_MAX  1048576

enum option_kind {
    OPTION_FLAG,      /* bool: set */
    OPTION_VALUE,     /* int: set to the row's value */
    OPTION_STRING,    /* const char *, not empty */
    OPTION_LIST,      /* struct option_list: append, not empty */
    OPTION_RULE,      /* struct option_rules: append, kind = the row's value */
    OPTION_SIZE,      /* uint64_t bytes */
    OPTION_COUNT,     /* unsigned; "auto" is 0 */
    OPTION_DURATION,  /* uint64_t ns */
    OPTION_CHOICE,    /* int: index in choices; one more if the value is optional */
    OPTION_ALGORITHM, /* struct option_algorithms: a list of choices separated by commas */
    OPTION_STAGE,     /* struct stage_spec[STAGE_COUNT]: the element of the row's value */
    OPTION_CALLBACK   /* whatever parse() sets */
};

enum option_group {
    GROUP_STAGES,
    GROUP_SELECTION,
    GROUP_LIST,
    GROUP_CHECK,
    GROUP_FORMAT,
    GROUP_OUTPUT,
    GROUP_PROGRESS,
    GROUP_GENERAL,
    GROUP_COUNT
};

/* What a shell offers for an argument, besides the choices. */
enum option_complete { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_DIRECTORY };

struct option_row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* its name in help; NULL: takes none */
    unsigned verbs;       /* bits 1u << enum verb */
    enum option_group group;
    enum option_kind kind;
    size_t offset; /* of the destination in struct options */
    int value;
    uint64_t minimum, maximum;  /* of SIZE, COUNT and DURATION */
    const char *help;           /* one line, no full stop */
    const char *man;            /* further sentences for the man page, or NULL */
    const char *const *choices; /* NULL-terminated, or NULL */
    const char *environment;    /* variable that gives a value before the command line does */
    enum option_complete complete;
    bool optional; /* of CHOICE: the value follows '=' or is the first choice; 0: not given */
    bool program;  /* accepted without a verb, too */
    bool hidden;   /* parsed, but neither listed nor abbreviated */
    /* OPTION_CALLBACK: value, and whether it is from the environment. On error writes to reason
     * what is wrong and what is accepted. */
    int (*parse)(const char *value, bool from_environment, struct options *options, char *reason,
                 size_t capacity);
};

/* Sections of prose in the manual page of the program that a verb's own page repeats. */
enum man_topic { MAN_MANIFESTS = 1, MAN_FORMATS = 2 };

struct verb_row {
    const char *name;
    const char *operands; /* as in the usage line, "" if none */
    unsigned operands_min, operands_max;
    const char *operand_name; /* one of them, for messages */
    const char *const *operand_choices;
    enum option_complete complete;
    const char *help;        /* one line, no full stop */
    const char *man;         /* the description: sentences */
    const char *differs;     /* what exit status 1 means, a sentence; NULL: there is none */
    const char *common[12];  /* names of the options that most people need, in this order */
    const char *examples[9]; /* command, meaning, command, meaning: two to four; NULL ends */
    const char *see_also[6]; /* "gzip(1)"; NULL ends */
    unsigned topics;         /* of enum man_topic */
};

/* A variable of the environment that no option takes its value from. It concerns the verbs that
 * have the option, or the one verb. */
struct environment_row {
    const char *name;
    const char *option; /* NULL: verb says it */
    enum verb verb;
    const char *man; /* sentences */
};

/* The tables. verbs: VERB_COUNT rows. Static lifetime. */
const struct verb_row *options_verbs(void);
const struct option_row *options_rows(size_t *count);
const struct environment_row *options_environment(size_t *count);
const char *option_group_title(enum option_group group);

/* The verb called name, or VERB_NONE. */
enum verb options_find_verb(const char *name);

/* Like getenv(). */
typedef char *options_lookup(const char *name);

/* All values before any option: what an empty command line means. */
void options_defaults(struct options *options);

/* Parses argv (argv[0] is the program) and the environment that `lookup` shows into *options,
 * which need not be initialised. Precedence: environment, then --stages, then the flags of the
 * stages, wherever they stand. Returns 0; -EINVAL for wrong usage; -ENOMEM. On failure error
 * holds one line, without the program's name and without a newline, and of *options only verb and
 * show_usage mean anything. options_release() is safe and needed after success, safe and needless
 * after failure. Writes nothing, exits never. */
int options_parse(int argc, char *const *argv, options_lookup *lookup, struct options *options,
                  char *error, size_t capacity);

/* Frees the arrays of *options; safe twice. */
void options_release(struct options *options);

/* --help of a verb, or of the program for VERB_NONE: the common options, or all of them. These
 * printers leave errors of the stream to the caller (ferror()). */
void options_print_help(FILE *stream, enum verb verb, enum help_extent extent);

/* How to use the verb or the program (VERB_NONE), in a few lines with examples. */
void options_print_usage(FILE *stream, enum verb verb);

/* The line of --version. */
void options_print_version(FILE *stream);

/* The man page of the verb, or of the program for VERB_NONE: roff with the macros of man(7). */
void options_print_man(FILE *stream, enum verb verb);

/* Completions for shell bash, zsh or fish; -EINVAL for any other. */
int options_print_completion(FILE *stream, const char *shell);

/* The tables for tests, one line each, fields separated by tabs:
 * "verb NAME", "model NAME", "option VERB --NAME -L|- ARGUMENT|[ARGUMENT]|- CHOICE,CHOICE|-". */
void options_print_table(FILE *stream);

#endif
