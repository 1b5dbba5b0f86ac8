#include "stages/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/opener.h"
#include "stages/shortage.h"

/* What getdents64(2) returns. */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short record_bytes;
    unsigned char type;
    char name[];
};

#define LIST_BUFFER_BYTES 32768

struct listed_name {
    uint32_t offset; /* in `text` */
    uint32_t bytes;
    uint8_t type; /* DT_* */
};

enum scanner_phase {
    SCANNER_WALK,   /* going down to the directory */
    SCANNER_OPENED, /* the directory's open and own status */
    SCANNER_LIST,   /* a piece of its entries */
    SCANNER_NAME,   /* look at the next name */
    SCANNER_DEEP,   /* going down to a name that is a long path itself */
    SCANNER_STATUS, /* a name's status */
    SCANNER_FINISH, /* the directory's close */
    SCANNER_PAUSE
};

struct scanner {
    enum scanner_phase phase;
    struct opener opener;
    int directory_fd;
    struct shortage shortage;
    /* SCAN_DIRECTORY: names found. */
    uint32_t name_count, name_capacity;
    bool types_unknown; /* some are directories only as their status will tell: sort later */
    struct listed_name *names;
    uint32_t text_bytes;
    char *text; /* SCAN_OUTPUT_BYTES: no answer can hold more */
    /* Progress through the names. */
    uint32_t index;
    uint32_t request_offset; /* SCAN_STATUS: of the next struct scan_name */
    uint32_t entry_offset;   /* in the output slab, of the entry in work */
    int status_at;
    struct statx status;
    _Alignas(8) uint8_t list[LIST_BUFFER_BYTES];
};

static void scanner_close(void *state)
{
    struct scanner *scanner = state;
    free(scanner->names);
    free(scanner->text);
    free(scanner);
}

static int scanner_open(void *job, void **state)
{
    (void)job;
    struct scanner *scanner = calloc(1, sizeof *scanner);
    if (!scanner)
        return -ENOMEM;
    scanner->name_capacity = SCAN_OUTPUT_BYTES / (uint32_t)scan_entry_stride(1);
    scanner->names = malloc(scanner->name_capacity * sizeof *scanner->names);
    scanner->text = malloc(SCAN_OUTPUT_BYTES);
    if (!scanner->names || !scanner->text) {
        scanner_close(scanner);
        return -ENOMEM;
    }
    *state = scanner;
    return 0;
}

/* Answers. */

static struct scan_entry *add_entry(struct scanner *scanner, const struct item_view *view,
                                    const char *name, size_t name_bytes)
{
    struct scan_answer *answer = scan_answer_of(view);
    scanner->entry_offset = answer->used_bytes;
    struct scan_entry *entry = (struct scan_entry *)(view->output + answer->used_bytes);
    *entry = (struct scan_entry){.name_bytes = (uint32_t)name_bytes,
                                 .entry_bytes = (uint32_t)scan_entry_stride(name_bytes)};
    memcpy(entry + 1, name, name_bytes);
    ((char *)(entry + 1))[name_bytes] = '\0';
    answer->used_bytes += entry->entry_bytes;
    answer->entry_count++;
    return entry;
}

static void finish(struct scanner *scanner, struct io_chain *chain)
{
    chain->count = 0;
    if (scanner->directory_fd >= 0)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = scanner->directory_fd});
    scanner->directory_fd = -1;
    opener_add_close(&scanner->opener, chain);
    scanner->phase = SCANNER_FINISH;
}

static void begin_request(struct scanner *scanner, const struct item_view *view)
{
    const struct scan_request *made = scan_request_of(view);
    *scan_answer_of(view) = (struct scan_answer){.used_bytes = sizeof(struct scan_answer)};
    opener_begin(&scanner->opener, AT_FDCWD);
    scanner->directory_fd = -1;
    scanner->name_count = 0;
    scanner->types_unknown = false;
    scanner->text_bytes = 0;
    scanner->index = 0;
    scanner->request_offset = (uint32_t)scan_names_offset(made);
    scanner->phase = SCANNER_WALK;
    if (made->kind == SCAN_STATUS && made->path_bytes == 0)
        scanner->phase = SCANNER_NAME; /* relative to the working directory */
}

