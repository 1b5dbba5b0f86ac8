/* The values of options: from text to the fields of struct options. */
#include "cli/nearest.h"
#include "cli/options.h"
#include "cli/options_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { QUOTED_BYTES = 100 }; /* a value within a message */

void options_append_name(char *list, size_t capacity, const char *prefix, const char *name)
{
    size_t used = strlen(list);
    size_t needed = strlen(prefix) + strlen(name) + 3;
    if (used + needed <= capacity)
        snprintf(list + used, capacity - used, "%s%s%s", used ? ", " : "", prefix, name);
}

void options_append_choices(char *list, size_t capacity, const char *const *choices)
{
    for (; *choices; choices++)
        options_append_name(list, capacity, "", *choices);
}

int options_list_append(struct option_list *list, const char *text)
{
    const char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    items[list->count++] = text;
    list->items = items;
    return 0;
}

static int rules_append(struct option_rules *rules, enum rule_kind kind, const char *text)
{
    struct option_rule *items = reallocarray(rules->items, rules->count + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    items[rules->count++] = (struct option_rule){.kind = kind, .text = text};
    rules->items = items;
    return 0;
}

int options_choice_find(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0)
            return i;
    }
    return -1;
}

/* Digests are written SHA256 as often as sha256. */
static int algorithm_find(const char *const *choices, const char *text, size_t length)
{
    for (int i = 0; choices[i]; i++) {
        if (strlen(choices[i]) == length && strncasecmp(choices[i], text, length) == 0)
            return i;
    }
    return -1;
}

static void size_text(uint64_t bytes, char *text, size_t capacity)
{
    static const char units[] = {'\0', 'K', 'M', 'G', 'T', 'P', 'E'};
    size_t unit = 0;
    while (bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, capacity, "%llu%.1s", (unsigned long long)bytes, &units[unit]);
}

static int set_size(const struct option_row *row, const char *value, uint64_t *size_bytes,
                    char *reason)
{
    char low[32], high[32];
    uint64_t parsed;

    if (parse_size(value, &parsed) == 0 && parsed >= row->minimum && parsed <= row->maximum) {
        *size_bytes = parsed;
        return 0;
    }
    size_text(row->minimum, low, sizeof(low));
    size_text(row->maximum, high, sizeof(high));
    if (row->maximum == UINT64_MAX)
        snprintf(reason, OPTIONS_REASON_BYTES,
                 "accepted: bytes, or a number with a unit such as 64K, "
                 "1GiB or 500KB, below 16 EiB");
    else
        snprintf(reason, OPTIONS_REASON_BYTES, "accepted: %s to %s, such as 64K, 1MiB or 500KB",
                 low, high);
    return -EINVAL;
}

static int set_count(const struct option_row *row, const char *value, unsigned *count, char *reason)
{
    uint64_t parsed = 0;
    bool may_choose = row->minimum == 0;

    if ((may_choose && strcmp(value, "auto") == 0) ||
        (parse_count(value, row->maximum, &parsed) == 0 && parsed >= row->minimum)) {
        *count = (unsigned)parsed;
        return 0;
    }
    snprintf(reason, OPTIONS_REASON_BYTES, "accepted: %llu to %llu%s",
             (unsigned long long)row->minimum, (unsigned long long)row->maximum,
             may_choose ? " or auto" : "");
    return -EINVAL;
}

static int set_duration(const struct option_row *row, const char *value, uint64_t *duration_ns,
                        char *reason)
{
    uint64_t parsed;
    if (parse_duration(value, &parsed) == 0 && parsed >= row->minimum && parsed <= row->maximum) {
        *duration_ns = parsed;
        return 0;
    }
    snprintf(reason, OPTIONS_REASON_BYTES, "accepted: %.12gs to %.12gs, such as 1s, 500ms or 2m",
             (double)row->minimum / 1e9, (double)row->maximum / 1e9);
    return -EINVAL;
}

