/* archive_out: the archive as one file: its form, and what stands around the pieces that the
 * workers make. For one thread at a time: the sink's, then the main one. */
#ifndef TREEMILL_CLI_ARCHIVE_OUT_H
#define TREEMILL_CLI_ARCHIVE_OUT_H

#include "cli/options.h"
#include "cli/output.h"
#include "stages/pack.h"

struct archive_out;

/* The form of the archive options->output, by suffix or options, into *pack. 0, or -EINVAL with
 * one line in error. */
int archive_out_choose(const struct options *options, struct pack_job *pack, char *error,
                       size_t capacity);

/* Both outlive it. 0 or -errno. */
int archive_out_create(const struct pack_job *pack, struct output *output,
                       struct archive_out **archive);
void archive_out_destroy(struct archive_out *archive);

/* What comes before the first piece, a piece, and what comes after the last. 0 or -errno. */
int archive_out_begin(struct archive_out *archive);
int archive_out_add(struct archive_out *archive, const struct item_view *view);
/* Of an item whose piece is not added. */
void archive_out_skip(const struct archive_out *archive, const struct item_view *view);
int archive_out_end(struct archive_out *archive);
/* Written so far. */
uint64_t archive_out_bytes(const struct archive_out *archive);

#endif
