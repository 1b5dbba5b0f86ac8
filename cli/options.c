/* The parser of the command line: walks argv along the tables of cli/options_table.c. */
#include "cli/nearest.h"
#include "cli/options.h"
#include "cli/options_private.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { QUOTED_BYTES = 100 }; /* a value within a message */

/* The walk over one command line. */
struct parser {
    struct options *options;
    int argc;
    char *const *argv;
    int next;       /* index of the next argument */
    enum verb verb; /* VERB_NONE before the verb was seen */
    char *error;
    size_t capacity;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *parser, const char *format,
                                                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->error, parser->capacity, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int fail_memory(struct parser *parser)
{
    fail(parser, "not enough memory for the command line");
    return -ENOMEM;
}

static const char *verb_name(enum verb verb)
{
    return options_verbs()[verb].name;
}

/* The name as it was given: "--threads" or "-T (--threads)". */
static const char *row_label(const struct option_row *row, bool by_letter, char *label,
                             size_t capacity)
{
    if (by_letter)
        snprintf(label, capacity, "-%c (--%s)", row->letter, row->name);
    else
        snprintf(label, capacity, "--%s", row->name);
    return label;
}

/* Applies one option and turns a refusal into the message. label names it for the user. */
static int apply(struct parser *parser, const struct option_row *row, const char *label,
                 const char *value, bool from_environment)
{
    char reason[OPTIONS_REASON_BYTES] = "", quoted[QUOTED_BYTES];
    int error = options_set(row, value, from_environment, parser->options, reason);

    if (error == -ENOMEM)
        return fail_memory(parser);
    if (error)
        return fail(parser, "%s: bad value %s: %s", label,
                    quote_text(value, strlen(value), quoted, sizeof(quoted)), reason);
    return 0;
}

static int fail_unknown_verb(struct parser *parser, const char *word)
{
    char quoted[QUOTED_BYTES], list[OPTIONS_REASON_BYTES] = "";
    struct nearest nearest = nearest_begin(word, strlen(word));

    quote_text(word, strlen(word), quoted, sizeof(quoted));
    for (int i = 0; i < VERB_COUNT; i++) {
        nearest_try(&nearest, verb_name((enum verb)i));
        options_append_name(list, sizeof(list), "", verb_name((enum verb)i));
    }
    if (nearest.name)
        return fail(parser, "unknown verb %s; did you mean '%s'?", quoted, nearest.name);
    return fail(parser, "unknown verb %s (accepted: %s)", quoted, list);
}

static int fail_no_verb(struct parser *parser)
{
    char list[OPTIONS_REASON_BYTES] = "";
    parser->options->show_usage = parser->argc <= 1;
    if (parser->options->show_usage)
        return fail(parser, "a verb is missing");
    for (int i = 0; i < VERB_COUNT; i++)
        options_append_name(list, sizeof(list), "", verb_name((enum verb)i));
    return fail(parser, "a verb is missing (accepted: %s); see 'treemill --help'", list);
}

/* An option that the verb does not have: of another verb, mistyped, or neither. */
static int fail_unknown_option(struct parser *parser, const char *name, char letter)
{
    char quoted[QUOTED_BYTES], given[QUOTED_BYTES], verbs[OPTIONS_REASON_BYTES] = "";
    struct nearest nearest = nearest_begin(name ? name : "", name ? strlen(name) : 0);
    size_t count;
    const struct option_row *rows = options_rows(&count);
    bool is_program = parser->verb == VERB_NONE;

    snprintf(given, sizeof(given), "-%s%.*s%s", name ? "-" : "", name ? 0 : 1, &letter,
             name ? name : "");
    for (size_t i = 0; i < count; i++) {
        bool same = name ? strcmp(rows[i].name, name) == 0 : rows[i].letter == letter;
        if (rows[i].hidden)
            continue;
        for (int verb = 0; same && verb < VERB_COUNT; verb++) {
            if (option_serves(&rows[i], (enum verb)verb))
                options_append_name(verbs, sizeof(verbs), "", verb_name((enum verb)verb));
        }
        if (name && option_serves(&rows[i], parser->verb))
            nearest_try(&nearest, rows[i].name);
    }
    quote_text(given, strlen(given), quoted, sizeof(quoted));
    if (verbs[0] && is_program)
        return fail(parser, "option %s belongs behind a verb (accepted: %s)", quoted, verbs);
    const char *verb = is_program ? "" : verb_name(parser->verb);
    const char *gap = is_program ? "" : " ";
    if (verbs[0])
        return fail(parser, "option %s is for %s, not for %s; see 'treemill %s --help'", quoted,
                    verbs, verb, verb);
    if (nearest.name)
        return fail(parser, "unknown option %s; did you mean '--%s'? See 'treemill%s%s --help'",
                    quoted, nearest.name, gap, verb);
    return fail(parser, "unknown option %s; see 'treemill%s%s --help=all' for those accepted",
                quoted, gap, verb);
}

/* The row that name (length bytes) means for the verb: exactly, or as the only one that begins
 * so. Sets *found. */
static int find_long(struct parser *parser, const char *name, size_t length,
                     const struct option_row **found)
{
    char list[OPTIONS_REASON_BYTES] = "", quoted[QUOTED_BYTES], whole[64];
    size_t count, matches = 0;
    const struct option_row *rows = options_rows(&count);

    *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!option_serves(&rows[i], parser->verb) || strncmp(rows[i].name, name, length) != 0)
            continue;
        if (strlen(rows[i].name) == length) {
            *found = &rows[i];
            return 0;
        }
        if (rows[i].hidden)
            continue;
        *found = &rows[i];
        matches++;
        options_append_name(list, sizeof(list), "--", rows[i].name);
    }
    if (matches == 1 && length > 0)
        return 0;
    if (matches > 1 && length > 0)
        return fail(parser, "option %s is ambiguous (accepted: %s)",
                    quote_text(name - 2, length + 2, quoted, sizeof(quoted)), list);
    snprintf(whole, sizeof(whole), "%.*s", (int)(length < sizeof(whole) ? length : sizeof(whole)),
             name);
    return fail_unknown_option(parser, whole, 0);
}

