/* A file goes through phases in their order. Those whose operations can follow each other without
 * a look at the results are planned into one chain; afterwards each result is judged by the phase
 * that its operation belongs to. An operation that fails cancels those after it, so whatever can be
 * gone on from is: the phase is planned again, in another way or not at all. Only a close is done
 * whatever fails before it: it is not planned behind something that may have to be tried again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "stages/publish_private.h"

/* Names that were taken all the same: leftovers of threads that had our number. */
#define NAME_ATTEMPTS_MAX 100

static void end_with(struct publisher *publisher, enum publish_result result)
{
    publisher->result = result;
    publisher->phase = PHASE_CLEAN;
}

static void fail(struct publisher *publisher, enum tm_operation operation, int error)
{
    publisher->fault = fault_system(operation, error);
    end_with(publisher, PUBLISH_FAILED);
}

/* Of what was looked at. */
static struct publish_trace trace_of(const struct statx *status)
{
    struct publish_trace trace = {
        .device = makedev(status->stx_dev_major, status->stx_dev_minor),
        .inode = status->stx_ino,
    };
    if (status->stx_mask & STATX_BTIME)
        trace.born_ns = status->stx_btime.tv_sec * 1000000000 + status->stx_btime.tv_nsec;
    return trace;
}

static bool is_too_new(const struct publisher *publisher)
{
    const struct statx_timestamp *changed = &publisher->status.stx_ctime;
    int64_t until_ns = publisher->request.replace_until_ns;
    return until_ns && changed->tv_sec * 1000000000 + changed->tv_nsec >= until_ns;
}

static bool is_to_stay(const struct publisher *publisher)
{
    const struct publish_request *request = &publisher->request;
    return request->may_replace && !request->may_replace(request, &publisher->status);
}

/* What has the name. */
static void looked(struct publisher *publisher)
{
    const struct publish_trace *before = publisher->request.trace;
    struct publish_trace found = trace_of(&publisher->status);
    if (before && before->inode && before->inode == found.inode && before->device == found.device &&
        before->born_ns == found.born_ns)
        publisher->phase = PHASE_SYNC_NAME; /* which it may not have come to */
    else if (!publisher->request.replace || is_too_new(publisher) || is_to_stay(publisher))
        end_with(publisher, PUBLISH_EXISTS);
}

static void succeeded(struct publisher *publisher, unsigned phase, int64_t result)
{
    switch (phase) {
    case PHASE_ENTER:
        publisher->directory = (int)result;
        publisher->owns_directory = true;
        break;
    case PHASE_LOOK:
        looked(publisher);
        break;
    case PHASE_CREATE:
        publisher->fd = (int)result;
        shortage_is_over(&publisher->shortage);
        break;
    case PHASE_FILL:
        if (publisher->offset + publisher->bytes > publisher->written_end)
            publisher->written_end = publisher->offset + publisher->bytes;
        publisher->bytes = 0;
        break;
    case PHASE_IDENTIFY:
        *publisher->request.trace = trace_of(&publisher->status);
        break;
    case PHASE_RENAME:
    case PHASE_UNLINK:
        publisher->has_temporary = false;
        break;
    default:
        break;
    }
}

/* No descriptor to be had: again, when others have closed theirs. */
static bool waits_for_descriptor(struct publisher *publisher, int error,
                                 const struct io_chain *chain)
{
    if (publisher->request.fails_on_shortage ||
        !shortage_may_pass(&publisher->shortage, error, chain))
        return false;
    publisher->phase = PHASE_PAUSE;
    return true;
}

/* The temporary name is taken; the next one may not be. */
static bool takes_another_name(struct publisher *publisher, int error)
{
    if (error != -EEXIST || ++publisher->name_attempts >= NAME_ATTEMPTS_MAX)
        return false;
    publisher->has_temporary = false; /* it is not ours */
    return true;
}

static void create_failed(struct publisher *publisher, int error, const struct io_chain *chain)
{
    bool nameless = publish_is_nameless(publisher);
    if (waits_for_descriptor(publisher, error, chain) ||
        (!nameless && takes_another_name(publisher, error)))
        return;
    if (nameless && (error == -EOPNOTSUPP || error == -EISDIR || error == -EINVAL))
        publisher->without_nameless = true;
    else
        fail(publisher, TM_OP_CREATE, error);
}

