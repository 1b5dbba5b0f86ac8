/* Making one member: its directory is found or made, the file is published in it. Whoever waits for
 * descriptors gives back those it has, the directory among them, and begins again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/extract_private.h"
#include "stages/opener.h"
#include "stages/temporary.h"

int extract_maker_open(struct extract_maker *maker, const struct extract_job *job)
{
    struct statx status = {0};
    *maker = (struct extract_maker){.job = job};
    if (job->tests)
        return 0;
    if (statx(job->target, "", AT_EMPTY_PATH, STATX_BTIME, &status) < 0)
        return -errno;
    maker->knows_births = status.stx_mask & STATX_BTIME;
    struct beneath_options options = {.root = job->target, .umask = job->umask};
    int error = beneath_create(&options, &maker->beneath);
    if (!error && job->keeps_owner)
        error = owner_ids_create(&maker->owners);
    return error;
}

void extract_maker_close(struct extract_maker *maker)
{
    beneath_destroy(maker->beneath);
    owner_ids_destroy(maker->owners);
    *maker = (struct extract_maker){0};
}

/* What the job decides. */

void extract_resolve(struct extract_maker *maker, const struct member_extra *extra,
                     struct file_stat *stat)
{
    const struct extract_job *job = maker->job;
    uint32_t kept = job->keeps_mode ? 07777 : 0777 & ~job->umask;
    stat->mode &= S_IFMT | kept;
    if (!maker->owners)
        return;
    owner_id(maker->owners, OWNER_USER, extra->user, &stat->uid);
    owner_id(maker->owners, OWNER_GROUP, extra->group, &stat->gid);
}

static int64_t time_ns(const struct statx_timestamp *time)
{
    return time->tv_sec * 1000000000 + time->tv_nsec;
}

bool extract_is_own(const struct extract_job *job, const struct statx *found)
{
    return found->stx_mask & STATX_BTIME && time_ns(&found->stx_btime) >= job->began_ns;
}

bool extract_replaces(const struct extract_job *job, const struct file_stat *stat,
                      const struct statx *found)
{
    const struct statx_timestamp *time = &found->stx_mtime;
    if (job->overwrite == EXTRACT_ALWAYS || extract_is_own(job, found))
        return true;
    if (job->overwrite == EXTRACT_NEVER)
        return false;
    if (S_ISDIR(found->stx_mode)) /* which cannot be replaced, and is to be told of */
        return true;
    return time->tv_sec < stat->mtime_seconds ||
           (time->tv_sec == stat->mtime_seconds && time->tv_nsec < stat->mtime_ns);
}

struct tm_fault extract_fault(enum tm_operation operation, int error)
{
    switch (error < 0 ? -error : error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
        operation = operation == TM_OP_SYNC ? operation : TM_OP_WRITE;
        break;
    case EFBIG: /* which others need not be */
        operation = TM_OP_CREATE;
        break;
    default:
        break;
    }
    return fault_system(operation, error);
}

bool extract_is_for_stage(const struct extract_job *job, const struct file_record *file)
{
    if (fault_is_set(file->fault) || file->flags & (FILE_PIECE | FILE_SKIPPED))
        return false;
    if (job->tests)
        return file->state == FILE_STREAM;
    if (file->flags & (FILE_LATER | FILE_HARD_LINK))
        return false;
    return S_ISREG(file->stat.mode) || S_ISDIR(file->stat.mode);
}

struct making_member extract_member(const struct item_view *view, struct file_record *file)
{
    bool is_stream = file->state == FILE_STREAM;
    return (struct making_member){
        .path = batch_path(view, file),
        .path_bytes = file->path_bytes,
        .stat = file->stat,
        .extra = member_extra_of(view, file),
        .data = is_stream ? NULL : view->input + file->data,
        .bytes = is_stream ? 0 : file->data_bytes,
        .more = is_stream,
        .made_from = &file->made_from,
    };
}

/* Beginning. */

/* Asked by the publisher, with the member's time. */
static bool may_replace(const struct publish_request *request, const struct statx *found)
{
    const struct making *making = request->context;
    return extract_replaces(making->maker->job, &making->member.stat, found);
}

