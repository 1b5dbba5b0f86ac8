/* The values that have a form of their own. */
#include "cli/nearest.h"
#include "cli/options_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const options_changes[] = {"warn", "fail", "retry:", NULL};

int options_set_stages(const char *value, bool from_environment, struct options *options,
                       char *reason, size_t capacity)
{
    return parse_stages(value, from_environment ? STAGE_BY_ENVIRONMENT : STAGE_BY_STAGES,
                        options->stage, reason, capacity);
}

int options_set_memory(const char *value, bool from_environment, struct options *options,
                       char *reason, size_t capacity)
{
    struct option_memory memory = {0};
    (void)from_environment;
    if (parse_percent(value, &memory.percent) != 0 &&
        (parse_size(value, &memory.bytes) != 0 || memory.bytes < (UINT64_C(1) << 20))) {
        snprintf(reason, capacity, "accepted: 1M or more, such as 64M or 1GiB, or 1%% to 100%%");
        return -EINVAL;
    }
    options->memory = memory;
    return 0;
}

int options_set_newer(const char *value, bool from_environment, struct options *options,
                      char *reason, size_t capacity)
{
    struct option_newer newer = {.text = value};
    (void)from_environment;
    if (!*value) {
        snprintf(reason, capacity, "accepted: YYYY-MM-DD, 'YYYY-MM-DD hh:mm', @SECONDS or a file");
        return -EINVAL;
    }
    newer.is_date = parse_moment(value, &newer.moment) == 0;
    options->newer = newer;
    return 0;
}

int options_set_on_change(const char *value, bool from_environment, struct options *options,
                          char *reason, size_t capacity)
{
    enum { RETRIES_MAX = 100 };
    const char *const retry = options_changes[CHANGE_RETRY];
    uint64_t retries = 0;
    (void)from_environment;

    for (int i = 0; i < CHANGE_RETRY; i++) {
        if (strcmp(value, options_changes[i]) == 0) {
            options->on_change = i;
            return 0;
        }
    }
    if (strncmp(value, retry, strlen(retry)) == 0 &&
        parse_count(value + strlen(retry), RETRIES_MAX, &retries) == 0 && retries > 0) {
        options->on_change = CHANGE_RETRY;
        options->on_change_retries = (unsigned)retries;
        return 0;
    }
    bool is_number = strncmp(value, retry, strlen(retry)) == 0; /* it is that which is wrong */
    const char *nearest =
        is_number ? NULL : nearest_of(options_changes, value, strcspn(value, ":"));
    if (nearest)
        snprintf(reason, capacity, "did you mean '%s%s'? Accepted: warn, fail, retry:1 to retry:%d",
                 nearest, nearest == retry ? "1" : "", RETRIES_MAX);
    else
        snprintf(reason, capacity, "accepted: warn, fail, retry:1 to retry:%d", RETRIES_MAX);
    return -EINVAL;
}
