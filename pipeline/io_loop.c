#include "pipeline/io_loop.h"

static const struct io_engine *const engines[IO_KIND_COUNT] = {
    [IO_URING] = &io_uring_engine,
    [IO_EPOLL] = &io_epoll_engine,
};

const struct io_engine *io_engine(enum io_kind kind)
{
    return (unsigned)kind < IO_KIND_COUNT ? engines[kind] : NULL;
}

const char *io_kind_name(enum io_kind kind)
{
    const struct io_engine *engine = io_engine(kind);
    return engine ? engine->name : "sync";
}