/* A mode that forbids its owner to write would forbid to set attributes: then it is set after
 * them. What the owner may lend to others is set after the owner. */
static bool is_made_with_mode(const struct making *making)
{
    const struct extract_job *job = making->maker->job;
    bool has_attributes = making->member.extra.attributes && job->attribute_kinds;
    return !job->keeps_mode && !job->keeps_owner && (!has_attributes || making->stat.mode & 0200);
}

static void begin_file(struct making *making)
{
    const struct extract_job *job = making->maker->job;
    const struct making_member *member = &making->member;
    bool is_asked =
        job->overwrite == EXTRACT_OLDER || (job->overwrite == EXTRACT_NEVER && member->in_order);
    bool is_traced = member->more || job->sync || !making->maker->knows_births;
    struct publish_request request = {
        .base = making->directory->fd,
        .name = extract_name(member->path, member->path_bytes),
        .replace = job->overwrite != EXTRACT_NEVER || member->in_order,
        .may_replace = is_asked ? may_replace : NULL,
        .context = making,
        .sync = job->sync,
        .more = member->more,
        .data = member->data,
        .bytes = member->bytes,
        .size_bytes = member->size_bytes,
        .mode = making->stat.mode & 0777,
        .stat = &making->stat,
        .ignores_owner = !job->keeps_owner,
        .ignores_mode = is_made_with_mode(making),
        .fails_on_shortage = true,
        .attributes = member->extra.attributes,
        .attribute_bytes = member->extra.attribute_bytes,
        .attribute_kinds = job->attribute_kinds,
        .trace = !is_traced      ? NULL
                 : member->trace ? member->trace
                                 : &making->trace,
    };
    publish_begin(&making->publisher, &request);
    making->is_begun = true;
}

static void leave(struct making *making)
{
    making->is_begun = false;
    if (making->directory)
        beneath_release(making->maker->beneath, making->directory);
    making->directory = NULL;
}

/* What killed runs have left in a directory that was there before. */
static void sweep(const struct extract_job *job, const struct beneath_directory *directory)
{
    struct statx found;
    if (statx(directory->fd, "", AT_EMPTY_PATH, STATX_BTIME, &found) == 0 &&
        !extract_is_own(job, &found))
        temporary_sweep(directory->fd, NULL);
}

/* A directory that is there already will do; anything else is in the way. */
static int make_directory(struct making *making)
{
    struct beneath *beneath = making->maker->beneath;
    const struct making_member *member = &making->member;
    const struct beneath_directory *found;
    int error = beneath_make(beneath, making->directory->fd,
                             extract_name(member->path, member->path_bytes));
    if (error != -EEXIST)
        return error;
    error = beneath_open(beneath, member->path, member->path_bytes, NULL, &found);
    if (error)
        return error;
    sweep(making->maker->job, found);
    beneath_release(beneath, found);
    return 0;
}

/* 0: a file has been begun; 1: it was a directory, and is there; -errno. */
static int begin(struct making *making)
{
    const struct making_member *member = &making->member;
    size_t parent_bytes = extract_parent_bytes(member->path, member->path_bytes);
    bool is_directory = S_ISDIR(member->stat.mode);
    if (member->path_bytes == 1 && *member->path == '.') /* the target itself */
        return is_directory ? 1 : -EISDIR;
    int error = beneath_open(making->maker->beneath, member->path, parent_bytes, member->made_from,
                             &making->directory);
    if (error)
        return error;
    if (!is_directory) {
        begin_file(making);
        return 0;
    }
    error = make_directory(making);
    leave(making);
    return error ? error : 1;
}

/* Going on. */

void making_init(struct making *making, struct extract_maker *maker)
{
    memset(making, 0, sizeof *making);
    making->maker = maker;
    publish_init(&making->publisher);
}

void making_begin(struct making *making, const struct making_member *member)
{
    making->member = *member;
    making->stat = member->stat;
    making->fault = TM_NO_FAULT;
    making->is_skipped = making->was_open = making->was_given_up = false;
    making->is_late = making->is_second = false;
    making->trace = (struct publish_trace){0};
    extract_resolve(making->maker, &member->extra, &making->stat);
}

