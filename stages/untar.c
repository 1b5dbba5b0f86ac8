/* untar: input and events. A machine of phases: each takes what it needs from the input, and says
 * what has happened, or that the next phase is to go on. */
#include "stages/untar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stages/untar_private.h"

#define GO_ON (-1)

int untar_create(struct untar **out)
{
    struct untar *untar = *out = calloc(1, sizeof *untar);
    if (!untar)
        return -ENOMEM;
    untar_reset(untar);
    return 0;
}

void untar_destroy(struct untar *untar)
{
    if (!untar)
        return;
    untar_attributes_destroy(untar);
    owner_ids_destroy(untar->owners);
    free(untar->text);
    free(untar->map);
    free(untar);
}

void untar_pass_attributes(struct untar *untar)
{
    untar->passes_attributes = true;
}

/* Nothing is known of the member to come. */
static void forget_member(struct untar *untar)
{
    untar->extended = (struct untar_extended){0};
    untar->text_used = 1;
    untar->attribute_count = 0;
    untar->is_pending = false;
    untar_map_clear(untar);
}

void untar_reset(struct untar *untar)
{
    untar->phase = UNTAR_HEADER;
    untar->position = untar->member_position = 0;
    untar->error = NULL;
    untar->is_lone_zero = untar->has_pax = false;
    untar->left = 0;
    untar->block_bytes = 0;
    untar->global.given = 0;
    untar->member = (struct member){0};
    forget_member(untar);
}

bool untar_fail(struct untar *untar, const char *what)
{
    untar->phase = UNTAR_FAILED;
    untar->error = what;
    return false;
}

static int fail(struct untar *untar, const char *what)
{
    untar_fail(untar, what);
    return GO_ON;
}

/* Input. */

