/* The manual pages, of the program and of each verb: what the tables say, and the few sections of
 * prose that belong to no row. */
#include "cli/options.h"
#include "cli/options_private.h"
#include "cli/roff.h"

#include <ctype.h>
#include <string.h>

#ifndef TREEMILL_VERSION
#define TREEMILL_VERSION "unknown"
#endif

/* The date of the pages' text, not of the build: builds stay reproducible. */
#define PAGE_DATE "2026-11-25"

static void print_names(FILE *stream, const char *before, const char *const *names)
{
    char text[OPTIONS_REASON_BYTES];
    int used = snprintf(text, sizeof(text), "%s", before);
    options_append_choices(text + used, sizeof(text) - (size_t)used - 1, names);
    strcat(text, ".");
    roff_text(stream, text);
}

/* The option as the text of .TP; of the program's page also the verbs that take it. */
static void print_option(FILE *stream, const struct option_row *row, bool with_verbs)
{
    const struct verb_row *verbs = options_verbs();
    char text[OPTIONS_REASON_BYTES];
    unsigned everywhere = (1u << VERB_COUNT) - 1;

    fputs(".TP\n", stream);
    if (row->letter) {
        snprintf(text, sizeof(text), "-%c", row->letter);
        roff_bold(stream, text);
        fputs(", ", stream);
    }
    snprintf(text, sizeof(text), "--%s%s", row->name, row->argument && !row->optional ? "=" : "");
    roff_bold(stream, text);
    if (row->optional)
        fputs("[\\fB=\\fR", stream);
    if (row->argument)
        roff_italic(stream, row->argument);
    if (row->optional)
        fputc(']', stream);
    if (with_verbs && (row->verbs & everywhere) != everywhere) {
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
    options_sentence(row->help, row->choices, text, sizeof(text));
    roff_text(stream, text);
    if (row->man)
        roff_text(stream, row->man);
    if (row->kind == OPTION_ALGORITHM)
        print_names(stream, "Accepted: ", row->choices);
}

/* How options and values are written: on the page of the program. */
static void print_syntax(FILE *stream)
{
    roff_text(stream, "A value may be joined to a long option by = or follow as the next word, and "
                      "to a short one directly or as the next word; one that may be left out is "
                      "joined by =. Long options may be shortened as long as they stay "
                      "unambiguous, short ones without a value may be joined. Options may follow "
                      "operands; -- ends them.");
    fputs(".PP\n", stream);
    roff_text(stream, "SIZE is a number of bytes, with K, M, G, T, P, E or KiB, MiB and so on in "
                      "powers of 1024, with KB, MB and so on in powers of 1000. TIME is a number "
                      "with ns, us, ms, s (also without a unit), m, h or d.");
}

/* The rows of one group: all, or those of a verb that are not among its common ones. */
static void print_group(FILE *stream, enum verb verb, enum option_group group)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].group != group || rows[i].hidden)
            continue;
        if (verb != VERB_NONE &&
            (!option_serves(&rows[i], verb) || options_is_common(verb, &rows[i])))
            continue;
        if (!any)
            fprintf(stream, ".SS %s\n", option_group_title(group));
        any = true;
        print_option(stream, &rows[i], verb == VERB_NONE);
    }
}

static void print_options(FILE *stream, enum verb verb)
{
    roff_section(stream, "OPTIONS");
    if (verb == VERB_NONE) {
        roff_text(stream, "Each option is followed by the verbs that take it; without any it is "
                          "for all.");
        print_syntax(stream);
    } else {
        for (const char *const *name = options_verbs()[verb].common; *name; name++)
            print_option(stream, options_find_row(verb, *name), false);
    }
    for (int group = 0; group < GROUP_COUNT; group++)
        print_group(stream, verb, (enum option_group)group);
}

static void print_verbs(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    char text[OPTIONS_REASON_BYTES];

    roff_section(stream, "VERBS");
    roff_text(stream, "Each has a page of its own, such as treemill-hash(1).");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        fputs(".TP\n", stream);
        roff_bold(stream, verbs[verb].name);
        if (*verbs[verb].operands) {
            fputc(' ', stream);
            roff_italic(stream, verbs[verb].operands);
        }
        fputc('\n', stream);
        options_sentence(verbs[verb].help, NULL, text, sizeof(text));
        roff_text(stream, text);
    }
}

