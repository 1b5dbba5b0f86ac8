/* Where a job writes, as far as that is known before it begins, and holding it to that. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/job.h"

bool job_may_write(struct job *job, struct sandbox_place place)
{
    size_t count = job->place_count;
    const char *path = place.path;
    if (path && count && job->places[count - 1].path &&
        strcmp(path, job->places[count - 1].path) == 0)
        return true; /* files of one directory, one after another */
    struct sandbox_place *places = realloc(job->places, (count + 1) * sizeof *places);
    if (places) {
        job->places = places;
        place.path = path ? strdup(path) : NULL;
        places[count] = place;
    }
    if (!places || (path && !place.path)) {
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    job->place_count++;
    return true;
}

bool job_may_write_beside(struct job *job, const char *path, bool may_lack)
{
    char *copy = strdup(path);
    if (!copy) {
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    bool good =
        job_may_write(job, (struct sandbox_place){.path = dirname(copy), .may_lack = may_lack});
    free(copy);
    return good;
}

void job_free_places(struct job *job)
{
    for (size_t i = 0; i < job->place_count; i++)
        free((char *)job->places[i].path);
    free(job->places);
    job->places = NULL;
    job->place_count = 0;
}

/* Outputs beside the operands and the files below them, or these are removed. */
static bool add_operands(struct job *job)
{
    const struct options *options = job->options;
    struct stat status;
    if (options->files_from.count)
        job->unknown_places = "where --files-from leads is not known beforehand";
    if (options->dereference)
        job->unknown_places = "where --dereference leads is not known beforehand";
    for (size_t i = 0; i < options->operands.count; i++) {
        const char *path = options->operands.items[i];
        bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
        struct sandbox_place place = {.path = path, .may_lack = true};
        if (is_directory ? !job_may_write(job, place) : !job_may_write_beside(job, path, true))
            return false;
    }
    return true;
}

/* Nothing that others have put there leads elsewhere. */
static bool is_empty(const char *path)
{
    DIR *stream = opendir(path);
    unsigned entries = 0;
    while (stream && entries < 3 && readdir(stream))
        entries++;
    bool empty = stream && entries == 2; /* . and .. */
    if (stream)
        closedir(stream);
    return empty;
}

bool job_add_places(struct job *job, bool to_stdout)
{
    const struct options *options = job->options;
    if (to_stdout)
        return true;
    if (!options->output)
        return add_operands(job);
    job->may_follow_links = !is_empty(options->output);
    return job_may_write(job, (struct sandbox_place){.path = options->output}) &&
           (!options->remove_source || add_operands(job));
}

/* Why --sandbox=auto leaves the job alone; NULL: it does not. The sandbox must not be in the way of
 * what works without it, and it makes opening a file slower: the kernel asks each directory above
 * whether the file could be truncated (measured: 3.7 us instead of 2.4 to open and close one eight
 * directories deep). That is worth it where data of others is taken apart. */
static const char *why_not_auto(const struct job *job)
{
    if (!job->is_exposed)
        return "the job takes nothing apart that others have made";
    if (job->unknown_places)
        return job->unknown_places;
    if (job->may_follow_links)
        return "the output directory is not empty: links in it may lead elsewhere";
    return NULL;
}

static bool leave_out(struct job *job, const char *why)
{
    if (job->options->sandbox == SANDBOX_REQUIRE) {
        job_usage(job, "--sandbox=require: %s", why);
        return false;
    }
    report_note(job->report, NULL, "sandbox: none: %s", why);
    return true;
}

bool job_enter_sandbox(struct job *job)
{
    char why[SANDBOX_WHY_BYTES], text[SANDBOX_WHY_BYTES];
    bool is_required = job->options->sandbox == SANDBOX_REQUIRE;
    if (job->options->sandbox == SANDBOX_OFF || job->is_sandboxed)
        return true;
    const char *reason = is_required ? job->unknown_places : why_not_auto(job);
    if (reason)
        return leave_out(job, reason);
    int abi = sandbox_probe(why, sizeof why);
    struct sandbox_request request = job->sandbox;
    request.places = job->places;
    request.count = job->place_count;
    request.strict = is_required;
    if (abi < 0 || sandbox_enter(&request, why, sizeof why) < 0)
        return leave_out(job, why);
    job->is_sandboxed = true;
    sandbox_describe(abi, text, sizeof text);
    report_note(job->report, NULL, "sandbox: Landlock %s", text);
    return true;
}
