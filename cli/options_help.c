/* --help of the program and of the verbs, --version, and the dump of the tables. */
#include "cli/options.h"
#include "cli/options_private.h"
#include "stages/archive.h"
#include "stages/codec.h"
#include "stages/digest.h"

#include <string.h>

#ifndef TREEMILL_VERSION
#define TREEMILL_VERSION "unknown"
#endif

enum {
    OPTION_COLUMN = 29, /* where the text of an option begins */
    VERB_COLUMN = 36,   /* where the text of a verb begins */
    HELP_COLUMNS = 80   /* lines are broken before this column */
};

/* The options that the program's own help shows, of the verb that most people use first. */
static const char *const most_used[] = {"algorithm", "output", "threads", "memory",  "exclude",
                                        "quiet",     "stats",  "help",    "version", NULL};

/* Prints words of text, indented to `column`, the first line being already at `used`. */
static void print_wrapped(FILE *stream, const char *text, int column, int used)
{
    bool first = true;
    if (used >= column) {
        fputc('\n', stream);
        used = 0;
    }
    fprintf(stream, "%*s", column - used, "");
    used = column;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!first && used + 1 + length > HELP_COLUMNS) {
            fprintf(stream, "\n%*s", column, "");
            used = column;
            first = true;
        }
        used += fprintf(stream, "%s%.*s", first ? "" : " ", length, text);
        first = false;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static void print_option(FILE *stream, const struct option_row *row)
{
    int used = row->letter ? fprintf(stream, "  -%c, --%s", row->letter, row->name)
                           : fprintf(stream, "      --%s", row->name);
    if (row->argument)
        used += fprintf(stream, row->optional ? "[=%s]" : "=%s", row->argument);
    print_wrapped(stream, row->help, OPTION_COLUMN,
                  used + 1 < OPTION_COLUMN ? used : OPTION_COLUMN);
}

/* The names that a list may hold, below its option: too many for the text itself. */
static void print_choices(FILE *stream, const char *const *choices)
{
    char text[OPTIONS_REASON_BYTES] = "";
    options_append_choices(text, sizeof(text), choices);
    print_wrapped(stream, text, OPTION_COLUMN, 0);
}

static void print_group(FILE *stream, enum verb verb, enum option_group group)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].group != group || rows[i].hidden || !option_serves(&rows[i], verb))
            continue;
        if (!any)
            fprintf(stream, "\n%s:\n", option_group_title(group));
        any = true;
        print_option(stream, &rows[i]);
        if (rows[i].kind == OPTION_ALGORITHM)
            print_choices(stream, rows[i].choices);
    }
}

static void print_names(FILE *stream, const char *const *names)
{
    for (const char *const *name = names; *name; name++)
        fprintf(stream, "%s%s", name == names ? "" : ", ", *name);
}

static void print_models(FILE *stream)
{
    fputs("\nModels:\n  ", stream);
    print_names(stream, stage_model_names());
    fputs(".\n  COUNT is the number of workers, 0 or auto leaves it to the program; keys may\n"
          "  follow: --read=threads:4,io=sync. What is available here: treemill info.\n",
          stream);
}

static void print_verb_help(FILE *stream, enum verb verb)
{
    const struct verb_row *row = &options_verbs()[verb];
    size_t count;
    const struct option_row *rows = options_rows(&count);
    bool has_stages = false;

    fprintf(stream, "Usage: treemill %s [OPTION]...%s%s\n", row->name, *row->operands ? " " : "",
            row->operands);
    print_wrapped(stream, row->man, 0, 0);
    for (int group = 0; group < GROUP_COUNT; group++)
        print_group(stream, verb, (enum option_group)group);
    for (size_t i = 0; i < count; i++)
        has_stages = has_stages || (rows[i].kind == OPTION_STAGE && option_serves(&rows[i], verb));
    if (has_stages)
        print_models(stream);
    fputs("\nExamples:\n", stream);
    for (size_t i = 0; i < sizeof(row->examples) / sizeof(row->examples[0]) && row->examples[i];
         i += 2)
        fprintf(stream, "  %s\n      %s\n", row->examples[i], row->examples[i + 1]);
}

/* The row of that name of the first verb that has one. */
static const struct option_row *find_row(const char *name)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        for (size_t i = 0; i < count; i++) {
            if (option_serves(&rows[i], (enum verb)verb) && strcmp(rows[i].name, name) == 0)
                return &rows[i];
        }
    }
    return NULL;
}

static void print_program_help(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();

    fputs("treemill processes whole trees of files in parallel: directories are listed,\n"
          "files read, processed and the results written by stages that work at the same\n"
          "time, as threads, processes or event loops, within a bound of memory; the output\n"
          "is the same every time.\n"
          "\nUsage: treemill VERB [OPTION]... [OPERAND]...\n\nVerbs:\n",
          stream);
    for (int i = 0; i < VERB_COUNT; i++) {
        int used = fprintf(stream, "  %s%s%s", verbs[i].name, *verbs[i].operands ? " " : "",
                           verbs[i].operands);
        print_wrapped(stream, verbs[i].help, VERB_COLUMN, used);
    }
    fputs("\nMost used options:\n", stream);
    for (const char *const *name = most_used; *name; name++) {
        const struct option_row *row = find_row(*name);
        if (row)
            print_option(stream, row);
    }
    fputs("\nAll options of a verb: treemill VERB --help. The manual: treemill man | man -l -\n"
          "\nExit status:\n"
          "  0      all done\n"
          "  1      verify: differing or missing files; decompress, test: corrupt data\n"
          "  2      wrong usage or fatal error, nothing was published\n"
          "  3      finished, but some files were unreadable, skipped or changing\n"
          "  128+N  ended by signal N\n",
          stream);
}

void options_print_help(FILE *stream, enum verb verb)
{
    if ((int)verb >= 0 && (int)verb < VERB_COUNT)
        print_verb_help(stream, verb);
    else
        print_program_help(stream);
}

static void print_library(FILE *stream, const char *name)
{
    fprintf(stream, "  %s\n", name);
}

void options_print_version(FILE *stream)
{
    fputs("treemill " TREEMILL_VERSION "\n", stream);
    print_library(stream, digest_engine_name(DIGEST_SHA256));
    print_library(stream, digest_engine_name(DIGEST_XXH3));
    for (enum codec_engine engine = CODEC_ENGINE_AUTO + 1; engine < CODEC_ENGINE_COUNT; engine++)
        print_library(stream, codec_engine_library(engine));
    print_library(stream, tar_library());
}

static void print_table_option(FILE *stream, const char *verb, const struct option_row *row)
{
    char letter[3] = {'-', row->letter, '\0'};
    fprintf(stream, "option\t%s\t--%s\t%s\t%s\t", verb, row->name, letter,
            row->argument ? row->argument : "-");
    for (const char *const *choice = row->choices; choice && *choice; choice++)
        fprintf(stream, "%s%s", choice == row->choices ? "" : ",", *choice);
    fputs(row->choices ? "\n" : "-\n", stream);
}

void options_print_table(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    size_t count;
    const struct option_row *rows = options_rows(&count);

    for (int verb = 0; verb < VERB_COUNT; verb++)
        fprintf(stream, "verb\t%s\n", verbs[verb].name);
    for (const char *const *model = stage_model_names(); *model; model++)
        fprintf(stream, "model\t%s\n", *model);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        for (size_t i = 0; i < count; i++) {
            if (!rows[i].hidden && option_serves(&rows[i], (enum verb)verb))
                print_table_option(stream, verbs[verb].name, &rows[i]);
        }
    }
}
