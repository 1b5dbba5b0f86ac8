#include "stages/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/batch.h"
#include "stages/opener.h"

enum reader_phase {
    READER_NEXT,      /* look for the next file to read */
    READER_WALK,      /* going down a path that is too long for one call */
    READER_DIRECTORY, /* the directory of several files is being opened */
    READER_FILE,      /* the file's chain is under way */
    READER_PAUSE      /* out of descriptors: others will close theirs */
};

/* One task's state: one item at a time. */
struct reader {
    enum reader_phase phase;
    unsigned index; /* of the file in the batch */
    bool want_directory;
    unsigned pauses;
    struct opener opener;
    /* Directory of the file before, kept open for the next one. */
    int directory_fd;
    char *directory;
    size_t directory_bytes, directory_capacity;
    /* Large file that the last chunk belonged to. */
    int stream_fd;
    uint64_t stream_serial;
    /* Where in the chain the results will be; -1: not in it. */
    int open_at, read_at, stat_at;
    struct statx status;
};

/* How often to wait a millisecond for a descriptor before it is an error. */
#define PAUSES_MAX 2000
#define PAUSE_NS   1000000

static int reader_open(void *job, void **state)
{
    (void)job;
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return -ENOMEM;
    reader->directory_fd = -1;
    reader->stream_fd = -1;
    *state = reader;
    return 0;
}

static void add_close(struct io_chain *chain, int *fd)
{
    if (*fd >= 0)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = *fd});
    *fd = -1;
}

static void drop_descriptors(struct reader *reader, struct io_chain *chain)
{
    add_close(chain, &reader->directory_fd);
    add_close(chain, &reader->stream_fd);
    opener_add_close(&reader->opener, chain);
}

static void reader_close(void *state)
{
    struct reader *reader = state;
    struct io_chain chain = {0};
    drop_descriptors(reader, &chain);
    io_sync_execute(&chain);
    free(reader->directory);
    free(reader);
}

/* The file's own operations, relative to a base directory. */
static void add_file(struct reader *reader, const struct item_view *view, int base,
                     const char *path, struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[reader->index];
    bool is_chunk = batch_is_chunk(view);
    bool is_last = !is_chunk || view->item->last;
    bool is_open = is_chunk && reader->stream_fd >= 0 && reader->stream_serial == file->serial;
    int fd = IO_FD_OF_CHAIN;
    reader->open_at = reader->stat_at = -1;
    if (is_open) {
        fd = reader->stream_fd;
    } else {
        if (is_chunk)
            add_close(chain, &reader->stream_fd);
        reader->open_at = (int)chain->count;
        /* O_NONBLOCK: should a FIFO have taken the file's place, do not wait for a writer. */
        io_add(chain, (struct io_op){.code = IO_OPEN,
                                     .dir = base,
                                     .path = path,
                                     .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                              (file->flags & FILE_NO_FOLLOW ? O_NOFOLLOW : 0)});
    }
    /* One byte more than expected: tells a file that has grown, and costs no further call. */
    reader->read_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_READ,
                                 .fd = fd,
                                 .data = view->input + file->data,
                                 .size = file->data_bytes + (is_last ? 1U : 0U),
                                 .minimum = file->data_bytes,
                                 .offset = (off_t)file->offset});
    if (is_last) {
        reader->stat_at = (int)chain->count;
        io_add(chain, (struct io_op){.code = IO_STAT_FD,
                                     .fd = fd,
                                     .data = &reader->status,
                                     .size = file_stat_mask});
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = fd});
        if (is_open)
            reader->stream_fd = -1;
    }
    reader->phase = READER_FILE;
}

static bool remember_directory(struct reader *reader, const char *path, size_t bytes)
{
    if (bytes > reader->directory_capacity) {
        char *larger = realloc(reader->directory, bytes);
        if (!larger)
            return false;
        reader->directory = larger;
        reader->directory_capacity = bytes;
    }
    memcpy(reader->directory, path, bytes);
    reader->directory_bytes = bytes;
    return true;
}

static void fail_file(struct reader *reader, struct file_record *file, enum tm_operation operation,
                      int error, struct io_chain *chain)
{
    if (opener_is_descriptor_shortage(error) && reader->pauses++ < PAUSES_MAX) {
        drop_descriptors(reader, chain);
        io_add(chain, (struct io_op){.code = IO_PAUSE, .size = PAUSE_NS});
        reader->phase = READER_PAUSE;
        return;
    }
    file->fault = fault_system(operation, error);
    reader->index++;
    reader->phase = READER_NEXT;
}

