/* parse: the small languages of the command line: sizes, counts, dates, durations, stage specs.
 *
 * All functions are pure: they allocate nothing, keep no state and may be called from any thread
 * (parse_moment() reads the time zone of the process). They return 0, -EINVAL for text that is
 * not of the form, or -ERANGE for text that is, but whose value cannot be represented or lies
 * out of bounds. On error the destination is untouched.
 */
#ifndef TREEMILL_CLI_PARSE_H
#define TREEMILL_CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The stages that have a flag of their own. A new stage is a row here and one in the table of
 * options (cli/options_table.c). */
#define STAGE_LIST(X)                                                                              \
    X(STAGE_SCAN, "scan")                                                                          \
    X(STAGE_READ, "read")                                                                          \
    X(STAGE_HASH, "hash")                                                                          \
    X(STAGE_COMPRESS, "compress")                                                                  \
    X(STAGE_WRITE, "write")

/* The concurrency models. Messages, help, the man page and the completions are made from these
 * lists. */
#define STAGE_MODEL_LIST(X)                                                                        \
    X(STAGE_MODEL_AUTO, "auto")                                                                    \
    X(STAGE_MODEL_INLINE, "inline")                                                                \
    X(STAGE_MODEL_THREADS, "threads")                                                              \
    X(STAGE_MODEL_PROCESSES, "processes")                                                          \
    X(STAGE_MODEL_URING, "uring")                                                                  \
    X(STAGE_MODEL_EPOLL, "epoll")

/* The engines of the key io=, in the same form. */
#define STAGE_IO_LIST(X)                                                                           \
    X(STAGE_IO_AUTO, "auto")                                                                       \
    X(STAGE_IO_SYNC, "sync")                                                                       \
    X(STAGE_IO_URING, "uring")                                                                     \
    X(STAGE_IO_EPOLL, "epoll")

#define STAGE_ENUM(identifier, ...) identifier,
enum stage_kind { STAGE_LIST(STAGE_ENUM) STAGE_COUNT };
enum stage_model { STAGE_MODEL_LIST(STAGE_ENUM) STAGE_MODEL_COUNT };
enum stage_io { STAGE_IO_LIST(STAGE_ENUM) STAGE_IO_COUNT };
#undef STAGE_ENUM

/* Who chose a stage's spec; a higher one is never overruled by a lower one. */
enum stage_given { STAGE_BY_DEFAULT, STAGE_BY_ENVIRONMENT, STAGE_BY_STAGES, STAGE_BY_FLAG };

enum {
    STAGE_WORKERS_MAX = 4096,   /* threads or processes of one stage */
    STAGE_IN_FLIGHT_MAX = 4096, /* operations in flight of one stage (uring, epoll) */
    STAGE_LOOPS_MAX = 32,       /* event loops of one stage */
    STAGE_BURST_MAX = 32        /* files that are handed to the kernel at once */
};

/* What was asked for one stage. All zero is "choose everything". */
struct stage_spec {
    enum stage_model model;
    unsigned count; /* workers, or operations in flight; 0 = to be chosen */
    unsigned loops; /* event loops; 0 = to be chosen */
    unsigned depth; /* operations in flight of each worker with an event loop; 0 = to be chosen */
    unsigned burst; /* files that a reading thread hands to the kernel at once; 0 = to be chosen */
    enum stage_io io;
    enum stage_given given_by;
};

/* Its name; "?" for a value out of range. */
const char *stage_name(enum stage_kind stage);

/* Accepted names as a NULL-terminated list with static lifetime. */
const char *const *stage_names(void);
const char *const *stage_model_names(void);

/* The stage called name (length bytes), or -1. */
int stage_find(const char *name, size_t length);

/* MODEL[:COUNT][,key=value...] in text (length bytes), for that stage. given_by is left alone. On
 * error, reason receives what is wrong and what is accepted, as one line without the name of the
 * option. */
int parse_stage_spec(enum stage_kind stage, const char *text, size_t length,
                     struct stage_spec *spec, char *reason, size_t capacity);

/* 'STAGE=SPEC;STAGE=SPEC...': sets each named stage that was not given by something stronger.
 * Blanks around parts and empty parts are ignored; a stage named twice takes its last spec. */
int parse_stages(const char *text, enum stage_given given_by, struct stage_spec stages[STAGE_COUNT],
                 char *reason, size_t capacity);

/* Decimal number, at most `maximum` (-ERANGE). No sign, no blanks. */
int parse_count(const char *text, uint64_t maximum, uint64_t *count);

/* Size in bytes: a decimal number and an optional unit. K M G T P E and KiB MiB ... are powers
 * of 1024, KB MB ... powers of 1000 as in GNU tools, B or nothing bytes. */
int parse_size(const char *text, uint64_t *size_bytes);

/* "N%", N a whole number from 1 to 100. */
int parse_percent(const char *text, unsigned *percent);

/* Duration: a decimal number, a fraction allowed, with ns us ms s m h d; no unit means seconds. */
int parse_duration(const char *text, uint64_t *duration_ns);

/* Date (ISO 8601): YYYY-MM-DD, optionally followed by a blank or T and hh:mm[:ss[.fraction]],
 * then optionally Z or a zone offset (+hh:mm, +hhmm, +hh); or @SECONDS[.fraction] since 1970 UTC.
 * Without a zone the time is local. -ERANGE: of that form, but no such date exists. */
int parse_moment(const char *text, struct timespec *moment);

/* Writes text within quotes to out for a message: one line, control bytes and bytes that are not
 * ASCII as \ooo, shortened with "..." when it does not fit. Returns out. */
char *quote_text(const char *text, size_t length, char *out, size_t capacity);

/* Number of insertions, deletions, replacements and swaps of neighbours that lead from a to b;
 * names longer than 63 bytes count as infinitely far (UINT_MAX). */
unsigned edit_distance(const char *a, const char *b);

#endif