static void print_stages(FILE *stream)
{
    fputs(".SH STAGES AND MODELS\n", stream);
    roff_text(stream, "The work flows through stages that run at the same time: scan lists "
                      "directories, read reads files, hash computes digests, compress compresses "
                      "or decompresses, write writes the results. A verb has those that it needs. "
                      "How each of them runs is chosen by");
    fputs(".PP\n.RS\n\\fB\\-\\-\\fISTAGE\\fB=\\fIMODEL\\fR[\\fB:\\fICOUNT\\fR]"
          "[\\fB,\\fIKEY\\fB=\\fIVALUE\\fR]...\n.RE\n.PP\n",
          stream);
    roff_text(stream, "or for several at once by --stages. The output does not depend on it. Of "
                      "the environment, --stages and the flag of a stage the last one prevails, "
                      "and it replaces the whole of what the others say of that stage.");
    print_names(stream, "Stages: ", stage_names());
    print_names(stream, "Models of this version: ", stage_model_names());
    roff_tag(stream, "auto", "The program chooses; --verbose and --stats tell what, and why.");
    roff_tag(stream, "inline",
             "One item at a time in the calling thread: for comparison and for "
             "finding faults.");
    roff_tag(stream, "threads:N", "N threads of the program.");
    roff_tag(stream, "processes:N",
             "N processes of their own on shared memory: one that crashes "
             "costs a file, not the whole run.");
    roff_tag(stream, "uring:D",
             "An event loop with D operations in flight, by io_uring(7): for devices that answer "
             "slowly.");
    roff_tag(stream, "epoll:D",
             "An event loop with D operations in flight: what needs no waiting is done at once, "
             "pipes and sockets when they are ready, the rest by helper threads.");
    fputs(".PP\n", stream);
    roff_text(stream, "A COUNT of 0 or auto, or none, is chosen by the program. KEY loops: how "
                      "many event loops share the D operations of uring and epoll. KEY io: how "
                      "each worker of processes does its reading, sync, uring or epoll; KEY depth: "
                      "its operations in flight, with the last two. KEY burst, of read: how many "
                      "small files each reading thread hands to the kernel at once, through a ring "
                      "of its own (1 to 32; 1: one by one); auto measures whether that pays, and "
                      "a number of threads is taken as it is said, without it.");
    fputs(".PP\n", stream);
    roff_text(stream, "A model that is asked for by name and not to be had is an error that gives "
                      "the reason; treemill info tells beforehand. Computing gains nothing from an "
                      "event loop. On files that are in the page cache threads are as fast as a "
                      "ring, or faster; where each read takes milliseconds, 64 in flight are many "
                      "times as fast as one reader.");
}

static void print_manifests(FILE *stream)
{
    fputs(".SH MANIFESTS\n", stream);
    roff_text(stream, "Written by hash --format and recognised by verify:");
    roff_tag(stream, "gnu",
             "Lines of digest, two blanks and name, as sha256sum and the others "
             "of coreutils write and check them. In a name with a newline, "
             "carriage return or backslash these are escaped, and the line begins "
             "with a backslash.");
    roff_tag(stream, "bsd", "Lines of the form ALGORITHM (NAME) = DIGEST.");
    roff_tag(stream, "gnu0", "As gnu, but lines end with a NUL byte and nothing is escaped.");
    roff_tag(stream, "mtree", "The specification of mtree(5), as bsdtar(1) reads it.");
    roff_tag(stream, "hashdeep", "The file of hashdeep(1), with sizes.");
    roff_tag(stream, "json", "One JSON object a line.");
}

