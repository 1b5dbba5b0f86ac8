/* Whether a tree lies in the page cache, told from a few of its files. */
#define SAMPLES_MAX 8
#define ENTRIES_MAX 64 /* looked at in one directory */
#define DEPTH_MAX   8

#include "cli/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stages/opener.h"

struct sample {
    unsigned files, misses;
};

static void sample_file(int fd, struct sample *sample)
{
    char byte;
    struct iovec buffer = {&byte, 1};
    ssize_t got = preadv2(fd, &buffer, 1, 0, RWF_NOWAIT);
    if (got > 0)
        sample->files++;
    if (got < 0 && errno == EAGAIN) {
        sample->files++;
        sample->misses++;
    }
}

static void sample_directory(int fd, unsigned depth, struct sample *sample);

static void sample_entry(int directory, const char *name, unsigned depth, struct sample *sample)
{
    struct stat status;
    int fd = openat(directory, name, OPENER_FILE_FLAGS | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) && depth < DEPTH_MAX) {
        sample_directory(fd, depth + 1, sample); /* and closes it */
        return;
    }
    if (S_ISREG(status.st_mode))
        sample_file(fd, sample);
    close(fd);
}

/* Files and directories as they come; the first file of each directory comes soon. */
static void sample_directory(int fd, unsigned depth, struct sample *sample)
{
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return;
    }
    struct dirent *entry;
    unsigned files = 0;
    for (unsigned n = 0; n < ENTRIES_MAX && (entry = readdir(directory)); n++) {
        bool is_file = entry->d_type == DT_REG;
        if (sample->files >= SAMPLES_MAX || entry->d_name[0] == '.' ||
            (is_file ? files++ > 0 : entry->d_type != DT_DIR))
            continue;
        sample_entry(fd, entry->d_name, depth, sample);
    }
    closedir(directory);
}

bool device_is_cold(const char *path, unsigned *misses, unsigned *files)
{
    struct sample sample = {0};
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        sample_directory(fd, 0, &sample);
    *misses = sample.misses;
    *files = sample.files;
    return sample.files >= 2 && sample.misses * 2 > sample.files;
}
