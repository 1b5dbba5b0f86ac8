/* placing: where the compressed or decompressed form of a file goes, and what it inherits. */
#ifndef TREEMILL_STAGES_PLACING_H
#define TREEMILL_STAGES_PLACING_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/batch.h"
#include "stages/target.h"

/* Constant while the job runs; owned by the caller. */
struct placing {
    const char *directory; /* outputs are mirrored below it; NULL: beside the inputs */
    const char *suffix; /* compressing: added to the name; NULL: decompressing, one is taken off */
    bool replace;
    /* Not what this job has made of another file, whose only form it may be by then: its beginning.
     * 0: whatever it is. */
    int64_t replace_until_ns;
    bool sync; /* each is on disk before it gets its name */
};

/* The path of the output of a file, allocated. 0; -ENOMEM; -EINVAL: decompressing, and the name
 * has none of the usual suffixes (.gz .tgz .zst .tzst; .tgz and .tzst become .tar). */
int placing_path(const struct placing *placing, const char *path, size_t path_bytes, char **output);

/* Whether the name ends in one of those suffixes. */
bool placing_knows(const char *path, size_t path_bytes);

/* What publish.h is to be asked for: the output `output` of the file of a record, with what the
 * file has. The buffer takes its attributes, METADATA_MAX_BYTES; all of these stay in use. */
struct publish_request;
void placing_request(const struct placing *placing, const char *output, const char *path,
                     struct file_record *file, uint8_t *attributes,
                     struct publish_request *request);

/* Whether an output failed because its directory below placing->directory was missing, and that was
 * made now: then it is worth another attempt. `*tried` says that there was one already. Blocks. */
bool placing_makes_way(const struct placing *placing, const char *output, struct tm_fault fault,
                       bool *tried);

/* Opens the output of a file. 0 or -errno, as placing_path() and target_open(). */
int placing_open(const struct placing *placing, const char *path, size_t path_bytes,
                 struct target **target);

/* Gives the output what the file has: owner and group where permitted, mode, times, user attributes
 * and ACL. The last thing before it is synced and published. 0 or -errno. */
int placing_inherit(const struct target *target, const char *path, size_t path_bytes,
                    const struct file_stat *stat);

/* Removes a file that its output has replaced, if it is still the one that was read, and its output
 * the one that was made (file->trace). 0; -ESTALE: it is not; -EEXIST: that is not; -errno. */
int placing_remove_source(const struct placing *placing, const char *path,
                          const struct file_record *file);

#endif