static void owner_failed(struct publisher *publisher, int error)
{
    if (error != -EPERM && error != -EINVAL) /* EINVAL: a number that a user namespace has not */
        fail(publisher, TM_OP_METADATA, error);
    else
        publisher->missing |=
            publisher->missing & METADATA_NOT_OWNER ? METADATA_NOT_GROUP : METADATA_NOT_OWNER;
}

static void link_failed(struct publisher *publisher, int error)
{
    bool to_temporary = publish_is_nameless(publisher) && publisher->request.replace;
    if (to_temporary && takes_another_name(publisher, error))
        return;
    if (!to_temporary && error == -EEXIST)
        end_with(publisher, PUBLISH_EXISTS);
    else
        fail(publisher, TM_OP_CREATE, error);
}

static void rename_failed(struct publisher *publisher, int error)
{
    bool replace = publisher->request.replace;
    if (!replace && error == -EEXIST) {
        end_with(publisher, PUBLISH_EXISTS);
    } else if (!replace && (error == -EINVAL || error == -ENOSYS) && !publisher->by_link) {
        publisher->by_link = true; /* the file system does not know RENAME_NOREPLACE */
        publisher->phase = PHASE_LINK;
    } else {
        fail(publisher, TM_OP_RENAME, error);
    }
}

/* The phase is planned again, unless something else is said here. */
static void failed(struct publisher *publisher, int error, const struct io_chain *chain)
{
    switch (publisher->phase) {
    case PHASE_ENTER:
        if (!waits_for_descriptor(publisher, error, chain))
            fail(publisher, TM_OP_OPEN, error);
        break;
    case PHASE_CREATE:
        create_failed(publisher, error, chain);
        break;
    case PHASE_OWNER:
        owner_failed(publisher, error);
        break;
    case PHASE_ATTRIBUTE:
    case PHASE_ACL:
        publisher->refused++; /* and goes on with the next one */
        break;
    case PHASE_LINK:
        link_failed(publisher, error);
        break;
    case PHASE_RENAME:
        rename_failed(publisher, error);
        break;
    case PHASE_SYNC_NAME:
        if (publisher->request.fails_on_shortage ||
            !shortage_may_pass(&publisher->shortage, error, chain))
            fail(publisher, TM_OP_SYNC, error);
        break;
    case PHASE_LOOK:   /* nothing there, or creating will tell */
    case PHASE_LOCK:   /* no locks here */
    case PHASE_UNLINK: /* left to whoever sweeps: the file has its name */
        publisher->phase++;
        break;
    case PHASE_PAUSE:
        publisher->phase = PHASE_WALK;
        break;
    case PHASE_CLEAN:
        publisher->phase = PHASE_ENDED;
        break;
    case PHASE_FILL:
    case PHASE_SIZE:
        fail(publisher, TM_OP_WRITE, error);
        break;
    case PHASE_SYNC:
        fail(publisher, TM_OP_SYNC, error);
        break;
    case PHASE_IDENTIFY:
        fail(publisher, TM_OP_STAT, error);
        break;
    default: /* mode, times */
        fail(publisher, TM_OP_METADATA, error);
        break;
    }
}

/* Is done whatever failed before it, unless there is nothing to close. */
static void closed(struct publisher *publisher, unsigned phase, int error)
{
    if (error == -ECANCELED || (phase != PHASE_SETTLE && phase != PHASE_CLOSE))
        return;
    publisher->fd = -1;
    if (error && publisher->phase != PHASE_CLEAN)
        fail(publisher, TM_OP_CLOSE, error);
}

static void take_results(struct publisher *publisher, struct io_chain *chain)
{
    bool has_failed = false;
    for (unsigned i = 0; i < chain->count; i++) {
        const struct io_op *op = &chain->op[i];
        unsigned phase = publisher->planned[i];
        if (op->code == IO_CLOSE) {
            closed(publisher, phase, (int)op->result);
        } else if (op->result >= 0) {
            succeeded(publisher, phase, op->result);
        } else if (!has_failed) {
            has_failed = true;
            publisher->phase = phase;
            failed(publisher, (int)op->result, chain);
        }
    }
    publisher->pending = false;
    chain->count = 0;
}

