#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/report.h"
#include "stages/target.h"

/* Large enough that a pipe or file sees few calls, small enough to be nothing beside the slabs. */
#define BUFFER_BYTES 65536

struct output {
    struct output_options options;
    int fd;
    int error;             /* first -errno; kept */
    struct target *target; /* NULL: standard output */
    bool shares_terminal;  /* with the report */
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
};

const char *output_name(const struct output *output)
{
    return output->target ? output->options.path : "standard output";
}

const char *output_temporary(const struct output *output)
{
    return output->target ? target_temporary(output->target) : NULL;
}

static bool find_place(int error, const struct stat *status, struct walk_place *place)
{
    if (error || !S_ISREG(status->st_mode))
        return false;
    *place = (struct walk_place){.device = status->st_dev, .inode = status->st_ino};
    return true;
}

unsigned output_places(const struct output *output, struct walk_place places[static 2])
{
    struct stat status;
    unsigned count = find_place(fstat(output->fd, &status), &status, places);
    if (output->target && !target_is_special(output->target))
        count += find_place(stat(output->options.path, &status), &status, places + count);
    return count;
}

int output_open(const struct output_options *options, struct output **out)
{
    struct output *output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    output->options = *options;
    output->fd = STDOUT_FILENO;
    if (options->path && strcmp(options->path, "-") != 0) {
        struct target_options target = {
            .replace = options->replace, .sync = options->sync, .in_place = true, .mode = 0666};
        int error = target_open(options->path, &target, &output->target);
        if (error) {
            free(output);
            return error;
        }
        output->fd = target_fd(output->target);
    }
    output->shares_terminal = !output->target && options->report && isatty(output->fd) &&
                              isatty(report_fd(options->report));
    *out = output;
    return 0;
}

static int write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t wrote = write(fd, data, bytes);
        if (wrote >= 0) {
            data += wrote;
            bytes -= (size_t)wrote;
        } else if (errno == EAGAIN) {
            /* Somebody made the shared pipe nonblocking: its reader wakes us. */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static int put_out(struct output *output, const uint8_t *data, size_t bytes)
{
    if (!bytes || !output->shares_terminal)
        return write_all(output->fd, data, bytes);
    report_begin_data(output->options.report);
    int error = write_all(output->fd, data, bytes);
    report_end_data(output->options.report, data[bytes - 1] == '\n');
    return error;
}

int output_flush(struct output *output)
{
    if (!output->error)
        output->error = put_out(output, output->buffer, output->used);
    output->used = 0;
    return output->error;
}

int output_write(struct output *output, const void *data, size_t bytes)
{
    if (bytes > BUFFER_BYTES - output->used)
        output_flush(output);
    if (output->error)
        return output->error;
    if (bytes >= BUFFER_BYTES)
        return output->error = put_out(output, data, bytes);
    memcpy(output->buffer + output->used, data, bytes);
    output->used += bytes;
    return 0;
}

int output_placed_fd(const struct output *output)
{
    return output->target && !target_is_special(output->target) ? output->fd : -1;
}

int output_publish(struct output *output)
{
    int error = output_flush(output);
    if (error || !output->target)
        return error;
    if (output->options.sync && !target_is_special(output->target) && fsync(output->fd) < 0)
        return output->error = -errno;
    return output->error = target_publish(output->target);
}

void output_discard(struct output *output)
{
    if (!output)
        return;
    target_discard(output->target);
    free(output);
}
