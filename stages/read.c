#include "stages/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/batch.h"
#include "stages/opener.h"
#include "stages/shortage.h"

enum reader_phase {
    READER_NEXT,      /* look for the next file to read */
    READER_WALK,      /* going down a path that is too long for one call */
    READER_DIRECTORY, /* the directory of several files is being opened */
    READER_FILE,      /* the file's chain is under way */
    READER_LINK,      /* a symbolic link's target is being read */
    READER_PAUSE      /* out of descriptors: others will close theirs */
};

/* Files of one bundle that an event loop may read at once. */
#define READ_STRANDS_MAX 32

/* A directory kept open for the files that follow. */
struct directory {
    int fd; /* -1: none, or being opened */
    char *path;
    size_t bytes, capacity;
    unsigned users; /* strands whose chain names it, or that open it */
};

/* One that files are being opened in, and one that others are still being read from. */
#define DIRECTORIES 2

/* One file at a time. */
struct strand {
    enum reader_phase phase;
    unsigned index;    /* of the file in the batch */
    unsigned attempts; /* at a file that changes */
    struct shortage shortage;
    struct opener opener;
    struct directory *directory; /* in use, or being opened */
    /* Where in the chain the results will be; -1: not in it. */
    int open_at, read_at, stat_at;
    struct statx status;
};

/* One task's state: one item at a time. */
struct reader {
    const struct read_job *job;
    unsigned next; /* the first file of the batch that no strand has begun */
    struct directory directories[DIRECTORIES];
    /* Large file that the last chunk belonged to. */
    int stream_fd;
    uint64_t stream_serial;
    struct strand *strands[READ_STRANDS_MAX]; /* made when first used */
};

static struct strand *strand_of(struct reader *reader, unsigned number)
{
    if (!reader->strands[number])
        reader->strands[number] = calloc(1, sizeof(struct strand));
    return reader->strands[number];
}

static void add_close(struct io_chain *chain, int *fd)
{
    if (*fd >= 0)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = *fd});
    *fd = -1;
}

/* What nobody needs at the moment. */
static void drop_descriptors(struct reader *reader, struct strand *strand, struct io_chain *chain)
{
    for (unsigned d = 0; d < DIRECTORIES; d++)
        if (!reader->directories[d].users)
            add_close(chain, &reader->directories[d].fd);
    add_close(chain, &reader->stream_fd);
    if (strand)
        opener_add_close(&strand->opener, chain);
}

static void reader_close(void *state)
{
    struct reader *reader = state;
    struct io_chain chain = {0};
    for (unsigned n = 0; n < READ_STRANDS_MAX; n++)
        free(reader->strands[n]);
    for (unsigned d = 0; d < DIRECTORIES; d++)
        reader->directories[d].users = 0;
    drop_descriptors(reader, NULL, &chain);
    io_sync_execute(&chain);
    for (unsigned d = 0; d < DIRECTORIES; d++)
        free(reader->directories[d].path);
    free(reader);
}

static int reader_open(void *job, void **state)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return -ENOMEM;
    reader->job = job;
    for (unsigned d = 0; d < DIRECTORIES; d++)
        reader->directories[d].fd = -1;
    reader->stream_fd = -1;
    if (!strand_of(reader, 0)) { /* the others only help */
        reader_close(reader);
        return -ENOMEM;
    }
    *state = reader;
    return 0;
}

static struct file_record *current(const struct strand *strand, const struct item_view *view)
{
    return &batch_of(view)->file[strand->index];
}

static bool stream_is_open(const struct reader *reader, const struct item_view *view,
                           const struct file_record *file)
{
    return batch_is_chunk(view) && reader->stream_fd >= 0 && reader->stream_serial == file->serial;
}

