#include "cli/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* The descriptor may block, and may be shared with others, so that this is not ours to change. A
 * pipe that poll() calls writable takes PIPE_BUF bytes at once. */
#define PIECE_BYTES ((size_t)PIPE_BUF)
#define PATIENCE_MS 1000

struct watcher {
    int fd;
    bool is_gone; /* or has part of a line only: nothing may follow */
};

int watcher_create(int fd, struct watcher **out)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    struct watcher *watcher = calloc(1, sizeof *watcher);
    if (!watcher)
        return -ENOMEM;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    watcher->fd = fd;
    *out = watcher;
    return 0;
}

void watcher_destroy(struct watcher *watcher)
{
    free(watcher);
}

static bool is_ready(const struct watcher *watcher, int patience_ms)
{
    struct pollfd ready = {.fd = watcher->fd, .events = POLLOUT};
    int got;
    do
        got = poll(&ready, 1, patience_ms);
    while (got < 0 && errno == EINTR);
    return got > 0;
}

static void write_text(struct watcher *watcher, const char *text, size_t length, int patience_ms)
{
    bool has_begun = false;
    while (length && !watcher->is_gone) {
        if (!is_ready(watcher, has_begun ? PATIENCE_MS : patience_ms)) {
            watcher->is_gone = has_begun;
            return;
        }
        ssize_t wrote = write(watcher->fd, text, length < PIECE_BYTES ? length : PIECE_BYTES);
        if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        watcher->is_gone = wrote < 0;
        if (wrote > 0) {
            has_begun = true;
            text += wrote;
            length -= (size_t)wrote;
        }
    }
}

void watcher_write(struct watcher *watcher, struct json_writer *json)
{
    if (json_ok(json))
        write_text(watcher, json->text, json->length, 0);
    json_clear(json);
}

void watcher_write_last(struct watcher *watcher, struct json_writer *json)
{
    if (watcher && json_ok(json))
        write_text(watcher, json->text, json->length, PATIENCE_MS);
    json_clear(json);
}
