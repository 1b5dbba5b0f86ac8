/* Landlock by its system calls: the headers that this is built with may be older than the kernel
 * that it runs on. What each ABI can is in the kernel's documentation (userspace-api/landlock). */
#include "stages/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What newer headers call LANDLOCK_ACCESS_FS_TRUNCATE and so on. */
#define ACCESS_TRUNCATE   (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEV  (UINT64_C(1) << 15)
#define ACCESS_TCP        (UINT64_C(1) << 0 | UINT64_C(1) << 1)
#define SCOPE_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL      (UINT64_C(1) << 1)

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_IOCTL_DEV = 5, ABI_SCOPE = 6 };

/* struct landlock_ruleset_attr as ABI 6 has it. */
struct ruleset {
    uint64_t files, sockets, scoped;
};

static const uint64_t changes_of_files =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV;
/* All that a rule about something else than a directory may name. */
static const uint64_t changes_of_one_file =
    LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV;

static const char *why_none(int error)
{
    switch (error) {
    case ENOSYS:
        return "the kernel has no Landlock, or a seccomp filter hides it";
    case EOPNOTSUPP:
        return "Landlock is switched off (kernel parameter lsm=)";
    case EPERM:
        return "Landlock is not permitted (a seccomp filter)";
    default:
        return strerror(error);
    }
}

static int probe(unsigned abi_max, char *why, size_t why_bytes)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) {
        int error = errno;
        snprintf(why, why_bytes, "%s", why_none(error));
        return -error;
    }
    return abi_max && abi > (long)abi_max ? (int)abi_max : (int)abi;
}

int sandbox_probe(char *why, size_t why_bytes)
{
    return probe(0, why, why_bytes);
}

void sandbox_describe(int abi, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "ABI %d: %swriting beneath given places only, no programs%s%s%s%s",
             abi, abi < ABI_REFER ? "no links between directories, " : "",
             abi < ABI_TRUNCATE ? ", truncation stays" : "", abi < ABI_TCP ? "" : ", no TCP",
             abi < ABI_IOCTL_DEV ? "" : ", no ioctl on devices",
             abi < ABI_SCOPE ? "" : ", no signals to others");
}

static struct ruleset make_ruleset(int abi, const struct sandbox_request *request)
{
    struct ruleset set = {.files = changes_of_files | LANDLOCK_ACCESS_FS_EXECUTE};
    if (abi < ABI_REFER)
        set.files &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    if (abi < ABI_TRUNCATE)
        set.files &= ~ACCESS_TRUNCATE;
    if (abi < ABI_IOCTL_DEV)
        set.files &= ~ACCESS_IOCTL_DEV;
    if (abi >= ABI_TCP && !request->looks_up_names)
        set.sockets = ACCESS_TCP;
    if (abi >= ABI_SCOPE)
        set.scoped = SCOPE_SIGNAL | (request->looks_up_names ? 0 : SCOPE_UNIX_SOCKET);
    return set;
}

/* A kernel refuses what is larger than it knows, unless the rest is zero. */
static size_t ruleset_bytes(int abi)
{
    return abi < ABI_TCP     ? offsetof(struct ruleset, sockets)
           : abi < ABI_SCOPE ? offsetof(struct ruleset, scoped)
                             : sizeof(struct ruleset);
}

static const char *name_of(const struct sandbox_place *place)
{
    return place->path ? place->path : "an open directory";
}

static int add_rule(int ruleset, int fd, uint64_t handled)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    struct landlock_path_beneath_attr rule = {
        .parent_fd = fd,
        .allowed_access =
            handled & (S_ISDIR(status.st_mode) ? changes_of_files : changes_of_one_file)};
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    return result < 0 ? -errno : 0;
}

static int allow_place(int ruleset, const struct sandbox_place *place, uint64_t handled)
{
    int fd = place->path ? open(place->path, O_PATH | O_CLOEXEC) : place->fd;
    int error = fd < 0 ? -errno : add_rule(ruleset, fd, handled);
    if (fd >= 0 && place->path)
        close(fd);
    bool lacks = error == -ENOENT || error == -ENOTDIR;
    return place->may_lack && lacks ? 0 : error;
}

/* ThreadSanitizer has a thread of its own from the start; it changes no files. */
#if defined(__SANITIZE_THREAD__)
#define HAS_HIDDEN_THREAD 1
#elif defined(__has_feature)
#define HAS_HIDDEN_THREAD __has_feature(thread_sanitizer)
#else
#define HAS_HIDDEN_THREAD 0
#endif

/* They would stay as free as they are. */
static bool has_other_threads(void)
{
    struct stat status;
    return !HAS_HIDDEN_THREAD && stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
}

static int refuse(int error, char *why, size_t why_bytes, const char *text)
{
    snprintf(why, why_bytes, "%s", text);
    return error;
}

static int check(int abi, const struct sandbox_request *request, char *why, size_t why_bytes)
{
    if (request->moves && abi < ABI_REFER)
        return refuse(-EOPNOTSUPP, why, why_bytes,
                      "this kernel's Landlock (ABI 1) forbids links between directories");
    if (request->strict && abi < ABI_TRUNCATE)
        return refuse(-EOPNOTSUPP, why, why_bytes,
                      "this kernel's Landlock (ABI 1 or 2) does not prevent truncation");
    if (has_other_threads())
        return refuse(-EBUSY, why, why_bytes, "there are other threads already");
    return 0;
}

static int restrict_self(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return -errno;
    return 0;
}

int sandbox_enter(const struct sandbox_request *request, char *why, size_t why_bytes)
{
    int abi = probe(request->abi_max, why, why_bytes);
    int error = abi < 0 ? abi : check(abi, request, why, why_bytes);
    if (error)
        return error;
    struct ruleset set = make_ruleset(abi, request);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &set, ruleset_bytes(abi), 0);
    if (ruleset < 0) {
        error = -errno;
        return refuse(error, why, why_bytes, why_none(-error));
    }
    for (size_t i = 0; i < request->count && !error; i++) {
        error = allow_place(ruleset, &request->places[i], set.files);
        if (error)
            snprintf(why, why_bytes, "%s: %s", name_of(&request->places[i]), strerror(-error));
    }
    if (!error && (error = restrict_self(ruleset)))
        snprintf(why, why_bytes, "Landlock: %s", strerror(-error));
    close(ruleset);
    return error;
}
