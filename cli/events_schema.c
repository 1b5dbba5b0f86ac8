/* What the events hold. tests/command/test_progress.sh compares it with what comes out. */
#include "cli/events.h"

static const struct event_row rows[] = {
    {"start", NULL, "The job begins."},
    {"start", "version", "version of treemill"},
    {"start", "verb", "what is done: hash, create, ..."},

    {"status", NULL, "How far the job is, at --progress-interval, and once more when it is over."},
    {"status", "verb", "as in start"},
    {"status", "final", "whether it is the last one: its figures are those of the whole job"},
    {"status", "elapsed_seconds",
     "time since the start; the time that the job was stopped is not "
     "counted"},
    {"status", "files_done", "files that were dealt with, good or not"},
    {"status", "files_total", "files that there are; more may be found unless totals_final"},
    {"status", "bytes_done", "bytes of input that were worked on"},
    {"status", "bytes_total", "bytes of input that there are, likewise"},
    {"status", "totals_final", "whether both totals are known"},
    {"status", "share", "of the work that is done, 0 to 1; null while the totals are not known"},
    {"status", "errors", "errors so far; of verify with the files that differ or are missing"},
    {"status", "bytes_per_second", "rate of the last seconds"},
    {"status", "mean_bytes_per_second", "rate since the start"},
    {"status", "files_per_second", "rate of the last seconds"},
    {"status", "eta_seconds", "time that is left; null if there is no telling"},
    {"status", "output_bytes", "bytes that were made, if the verb makes any"},
    {"status", "ratio", "of what was compressed to what it was, if the verb compresses"},
    {"status", "path", "a file that is being worked on"},
    {"status", "bottleneck", "name of the stage that limits the job, or null"},
    {"status", "stages",
     "array of objects: name, workers, busy_share (of their time, 0 to 1), "
     "queue_fill and queue_capacity (items that wait for it)"},

    {"file", NULL, "A file was dealt with (--json only)."},
    {"file", "path", "its name"},
    {"file", "size", "bytes, if known"},
    {"file", "digests", "object: algorithm to hexadecimal digits, if any were computed"},
    {"file", "result", "of verify: ok, failed, missing, unreadable or extra"},
    {"file", "kind",
     "of list, as those that follow: file, directory, symlink, hardlink, fifo, character, block or "
     "socket"},
    {"file", "mode", "octal digits, a string"},
    {"file", "uid", "number of the owner"},
    {"file", "gid", "number of the group"},
    {"file", "user", "name of the owner, if the archive has it"},
    {"file", "group", "name of the group, likewise"},
    {"file", "mtime", "a string: seconds since 1970, with nine digits behind the point"},
    {"file", "target", "of links"},
    {"file", "major", "of devices"},
    {"file", "minor", "of devices"},

    {"error", NULL, "A file failed, or the job."},
    {"error", "path", "its name, or none"},
    {"error", "operation", "what failed, such as open or read; may be empty"},
    {"error", "reason", "why"},

    {"message", NULL, "Something else to tell."},
    {"message", "severity", "warning, note or skipped"},
    {"message", "path", "what it is about, if anything"},
    {"message", "text", "the message"},

    {"stats", NULL, "The stages' work (--stats=json only)."},
    {"stats", "stages", "as in summary"},

    {"summary", NULL, "The end, after which nothing comes."},
    {"summary", "verb", "as in start"},
    {"summary", "files", "files that are good"},
    {"summary", "bytes", "bytes of input of these"},
    {"summary", "output_bytes", "as in status"},
    {"summary", "errors", "errors"},
    {"summary", "skipped", "files left out"},
    {"summary", "differing", "verify: files that differ"},
    {"summary", "missing", "verify: files that are not there"},
    {"summary", "extra", "verify: files that are not listed"},
    {"summary", "elapsed_seconds", "as in status"},
    {"summary", "exit_status", "of the program"},
    {"summary", "interrupted", "whether a signal ended the job"},
    {"summary", "stages",
     "array of objects: name, model, workers, depth (operations in flight of each), hits, misses "
     "(operations that needed no waiting, and that did), items, bytes, busy_seconds, "
     "wait_input_seconds, wait_output_seconds (sums over the workers), queue_mean, queue_peak, "
     "queue_capacity, restarts, why (it runs so)"},
};

const struct event_row *events_rows(size_t *count)
{
    *count = sizeof rows / sizeof *rows;
    return rows;
}
