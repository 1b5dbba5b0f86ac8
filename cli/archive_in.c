#include "cli/archive_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/foreign.h"
#include "stages/member_index.h"
#include "stages/opener.h"

/* Small members of a zip share an item as far as their data has room in it. */
#define ZIP_BLOCK_BYTES ((size_t)1 << 20)
#define ZIP_FILES       1024

static bool fail(struct archive_in *archive, enum tm_operation operation, int error)
{
    struct job *job = archive->job;
    const char *why = error == -EINVAL ? "no archive that is known" : "corrupt";
    if (error == -EINVAL || error == -EBADMSG || error == -ENODATA) {
        report_error_text(job->report, archive->name, operation_name(operation), "%s",
                          error == -ENODATA ? "unexpected end of file" : why);
        job->malformed++;
    } else {
        report_error(job->report, archive->name, fault_system(operation, error), NULL);
        job->failed = true;
    }
    return false;
}

static bool open_file(struct archive_in *archive)
{
    struct stat status;
    bool is_input = strcmp(archive->name, "-") == 0;
    archive->fd = is_input ? STDIN_FILENO
                           : opener_open(archive->name, strlen(archive->name),
                                         O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (archive->fd < 0)
        return fail(archive, TM_OP_OPEN, archive->fd);
    if (fstat(archive->fd, &status) < 0)
        return fail(archive, TM_OP_STAT, -errno);
    if (S_ISDIR(status.st_mode))
        return fail(archive, TM_OP_READ, -EISDIR);
    archive->unpack.is_seekable = S_ISREG(status.st_mode) && lseek(archive->fd, 0, SEEK_CUR) == 0;
    if (archive->unpack.is_seekable)
        archive->bytes = (uint64_t)status.st_size;
    return true;
}

/* gzip or zstd: in blocks if there is an index of it. */
static int choose_compressed(struct archive_in *archive)
{
    struct unpack_job *unpack = &archive->unpack;
    uint8_t magic[DECODE_DETECT_BYTES] = {0};
    if (!unpack->is_seekable)
        memcpy(magic, unpack->head, sizeof magic);
    else if (pread(archive->fd, magic, sizeof magic, 0) < 0)
        return -errno;
    if (!decode_detect(magic, sizeof magic, &unpack->format))
        return -EINVAL;
    int got = 0;
    if (unpack->is_seekable)
        got = decode_index_open(archive->fd, archive->bytes, &unpack_limits_of_blocks,
                                &archive->index);
    if (got < 0)
        return got;
    unpack->kind = got ? UNPACK_BLOCKS : UNPACK_STREAM;
    unpack->stream = UNPACK_CODEC;
    return 0;
}

static int choose_zip(struct archive_in *archive)
{
    archive->unpack.kind = UNPACK_FOREIGN;
    if (!archive->unpack.is_seekable) {
        report_warning(
            archive->job->report, archive->name,
            "no file: modes and symbolic links, which a zip has at its end, are unknown");
        return 0;
    }
    int error = unzip_open(archive->fd, &archive->unzip);
    archive->is_zip = !error;
    return error == -ENOTSUP ? 0 : error;
}

static int choose_kind(struct archive_in *archive, enum foreign_kind kind)
{
    struct unpack_job *unpack = &archive->unpack;
    switch (kind) {
    case FOREIGN_TAR:
        unpack->kind = unpack->is_seekable ? UNPACK_PLAIN : UNPACK_STREAM;
        unpack->stream = UNPACK_RAW;
        return 0;
    case FOREIGN_COMPRESSED_TAR:
        return choose_compressed(archive);
    case FOREIGN_FILTERED_TAR:
        unpack->kind = UNPACK_STREAM;
        unpack->stream = UNPACK_FILTERS;
        return 0;
    case FOREIGN_ZIP:
        return choose_zip(archive);
    case FOREIGN_OTHER:
        unpack->kind = UNPACK_FOREIGN;
        return 0;
    default:
        return -EINVAL;
    }
}

static bool detect(struct archive_in *archive)
{
    struct unpack_job *unpack = &archive->unpack;
    enum foreign_kind kind;
    int error = 0;
    if (unpack->is_seekable)
        kind = foreign_detect(archive->fd);
    else
        error = foreign_detect_stream(archive->fd, &archive->head, &unpack->head_bytes, &kind);
    unpack->head = archive->head;
    if (!error)
        error = choose_kind(archive, kind);
    return !error || fail(archive, TM_OP_READ, error);
}

/* Members. */

static bool make_selection(struct archive_in *archive)
{
    const struct options *options = archive->job->options;
    const char *bad;
    struct member_select_options select = {
        .names = archive->members,
        .name_count = archive->member_count,
        .selection = archive->job->selection,
        .found = archive->found,
        .strip_components = options->strip_components,
    };
    int error = member_select_create(&select, &archive->select, &bad);
    if (!error)
        return true;
    report_error_text(archive->job->report, bad, "member", "%s", strerror(-error));
    archive->job->failed = true;
    return false;
}

/* Where a member that is asked for by name, and all that is below it, can be; false: it may be
 * anywhere. *begin is *end where it is not in the archive. */
static bool find_range(const struct member_index *index, const char *name, uint64_t *begin,
                       uint64_t *end)
{
    size_t bytes = strlen(name);
    char *clean = member_select_is_pattern(name) ? NULL : malloc(bytes + 2);
    bool was_absolute;
    if (!clean)
        return false;
    ptrdiff_t clean_bytes = member_clean(name, bytes, clean, &was_absolute);
    if (clean_bytes > 0 && !member_index_range(index, clean, (size_t)clean_bytes, begin, end))
        *begin = *end = 0;
    free(clean);
    return clean_bytes > 0;
}

/* If the archive tells where its members are, only a part of it is read for a few. */
static bool choose_part(struct archive_in *archive)
{
    struct unpack_job *unpack = &archive->unpack;
    struct member_index *index = NULL;
    if (unpack->kind != UNPACK_BLOCKS || !archive->member_count)
        return true;
    int got = member_index_open(archive->fd, archive->bytes, &index);
    if (got < 0)
        return fail(archive, TM_OP_READ, got);
    bool is_part = got > 0;
    for (size_t i = 0; i < archive->member_count && is_part; i++) {
        uint64_t begin, end;
        is_part = find_range(index, archive->members[i], &begin, &end);
        if (!is_part || begin == end)
            continue;
        if (unpack->begin == unpack->end || begin < unpack->begin)
            unpack->begin = begin;
        if (end > unpack->end)
            unpack->end = end;
    }
    unpack->is_part = is_part;
    member_index_close(index);
    return true;
}

static bool make_shared(struct archive_in *archive)
{
    size_t names = archive->member_count + 1; /* at least one */
    size_t bytes = sizeof *archive->unpack.shared + names * sizeof *archive->found;
    int error = arena_create(&archive->arena, bytes + 2 * CACHE_LINE_BYTES, ARENA_SHARED);
    if (error)
        return fail(archive, TM_OP_MEMORY, error);
    archive->unpack.shared =
        arena_take(&archive->arena, sizeof *archive->unpack.shared, CACHE_LINE_BYTES);
    archive->found = arena_take(&archive->arena, names * sizeof *archive->found, CACHE_LINE_BYTES);
    return true;
}

static struct unpack_limits limits_of(const struct options *options)
{
    return (struct unpack_limits){.bytes = options->max_total_bytes,
                                  .members = options->max_members,
                                  .ratio = options->max_ratio};
}

/* A zip says beforehand what comes out of it, and no entry may be larger than it says. */
static bool zip_is_allowed(struct archive_in *archive)
{
    struct unpack_limits limits = limits_of(archive->job->options);
    if (!archive->is_zip)
        return true;
    uint64_t total = unzip_total_bytes(archive->unzip);
    bool is_over =
        (limits.members && unzip_entries(archive->unzip) > limits.members) ||
        (limits.bytes && total > limits.bytes) ||
        (limits.ratio && total > UNPACK_RATIO_BYTES && total / limits.ratio > archive->bytes);
    if (!is_over)
        return true;
    report_error(archive->job->report, archive->name, fault_of(TM_FAULT_LIMIT), NULL);
    archive->job->malformed++;
    return false;
}

bool archive_in_open(struct archive_in *archive, bool lists)
{
    archive->fd = -1;
    if (!archive->name) {
        const struct option_list *operands = &archive->job->options->operands;
        archive->name = operands->items[0];
        archive->members = operands->items + 1;
        archive->member_count = operands->count - 1;
    }
    archive->unpack.lists = archive->zip.lists = lists;
    if (!open_file(archive) || !detect(archive) || !zip_is_allowed(archive) ||
        !make_shared(archive) || !make_selection(archive) || !choose_part(archive))
        return false;
    archive->unpack.fd = archive->zip.fd = archive->fd;
    archive->unpack.archive_bytes = archive->bytes;
    archive->unpack.limits = limits_of(archive->job->options);
    archive->unpack.wants = archive->takes_all ? NULL : member_select_wants;
    archive->unpack.wants_context = archive->select;
    return true;
}

/* The lane. */

static void request_zip(struct archive_in *archive, size_t start,
                        struct plan_archive_request *request)
{
    struct unzip_job *zip = &archive->zip;
    size_t head = align_up(sizeof(struct fetch_ticket), CACHE_LINE_BYTES);
    zip->shape = batch_shape_of(ZIP_BLOCK_BYTES, ZIP_FILES, 0);
    zip->fetch = (struct fetch_job){.fd = archive->fd, .ticket_offset = start};
    zip->output_start = start + head;
    request->shape = zip->shape;
    request->read = &zip->fetch;
    request->compress_stage = &unzip_stage;
    request->compress_job = zip;
    request->output_bytes = head + unzip_output_bytes(&zip->shape);
}

/* What reads the archive; digests come first in the output slab. */
static void request_input(struct archive_in *archive, const struct hash_job *hash,
                          struct plan_archive_request *request)
{
    struct unpack_job *unpack = &archive->unpack;
    struct batch_shape shape = unpack_shape(unpack->kind, &unpack->window_bytes);
    if (archive->is_zip)
        shape.files_max = ZIP_FILES;
    size_t start = hash ? hash_output_bytes(hash, shape.files_max) : 0;
    if (archive->is_zip) {
        request_zip(archive, start, request);
        return;
    }
    unpack->shape = shape;
    unpack->hashes = hash != NULL;
    unpack->fetch = (struct fetch_job){.fd = archive->fd, .ticket_offset = start};
    request->shape = shape;
    request->scan = unpack;
    request->output_bytes = unpack_output_bytes(unpack->kind);
    if (unpack->kind == UNPACK_PLAIN || unpack->kind == UNPACK_BLOCKS)
        request->read = &unpack->fetch;
    if (unpack->kind == UNPACK_BLOCKS) {
        request->compress_stage = &unpack_blocks_stage;
        request->compress_job = unpack;
    }
}

static void set_totals(struct archive_in *archive)
{
    struct job *job = archive->job;
    uint64_t bytes = archive->is_zip ? unzip_total_bytes(archive->unzip) : archive->bytes;
    atomic_store_explicit(&job->totals.bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&job->totals.final, bytes > 0, memory_order_relaxed);
}

bool archive_in_plan(struct archive_in *archive, const struct hash_job *hash,
                     struct extract_job *write,
                     int (*sink)(void *context, const struct item_view *view), void *context)
{
    struct job *job = archive->job;
    char error[256] = "";
    struct plan_archive_request request = {
        .options = job->options, .write = write, .sink = sink, .sink_context = context};
    archive->unpack.attributes = write && write->attribute_kinds;
    if (write && archive->is_zip) {
        write->source = &unzip_source;
        write->source_context = &archive->zip;
    }
    request_input(archive, hash, &request);
    if (hash) {
        archive->member_hash = (struct member_hash_job){hash, request.shape.files_max};
        request.hash = &archive->member_hash;
    }
    if (plan_archive(&request, &job->plan, error, sizeof error)) {
        job_usage(job, "%s", error);
        return false;
    }
    archive->unpack.items = archive->zip.items = job->plan.graph.lane[LANE_DATA].items;
    set_totals(archive);
    return true;
}

static int run_zip(struct archive_in *archive, struct tm_lane *lane)
{
    int got = 1;
    while (got > 0) {
        struct item_view view;
        int error = lane_acquire(lane, &view);
        if (error)
            return error;
        got = unzip_fill(archive->unzip, &archive->zip, &view, archive->unpack.wants,
                         archive->select);
        if (got > 0)
            error = lane_submit(lane, &view);
        else
            lane_release(lane, &view);
        if (error)
            return error;
    }
    return got;
}

int archive_in_run(void *context)
{
    struct archive_in *archive = context;
    struct tm_lane *lane = graph_lane(archive->job->graph, LANE_DATA);
    int error;
    if (archive->is_zip) {
        error = run_zip(archive, lane);
        lane_finish(lane);
        archive->was_absolute = unzip_was_absolute(archive->unzip);
    } else {
        error = unpack_run(&archive->unpack, archive->index, lane);
    }
    if (error == -EBADMSG || error == -ENODATA) {
        fail(archive, TM_OP_READ, error);
        error = 0;
    }
    return error;
}

/* What came out. */

static void take_note(struct archive_in *archive, const struct item_view *view)
{
    struct job *job = archive->job;
    if (fault_is_set(view->item->fault)) {
        report_error(job->report, archive->name, view->item->fault,
                     lane_stage_name(graph_lane(job->graph, LANE_DATA), view->item->fault.stage));
        job->malformed++;
        archive->is_lost = true;
    }
    if (archive->is_zip)
        return;
    const struct unpack_note *note = unpack_note_of(&archive->unpack, view);
    const char *message = archive->unpack.shared->message;
    archive->was_absolute |= note->was_absolute;
    if (note->has_no_end)
        report_warning(job->report, archive->name, "has no end-of-archive mark");
    if (*note->warning) { /* something may have been passed over */
        report_warning(job->report, archive->name, "%s", note->warning);
        job->changed++;
    }
    if (!fault_is_set(note->fault) || fault_is_set(view->item->fault))
        return;
    if (note->fault.kind == TM_FAULT_CONSUMED && archive->is_lost)
        return; /* it was said why */
    job->malformed++;
    if (note->fault.kind == TM_FAULT_CORRUPT || note->fault.kind == TM_FAULT_TRUNCATED)
        report_error_text(job->report, archive->name, "read", "%s",
                          *message                                 ? message
                          : note->fault.kind == TM_FAULT_TRUNCATED ? "unexpected end of file"
                                                                   : "corrupt data");
    else
        report_error(job->report, archive->name, note->fault,
                     lane_stage_name(graph_lane(job->graph, LANE_DATA), note->fault.stage));
}

int archive_in_take(struct archive_in *archive, const struct item_view *view,
                    int (*take)(void *context, const struct item_view *view, unsigned index),
                    void *context)
{
    int error = 0;
    if (!fault_is_set(view->item->fault))
        for (unsigned i = 0; i < batch_of(view)->file_count && !error; i++)
            error = take(context, view, i);
    take_note(archive, view);
    return job_end_batch(archive->job, view, error);
}

void archive_in_report_missing(struct archive_in *archive)
{
    for (size_t i = 0; i < archive->member_count; i++)
        if (!atomic_load_explicit(&archive->found[i], memory_order_relaxed))
            report_error_text(archive->job->report, archive->members[i], NULL,
                              "not in the archive");
}

void archive_in_close(struct archive_in *archive)
{
    decode_index_close(archive->index);
    unzip_close(archive->unzip);
    member_select_destroy(archive->select);
    arena_destroy(&archive->arena);
    free(archive->head);
    if (archive->fd > STDERR_FILENO)
        close(archive->fd);
}
