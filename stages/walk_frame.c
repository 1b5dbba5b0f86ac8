/* Listings: asking the scan stage for them, ahead of need and when needed, within a budget. */
#include "stages/walk_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/select.h"

size_t walk_path_append(struct walk *walk, size_t base_bytes, const char *name, size_t bytes,
                        bool slash)
{
    size_t needed = base_bytes + bytes + 2;
    if (needed > walk->path_capacity) {
        char *larger = realloc(walk->path, needed * 2);
        if (!larger)
            return 0;
        walk->path = larger;
        walk->path_capacity = needed * 2;
    }
    memcpy(walk->path + base_bytes, name, bytes);
    size_t end = base_bytes + bytes;
    if (slash && (end == 0 || walk->path[end - 1] != '/'))
        walk->path[end++] = '/';
    walk->path[end] = '\0';
    return end;
}

/* Entries. */

static void drop_entries(struct walk *walk, struct frame *frame)
{
    walk->held_bytes -= frame->entries ? frame->entries_bytes : 0;
    free(frame->entries);
    free(frame->requested);
    frame->entries = NULL;
    frame->requested = NULL;
    frame->entries_bytes = frame->next_entry = frame->ahead_entry = 0;
    frame->entry = NULL;
    frame->name = NULL;
}

static void drop_names(struct walk *walk, struct frame *frame)
{
    walk->held_bytes -= frame->names.text_capacity + frame->names.capacity * sizeof(struct listed);
    name_list_free(&frame->names);
    frame->has_names = false;
}

static int copy_answer(struct walk *walk, struct frame *frame, const struct item_view *view)
{
    const struct scan_answer *answer = scan_answer_of(view);
    const struct scan_request *request = scan_request_of(view);
    drop_entries(walk, frame);
    size_t bytes = answer->used_bytes - sizeof *answer;
    frame->entries = malloc(bytes + 1);
    if (!frame->entries)
        return -ENOMEM;
    memcpy(frame->entries, view->output + sizeof *answer, bytes);
    frame->entries_bytes = bytes;
    walk->held_bytes += bytes;
    if (request->kind == SCAN_STATUS) {
        frame->requested = malloc(request->used_bytes);
        if (!frame->requested)
            return -ENOMEM;
        memcpy(frame->requested, view->input, request->used_bytes);
        frame->next_requested = scan_names_offset(request);
    }
    return 0;
}

static void take_entry(struct frame *frame)
{
    frame->entry = (struct scan_entry *)(frame->entries + frame->next_entry);
    frame->next_entry += frame->entry->entry_bytes;
    if (frame->requested) {
        frame->name = (struct scan_name *)(frame->requested + frame->next_requested);
        frame->next_requested += scan_name_stride(frame->name);
    }
}

/* Waits for what is under way and forgets it. */
static void drop_requests(struct walk *walk, struct frame *frame)
{
    struct tm_lane *lane = walk->setup->scan_lane;
    for (unsigned i = 0; i < frame->ahead_count; i++)
        if (lane_wait(lane, &frame->ahead[i].view) == 0)
            lane_release(lane, &frame->ahead[i].view);
    for (unsigned i = 0; i < frame->status_count; i++)
        if (lane_wait(lane, &frame->status[i]) == 0)
            lane_release(lane, &frame->status[i]);
    frame->ahead_count = 0;
    frame->status_count = 0;
}

/* The frame's remaining entries are made again when the walk is back at it. */
static int drop_frame(struct walk *walk, struct frame *frame)
{
    size_t bytes = frame->entry->name_bytes;
    char *resume = malloc(bytes + 1);
    if (!resume)
        return -ENOMEM;
    memcpy(resume, scan_entry_name(frame->entry), bytes);
    free(frame->resume);
    frame->resume = resume;
    frame->resume_bytes = bytes;
    frame->resume_is_directory = true;
    drop_requests(walk, frame);
    drop_entries(walk, frame);
    if (frame->has_names)
        drop_names(walk, frame);
    frame->dropped = true;
    return 0;
}

