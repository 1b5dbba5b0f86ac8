/* What the verbs share that write files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/job.h"
#include "stages/batch.h"
#include "stages/placing.h"
#include "stages/target.h"
#include "stages/text.h"

bool job_open_output(struct job *job, const char *path, struct output **out)
{
    const struct options *options = job->options;
    struct output_options output = {.path = path,
                                    .replace = options->force,
                                    .sync = options->fsync != FSYNC_NONE,
                                    .report = job->report};
    int error = output_open(&output, out);
    if (error == -EEXIST)
        report_error_text(job->report, path, "create", "exists already; --force replaces it");
    else if (error)
        report_error(job->report, path, fault_system(TM_OP_CREATE, error), NULL);
    job->failed |= error != 0;
    if (error)
        return false;
    job->left_out_count += output_places(*out, job->left_out + job->left_out_count);
    return strcmp(path, "-") == 0 || job_may_write_beside(job, path, false);
}

bool job_check_outputs(struct job *job, bool to_stdout)
{
    const struct options *options = job->options;
    bool lists = options->manifest && strcmp(options->manifest, "-") == 0;
    if (to_stdout + lists + options->json > 1) {
        job_usage(job, "standard output takes one of these only: data, --manifest=-, --json");
        return false;
    }
    if (options->manifest && options->output && !lists &&
        strcmp(options->manifest, options->output) == 0) {
        job_usage(job, "%s: the output and its manifest are two files", options->manifest);
        return false;
    }
    return true;
}

bool job_enter_directory(struct job *job)
{
    const char *path = job->options->directory;
    if (!path || chdir(path) == 0)
        return true;
    job_fatal(job, path, fault_system(TM_OP_OPEN, errno));
    return false;
}

bool job_make_output_directory(struct job *job)
{
    const char *path = job->options->output;
    struct stat status;
    char *below;
    if (!path)
        return true;
    int error = asprintf(&below, "%s/", path) < 0 ? -ENOMEM : 0;
    if (!error) {
        bool sync = job->options->fsync != FSYNC_NONE || job->options->remove_source;
        error = target_make_directories(below, sync);
        free(below);
    }
    if (!error && stat(path, &status) < 0)
        error = -errno;
    if (!error && !S_ISDIR(status.st_mode))
        error = -ENOTDIR;
    if (error) {
        job_fatal(job, path, fault_system(TM_OP_CREATE, error));
        return false;
    }
    job->left_out[job->left_out_count++] =
        (struct walk_place){.device = status.st_dev, .inode = status.st_ino};
    return true;
}

static bool write_is_fatal(struct tm_fault fault)
{
    bool writes = fault.operation == TM_OP_WRITE || fault.operation == TM_OP_SYNC;
    return fault.kind == TM_FAULT_SYSTEM && writes &&
           (fault.detail == ENOSPC || fault.detail == EDQUOT || fault.detail == EIO ||
            fault.detail == EROFS || fault.detail == EPIPE || fault.detail == EFBIG);
}

bool job_ends_by_write(struct job *job, const struct item_view *view,
                       const struct file_record *file)
{
    if (!write_is_fatal(file->fault))
        return false;
    if (!job->failed) /* the others say nothing new */
        job_fatal(job, batch_path(view, file), file->fault);
    job_stop(job);
    return true;
}

int64_t job_replace_until_ns(const struct options *options)
{
    struct timespec now;
    if (!options->remove_source)
        return 0;
    clock_gettime(CLOCK_REALTIME_COARSE, &now); /* the clock that files get their times from */
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

/* "OUTPUT exists already; --force replaces it", allocated; NULL: the fault is another. */
static char *describe_existing(const struct job *job, const char *path, struct tm_fault fault)
{
    char *output, *text = NULL;
    bool exists =
        fault.kind == TM_FAULT_SYSTEM && fault.operation == TM_OP_CREATE && fault.detail == EEXIST;
    if (!exists || !job->placing || placing_path(job->placing, path, strlen(path), &output))
        return NULL;
    size_t capacity = text_escape_terminal(output, strlen(output), NULL, 0) + 1;
    char *shown = malloc(capacity);
    if (shown) {
        text_escape_terminal(output, strlen(output), shown, capacity);
        /* It is not replaced even so if this job has made it of another file. */
        const char *hint = job->options->force ? "" : "; --force replaces it";
        if (asprintf(&text, "%s exists already%s", shown, hint) < 0)
            text = NULL;
    }
    free(shown);
    free(output);
    return text;
}

void job_report_fault(struct job *job, const char *path, struct tm_fault fault)
{
    char *existing = describe_existing(job, path, fault);
    bool is_directory = job->placing && fault.kind == TM_FAULT_SYSTEM &&
                        fault.operation == TM_OP_READ && fault.detail == EISDIR;
    if (existing)
        report_error_text(job->report, path, "create", "%s", existing);
    else if (is_directory && !job->options->recursive)
        report_error_text(job->report, path, "read",
                          "is a directory; --recursive takes the files below it");
    else
        report_error(job->report, path, fault,
                     lane_stage_name(graph_lane(job->graph, LANE_DATA), fault.stage));
    free(existing);
}

void job_remove_source(struct job *job, const struct placing *placing, const char *path,
                       const struct file_record *file)
{
    struct stat status;
    int error = file->flags & FILE_CHANGED ? -ESTALE : placing_remove_source(placing, path, file);
    if (error == -ESTALE && lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
        report_error_text(job->report, path, "remove", "kept: it is a symbolic link");
    else if (error == -ESTALE)
        report_error_text(job->report, path, "remove", "kept: it has changed");
    else if (error == -EEXIST)
        report_error_text(job->report, path, "remove",
                          "kept: something else has the name of its output");
    else if (error)
        report_error(job->report, path, fault_system(TM_OP_REMOVE, error), NULL);
}

void job_pass_over(struct job *job, const struct item_view *view, const struct file_record *file)
{
    char text[128];
    if (batch_is_chunk(view) && !view->item->last)
        return;
    fault_text(file->fault, NULL, text, sizeof text);
    report_note(job->report, batch_path(view, file), "%s", text);
    job_add(&job->files_done, 1);
}

bool job_reads_standard_input(const struct options *options)
{
    for (size_t i = 0; i < options->operands.count; i++)
        if (strcmp(options->operands.items[i], "-") == 0)
            return true;
    return false;
}
