/* treemill list: archive ─▶ read ─▶ decompress ─▶ scan ─▶ lines, in the order of the archive. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cli/archive_in.h"
#include "cli/job.h"
#include "cli/verbs.h"
#include "stages/foreign.h"
#include "stages/mtree.h"
#include "stages/text.h"

/* Of a line, before the name. */
#define DETAILS_BYTES 512

struct list_verb {
    struct job job;
    struct archive_in archive;
    char *line;
    size_t capacity;
};

static char kind_letter(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return 'd';
    case S_IFLNK:
        return 'l';
    case S_IFIFO:
        return 'p';
    case S_IFCHR:
        return 'c';
    case S_IFBLK:
        return 'b';
    case S_IFSOCK:
        return 's';
    default:
        return '-';
    }
}

/* As ls(1) and tar -tv do. */
static void mode_text(const struct file_record *file, char text[static 11])
{
    static const char letters[] = "rwxrwxrwx";
    uint32_t mode = file->stat.mode;
    text[0] = file->flags & FILE_HARD_LINK ? 'h' : kind_letter(mode);
    for (unsigned i = 0; i < 9; i++)
        text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    if (mode & S_ISUID)
        text[3] = mode & S_IXUSR ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = mode & S_IXGRP ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = mode & S_IXOTH ? 't' : 'T';
    text[10] = '\0';
}

/* mode owner/group size time, as tar -tv prints them. */
static size_t details(const struct item_view *view, const struct file_record *file, char *text,
                      size_t capacity)
{
    struct member_extra extra = member_extra_of(view, file);
    char mode[11], owner[64], group[64], size[48], when[64];
    struct tm broken;
    time_t seconds = (time_t)file->stat.mtime_seconds;
    mode_text(file, mode);
    snprintf(owner, sizeof owner, "%u", file->stat.uid);
    snprintf(group, sizeof group, "%u", file->stat.gid);
    if (S_ISCHR(file->stat.mode) || S_ISBLK(file->stat.mode))
        snprintf(size, sizeof size, "%u,%u", major(file->stat.rdev), minor(file->stat.rdev));
    else if (file->stat.size_bytes == FOREIGN_SIZE_UNKNOWN)
        strcpy(size, "?");
    else
        snprintf(size, sizeof size, "%llu", (unsigned long long)file->stat.size_bytes);
    if (!localtime_r(&seconds, &broken) ||
        !strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &broken))
        snprintf(when, sizeof when, "%lld", (long long)file->stat.mtime_seconds);
    if (extra.user)
        text_escape_terminal(extra.user, strlen(extra.user), owner, sizeof owner);
    if (extra.group)
        text_escape_terminal(extra.group, strlen(extra.group), group, sizeof group);
    int bytes = snprintf(text, capacity, "%s %s/%s %*s %s ", mode, owner, group,
                         19 - (int)(strlen(owner) + strlen(group)) > 0
                             ? 19 - (int)(strlen(owner) + strlen(group))
                             : 0,
                         size, when);
    return bytes < 0 ? 0 : (size_t)bytes;
}

/* Room for a line: escaped, a byte becomes four at most; a link's text may be as long as a header.
 */
static int reserve(struct list_verb *verb, size_t name_bytes, size_t target_bytes)
{
    size_t wanted = DETAILS_BYTES + 4 * (name_bytes + target_bytes) + 16;
    if (wanted <= verb->capacity)
        return 0;
    char *line = realloc(verb->line, wanted);
    if (!line)
        return -ENOMEM;
    verb->line = line;
    verb->capacity = wanted;
    return 0;
}

/* A name as it is printed: escaped, unless lines end with NUL. */
static size_t add_name(const struct list_verb *verb, const char *name, size_t bytes, char *text,
                       size_t capacity)
{
    if (!verb->job.options->null_separated)
        return text_escape_terminal(name, bytes, text, capacity);
    memcpy(text, name, bytes);
    return bytes;
}

static int print_member(struct list_verb *verb, const struct item_view *view,
                        const struct file_record *file)
{
    const struct options *options = verb->job.options;
    size_t used = 0;
    struct member_extra extra = member_extra_of(view, file);
    int error = reserve(verb, file->path_bytes, options->long_list ? extra.target_bytes : 0);
    if (error)
        return error;
    char *line = verb->line;
    size_t capacity = verb->capacity;
    if (options->long_list)
        used = details(view, file, line, DETAILS_BYTES);
    used += add_name(verb, batch_path(view, file), file->path_bytes, line + used, capacity - used);
    if (S_ISDIR(file->stat.mode) && !(file->flags & FILE_HARD_LINK))
        line[used++] = '/';
    if (options->long_list && extra.target) {
        const char *arrow = file->flags & FILE_HARD_LINK ? " link to " : " -> ";
        used = (size_t)(stpcpy(line + used, arrow) - line);
        used += add_name(verb, extra.target, extra.target_bytes, line + used, capacity - used);
    }
    line[used++] = options->null_separated ? '\0' : '\n';
    return output_write(verb->job.output, line, used);
}

