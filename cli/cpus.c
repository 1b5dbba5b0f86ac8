#include "cli/cpus.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned affinity_count(void)
{
    /* The kernel refuses a mask smaller than its own: ask with larger ones until it fits. */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        if (!set)
            break;
        int failed = sched_getaffinity(0, bytes, set);
        int error = errno;
        unsigned count = failed ? 0 : (unsigned)CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (count)
            return count;
        if (error != EINVAL)
            break;
    }
    return 1;
}

/* "MAX PERIOD" of cgroup v2 or two files of v1; 0: none. */
static double read_quota_v2(const char *directory)
{
    char path[PATH_MAX + 16];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    /* "max" is no number: nothing is read then. */
    if (fscanf(file, "%lf %lf", &quota, &period) != 2)
        quota = 0;
    fclose(file);
    return quota > 0 && period > 0 ? quota / period : 0;
}

static double read_number(const char *directory, const char *name)
{
    char path[PATH_MAX + 32];
    double value = 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lf", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

static double read_quota_v1(const char *directory)
{
    double quota = read_number(directory, "cpu.cfs_quota_us");
    double period = read_number(directory, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The smallest quota on the way from the group up to the hierarchy's root. */
static double smallest_quota(const char *root, const char *group, double (*read)(const char *))
{
    char path[PATH_MAX];
    double smallest = 0;
    size_t root_bytes = strlen(root);
    snprintf(path, sizeof path, "%s%s", root, group);
    for (;;) {
        double quota = read(path);
        if (quota > 0 && (smallest == 0 || quota < smallest))
            smallest = quota;
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) < root_bytes)
            return smallest;
        *slash = '\0';
    }
}

static double cgroup_quota(void)
{
    char line[PATH_MAX];
    double smallest = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        double quota = 0;
        if (!*controllers)
            quota = smallest_quota("/sys/fs/cgroup", group, read_quota_v2);
        else if (strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0 ||
                 strstr(controllers, ",cpu,"))
            quota = smallest_quota("/sys/fs/cgroup/cpu", group, read_quota_v1);
        if (quota > 0 && (smallest == 0 || quota < smallest))
            smallest = quota;
    }
    fclose(file);
    return smallest;
}

struct cpu_limits cpus_detect(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct cpu_limits limits = {
        .online = online > 0 ? (unsigned)online : 1,
        .affinity = affinity_count(),
        .quota = cgroup_quota(),
    };
    limits.usable = limits.affinity;
    if (limits.quota > 0 && limits.quota < limits.affinity)
        limits.usable = (unsigned)ceil(limits.quota);
    if (!limits.usable)
        limits.usable = 1;
    return limits;
}
