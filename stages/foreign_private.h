/* What the files of foreign.h share. */
#ifndef TREEMILL_STAGES_FOREIGN_PRIVATE_H
#define TREEMILL_STAGES_FOREIGN_PRIVATE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/foreign.h"
#include "stages/metadata.h"

/* Opening (foreign.c). */

enum foreign_mode {
    FOREIGN_STREAM, /* what is behind filters */
    FOREIGN_ARCHIVE,
    FOREIGN_ARCHIVE_NOT_TAR
};
/* foreign_open_behind() of all modes. */
int foreign_open_as(const void *start, size_t start_bytes, int fd, enum foreign_mode mode,
                    struct foreign **foreign);

/* Which filters and formats it knows (foreign_formats.c). 0 or -ENOMEM. */
int foreign_enable(struct archive *archive, enum foreign_mode mode);

/* What libarchive reads from (foreign_source.c). */

struct foreign_source {
    int fd; /* -1: there is nothing but the start */
    bool is_seekable;
    uint64_t base, end;  /* of a seekable one: where the archive begins and the file ends */
    uint64_t position;   /* of the next byte to be read */
    uint64_t read_bytes; /* read or passed over, so far */
    bool reached_end;    /* has been read to its end, at least once */
    int error;           /* the first error of reading, -errno; 0: none */
    const uint8_t *start;
    size_t start_bytes; /* left of those bytes that come before the descriptor's */
    uint8_t *buffer;
};

/* The start is kept, and must stay, until all of it is read; NULL: none. 0 or -errno. */
int foreign_source_open(struct foreign_source *source, int fd, const void *start,
                        size_t start_bytes);
void foreign_source_close(struct foreign_source *source);
/* Gives the archive its callbacks. What archive_read_open1() will say is for the caller. */
void foreign_source_attach(struct foreign_source *source, struct archive *archive);

/* Members (foreign_member.c). */

/* What a member points to besides the entry. */
struct foreign_packed {
    char path[32]; /* of one whose name is lost */
    uint8_t *lha_path, *lha_target;
    uint8_t attributes[METADATA_MAX_BYTES];
};

/* The member that the entry describes; number: for one without a name that can be read. 0 or
 * -ENOMEM. Within the UTF-8 locale. */
int foreign_member_make(struct archive_entry *entry, int format, uint64_t number,
                        struct foreign_packed *packed, struct member *member);
void foreign_packed_clear(struct foreign_packed *packed);

/* Links of cpio (foreign_links.c).
 *
 * cpio has every name of a file as a member with the file's number. In its newer forms all but one
 * of them, mostly the last, have no data; in its older ones each has all of it. Whoever takes the
 * members as they come would make an empty file first. So names without data wait here until the
 * one that has it, and come behind it, as hard links to it. */

/* What the waiting names may take: more is not an archive but an attack. */
#define FOREIGN_LINKS_MAX ((size_t)64 * 1024 * 1024)

struct foreign_links;
int foreign_links_create(struct foreign_links **links);
void foreign_links_destroy(struct foreign_links *links);
/* Looks at a regular file that has several names, and may make it a hard link. 1: it is to be
 * given out now; 0: it waits; -ENOMEM; -E2BIG. `waits`: a form in which names without data wait. */
int foreign_links_take(struct foreign_links *links, uint64_t device, uint64_t inode, uint32_t names,
                       bool waits, struct member *member);
/* A name that has waited long enough, if there is one; the member is good until the next call.
 * `at_end`: there is nothing more to wait for. */
bool foreign_links_next(struct foreign_links *links, bool at_end, struct member *member);

#endif