/* The file's own operations, relative to a base directory. */
static void add_file(struct reader *reader, struct strand *strand, const struct item_view *view,
                     int base, const char *path, struct io_chain *chain)
{
    struct file_record *file = current(strand, view);
    bool is_chunk = batch_is_chunk(view);
    bool is_last = !is_chunk || view->item->last;
    bool is_open = stream_is_open(reader, view, file);
    int fd = IO_FD_OF_CHAIN;
    strand->open_at = strand->stat_at = -1;
    if (is_open) {
        fd = reader->stream_fd;
    } else {
        if (is_chunk)
            add_close(chain, &reader->stream_fd);
        strand->open_at = (int)chain->count;
        io_add(chain, (struct io_op){.code = IO_OPEN,
                                     .dir = base,
                                     .path = path,
                                     .flags = OPENER_FILE_FLAGS |
                                              (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0)});
    }
    /* One byte more than expected: tells a file that has grown, and costs no further call. */
    bool probes = is_last && file->offset + file->data_bytes == file->stat.size_bytes;
    strand->read_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_READ,
                                 .fd = fd,
                                 .data = view->input + file->data,
                                 .size = file->data_bytes + (probes ? 1U : 0U),
                                 .minimum = file->data_bytes,
                                 .offset = (off_t)file->offset});
    if (is_last) {
        strand->stat_at = (int)chain->count;
        io_add(chain,
               (struct io_op){
                   .code = IO_STAT_FD, .fd = fd, .data = &strand->status, .size = file_stat_mask});
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = fd});
        if (is_open)
            reader->stream_fd = -1;
    }
    strand->phase = READER_FILE;
}

static void add_link(struct strand *strand, const struct item_view *view, int base,
                     const char *path, struct io_chain *chain)
{
    const struct file_record *file = current(strand, view);
    strand->read_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_READLINK,
                                 .dir = base,
                                 .path = path,
                                 .data = view->input + file->data,
                                 .size = file->data_bytes + 1U}); /* tells a longer one */
    strand->phase = READER_LINK;
}

static void add_content(struct reader *reader, struct strand *strand, const struct item_view *view,
                        int base, const char *path, struct io_chain *chain)
{
    if (S_ISLNK(current(strand, view)->stat.mode))
        add_link(strand, view, base, path, chain);
    else
        add_file(reader, strand, view, base, path, chain);
}

/* Directories. */

static bool remember_directory(struct directory *directory, const char *path, size_t bytes)
{
    if (bytes > directory->capacity) {
        char *larger = realloc(directory->path, bytes);
        if (!larger)
            return false;
        directory->path = larger;
        directory->capacity = bytes;
    }
    memcpy(directory->path, path, bytes);
    directory->bytes = bytes;
    return true;
}

static bool is_path_of(const struct directory *directory, const char *path, size_t bytes)
{
    return bytes == directory->bytes && memcmp(path, directory->path, bytes) == 0;
}

/* The file's directory if it is open, or being opened. */
static struct directory *known_directory(struct reader *reader, const char *path, size_t bytes)
{
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        struct directory *directory = &reader->directories[d];
        if ((directory->fd >= 0 || directory->users) && is_path_of(directory, path, bytes))
            return directory;
    }
    return NULL;
}

/* One to open the file's directory in, or NULL. A directory costs an open and a close itself:
 * worth it from the second file on. */
static struct directory *free_directory(struct reader *reader, const struct strand *strand,
                                        const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    const struct file_record *file = current(strand, view);
    bool is_worth_it = file->name > 0 && strand->index + 1 < batch->file_count &&
                       batch->file[strand->index + 1].flags & FILE_SAME_DIRECTORY;
    is_worth_it = is_worth_it && !shortage_is_expected();
    for (unsigned d = 0; is_worth_it && d < DIRECTORIES; d++) {
        struct directory *directory = &reader->directories[d];
        if (!directory->users && remember_directory(directory, batch_path(view, file), file->name))
            return directory;
    }
    return NULL;
}

/* Steps. */

static void fail_file(struct reader *reader, struct strand *strand, struct file_record *file,
                      enum tm_operation operation, int error, struct io_chain *chain)
{
    if (shortage_may_pass(&strand->shortage, error, chain)) {
        drop_descriptors(reader, strand, chain);
        shortage_pause(&strand->shortage, chain);
        strand->phase = READER_PAUSE;
        return;
    }
    file->fault = fault_system(operation, error);
    strand->phase = READER_NEXT;
}

