/* The manual page, in the macros of man(7): what the tables say, and the few sections of prose
 * that belong to no row. */
#include "cli/options.h"
#include "cli/options_private.h"

#include <string.h>

#ifndef TREEMILL_VERSION
#define TREEMILL_VERSION "unknown"
#endif

/* The date of the page's text, not of the build: builds stay reproducible. */
#define PAGE_DATE "2026-11-25"

enum { LINE_BYTES = 76 }; /* input lines are broken before this column */

/* Text as roff shows it unchanged. A word that begins with '-' or holds other signs of a command
 * line has minus signs, that can be copied; in other words '-' is a hyphen. */
static int print_word(FILE *stream, const char *word, size_t length, bool begins_line)
{
    bool minus = memchr(word, '=', length) || memchr(word, '/', length);
    int used = 0;

    for (size_t i = 0; i + 1 < length; i++)
        minus = minus || (word[i] == '-' && (i == 0 || strchr("'([|", word[i - 1])));
    if (minus)
        used += fprintf(stream, "\\%%"); /* no hyphenation */
    else if (begins_line && (word[0] == '.' || word[0] == '\''))
        used += fprintf(stream, "\\&");
    for (size_t i = 0; i < length; i++) {
        switch (word[i]) {
        case '\\':
            used += fprintf(stream, "\\e");
            break;
        case '-':
            used += fprintf(stream, minus || length == 1 ? "\\-" : "-");
            break;
        case '\'':
            used += fprintf(stream, "\\(aq");
            break;
        case '`':
            used += fprintf(stream, "\\(ga");
            break;
        case '^':
            used += fprintf(stream, "\\(ha");
            break;
        case '~':
            used += fprintf(stream, "\\(ti");
            break;
        default:
            fputc(word[i], stream);
            used++;
        }
    }
    return used;
}

/* Prose: filled lines, each sentence on a line of its own. */
static void print_text(FILE *stream, const char *text)
{
    int column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column && column + (int)length + 1 > LINE_BYTES) {
            fputc('\n', stream);
            column = 0;
        }
        if (column)
            column += fprintf(stream, " ");
        column += print_word(stream, text, length, column == 0);
        bool sentence_ends = length && strchr(".:", text[length - 1]) && text[length] == ' ';
        text += length;
        text += strspn(text, " ");
        if (sentence_ends && *text) {
            fputc('\n', stream);
            column = 0;
        }
    }
    fputc('\n', stream);
}

/* A line that is not filled: every '-' is a minus sign. */
static void print_literal(FILE *stream, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stream);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stream);
        else if (*text == '\\')
            fputs("\\e", stream);
        else if (*text == '\'')
            fputs("\\(aq", stream);
        else if (*text == '~')
            fputs("\\(ti", stream);
        else
            fputc(*text, stream);
    }
}

static void print_bold(FILE *stream, const char *text)
{
    fputs("\\fB", stream);
    print_literal(stream, text);
    fputs("\\fR", stream);
}

static void print_italic(FILE *stream, const char *text)
{
    fputs("\\fI", stream);
    print_literal(stream, text);
    fputs("\\fR", stream);
}

/* .TP with a bold tag. */
static void print_tag(FILE *stream, const char *tag, const char *text)
{
    fputs(".TP\n", stream);
    print_bold(stream, tag);
    fputc('\n', stream);
    print_text(stream, text);
}

/* The help text of a row as a sentence: with a capital, unless it begins with a choice. */
static void print_sentence(FILE *stream, const struct option_row *row)
{
    char sentence[200], first[32];
    size_t length = strcspn(row->help, " ,:");

    snprintf(sentence, sizeof(sentence), "%s.", row->help);
    snprintf(first, sizeof(first), "%.*s", (int)length, row->help);
    bool is_choice = row->choices && options_choice_find(row->choices, first) >= 0;
    if (!is_choice && sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    print_text(stream, sentence);
}

static void print_names(FILE *stream, const char *before, const char *const *names)
{
    char text[OPTIONS_REASON_BYTES];
    int used = snprintf(text, sizeof(text), "%s", before);
    options_append_choices(text + used, sizeof(text) - (size_t)used - 1, names);
    strcat(text, ".");
    print_text(stream, text);
}

static void print_option(FILE *stream, const struct option_row *row)
{
    const struct verb_row *verbs = options_verbs();
    char name[80];
    unsigned everywhere = (1u << VERB_COUNT) - 1;

    fputs(".TP\n", stream);
    if (row->letter) {
        snprintf(name, sizeof(name), "-%c", row->letter);
        print_bold(stream, name);
        fputs(", ", stream);
    }
    snprintf(name, sizeof(name), "--%s%s", row->name, row->argument && !row->optional ? "=" : "");
    print_bold(stream, name);
    if (row->optional)
        fputs("[\\fB=\\fR", stream);
    if (row->argument)
        print_italic(stream, row->argument);
    if (row->optional)
        fputc(']', stream);
    if ((row->verbs & everywhere) != everywhere) {
        const char *before = " (";
        for (int verb = 0; verb < VERB_COUNT; verb++) {
            if (!option_serves(row, (enum verb)verb))
                continue;
            fprintf(stream, "%s%s", before, verbs[verb].name);
            before = ", ";
        }
        fputc(')', stream);
    }
    fputc('\n', stream);
    print_sentence(stream, row);
    if (row->man)
        print_text(stream, row->man);
    if (row->kind == OPTION_ALGORITHM)
        print_names(stream, "Accepted: ", row->choices);
}

static void print_options(FILE *stream)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);

    fputs(".SH OPTIONS\n", stream);
    print_text(stream, "Each option is followed by the verbs that take it; without any it is for "
                       "all. A value may be joined to a long option by = or follow as the next "
                       "word, and to a short one directly or as the next word. Long options may "
                       "be shortened as long as they stay unambiguous, short ones without a value "
                       "may be joined. Options may follow operands; -- ends them.");
    print_text(stream, "SIZE is a number of bytes, with K, M, G, T, P, E or KiB, MiB and so on in "
                       "powers of 1024, with KB, MB and so on in powers of 1000. TIME is a number "
                       "with ns, us, ms, s (also without a unit), m, h or d.");
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].group != (enum option_group)group || rows[i].hidden)
                continue;
            if (!any)
                fprintf(stream, ".SS %s\n", option_group_title((enum option_group)group));
            any = true;
            print_option(stream, &rows[i]);
        }
    }
}