/* Appends to the reason which of the choices was meant, if one is near, and which there are. */
static void explain_choices(const char *const *choices, const char *value, size_t length,
                            char *reason)
{
    size_t used = strlen(reason), room = OPTIONS_REASON_BYTES - used;
    const char *nearest = nearest_of(choices, value, length);
    int wrote = nearest ? snprintf(reason + used, room, "did you mean '%s'? Accepted: ", nearest)
                        : snprintf(reason + used, room, "accepted: ");
    char *list = reason + used + wrote;
    options_append_choices(list, room - (size_t)wrote, choices);
}

/* A list of choices separated by commas; later lists add to earlier ones. */
static int set_algorithms(const struct option_row *row, const char *value,
                          struct option_algorithms *algorithms, char *reason)
{
    struct option_algorithms result = *algorithms;
    char quoted[QUOTED_BYTES];

    for (const char *part = value; part;) {
        size_t length = strcspn(part, ",");
        int choice = algorithm_find(row->choices, part, length);
        if (choice < 0) {
            snprintf(reason, OPTIONS_REASON_BYTES, "%s is unknown; ",
                     quote_text(part, length, quoted, sizeof(quoted)));
            explain_choices(row->choices, part, length, reason);
            return -EINVAL;
        }
        bool known = false;
        for (size_t i = 0; i < result.count; i++)
            known = known || result.items[i] == row->choices[choice];
        if (!known && result.count < OPTIONS_ALGORITHMS_MAX)
            result.items[result.count++] = row->choices[choice];
        part = part[length] ? part + length + 1 : NULL;
    }
    *algorithms = result;
    return 0;
}

static int set_choice(const struct option_row *row, const char *value, int *destination,
                      char *reason)
{
    int choice = value ? options_choice_find(row->choices, value) : 0;
    if (choice >= 0) {
        *destination = choice + (row->optional ? 1 : 0);
        return 0;
    }
    explain_choices(row->choices, value, strlen(value), reason);
    return -EINVAL;
}

int options_set(const struct option_row *row, const char *value, bool from_environment,
                struct options *options, char *reason)
{
    void *destination = (char *)options + row->offset;
    struct stage_spec *stages = destination;
    struct stage_spec spec = {.given_by = STAGE_BY_FLAG};

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)destination = true;
        return 0;
    case OPTION_VALUE:
        *(int *)destination = row->value;
        return 0;
    case OPTION_STRING:
    case OPTION_LIST:
    case OPTION_RULE:
        if (value && !*value) {
            snprintf(reason, OPTIONS_REASON_BYTES, "accepted: %s, not empty", row->argument);
            return -EINVAL;
        }
        if (row->kind == OPTION_LIST)
            return options_list_append(destination, value);
        if (row->kind == OPTION_RULE)
            return rules_append(destination, (enum rule_kind)row->value, value);
        *(const char **)destination = value;
        return 0;
    case OPTION_SIZE:
        return set_size(row, value, destination, reason);
    case OPTION_COUNT:
        return set_count(row, value, destination, reason);
    case OPTION_DURATION:
        return set_duration(row, value, destination, reason);
    case OPTION_CHOICE:
        return set_choice(row, value, destination, reason);
    case OPTION_ALGORITHM:
        return set_algorithms(row, value, destination, reason);
    case OPTION_STAGE:
        if (parse_stage_spec((enum stage_kind)row->value, value, strlen(value), &spec, reason,
                             OPTIONS_REASON_BYTES))
            return -EINVAL;
        stages[row->value] = spec;
        return 0;
    case OPTION_CALLBACK:
        return row->parse(value, from_environment, options, reason, OPTIONS_REASON_BYTES);
    }
    return -EINVAL;
}

void options_release(struct options *options)
{
    free(options->operands.items);
    free(options->rules.items);
    free(options->files_from.items);
    for (size_t i = 0; i < options->resolved_count; i++)
        free(options->resolved[i]);
    free(options->resolved);
    options->operands = (struct option_list){0};
    options->rules = (struct option_rules){0};
    options->files_from = (struct option_list){0};
    options->resolved = NULL;
    options->resolved_count = 0;
}