/* Keeps the listings within the budget by dropping the outermost ones, which are needed last. All
 * frames but the innermost are inside one of their directories: that one is frame->entry. */
static int keep_budget(struct walk *walk)
{
    for (unsigned i = 0; i + 1 < walk->depth && walk->held_bytes > walk->memory_bytes; i++) {
        struct frame *frame = &walk->frames[i];
        if (frame->is_operands || frame->dropped || !frame->entry)
            continue;
        int error = drop_frame(walk, frame);
        if (error)
            return error;
    }
    return 0;
}

/* Frames. */

static struct frame *new_frame(struct walk *walk)
{
    if (walk->depth == walk->frame_capacity) {
        unsigned capacity = walk->frame_capacity ? walk->frame_capacity * 2 : 32;
        struct frame *larger = realloc(walk->frames, capacity * sizeof *larger);
        if (!larger)
            return NULL;
        walk->frames = larger;
        walk->frame_capacity = capacity;
    }
    struct frame *frame = &walk->frames[walk->depth++];
    *frame = (struct frame){0};
    return frame;
}

int frame_push_operands(struct walk *walk)
{
    struct frame *frame = new_frame(walk);
    if (!frame)
        return -ENOMEM;
    frame->is_operands = true;
    return 0;
}

/* The names from `resume` on, or all. */
static int list_names(struct walk *walk, struct frame *frame)
{
    struct name_range range = {.after = frame->resume,
                               .after_bytes = frame->resume_bytes,
                               .after_is_directory = frame->resume_is_directory,
                               .memory_bytes = walk->memory_bytes / 2};
    int error =
        name_list_read(&frame->names, walk->path, frame->path_bytes, walk_scan_flags(walk), &range);
    if (error)
        return error;
    frame->has_names = true;
    walk->held_bytes += frame->names.text_capacity + frame->names.capacity * sizeof(struct listed);
    return keep_budget(walk);
}

int frame_push(struct walk *walk, size_t path_bytes, const struct item_view *answered)
{
    const struct scan_answer *answer = scan_answer_of(answered);
    struct frame *frame = new_frame(walk);
    if (!frame)
        return -ENOMEM;
    frame->path_bytes = path_bytes;
    frame->device = answer->stat.device;
    frame->inode = answer->stat.inode;
    if (answer->too_large)
        frame->dropped = true; /* nothing taken yet: to be listed from the start */
    else if (copy_answer(walk, frame, answered))
        return -ENOMEM;
    return keep_budget(walk);
}

void frame_pop(struct walk *walk)
{
    struct frame *frame = walk_top(walk);
    drop_requests(walk, frame);
    drop_entries(walk, frame);
    if (frame->has_names)
        drop_names(walk, frame);
    free(frame->resume);
    walk->depth--;
}

/* Status requests. */

/* Names from the list or the source. 1: added, 0: no more, -EAGAIN: none now or request full. */
static int add_next_name(struct walk *walk, struct frame *frame, const struct item_view *view,
                         bool wait)
{
    if (!frame->is_operands) {
        struct name_list *list = &frame->names;
        if (list->next == list->count)
            return 0;
        const struct listed *name = &list->names[list->next];
        struct scan_name asked = {.name_bytes = name->bytes, .algorithms = walk->algorithms};
        if (!scan_request_add(view, &asked, list->text + name->offset, ""))
            return -EAGAIN;
        list->next++;
        return 1;
    }
    if (!walk->name_is_pending) {
        switch (walk->setup->next(walk->setup->context, wait, &walk->pending_name)) {
        case WALK_END:
            frame->source_ended = true;
            return 0;
        case WALK_WAIT:
            return -EAGAIN;
        case WALK_NAME:
            break;
        }
    }
    const struct walk_name *name = &walk->pending_name;
    if (name->bytes > WALK_NAME_MAX)
        return emit_note(walk, 0, name->text, WALK_NAME_MAX, NULL, fault_of(TM_FAULT_TOO_LONG), 0)
                   ? -ECANCELED
                   : 1;
    struct scan_name asked = {
        .name_bytes = (uint32_t)name->bytes,
        .attachment_bytes = (uint32_t)name->attachment_bytes,
        .algorithms = name->algorithms,
        .flags = name->is_standard_input ? FILE_STANDARD_INPUT : 0,
    };
    walk->name_is_pending = !scan_request_add(view, &asked, name->text, name->attachment);
    return walk->name_is_pending ? -EAGAIN : 1;
}

