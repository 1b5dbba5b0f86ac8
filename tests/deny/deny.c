/* deny: runs a command in a world where one system call fails, as in containers and old kernels.
 *
 *   deny SYSCALL ERRNO COMMAND [ARGUMENT...]     deny io_uring_setup EPERM treemill info
 *
 * By a seccomp filter (seccomp(2)), which children inherit. Exits with 77 where there is none.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct named_number {
    const char *name;
    unsigned number;
};

static const struct named_number calls[] = {
    {"io_uring_setup", SYS_io_uring_setup},
    {"io_uring_register", SYS_io_uring_register},
    {"preadv2", SYS_preadv2},
    {"openat2", SYS_openat2},
    {"memfd_create", SYS_memfd_create},
    {"landlock_create_ruleset", SYS_landlock_create_ruleset},
    {"landlock_add_rule", SYS_landlock_add_rule},
    {"landlock_restrict_self", SYS_landlock_restrict_self},
    {"seccomp", SYS_seccomp},
    {NULL, 0}};
static const struct named_number errors[] = {{"EPERM", EPERM},
                                             {"ENOSYS", ENOSYS},
                                             {"EOPNOTSUPP", EOPNOTSUPP},
                                             {"ENOMEM", ENOMEM},
                                             {NULL, 0}};

static const struct named_number *find(const struct named_number *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct named_number *call = argc > 3 ? find(calls, argv[1]) : NULL;
    const struct named_number *error = argc > 3 ? find(errors, argv[2]) : NULL;
    if (!call || !error) {
        fputs("usage: deny SYSCALL ERRNO COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error->number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("deny: seccomp");
        return 77;
    }
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 127;
}
