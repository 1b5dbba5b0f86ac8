/* Making the members of an archive below the directory "target" of the scratch directory, for
 * tests: a source that needs no archive, the stage under any model, the part in order, the end. */
#ifndef TREEMILL_TESTS_UNIT_EXTRACTING_H
#define TREEMILL_TESTS_UNIT_EXTRACTING_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "stages/extract.h"
#include "tests/unit/graph_shapes.h"
#include "tests/unit/scratch.h"

#define ENTRIES_MAX 64
#define BLOCK_BYTES ((size_t)1 << 17)

/* A member. */
struct entry {
    const char *path;
    uint32_t mode;    /* with the kind */
    const char *text; /* data of a file, or target of a link */
    bool is_hard_link;
    const char *data; /* of a hard link that has some */
    uint16_t flags;   /* besides: FILE_PIECE and so on */
    uint64_t offset, size_bytes;
    int64_t mtime; /* 0: 86400 */
    bool is_stream;
    bool ends_item; /* the next one goes to another item */
    const void *attributes;
    size_t attribute_bytes;
    const char *user, *group;
    uint32_t uid, gid;
};

struct outcome {
    struct tm_fault fault;
    uint16_t flags;
    unsigned times;
};

struct told {
    char path[64];
    uint32_t mode;
    bool is_hard_link;
    struct tm_fault fault;
};

/* What has become of the entries of a run. */
static struct outcome outcomes[ENTRIES_MAX];
static struct told told[ENTRIES_MAX];
static unsigned told_count;
static uint8_t digests[ENTRIES_MAX][DIGEST_MAX_BYTES];

struct extraction {
    struct extract_job job;
    struct batch_shape shape;
    struct extract_order *order;
    unsigned files_max; /* of an item; 0: 3 */
    bool is_cut_short;  /* what waits for the end is not made */
};

/* With what was there before being older than the job. */
static struct extraction extraction_begin(void)
{
    struct timespec now;
    struct extraction extraction = {.shape = batch_shape_of(BLOCK_BYTES, 16, 0)};
    if (mkdir("target", 0755) < 0)
        ck_assert_int_eq(errno, EEXIST);
    usleep(20000);
    /* The clock that stamps files. */
    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME_COARSE, &now), 0);
    extraction.job.target = open("target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(extraction.job.target, 0);
    extraction.job.began_ns = now.tv_sec * 1000000000 + now.tv_nsec;
    extraction.job.umask = 022;
    umask(022);
    return extraction;
}

static void end_of(void *context, const char *path, uint32_t mode, const char *linked,
                   struct tm_fault fault)
{
    (void)context;
    ck_assert_uint_lt(told_count, ENTRIES_MAX);
    struct told *one = &told[told_count++];
    snprintf(one->path, sizeof one->path, "%s", path);
    one->mode = mode;
    one->is_hard_link = linked != NULL;
    one->fault = fault;
}

static int sink(void *context, const struct item_view *view)
{
    struct extraction *extraction = context;
    const struct batch *batch = batch_of(view);
    ck_assert(!fault_is_set(view->item->fault));
    for (unsigned i = 0; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        int error = extract_order_take(extraction->order, view, i);
        if (error)
            return error;
        struct outcome *outcome = &outcomes[file->serial];
        outcome->fault = file->fault;
        outcome->flags = file->flags;
        outcome->times++;
        if (!extraction->job.algorithms)
            continue;
        size_t bytes = digest_set_bytes(extraction->job.algorithms);
        if (file->flags & FILE_PIECE_LAST || file->state == FILE_STREAM)
            memcpy(digests[file->serial], view->output + i * bytes, bytes);
    }
    return 0;
}

static void add_entry(const struct extraction *extraction, const struct item_view *view,
                      const struct entry *entry, unsigned serial)
{
    bool is_link = entry->is_hard_link || S_ISLNK(entry->mode);
    const char *data = is_link ? entry->data : entry->text;
    size_t bytes = data ? strlen(data) : 0;
    bool was_absolute;
    struct member member = {
        .path = entry->path,
        .path_bytes = strlen(entry->path),
        .target = is_link ? entry->text : NULL,
        .target_bytes = is_link ? strlen(entry->text) : 0,
        .is_hard_link = entry->is_hard_link,
        .stat = {.mode = entry->mode,
                 .size_bytes = entry->size_bytes ? entry->size_bytes : bytes,
                 .mtime_seconds = entry->mtime ? entry->mtime : 86400,
                 .mtime_ns = 123456789,
                 .uid = entry->uid,
                 .gid = entry->gid,
                 .rdev = S_ISCHR(entry->mode) ? 0x103 : 0},
        .user = entry->user,
        .group = entry->group,
        .attributes = entry->attributes,
        .attribute_bytes = entry->attribute_bytes,
    };
    struct file_record *file = member_add(view, &extraction->shape, &member, &was_absolute);
    ck_assert_ptr_nonnull(file);
    struct batch *batch = batch_of(view);
    file->serial = serial;
    file->flags |= entry->flags;
    file->offset = entry->offset;
    if (entry->is_stream) {
        file->state = FILE_STREAM;
        return;
    }
    file->data = batch->data_start + batch->data_bytes;
    file->data_bytes = (uint32_t)bytes;
    ck_assert_uint_le(batch->data_bytes + bytes, BLOCK_BYTES);
    if (bytes)
        memcpy(view->input + file->data, data, bytes);
    batch->data_bytes += (uint32_t)bytes;
}

