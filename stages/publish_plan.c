#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "stages/publish_private.h"

static void add(struct publisher *publisher, struct io_chain *chain, struct io_op op)
{
    publisher->planned[chain->count] = (uint8_t)publisher->phase;
    io_add(chain, op);
}

static void add_pause(struct publisher *publisher, struct io_chain *chain)
{
    publisher->planned[chain->count] = (uint8_t)publisher->phase;
    shortage_pause(&publisher->shortage, chain);
}

static void new_temporary(struct publisher *publisher)
{
    temporary_name(publisher->request.name, publisher->temporary);
    publisher->has_temporary = true;
}

enum planned {
    PLAN_ON,    /* with the next phase */
    PLAN_AFTER, /* when the results are there, with the next phase */
    PLAN_SAME   /* when the results are there, with this phase again */
};

static enum planned plan_look(struct publisher *publisher, struct io_chain *chain)
{
    const struct publish_request *request = &publisher->request;
    bool was_tried = request->trace && request->trace->inode;
    /* A small file is sooner written in vain now and then than each name is looked up. */
    if (!was_tried && !request->replace_until_ns && !request->may_replace &&
        (request->replace || !request->more))
        return PLAN_ON;
    add(publisher, chain,
        (struct io_op){.code = IO_STAT,
                       .dir = publisher->directory,
                       .path = request->name,
                       .flags = AT_SYMLINK_NOFOLLOW,
                       .data = &publisher->status,
                       .size = STATX_TYPE | STATX_INO | STATX_BTIME | STATX_CTIME | STATX_MTIME});
    return PLAN_AFTER;
}

static bool gives_mode(const struct publish_request *request)
{
    return request->stat && !request->ignores_mode;
}

static enum planned plan_create(struct publisher *publisher, struct io_chain *chain)
{
    uint32_t mode = gives_mode(&publisher->request) ? 0600 : publisher->request.mode;
    int flags = O_TMPFILE;
    if (!publish_is_nameless(publisher)) {
        new_temporary(publisher);
        flags = O_CREAT | O_EXCL;
    }
    add(publisher, chain,
        (struct io_op){.code = IO_OPEN,
                       .dir = publisher->directory,
                       .path = publish_is_nameless(publisher) ? "." : publisher->temporary,
                       .flags = flags | O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
                       .mode = mode});
    return PLAN_ON;
}

/* About the file, opened by this chain or before. */
static enum planned plan_on_file(struct publisher *publisher, struct io_chain *chain,
                                 struct io_op op)
{
    op.fd = publisher->fd >= 0 ? publisher->fd : IO_FD_OF_CHAIN;
    add(publisher, chain, op);
    return PLAN_ON;
}

static enum planned plan_size(struct publisher *publisher, struct io_chain *chain)
{
    uint64_t bytes = publisher->request.size_bytes;
    if (publisher->written_end >= bytes)
        return PLAN_ON;
    return plan_on_file(publisher, chain,
                        (struct io_op){.code = IO_SET_SIZE, .offset = (off_t)bytes});
}

static enum planned plan_owner(struct publisher *publisher, struct io_chain *chain)
{
    const struct file_stat *stat = publisher->request.stat;
    if (!stat || publisher->request.ignores_owner || publisher->missing & METADATA_NOT_GROUP)
        return PLAN_ON;
    bool group_only = publisher->missing & METADATA_NOT_OWNER;
    publisher->owner = (struct io_owner){group_only ? (uid_t)-1 : stat->uid, stat->gid};
    publisher->may_fail = true;
    return plan_on_file(publisher, chain,
                        (struct io_op){.code = IO_SET_OWNER, .data = &publisher->owner});
}

/* The next one of these kinds. */
static enum planned plan_attribute(struct publisher *publisher, struct io_chain *chain,
                                   unsigned kinds)
{
    const struct publish_request *request = &publisher->request;
    struct metadata_attribute attribute;
    do {
        if (!request->attributes || !metadata_next(request->attributes, request->attribute_bytes,
                                                   &publisher->cursor, &attribute)) {
            publisher->cursor = 0;
            return PLAN_ON;
        }
    } while (!(metadata_kind_of(attribute.name) & request->attribute_kinds & kinds));
    plan_on_file(publisher, chain,
                 (struct io_op){.code = IO_SET_XATTR,
                                .path = attribute.name,
                                .data = (void *)(uintptr_t)attribute.value,
                                .size = attribute.value_bytes});
    return PLAN_SAME;
}

