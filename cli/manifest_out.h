/* manifest_out: the manifest that a verb writes beside its main output, from the same read. The
 * sink's thread, but for opening and publishing. */
#ifndef TREEMILL_CLI_MANIFEST_OUT_H
#define TREEMILL_CLI_MANIFEST_OUT_H

#include "cli/job.h"

struct manifest_out;

/* Opens options->manifest of the job. False: said why. */
bool manifest_out_open(struct job *job, const struct hash_job *hash,
                       struct manifest_out **manifest);
/* A line for a record that is good, or is another name of one (FILE_HARD_LINK); `stored`: under the
 * name that an archive gives it. NULL: nothing. 0 or -errno. */
int manifest_out_add(struct manifest_out *manifest, const struct item_view *view, unsigned index,
                     bool stored);
/* Makes it appear; NULL: nothing. Says why if it fails. */
void manifest_out_publish(struct manifest_out *manifest, struct job *job);
/* NULL is allowed. */
void manifest_out_destroy(struct manifest_out *manifest);

#endif