static const uint8_t *take(struct untar *untar, struct untar_step *step, size_t bytes)
{
    const uint8_t *taken = step->input;
    step->input += bytes;
    step->input_bytes -= bytes;
    untar->position += bytes;
    return taken;
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

/* NULL: it is not whole yet. */
static const uint8_t *take_block(struct untar *untar, struct untar_step *step)
{
    if (!untar->block_bytes && step->input_bytes >= TAR_BLOCK_BYTES)
        return take(untar, step, TAR_BLOCK_BYTES);
    size_t bytes = least(step->input_bytes, TAR_BLOCK_BYTES - untar->block_bytes);
    if (bytes)
        memcpy(untar->block + untar->block_bytes, take(untar, step, bytes), bytes);
    untar->block_bytes += bytes;
    if (untar->block_bytes < TAR_BLOCK_BYTES)
        return NULL;
    untar->block_bytes = 0;
    return untar->block;
}

static bool is_zero(const uint8_t *block)
{
    return !*block && !memcmp(block, block + 1, TAR_BLOCK_BYTES - 1);
}

static int pass(struct untar *untar, uint64_t bytes)
{
    untar->phase = UNTAR_PASS;
    untar->left = bytes;
    return GO_ON;
}

/* Headers. */

static bool reserve_text(struct untar *untar, size_t bytes)
{
    size_t wanted = untar->text_used + bytes;
    if (wanted <= untar->text_capacity)
        return true;
    size_t capacity = wanted < 4096 ? 4096 : 2 * wanted;
    if (capacity > UNTAR_HEADER_MAX)
        capacity = UNTAR_HEADER_MAX;
    char *grown = realloc(untar->text, capacity);
    if (!grown)
        return untar_fail(untar, "out of memory");
    untar->text = grown;
    untar->text_capacity = capacity;
    return true;
}

static int begin_body(struct untar *untar, const struct ustar *header)
{
    uint64_t size;
    if (!untar_size(header->size, sizeof header->size, &size))
        return fail(untar, "an extended header's size is no number");
    /* Each has a NUL behind it. */
    if (size >= UNTAR_HEADER_MAX - untar->text_used)
        return fail(untar, "extended headers are too large");
    if (!reserve_text(untar, (size_t)size + 1))
        return GO_ON;
    untar->is_pending |= header->kind != 'g';
    untar->has_pax |= header->kind != 'L' && header->kind != 'K';
    untar->body_kind = header->kind;
    untar->body_at = (uint32_t)untar->text_used;
    untar->body_bytes = (uint32_t)size;
    untar->phase = UNTAR_BODY;
    return GO_ON;
}

static bool end_body(struct untar *untar)
{
    struct untar_extended *extended = &untar->extended;
    const char *body = untar->text + untar->body_at;
    size_t at = untar->body_at, bytes = untar->body_bytes;
    struct untar_text name = {(uint32_t)at, (uint32_t)strnlen(body, bytes)};

    untar->text[untar->text_used++] = '\0';
    switch (untar->body_kind) {
    case 'L':
        extended->long_path = name;
        return true;
    case 'K':
        extended->long_target = name;
        return true;
    case 'A':
        return untar_attribute_add(
            untar, UNTAR_ACL_ACCESS, 0,
            untar_acl_of_solaris(untar, (struct untar_text){(uint32_t)at, (uint32_t)bytes}));
    default: /* 'x', 'X' as Solaris has it, 'g' */
        if (!untar_pax_take(untar, at, bytes, untar->body_kind == 'g'))
            return false;
        if (untar->body_kind == 'g')
            untar->text_used = at;
        return true;
    }
}

static int body_phase(struct untar *untar, struct untar_step *step)
{
    size_t had = untar->text_used - untar->body_at;
    size_t bytes = least(step->input_bytes, untar->body_bytes - had);
    if (bytes)
        memcpy(untar->text + untar->text_used, take(untar, step, bytes), bytes);
    untar->text_used += bytes;
    if (had + bytes < untar->body_bytes)
        return UNTAR_MORE;
    return end_body(untar) ? pass(untar, tar_padding(untar->body_bytes)) : GO_ON;
}

/* A label, or a part of another archive: no member. */
static int pass_volume(struct untar *untar, const struct ustar *header)
{
    uint64_t size;
    if (!untar_size(header->size, sizeof header->size, &size))
        return fail(untar, "a volume header's size is no number");
    forget_member(untar);
    return pass(untar, size + tar_padding(size));
}

static int lay_out(struct untar *untar)
{
    if (!untar_member_lay_out(untar))
        return GO_ON;
    untar->phase = UNTAR_IN_DATA;
    return UNTAR_MEMBER;
}

static int begin_member(struct untar *untar, const struct ustar *header)
{
    bool more = false;
    if (!untar_member_begin(untar, header))
        return GO_ON;
    if (header->kind == 'S' && !untar_map_take_header(untar, header, &more))
        return GO_ON;
    if (more)
        untar->phase = UNTAR_SPARSE_BLOCK;
    else if (untar->map_begins_data)
        untar->phase = UNTAR_SPARSE_MAP;
    else
        return lay_out(untar);
    return GO_ON;
}

static int take_header(struct untar *untar, const uint8_t *block)
{
    const struct ustar *header = (const struct ustar *)block;
    if (!untar->is_pending)
        untar->member_position = untar->position - TAR_BLOCK_BYTES;
    if (is_zero(block)) {
        if (untar->is_pending)
            return fail(untar, "the archive ends between a member's headers");
        untar->phase = UNTAR_ZERO;
        return GO_ON;
    }
    if (!untar_header_is_valid(header))
        return fail(untar, "a header's checksum is wrong");
    switch (header->kind) {
    case 'x':
    case 'X':
    case 'g':
    case 'L':
    case 'K':
    case 'A':
        return begin_body(untar, header);
    case 'V':
        return pass_volume(untar, header);
    default:
        return begin_member(untar, header);
    }
}

static int header_phase(struct untar *untar, struct untar_step *step)
{
    const uint8_t *block = take_block(untar, step);
    return block ? take_header(untar, block) : UNTAR_MORE;
}

/* Maps of sparse files. */

static int sparse_block_phase(struct untar *untar, struct untar_step *step)
{
    const uint8_t *block = take_block(untar, step);
    bool more;
    if (!block)
        return UNTAR_MORE;
    if (!untar_map_take_block(untar, block, &more) || more)
        return GO_ON;
    return lay_out(untar);
}

static int sparse_map_phase(struct untar *untar, struct untar_step *step)
{
    bool more;
    if (untar->stored < TAR_BLOCK_BYTES)
        return fail(untar, "a sparse file's map is longer than its data");
    const uint8_t *block = take_block(untar, step);
    if (!block)
        return UNTAR_MORE;
    untar->stored -= TAR_BLOCK_BYTES;
    if (!untar_map_take_text(untar, block, &more) || more)
        return GO_ON;
    return lay_out(untar);
}

/* Data. */

static int end_data(struct untar *untar)
{
    uint64_t rest = untar->pass_bytes;
    bool may_be_without = untar->member.is_hard_link && rest && !untar->has_pax;
    forget_member(untar);
    pass(untar, rest);
    if (may_be_without)
        untar->phase = UNTAR_LINK;
    return UNTAR_DONE;
}

static int data_phase(struct untar *untar, struct untar_step *step)
{
    if (!untar->data_left)
        return end_data(untar);
    if (!step->input_bytes)
        return UNTAR_MORE;
    if (!untar->extent_left) {
        untar->offset = untar->map[untar->extent_next].offset;
        untar->extent_left = untar->map[untar->extent_next++].bytes;
    }
    size_t bytes = least(untar->extent_left, step->input_bytes);
    step->data = take(untar, step, bytes);
    step->data_bytes = bytes;
    step->offset = untar->offset;
    untar->offset += bytes;
    untar->extent_left -= bytes;
    untar->data_left -= bytes;
    return UNTAR_DATA;
}

static int pass_phase(struct untar *untar, struct untar_step *step)
{
    size_t bytes = least(untar->left, step->input_bytes);
    if (bytes)
        take(untar, step, bytes);
    untar->left -= bytes;
    if (untar->left)
        return UNTAR_MORE;
    untar->phase = UNTAR_HEADER;
    return GO_ON;
}

/* POSIX.1-1988 had no data behind hard links, whatever their size; since 2001 they may have some.
 * In an archive without extended headers nobody can tell but by looking: a header, or the archive's
 * end, is what it seems to be. libarchive does it so. */
static int link_phase(struct untar *untar, struct untar_step *step)
{
    const uint8_t *block = take_block(untar, step);
    if (!block)
        return UNTAR_MORE;
    if (is_zero(block) || untar_header_is_valid((const struct ustar *)block)) {
        untar->phase = UNTAR_HEADER;
        return take_header(untar, block);
    }
    return pass(untar, untar->left - TAR_BLOCK_BYTES);
}

/* POSIX has two zero blocks at the end. After a lone one GNU tar 1.34 (which says a word) and
 * libarchive 3.6.2 stop, too, whatever follows it; to go on would be to see members that nobody
 * else sees. */
static int zero_phase(struct untar *untar, struct untar_step *step)
{
    const uint8_t *block = take_block(untar, step);
    if (!block)
        return UNTAR_MORE;
    untar->is_lone_zero = !is_zero(block);
    untar->phase = UNTAR_ENDED;
    return GO_ON;
}

enum untar_event untar_next(struct untar *untar, struct untar_step *step)
{
    for (;;) {
        int event;
        switch (untar->phase) {
        case UNTAR_HEADER:
            event = header_phase(untar, step);
            break;
        case UNTAR_BODY:
            event = body_phase(untar, step);
            break;
        case UNTAR_SPARSE_BLOCK:
            event = sparse_block_phase(untar, step);
            break;
        case UNTAR_SPARSE_MAP:
            event = sparse_map_phase(untar, step);
            break;
        case UNTAR_IN_DATA:
            event = data_phase(untar, step);
            break;
        case UNTAR_PASS:
            event = pass_phase(untar, step);
            break;
        case UNTAR_LINK:
            event = link_phase(untar, step);
            break;
        case UNTAR_ZERO:
            event = zero_phase(untar, step);
            break;
        case UNTAR_ENDED:
            return UNTAR_END;
        default:
            return UNTAR_ERROR;
        }
        if (event != GO_ON)
            return (enum untar_event)event;
    }
}

/* Answers. */

const struct member *untar_member(const struct untar *untar)
{
    return &untar->member;
}

bool untar_is_sparse(const struct untar *untar)
{
    return untar->is_in_pieces;
}

uint64_t untar_position(const struct untar *untar)
{
    return untar->position;
}

uint64_t untar_member_position(const struct untar *untar)
{
    return untar->member_position;
}

const char *untar_error(const struct untar *untar)
{
    return untar->error;
}

/* A block that is cut short, and is zeros as far as it goes, is part of the end. */
static bool has_part_of_header(const struct untar *untar)
{
    for (size_t i = 0; i < untar->block_bytes; i++)
        if (untar->block[i])
            return true;
    return false;
}

int untar_finish(const struct untar *untar)
{
    switch (untar->phase) {
    case UNTAR_ENDED:
        return untar->is_lone_zero;
    case UNTAR_ZERO:
        return 1;
    case UNTAR_FAILED:
        return -EBADMSG;
    case UNTAR_HEADER:
    case UNTAR_LINK:
        return untar->is_pending || has_part_of_header(untar) ? -ENODATA : 1;
    case UNTAR_PASS:
        return untar->is_pending || untar->left ? -ENODATA : 1;
    default:
        return -ENODATA;
    }
}