/* Other forms. */

static int print_mtree(struct list_verb *verb, const struct item_view *view,
                       const struct file_record *file)
{
    struct member_extra extra = member_extra_of(view, file);
    size_t capacity = mtree_bytes(file->path_bytes, &extra);
    char *line = malloc(capacity);
    if (!line)
        return -ENOMEM;
    ptrdiff_t bytes = mtree_render(batch_path(view, file), file->path_bytes, &file->stat,
                                   file->flags & FILE_HARD_LINK, &extra, line, capacity);
    int error = bytes < 0 ? (int)bytes : output_write(verb->job.output, line, (size_t)bytes);
    free(line);
    return error;
}

static const char *kind_name(const struct file_record *file)
{
    if (file->flags & FILE_HARD_LINK)
        return "hardlink";
    switch (kind_letter(file->stat.mode)) {
    case 'd':
        return "directory";
    case 'l':
        return "symlink";
    case 'p':
        return "fifo";
    case 'c':
        return "character";
    case 'b':
        return "block";
    case 's':
        return "socket";
    default:
        return "file";
    }
}

static int send_member(struct list_verb *verb, const struct item_view *view,
                       const struct file_record *file)
{
    struct member_extra extra = member_extra_of(view, file);
    const struct file_stat *stat = &file->stat;
    struct event_member member = {
        .kind = kind_name(file),
        .mode = stat->mode & 07777,
        .uid = stat->uid,
        .gid = stat->gid,
        .user = extra.user,
        .group = extra.group,
        .mtime_seconds = stat->mtime_seconds,
        .mtime_ns = stat->mtime_ns,
        .target = extra.target,
        .target_length = extra.target_bytes,
        .has_device = S_ISCHR(stat->mode) || S_ISBLK(stat->mode),
        .major = major(stat->rdev),
        .minor = minor(stat->rdev),
    };
    struct event_file event = {
        .path = batch_path(view, file),
        .path_length = file->path_bytes,
        .size_bytes = file->flags & FILE_NOT_FILE ? EVENT_SIZE_UNKNOWN : stat->size_bytes,
        .member = &member,
    };
    return events_file(verb->job.events, &event);
}

/* The sink. */

static int take_record(void *context, const struct item_view *view, unsigned index)
{
    struct list_verb *verb = context;
    struct file_record *file = &batch_of(view)->file[index];
    struct job *job = &verb->job;
    bool is_unsafe = fault_is_set(file->fault);
    if (is_unsafe) { /* it would not be extracted, but it is there */
        report_warning(job->report, batch_path(view, file),
                       "would be skipped: its name or target "
                       "leads out of the target");
        file->fault = TM_NO_FAULT;
    }
    if (!(file->flags & FILE_NOT_FILE)) {
        job->files_good++;
        if (file->stat.size_bytes != FOREIGN_SIZE_UNKNOWN)
            job->bytes_good += file->stat.size_bytes;
        job_add(&job->files_done, 1);
    }
    if (job->events)
        return send_member(verb, view, file);
    if (job->options->list_format == LIST_NAMES)
        return print_member(verb, view, file);
    return is_unsafe ? 0 : print_mtree(verb, view, file);
}

static int take_batch(void *context, const struct item_view *view)
{
    struct list_verb *verb = context;
    return archive_in_take(&verb->archive, view, take_record, verb);
}

static bool prepare(struct list_verb *verb)
{
    struct job *job = &verb->job;
    struct output_options output = {0};
    job->takes_members = true;
    job->is_exposed = true; /* and writes nowhere */
    if (!archive_in_open(&verb->archive, true))
        return false;
    int error = job->events ? 0 : output_open(&output, &job->output);
    if (error) {
        job_fatal(job, "standard output", fault_system(TM_OP_OPEN, error));
        return false;
    }
    if (job->output && job->options->list_format == LIST_MTREE)
        error = output_write(job->output, MTREE_HEADER, strlen(MTREE_HEADER));
    if (error) {
        job_fatal(job, "standard output", fault_system(TM_OP_WRITE, error));
        return false;
    }
    return archive_in_plan(&verb->archive, NULL, NULL, take_batch, verb);
}

/* The bar has no place between lines on a terminal. */
static void choose_progress(struct options *options)
{
    if (options->progress == PROGRESS_AUTO && isatty(STDOUT_FILENO))
        options->progress = PROGRESS_NEVER;
}

int verb_list(const struct options *given)
{
    static struct list_verb verb; /* large; one job a process */
    struct options options = *given;
    choose_progress(&options);
    verb.archive.job = &verb.job;
    verb.archive.fd = -1;
    if (job_begin(&verb.job, &options, "list", "listed") && prepare(&verb)) {
        bool ended = job_run_source(&verb.job, archive_in_run, &verb.archive);
        if (ended && !verb.job.failed)
            archive_in_report_missing(&verb.archive);
        if (verb.job.output && ended)
            job_publish(&verb.job);
    }
    archive_in_close(&verb.archive);
    free(verb.line);
    return job_end(&verb.job);
}
