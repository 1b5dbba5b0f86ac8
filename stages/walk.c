/* Roles. The walk runs in one thread, the source of both lanes. It keeps a stack of frames, one for
 * each directory from the operand down to where it is (walk_frame.c), takes the innermost one's
 * next entry, and either enters it or sends it off (walk_emit.c). The scan lane's workers make the
 * listings; the walk alone decides on order, selection and numbering, so none of that depends on
 * how many workers there are or which was faster. */
#include "stages/walk_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/opener.h"
#include "stages/select.h"
#include "stages/shortage.h"

/* Enough for some 100,000 names; the default of --memory leaves room for it. */
#define LISTINGS_BYTES (8U << 20)

static bool is_loop(const struct walk *walk, const struct scan_answer *answer)
{
    for (unsigned i = 1; i < walk->depth; i++)
        if (walk->frames[i].inode == answer->stat.inode &&
            walk->frames[i].device == answer->stat.device)
            return true;
    return false;
}

static bool is_left_out(const struct walk *walk, const struct file_stat *stat)
{
    for (unsigned i = 0; i < walk->setup->left_out_count; i++)
        if (stat->inode == walk->setup->left_out[i].inode &&
            stat->device == walk->setup->left_out[i].device)
            return true;
    return false;
}

/* Whether the directory that is now innermost is a cache directory, by its tag. Reading 43 bytes
 * is done on the spot: such a file is rare, and what follows depends on it. -errno: cannot tell. */
static int is_cache_directory(struct walk *walk, size_t path_bytes)
{
    char start[SELECT_CACHE_TAG_BYTES];
    size_t end = walk_path_append(walk, path_bytes, SELECT_CACHE_TAG_NAME,
                                  strlen(SELECT_CACHE_TAG_NAME), false);
    if (!end)
        return -ENOMEM;
    int fd = shortage_open(walk->path, end, OPENER_FILE_FLAGS | O_NOFOLLOW);
    walk->path[path_bytes] = '\0';
    if (fd < 0)
        return fd;
    ssize_t got = read(fd, start, sizeof start);
    close(fd);
    return got == (ssize_t)sizeof start && select_is_cache_tag(start, sizeof start);
}

/* None there, a link, a socket: no tag. What else hides it leaves the directory in, and is told. */
static int look_for_cache_tag(struct walk *walk, size_t path_bytes)
{
    int found = is_cache_directory(walk, path_bytes);
    walk_top(walk)->only_cache_tag = found > 0;
    if (found >= 0 || found == -ENOENT || found == -ELOOP || found == -ENXIO)
        return 0;
    return emit_note(walk, path_bytes, SELECT_CACHE_TAG_NAME, strlen(SELECT_CACHE_TAG_NAME), NULL,
                     fault_system(TM_OP_OPEN, found), 0);
}

/* The entry is a directory: its listing becomes the innermost frame, or a note. */
static int enter_directory(struct walk *walk)
{
    struct frame *frame = walk_top(walk);
    const struct scan_entry *entry = frame->entry;
    size_t parent_bytes = frame->path_bytes;
    size_t path_bytes =
        walk_path_append(walk, parent_bytes, scan_entry_name(entry), entry->name_bytes, true);
    if (!path_bytes)
        return -ENOMEM;
    if (path_bytes > SCAN_PATH_MAX)
        return emit_note(walk, parent_bytes, scan_entry_name(entry), entry->name_bytes, NULL,
                         fault_of(TM_FAULT_TOO_LONG), 0);
    if (frame->is_operands) {
        walk->operand_bytes = path_bytes;
        walk->algorithms = frame->name->algorithms;
    }
    struct item_view view;
    int error = emit_pump(walk); /* listing may take long: large files go on meanwhile */
    if (!error)
        error = frame_enter(walk, path_bytes, &view);
    if (error)
        return error;
    const struct scan_answer *answer = scan_answer_of(&view);
    struct tm_fault fault = fault_is_set(view.item->fault) ? view.item->fault : answer->fault;
    if (!fault_is_set(fault) && is_loop(walk, answer))
        fault = fault_of(TM_FAULT_LOOP);
    bool other_system = walk->setup->one_file_system && walk->depth > 1 &&
                        answer->stat.device != walk->frames[1].device;
    /* Its listing tells which one it is: the name of a directory comes without its status. */
    if (!frame->is_operands && !fault_is_set(fault) && is_left_out(walk, &answer->stat)) {
        lane_release(walk->setup->scan_lane, &view);
        return 0;
    }
    if (fault_is_set(fault))
        error = emit_note(walk, parent_bytes, scan_entry_name(entry), entry->name_bytes,
                          frame->name, fault, 0);
    else if (walk->setup->all_kinds)
        error = emit_entry(walk, parent_bytes, entry, &answer->stat);
    if (!error && !fault_is_set(fault) && !other_system)
        error = frame_push(walk, path_bytes, &view);
    lane_release(walk->setup->scan_lane, &view);
    if (error || fault_is_set(fault) || other_system)
        return error;
    if (selection_excludes_caches(walk->setup->selection))
        error = look_for_cache_tag(walk, path_bytes);
    walk_look_ahead(walk);
    return error;
}

