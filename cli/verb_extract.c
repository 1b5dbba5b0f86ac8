/* treemill extract: archive ─▶ read ─▶ decompress ─▶ scan ─▶ hash ─▶ write, and in order what has
 * to be made in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/archive_in.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/manifest_out.h"
#include "cli/verbs.h"
#include "stages/extract.h"
#include "stages/metadata.h"
#include "stages/target.h"
#include "stages/temporary.h"
#include "stages/text.h"

struct extract_verb {
    struct job job;
    struct archive_in archive;
    struct hash_job hash;
    struct extract_job extract;
    struct extract_order *order;
    struct manifest_out *manifest; /* NULL: none is asked for */
    bool ended;                    /* all of the archive has been through the stages */
};

static const struct hash_job *hash_of(const struct extract_verb *verb)
{
    const struct options *options = verb->job.options;
    return options->manifest || options->algorithms.count ? &verb->hash : NULL;
}

/* The sink. */

static int take_record(void *context, const struct item_view *view, unsigned index)
{
    struct extract_verb *verb = context;
    struct job *job = &verb->job;
    struct file_record *file = &batch_of(view)->file[index];
    int error = extract_order_take(verb->order, view, index);
    if (error || job_ends_by_write(job, view, file))
        return error;
    if (file->fault.kind == TM_FAULT_CORRUPT || file->fault.kind == TM_FAULT_TRUNCATED)
        job->malformed++;
    if (file->flags & FILE_NO_ATTRIBUTES && verb->extract.attribute_kinds)
        report_error_text(job->report, batch_path(view, file), "read",
                          "some extended attributes are left out");
    if (!job_take_record(job, view, file))
        return 0;
    if (file->state == FILE_STREAM) /* its bytes did not go through the stage that counts */
        job_add(&job->unsized_bytes, file->stat.size_bytes);
    file->algorithms = verb->extract.algorithms; /* where all digests are: see extract.h */
    error = manifest_out_add(verb->manifest, view, index, false);
    return !error && job->events ? job_send_event(job, hash_of(verb), view, index) : error;
}

static int take_batch(void *context, const struct item_view *view)
{
    struct extract_verb *verb = context;
    return archive_in_take(&verb->archive, view, take_record, verb);
}

/* Before. */

static bool open_target(struct extract_verb *verb)
{
    struct job *job = &verb->job;
    const struct options *options = job->options;
    const char *path = options->directory ? options->directory : ".";
    struct timespec now;
    int error = 0;
    clock_gettime(CLOCK_REALTIME_COARSE, &now); /* the clock that files get their times from */
    bool is_new = options->directory && mkdir(path, 0777) == 0;
    if (options->directory && !is_new && errno != EEXIST)
        error = -errno;
    verb->extract.target = error ? error : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (verb->extract.target < 0) {
        job_fatal(job, path, fault_system(TM_OP_OPEN, error ? error : -errno));
        return false;
    }
    if (!is_new)
        temporary_sweep(verb->extract.target, NULL);
    verb->extract.began_ns = now.tv_sec * 1000000000 + now.tv_nsec;
    return true;
}

/* Labels, capabilities and what only the superuser sees give rights, as setuid bits do. */
static unsigned attribute_kinds(const struct options *options)
{
    if (!options->xattrs)
        return 0;
    return options->preserve_permissions ? METADATA_ALL : METADATA_USER | METADATA_ACL;
}

static void set_up(struct extract_verb *verb)
{
    const struct options *options = verb->job.options;
    uint32_t mask = (uint32_t)umask(0);
    umask((mode_t)mask);
    verb->extract = (struct extract_job){
        .target = -1,
        .overwrite = options->force ? EXTRACT_ALWAYS : (enum extract_overwrite)options->overwrite,
        .umask = mask,
        .keeps_mode = options->preserve_permissions,
        .keeps_owner = options->same_owner,
        .makes_devices = options->devices,
        .safe_links = options->safe_links,
        .attribute_kinds = attribute_kinds(options),
        .sync = options->fsync != FSYNC_NONE,
        .algorithms = hash_of(verb) ? verb->hash.algorithms : 0,
    };
}

