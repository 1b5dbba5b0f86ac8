#include "cli/manifests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/job.h"
#include "cli/path_set.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "stages/compare.h"
#include "stages/manifest.h"

struct one_manifest {
    const char *path;
    int fd;
    dev_t device;
    ino_t inode;
    struct manifest_reader *reader;
    uint64_t usable;
    uint64_t malformed;
};

struct manifests {
    const struct options *options;
    struct report *report;
    struct path_set *known;
    uint32_t available; /* algorithms that the libraries offer here */
    struct one_manifest *items;
    size_t count;
    size_t current;
    struct manifest_line line;
    uint8_t attachment[EXPECTATION_BYTES_MAX];
};

static ssize_t read_manifest(void *context, void *buffer, size_t bytes, bool wait)
{
    const struct one_manifest *manifest = context;
    struct pollfd fds[2] = {{.fd = manifest->fd, .events = POLLIN},
                            {.fd = signals_cancel_fd(), .events = POLLIN}};
    while (poll(fds, 2, wait ? -1 : 0) < 0 && errno == EINTR)
        ;
    if (!fds[0].revents)
        return wait ? 0 : -EAGAIN; /* the job has been cancelled : nothing there */
    ssize_t got;
    do
        got = read(manifest->fd, buffer, bytes);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int open_one(struct manifests *manifests, const char *path)
{
    struct one_manifest *manifest = &manifests->items[manifests->count];
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat status;
    *manifest = (struct one_manifest){.path = is_stdin ? "standard input" : path};
    manifest->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (manifest->fd < 0)
        return -errno;
    manifests->count++;
    if (fstat(manifest->fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    manifest->device = status.st_dev;
    manifest->inode = status.st_ino;
    struct manifest_reader_options options = {
        .algorithms = job_algorithms(manifests->options),
        .name = is_stdin ? NULL : path,
        .read = read_manifest,
        .context = manifest,
    };
    return manifest_reader_create(&options, &manifest->reader);
}

int manifests_open(const struct options *options, uint32_t available, struct report *report,
                   struct path_set *known, struct manifests **out, const char **failed_path)
{
    struct manifests *manifests = calloc(1, sizeof *manifests);
    *failed_path = NULL;
    if (!manifests)
        return -ENOMEM;
    *manifests = (struct manifests){
        .options = options, .report = report, .known = known, .available = available};
    manifests->items = calloc(options->operands.count, sizeof *manifests->items);
    int error = manifests->items ? 0 : -ENOMEM;
    for (size_t i = 0; i < options->operands.count && !error; i++) {
        *failed_path = options->operands.items[i];
        error = open_one(manifests, *failed_path);
    }
    if (error)
        manifests_close(manifests);
    else
        *out = manifests;
    return error;
}

void manifests_close(struct manifests *manifests)
{
    if (!manifests)
        return;
    for (size_t i = 0; i < manifests->count; i++) {
        manifest_reader_destroy(manifests->items[i].reader);
        close(manifests->items[i].fd);
    }
    free(manifests->items);
    free(manifests);
}

static void malformed(struct manifests *manifests, const char *reason)
{
    struct one_manifest *manifest = &manifests->items[manifests->current];
    manifest->malformed++;
    if (manifests->options->warn)
        report_warning(manifests->report, manifest->path, "line %llu: %s",
                       (unsigned long long)manifests->line.line_number, reason);
}

/* False: the line asks for what cannot be computed here. */
static bool make_name(struct manifests *manifests, struct walk_name *name)
{
    const struct manifest_line *line = &manifests->line;
    if (line->algorithms & ~manifests->available) {
        malformed(manifests, "digest algorithm is not offered by the installed libraries");
        return false;
    }
    struct expectation expectation = {
        .line_number = line->line_number,
        .size_bytes = line->size_bytes,
        .manifest = (uint32_t)manifests->current,
        .has_size = line->has_size,
    };
    size_t digests_bytes = digest_set_bytes(line->algorithms);
    memcpy(manifests->attachment, &expectation, sizeof expectation);
    memcpy(manifests->attachment + sizeof expectation, line->digests, digests_bytes);
    *name = (struct walk_name){
        .text = line->path,
        .bytes = line->path_bytes,
        .attachment = manifests->attachment,
        .attachment_bytes = sizeof expectation + digests_bytes,
        .algorithms = line->algorithms,
    };
    return true;
}

enum walk_next manifests_next(void *context, bool wait, struct walk_name *name)
{
    struct manifests *manifests = context;
    while (manifests->current < manifests->count) {
        struct one_manifest *manifest = &manifests->items[manifests->current];
        int got = manifest_next(manifest->reader, wait, &manifests->line);
        if (got == -EAGAIN)
            return WALK_WAIT;
        if (got < 0)
            report_error(manifests->report, manifest->path, fault_system(TM_OP_READ, got), NULL);
        if (got <= 0) {
            manifests->current++;
            continue;
        }
        if (manifests->line.kind == MANIFEST_LINE_MALFORMED) {
            malformed(manifests, manifests->line.reason);
            continue;
        }
        if (!make_name(manifests, name))
            continue;
        manifest->usable++;
        if (manifests->known)
            path_set_add(manifests->known, name->text, name->bytes);
        return WALK_NAME;
    }
    return WALK_END;
}

uint64_t manifests_malformed(const struct manifests *manifests)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < manifests->count; i++)
        lines += manifests->items[i].malformed;
    return lines;
}

bool manifests_all_usable(const struct manifests *manifests)
{
    bool all = true;
    for (size_t i = 0; i < manifests->count; i++) {
        if (manifests->items[i].usable)
            continue;
        all = false;
        report_error_text(manifests->report, manifests->items[i].path, NULL,
                          "no properly formatted checksum lines found");
    }
    return all;
}

bool manifests_include(const struct manifests *manifests, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < manifests->count; i++)
        if (manifests->items[i].inode == inode && manifests->items[i].device == device)
            return true;
    return false;
}