static bool wants_file(struct walk *walk, const struct frame *frame, const struct scan_entry *entry)
{
    const struct selection *selection = walk->setup->selection;
    struct timespec mtime = {.tv_sec = entry->stat.mtime_seconds,
                             .tv_nsec = (long)entry->stat.mtime_ns};
    if (frame->is_operands)
        return true;
    if (frame->only_cache_tag && strcmp(scan_entry_name(entry), SELECT_CACHE_TAG_NAME) != 0)
        return false;
    if (selection_is_trivial(selection) && !selection_needs_stat(selection))
        return true;
    size_t end =
        walk_path_append(walk, frame->path_bytes, scan_entry_name(entry), entry->name_bytes, false);
    bool wanted = end && selection_wants_file_name(selection, walk->path + walk->operand_bytes,
                                                   end - walk->operand_bytes);
    walk->path[frame->path_bytes] = '\0';
    return wanted && (fault_is_set(entry->fault) ||
                      selection_wants_file_stat(selection, entry->stat.size_bytes, mtime));
}

static bool wants_directory(struct walk *walk, const struct frame *frame,
                            const struct scan_entry *entry)
{
    if (frame->is_operands)
        return true;
    if (frame->only_cache_tag)
        return false;
    if (selection_is_trivial(walk->setup->selection))
        return true;
    size_t end =
        walk_path_append(walk, frame->path_bytes, scan_entry_name(entry), entry->name_bytes, false);
    bool wanted =
        end && selection_wants_directory(walk->setup->selection, walk->path + walk->operand_bytes,
                                         end - walk->operand_bytes);
    walk->path[frame->path_bytes] = '\0';
    return wanted;
}

/* Neither a directory nor a regular file. */
static int handle_special(struct walk *walk, const struct frame *frame,
                          const struct scan_entry *entry)
{
    if (walk->setup->all_kinds && !S_ISSOCK(entry->stat.mode))
        return emit_entry(walk, frame->path_bytes, entry, &entry->stat);
    if (walk->setup->read_special && frame->is_operands)
        return emit_read_once(walk, frame->path_bytes, entry, frame->name, FILE_SPECIAL);
    return emit_note(walk, frame->path_bytes, scan_entry_name(entry), entry->name_bytes,
                     frame->name, fault_of(TM_FAULT_SPECIAL), FILE_SKIPPED);
}

static int handle_entry(struct walk *walk)
{
    struct frame *frame = walk_top(walk);
    const struct scan_entry *entry = frame->entry;
    const char *name = scan_entry_name(entry);
    if (frame->name && frame->name->flags & FILE_STANDARD_INPUT && walk->setup->streams_input)
        return stream_input(walk, entry);
    if (frame->name && frame->name->flags & FILE_STANDARD_INPUT)
        return emit_read_once(walk, frame->path_bytes, entry, frame->name, FILE_STANDARD_INPUT);
    if (S_ISDIR(entry->stat.mode) && !fault_is_set(entry->fault)) {
        if (walk->setup->directories_fail)
            return emit_note(walk, frame->path_bytes, name, entry->name_bytes, frame->name,
                             fault_system(TM_OP_READ, EISDIR), 0);
        return wants_directory(walk, frame, entry) ? enter_directory(walk) : 0;
    }
    if (!wants_file(walk, frame, entry))
        return 0;
    if (fault_is_set(entry->fault))
        return emit_note(walk, frame->path_bytes, name, entry->name_bytes, frame->name,
                         entry->fault, 0);
    if (!S_ISREG(entry->stat.mode))
        return handle_special(walk, frame, entry);
    if (is_left_out(walk, &entry->stat))
        return emit_note(walk, frame->path_bytes, name, entry->name_bytes, frame->name,
                         fault_of(TM_FAULT_OUTPUT), FILE_SKIPPED);
    return emit_file(walk, frame->path_bytes, entry, frame->name);
}

static int walk_all(struct walk *walk)
{
    int error = frame_push_operands(walk);
    while (!error && walk->depth) {
        int got = frame_next(walk);
        if (got < 0)
            return got;
        if (got) {
            error = handle_entry(walk);
            continue;
        }
        frame_pop(walk);
        if (walk->depth) {
            walk->path[walk_top(walk)->path_bytes] = '\0';
            walk_look_ahead(walk);
        }
    }
    return error ? error : emit_finish(walk);
}

int walk_run(const struct walk_setup *setup)
{
    struct walk walk = {
        .setup = setup,
        .memory_bytes = setup->memory_bytes ? setup->memory_bytes : LISTINGS_BYTES,
    };
    walk.streams = calloc(lane_streams_max(setup->data_lane), sizeof *walk.streams);
    walk.links = setup->finds_links ? links_create() : NULL;
    walk_path_append(&walk, 0, "", 0, false);
    int error = walk.path && walk.streams && (walk.links || !setup->finds_links) ? 0 : -ENOMEM;
    if (!error)
        error = walk_all(&walk);
    if (error)
        graph_cancel(setup->graph); /* nothing is waited for any more when the frames go */
    while (walk.depth)
        frame_pop(&walk);
    emit_free(&walk);
    links_destroy(walk.links);
    free(walk.frames);
    free(walk.path);
    if (!error) /* ended early, it has not seen them all */
        atomic_store_explicit(&setup->totals->final, true, memory_order_relaxed);
    lane_finish(setup->data_lane);
    return error;
}
