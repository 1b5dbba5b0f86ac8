/* A compiled pattern: made by glob_compile.c, matched by glob.c. */
#ifndef TREEMILL_STAGES_GLOB_PRIVATE_H
#define TREEMILL_STAGES_GLOB_PRIVATE_H

#include "stages/glob.h"

enum token_kind {
    TOKEN_BYTE,        /* this byte, '/' included */
    TOKEN_ANY_BYTE,    /* '?' */
    TOKEN_SET,         /* [...] */
    TOKEN_STAR,        /* '*' */
    TOKEN_ANYTHING,    /* '**' */
    TOKEN_DIRECTORIES, /* a whole-component '**' and its '/': any number of components, or none */
};

struct token {
    uint8_t kind;
    uint8_t byte; /* TOKEN_BYTE */
    uint16_t set; /* TOKEN_SET: index; a set takes 3 bytes of pattern, so this is wide enough */
};

_Static_assert(GLOB_MAX_PATTERN_BYTES <= UINT16_MAX, "an index of a set fits its field");

/* One bit a byte value. */
struct byte_set {
    uint64_t words[4];
};

enum glob_scope {
    SCOPE_NAME,     /* the last component */
    SCOPE_ANCHORED, /* the whole path */
    SCOPE_FLOATING, /* the path from any component on */
};

enum glob_shape {
    SHAPE_LITERAL, /* no wildcard: `literal` */
    SHAPE_SUFFIX,  /* SCOPE_NAME, '*' and then `literal` */
    SHAPE_GENERAL, /* `tokens`, those of a floating pattern beginning with TOKEN_DIRECTORIES */
};

struct glob {
    enum glob_scope scope;
    enum glob_shape shape;
    bool directories_only;
    char *literal;
    size_t literal_bytes;
    struct token *tokens;
    size_t token_count;
    struct byte_set *sets;
    size_t set_count;
    size_t memory_bytes;
};

#endif
