/* A hash table with chains; the file's device and number are the key. */
#include "stages/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 1024

struct link {
    struct link *next;
    uint64_t device, inode;
    uint32_t rest; /* names not met yet */
    struct link_note note;
};

struct links {
    struct link **bucket;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct link *complete; /* answered last, and not needed any more after that */
};

static size_t bucket_of(uint64_t device, uint64_t inode, size_t bucket_count)
{
    uint64_t mixed = (inode ^ device << 32) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32) & (bucket_count - 1);
}

struct links *links_create(void)
{
    struct links *links = calloc(1, sizeof *links);
    if (!links)
        return NULL;
    links->bucket_count = BUCKETS_MIN;
    links->bucket = calloc(links->bucket_count, sizeof(struct link *));
    if (links->bucket)
        return links;
    free(links);
    return NULL;
}

void links_destroy(struct links *links)
{
    if (!links)
        return;
    for (size_t b = 0; b < links->bucket_count; b++)
        for (struct link *link = links->bucket[b], *next; link; link = next) {
            next = link->next;
            free(link);
        }
    free(links->complete);
    free(links->bucket);
    free(links);
}

/* Where it cannot grow, chains get longer. */
static void grow(struct links *links)
{
    size_t count = links->bucket_count * 2;
    struct link **bucket = calloc(count, sizeof(struct link *));
    if (!bucket)
        return;
    for (size_t b = 0; b < links->bucket_count; b++)
        for (struct link *link = links->bucket[b], *next; link; link = next) {
            size_t to = bucket_of(link->device, link->inode, count);
            next = link->next;
            link->next = bucket[to];
            bucket[to] = link;
        }
    free(links->bucket);
    links->bucket = bucket;
    links->bucket_count = count;
}

static int add(struct links *links, const struct file_stat *stat, const void *note, size_t bytes)
{
    struct link *link = malloc(sizeof *link + bytes + 1);
    if (!link)
        return -ENOMEM;
    if (links->count++ == links->bucket_count)
        grow(links);
    size_t bucket = bucket_of(stat->device, stat->inode, links->bucket_count);
    *link = (struct link){.next = links->bucket[bucket],
                          .device = stat->device,
                          .inode = stat->inode,
                          .rest = stat->links - 1};
    link->note.bytes = bytes;
    memcpy(link->note.data, note, bytes);
    link->note.data[bytes] = '\0';
    links->bucket[bucket] = link;
    return 0;
}

int links_meet(struct links *links, const struct file_stat *stat, const void *note, size_t bytes,
               const struct link_note **first)
{
    *first = NULL;
    free(links->complete);
    links->complete = NULL;
    struct link **at = &links->bucket[bucket_of(stat->device, stat->inode, links->bucket_count)];
    while (*at && ((*at)->inode != stat->inode || (*at)->device != stat->device))
        at = &(*at)->next;
    if (!*at)
        return add(links, stat, note, bytes);
    struct link *link = *at;
    *first = &link->note;
    if (--link->rest == 0) {
        *at = link->next;
        links->count--;
        links->complete = link;
    }
    return 0;
}
