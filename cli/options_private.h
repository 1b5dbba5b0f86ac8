/* What the files of the option parser share; nothing for others. */
#ifndef TREEMILL_CLI_OPTIONS_PRIVATE_H
#define TREEMILL_CLI_OPTIONS_PRIVATE_H

#include "cli/options.h"

enum { OPTIONS_REASON_BYTES = 400 }; /* what is wrong with a value, and what is accepted */

static inline bool option_serves(const struct option_row *row, enum verb verb)
{
    return verb == VERB_NONE ? row->program : (row->verbs >> verb & 1u) != 0;
}

/* Puts the value (NULL for options that take none) where the row says. 0, -EINVAL with a reason
 * (OPTIONS_REASON_BYTES), or -ENOMEM. */
int options_set(const struct option_row *row, const char *value, bool from_environment,
                struct options *options, char *reason);

/* 0 or -ENOMEM, the list unchanged then. */
int options_list_append(struct option_list *list, const char *text);

/* Index of text in a NULL-terminated list, or -1. */
int options_choice_find(const char *const *choices, const char *text);

/* Appends PREFIX NAME to a list for a message, after ", " if it is not empty; what does not fit
 * is left out. */
void options_append_name(char *list, size_t capacity, const char *prefix, const char *name);
void options_append_choices(char *list, size_t capacity, const char *const *choices);

/* The row of that name among those of the verb (VERB_NONE: of the program), or NULL. */
const struct option_row *options_find_row(enum verb verb, const char *name);

/* Whether the verb's help shows the option before all others. */
bool options_is_common(enum verb verb, const struct option_row *row);

/* Whether the verb is a job whose stages can be chosen. */
bool options_has_stages(enum verb verb);

/* Whether the variable concerns the verb; each concerns the program (VERB_NONE). */
bool options_environment_serves(const struct environment_row *row, enum verb verb);

/* The text of help as a sentence: with a full stop, and a capital unless it begins with one of the
 * choices (NULL: none) or another name, which a colon follows. */
void options_sentence(const char *help, const char *const *choices, char *sentence,
                      size_t capacity);
/* The manual page's section on events, from their table (options_events.c). */
void options_print_events(FILE *stream);

/* parse() of the rows with values of a form of their own (options_set.c). */
int options_set_stages(const char *value, bool from_environment, struct options *options,
                       char *reason, size_t capacity);
int options_set_memory(const char *value, bool from_environment, struct options *options,
                       char *reason, size_t capacity);
int options_set_newer(const char *value, bool from_environment, struct options *options,
                      char *reason, size_t capacity);
int options_set_on_change(const char *value, bool from_environment, struct options *options,
                          char *reason, size_t capacity);
/* In the order of enum change_policy; the last one takes a number. */
extern const char *const options_changes[];

#endif