static void give(const struct extraction *extraction, struct tm_lane *lane,
                 const struct entry *entries, unsigned count)
{
    unsigned most = extraction->files_max ? extraction->files_max : 3;
    for (unsigned next = 0; next < count;) {
        struct item_view view;
        ck_assert_int_eq(lane_acquire(lane, &view), 0);
        batch_clear(&view, &extraction->shape);
        do {
            add_entry(extraction, &view, &entries[next], next);
            next++;
        } while (next < count && !entries[next - 1].ends_item &&
                 batch_of(&view)->file_count < most);
        ck_assert_int_eq(lane_submit(lane, &view), 0);
    }
    lane_finish(lane);
}

/* Makes them all, the stage being set up as the shape's first; closes the target. */
static void extract_entries(struct extraction *extraction, const struct shape *shape,
                            const struct entry *entries, unsigned count)
{
    struct tm_graph *graph;
    struct graph_setup setup = {
        .lane_count = 1,
        .lane[0] = {.stage[0] = {.ops = &extract_stage,
                                 .job = &extraction->job,
                                 .model = shape->model[0],
                                 .workers = shape->workers[0],
                                 .io = shape->io[0],
                                 .depth = shape->depth[0],
                                 .burst = shape->burst},
                    .stage_count = 1,
                    .items = 8,
                    .input_bytes = batch_input_bytes(&extraction->shape),
                    .output_bytes = 16 * DIGEST_MAX_BYTES * DIGEST_COUNT,
                    .sink = sink,
                    .sink_context = extraction,
                    .ordered = true},
    };
    struct tm_fault fault;
    const char *path;
    memset(outcomes, 0, sizeof outcomes);
    told_count = 0;
    ck_assert_uint_le(count, ENTRIES_MAX);
    ck_assert_int_eq(graph_create(&setup, &graph), 0);
    ck_assert_int_eq(extract_order_create(&extraction->job, &extraction->order), 0);
    ck_assert_int_eq(graph_start(graph), 0);
    give(extraction, graph_lane(graph, 0), entries, count);
    graph_finish(graph);
    ck_assert(!graph_failure(graph, &fault, &path));
    graph_destroy(graph);
    for (unsigned i = 0; i < count; i++)
        ck_assert_uint_eq(outcomes[i].times, 1);
    if (!extraction->is_cut_short)
        ck_assert_int_eq(extract_order_end(extraction->order, end_of, NULL), 0);
    extract_order_destroy(extraction->order);
    close(extraction->job.target);
}

#define COUNT_OF(array) ((unsigned)(sizeof(array) / sizeof *(array)))

/* Looking at what was made. */

static inline void expect_none(unsigned index)
{
    char text[128];
    fault_text(outcomes[index].fault, NULL, text, sizeof text);
    ck_assert_msg(!fault_is_set(outcomes[index].fault), "entry %u: %s", index, text);
}

static inline void expect_fault(unsigned index, int error)
{
    ck_assert_uint_eq(outcomes[index].fault.kind, TM_FAULT_SYSTEM);
    ck_assert_int_eq(outcomes[index].fault.detail, error);
}

/* What extract_order_end() said of a path. NULL: nothing. */
static inline const struct told *told_of(const char *path)
{
    for (unsigned i = 0; i < told_count; i++)
        if (strcmp(told[i].path, path) == 0)
            return &told[i];
    return NULL;
}

static inline void expect_text(const char *path, const char *text)
{
    char found[256] = "";
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ssize_t bytes = read(fd, found, sizeof found - 1);
    close(fd);
    ck_assert_int_eq(bytes, (ssize_t)strlen(text));
    ck_assert_str_eq(found, text);
}

static inline void expect_link(const char *path, const char *text)
{
    char found[256] = "";
    ck_assert_int_gt(readlink(path, found, sizeof found - 1), 0);
    ck_assert_str_eq(found, text);
}

static inline struct stat status_of(const char *path)
{
    struct stat status;
    ck_assert_msg(lstat(path, &status) == 0, "%s: %s", path, strerror(errno));
    return status;
}

static inline void expect_status(const char *path, uint32_t mode, int64_t mtime)
{
    struct stat status = status_of(path);
    ck_assert_msg(status.st_mode == mode, "%s: mode %o", path, status.st_mode);
    if (!mtime)
        return;
    ck_assert_int_eq(status.st_mtim.tv_sec, mtime);
    ck_assert_int_eq(status.st_mtim.tv_nsec, 123456789);
}

static inline void expect_missing(const char *path)
{
    struct stat status;
    ck_assert_msg(lstat(path, &status) < 0 && errno == ENOENT, "%s", path);
}

/* No temporary name anywhere. */
static inline void expect_no_leftovers(void)
{
    ck_assert_int_eq(system("test -z \"$(find . -name '.*.treemill-*')\""), 0);
}

/* Someone who is not the superuser, if we are. */
static inline void become_someone(void)
{
    ck_assert_int_eq(chmod(".", 0777), 0);
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(setegid(65534), 0);
    ck_assert_int_eq(seteuid(65534), 0);
}

static inline void become_ourselves(void)
{
    if (getuid() != 0)
        return;
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
}

#endif