/* The next argument as the value of an option that was given without one. */
static const char *take_value(struct parser *parser)
{
    return parser->next < parser->argc ? parser->argv[parser->next++] : NULL;
}

static int fail_no_value(struct parser *parser, const struct option_row *row, const char *label)
{
    char list[OPTIONS_REASON_BYTES] = "";
    if (!row->choices)
        return fail(parser, "option %s needs a value: %s", label, row->argument);
    options_append_choices(list, sizeof(list), row->choices);
    return fail(parser, "option %s needs a value: %s (accepted: %s)", label, row->argument, list);
}

static int parse_long(struct parser *parser, const char *word)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    const char *value = equals ? equals + 1 : NULL;
    const struct option_row *row;
    char label[80], quoted[QUOTED_BYTES];

    int error = find_long(parser, name, equals ? (size_t)(equals - name) : strlen(name), &row);
    if (error)
        return error;
    row_label(row, false, label, sizeof(label));
    if (!row->argument && value)
        return fail(parser, "option %s takes no value, but was given %s", label,
                    quote_text(value, strlen(value), quoted, sizeof(quoted)));
    if (row->argument && !row->optional && !value) {
        value = take_value(parser);
        if (!value)
            return fail_no_value(parser, row, label);
    }
    return apply(parser, row, label, value, false);
}

/* -6, -19, -9kf: the level, as in gzip and zstd. */
static const struct option_row *level_row(const struct parser *parser, char digit)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    if (digit < '1' || digit > '9')
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, "level") == 0 && option_serves(&rows[i], parser->verb))
            return &rows[i];
    return NULL;
}

/* -xq, -T4, -T 4: letters that take no value may be followed by more letters. */
static int parse_letters(struct parser *parser, const char *word)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    char label[80];

    for (const char *letter = word + 1; *letter; letter++) {
        const struct option_row *row = level_row(parser, *letter);
        if (row) {
            int digits = (int)strspn(letter, "0123456789");
            snprintf(label, sizeof label, "-%.*s", digits, letter);
            int error = apply(parser, row, label, label + 1, false);
            if (error)
                return error;
            letter += digits - 1;
            continue;
        }
        for (size_t i = 0; i < count && !row; i++) {
            if (rows[i].letter == *letter && option_serves(&rows[i], parser->verb))
                row = &rows[i];
        }
        if (!row)
            return fail_unknown_option(parser, NULL, *letter);
        row_label(row, true, label, sizeof(label));
        if (!row->argument || row->optional) {
            int error = apply(parser, row, label, NULL, false);
            if (error)
                return error;
            continue;
        }
        const char *value = letter[1] ? letter + 1 : take_value(parser);
        if (!value)
            return fail_no_value(parser, row, label);
        return apply(parser, row, label, value, false);
    }
    return 0;
}

/* Values from the environment, for the options of the verb; an empty variable is as good as none,
 * so that it can be switched off in front of a command. */
