/* Stages, models and the specs that join them; see parse.h. */
#include "cli/nearest.h"
#include "cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Lists of names, indexed by their enum and ended by NULL, which is how the completions and the
 * "accepted:" part of a message take them. */
#define NAME(identifier, name) name,

static const char *const stage_table[] = {STAGE_LIST(NAME) NULL};
static const char *const model_table[] = {STAGE_MODEL_LIST(NAME) NULL};
static const char *const io_table[] = {STAGE_IO_LIST(NAME) NULL};

static int name_find(const char *const *names, const char *text, size_t length)
{
    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], text, length) == 0)
            return i;
    }
    return -1;
}

static const char *name_of(const char *const *names, int value)
{
    for (int i = 0; names[i]; i++) {
        if (i == value)
            return names[i];
    }
    return "?";
}

const char *stage_name(enum stage_kind stage)
{
    return name_of(stage_table, (int)stage);
}

const char *const *stage_names(void)
{
    return stage_table;
}

const char *const *stage_model_names(void)
{
    return model_table;
}

int stage_find(const char *name, size_t length)
{
    return name_find(stage_table, name, length);
}

/* "a, b, c" */
static void list_names(const char *const *names, char *out, size_t capacity)
{
    size_t used = 0;
    out[0] = '\0';
    for (; *names; names++) {
        int wrote = snprintf(out + used, capacity - used, "%s%s", used ? ", " : "", *names);
        if (wrote < 0 || (size_t)wrote >= capacity - used)
            return;
        used += (size_t)wrote;
    }
}

/* Says that the name (length bytes) is none of the list, and which of it was meant if one is
 * near. */
static void explain_name(const char *what, const char *const *names, const char *text,
                         size_t length, char *reason, size_t capacity)
{
    char quoted[80], accepted[200];
    const char *nearest = nearest_of(names, text, length);

    list_names(names, accepted, sizeof(accepted));
    quote_text(text, length, quoted, sizeof(quoted));
    if (nearest)
        snprintf(reason, capacity, "%s %s is unknown; did you mean '%s'? (accepted: %s)", what,
                 quoted, nearest, accepted);
    else
        snprintf(reason, capacity, "%s %s is unknown (accepted: %s)", what, quoted, accepted);
}

/* One name of a list; on error says which are accepted. */
static int parse_name(const char *what, const char *const *names, const char *text, size_t length,
                      int *value, char *reason, size_t capacity)
{
    int found = name_find(names, text, length);

    if (found >= 0) {
        *value = found;
        return 0;
    }
    explain_name(what, names, text, length, reason, capacity);
    return -EINVAL;
}

/* Number or "auto" in text (length bytes), for counts that may be left to the program. */
static int parse_auto_count(const char *what, const char *text, size_t length, unsigned maximum,
                            unsigned *count, char *reason, size_t capacity)
{
    char copy[24], quoted[80];
    uint64_t value = 0;
    bool is_auto = length == 4 && memcmp(text, "auto", 4) == 0;

    if (!is_auto) {
        bool fits = length < sizeof(copy);
        if (fits) {
            memcpy(copy, text, length);
            copy[length] = '\0';
        }
        if (!fits || strlen(copy) != length || parse_count(copy, maximum, &value)) {
            snprintf(reason, capacity, "%s %s is not accepted (accepted: 1 to %u, 0 or auto)", what,
                     quote_text(text, length, quoted, sizeof(quoted)), maximum);
            return -EINVAL;
        }
    }
    *count = (unsigned)value;
    return 0;
}

/* One key=value of a spec. */
static int parse_stage_key(const char *text, size_t length, struct stage_spec *spec, char *reason,
                           size_t capacity)
{
    char quoted[80];
    int value = 0, error;

    if (length > 3 && memcmp(text, "io=", 3) == 0) {
        error = parse_name("engine", io_table, text + 3, length - 3, &value, reason, capacity);
        if (!error)
            spec->io = (enum stage_io)value;
        return error;
    }
    if (length > 6 && memcmp(text, "loops=", 6) == 0)
        return parse_auto_count("number of loops", text + 6, length - 6, STAGE_LOOPS_MAX,
                                &spec->loops, reason, capacity);
    if (length > 6 && memcmp(text, "depth=", 6) == 0)
        return parse_auto_count("depth", text + 6, length - 6, STAGE_IN_FLIGHT_MAX, &spec->depth,
                                reason, capacity);
    if (length > 6 && memcmp(text, "burst=", 6) == 0)
        return parse_auto_count("burst", text + 6, length - 6, STAGE_BURST_MAX, &spec->burst,
                                reason, capacity);
    snprintf(reason, capacity,
             "key %s is unknown (accepted: io=ENGINE, loops=COUNT, depth=COUNT, burst=COUNT)",
             quote_text(text, length, quoted, sizeof(quoted)));
    return -EINVAL;
}

