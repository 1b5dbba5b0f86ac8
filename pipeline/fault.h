/* fault: what went wrong with one file or one job, small enough to travel in an item.
 *
 * A fault is plain data without pointers: it may lie in shared memory and be copied freely
 * between threads and processes. The path it belongs to is kept beside it by its owner.
 */
#ifndef TREEMILL_PIPELINE_FAULT_H
#define TREEMILL_PIPELINE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The operation that failed: "what failed" in `treemill: PATH: what failed: reason`. */
enum tm_operation {
    TM_OP_NONE,
    TM_OP_OPEN,
    TM_OP_READ,
    TM_OP_STAT,
    TM_OP_LIST,
    TM_OP_WRITE,
    TM_OP_CREATE,
    TM_OP_RENAME,
    TM_OP_SYNC,
    TM_OP_CLOSE,
    TM_OP_HASH,
    TM_OP_COMPRESS,
    TM_OP_DECOMPRESS,
    TM_OP_REMOVE,
    TM_OP_METADATA,
    TM_OP_MEMORY,
    TM_OP_START,
    TM_OP_CONFINE, /* a worker process, see confine.h */
    TM_OP_COUNT
};

enum tm_fault_kind {
    TM_FAULT_NONE,        /* all is well */
    TM_FAULT_SYSTEM,      /* detail: errno */
    TM_FAULT_CHANGED,     /* the file changed while it was read */
    TM_FAULT_SIGNAL,      /* the worker was killed; detail: signal number; operation: none */
    TM_FAULT_EXIT,        /* the worker exited by itself; detail: its exit status */
    TM_FAULT_LOOP,        /* the directory is its own ancestor */
    TM_FAULT_SPECIAL,     /* FIFO, socket or device: never opened for data */
    TM_FAULT_TOO_LONG,    /* the path has more bytes than an item can hold */
    TM_FAULT_NAME,        /* the output's format cannot hold the name */
    TM_FAULT_KIND,        /* the output's format has no such kind of file */
    TM_FAULT_CONSUMED,    /* a worker died that had read what can be read only once */
    TM_FAULT_OUTPUT,      /* the file is what the job itself writes */
    TM_FAULT_COMPRESSED,  /* it is compressed already */
    TM_FAULT_NOT_SMALLER, /* it would not become smaller */
    TM_FAULT_SUFFIX,      /* its name does not end as that of a compressed file */
    TM_FAULT_FORMAT,      /* it is not compressed, or in no way that is known */
    TM_FAULT_CORRUPT,     /* compressed data is wrong */
    TM_FAULT_TRUNCATED,   /* compressed data ends too early */
    TM_FAULT_UNSAFE,      /* a member's name or link leads out of the target */
    TM_FAULT_LIMIT        /* more than what is allowed to come out of an archive */
};

/* stage: index of the stage for SIGNAL and EXIT, see fault_text(). */
struct tm_fault {
    uint8_t kind;      /* enum tm_fault_kind */
    uint8_t operation; /* enum tm_operation */
    uint16_t stage;
    int32_t detail;
};

#define TM_NO_FAULT ((struct tm_fault){0})

/* Fault of a failed system call. `error` is a positive or a negative errno. */
struct tm_fault fault_system(enum tm_operation operation, int error);
struct tm_fault fault_of(enum tm_fault_kind kind);

static inline bool fault_is_set(struct tm_fault fault)
{
    return fault.kind != TM_FAULT_NONE;
}

/* Writes "what failed: reason" to text (always NUL-terminated when capacity > 0).
 * `stage_name` names the stage for a dead worker and may be NULL. Any thread. */
void fault_text(struct tm_fault fault, const char *stage_name, char *text, size_t capacity);

/* Name of an operation, "open"; "" for TM_OP_NONE. */
const char *operation_name(enum tm_operation operation);

#endif
