/* treemill verify --archive: archive ─▶ read ─▶ decompress ─▶ scan ─▶ hash ─▶ write, which makes
 * nothing ─▶ what was found, by path; then results, in the order of the manifests.
 *
 * Nothing is told before the archive has been read to its end: of several members of one name the
 * last one counts, as it is the one that extraction leaves. A hard link is what its target is when
 * the link comes. */
#include "cli/verify_archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/archive_in.h"
#include "cli/expected.h"
#include "cli/job.h"
#include "cli/manifests.h"
#include "cli/verdict.h"
#include "stages/digest.h"
#include "stages/extract.h"
#include "stages/member_hash.h"

struct verify_archive {
    struct job job;
    struct archive_in archive;
    struct hash_job hash;
    struct extract_job extract;
    struct extract_order *order;
    struct manifests *manifests;
    struct expected *expected;
    struct verdicts verdicts;
    /* Where in the archive names are relative to, cleaned; NULL: its root. */
    char *directory;
    size_t directory_bytes;
    uint64_t malformed_members; /* among job.malformed; the rest is the archive itself */
};

static const struct hash_job *hash_of(const struct verify_archive *verb)
{
    return verb->hash.algorithms ? &verb->hash : NULL;
}

static bool fail(struct verify_archive *verb, int error)
{
    job_fatal(&verb->job, NULL, fault_system(TM_OP_MEMORY, error));
    return false;
}

/* The manifests. */

/* The member that a name stands for; a name that no member can have stays what it is. Allocated;
 * NULL: no memory. */
static char *member_path(const struct verify_archive *verb, const char *name, size_t bytes,
                         size_t *path_bytes)
{
    size_t lead = verb->directory ? verb->directory_bytes + 1 : 0;
    char *path = malloc(lead + bytes + 2);
    bool was_absolute;
    if (!path)
        return NULL;
    ptrdiff_t clean_bytes = member_clean(name, bytes, path + lead, &was_absolute);
    if (clean_bytes < 0) {
        memcpy(path, name, bytes);
        *path_bytes = bytes;
        return path;
    }
    if (lead) {
        memcpy(path, verb->directory, lead - 1);
        path[lead - 1] = '/';
    }
    *path_bytes = lead + (size_t)clean_bytes;
    return path;
}

static int add_line(struct verify_archive *verb, const struct walk_name *line)
{
    size_t path_bytes;
    char *path = member_path(verb, line->text, line->bytes, &path_bytes);
    int error = path ? expected_add(verb->expected, line, path, path_bytes) : -ENOMEM;
    free(path);
    return error;
}

static bool read_manifests(struct verify_archive *verb)
{
    struct job *job = &verb->job;
    const char *failed_path = NULL;
    struct walk_name line;
    int error = manifests_open(job->options, digest_all_available(), job->report, NULL,
                               &verb->manifests, &failed_path);
    if (error) {
        job_fatal(job, failed_path, fault_system(TM_OP_OPEN, error));
        return false;
    }
    while (!error && manifests_next(verb->manifests, true, &line) == WALK_NAME)
        error = add_line(verb, &line);
    return !error || fail(verb, error);
}

static bool find_directory(struct verify_archive *verb)
{
    const char *directory = verb->job.options->directory;
    bool was_absolute;
    if (!directory)
        return true;
    verb->directory = malloc(strlen(directory) + 2);
    if (!verb->directory)
        return fail(verb, -ENOMEM);
    ptrdiff_t bytes = member_clean(directory, strlen(directory), verb->directory, &was_absolute);
    if (bytes < 0) {
        job_usage(&verb->job, "--directory: no member can be below '%s'", directory);
        return false;
    }
    if (strcmp(verb->directory, ".") == 0) {
        free(verb->directory);
        verb->directory = NULL;
    }
    verb->directory_bytes = (size_t)bytes;
    return true;
}

/* The sink. */

static int note(struct verify_archive *verb, const char *path, size_t path_bytes,
                enum expected_state state, uint64_t size_bytes, const uint8_t *digests)
{
    struct expected_file *file =
        expected_note(verb->expected, path, path_bytes, state, size_bytes, digests);
    if (!file)
        return -ENOMEM;
    const struct expected_line *line = state == EXPECTED_FOUND ? file->lines : NULL;
    for (; line && verb->job.options->fail_fast; line = line->same)
        if (!expected_matches(verb->expected, line))
            job_stop(&verb->job);
    return 0;
}