/* Out of descriptors: gives its own back, and begins the whole request again later. */
static bool pause_for_descriptors(struct scanner *scanner, int error, struct io_chain *chain)
{
    if (!shortage_may_pass(&scanner->shortage, error, chain))
        return false;
    finish(scanner, chain);
    shortage_pause(&scanner->shortage, chain);
    scanner->phase = SCANNER_PAUSE;
    return true;
}

static void fail(struct scanner *scanner, const struct item_view *view, enum tm_operation operation,
                 int error, struct io_chain *chain)
{
    if (pause_for_descriptors(scanner, error, chain))
        return;
    finish(scanner, chain);
    scan_answer_of(view)->fault = fault_system(operation, error);
}

static void walk(struct scanner *scanner, const struct item_view *view, struct io_chain *chain)
{
    const struct scan_request *made = scan_request_of(view);
    struct opener *opener = &scanner->opener;
    int error = 0;
    switch (opener_step(opener, scan_path_of(view), made->path_bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        fail(scanner, view, TM_OP_LIST, error, chain);
        return;
    case OPENER_REACHED:
        break;
    }
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = opener->base,
                                 .path = scan_path_of(view) + opener->offset,
                                 .flags = O_DIRECTORY | O_CLOEXEC |
                                          (made->kind == SCAN_STATUS ? O_PATH : O_RDONLY)});
    io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                 .fd = IO_FD_OF_CHAIN,
                                 .data = &scanner->status,
                                 .size = file_stat_mask});
    opener_add_close(opener, chain);
    scanner->phase = SCANNER_OPENED;
}

static void add_list(struct scanner *scanner, struct io_chain *chain)
{
    chain->count = 0;
    io_add(chain, (struct io_op){.code = IO_LIST,
                                 .fd = scanner->directory_fd,
                                 .data = scanner->list,
                                 .size = sizeof scanner->list});
    scanner->phase = SCANNER_LIST;
}

static void opened(struct scanner *scanner, const struct item_view *view, struct io_chain *chain)
{
    struct scan_answer *answer = scan_answer_of(view);
    int64_t fd = chain->op[0].result;
    int64_t status = chain->op[1].result;
    chain->count = 0;
    if (fd >= 0)
        scanner->directory_fd = (int)fd;
    if (fd < 0 || status < 0) {
        fail(scanner, view, TM_OP_LIST, (int)(fd < 0 ? fd : status), chain);
        return;
    }
    shortage_is_over(&scanner->shortage);
    file_stat_from(&answer->stat, &scanner->status);
    if (scan_request_of(view)->kind == SCAN_DIRECTORY)
        add_list(scanner, chain);
    else
        scanner->phase = SCANNER_NAME;
}

/* False: more names than an answer holds. */
static bool take_names(struct scanner *scanner, size_t list_bytes, bool follow)
{
    for (size_t at = 0; at < list_bytes;) {
        const struct directory_entry *found = (const void *)(scanner->list + at);
        at += found->record_bytes;
        size_t bytes = strlen(found->name);
        if (found->name[0] == '.' && (bytes == 1 || (bytes == 2 && found->name[1] == '.')))
            continue;
        if (scanner->name_count == scanner->name_capacity ||
            scanner->text_bytes + bytes > SCAN_OUTPUT_BYTES)
            return false;
        scanner->names[scanner->name_count++] =
            (struct listed_name){scanner->text_bytes, (uint32_t)bytes, found->type};
        memcpy(scanner->text + scanner->text_bytes, found->name, bytes);
        scanner->text_bytes += (uint32_t)bytes;
        if (found->type == DT_UNKNOWN || (found->type == DT_LNK && follow))
            scanner->types_unknown = true;
    }
    return true;
}

static int compare_names(const void *a, const void *b, void *text)
{
    const struct listed_name *left = a, *right = b;
    return scan_name_compare((char *)text + left->offset, left->bytes, left->type == DT_DIR,
                             (char *)text + right->offset, right->bytes, right->type == DT_DIR);
}

