#include "cli/extra.h"

#include "cli/job.h"
#include "cli/listing.h"
#include "cli/manifests.h"
#include "cli/path_set.h"

struct finder {
    struct job *job;
    const struct manifests *manifests;
    const struct path_set *known;
    int (*tell)(void *context, const char *path, size_t bytes, uint64_t size_bytes);
    void *context;
    bool named; /* the one name has been given */
};

static enum walk_next next_name(void *context, bool wait, struct walk_name *name)
{
    struct finder *finder = context;
    (void)wait;
    if (finder->named)
        return WALK_END;
    finder->named = true;
    *name = (struct walk_name){.text = ".", .bytes = 1, .attachment = ""};
    return WALK_NAME;
}

static int take_record(void *context, const char *path, const struct file_record *file)
{
    struct finder *finder = context;
    if (path_set_has(finder->known, path, file->path_bytes) ||
        manifests_include(finder->manifests, file->stat.device, file->stat.inode))
        return 0;
    /* A special file is extra, too; an unreadable directory may hide any number. */
    if (fault_is_set(file->fault) && !(file->flags & FILE_SKIPPED)) {
        report_error(finder->job->report, path, file->fault, NULL);
        return 0;
    }
    return finder->tell(finder->context, path + 2, file->path_bytes - 2, file->stat.size_bytes);
}

bool find_extra(struct job *job, const struct manifests *manifests, const struct path_set *known,
                int (*tell)(void *context, const char *path, size_t bytes, uint64_t size_bytes),
                void *context)
{
    struct finder finder = {job, manifests, known, tell, context, false};
    return list_names(job, next_name, &finder, take_record, &finder);
}