static int take_fault(struct verify_archive *verb, const struct item_view *view,
                      const struct file_record *file)
{
    struct job *job = &verb->job;
    if (file->fault.kind == TM_FAULT_CORRUPT || file->fault.kind == TM_FAULT_TRUNCATED) {
        job->malformed++;
        verb->malformed_members++;
    }
    job_take_record(job, view, file); /* tells */
    return note(verb, batch_path(view, file), file->path_bytes, EXPECTED_UNREADABLE, 0, NULL);
}

static const uint8_t *digests_of(const struct verify_archive *verb, const struct item_view *view,
                                 unsigned index)
{
    const struct hash_job *hash = hash_of(verb);
    return hash ? view->output + index * hash_stride_bytes(hash) : NULL;
}

static int take_file(struct verify_archive *verb, const struct item_view *view, unsigned index)
{
    const struct file_record *file = &batch_of(view)->file[index];
    struct job *job = &verb->job;
    job_add(&job->files_done, 1);
    if (file->state == FILE_STREAM) /* its bytes did not go through the stage that counts */
        job_add(&job->unsized_bytes, file->stat.size_bytes);
    return note(verb, batch_path(view, file), file->path_bytes, EXPECTED_FOUND,
                file->stat.size_bytes, digests_of(verb, view, index));
}

static int take_link(struct verify_archive *verb, const struct item_view *view, unsigned index)
{
    const struct file_record *file = &batch_of(view)->file[index];
    const char *path = batch_path(view, file);
    struct member_extra extra = member_extra_of(view, file);
    const struct expected_file *target =
        extra.target ? expected_find(verb->expected, extra.target, extra.target_bytes) : NULL;
    if (file->data_bytes || file->flags & FILE_PIECE) { /* that of all names of the file */
        int error = extra.target ? note(verb, extra.target, extra.target_bytes, EXPECTED_FOUND,
                                        file->stat.size_bytes, digests_of(verb, view, index))
                                 : 0;
        return error ? error : take_file(verb, view, index);
    }
    if (target && target->state == EXPECTED_FOUND)
        return note(verb, path, file->path_bytes, EXPECTED_FOUND, target->size_bytes,
                    target->digests);
    const struct expected_file *listed = expected_find(verb->expected, path, file->path_bytes);
    if (listed && listed->lines)
        report_error_text(verb->job.report, path, "read", "a hard link to what was not read");
    return note(verb, path, file->path_bytes, EXPECTED_UNREADABLE, 0, NULL);
}

/* Directories and symbolic links are of account only where a file should be. */
static int take_other(struct verify_archive *verb, const struct item_view *view,
                      const struct file_record *file)
{
    const char *path = batch_path(view, file);
    bool is_common = S_ISDIR(file->stat.mode) || S_ISLNK(file->stat.mode);
    if (is_common && !expected_find(verb->expected, path, file->path_bytes))
        return 0;
    return note(verb, path, file->path_bytes, EXPECTED_NO_FILE, 0, NULL);
}

static int take_record(void *context, const struct item_view *view, unsigned index)
{
    struct verify_archive *verb = context;
    const struct file_record *file = &batch_of(view)->file[index];
    int error = extract_order_take(verb->order, view, index);
    bool is_end = !(file->flags & FILE_PIECE) || file->flags & FILE_PIECE_LAST;
    if (error)
        return error;
    if (fault_is_set(file->fault))
        return take_fault(verb, view, file);
    if (!is_end || file->flags & FILE_SKIPPED) /* the rest of a file that was told of */
        return 0;
    if (file->flags & FILE_HARD_LINK)
        return take_link(verb, view, index);
    return file->flags & FILE_NOT_FILE ? take_other(verb, view, file)
                                       : take_file(verb, view, index);
}

static int take_batch(void *context, const struct item_view *view)
{
    struct verify_archive *verb = context;
    return archive_in_take(&verb->archive, view, take_record, verb);
}

/* Before. */

static bool plan(struct verify_archive *verb)
{
    verb->hash = job_hash_setup(verb->job.options, expected_algorithms(verb->expected));
    verb->extract =
        (struct extract_job){.target = -1, .tests = true, .algorithms = verb->hash.algorithms};
    return archive_in_plan(&verb->archive, hash_of(verb), &verb->extract, take_batch, verb);
}

static bool reads_two_from_input(const struct options *options)
{
    return strcmp(options->archive, "-") == 0 && job_reads_standard_input(options);
}

static bool prepare(struct verify_archive *verb)
{
    struct job *job = &verb->job;
    struct output_options output = {0};
    job->takes_members = true;
    job->is_exposed = true; /* and writes nowhere */
    if (reads_two_from_input(job->options)) {
        job_usage(job, "standard input cannot be both archive and manifest");
        return false;
    }
    verb->expected = expected_create();
    if (!verb->expected)
        return fail(verb, -ENOMEM);
    if (!find_directory(verb) || !read_manifests(verb))
        return false;
    verb->archive.name = job->options->archive;
    verb->archive.takes_all = true;
    if (!archive_in_open(&verb->archive, false) || !plan(verb))
        return false;
    int error = extract_order_create(&verb->extract, &verb->order);
    if (!error)
        error = output_open(&output, &job->output);
    return !error || fail(verb, error);
}

