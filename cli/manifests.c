#include "cli/manifests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/job.h"
#include "cli/path_set.h"
#include "cli/report.h"
#include "stages/compare.h"
#include "stages/manifest.h"

struct one_manifest {
    const char *path;
    int fd;
    dev_t device;
    ino_t inode;
    struct manifest_reader *reader;
    bool has_ended; /* it was read to its end */
    bool told;      /* that its name speaks of an algorithm that is not offered */
    uint64_t usable;
    uint64_t malformed;
    uint64_t unchecked;
    uint64_t outside; /* names that lead out of the directory searched for extra files */
};

/* A file with several lines (one for each algorithm, say) is checked if one of them can be. So a
 * line that cannot is held back until the next one turns out to be of another file. */
struct last_file {
    char path[MANIFEST_PATH_BYTES_MAX + 1];
    size_t bytes;
    bool is_checked;
    bool is_pending;
    uint64_t line_number; /* pending: of the line, and what is wrong with it */
    const char *reason;
    const char *foreign;
};

struct manifests {
    const struct options *options;
    struct report *report;
    struct path_set *known;
    uint32_t available; /* algorithms that the libraries offer here */
    struct one_manifest *items;
    size_t count;
    size_t current;
    int error; /* that ends the job */
    struct last_file last;
    struct manifest_line line;
    uint8_t attachment[EXPECTATION_BYTES_MAX];
};

static ssize_t read_manifest(void *context, void *buffer, size_t bytes, bool wait)
{
    const struct one_manifest *manifest = context;
    return input_read(manifest->fd, buffer, bytes, wait);
}

static int open_one(struct manifests *manifests, const char *path)
{
    struct one_manifest *manifest = &manifests->items[manifests->count];
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat status;
    *manifest = (struct one_manifest){.path = is_stdin ? "standard input" : path};
    manifest->fd = input_open(path);
    if (manifest->fd < 0)
        return manifest->fd;
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

static void tell_unchecked(struct manifests *manifests)
{
    struct one_manifest *manifest = &manifests->items[manifests->current];
    struct last_file *last = &manifests->last;
    if (!last->is_pending)
        return;
    last->is_pending = false;
    manifest->unchecked++;
    if (!last->foreign)
        report_error_text(manifests->report, last->path, "verify", "%s, line %llu: %s",
                          manifest->path, (unsigned long long)last->line_number, last->reason);
    else if (!manifest->told)
        report_error_text(manifests->report, manifest->path, "verify",
                          "its name speaks of %s, which is not offered; --algorithm tells another",
                          last->foreign);
    manifest->told |= last->foreign != NULL;
}

/* What the line in hand means for the file it names. */
static void note_file(struct manifests *manifests, bool is_checked, const char *reason)
{
    const struct manifest_line *line = &manifests->line;
    struct last_file *last = &manifests->last;
    if (last->bytes != line->path_bytes || memcmp(last->path, line->path, last->bytes) != 0) {
        tell_unchecked(manifests);
        memcpy(last->path, line->path, line->path_bytes + 1);
        last->bytes = line->path_bytes;
        last->is_checked = false;
    }
    last->is_checked |= is_checked;
    last->is_pending = !last->is_checked;
    last->line_number = line->line_number;
    last->reason = reason;
    last->foreign = line->foreign;
}

static void end_manifest(struct manifests *manifests)
{
    tell_unchecked(manifests);
    manifests->last.bytes = 0;
    manifests->current++;
}

static bool leads_outside(const char *path, size_t bytes)
{
    if (path[0] == '/')
        return true;
    for (const char *at = path; (at = memmem(at, bytes - (size_t)(at - path), "..", 2)); at++)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

/* The line's file is one that --extra need not find. */
static int remember(struct manifests *manifests)
{
    const struct manifest_line *line = &manifests->line;
    if (!manifests->known)
        return 0;
    manifests->items[manifests->current].outside += leads_outside(line->path, line->path_bytes);
    return path_set_add(manifests->known, line->path, line->path_bytes);
}

static void make_name(struct manifests *manifests, struct walk_name *name)
{
    const struct manifest_line *line = &manifests->line;
    struct expectation expectation = {
        .size_bytes = line->size_bytes,
        .has_size = line->has_size,
        .is_guess = line->is_guess,
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
}

/* Whether the line in hand gives a name to the walk. */
static bool take_line(struct manifests *manifests, struct walk_name *name)
{
    const struct manifest_line *line = &manifests->line;
    if (line->kind == MANIFEST_LINE_MALFORMED) {
        malformed(manifests, line->reason);
        return false;
    }
    manifests->error = remember(manifests);
    if (manifests->error)
        return false;
    if (line->kind == MANIFEST_LINE_UNCHECKED) {
        note_file(manifests, false, line->reason);
        return false;
    }
    if (line->algorithms & ~manifests->available) {
        note_file(manifests, false, "algorithm is not offered by the installed libraries");
        return false;
    }
    note_file(manifests, true, NULL);
    manifests->items[manifests->current].usable++;
    make_name(manifests, name);
    return true;
}

enum walk_next manifests_next(void *context, bool wait, struct walk_name *name)
{
    struct manifests *manifests = context;
    while (manifests->current < manifests->count && !manifests->error) {
        struct one_manifest *manifest = &manifests->items[manifests->current];
        int got = manifest_next(manifest->reader, wait, &manifests->line);
        if (got == -EAGAIN)
            return WALK_WAIT;
        if (got == -ECANCELED)
            return WALK_END;
        if (got < 0)
            report_error(manifests->report, manifest->path, fault_system(TM_OP_READ, got), NULL);
        manifest->has_ended = got == 0;
        if (got <= 0)
            end_manifest(manifests);
        else if (take_line(manifests, name))
            return WALK_NAME;
    }
    return WALK_END;
}

int manifests_error(const struct manifests *manifests)
{
    return manifests->error;
}

bool manifests_have_ended(const struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++)
        if (!manifests->items[i].has_ended)
            return false;
    return true;
}

/* The manifest's name where there are several to choose from. */
static const char *name_among(const struct manifests *manifests,
                              const struct one_manifest *manifest)
{
    return manifests->count > 1 ? manifest->path : NULL;
}

struct manifests_totals manifests_conclude(const struct manifests *manifests)
{
    struct manifests_totals totals = {.are_usable = true};
    for (size_t i = 0; i < manifests->count; i++) {
        const struct one_manifest *manifest = &manifests->items[i];
        totals.malformed += manifest->malformed;
        totals.unchecked += manifest->unchecked;
        totals.outside += manifest->outside;
        if (manifest->malformed)
            report_warning(manifests->report, name_among(manifests, manifest),
                           "%llu line%s improperly formatted",
                           (unsigned long long)manifest->malformed,
                           manifest->malformed == 1 ? " is" : "s are");
        if (manifest->has_ended && !manifest->usable && !manifest->unchecked) {
            totals.are_usable = false;
            report_error_text(manifests->report, manifest->path, NULL,
                              "no properly formatted checksum lines found");
        }
    }
    return totals;
}

bool manifests_include(const struct manifests *manifests, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < manifests->count; i++)
        if (manifests->items[i].inode == inode && manifests->items[i].device == device)
            return true;
    return false;
}
