/* cpus: how many CPUs this process may use: its affinity mask, limited by the cgroup's quota. */
#ifndef TREEMILL_CLI_CPUS_H
#define TREEMILL_CLI_CPUS_H

struct cpu_limits {
    unsigned online;   /* configured for use in this machine */
    unsigned affinity; /* in this process's mask, sched_getaffinity(2) */
    double quota;      /* CPUs' worth of time the cgroup grants; 0: no limit */
    unsigned usable;   /* at least 1 */
};

/* Reads /proc and /sys; what cannot be read is no limit. Any thread. */
struct cpu_limits cpus_detect(void);

#endif