static void print_formats(FILE *stream)
{
    fputs(".SH FORMATS\n", stream);
    roff_text(stream, "What is compressed is divided into blocks, each compressed by itself by "
                      "whichever worker has it. Where blocks end depends on the input and on "
                      "--block-size, so the output's bytes do not depend on the workers.");
    roff_tag(stream, "tar",
             "What a plain ustar header can say is said by one; longer names, larger numbers, "
             "sparse files and the attributes of --xattrs have a pax header in front. Hard links "
             "are stored as links, devices and FIFOs as entries.");
    roff_tag(stream, "zip",
             "Regular files, directories and symbolic links; hard links are stored as files. "
             "zip64 is used where it is needed, and files that do not shrink are stored.");
    roff_tag(stream, "gzip, tar.gz",
             "A member for each block, whose header tells its size in an extra field; every "
             "gunzip reads them.");
    roff_tag(stream, "zstd, tar.zst",
             "A frame with a checksum for each block, and behind them a seek table as of zstd's "
             "seekable format, in a frame that others skip. A small file has one frame and no "
             "table.");
}

/* The stages that the verb has, and where their models are explained. */
static void print_verb_stages(FILE *stream, enum verb verb)
{
    char stages[OPTIONS_REASON_BYTES] = "", text[OPTIONS_REASON_BYTES + 200];
    size_t count;
    const struct option_row *rows = options_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == OPTION_STAGE && option_serves(&rows[i], verb))
            options_append_name(stages, sizeof(stages), "", rows[i].name);
    }
    roff_section(stream, "STAGES");
    snprintf(text, sizeof(text),
             "Stages of %s: %s. How they run, and what MODEL[:COUNT] means, is said in STAGES AND "
             "MODELS of treemill(1). The output does not depend on it.",
             options_verbs()[verb].name, stages);
    roff_text(stream, text);
    print_names(stream, "Models of this version: ", stage_model_names());
}

static void print_status(FILE *stream, enum verb verb)
{
    const struct verb_row *verbs = options_verbs();
    char text[OPTIONS_REASON_BYTES];

    roff_section(stream, "EXIT STATUS");
    roff_tag(stream, "0", "All done.");
    if (verb != VERB_NONE && verbs[verb].differs)
        roff_tag(stream, "1", verbs[verb].differs);
    for (int each = 0; verb == VERB_NONE && each < VERB_COUNT; each++) {
        if (!verbs[each].differs)
            continue;
        snprintf(text, sizeof(text), "1 (%s)", verbs[each].name);
        roff_tag(stream, text, verbs[each].differs);
    }
    roff_tag(stream, "2", "Wrong usage or a fatal error; nothing was published.");
    if (verb != VERB_NONE && !options_has_stages(verb))
        return;
    roff_tag(stream, "3",
             "Finished, but some files were unreadable, skipped or changed while they were read.");
    roff_tag(stream, "128+N", "Ended by signal N.");
    fputs(".PP\n", stream);
    roff_text(stream, "If several apply, 2 goes before 1 and 1 before 3. Each file that failed or "
                      "was skipped is counted in the summary and named on standard error.");
}

static void print_signals(FILE *stream)
{
    roff_section(stream, "SIGNALS");
    roff_tag(stream, "INT, TERM, HUP",
             "Take up no new work, remove temporary files and end. A second one ends at once.");
    roff_tag(stream, "USR1", "Print one line of status.");
    roff_tag(stream, "TSTP, CONT", "Stop and continue; the time of the stop does not count.");
    fputs(".PP\n", stream);
    roff_text(stream, "A closed pipe on standard output is an ordinary error of writing.");
}

static void print_environment(FILE *stream, enum verb verb)
{
    size_t option_count, count;
    const struct option_row *rows = options_rows(&option_count);
    const struct environment_row *variables = options_environment(&count);
    char text[160];
    bool any = false;

    for (size_t i = 0; i < option_count; i++) {
        if (!rows[i].environment || (verb != VERB_NONE && !option_serves(&rows[i], verb)))
            continue;
        if (!any)
            roff_section(stream, "ENVIRONMENT");
        any = true;
        snprintf(text, sizeof(text), "Taken as if given by --%s, before all options.",
                 rows[i].name);
        roff_tag(stream, rows[i].environment, text);
    }
    for (size_t i = 0; i < count; i++) {
        if (!options_environment_serves(&variables[i], verb))
            continue;
        if (!any)
            roff_section(stream, "ENVIRONMENT");
        any = true;
        roff_tag(stream, variables[i].name, variables[i].man);
    }
}

