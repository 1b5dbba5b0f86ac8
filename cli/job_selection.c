/* The options' rules as the selection that the walk asks. */
#include "cli/job.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/select.h"

static bool add_rule(struct job *job, const struct option_rule *rule)
{
    char text[256] = "";
    int error = 0;
    size_t bytes = rule->text ? strlen(rule->text) : 0;
    switch (rule->kind) {
    case RULE_EXCLUDE:
        error = selection_add_exclude(job->selection, rule->text, bytes);
        break;
    case RULE_INCLUDE:
        error = selection_add_include(job->selection, rule->text, bytes);
        break;
    case RULE_EXCLUDE_VCS:
        error = selection_add_vcs(job->selection);
        break;
    case RULE_EXCLUDE_FROM:
        error = selection_add_exclude_file(job->selection, rule->text, text, sizeof text);
        if (error)
            report_error_text(job->report, rule->text, "exclude", "%s", text);
        break;
    }
    if (error && rule->kind != RULE_EXCLUDE_FROM)
        report_error_text(job->report, rule->text, "pattern", "%s", strerror(-error));
    job->failed |= error != 0;
    return !error;
}

static void fail_newer(struct job *job, const char *text, int error)
{
    struct timespec moment;
    char quoted[100];
    if (error == ENOENT && parse_moment(text, &moment) == -ERANGE)
        job_usage(job, "--newer: %s is neither a date that exists nor a file",
                  quote_text(text, strlen(text), quoted, sizeof quoted));
    else
        job_fatal(job, text, fault_system(TM_OP_STAT, error));
}

bool job_make_selection(struct job *job)
{
    const struct options *options = job->options;
    if (selection_create(&job->selection)) {
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    for (size_t i = 0; i < options->rules.count; i++)
        if (!add_rule(job, &options->rules.items[i]))
            return false;
    /* The parser has compared them already. */
    selection_set_size_limits(job->selection, options->min_size_bytes, options->max_size_bytes);
    if (options->exclude_caches)
        selection_set_exclude_caches(job->selection);
    if (options->newer.text) {
        struct timespec moment = options->newer.moment;
        struct stat status;
        if (!options->newer.is_date) {
            if (stat(options->newer.text, &status) < 0) {
                fail_newer(job, options->newer.text, errno);
                return false;
            }
            moment = status.st_mtim;
        }
        selection_set_newer(job->selection, moment);
    }
    return true;
}