static int parse_environment(struct parser *parser, options_lookup *lookup)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    const char *no_color = lookup("NO_COLOR"); /* https://no-color.org */

    if (no_color && *no_color)
        parser->options->color = COLOR_NEVER;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].environment || !option_serves(&rows[i], parser->verb))
            continue;
        const char *value = lookup(rows[i].environment);
        int error = value && *value ? apply(parser, &rows[i], rows[i].environment, value, true) : 0;
        if (error)
            return error;
    }
    return 0;
}

static int parse_operand(struct parser *parser, const char *word)
{
    const struct verb_row *verb = &options_verbs()[parser->verb];
    char list[OPTIONS_REASON_BYTES] = "", quoted[QUOTED_BYTES];

    quote_text(word, strlen(word), quoted, sizeof(quoted));
    if (verb->operands_max == 0)
        return fail(parser, "%s takes no operand, but was given %s", verb->name, quoted);
    if (parser->options->operands.count >= verb->operands_max)
        return fail(parser, "%s takes only one %s, %s is too much", verb->name, verb->operand_name,
                    quoted);
    if (verb->operand_choices && options_choice_find(verb->operand_choices, word) < 0) {
        if (options_choice_find(verb->operand_choices, verb_name(VERB_HELP)) >= 0)
            return fail_unknown_verb(parser, word);
        const char *nearest = nearest_of(verb->operand_choices, word, strlen(word));
        if (nearest)
            return fail(parser, "%s: unknown %s %s; did you mean '%s'?", verb->name,
                        verb->operand_name, quoted, nearest);
        options_append_choices(list, sizeof(list), verb->operand_choices);
        return fail(parser, "%s: unknown %s %s (accepted: %s)", verb->name, verb->operand_name,
                    quoted, list);
    }
    return options_list_append(&parser->options->operands, word) ? fail_memory(parser) : 0;
}

/* What can only be said of the whole line. */
static int check_together(struct parser *parser)
{
    struct options *options = parser->options;
    const struct verb_row *verb = &options_verbs()[parser->verb];

    if (options->operands.count + options->files_from.count < verb->operands_min) {
        options->show_usage = parser->argc == 2;
        return fail(parser, "%s needs %s%s; see 'treemill %s --help'", verb->name,
                    verb->operands_max > 1 ? "at least one " : "a ", verb->operand_name,
                    verb->name);
    }
    if (options->null_separated && parser->verb != VERB_LIST && options->files_from.count == 0)
        return fail(parser, "option -0 (--null) needs --files-from=FILE");
    if (options->scan_first && options->dry_run)
        return fail(parser, "--scan-first and --dry-run exclude each other");
    if (options->keep && options->remove_source)
        return fail(parser, "--keep and --remove-source exclude each other");
    if (options->min_size_bytes > options->max_size_bytes)
        return fail(parser, "--min-size (%llu bytes) is above --max-size (%llu bytes)",
                    (unsigned long long)options->min_size_bytes,
                    (unsigned long long)options->max_size_bytes);
    return 0;
}

static int parse_words(struct parser *parser, options_lookup *lookup)
{
    struct options *options = parser->options;
    bool only_operands = false;
    int error = 0;

    while (!error && parser->next < parser->argc) {
        const char *word = parser->argv[parser->next++];
        bool is_option = !only_operands && word[0] == '-' && word[1];
        if (is_option && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (is_option) {
            error = word[1] == '-' ? parse_long(parser, word) : parse_letters(parser, word);
            if (!error && (options->show_help || options->show_version))
                return 0;
        } else if (parser->verb != VERB_NONE) {
            error = parse_operand(parser, word);
        } else {
            parser->verb = options->verb = options_find_verb(word);
            error = parser->verb == VERB_NONE ? fail_unknown_verb(parser, word)
                                              : parse_environment(parser, lookup);
        }
    }
    if (error)
        return error;
    if (parser->verb == VERB_NONE)
        return fail_no_verb(parser);
    return check_together(parser);
}

int options_parse(int argc, char *const *argv, options_lookup *lookup, struct options *options,
                  char *error, size_t capacity)
{
    struct parser parser = {.options = options,
                            .argc = argc,
                            .argv = argv,
                            .next = 1,
                            .verb = VERB_NONE,
                            .error = error,
                            .capacity = capacity};

    options_defaults(options);
    if (capacity)
        error[0] = '\0';
    int result = parse_words(&parser, lookup);
    if (result) {
        options_release(options);
        return result;
    }
    options->help_verb = options->verb;
    if (options->verb == VERB_HELP && !options->show_help && !options->show_version &&
        !options->show_table) {
        options->show_help = HELP_SHORT;
        options->help_verb = VERB_NONE;
        if (options->operands.count)
            options->help_verb = options_find_verb(options->operands.items[0]);
    }
    return 0;
}
