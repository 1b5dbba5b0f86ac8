/* The filter is a program for the kernel's classic BPF machine: it loads the number of the call
 * and compares it with one after another; each comparison either returns or falls through to the
 * next. Blocks look at the call's arguments, too, and load the number again at their end. */
#include "pipeline/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/confine_private.h"

/* A sanitizer's run-time library calls what it likes, whenever it likes, from every place. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#define IS_SANITIZED                                                                               \
    (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                        \
     __has_feature(memory_sanitizer))
#else
#define IS_SANITIZED 0
#endif

static int refuse(int error, char *why, size_t why_bytes, const char *text)
{
    snprintf(why, why_bytes, "%s", text);
    return error;
}

#ifdef CONFINE_HAS_CALLS

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* BPF_MAXINSNS of the kernel. */
#define RULES_MAX 4096

struct filter {
    struct sock_filter rule[RULES_MAX];
    unsigned count; /* beyond RULES_MAX: there was no room */
};

static void emit(struct filter *filter, struct sock_filter rule)
{
    if (filter->count < RULES_MAX)
        filter->rule[filter->count] = rule;
    filter->count++;
}

static void emit_return(struct filter *filter, uint32_t action)
{
    emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void emit_load(struct filter *filter, size_t offset)
{
    emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The lower half: descriptors, process numbers and flags have no more. */
static void load_argument(struct filter *filter, unsigned number)
{
    emit_load(filter, offsetof(struct seccomp_data, args) + number * sizeof(uint64_t));
}

/* Returns `action` if what was loaded is `value`. */
static void when_equal(struct filter *filter, uint32_t value, uint32_t action)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    emit_return(filter, action);
}

/* Returns `action` if what was loaded has any of these bits. */
static void when_bits(struct filter *filter, uint32_t bits, uint32_t action)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    emit_return(filter, action);
}

static void for_calls(struct filter *filter, const int *calls, unsigned count, uint32_t action)
{
    for (unsigned i = 0; i < count; i++)
        when_equal(filter, (uint32_t)calls[i], action);
}

/* What follows, up to end_block(), is about one call. */
static unsigned begin_block(struct filter *filter, int call)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 1, 0));
    emit(filter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
    return filter->count;
}

static void end_block(struct filter *filter, unsigned begin, uint32_t otherwise)
{
    emit_return(filter, otherwise);
    if (filter->count <= RULES_MAX)
        filter->rule[begin - 1].k = filter->count - begin;
}

static void allow_for_descriptors(struct filter *filter, int call, const int *fds, unsigned count)
{
    unsigned begin = begin_block(filter, call);
    load_argument(filter, 0);
    for (unsigned i = 0; i < count; i++)
        when_equal(filter, (uint32_t)fds[i], SECCOMP_RET_ALLOW);
    end_block(filter, begin, SECCOMP_RET_KILL_PROCESS);
}

/* abort() raises a signal, and so do the marked points where tests kill workers. */
static void allow_for_self(struct filter *filter, int call)
{
    unsigned begin = begin_block(filter, call);
    load_argument(filter, 0);
    when_equal(filter, (uint32_t)getpid(), SECCOMP_RET_ALLOW);
    end_block(filter, begin, SECCOMP_RET_KILL_PROCESS);
}

/* Memory, but neither files nor code. */
static void allow_memory(struct filter *filter)
{
    unsigned begin = begin_block(filter, SYS_mmap);
    load_argument(filter, 2);
    when_bits(filter, PROT_EXEC, SECCOMP_RET_KILL_PROCESS);
    load_argument(filter, 3);
    when_bits(filter, MAP_ANONYMOUS, SECCOMP_RET_ALLOW);
    end_block(filter, begin, SECCOMP_RET_KILL_PROCESS);
    begin = begin_block(filter, SYS_mprotect);
    load_argument(filter, 2);
    when_bits(filter, PROT_EXEC, SECCOMP_RET_KILL_PROCESS);
    end_block(filter, begin, SECCOMP_RET_ALLOW);
}