static void print_examples(FILE *stream, enum verb verb, bool after_heading)
{
    for (const char *const *example = options_verbs()[verb].examples; *example; example += 2) {
        if (!after_heading) /* which makes a paragraph by itself */
            fputs(".PP\n", stream);
        after_heading = false;
        roff_command(stream, example[0]);
        fputs(".RS\n", stream);
        roff_text(stream, example[1]);
        fputs(".RE\n", stream);
    }
}

static void print_title(FILE *stream, const char *title)
{
    fprintf(stream, ".TH %s 1 " PAGE_DATE " \"treemill " TREEMILL_VERSION "\" \"User Commands\"\n",
            title);
    roff_section(stream, "NAME");
}

/* "treemill VERB [OPTION]... OPERANDS" */
static void print_synopsis_line(FILE *stream, const struct verb_row *row)
{
    fprintf(stream, "\\fBtreemill %s\\fR [\\fIOPTION\\fR]...", row->name);
    if (*row->operands) {
        fputc(' ', stream);
        roff_italic(stream, row->operands);
    }
    fputc('\n', stream);
}

static void print_program_page(FILE *stream)
{
    char page[80];
    const char *const pages[] = {page, NULL};

    print_title(stream, "TREEMILL");
    fputs("treemill \\- process whole trees of files in parallel\n", stream);
    roff_section(stream, "SYNOPSIS");
    fputs("\\fBtreemill\\fR \\fIVERB\\fR [\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...\n", stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        fputs(".br\n", stream);
        print_synopsis_line(stream, &options_verbs()[verb]);
    }
    roff_section(stream, "DESCRIPTION");
    roff_text(stream, "treemill processes whole trees of files in parallel: directories are "
                      "listed, files read, processed and the results written by stages that work "
                      "at the same time, as threads, processes or event loops, within a bound of "
                      "memory. The output is the same every time, whatever the number of workers. "
                      "Data goes to standard output, messages and progress to standard error.");
    print_verbs(stream);
    print_options(stream, VERB_NONE);
    print_stages(stream);
    print_manifests(stream);
    print_formats(stream);
    options_print_events(stream);
    print_status(stream, VERB_NONE);
    print_signals(stream);
    print_environment(stream, VERB_NONE);
    roff_section(stream, "EXAMPLES");
    for (int verb = 0; verb < VERB_COUNT; verb++)
        print_examples(stream, (enum verb)verb, verb == 0);
    roff_section(stream, "SEE ALSO");
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        snprintf(page, sizeof(page), "treemill-%s(1)", options_verbs()[verb].name);
        roff_references(stream, pages, verb + 1 < VERB_COUNT);
    }
}

static void print_verb_page(FILE *stream, enum verb verb)
{
    static const char *const program_page[] = {"treemill(1)", NULL};
    const struct verb_row *row = &options_verbs()[verb];
    char title[80] = "TREEMILL\\-";

    for (size_t i = strlen(title), j = 0; row->name[j] && i + 1 < sizeof(title); i++, j++) {
        title[i] = (char)toupper((unsigned char)row->name[j]);
        title[i + 1] = '\0';
    }
    print_title(stream, title);
    fprintf(stream, "treemill\\-%s \\- %s\n", row->name, row->help);
    roff_section(stream, "SYNOPSIS");
    print_synopsis_line(stream, row);
    roff_section(stream, "DESCRIPTION");
    roff_text(stream, row->man);
    print_options(stream, verb);
    if (options_has_stages(verb))
        print_verb_stages(stream, verb);
    if (row->topics & MAN_MANIFESTS)
        print_manifests(stream);
    if (row->topics & MAN_FORMATS)
        print_formats(stream);
    roff_section(stream, "EXAMPLES");
    print_examples(stream, verb, true);
    print_status(stream, verb);
    print_environment(stream, verb);
    roff_section(stream, "SEE ALSO");
    roff_references(stream, program_page, row->see_also[0] != NULL);
    roff_references(stream, row->see_also, false);
}

void options_print_man(FILE *stream, enum verb verb)
{
    if (verb == VERB_NONE)
        print_program_page(stream);
    else
        print_verb_page(stream, verb);
}