static void walk(struct publisher *publisher, struct io_chain *chain)
{
    const struct publish_request *request = &publisher->request;
    struct opener *opener = &publisher->opener;
    size_t bytes = request->directory_bytes;
    int error = 0;
    if (!bytes) {
        publisher->directory = request->base;
        publisher->phase = PHASE_LOOK;
        return;
    }
    enum opener_result result = opener_step(opener, request->directory, bytes, chain, &error);
    if (result == OPENER_PENDING)
        return;
    publisher->phase = PHASE_ENTER;
    if (result == OPENER_FAILED) {
        failed(publisher, error, chain);
        return;
    }
    memcpy(opener->piece, request->directory + opener->offset, bytes - opener->offset);
    opener->piece[bytes - opener->offset] = '\0';
    io_add(chain, (struct io_op){.code = IO_OPEN,
                                 .dir = opener->base,
                                 .path = opener->piece,
                                 .flags = O_PATH | O_DIRECTORY | O_CLOEXEC});
    opener_add_close(opener, chain);
    memset(publisher->planned, PHASE_ENTER, chain->count);
    publisher->pending = true;
    publisher->phase = PHASE_LOOK;
}

enum publish_result publish_step(struct publisher *publisher, struct io_chain *chain)
{
    for (;;) {
        if (publisher->pending)
            take_results(publisher, chain);
        if (publisher->phase == PHASE_ENDED)
            return publisher->result;
        if (publisher->phase == PHASE_WALK) {
            walk(publisher, chain);
            if (chain->count)
                return PUBLISH_PENDING;
            continue;
        }
        publish_plan(publisher, chain);
        publisher->pending = chain->count > 0;
        if (publisher->pending)
            return PUBLISH_PENDING;
        if (publisher->phase == PHASE_MORE)
            return PUBLISH_OPEN;
    }
}

void publish_init(struct publisher *publisher)
{
    memset(publisher, 0, sizeof *publisher);
    publisher->directory = publisher->fd = -1;
    publisher->phase = PHASE_ENDED;
}

void publish_begin(struct publisher *publisher, const struct publish_request *request)
{
    bool without_nameless = publisher->without_nameless;
    bool by_link = publisher->by_link;
    publish_init(publisher);
    publisher->without_nameless = without_nameless;
    publisher->by_link = by_link;
    publisher->request = *request;
    publisher->data = request->data;
    publisher->bytes = request->bytes;
    publisher->result = PUBLISH_DONE;
    publisher->phase = PHASE_WALK;
    opener_begin(&publisher->opener, request->base);
}

void publish_write(struct publisher *publisher, const void *data, size_t bytes, uint64_t offset)
{
    publisher->data = data;
    publisher->bytes = bytes;
    publisher->offset = offset;
    publisher->phase = PHASE_FILL;
}

void publish_move(struct publisher *publisher, int base)
{
    publisher->request.base = publisher->directory = base;
}

void publish_end(struct publisher *publisher)
{
    publisher->request.more = false;
}

void publish_abandon(struct publisher *publisher)
{
    publisher->fault = TM_NO_FAULT;
    end_with(publisher, PUBLISH_FAILED);
}

void publish_discard(struct publisher *publisher)
{
    if (publisher->phase == PHASE_ENDED)
        return;
    if (publisher->has_temporary)
        (void)unlinkat(publisher->directory, publisher->temporary, 0);
    /* What a chain may have closed that nobody has looked at may be another's by now. */
    if (!publisher->pending) {
        if (publisher->fd >= 0)
            close(publisher->fd);
        if (publisher->owns_directory)
            close(publisher->directory);
    }
    publish_init(publisher);
}

enum publish_result publish_file(const struct publish_request *request, struct tm_fault *fault)
{
    struct publisher publisher;
    struct io_chain chain = {.stop_fd = -1};
    enum publish_result result;
    publish_init(&publisher);
    publish_begin(&publisher, request);
    while ((result = publish_step(&publisher, &chain)) == PUBLISH_PENDING)
        io_sync_execute(&chain);
    *fault = publisher.fault;
    return result;
}
