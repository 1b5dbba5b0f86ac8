#include "stages/fetch.h"

#include <errno.h>

#include "pipeline/io.h"

static int fetch_open(void *job, void **state)
{
    *state = job;
    return 0;
}

static bool fetch_step(void *state, const struct item_view *view, struct io_chain *chain)
{
    const struct fetch_job *job = state;
    struct fetch_ticket *ticket = fetch_ticket_of(job, view);
    if (!chain->count && ticket->bytes) {
        uint8_t *slab = ticket->to_input ? view->input : view->output;
        io_add(chain, (struct io_op){.code = IO_READ,
                                     .fd = job->fd,
                                     .data = slab + ticket->slab_offset,
                                     .size = ticket->bytes,
                                     .minimum = ticket->bytes,
                                     .offset = (off_t)ticket->offset});
        return true;
    }
    ticket->got = 0;
    if (chain->count && chain->op[0].result < 0)
        view->item->fault = fault_system(TM_OP_READ, (int)chain->op[0].result);
    else if (chain->count)
        ticket->got = (uint64_t)chain->op[0].result;
    view->item->bytes = ticket->got;
    chain->count = 0;
    return false;
}

static enum confinement only_reads(const void *job)
{
    (void)job;
    return CONFINE_READING;
}

const struct stage_ops fetch_stage = {
    .name = "read", .open = fetch_open, .step = fetch_step, .confinement = only_reads};