static void leave_directory(struct strand *strand)
{
    if (strand->directory)
        strand->directory->users--;
    strand->directory = NULL;
}

static void walk(struct reader *reader, struct strand *strand, const struct item_view *view,
                 struct io_chain *chain)
{
    struct file_record *file = current(strand, view);
    struct opener *opener = &strand->opener;
    const char *path = batch_path(view, file);
    size_t bytes = strand->directory ? file->name : file->path_bytes;
    int error = 0;
    switch (opener_step(opener, path, bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        leave_directory(strand);
        fail_file(reader, strand, file, TM_OP_OPEN, error, chain);
        return;
    case OPENER_REACHED:
        break;
    }
    if (!strand->directory) {
        add_content(reader, strand, view, opener->base, path + opener->offset, chain);
        opener_add_close(opener, chain);
        return;
    }
    memcpy(opener->piece, path + opener->offset, bytes - opener->offset);
    opener->piece[bytes - opener->offset] = '\0';
    strand->open_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = opener->base,
                                 .path = opener->piece,
                                 .flags = O_PATH | O_DIRECTORY | O_CLOEXEC});
    opener_add_close(opener, chain);
    strand->phase = READER_DIRECTORY;
}

/* Where the path begins: at the open directory, or with a walk from the start. */
static void begin_file(struct reader *reader, struct strand *strand, const struct item_view *view,
                       struct io_chain *chain)
{
    struct file_record *file = current(strand, view);
    const char *path = batch_path(view, file);
    if (stream_is_open(reader, view, file)) {
        add_file(reader, strand, view, -1, path, chain);
        return;
    }
    struct directory *directory = known_directory(reader, path, file->name);
    if (directory && directory->fd >= 0) {
        directory->users++;
        strand->directory = directory;
        add_content(reader, strand, view, directory->fd, path + file->name, chain);
        return;
    }
    /* One that another strand is opening is not waited for. */
    directory = directory ? NULL : free_directory(reader, strand, view);
    if (directory) {
        add_close(chain, &directory->fd);
        directory->users++;
        strand->directory = directory;
    }
    opener_begin(&strand->opener, AT_FDCWD);
    strand->phase = READER_WALK;
    walk(reader, strand, view, chain);
}

static void directory_opened(struct reader *reader, struct strand *strand,
                             const struct item_view *view, struct io_chain *chain)
{
    struct directory *directory = strand->directory;
    int64_t fd = chain->op[strand->open_at].result;
    chain->count = 0;
    leave_directory(strand);
    directory->fd = fd >= 0 ? (int)fd : -1;
    if (fd < 0)
        fail_file(reader, strand, current(strand, view), TM_OP_OPEN, (int)fd, chain);
    else
        begin_file(reader, strand, view, chain); /* finds the open directory now */
}

/* The file is not as the scan saw it: once more, or as it is. */
static void settle(struct reader *reader, struct strand *strand, const struct item_view *view,
                   size_t got, const struct file_stat *after, struct io_chain *chain)
{
    const struct read_job *job = reader->job;
    struct file_record *file = current(strand, view);
    bool is_chunk = batch_is_chunk(view);
    bool fits = after->size_bytes <= file->data_bytes;
    if (!is_chunk && fits && job->on_change == ON_CHANGE_RETRY && strand->attempts < job->retries) {
        strand->attempts++;
        file->stat = *after;
        file->data_bytes = (uint32_t)after->size_bytes;
        begin_file(reader, strand, view, chain);
        return;
    }
    if (!is_chunk && job->on_change == ON_CHANGE_FAIL) {
        file->fault = fault_of(TM_FAULT_CHANGED);
        return;
    }
    if (got < file->data_bytes)
        memset(view->input + file->data + got, 0, file->data_bytes - got);
    if (!is_chunk) { /* as long as there is room for */
        file->stat = *after;
        file->stat.size_bytes = file->data_bytes;
    }
    file->flags |= FILE_CHANGED;
    file->state = FILE_READ;
}

