/* What the parts of untar share. Nothing here is for others.
 *
 *   untar.c             input and events
 *   untar_header.c      the fields of a header's block
 *   untar_member.c      a member, of its header and of what came before it
 *   untar_pax.c         records of extended headers
 *   untar_attributes.c  attributes among them
 *   untar_acl.c         access control lists, from text to the kernel's form
 *   untar_sparse.c      maps of sparse files, in all five forms
 *
 * Functions that return false have called untar_fail().
 */
#ifndef TREEMILL_STAGES_UNTAR_PRIVATE_H
#define TREEMILL_STAGES_UNTAR_PRIVATE_H

#include "stages/archive.h"
#include "stages/metadata.h"
#include "stages/owners.h"
#include "stages/untar.h"
#include "stages/ustar.h"

enum untar_dialect { UNTAR_V7, UNTAR_USTAR, UNTAR_GNU };

/* A run of bytes in untar->text, with a NUL behind it. at 0: there is none. */
struct untar_text {
    uint32_t at, bytes;
};

enum untar_form { UNTAR_RAW, UNTAR_BASE64, UNTAR_ACL_ACCESS, UNTAR_ACL_DEFAULT };

/* An attribute as its record has it. The name is NUL-terminated; an ACL's is known. */
struct untar_attribute {
    uint32_t name;
    struct untar_text value;
    enum untar_form form;
};
/* As many as can be packed: 8 bytes, a letter and a NUL each. */
#define UNTAR_ATTRIBUTES_MAX (METADATA_MAX_BYTES / 10)

enum untar_given {
    UNTAR_HAS_MTIME = 1,
    UNTAR_HAS_UID = 2,
    UNTAR_HAS_GID = 4,
    UNTAR_HAS_USER = 8,
    UNTAR_HAS_GROUP = 16,
    UNTAR_HAS_SIZE = 32,
    UNTAR_HAS_REAL_SIZE = 64,
    UNTAR_HAS_MAJOR = 128,
    UNTAR_HAS_MINOR = 256,
    UNTAR_HAS_MAP = 512,       /* GNU.sparse 0.0 or 0.1: it is in untar->map */
    UNTAR_HAS_FORM = 1024,     /* GNU.sparse.major or .minor */
    UNTAR_HAS_STAR_SIZE = 2048 /* SCHILY.realsize */
};

/* What extended headers and long names say of the next member. */
struct untar_extended {
    unsigned given; /* enum untar_given */
    int64_t mtime_seconds;
    uint32_t mtime_ns;
    uint32_t uid, gid;
    uint64_t size, real_size, star_size;
    uint32_t device_major, device_minor;
    uint64_t sparse_major, sparse_minor;
    struct untar_text path, target, user, group, sparse_name;
    struct untar_text long_path, long_target; /* GNU's */
    bool has_offset;                          /* GNU.sparse.offset waits for its number of bytes */
    uint64_t sparse_offset;
    bool lost_attributes;
};

/* What global headers say of all members from there on. */
#define UNTAR_OWNER_BYTES 256
struct untar_global {
    unsigned given;
    int64_t mtime_seconds;
    uint32_t mtime_ns;
    uint32_t uid, gid;
    char user[UNTAR_OWNER_BYTES], group[UNTAR_OWNER_BYTES];
};

enum untar_phase {
    UNTAR_HEADER,       /* before a header's block */
    UNTAR_BODY,         /* in the data of an extended header or long name */
    UNTAR_SPARSE_BLOCK, /* before a block that goes on with an old sparse header */
    UNTAR_SPARSE_MAP,   /* before a block of the map that begins the data */
    UNTAR_IN_DATA,      /* in what is told of */
    UNTAR_PASS,         /* in what is passed over: data of no use, padding */
    UNTAR_LINK,         /* behind a hard link that may have data */
    UNTAR_ZERO,         /* a zero block was there */
    UNTAR_ENDED,
    UNTAR_FAILED
};

/* Where the text of a map that begins the data is; its numbers may straddle blocks. */
struct untar_map_text {
    bool has_count, has_offset, has_digit;
    uint64_t number, offset, entries_left;
};

struct untar {
    enum untar_phase phase;
    uint64_t position;        /* in the archive, of the next byte of input */
    uint64_t member_position; /* of the first header of the member */
    const char *error;
    bool is_lone_zero;
    uint64_t left; /* bytes of the phase */

    /* A block that straddles pieces of input. */
    size_t block_bytes;
    uint8_t block[TAR_BLOCK_BYTES];