static bool has_more_names(const struct frame *frame)
{
    if (frame->is_operands)
        return !frame->source_ended;
    return frame->has_names && frame->names.next < frame->names.count;
}

/* Asks for the next names; with `head`, waits for a credit and for the first name. */
static int request_status(struct walk *walk, struct frame *frame, bool head)
{
    struct tm_lane *lane = walk->setup->scan_lane;
    struct item_view view;
    int error = head ? lane_acquire(lane, &view) : lane_try_acquire(lane, &view, 1);
    if (error)
        return error;
    uint8_t flags = walk_scan_flags(walk);
    if (frame->is_operands && !walk->setup->all_kinds)
        flags |= SCAN_FOLLOW;
    scan_request_status(&view, walk->path, frame->path_bytes, flags);
    int added = 1;
    while (added > 0 && scan_request_of(&view)->name_count < STATUS_NAMES_MAX)
        added = add_next_name(walk, frame, &view, false);
    if (!scan_request_of(&view)->name_count && head && has_more_names(frame)) {
        /* The source has nothing now: let what there is go on its way before waiting for it. */
        error = emit_flush(walk);
        if (error)
            return error;
        add_next_name(walk, frame, &view, true);
    }
    if (!scan_request_of(&view)->name_count) {
        lane_release(lane, &view);
        return -EAGAIN;
    }
    error = lane_submit(lane, &view);
    frame->status[frame->status_count++] = view;
    return error;
}

/* Makes the next answer the frame's entries. 1, or 0 when there is none, or -errno. */
static int take_status(struct walk *walk, struct frame *frame)
{
    struct tm_lane *lane = walk->setup->scan_lane;
    int error = 0;
    while (frame->status_count < STATUS_MAX && has_more_names(frame) && !error)
        error = request_status(walk, frame, frame->status_count == 0);
    if (error && error != -EAGAIN)
        return error;
    if (!frame->status_count)
        return 0;
    struct item_view view = frame->status[0];
    memmove(frame->status, frame->status + 1, --frame->status_count * sizeof *frame->status);
    error = lane_wait(lane, &view);
    if (error)
        return error;
    error = copy_answer(walk, frame, &view);
    lane_release(lane, &view);
    return error ? error : 1;
}

/* Where the next pass over a truncated list begins. */
static int remember_last_name(struct frame *frame)
{
    const struct name_list *list = &frame->names;
    if (!list->truncated)
        return 0;
    const struct listed *last = &list->names[list->count - 1];
    free(frame->resume);
    frame->resume = strndup(list->text + last->offset, last->bytes);
    frame->resume_bytes = last->bytes;
    frame->resume_is_directory = last->is_directory;
    return frame->resume ? 0 : -ENOMEM;
}

int frame_next(struct walk *walk)
{
    struct frame *frame = walk_top(walk);
    for (;;) {
        if (frame->next_entry < frame->entries_bytes) {
            take_entry(frame);
            return 1;
        }
        if (frame->status_count || has_more_names(frame)) {
            int taken = take_status(walk, frame);
            if (taken < 0)
                return taken;
            continue;
        }
        bool again = frame->dropped || (frame->has_names && frame->names.truncated);
        if (frame->has_names) {
            int error = remember_last_name(frame);
            drop_names(walk, frame);
            if (error)
                return error;
        }
        drop_entries(walk, frame);
        if (!again)
            return 0;
        frame->dropped = false;
        int error = list_names(walk, frame);
        if (error == -ENOMEM)
            return error;
        if (error)
            return emit_note(walk, frame->path_bytes, "", 0, NULL, fault_system(TM_OP_LIST, error),
                             0);
    }
}