static void listed(struct scanner *scanner, const struct item_view *view, struct io_chain *chain)
{
    int64_t got = chain->op[0].result;
    chain->count = 0;
    if (got < 0) {
        fail(scanner, view, TM_OP_LIST, (int)got, chain);
        return;
    }
    size_t needed = sizeof(struct scan_answer);
    bool fits = take_names(scanner, (size_t)got, scan_request_of(view)->flags & SCAN_FOLLOW);
    for (uint32_t i = 0; i < scanner->name_count && fits; i++) {
        needed += scan_entry_stride(scanner->names[i].bytes);
        fits = needed <= SCAN_OUTPUT_BYTES;
    }
    if (!fits) {
        scan_answer_of(view)->too_large = true;
        finish(scanner, chain);
        return;
    }
    if (got > 0) {
        add_list(scanner, chain);
        return;
    }
    qsort_r(scanner->names, scanner->name_count, sizeof *scanner->names, compare_names,
            scanner->text);
    scanner->phase = SCANNER_NAME;
}

static void add_status(struct scanner *scanner, int base, const char *path, bool follow,
                       struct io_chain *chain)
{
    scanner->status_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_STAT,
                                 .dir = base,
                                 .path = path,
                                 .flags = (follow ? 0 : AT_SYMLINK_NOFOLLOW) | AT_NO_AUTOMOUNT,
                                 .data = &scanner->status,
                                 .size = file_stat_mask});
    scanner->phase = SCANNER_STATUS;
}

static int compare_entries(const void *a, const void *b, void *entries)
{
    const struct listed_name *left = a, *right = b;
    const struct scan_entry *l = (const void *)((const uint8_t *)entries + left->offset);
    const struct scan_entry *r = (const void *)((const uint8_t *)entries + right->offset);
    return scan_name_compare(scan_entry_name(l), l->name_bytes, S_ISDIR(l->stat.mode),
                             scan_entry_name(r), r->name_bytes, S_ISDIR(r->stat.mode));
}

/* Sorts the answer itself; the list of names is not needed any more and lends its memory. */
static void sort_entries(struct scanner *scanner, const struct item_view *view)
{
    const struct scan_answer *answer = scan_answer_of(view);
    uint8_t *entries = view->output + sizeof *answer;
    size_t bytes = answer->used_bytes - sizeof *answer;
    uint32_t offset = 0;
    for (uint32_t i = 0; i < answer->entry_count; i++) {
        const struct scan_entry *entry = (const void *)(entries + offset);
        scanner->names[i] = (struct listed_name){offset, entry->entry_bytes, 0};
        offset += entry->entry_bytes;
    }
    memcpy(scanner->text, entries, bytes);
    qsort_r(scanner->names, answer->entry_count, sizeof *scanner->names, compare_entries,
            scanner->text);
    for (uint32_t i = 0; i < answer->entry_count; i++) {
        memcpy(entries, scanner->text + scanner->names[i].offset, scanner->names[i].bytes);
        entries += scanner->names[i].bytes;
    }
}

/* The next name of a listing. Only files need their status: what a directory is, its own listing
 * will tell, and other kinds are known by their type. */
static void next_listed(struct scanner *scanner, const struct item_view *view,
                        struct io_chain *chain)
{
    const struct scan_request *made = scan_request_of(view);
    while (scanner->index < scanner->name_count) {
        const struct listed_name *name = &scanner->names[scanner->index++];
        if (name->type == DT_LNK && !(made->flags & (SCAN_FOLLOW | SCAN_ALL_KINDS)))
            continue;
        struct scan_entry *entry =
            add_entry(scanner, view, scanner->text + name->offset, name->bytes);
        if (name->type == DT_REG || name->type == DT_LNK || name->type == DT_UNKNOWN ||
            (made->flags & SCAN_ALL_KINDS && name->type != DT_DIR)) {
            add_status(scanner, scanner->directory_fd, scan_entry_name(entry),
                       made->flags & SCAN_FOLLOW, chain);
            return;
        }
        entry->stat.mode = (uint32_t)DTTOIF(name->type);
    }
    if (scanner->types_unknown)
        sort_entries(scanner, view);
    finish(scanner, chain);
}