static void print_verbs(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    fputs(".SH VERBS\n", stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        fputs(".TP\n", stream);
        print_bold(stream, verbs[verb].name);
        fputc(' ', stream);
        print_italic(stream, verbs[verb].operands);
        fputc('\n', stream);
        print_text(stream, verbs[verb].man);
    }
}

static void print_stages(FILE *stream)
{
    fputs(".SH STAGES AND MODELS\n", stream);
    print_text(stream, "The work flows through stages that run at the same time: scan lists "
                       "directories, read reads files, hash computes digests, compress compresses "
                       "or decompresses, write writes the results. A verb has those that it needs. "
                       "How each of them runs is chosen by");
    fputs(".PP\n.RS\n\\fB\\-\\-\\fISTAGE\\fB=\\fIMODEL\\fR[\\fB:\\fICOUNT\\fR]"
          "[\\fB,\\fIKEY\\fB=\\fIVALUE\\fR]...\n.RE\n.PP\n",
          stream);
    print_text(stream, "or for several at once by --stages. The output does not depend on it. Of "
                       "the environment, --stages and the flag of a stage the last one prevails, "
                       "and it replaces the whole of what the others say of that stage.");
    print_names(stream, "Stages: ", stage_names());
    print_names(stream, "Models of this version: ", stage_model_names());
    print_tag(stream, "auto", "The program chooses; --verbose and --stats tell what, and why.");
    print_tag(stream, "inline",
              "One item at a time in the calling thread: for comparison and for "
              "finding faults.");
    print_tag(stream, "threads:N", "N threads of the program.");
    print_tag(stream, "processes:N",
              "N processes of their own on shared memory: one that crashes "
              "costs a file, not the whole run.");
    print_tag(stream, "uring:D",
              "An event loop with D operations in flight, by io_uring(7): for devices that answer "
              "slowly.");
    print_tag(stream, "epoll:D",
              "An event loop with D operations in flight: what needs no waiting is done at once, "
              "pipes and sockets when they are ready, the rest by helper threads.");
    fputs(".PP\n", stream);
    print_text(stream,
               "A COUNT of 0 or auto, or none, is chosen by the program. KEY loops: how "
               "many event loops share the D operations of uring and epoll. KEY io: how "
               "each worker of processes does its reading, sync, uring or epoll; KEY depth: "
               "its operations in flight, with the last two.");
    fputs(".PP\n", stream);
    print_text(stream,
               "A model that is asked for by name and not to be had is an error that gives "
               "the reason; treemill info tells beforehand. Computing gains nothing from an "
               "event loop. On files that are in the page cache threads are as fast as a "
               "ring, or faster; where each read takes milliseconds, 64 in flight are many "
               "times as fast as one reader.");
}

static void print_manifests(FILE *stream)
{
    fputs(".SH MANIFESTS\n", stream);
    print_text(stream, "Written by hash --format and recognised by verify:");
    print_tag(stream, "gnu",
              "Lines of digest, two blanks and name, as sha256sum and the others "
              "of coreutils write and check them. In a name with a newline, "
              "carriage return or backslash these are escaped, and the line begins "
              "with a backslash.");
    print_tag(stream, "bsd", "Lines of the form ALGORITHM (NAME) = DIGEST.");
    print_tag(stream, "gnu0", "As gnu, but lines end with a NUL byte and nothing is escaped.");
    print_tag(stream, "mtree", "The specification of mtree(5), as bsdtar(1) reads it.");
    print_tag(stream, "hashdeep", "The file of hashdeep(1), with sizes.");
    print_tag(stream, "json", "One JSON object a line.");
}