static enum planned plan_times(struct publisher *publisher, struct io_chain *chain)
{
    const struct file_stat *stat = publisher->request.stat;
    publisher->times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    publisher->times[1] = (struct timespec){stat->mtime_seconds, stat->mtime_ns};
    return plan_on_file(publisher, chain,
                        (struct io_op){.code = IO_SET_TIMES, .data = publisher->times});
}

static enum planned plan_close(struct publisher *publisher, struct io_chain *chain,
                               enum planned then)
{
    if (publisher->may_fail)
        return PLAN_SAME;
    plan_on_file(publisher, chain, (struct io_op){.code = IO_CLOSE});
    return then;
}

static enum planned plan_link(struct publisher *publisher, struct io_chain *chain)
{
    bool to_temporary = publish_is_nameless(publisher) && publisher->request.replace;
    struct io_op op = {
        .code = IO_LINK_FD, .to_dir = publisher->directory, .to_path = publisher->request.name};
    if (publish_is_nameless(publisher)) {
        if (to_temporary) {
            new_temporary(publisher);
            op.to_path = publisher->temporary;
            publisher->may_fail = true;
        }
        return plan_on_file(publisher, chain, op);
    }
    if (!publisher->by_link || publisher->request.replace)
        return PLAN_ON;
    op.code = IO_LINK;
    op.dir = publisher->directory;
    op.path = publisher->temporary;
    add(publisher, chain, op);
    return PLAN_ON;
}

static enum planned plan_rename(struct publisher *publisher, struct io_chain *chain)
{
    bool replace = publisher->request.replace;
    if (!replace && (publish_is_nameless(publisher) || publisher->by_link))
        return PLAN_ON;
    add(publisher, chain,
        (struct io_op){.code = IO_RENAME,
                       .dir = publisher->directory,
                       .path = publisher->temporary,
                       .to_dir = publisher->directory,
                       .to_path = publisher->request.name,
                       .flags = replace ? 0 : RENAME_NOREPLACE});
    return PLAN_ON;
}

static enum planned plan_unlink(struct publisher *publisher, struct io_chain *chain)
{
    if (publish_is_nameless(publisher) || !publisher->by_link || publisher->request.replace)
        return PLAN_ON;
    add(publisher, chain,
        (struct io_op){
            .code = IO_UNLINK, .dir = publisher->directory, .path = publisher->temporary});
    return PLAN_ON;
}

static enum planned plan_sync_name(struct publisher *publisher, struct io_chain *chain)
{
    if (!publisher->request.sync)
        return PLAN_ON;
    if (chain->count) /* IO_FD_OF_CHAIN is another one there */
        return PLAN_SAME;
    if (publisher->shortage.pauses) /* there was no descriptor for it */
        add_pause(publisher, chain);
    add(publisher, chain,
        (struct io_op){.code = IO_OPEN,
                       .dir = publisher->directory,
                       .path = ".",
                       .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC});
    add(publisher, chain, (struct io_op){.code = IO_FSYNC, .fd = IO_FD_OF_CHAIN});
    add(publisher, chain, (struct io_op){.code = IO_CLOSE, .fd = IO_FD_OF_CHAIN});
    return PLAN_AFTER;
}

static void add_leave(struct publisher *publisher, struct io_chain *chain)
{
    if (publisher->owns_directory)
        add(publisher, chain, (struct io_op){.code = IO_CLOSE, .fd = publisher->directory});
    publisher->owns_directory = false;
}

static void plan_clean(struct publisher *publisher, struct io_chain *chain)
{
    if (publisher->fd >= 0)
        add(publisher, chain, (struct io_op){.code = IO_CLOSE, .fd = publisher->fd});
    publisher->fd = -1;
    if (publisher->has_temporary)
        add(publisher, chain,
            (struct io_op){
                .code = IO_UNLINK, .dir = publisher->directory, .path = publisher->temporary});
    publisher->has_temporary = false;
    add_leave(publisher, chain);
}