/* Where it may write besides the manifest. */
static bool add_places(struct extract_verb *verb)
{
    struct job *job = &verb->job;
    job->is_exposed = true;
    job->sandbox.moves = true; /* hard links from one directory to another */
    job->sandbox.looks_up_names = verb->extract.keeps_owner;
    return job_may_write(job, (struct sandbox_place){.fd = verb->extract.target}) &&
           job_may_write(job,
                         (struct sandbox_place){.path = temporary_directory(), .may_lack = true});
}

static bool prepare(struct extract_verb *verb)
{
    struct job *job = &verb->job;
    const struct options *options = job->options;
    uint32_t algorithms = job_algorithms(options);
    verb->hash = job_hash_setup(options, algorithms ? algorithms : 1u << DIGEST_SHA256);
    job->takes_members = true;
    if (!job_check_outputs(job, false) || !archive_in_open(&verb->archive, false))
        return false;
    if (options->manifest && !manifest_out_open(job, &verb->hash, &verb->manifest))
        return false;
    set_up(verb);
    if (!open_target(verb) || !add_places(verb) ||
        !archive_in_plan(&verb->archive, hash_of(verb), &verb->extract, take_batch, verb))
        return false;
    int error = extract_order_create(&verb->extract, &verb->order);
    if (error)
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, error));
    return !error;
}

/* After. */

/* What a hard link is a link to may not have been asked for, or is not there for another reason. */
static void report_link(struct extract_verb *verb, const char *path, const char *linked,
                        struct tm_fault fault)
{
    char name[256], operation[sizeof name + 16];
    text_escape_terminal(linked, strnlen(linked, sizeof name / 4 - 1), name, sizeof name);
    snprintf(operation, sizeof operation, "link to %s", name);
    report_error_text(verb->job.report, path, operation, "%s", strerror((int)fault.detail));
}

static void told(void *context, const char *path, uint32_t mode, const char *linked,
                 struct tm_fault fault)
{
    struct extract_verb *verb = context;
    (void)mode;
    if (!verb->ended || verb->job.failed) /* much is missing then, and why has been said */
        return;
    if (linked && fault.kind == TM_FAULT_SYSTEM && fault.detail == ENOENT)
        report_link(verb, path, linked, fault);
    else if (fault.kind == TM_FAULT_UNSAFE || fault.kind == TM_FAULT_SPECIAL)
        report_skipped(verb->job.report, path, fault);
    else if (fault_is_set(fault))
        report_error(verb->job.report, path, fault, NULL);
}

static void finish(struct extract_verb *verb, bool ended)
{
    struct job *job = &verb->job;
    verb->ended = ended;
    int error = extract_order_end(verb->order, told, verb);
    if (error && !job->failed)
        job_fatal(job, NULL, fault_system(TM_OP_WRITE, error));
    if (verb->archive.was_absolute)
        report_warning(job->report, verb->archive.name,
                       "leading slashes are taken off the names of members");
    if (!ended || job->failed)
        return;
    archive_in_report_missing(&verb->archive);
    manifest_out_publish(verb->manifest, job);
}

int verb_extract(const struct options *options)
{
    static struct extract_verb verb; /* large; one job a process */
    verb.archive.job = &verb.job;
    verb.archive.fd = verb.extract.target = -1;
    if (job_begin(&verb.job, options, "extract", "extracted") && prepare(&verb))
        finish(&verb, job_run_source(&verb.job, archive_in_run, &verb.archive));
    extract_order_destroy(verb.order);
    manifest_out_destroy(verb.manifest);
    archive_in_close(&verb.archive);
    if (verb.extract.target >= 0)
        close(verb.extract.target);
    return job_end(&verb.job);
}