static void print_formats(FILE *stream)
{
    fputs(".SH FORMATS\n", stream);
    print_text(stream, "What is compressed is divided into blocks, each compressed by itself by "
                       "whichever worker has it. Where blocks end depends on the input and on "
                       "--block-size, so the output's bytes do not depend on the workers.");
    print_tag(stream, "tar",
              "What a plain ustar header can say is said by one; longer names, larger numbers, "
              "sparse files and the attributes of --xattrs have a pax header in front. Hard links "
              "are stored as links, devices and FIFOs as entries.");
    print_tag(stream, "zip",
              "Regular files, directories and symbolic links; hard links are stored as files. "
              "zip64 is used where it is needed, and files that do not shrink are stored.");
    print_tag(stream, "gzip, tar.gz",
              "A member for each block, whose header tells its size in an extra field; every "
              "gunzip reads them.");
    print_tag(stream, "zstd, tar.zst",
              "A frame with a checksum for each block, and behind them a seek table as of zstd's "
              "seekable format, in a frame that others skip. A small file has one frame and no "
              "table.");
}

static void print_rest(FILE *stream)
{
    fputs(".SH EXIT STATUS\n", stream);
    print_tag(stream, "0", "All done.");
    print_tag(stream, "1",
              "verify found differing, missing or malformed data; decompress or test found what is "
              "corrupt, cut short or neither gzip nor zstd.");
    print_tag(stream, "2", "Wrong usage or a fatal error; nothing was published.");
    print_tag(stream, "3",
              "Finished, but some files were unreadable, skipped or changed while "
              "they were read.");
    print_tag(stream, "128+N", "Ended by signal N.");
    fputs(".PP\n", stream);
    print_text(stream, "If several apply, 2 goes before 1 and 1 before 3. Each file that failed or "
                       "was skipped is counted in the summary and named on standard error.");
    fputs(".SH SIGNALS\n", stream);
    print_tag(stream, "INT, TERM, HUP",
              "Take up no new work, remove temporary files and end. A "
              "second one ends at once.");
    print_tag(stream, "USR1", "Print one line of status.");
    print_tag(stream, "TSTP, CONT", "Stop and continue; the time of the stop does not count.");
    fputs(".PP\n", stream);
    print_text(stream, "A closed pipe on standard output is an ordinary error of writing.");

    size_t count;
    const struct option_row *rows = options_rows(&count);
    char text[160];
    fputs(".SH ENVIRONMENT\n", stream);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].environment)
            continue;
        snprintf(text, sizeof(text), "Taken as if given by --%s, before all options.",
                 rows[i].name);
        print_tag(stream, rows[i].environment, text);
    }
    print_tag(stream, "NO_COLOR",
              "If set and not empty, nothing is coloured unless --color asks "
              "for it.");
    print_tag(stream, "SOURCE_DATE_EPOCH",
              "The latest time that create --reproducible stores, in seconds since 1970.");
    print_tag(stream, "TMPDIR", "Where create keeps the directory of a large zip meanwhile.");
    print_tag(stream, "TZ", "The time zone of the dates of --newer.");
}

static void print_examples(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    fputs(".SH EXAMPLES\n", stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        const char *const *example = verbs[verb].examples;
        size_t most = sizeof(verbs[verb].examples) / sizeof(example[0]);
        for (size_t i = 0; i < most && example[i]; i += 2) {
            fputs(".TP\n", stream);
            print_bold(stream, example[i]);
            fputc('\n', stream);
            print_text(stream, example[i + 1]);
        }
    }
}

void options_print_man(FILE *stream)
{
    fputs(".TH TREEMILL 1 " PAGE_DATE " \"treemill " TREEMILL_VERSION "\" \"User Commands\"\n"
          ".SH NAME\n"
          "treemill \\- process whole trees of files in parallel\n"
          ".SH SYNOPSIS\n"
          "\\fBtreemill\\fR \\fIVERB\\fR [\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...\n",
          stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        const struct verb_row *row = &options_verbs()[verb];
        fprintf(stream, ".br\n\\fBtreemill %s\\fR", row->name);
        fputs(" [\\fIOPTION\\fR]... ", stream);
        print_italic(stream, row->operands);
        fputc('\n', stream);
    }
    fputs(".SH DESCRIPTION\n", stream);
    print_text(stream, "treemill processes whole trees of files in parallel: directories are "
                       "listed, files read, processed and the results written by stages that work "
                       "at the same time, as threads or processes, within a bound of memory. The "
                       "output is the same every time, whatever the number of workers. Data goes "
                       "to standard output, messages and progress to standard error.");
    print_verbs(stream);
    print_options(stream);
    print_stages(stream);
    print_manifests(stream);
    print_formats(stream);
    options_print_events(stream);
    print_rest(stream);
    print_examples(stream);
    fputs(".SH SEE ALSO\n.BR sha256sum (1),\n.BR hashdeep (1),\n.BR bsdtar (1),\n.BR gzip "
          "(1),\n.BR zstd (1),\n"
          ".BR mtree (5)\n",
          stream);
}
