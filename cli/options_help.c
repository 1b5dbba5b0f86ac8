/* --help of the program and of the verbs, --version, and the dump of the tables. */
#include "cli/options.h"
#include "cli/options_private.h"
#include "pipeline/io_loop.h"
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

void options_sentence(const char *help, const char *const *choices, char *sentence, size_t capacity)
{
    char first[32];
    size_t length = strcspn(help, " ,:");

    snprintf(sentence, capacity, "%s.", help);
    snprintf(first, sizeof(first), "%.*s", (int)length, help);
    bool is_name = help[length] == ':' || (choices && options_choice_find(choices, first) >= 0);
    if (!is_name && sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
}

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

static void print_common(FILE *stream, enum verb verb, bool with_choices)
{
    for (const char *const *name = options_verbs()[verb].common; *name; name++) {
        const struct option_row *row = options_find_row(verb, *name);
        if (!row)
            continue;
        print_option(stream, row);
        if (with_choices && row->kind == OPTION_ALGORITHM)
            print_choices(stream, row->choices);
    }
}

/* Those options of a group that are not among the common ones. */
static void print_group(FILE *stream, enum verb verb, enum option_group group)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].group != group || rows[i].hidden || !option_serves(&rows[i], verb) ||
            options_is_common(verb, &rows[i]))
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

static void print_examples(FILE *stream, enum verb verb)
{
    fputs("\nExamples:\n", stream);
    for (const char *const *example = options_verbs()[verb].examples; *example; example += 2)
        fprintf(stream, "  %s\n      %s\n", example[0], example[1]);
}

static void print_usage_line(FILE *stream, enum verb verb)
{
    const struct verb_row *row = &options_verbs()[verb];
    fprintf(stream, "Usage: treemill %s [OPTION]...%s%s\n", row->name, *row->operands ? " " : "",
            row->operands);
}

static void print_verb_sentence(FILE *stream, enum verb verb)
{
    char sentence[HELP_COLUMNS];
    options_sentence(options_verbs()[verb].help, NULL, sentence, sizeof(sentence));
    print_wrapped(stream, sentence, 0, 0);
}

/* Whether the common options are not all that the verb has. */
static bool has_more(enum verb verb)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].hidden && option_serves(&rows[i], verb) && !options_is_common(verb, &rows[i]))
            return true;
    }
    return false;
}

static void print_verb_short(FILE *stream, enum verb verb)
{
    const char *name = options_verbs()[verb].name;
    print_usage_line(stream, verb);
    print_verb_sentence(stream, verb);
    print_examples(stream, verb);
    fputs(has_more(verb) ? "\nCommon options:\n" : "\nOptions:\n", stream);
    print_common(stream, verb, false);
    fputc('\n', stream);
    if (has_more(verb))
        fprintf(stream, "All options: treemill %s --help=all\n", name);
    fprintf(stream, "The manual:  man treemill-%s\n", name);
}

static void print_verb_all(FILE *stream, enum verb verb)
{
    print_usage_line(stream, verb);
    print_wrapped(stream, options_verbs()[verb].man, 0, 0);
    print_examples(stream, verb);
    fputs(has_more(verb) ? "\nCommon options:\n" : "\nOptions:\n", stream);
    print_common(stream, verb, true);
    for (int group = 0; group < GROUP_COUNT; group++)
        print_group(stream, verb, (enum option_group)group);
    if (options_has_stages(verb))
        print_models(stream);
    if (options_verbs()[verb].differs) {
        fputs("\nExit status 1:\n", stream);
        print_wrapped(stream, options_verbs()[verb].differs, 2, 0);
    }
}

/* Every verb in a sentence. */
static void print_verbs(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    fputs("Usage: treemill VERB [OPTION]... [OPERAND]...\n\nVerbs:\n", stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        int used = fprintf(stream, "  %s%s%s", verbs[verb].name, *verbs[verb].operands ? " " : "",
                           verbs[verb].operands);
        print_wrapped(stream, verbs[verb].help, VERB_COLUMN, used);
    }
    fputs("\nHow to use a verb: treemill VERB --help. The manual: man treemill.\n", stream);
}

static void print_program_options(FILE *stream)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    fputs("\nOptions:\n", stream);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].program && !rows[i].hidden)
            print_option(stream, &rows[i]);
    }
}

static void print_program_short(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();

    fputs("treemill processes whole trees of files in parallel: directories are listed,\n"
          "files read, processed and the results written by stages that work at the same\n"
          "time, as threads, processes or event loops, within a bound of memory; the output\n"
          "is the same every time.\n\n",
          stream);
    print_verbs(stream);
    print_program_options(stream);
    fputs("\nExit status:\n  0      all done\n  1      ", stream);
    for (int verb = 0, count = 0; verb < VERB_COUNT; verb++) {
        if (verbs[verb].differs)
            fprintf(stream, "%s%s", count++ ? ", " : "", verbs[verb].name);
    }
    fputs(": data that is missing or wrong\n", stream);
    fputs("  2      wrong usage or fatal error, nothing was published\n"
          "  3      finished, but some files were unreadable, skipped or changing\n"
          "  128+N  ended by signal N\n",
          stream);
}

void options_print_help(FILE *stream, enum verb verb, enum help_extent extent)
{
    if (verb != VERB_NONE) {
        (extent == HELP_ALL ? print_verb_all : print_verb_short)(stream, verb);
        return;
    }
    print_program_short(stream);
    for (int each = 0; extent == HELP_ALL && each < VERB_COUNT; each++) {
        fputc('\n', stream);
        print_verb_all(stream, (enum verb)each);
    }
}

void options_print_usage(FILE *stream, enum verb verb)
{
    if (verb == VERB_NONE) {
        print_verbs(stream);
        return;
    }
    print_usage_line(stream, verb);
    print_verb_sentence(stream, verb);
    print_examples(stream, verb);
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
    print_library(stream, io_uring_engine.library);
}

static void print_table_option(FILE *stream, const char *verb, const struct option_row *row)
{
    char letter[3] = {'-', row->letter, '\0'};
    fprintf(stream, "option\t%s\t--%s\t%s\t%s%s%s\t", verb, row->name, letter,
            row->optional ? "[" : "", row->argument ? row->argument : "-",
            row->optional ? "]" : "");
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