/* Gives back what it has. */
static bool waits_for_descriptor(struct making *making, int error, struct io_chain *chain)
{
    if (!shortage_may_pass(&making->shortage, error, chain))
        return false;
    leave(making);
    beneath_drop(making->maker->beneath);
    shortage_pause(&making->shortage, chain);
    making->is_paused = true;
    making->is_late = making->was_open;
    return true;
}

/* The directory that was open is not there any more, and another may be. */
static bool has_lost_directory(struct making *making)
{
    const struct tm_fault *fault = &making->publisher.fault;
    if (fault->detail != ENOENT || making->is_second || making->was_open)
        return false;
    making->is_second = true;
    beneath_forget(making->maker->beneath, making->directory);
    leave(making);
    return true;
}

static void exists(struct making *making)
{
    if (making->maker->job->overwrite == EXTRACT_OLDER)
        making->is_skipped = true;
    else
        making->fault = fault_system(TM_OP_CREATE, EEXIST);
}

enum making_result making_step(struct making *making, struct io_chain *chain)
{
    if (making->is_paused)
        chain->count = 0;
    making->is_paused = false;
    for (;;) {
        int begun = making->is_begun ? 0 : begin(making);
        if (begun < 0 && waits_for_descriptor(making, begun, chain))
            return MAKING_PENDING;
        if (begun < 0)
            making->fault = extract_fault(TM_OP_CREATE, begun);
        if (begun)
            return MAKING_DONE;
        switch (publish_step(&making->publisher, chain)) {
        case PUBLISH_PENDING:
            return MAKING_PENDING;
        case PUBLISH_OPEN:
            if (making->is_late) { /* it was complete, but is not there any more */
                making_give_up(making, fault_system(TM_OP_CREATE, ENOENT));
                continue;
            }
            making->was_open = true;
            return MAKING_OPEN;
        case PUBLISH_EXISTS:
            exists(making);
            break;
        case PUBLISH_DONE:
            shortage_is_over(&making->shortage);
            break;
        case PUBLISH_FAILED:
            if (making->was_given_up)
                break;
            if (waits_for_descriptor(making, -making->publisher.fault.detail, chain))
                return MAKING_PENDING;
            if (has_lost_directory(making))
                continue;
            making->fault =
                extract_fault(making->publisher.fault.operation, making->publisher.fault.detail);
            break;
        }
        leave(making);
        return MAKING_DONE;
    }
}

void making_give_up(struct making *making, struct tm_fault fault)
{
    making->fault = fault;
    making->was_given_up = true;
    publish_abandon(&making->publisher);
}

void making_put_down(struct making *making)
{
    if (!shortage_is_expected() || making->publisher.has_temporary)
        return;
    leave(making);
    making->is_begun = true;
}

int making_pick_up(struct making *making)
{
    const struct making_member *member = &making->member;
    if (making->directory)
        return 0;
    int error = extract_open_directory(making->maker, member->path,
                                       extract_parent_bytes(member->path, member->path_bytes), NULL,
                                       &making->directory);
    if (!error)
        publish_move(&making->publisher, making->directory->fd);
    return error;
}

void making_discard(struct making *making)
{
    publish_discard(&making->publisher);
    leave(making);
}

enum making_result making_run(struct making *making)
{
    struct io_chain chain = {.stop_fd = -1};
    enum making_result result;
    while ((result = making_step(making, &chain)) == MAKING_PENDING)
        io_sync_execute(&chain);
    return result;
}

int extract_open_directory(struct extract_maker *maker, const char *path, size_t path_bytes,
                           uint32_t *made_from, const struct beneath_directory **directory)
{
    struct io_chain chain = {.stop_fd = -1};
    struct shortage shortage = {0};
    for (;;) {
        int error = beneath_open(maker->beneath, path, path_bytes, made_from, directory);
        if (!error || !shortage_may_pass(&shortage, error, &chain))
            return error;
        beneath_drop(maker->beneath);
        shortage_pause(&shortage, &chain);
        io_sync_execute(&chain);
        chain.count = 0;
    }
}
