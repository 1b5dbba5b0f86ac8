#include "stages/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void opener_begin(struct opener *opener, int base)
{
    opener->base = base;
    opener->owns = false;
    opener->offset = 0;
    opener->pending = false;
}

/* The chain was: open the next piece, then close the directory before it. */
static int take_result(struct opener *opener, struct io_chain *chain)
{
    int64_t opened = chain->op[opener->open_at].result;
    opener->pending = false;
    chain->count = 0;
    opener->owns = false;
    if (opened < 0)
        return (int)opened;
    opener->base = (int)opened;
    opener->owns = true;
    return 0;
}

enum opener_result opener_step(struct opener *opener, const char *path, size_t path_bytes,
                               struct io_chain *chain, int *error)
{
    if (opener->pending) {
        *error = take_result(opener, chain);
        if (*error)
            return OPENER_FAILED;
    }
    if (path_bytes - opener->offset < PATH_MAX)
        return OPENER_REACHED;
    /* The longest piece that ends at a slash and leaves room for the NUL. */
    const char *rest = path + opener->offset;
    size_t piece_bytes = PATH_MAX - 1;
    while (piece_bytes && rest[piece_bytes] != '/')
        piece_bytes--;
    if (!piece_bytes) {
        *error = -ENAMETOOLONG;
        return OPENER_FAILED;
    }
    memcpy(opener->piece, rest, piece_bytes);
    opener->piece[piece_bytes] = '\0';
    while (rest[piece_bytes] == '/')
        piece_bytes++;
    opener->offset += piece_bytes;
    opener->open_at = chain->count;
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = opener->base,
                                 .path = opener->piece,
                                 .flags = O_PATH | O_DIRECTORY | O_CLOEXEC});
    opener_add_close(opener, chain);
    opener->pending = true;
    return OPENER_PENDING;
}

void opener_add_close(struct opener *opener, struct io_chain *chain)
{
    if (opener->owns)
        io_add(chain, (struct io_op){.code = IO_CLOSE, .fd = opener->base});
    opener->owns = false;
}

int opener_open(const char *path, size_t path_bytes, int flags)
{
    struct opener opener;
    struct io_chain chain = {0};
    int error = 0;
    opener_begin(&opener, AT_FDCWD);
    for (;;) {
        enum opener_result result = opener_step(&opener, path, path_bytes, &chain, &error);
        if (result == OPENER_FAILED)
            return error;
        if (result == OPENER_REACHED)
            break;
        io_sync_execute(&chain);
    }
    /* The path may go on behind these bytes. */
    memcpy(opener.piece, path + opener.offset, path_bytes - opener.offset);
    opener.piece[path_bytes - opener.offset] = '\0';
    io_add(&chain, (struct io_op){
                       .code = IO_OPEN, .dir = opener.base, .path = opener.piece, .flags = flags});
    opener_add_close(&opener, &chain);
    io_sync_execute(&chain);
    return (int)chain.op[0].result;
}