    /* Extended headers and long names. Text begins at 1, so that 0 is none. */
    bool is_pending;     /* there was one, and the member is still to come */
    bool has_pax;        /* the archive has had one */
    char body_kind;      /* of the one that is read */
    uint32_t body_at;    /* where its text begins */
    uint32_t body_bytes; /* and how long it will be */
    char *text;
    size_t text_used, text_capacity;
    struct untar_extended extended;
    struct untar_global global;
    bool passes_attributes;
    struct untar_attribute *attributes;
    size_t attribute_count, attribute_capacity;
    struct untar_packed *packed; /* see untar_attributes.c */
    struct owner_ids *owners;    /* made when an ACL asks */

    /* The map of a sparse file: in order, joined where extents meet, none empty. */
    struct archive_extent *map;
    size_t map_count, map_capacity;
    uint64_t map_end; /* where the last ended, an empty one too */
    uint64_t map_bytes;
    struct untar_map_text map_text;

    /* The member. */
    struct member member;
    bool is_sparse;       /* has a map; see untar_is_sparse() */
    bool map_begins_data; /* GNU.sparse 1.0 */
    bool is_in_pieces;    /* its map is more than one extent of all its bytes */
    uint64_t stored;      /* bytes that follow its headers, without padding */
    uint64_t data_left;   /* to tell of */
    uint64_t extent_left; /* of these in the present extent */
    uint64_t offset;      /* of the next in the file */
    size_t extent_next;   /* in the map */
    uint64_t pass_bytes;  /* behind the data */
    char path[155 + 1 + 100 + 1];
    char target[100 + 1];
    char user[32 + 1], group[32 + 1];
};

/* Returns false. */
bool untar_fail(struct untar *untar, const char *what);

/* untar_header.c */

bool untar_header_is_valid(const struct ustar *header);
enum untar_dialect untar_dialect_of(const struct ustar *header);
/* Octal or base-256, or blank for 0. False: there is more than a number in it, of which the number
 * is the beginning; or it is not within int64_t: then it is the nearest that is. */
bool untar_number(const char *field, size_t width, int64_t *value);
/* A size: false, without untar_fail(): it is none, or negative. */
bool untar_size(const char *field, size_t width, uint64_t *size);
/* An owner's number; what fits no uid_t is (uid_t)-1, which is nobody's. */
uint32_t untar_owner(int64_t value);

/* untar_member.c */

/* Fills in the member, and `stored`. */
bool untar_member_begin(struct untar *untar, const struct ustar *header);
/* Once the map is known: what there is to tell of. */
bool untar_member_lay_out(struct untar *untar);

/* untar_pax.c */

/* Takes the records in the text; changes it. */
bool untar_pax_take(struct untar *untar, size_t at, size_t bytes, bool is_global);
/* All of it is digits, and within uint64_t. Nothing is read behind it. */
bool untar_decimal(const char *text, size_t bytes, uint64_t *value);

/* untar_attributes.c */

/* More than are of use are lost, and counted as such. */
bool untar_attribute_add(struct untar *untar, enum untar_form form, size_t name,
                         struct untar_text value);
/* Of "SCHILY.xattr." and the like: the name begins there. Decodes it. */
bool untar_attribute_add_named(struct untar *untar, enum untar_form form, size_t name,
                               size_t name_bytes, struct untar_text value);
/* Packs what was added; sets the member's attributes. */
bool untar_attributes_pack(struct untar *untar);
void untar_attributes_destroy(struct untar *untar);

/* untar_acl.c */

/* The kernel's form of a list, or a negative number: it is not understood, does not fit, or names
 * somebody whose number is not known. -ENOMEM is for want of memory. */
ptrdiff_t untar_acl(struct owner_ids **owners, const char *text, size_t bytes, void *list,
                    size_t capacity);
/* The list in the text of Solaris' header 'A'. Empty: there is none. */
struct untar_text untar_acl_of_solaris(const struct untar *untar, struct untar_text body);

/* untar_sparse.c */

void untar_map_clear(struct untar *untar);
/* The next extent, which may be empty. */
bool untar_map_add(struct untar *untar, uint64_t offset, uint64_t bytes);
/* "0,512,1024,512": GNU.sparse.map. */
bool untar_map_take_list(struct untar *untar, const char *text, size_t bytes);
/* The part of the map that is in the header; *more: a block with more follows. */
bool untar_map_take_header(struct untar *untar, const struct ustar *header, bool *more);
bool untar_map_take_block(struct untar *untar, const uint8_t *block, bool *more);
/* A block of the map that begins the data. */
bool untar_map_take_text(struct untar *untar, const uint8_t *block, bool *more);

#endif