/* Directories. */

int frame_enter(struct walk *walk, size_t path_bytes, struct item_view *view)
{
    struct tm_lane *lane = walk->setup->scan_lane;
    struct frame *frame = walk_top(walk);
    size_t entry = (size_t)((uint8_t *)frame->entry - frame->entries);
    /* What was asked for in advance is asked for in order: it is the first, or was not. */
    if (frame->ahead_count && frame->ahead[0].entry == entry) {
        *view = frame->ahead[0].view;
        memmove(frame->ahead, frame->ahead + 1, --frame->ahead_count * sizeof *frame->ahead);
        return lane_wait(lane, view);
    }
    /* One credit is never used for looking ahead: this cannot wait for itself. */
    int error = lane_acquire(lane, view);
    if (error)
        return error;
    scan_request_directory(view, walk->path, path_bytes, walk_scan_flags(walk));
    error = lane_submit(lane, view);
    return error ? error : lane_wait(lane, view);
}

static void request_entry(struct walk *walk, const struct frame *frame,
                          const struct scan_entry *entry, const struct item_view *view)
{
    scan_request_directory(view, walk->path, frame->path_bytes, walk_scan_flags(walk));
    char *path = scan_path_of(view);
    size_t end = frame->path_bytes + entry->name_bytes;
    memcpy(path + frame->path_bytes, scan_entry_name(entry), entry->name_bytes);
    if (path[end - 1] != '/')
        path[end++] = '/';
    path[end] = '\0';
    scan_request_of(view)->path_bytes = (uint32_t)end;
}

static bool wants_requested(const struct walk *walk, const struct item_view *view)
{
    size_t end = scan_request_of(view)->path_bytes - 1; /* without the slash */
    return selection_wants_directory(walk->setup->selection,
                                     scan_path_of(view) + walk->operand_bytes,
                                     end - walk->operand_bytes);
}

/* False: nothing more can be asked for at present. */
static bool ask_ahead(struct walk *walk, struct frame *frame)
{
    if (frame->ahead_entry < frame->next_entry)
        frame->ahead_entry = frame->next_entry;
    while (frame->ahead_count < AHEAD_MAX && frame->ahead_entry < frame->entries_bytes) {
        size_t offset = frame->ahead_entry;
        const struct scan_entry *entry = (const struct scan_entry *)(frame->entries + offset);
        frame->ahead_entry += entry->entry_bytes;
        if (!S_ISDIR(entry->stat.mode) || fault_is_set(entry->fault))
            continue;
        if (frame->path_bytes + entry->name_bytes + 1 > SCAN_PATH_MAX)
            continue;
        struct item_view view;
        if (lane_try_acquire(walk->setup->scan_lane, &view, 1)) {
            frame->ahead_entry = offset;
            return false;
        }
        request_entry(walk, frame, entry, &view);
        if (!frame->is_operands && !wants_requested(walk, &view)) {
            lane_release(walk->setup->scan_lane, &view);
            continue;
        }
        frame->ahead[frame->ahead_count].entry = offset;
        frame->ahead[frame->ahead_count++].view = view;
        if (lane_submit(walk->setup->scan_lane, &view))
            return false;
    }
    return true;
}

void walk_look_ahead(struct walk *walk)
{
    /* The innermost frame's directories come first, then those further out. */
    for (unsigned i = walk->depth; i-- > 0;)
        if (!ask_ahead(walk, &walk->frames[i]))
            return;
}
