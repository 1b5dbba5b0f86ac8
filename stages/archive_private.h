/* What the writers of tar and zip share, and the two halves of tar. Nothing here is for others. */
#ifndef TREEMILL_STAGES_ARCHIVE_PRIVATE_H
#define TREEMILL_STAGES_ARCHIVE_PRIVATE_H

#include <sys/stat.h>

#include "stages/archive.h"
#include "stages/owners.h"

/* 0, or what is wrong with the member: see tar_header(). */
int archive_member_check(const struct archive_member *member);

/* The member's status as it is to be stored. */
struct file_stat archive_stat(const struct archive_options *options,
                              const struct archive_member *member);

static inline bool archive_is_directory(const struct archive_member *member)
{
    return !member->is_hard_link && (member->stat.mode & S_IFMT) == S_IFDIR;
}

/* A directory's name ends with a slash, added to what path_bytes counts unless it is there. */
static inline bool archive_adds_slash(const struct archive_member *member)
{
    return archive_is_directory(member) && member->path[member->path_bytes - 1] != '/';
}

/* tar: the second half, what needs more than a ustar header. */

/* An entry as the ustar half has prepared it. */
struct tar_entry {
    const struct archive_member *member;
    struct file_stat stat;     /* as archive_stat() says */
    const char *user, *group;  /* or NULL */
    struct owner_names *names; /* for ACLs; NULL: numbers only */
};

struct pax_writer;
int pax_writer_create(struct pax_writer **pax);
void pax_writer_destroy(struct pax_writer *pax);
ptrdiff_t pax_header(struct pax_writer *pax, const struct tar_entry *entry, void *output,
                     size_t capacity);

/* Puts permission bits into a ustar header and makes its checksum right. */
void ustar_set_mode(void *header, uint32_t mode);

#endif
