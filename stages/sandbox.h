/* sandbox: keeps a process, and all that it starts from then on, from changing files anywhere but
 * beneath the places it names. By Landlock, a security module of the kernel that needs no
 * privilege.
 *
 * What it takes away outside of the places: opening for writing, making, removing, linking and
 * renaming anything, truncating (from ABI 3 of Landlock on), ioctl on devices (5). And everywhere:
 * executing programs, binding and connecting TCP sockets (4), connecting abstract Unix sockets to
 * processes outside, and sending signals to those (6). Reading stays free. So does what is open
 * already: outputs, pipes, the terminal, shared memory.
 *
 * What Landlock does not know of, and this does not prevent: changes of mode, owner, times and
 * extended attributes; UDP, and Unix sockets that have a path. What guards against those is the way
 * paths are opened (extract.h), not the sandbox.
 *
 * It cannot be undone, and each call narrows it further. It holds for the calling thread and for
 * threads, processes and rings that are made after it: so it comes before graph_start(), which
 * makes them, and after outputs and lists have been opened. The job, for extracting:
 *
 *     struct sandbox_place places[] = {
 *         {.fd = target},                    what is extracted goes there
 *         {.path = directory_of_manifest},   it is renamed there in the end
 *         {.path = directory_of_spills},     files without a name are made there
 *     };
 *     struct sandbox_request request = {
 *         .places = places, .count = 3, .moves = true, .looks_up_names = true};
 *     char why[SANDBOX_WHY_BYTES];
 *     int error = sandbox_enter(&request, why, sizeof why);
 */
#ifndef TREEMILL_STAGES_SANDBOX_H
#define TREEMILL_STAGES_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* A directory beneath which all is allowed, whatever is mounted there; or a file that may be
 * written to. Links within a directory that lead out of it lead to where nothing is allowed. */
struct sandbox_place {
    const char *path; /* opened here, links being followed; or NULL: */
    int fd;           /* open in any way, O_PATH too */
    bool may_lack;    /* it need not exist: then nothing is allowed there */
};

struct sandbox_request {
    const struct sandbox_place *places;
    size_t count; /* 0: nothing may be changed at all */
    /* Files are linked or renamed from one directory to another, and not only within one: hard
     * links of archives. ABI 1 of Landlock forbids that everywhere. */
    bool moves;
    /* Users and groups are looked up, for which the C library may ask a server: sockets stay. */
    bool looks_up_names;
    /* What Landlock cannot keep here, truncation by path, is a reason not to go on. */
    bool strict;
    unsigned abi_max; /* act as an older kernel would: for tests; 0: as this one can */
};

#define SANDBOX_WHY_BYTES 256

/* The ABI of Landlock here, at least 1; or -errno, and why there is none. Any thread. */
int sandbox_probe(char *why, size_t why_bytes);
/* What that ABI takes away, one line. */
void sandbox_describe(int abi, char *text, size_t text_bytes);
/* 0; or -errno, and why: then nothing has been taken away, but for the right to gain privileges by
 * executing a program. -EBUSY: there are other threads already. The process's only thread. */
int sandbox_enter(const struct sandbox_request *request, char *why, size_t why_bytes);

#endif