static struct scan_name *requested_name(const struct scanner *scanner, const struct item_view *view)
{
    return (struct scan_name *)(view->input + scanner->request_offset);
}

static void deep(struct scanner *scanner, const struct item_view *view, struct io_chain *chain);

static void next_requested(struct scanner *scanner, const struct item_view *view,
                           struct io_chain *chain)
{
    const struct scan_request *made = scan_request_of(view);
    while (scanner->index < made->name_count) {
        const struct scan_name *name = requested_name(scanner, view);
        const char *text = (const char *)(name + 1);
        scanner->index++;
        scanner->request_offset += (uint32_t)scan_name_stride(name);
        struct scan_entry *entry = add_entry(scanner, view, text, name->name_bytes);
        if (name->flags & FILE_STANDARD_INPUT)
            continue;
        int base = scanner->directory_fd >= 0 ? scanner->directory_fd : AT_FDCWD;
        if (name->name_bytes >= PATH_MAX) {
            opener_begin(&scanner->opener, base);
            scanner->phase = SCANNER_DEEP;
            deep(scanner, view, chain);
        } else {
            add_status(scanner, base, scan_entry_name(entry), made->flags & SCAN_FOLLOW, chain);
        }
        return;
    }
    finish(scanner, chain);
}

static struct scan_entry *current_entry(const struct scanner *scanner, const struct item_view *view)
{
    return (struct scan_entry *)(view->output + scanner->entry_offset);
}

static void deep(struct scanner *scanner, const struct item_view *view, struct io_chain *chain)
{
    struct scan_entry *entry = current_entry(scanner, view);
    const char *path = scan_entry_name(entry);
    int error = 0;
    switch (opener_step(&scanner->opener, path, entry->name_bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        if (pause_for_descriptors(scanner, error, chain))
            return;
        entry->fault = fault_system(TM_OP_STAT, error);
        scanner->phase = SCANNER_NAME;
        return;
    case OPENER_REACHED:
        break;
    }
    add_status(scanner, scanner->opener.base, path + scanner->opener.offset,
               scan_request_of(view)->flags & SCAN_FOLLOW, chain);
    opener_add_close(&scanner->opener, chain);
}

static void status_taken(struct scanner *scanner, const struct item_view *view,
                         struct io_chain *chain)
{
    struct scan_entry *entry = current_entry(scanner, view);
    int64_t result = chain->op[scanner->status_at].result;
    chain->count = 0;
    if (result < 0)
        entry->fault = fault_system(TM_OP_STAT, (int)result);
    else
        file_stat_from(&entry->stat, &scanner->status);
    scanner->phase = SCANNER_NAME;
}

static bool scanner_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct scanner *scanner = state;
    if (!chain->count) { /* a new item */
        begin_request(scanner, view);
    }
    for (;;) {
        switch (scanner->phase) {
        case SCANNER_WALK:
            walk(scanner, view, chain);
            break;
        case SCANNER_OPENED:
            opened(scanner, view, chain);
            break;
        case SCANNER_LIST:
            listed(scanner, view, chain);
            break;
        case SCANNER_NAME:
            chain->count = 0;
            if (scan_request_of(view)->kind == SCAN_DIRECTORY)
                next_listed(scanner, view, chain);
            else
                next_requested(scanner, view, chain);
            break;
        case SCANNER_DEEP:
            deep(scanner, view, chain);
            break;
        case SCANNER_STATUS:
            status_taken(scanner, view, chain);
            break;
        case SCANNER_FINISH:
            return false;
        case SCANNER_PAUSE:
            chain->count = 0;
            begin_request(scanner, view);
            break;
        }
        if (chain->count)
            return true;
        if (scanner->phase == SCANNER_FINISH)
            return false;
    }
}

const struct stage_ops scan_stage = {
    .name = "scan",
    .open = scanner_open,
    .close = scanner_close,
    .step = scanner_step,
};
