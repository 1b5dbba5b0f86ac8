#include "pipeline/confine_private.h"

#include <sys/syscall.h>

#ifdef CONFINE_HAS_CALLS
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* Those that not every machine has, and those that headers of older kernels lack, stand by
 * themselves. A call in none of the lists fails, whoever invents it. */
/* clang-format off */
const int confine_allowed[] = {
    SYS_futex, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_sched_yield, SYS_getrandom, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_membarrier,
    SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_restart_syscall, SYS_exit,
    SYS_exit_group, SYS_close, SYS_getpid, SYS_gettid, SYS_getppid, SYS_sched_getaffinity,
    SYS_getcpu,
#ifdef SYS_time
    SYS_time,
#endif
};
const unsigned confine_allowed_count = COUNT(confine_allowed);

const int confine_reading[] = {
    SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_lseek, SYS_fstat, SYS_ppoll,
    SYS_fadvise64,
#ifdef SYS_poll
    SYS_poll,
#endif
};
const unsigned confine_reading_count = COUNT(confine_reading);

const int confine_deadly[] = {
    /* Names and contents of files. */
    SYS_openat, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_renameat, SYS_renameat2,
    SYS_linkat, SYS_symlinkat, SYS_unlinkat, SYS_mkdirat, SYS_mknodat, SYS_truncate, SYS_ftruncate,
    SYS_fallocate, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr,
    SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_pwrite64,
    SYS_pwritev, SYS_pwritev2, SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice, SYS_copy_file_range,
    SYS_chdir, SYS_fchdir, SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2, SYS_swapon,
    SYS_swapoff, SYS_quotactl, SYS_acct,
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_openat2
    SYS_openat2,
#endif
#ifdef SYS_creat
    SYS_creat,
#endif
#ifdef SYS_rename
    SYS_rename,
#endif
#ifdef SYS_link
    SYS_link,
#endif
#ifdef SYS_symlink
    SYS_symlink,
#endif
#ifdef SYS_unlink
    SYS_unlink,
#endif
#ifdef SYS_mkdir
    SYS_mkdir,
#endif
#ifdef SYS_rmdir
    SYS_rmdir,
#endif
#ifdef SYS_mknod
    SYS_mknod,
#endif
#ifdef SYS_chmod
    SYS_chmod,
#endif
#ifdef SYS_fchmodat2
    SYS_fchmodat2,
#endif
#ifdef SYS_chown
    SYS_chown,
#endif
#ifdef SYS_lchown
    SYS_lchown,
#endif
#ifdef SYS_utime
    SYS_utime,
#endif
#ifdef SYS_utimes
    SYS_utimes,
#endif
#ifdef SYS_futimesat
    SYS_futimesat,
#endif
#ifdef SYS_setxattrat
    SYS_setxattrat,
#endif
#ifdef SYS_removexattrat
    SYS_removexattrat,
#endif
#ifdef SYS_open_tree
    SYS_open_tree,
#endif
#ifdef SYS_open_tree_attr
    SYS_open_tree_attr,
#endif
#ifdef SYS_move_mount
    SYS_move_mount,
#endif
#ifdef SYS_fsopen
    SYS_fsopen,
#endif
#ifdef SYS_fsconfig
    SYS_fsconfig,
#endif
#ifdef SYS_fsmount
    SYS_fsmount,
#endif
#ifdef SYS_fspick
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
#ifdef SYS_quotactl_fd
    SYS_quotactl_fd,
#endif
#ifdef SYS_file_setattr
    SYS_file_setattr,
#endif
    /* Rings and other ways of asking the kernel for all that. */
    SYS_io_setup, SYS_io_submit,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
#endif
#ifdef SYS_io_uring_enter
    SYS_io_uring_enter,
#endif
#ifdef SYS_io_uring_register
    SYS_io_uring_register,
#endif
    /* Sockets, and memory and messages that others see. */
    SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect,
    SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_memfd_create, SYS_shmget, SYS_shmat, SYS_msgget,
    SYS_mq_open, SYS_pipe2, SYS_eventfd2, SYS_userfaultfd,
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
#ifdef SYS_pipe
    SYS_pipe,
#endif
#ifdef SYS_eventfd
    SYS_eventfd,
#endif
    /* Programs and other processes. */
    SYS_execve, SYS_execveat, SYS_clone, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_kcmp, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_setns, SYS_unshare,
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
#ifdef SYS_clone3
    SYS_clone3,
#endif
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
#ifdef SYS_pidfd_open
    SYS_pidfd_open,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_pidfd_send_signal
    SYS_pidfd_send_signal,
#endif
    /* The machine, and who one is. */
    SYS_bpf, SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname,
    SYS_syslog, SYS_personality, SYS_pkey_mprotect, SYS_remap_file_pages, SYS_setuid, SYS_setgid,
    SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
    SYS_setgroups, SYS_capset,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
#endif
#ifdef SYS_ioperm
    SYS_ioperm,
#endif
#ifdef SYS_modify_ldt
    SYS_modify_ldt,
#endif
};
const unsigned confine_deadly_count = COUNT(confine_deadly);
/* clang-format on */
#endif