static enum planned plan_phase(struct publisher *publisher, struct io_chain *chain)
{
    const struct publish_request *request = &publisher->request;
    switch (publisher->phase) {
    case PHASE_LOOK:
        return plan_look(publisher, chain);
    case PHASE_CREATE:
        return plan_create(publisher, chain);
    case PHASE_LOCK:
        if (publish_is_nameless(publisher) && !request->replace)
            return PLAN_ON;
        publisher->may_fail = true;
        return plan_on_file(publisher, chain,
                            (struct io_op){.code = IO_LOCK, .flags = LOCK_EX | LOCK_NB});
    case PHASE_FILL:
        return publisher->bytes
                   ? plan_on_file(publisher, chain,
                                  (struct io_op){.code = IO_WRITE,
                                                 .data = (void *)(uintptr_t)publisher->data,
                                                 .size = publisher->bytes,
                                                 .offset = (off_t)publisher->offset})
                   : PLAN_ON;
    case PHASE_MORE:
        return request->more ? PLAN_SAME : PLAN_ON;
    case PHASE_SIZE:
        return plan_size(publisher, chain);
    case PHASE_OWNER:
        return plan_owner(publisher, chain);
    case PHASE_MODE:
        return gives_mode(request)
                   ? plan_on_file(publisher, chain,
                                  (struct io_op){.code = IO_SET_MODE,
                                                 .mode = metadata_safe_mode(request->stat->mode,
                                                                            publisher->missing)})
                   : PLAN_ON;
    case PHASE_ATTRIBUTE:
        return plan_attribute(publisher, chain, METADATA_ALL & ~(unsigned)METADATA_ACL);
    case PHASE_ACL:
        return plan_attribute(publisher, chain, METADATA_ACL);
    case PHASE_TIMES:
        return request->stat ? plan_times(publisher, chain) : PLAN_ON;
    case PHASE_SYNC:
        return request->sync ? plan_on_file(publisher, chain, (struct io_op){.code = IO_FSYNC})
                             : PLAN_ON;
    case PHASE_IDENTIFY:
        if (!request->trace)
            return PLAN_ON;
        plan_on_file(publisher, chain,
                     (struct io_op){.code = IO_STAT_FD,
                                    .data = &publisher->status,
                                    .size = STATX_INO | STATX_BTIME});
        return PLAN_AFTER;
    case PHASE_SETTLE:
        return publish_is_nameless(publisher) ? PLAN_ON : plan_close(publisher, chain, PLAN_AFTER);
    case PHASE_LINK:
        return plan_link(publisher, chain);
    case PHASE_RENAME:
        return plan_rename(publisher, chain);
    case PHASE_UNLINK:
        return plan_unlink(publisher, chain);
    case PHASE_CLOSE:
        return publish_is_nameless(publisher) ? plan_close(publisher, chain, PLAN_ON) : PLAN_ON;
    case PHASE_SYNC_NAME:
        return plan_sync_name(publisher, chain);
    case PHASE_LEAVE:
        add_leave(publisher, chain);
        return PLAN_AFTER;
    case PHASE_PAUSE:
        add_leave(publisher, chain);
        add_pause(publisher, chain);
        opener_begin(&publisher->opener, request->base);
        return PLAN_AFTER;
    case PHASE_CLEAN:
        plan_clean(publisher, chain);
        return PLAN_AFTER;
    default:
        return PLAN_SAME;
    }
}

static unsigned phase_after(unsigned phase)
{
    if (phase == PHASE_PAUSE)
        return PHASE_WALK;
    return phase == PHASE_CLEAN ? PHASE_ENDED : phase + 1;
}

void publish_plan(struct publisher *publisher, struct io_chain *chain)
{
    publisher->may_fail = false;
    while (chain->count < IO_CHAIN_MAX) {
        enum planned planned = plan_phase(publisher, chain);
        if (planned == PLAN_SAME)
            break;
        publisher->phase = phase_after(publisher->phase);
        if (planned == PLAN_AFTER)
            break;
    }
}