/* fstat() is one of these in newer C libraries; a filter cannot see that the path is empty, so that
 * it may ask about other files, too: that tells of them, but has no way to tell anybody. */
static void allow_status(struct filter *filter, int call, unsigned flags_argument)
{
    unsigned begin = begin_block(filter, call);
    load_argument(filter, flags_argument);
    when_bits(filter, 0x1000 /* AT_EMPTY_PATH */, SECCOMP_RET_ALLOW);
    end_block(filter, begin, SECCOMP_RET_ERRNO | EPERM);
}

static void make_filter(struct filter *filter, enum confinement confinement, const int *writable,
                        unsigned count)
{
    emit_load(filter, offsetof(struct seccomp_data, arch));
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    emit_return(filter, SECCOMP_RET_KILL_PROCESS);
    emit_load(filter, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    when_bits(filter, 0x40000000 /* __X32_SYSCALL_BIT */, SECCOMP_RET_KILL_PROCESS);
#endif
    for_calls(filter, confine_allowed, confine_allowed_count, SECCOMP_RET_ALLOW);
    if (confinement == CONFINE_READING)
        for_calls(filter, confine_reading, confine_reading_count, SECCOMP_RET_ALLOW);
    for_calls(filter, confine_deadly, confine_deadly_count, SECCOMP_RET_KILL_PROCESS);
    allow_memory(filter);
    allow_for_descriptors(filter, SYS_write, writable, count);
    allow_for_descriptors(filter, SYS_writev, writable, count);
    allow_for_self(filter, SYS_kill);
    allow_for_self(filter, SYS_tkill); /* there is one thread, and its number is the process's */
    allow_for_self(filter, SYS_tgkill);
    if (confinement == CONFINE_READING) {
        allow_status(filter, SYS_newfstatat, 3);
        allow_status(filter, SYS_statx, 2);
    }
    emit_return(filter, SECCOMP_RET_ERRNO | EPERM);
}

static int install(struct filter *filter)
{
    struct sock_fprog program = {.len = (unsigned short)filter->count, .filter = filter->rule};
    if (filter->count > RULES_MAX)
        return -E2BIG;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    /* Kernels before 5.16 make a filtered process slower otherwise, against spying on what is in
     * the same process; there is nothing in it that its code may not see. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) ==
        0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* Formats with local times: unless the environment names it, the C library looks at the zone's file
 * again whenever it is asked for a time. */
static void settle_time_zone(void)
{
    (void)setenv("TZ", ":/etc/localtime", 0);
    tzset();
}

int confine_enter(enum confinement confinement, const int *writable, unsigned count)
{
    if (confinement == CONFINE_NONE)
        return 0;
    settle_time_zone();
    struct filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return -ENOMEM;
    make_filter(filter, confinement, writable, count);
    int error = install(filter);
    free(filter);
    return error;
}

static const char *why_none(int error)
{
    switch (error) {
    case ENOSYS:
    case EINVAL:
        return "the kernel has no seccomp filters, or another one hides them";
    case EPERM:
        return "seccomp is not permitted (a seccomp filter)";
    case EOPNOTSUPP:
        return "the kernel's seccomp cannot kill a process";
    default:
        return strerror(error);
    }
}

int confine_probe(char *why, size_t why_bytes)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (IS_SANITIZED)
        return refuse(-EOPNOTSUPP, why, why_bytes,
                      "built with a sanitizer, which needs more system calls");
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
        int error = errno;
        return refuse(-error, why, why_bytes, why_none(error));
    }
    return 0;
}

#else

int confine_enter(enum confinement confinement, const int *writable, unsigned count)
{
    (void)writable;
    (void)count;
    return confinement == CONFINE_NONE ? 0 : -EOPNOTSUPP;
}

int confine_probe(char *why, size_t why_bytes)
{
    return refuse(-EOPNOTSUPP, why, why_bytes,
                  "there is no list of system calls for this kind of processor");
}

#endif
