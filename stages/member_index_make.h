/* member_index_make: collects where members are while an archive is written, and writes the index
 * of member_index.h.
 *
 * What is collected is bounded by MEMBER_INDEX_BYTES_MAX: when there is more, every second entry is
 * dropped, and from then on only every second is kept; then every fourth, and so on. What comes out
 * depends on the members and offsets alone. Of one thread.
 */
#ifndef TREEMILL_STAGES_MEMBER_INDEX_MAKE_H
#define TREEMILL_STAGES_MEMBER_INDEX_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/codec.h"

struct member_index_maker;
int member_index_maker_create(struct member_index_maker **maker);
/* NULL is allowed. */
void member_index_maker_destroy(struct member_index_maker *maker);

/* The next member of the archive, by its stored name, of a directory with or without the slash
 * behind it; `offset`: of the block in the file that begins with it, or MEMBER_INDEX_NO_BLOCK.
 * Offsets must increase. If names do not, each being larger than that before, there will be no
 * index. 0; -ENOMEM. */
#define MEMBER_INDEX_NO_BLOCK UINT64_MAX
int member_index_maker_add(struct member_index_maker *maker, const char *path, size_t path_bytes,
                           bool is_directory, uint64_t offset);

/* Writes the index for a file of the format, gzip or zstd, where it stands at `start`: nothing if
 * there are fewer than two entries, which would save no work. How many bytes were written: a block
 * without content; or -ENOMEM, or what `write` says. */
int64_t member_index_maker_end(struct member_index_maker *maker, enum codec_format format,
                               uint64_t start, codec_write write, void *context);

#endif
