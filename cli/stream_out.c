#include "cli/stream_out.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/io.h"

int stream_out_begin(struct stream_out *out, const char *path, size_t path_bytes)
{
    out->bytes = 0;
    return out->placing ? placing_open(out->placing, path, path_bytes, &out->target) : 0;
}

int stream_out_write(void *context, const void *data, size_t bytes)
{
    struct stream_out *out = context;
    struct io_op op = {.code = IO_WRITE,
                       .data = (void *)data,
                       .size = bytes,
                       .offset = out->target ? (off_t)out->bytes : IO_AT_POSITION};
    if (!bytes)
        return 0;
    int64_t wrote = io_op_execute(&op, out->target ? target_fd(out->target) : STDOUT_FILENO, -1);
    out->bytes += bytes;
    return wrote < 0 ? (int)wrote : 0;
}

int stream_out_publish(struct stream_out *out, const char *path, struct file_record *file)
{
    struct stat made;
    if (!out->target)
        return 0;
    int error = placing_inherit(out->target, path, file->path_bytes, &file->stat);
    if (!error && fstat(target_fd(out->target), &made) < 0)
        error = -errno;
    if (!error)
        file->trace = (struct publish_trace){.device = made.st_dev, .inode = made.st_ino};
    if (!error && out->placing->sync && fsync(target_fd(out->target)) < 0)
        error = -errno;
    if (!error)
        error = target_publish(out->target);
    stream_out_drop(out);
    return error;
}

void stream_out_drop(struct stream_out *out)
{
    target_discard(out->target);
    out->target = NULL;
}
