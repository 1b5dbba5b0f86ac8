/* Names of one file in cpio: see foreign_private.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/foreign_private.h"

#define BUCKETS 4096

/* A name without data that waits. */
struct waiting {
    struct waiting *next;
    struct file_stat stat;
    size_t path_bytes;
    char path[];
};

/* A file of several names, in two lists: that of its bucket and that of all, oldest first. */
struct group {
    struct group *in_bucket;
    struct group *before, *after;
    uint64_t device, inode;
    uint32_t left; /* names that are still to come */
    char *path;    /* of the member with the data, once that has come */
    size_t path_bytes;
    uint64_t size_bytes;
    struct waiting *first, *last;
};

struct foreign_links {
    struct group *buckets[BUCKETS];
    struct group *oldest, *newest;
    struct group *ready; /* its names are being given out */
    struct waiting *given;
    size_t bytes;
};

int foreign_links_create(struct foreign_links **links)
{
    *links = calloc(1, sizeof **links);
    return *links ? 0 : -ENOMEM;
}

static struct group **bucket_of(struct foreign_links *links, uint64_t device, uint64_t inode)
{
    uint64_t mixed = (inode ^ device << 32 ^ device >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return &links->buckets[mixed >> 52];
}

static struct group *find(struct foreign_links *links, uint64_t device, uint64_t inode)
{
    struct group *group = *bucket_of(links, device, inode);
    while (group && (group->device != device || group->inode != inode))
        group = group->in_bucket;
    return group;
}

static int charge(struct foreign_links *links, size_t bytes)
{
    if (bytes > FOREIGN_LINKS_MAX - links->bytes)
        return -E2BIG;
    links->bytes += bytes;
    return 0;
}

static int add(struct foreign_links *links, uint64_t device, uint64_t inode, uint32_t names,
               struct group **added)
{
    int error = charge(links, sizeof(struct group));
    if (error)
        return error;
    struct group *group = *added = calloc(1, sizeof *group);
    if (!group)
        return -ENOMEM;
    struct group **bucket = bucket_of(links, device, inode);
    *group = (struct group){.in_bucket = *bucket,
                            .before = links->newest,
                            .device = device,
                            .inode = inode,
                            .left = names};
    *bucket = group;
    if (links->newest)
        links->newest->after = group;
    else
        links->oldest = group;
    links->newest = group;
    return 0;
}

static void free_waiting(struct foreign_links *links, struct waiting *waiting)
{
    if (!waiting)
        return;
    links->bytes -= sizeof *waiting + waiting->path_bytes + 1;
    free(waiting);
}

static void drop(struct foreign_links *links, struct group *group)
{
    struct group **at = bucket_of(links, group->device, group->inode);
    while (*at != group)
        at = &(*at)->in_bucket;
    *at = group->in_bucket;
    *(group->before ? &group->before->after : &links->oldest) = group->after;
    *(group->after ? &group->after->before : &links->newest) = group->before;
    while (group->first) {
        struct waiting *next = group->first->next;
        free_waiting(links, group->first);
        group->first = next;
    }
    links->bytes -= sizeof *group + (group->path ? group->path_bytes + 1 : 0);
    free(group->path);
    free(group);
}

void foreign_links_destroy(struct foreign_links *links)
{
    if (!links)
        return;
    free_waiting(links, links->given);
    while (links->oldest)
        drop(links, links->oldest);
    free(links);
}

/* All members of the file are links to this one from here on. */
static int set_path(struct foreign_links *links, struct group *group, const char *path,
                    size_t path_bytes, uint64_t size_bytes)
{
    int error = charge(links, path_bytes + 1);
    if (error)
        return error;
    group->path = malloc(path_bytes + 1);
    if (!group->path) {
        links->bytes -= path_bytes + 1;
        return -ENOMEM;
    }
    memcpy(group->path, path, path_bytes);
    group->path[path_bytes] = '\0';
    group->path_bytes = path_bytes;
    group->size_bytes = size_bytes;
    return 0;
}

static int keep_waiting(struct foreign_links *links, struct group *group,
                        const struct member *member)
{
    size_t bytes = sizeof(struct waiting) + member->path_bytes + 1;
    int error = charge(links, bytes);
    if (error)
        return error;
    struct waiting *waiting = malloc(bytes);
    if (!waiting) {
        links->bytes -= bytes;
        return -ENOMEM;
    }
    *waiting = (struct waiting){.stat = member->stat, .path_bytes = member->path_bytes};
    memcpy(waiting->path, member->path, member->path_bytes);
    waiting->path[member->path_bytes] = '\0';
    *(group->last ? &group->last->next : &group->first) = waiting;
    group->last = waiting;
    return 0;
}

static void make_link(const struct group *group, struct member *member)
{
    member->is_hard_link = true;
    member->target = group->path;
    member->target_bytes = group->path_bytes;
    member->stat.size_bytes = 0;
}

/* Another size is another file, with a number that was cut short, as that of the oldest form is, of
 * 16 or 18 bits. */
int foreign_links_take(struct foreign_links *links, uint64_t device, uint64_t inode, uint32_t names,
                       bool waits, struct member *member)
{
    struct group *group = find(links, device, inode);
    uint64_t size_bytes = member->stat.size_bytes;
    int error = group ? 0 : add(links, device, inode, names, &group);
    if (error)
        return error;
    member->is_hard_link = false;
    member->target = NULL;
    member->target_bytes = 0;
    group->left -= group->left > 0;
    if (!group->path && !size_bytes && waits) {
        error = keep_waiting(links, group, member);
        return error;
    }
    if (!group->path) {
        error = set_path(links, group, member->path, member->path_bytes, size_bytes);
        links->ready = group;
        return error ? error : 1;
    }
    if (!size_bytes || size_bytes == group->size_bytes)
        make_link(group, member);
    /* The member points to the group's path: it goes when the next one is asked for. */
    links->ready = group;
    return 1;
}

static bool give(struct foreign_links *links, struct group *group, struct member *member)
{
    struct waiting *waiting = links->given = group->first;
    group->first = waiting->next;
    if (!group->first)
        group->last = NULL;
    *member = (struct member){
        .path = waiting->path, .path_bytes = waiting->path_bytes, .stat = waiting->stat};
    if (group->path)
        make_link(group, member);
    return true;
}

/* At the end, files without any data: the first name is the file. */
static bool give_empty(struct foreign_links *links, struct group *group, struct member *member)
{
    give(links, group, member);
    if (!group->first)
        return true;
    /* Without memory for the name those that follow are files of their own. */
    (void)set_path(links, group, member->path, member->path_bytes, 0);
    return true;
}

bool foreign_links_next(struct foreign_links *links, bool at_end, struct member *member)
{
    free_waiting(links, links->given);
    links->given = NULL;
    struct group *ready = links->ready;
    if (ready && ready->first)
        return give(links, ready, member);
    links->ready = NULL;
    if (ready && !ready->left)
        drop(links, ready);
    while (at_end && links->oldest) {
        struct group *group = links->oldest;
        if (!group->first) {
            drop(links, group);
            continue;
        }
        links->ready = group;
        return group->path ? give(links, group, member) : give_empty(links, group, member);
    }
    return false;
}