/* What the chain of a file or chunk has brought. */
static void file_done(struct reader *reader, struct strand *strand, const struct item_view *view,
                      struct io_chain *chain)
{
    struct file_record *file = current(strand, view);
    int64_t opened = strand->open_at < 0 ? 0 : chain->op[strand->open_at].result;
    int64_t got = chain->op[strand->read_at].result;
    int64_t status = strand->stat_at < 0 ? 0 : chain->op[strand->stat_at].result;
    chain->count = 0;
    leave_directory(strand);
    if (strand->open_at >= 0 && opened >= 0 && strand->stat_at < 0) {
        reader->stream_fd = (int)opened; /* more chunks of it will come */
        reader->stream_serial = file->serial;
    }
    if (opened < 0) {
        fail_file(reader, strand, file, TM_OP_OPEN, (int)opened, chain);
        return;
    }
    shortage_is_over(&strand->shortage);
    if (got < 0 || status < 0) {
        fail_file(reader, strand, file, got < 0 ? TM_OP_READ : TM_OP_STAT,
                  (int)(got < 0 ? got : status), chain);
        return;
    }
    bool same = got == (int64_t)file->data_bytes;
    struct file_stat after = file->stat;
    if (strand->stat_at >= 0) {
        file_stat_from(&after, &strand->status);
        same = same && file_stat_same(&file->stat, &after);
        if (!S_ISREG(after.mode))
            file->fault = fault_of(TM_FAULT_SPECIAL);
    }
    strand->phase = READER_NEXT;
    file->state = same ? FILE_READ : FILE_STREAM;
    if (!same && reader->job && !fault_is_set(file->fault))
        settle(reader, strand, view, (size_t)got, &after, chain);
}

static void link_done(struct reader *reader, struct strand *strand, const struct item_view *view,
                      struct io_chain *chain)
{
    struct file_record *file = current(strand, view);
    int64_t got = chain->op[strand->read_at].result;
    chain->count = 0;
    leave_directory(strand);
    strand->phase = READER_NEXT;
    if (got < 0) {
        fail_file(reader, strand, file, TM_OP_READ, (int)got, chain);
        return;
    }
    if (got > (int64_t)file->data_bytes)
        file->fault = fault_of(TM_FAULT_CHANGED);
    file->data_bytes = (uint32_t)got;
    file->state = FILE_READ;
}

/* Gives the strand the next file that is to be read; false: there is none. */
static bool next_file(struct reader *reader, struct strand *strand, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    while (reader->next < batch->file_count) {
        strand->index = reader->next++;
        strand->attempts = 0;
        const struct file_record *file = &batch->file[strand->index];
        if (!fault_is_set(file->fault) && file->state == FILE_PENDING)
            return true;
    }
    return false;
}

static bool reader_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct reader *reader = state;
    struct strand *strand = strand_of(reader, chain->strand);
    if (!strand)
        return false; /* out of memory: the others do its part */
    if (!chain->count) {
        strand->phase = READER_NEXT;
        if (chain->strand == 0) /* a new item */
            reader->next = 0;
    }
    for (;;) {
        switch (strand->phase) {
        case READER_NEXT:
            chain->count = 0;
            if (!next_file(reader, strand, view)) {
                /* A chunk's file is strand 0's: nobody else reads from what is closed here. */
                if (chain->strand == 0 && shortage_is_expected())
                    drop_descriptors(reader, strand, chain);
                return chain->count > 0;
            }
            atomic_store_explicit(&view->item->cursor, strand->index, memory_order_relaxed);
            begin_file(reader, strand, view, chain);
            break;
        case READER_WALK:
            walk(reader, strand, view, chain);
            break;
        case READER_DIRECTORY:
            directory_opened(reader, strand, view, chain);
            break;
        case READER_LINK:
            link_done(reader, strand, view, chain);
            break;
        case READER_FILE:
            file_done(reader, strand, view, chain);
            break;
        case READER_PAUSE:
            chain->count = 0;
            begin_file(reader, strand, view, chain);
            break;
        }
        if (chain->count)
            return true;
    }
}

const struct stage_ops read_stage = {
    .name = "read",
    .open = reader_open,
    .close = reader_close,
    .step = reader_step,
    .strands = READ_STRANDS_MAX,
    .blame = batch_blame,
};