static void walk(struct reader *reader, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[reader->index];
    struct opener *opener = &reader->opener;
    const char *path = batch_path(view, file);
    size_t bytes = reader->want_directory ? file->name : file->path_bytes;
    int error = 0;
    switch (opener_step(opener, path, bytes, chain, &error)) {
    case OPENER_PENDING:
        return;
    case OPENER_FAILED:
        fail_file(reader, file, TM_OP_OPEN, error, chain);
        return;
    case OPENER_REACHED:
        break;
    }
    if (!reader->want_directory) {
        add_file(reader, view, opener->base, path + opener->offset, chain);
        opener_add_close(opener, chain);
        return;
    }
    memcpy(opener->piece, path + opener->offset, bytes - opener->offset);
    opener->piece[bytes - opener->offset] = '\0';
    reader->open_at = (int)chain->count;
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = opener->base,
                                 .path = opener->piece,
                                 .flags = O_PATH | O_DIRECTORY | O_CLOEXEC});
    opener_add_close(opener, chain);
    reader->phase = READER_DIRECTORY;
}

static bool in_open_directory(const struct reader *reader, const char *path,
                              const struct file_record *file)
{
    return reader->directory_fd >= 0 && file->name == reader->directory_bytes &&
           memcmp(path, reader->directory, file->name) == 0;
}

/* Where the path begins: at the open directory, or with a walk from the start. */
static void begin_file(struct reader *reader, const struct item_view *view,
                       struct io_chain *chain)
{
    struct batch *batch = batch_of(view);
    struct file_record *file = &batch->file[reader->index];
    const char *path = batch_path(view, file);
    bool is_open = batch_is_chunk(view) && reader->stream_fd >= 0 &&
                   reader->stream_serial == file->serial;
    if (is_open || in_open_directory(reader, path, file)) {
        add_file(reader, view, reader->directory_fd, path + file->name, chain);
        return;
    }
    add_close(chain, &reader->directory_fd);
    /* A directory costs an open and a close itself: worth it from the second file on. */
    reader->want_directory = file->name > 0 && reader->index + 1 < batch->file_count &&
                             batch->file[reader->index + 1].flags & FILE_SAME_DIRECTORY;
    opener_begin(&reader->opener, AT_FDCWD);
    reader->phase = READER_WALK;
    walk(reader, view, chain);
}

static void directory_opened(struct reader *reader, const struct item_view *view,
                             struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[reader->index];
    int64_t fd = chain->op[reader->open_at].result;
    chain->count = 0;
    if (fd >= 0) {
        reader->directory_fd = (int)fd;
        if (!remember_directory(reader, batch_path(view, file), file->name))
            fd = -ENOMEM;
    }
    if (fd < 0)
        fail_file(reader, file, TM_OP_OPEN, (int)fd, chain);
    else
        reader->phase = READER_NEXT; /* begin_file() finds the open directory now */
}

/* What the chain of a file or chunk has brought. */
static void file_done(struct reader *reader, const struct item_view *view, struct io_chain *chain)
{
    struct file_record *file = &batch_of(view)->file[reader->index];
    int64_t opened = reader->open_at < 0 ? 0 : chain->op[reader->open_at].result;
    int64_t got = chain->op[reader->read_at].result;
    int64_t status = reader->stat_at < 0 ? 0 : chain->op[reader->stat_at].result;
    chain->count = 0;
    if (reader->open_at >= 0 && opened >= 0 && reader->stat_at < 0) {
        reader->stream_fd = (int)opened; /* more chunks of it will come */
        reader->stream_serial = file->serial;
    }
    if (opened < 0) {
        fail_file(reader, file, TM_OP_OPEN, (int)opened, chain);
        return;
    }
    if (got < 0 || status < 0) {
        fail_file(reader, file, got < 0 ? TM_OP_READ : TM_OP_STAT, (int)(got < 0 ? got : status),
                  chain);
        return;
    }
    bool same = got == (int64_t)file->data_bytes;
    if (same && reader->stat_at >= 0) {
        struct file_stat after;
        file_stat_from(&after, &reader->status);
        same = file_stat_same(&file->stat, &after);
        if (!S_ISREG(after.mode))
            file->fault = fault_of(TM_FAULT_SPECIAL);
    }
    file->state = same ? FILE_READ : FILE_STREAM;
    reader->index++;
    reader->phase = READER_NEXT;
}

static bool next_file(struct reader *reader, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    while (reader->index < batch->file_count) {
        const struct file_record *file = &batch->file[reader->index];
        if (!fault_is_set(file->fault) && file->state == FILE_PENDING)
            return true;
        reader->index++;
    }
    return false;
}

static bool reader_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    struct reader *reader = state;
    if (!chain->count) { /* a new item */
        reader->phase = READER_NEXT;
        reader->index = 0;
        reader->pauses = 0;
    }
    for (;;) {
        switch (reader->phase) {
        case READER_NEXT:
            chain->count = 0;
            if (!next_file(reader, view))
                return false;
            atomic_store_explicit(&view->item->cursor, reader->index, memory_order_relaxed);
            begin_file(reader, view, chain);
            break;
        case READER_WALK:
            walk(reader, view, chain);
            break;
        case READER_DIRECTORY:
            directory_opened(reader, view, chain);
            break;
        case READER_FILE:
            file_done(reader, view, chain);
            break;
        case READER_PAUSE:
            chain->count = 0;
            reader->phase = READER_NEXT;
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
    .blame = batch_blame,
};
