#include "stages/store.h"

#include "pipeline/io.h"

static int store_open(void *job, void **state)
{
    *state = job;
    return 0;
}

static bool store_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    const struct store_job *job = state;
    const struct store_ticket *ticket = store_ticket_of(job, view);
    if (!chain->count && ticket->bytes) {
        io_add(chain, (struct io_op){.code = IO_WRITE,
                                     .fd = job->fd,
                                     .data = view->output + ticket->slab_offset,
                                     .size = ticket->bytes,
                                     .offset = (off_t)ticket->offset});
        return true;
    }
    if (chain->count && chain->op[0].result < 0)
        view->item->fault = fault_system(TM_OP_WRITE, (int)chain->op[0].result);
    chain->count = 0;
    return false;
}

const struct stage_ops store_stage = {.name = "write", .open = store_open, .step = store_step};
