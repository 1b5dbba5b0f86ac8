/* member_index: where in a compressed tar of ours its members are, so that one of them comes out
 * without the rest being decompressed. member_index_format.h says how the index is written.
 *
 * It tells of the first member of most batches; the others lie between these, for members are in
 * bytewise order of their keys. A key is a member's name as member_clean() makes it, with a slash
 * behind it if it is a directory; that of the root of the tree is empty.
 * A hard link is a member of its own name; its data is where the name is that it leads to.
 *
 * An index is a hint by whoever made the archive: what is read at its offsets has to be checked as
 * any other part of it is, by decode.h and by the reader of members. It is constant once it is
 * open, and may be used by several threads.
 */
#ifndef TREEMILL_STAGES_MEMBER_INDEX_H
#define TREEMILL_STAGES_MEMBER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct member_index;

/* Looks for one at the end of the file. 1; 0: there is none, or none that makes sense; -ENOMEM or
 * an errno of reading. Takes no more than 20 MiB of memory, whatever the file says. The descriptor
 * is read with pread(2), and is the caller's. */
int member_index_open(int fd, uint64_t file_bytes, struct member_index **index);
/* NULL is allowed. */
void member_index_close(struct member_index *index);

/* The blocks that can hold the member of a name, which is clean (member_clean()), and all that is
 * below it: those that begin in the file from *begin on, before *end. There a block begins, and at
 * *end another one or the end of what belongs to the tar. False: the archive holds nothing of that
 * name. "." is all of it. */
bool member_index_range(const struct member_index *index, const char *path, size_t path_bytes,
                        uint64_t *begin, uint64_t *end);

/* The parser by itself, on memory: the payload of an index that begins at `data_end` in its file,
 * where the archive ends. As
 * member_index_open(). */
int member_index_parse(const uint8_t *payload, size_t bytes, uint64_t data_end,
                       struct member_index **index);

#endif
