#include "pipeline/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operation_names[TM_OP_COUNT] = {
    [TM_OP_NONE] = "",
    [TM_OP_OPEN] = "open",
    [TM_OP_READ] = "read",
    [TM_OP_STAT] = "stat",
    [TM_OP_LIST] = "list",
    [TM_OP_WRITE] = "write",
    [TM_OP_CREATE] = "create",
    [TM_OP_RENAME] = "rename",
    [TM_OP_SYNC] = "sync",
    [TM_OP_CLOSE] = "close",
    [TM_OP_HASH] = "hash",
    [TM_OP_MEMORY] = "memory",
    [TM_OP_COMPRESS] = "compress",
    [TM_OP_DECOMPRESS] = "decompress",
    [TM_OP_REMOVE] = "remove",
    [TM_OP_METADATA] = "metadata",
    [TM_OP_START] = "start",
    [TM_OP_CONFINE] = "confine",
};

const char *operation_name(enum tm_operation operation)
{
    return (unsigned)operation < TM_OP_COUNT ? operation_names[operation] : "";
}

struct tm_fault fault_system(enum tm_operation operation, int error)
{
    return (struct tm_fault){
        .kind = TM_FAULT_SYSTEM, .operation = (uint8_t)operation, .detail = abs(error)};
}

struct tm_fault fault_of(enum tm_fault_kind kind)
{
    return (struct tm_fault){.kind = (uint8_t)kind};
}

void fault_text(struct tm_fault fault, const char *stage_name, char *text, size_t capacity)
{
    const char *stage = stage_name ? stage_name : "work";
    char reason[128];
    switch ((enum tm_fault_kind)fault.kind) {
    case TM_FAULT_NONE:
        snprintf(text, capacity, "no error");
        return;
    case TM_FAULT_SYSTEM:
        /* The GNU strerror_r is safe between threads; the plain strerror is not. */
        snprintf(text, capacity, "%s: %s", operation_name(fault.operation),
                 strerror_r(fault.detail, reason, sizeof reason));
        return;
    case TM_FAULT_CHANGED:
        snprintf(text, capacity, "read: file changed while being read");
        return;
    case TM_FAULT_SIGNAL:
        snprintf(text, capacity, "%s: worker killed by signal %d (%s)", stage, fault.detail,
                 sigdescr_np(fault.detail) ? sigdescr_np(fault.detail) : "unknown");
        return;
    case TM_FAULT_EXIT:
        snprintf(text, capacity, "%s: worker exited with status %d", stage, fault.detail);
        return;
    case TM_FAULT_LOOP:
        snprintf(text, capacity, "list: directory loop: it is its own ancestor");
        return;
    case TM_FAULT_SPECIAL:
        snprintf(text, capacity, "skipped: not a regular file");
        return;
    case TM_FAULT_TOO_LONG:
        snprintf(text, capacity, "open: path is too long");
        return;
    case TM_FAULT_NAME:
        snprintf(text, capacity, "write: the output's format cannot hold this name");
        return;
    case TM_FAULT_KIND:
        snprintf(text, capacity, "write: the output's format has no such kind of file");
        return;
    case TM_FAULT_OUTPUT:
        snprintf(text, capacity, "left out: it is what this job writes");
        return;
    case TM_FAULT_COMPRESSED:
        snprintf(text, capacity, "skipped: compressed already");
        return;
    case TM_FAULT_NOT_SMALLER:
        snprintf(text, capacity, "skipped: would not become smaller");
        return;
    case TM_FAULT_SUFFIX:
        snprintf(text, capacity, "skipped: the name does not end in .gz, .tgz, .zst or .tzst");
        return;
    case TM_FAULT_FORMAT:
        snprintf(text, capacity, "decompress: neither gzip nor zstd");
        return;
    case TM_FAULT_CORRUPT:
        snprintf(text, capacity, "decompress: corrupt data");
        return;
    case TM_FAULT_TRUNCATED:
        snprintf(text, capacity, "decompress: unexpected end of file");
        return;
    case TM_FAULT_UNSAFE:
        snprintf(text, capacity, "skipped: leads out of the target");
        return;
    case TM_FAULT_LIMIT:
        snprintf(text, capacity, "extract: more comes out of it than is allowed");
        return;
    case TM_FAULT_CONSUMED:
        snprintf(text, capacity, "%s: worker was killed, and what it had read is gone", stage);
        return;
    }
    snprintf(text, capacity, "unknown error");
}