/* Keys that say something about a loop need one, and say it once. */
static int check_stage_keys(enum stage_kind stage, const struct stage_spec *spec, bool has_loop,
                            char *reason, size_t capacity)
{
    const char *text = NULL;
    bool blocks = spec->io == STAGE_IO_AUTO || spec->io == STAGE_IO_SYNC;
    bool may_burst = stage == STAGE_READ && blocks &&
                     (spec->model == STAGE_MODEL_THREADS || spec->model == STAGE_MODEL_AUTO);
    if (has_loop && spec->io != STAGE_IO_AUTO)
        text = "io= is for the models threads and processes";
    else if (spec->loops && !has_loop)
        text = "loops= needs the model uring or epoll";
    else if (spec->depth && spec->io != STAGE_IO_URING && spec->io != STAGE_IO_EPOLL)
        text = "depth= needs the engine uring or epoll (io=)";
    else if (spec->model == STAGE_MODEL_INLINE && spec->io != STAGE_IO_AUTO)
        text = "model inline works as the stage before it does";
    else if (spec->burst && !may_burst)
        text = "burst= is for reading by threads without a loop";
    if (!text)
        return 0;
    snprintf(reason, capacity, "%s", text);
    return -EINVAL;
}

int parse_stage_spec(enum stage_kind stage, const char *text, size_t length,
                     struct stage_spec *spec, char *reason, size_t capacity)
{
    struct stage_spec result = {.given_by = spec->given_by};
    const char *end = text + length;
    const char *comma = memchr(text, ',', length);
    size_t head_length = comma ? (size_t)(comma - text) : length;
    const char *colon = memchr(text, ':', head_length);
    int model = 0;
    int error = parse_name("model", model_table, text, colon ? (size_t)(colon - text) : head_length,
                           &model, reason, capacity);
    if (error)
        return error;
    result.model = (enum stage_model)model;

    bool has_loop = result.model == STAGE_MODEL_URING || result.model == STAGE_MODEL_EPOLL;
    if (colon) {
        const char *count = colon + 1;
        error = parse_auto_count("count", count, (size_t)(text + head_length - count),
                                 has_loop ? STAGE_IN_FLIGHT_MAX : STAGE_WORKERS_MAX, &result.count,
                                 reason, capacity);
        if (error)
            return error;
        if (result.model == STAGE_MODEL_INLINE && result.count > 1) {
            snprintf(reason, capacity, "model inline has one worker, not %u", result.count);
            return -EINVAL;
        }
    }
    while (comma) {
        const char *key = comma + 1;
        comma = memchr(key, ',', (size_t)(end - key));
        error =
            parse_stage_key(key, (size_t)((comma ? comma : end) - key), &result, reason, capacity);
        if (error)
            return error;
    }
    error = check_stage_keys(stage, &result, has_loop, reason, capacity);
    if (error)
        return error;
    *spec = result;
    return 0;
}

static void trim(const char **text, size_t *length)
{
    while (*length && isspace((unsigned char)**text)) {
        ++*text;
        --*length;
    }
    while (*length && isspace((unsigned char)(*text)[*length - 1]))
        --*length;
}

int parse_stages(const char *text, enum stage_given given_by, struct stage_spec stages[STAGE_COUNT],
                 char *reason, size_t capacity)
{
    char quoted[80], inner[320];
    struct stage_spec result[STAGE_COUNT];

    memcpy(result, stages, sizeof(result));
    for (const char *next = text; next;) {
        const char *part = next;
        const char *semicolon = strchr(part, ';');
        size_t length = semicolon ? (size_t)(semicolon - part) : strlen(part);
        next = semicolon ? semicolon + 1 : NULL;
        trim(&part, &length);
        if (length == 0)
            continue;

        const char *equals = memchr(part, '=', length);
        size_t name_length = equals ? (size_t)(equals - part) : length;
        int stage = stage_find(part, name_length);
        if (stage < 0 || !equals) {
            quote_text(part, name_length, quoted, sizeof(quoted));
            if (stage < 0)
                explain_name("stage", stage_table, part, name_length, reason, capacity);
            else
                snprintf(reason, capacity, "stage %s has no model (accepted: %s=MODEL[:COUNT])",
                         quoted, stage_table[stage]);
            return -EINVAL;
        }
        struct stage_spec spec = {.given_by = given_by};
        if (parse_stage_spec((enum stage_kind)stage, equals + 1, length - name_length - 1, &spec,
                             inner, sizeof(inner))) {
            snprintf(reason, capacity, "stage %s: %s", stage_table[stage], inner);
            return -EINVAL;
        }
        if (given_by >= result[stage].given_by)
            result[stage] = spec;
    }
    memcpy(stages, result, sizeof(result));
    return 0;
}
