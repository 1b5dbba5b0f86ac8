#include "cli/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

/* The kernel says "rotational" of most virtual disks too, because nobody told it better. */
static bool is_virtual_device(const char *place)
{
    char *target = realpath(place, NULL);
    bool is_virtual = !target || strstr(target, "/virtual/") || strstr(target, "virtio") ||
                      strstr(target, "vmbus") || strstr(target, "xen");
    free(target);
    return is_virtual;
}

bool device_is_rotational(const char *path)
{
    struct stat status;
    char place[64], name[96];
    if (!path || stat(path, &status) < 0)
        return false;
    snprintf(place, sizeof place, "/sys/dev/block/%u:%u", major(status.st_dev),
             minor(status.st_dev));
    /* Of a partition, the disk above it tells. */
    static const char *const places[] = {"queue/rotational", "../queue/rotational"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", place, places[i]);
        FILE *file = fopen(name, "re");
        if (!file)
            continue;
        int first = fgetc(file);
        fclose(file);
        return first == '1' && !is_virtual_device(place);
    }
    return false;
}

/* Magic numbers as in linux/magic.h and in the file systems' own sources. */
static const struct {
    unsigned long magic;
    const char *name;
} remote[] = {
    {0x6969, "nfs"},      {0xfe534d42, "smb2"},   {0xff534d42, "cifs"}, {0x65735546, "fuse"},
    {0x01021997, "9p"},   {0x00c36400, "ceph"},   {0x5346414f, "afs"},  {0x0bd00bd0, "lustre"},
    {0x47504653, "gpfs"}, {0x19830326, "beegfs"},
};

const char *device_remote_name(const char *path)
{
    struct statfs status;
    if (!path || statfs(path, &status) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if (((unsigned long)status.f_type & 0xffffffff) == remote[i].magic)
            return remote[i].name;
    return NULL;
}