/* After. */

static int tell_found(struct verify_archive *verb, const struct expected_line *line)
{
    const struct expected_file *file = line->file;
    struct job *job = &verb->job;
    job->files_good++;
    job->bytes_good += file->size_bytes;
    if (expected_matches(verb->expected, line))
        return verdict_same(&verb->verdicts, line->name, line->name_bytes, file->size_bytes);
    return verdict_differs(&verb->verdicts, line->name, line->name_bytes, file->size_bytes,
                           line->expectation.is_guess ? line->algorithms : 0);
}

/* What was not found in an archive that could not be read to its end is not missing. */
static int tell_line(struct verify_archive *verb, const struct expected_line *line, bool is_whole)
{
    switch (line->file->state) {
    case EXPECTED_FOUND:
        return tell_found(verb, line);
    case EXPECTED_NO_FILE:
        return verdict_no_file(&verb->verdicts, line->name, line->name_bytes,
                               fault_of(TM_FAULT_SPECIAL));
    case EXPECTED_ABSENT:
        if (is_whole)
            return verdict_missing(&verb->verdicts, line->name, line->name_bytes, TM_NO_FAULT,
                                   "not in the archive");
        break;
    default:
        break;
    }
    return verdict_unreadable(&verb->verdicts, line->name, line->name_bytes);
}

/* --fail-fast: the first that fails is the last one told of. */
static bool is_enough(const struct verify_archive *verb)
{
    const struct job *job = &verb->job;
    return job->options->fail_fast && (job->differing || job->missing || verb->verdicts.unreadable);
}

static int tell_lines(struct verify_archive *verb, bool was_stopped)
{
    bool is_whole = verb->job.malformed == verb->malformed_members;
    int error = 0;
    for (const struct expected_line *line = expected_lines(verb->expected);
         line && !error && !is_enough(verb); line = line->next)
        if (!was_stopped || line->file->state != EXPECTED_ABSENT)
            error = tell_line(verb, line, is_whole);
    return error;
}

/* Whether it is where files that are not listed are looked for, and how it is called there. */
static bool find_name(const struct verify_archive *verb, const struct expected_file *file,
                      const char **name, size_t *bytes)
{
    size_t lead = verb->directory ? verb->directory_bytes + 1 : 0;
    struct member member = {.path = file->path, .path_bytes = file->path_bytes};
    if (lead && (file->path_bytes <= lead || memcmp(file->path, verb->directory, lead - 1) ||
                 file->path[lead - 1] != '/'))
        return false;
    member.path = *name = file->path + lead;
    member.path_bytes = *bytes = file->path_bytes - lead;
    member.stat.mode = S_IFREG;
    return member_select_wants(verb->archive.select, &member);
}

static int tell_extra(struct verify_archive *verb)
{
    int error = 0;
    for (const struct expected_file *file = expected_files(verb->expected); file && !error;
         file = file->next) {
        const char *name;
        size_t bytes;
        if (!file->lines && find_name(verb, file, &name, &bytes))
            error = verdict_extra(&verb->verdicts, name, bytes, file->size_bytes);
    }
    return error;
}

static void finish(struct verify_archive *verb)
{
    struct job *job = &verb->job;
    bool was_stopped = graph_is_cancelled(job->graph);
    int error = tell_lines(verb, was_stopped);
    if (!error && job->options->extra != EXTRA_IGNORE && !was_stopped &&
        manifests_have_ended(verb->manifests))
        error = tell_extra(verb);
    if (error)
        job_fatal(job, output_name(job->output), fault_system(TM_OP_WRITE, error));
    else
        job_publish(job);
    if (!job->failed)
        verdict_conclude(&verb->verdicts, verb->manifests);
}

int verify_archive(const struct options *options)
{
    static struct verify_archive verb; /* large; one job a process */
    verb.archive.job = verb.verdicts.job = &verb.job;
    verb.archive.fd = -1;
    if (job_begin(&verb.job, options, "verify", "checked") && prepare(&verb) &&
        job_run_source(&verb.job, archive_in_run, &verb.archive))
        finish(&verb);
    extract_order_destroy(verb.order);
    archive_in_close(&verb.archive);
    manifests_close(verb.manifests);
    expected_destroy(verb.expected);
    free(verb.directory);
    return job_end(&verb.job);
}
