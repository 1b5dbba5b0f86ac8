/* stream_out: the output of a large file whose parts come to the sink in order, or standard output.
 * Appears when it is complete. The sink's thread. */
#ifndef TREEMILL_CLI_STREAM_OUT_H
#define TREEMILL_CLI_STREAM_OUT_H

#include "stages/batch.h"
#include "stages/placing.h"

struct stream_out {
    const struct placing *placing; /* NULL: standard output */
    struct target *target;
    uint64_t bytes; /* of this file */
};

/* 0 or -errno, as placing_open(). */
int stream_out_begin(struct stream_out *out, const char *path, size_t path_bytes);
/* As codec_write; context: struct stream_out. */
int stream_out_write(void *context, const void *data, size_t bytes);
/* The file is whole: it gets what its source has, and its name; file->trace tells which it is. 0
 * or -errno. */
int stream_out_publish(struct stream_out *out, const char *path, struct file_record *file);
/* Leaves nothing of a file that was begun. */
void stream_out_drop(struct stream_out *out);

#endif
