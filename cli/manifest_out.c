#include "cli/manifest_out.h"

#include <errno.h>
#include <stdlib.h>

#include "stages/digest.h"
#include "stages/links.h"
#include "stages/pack.h"
#include "stages/render.h"

struct manifest_out {
    const struct hash_job *hash;
    struct output *output;
    struct links *links; /* digests of files with several names */
};

bool manifest_out_open(struct job *job, const struct hash_job *hash, struct manifest_out **out)
{
    struct manifest_out *manifest = calloc(1, sizeof *manifest);
    if (manifest) {
        manifest->hash = hash;
        manifest->links = links_create();
    }
    if (!manifest || !manifest->links) {
        manifest_out_destroy(manifest);
        job_fatal(job, NULL, fault_system(TM_OP_MEMORY, ENOMEM));
        return false;
    }
    if (!job_open_output(job, job->options->manifest, &manifest->output)) {
        manifest_out_destroy(manifest);
        return false;
    }
    *out = manifest;
    return true;
}

/* Of a file with several names the data is read once. No digests are known if the first failed. */
static int find_digests(struct manifest_out *manifest, const struct file_record *file,
                        struct manifest_entry *entry)
{
    bool is_first = !(file->flags & FILE_HARD_LINK);
    const struct link_note *first;
    if (file->stat.links < 2)
        return 0;
    int error = links_meet(manifest->links, &file->stat, entry->digests,
                           is_first ? hash_stride_bytes(manifest->hash) : 0, &first);
    if (!error && !is_first)
        entry->digests = first && first->bytes ? (const uint8_t *)first->data : NULL;
    return error;
}

int manifest_out_add(struct manifest_out *manifest, const struct item_view *view, unsigned index,
                     bool stored)
{
    struct manifest_entry entry;
    char line[8 * BATCH_PATH_MAX];
    if (!manifest)
        return 0;
    render_entry(manifest->hash, view, index, &entry);
    int error = find_digests(manifest, &batch_of(view)->file[index], &entry);
    if (error || !entry.digests)
        return error;
    if (stored)
        pack_stored_path(&entry.path, &entry.path_bytes);
    ptrdiff_t bytes = manifest_render(MANIFEST_GNU, &entry, line, sizeof line);
    return bytes < 0 ? (int)bytes : output_write(manifest->output, line, (size_t)bytes);
}

void manifest_out_publish(struct manifest_out *manifest, struct job *job)
{
    int error = manifest ? output_publish(manifest->output) : 0;
    if (error)
        job_fatal(job, output_name(manifest->output), fault_system(TM_OP_WRITE, error));
}

void manifest_out_destroy(struct manifest_out *manifest)
{
    if (!manifest)
        return;
    output_discard(manifest->output);
    links_destroy(manifest->links);
    free(manifest);
}
