/* What a reader of tar makes of an archive, as text, a line for each member: two readings are the
 * same if the texts are. */
#ifndef TREEMILL_TESTS_UNTAR_LISTING_H
#define TREEMILL_TESTS_UNTAR_LISTING_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stages/metadata.h"
#include "stages/untar.h"

/* Whatever check asserts is a system call, and this is done for every byte. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("not so: %s", #condition);                                                \
    } while (0)

/* A file's content: where its runs of data begin, and their bytes; however they are cut. */
struct content {
    uint64_t hash, end, bytes;
};

static inline void content_mix(struct content *content, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        content->hash = (content->hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
}

static inline void content_add(struct content *content, uint64_t offset, const void *data,
                               size_t bytes)
{
    if (bytes && (!content->bytes || offset != content->end))
        content_mix(content, &offset, sizeof offset);
    content_mix(content, data, bytes);
    content->end = offset + bytes;
    content->bytes += bytes;
}

/* One member. What only one of two readers can tell is `more`. */
static inline void list_member(FILE *to, const struct member *member, const struct content *content,
                               const char *more)
{
    const struct file_stat *stat = &member->stat;
    uint32_t kind = stat->mode & S_IFMT;
    bool is_file = kind == S_IFREG && !member->is_hard_link;
    bool is_device = (kind == S_IFCHR || kind == S_IFBLK) && !member->is_hard_link;

    fwrite(member->path, 1, member->path_bytes, to);
    fprintf(to, "|%s|", member->target ? (member->is_hard_link ? "hard" : "symbolic") : "none");
    fwrite(member->target ? member->target : "", 1, member->target_bytes, to);
    fprintf(to, "|%o|%o|%u:%u|%s:%s|%lld.%09u|%llu|%u:%u|%llu %016llx|%s\n",
            member->is_hard_link ? 0 : kind, stat->mode & 07777, stat->uid, stat->gid,
            member->user ? member->user : "", member->group ? member->group : "",
            (long long)stat->mtime_seconds, stat->mtime_ns,
            (unsigned long long)(is_file ? stat->size_bytes : 0), is_device ? major(stat->rdev) : 0,
            is_device ? minor(stat->rdev) : 0, (unsigned long long)content->bytes,
            (unsigned long long)content->hash, more);
}

/* Sizes of pieces: all at once, or so many bytes, or random ones. */
enum { PIECES_WHOLE = 0, PIECES_RANDOM = -1 };
static const int all_pieces[] = {1, 7, 511, 512, 513, 4096, PIECES_RANDOM};
#define PIECES_COUNT (sizeof all_pieces / sizeof *all_pieces)

static inline size_t piece_of(int pieces, unsigned *random, size_t left)
{
    size_t piece = pieces > 0 ? (size_t)pieces : left;
    if (pieces == PIECES_RANDOM) {
        *random = *random * 1664525 + 1013904223;
        piece = (*random >> 16) % (*random & 128 ? 5000 : 50) + 1;
    }
    return piece < left ? piece : left;
}

struct lister {
    FILE *to;
    struct untar *untar;
    bool is_in_member, is_sparse, is_over, tells_more;
    struct content content;
};

static inline void list_end_of_member(struct lister *lister)
{
    const struct member *member = untar_member(lister->untar);
    struct content attributes = {0};
    char more[100] = "";
    content_mix(&attributes, member->attributes, member->attribute_bytes);
    if (lister->tells_more)
        snprintf(more, sizeof more, "%d %d %zu %016llx %llu", lister->is_sparse,
                 member->lost_attributes, member->attribute_bytes,
                 (unsigned long long)attributes.hash,
                 (unsigned long long)untar_member_position(lister->untar));
    list_member(lister->to, member, &lister->content, more);
}

/* Checks what is true of all events. */
static inline void list_event(struct lister *lister, enum untar_event event,
                              const struct untar_step *step, const uint8_t *end)
{
    MUST(step->input + step->input_bytes == end);
    switch (event) {
    case UNTAR_MEMBER:
        MUST(!lister->is_in_member);
        lister->is_in_member = true;
        lister->is_sparse = untar_is_sparse(lister->untar);
        lister->content = (struct content){0};
        break;
    case UNTAR_DATA:
        MUST(lister->is_in_member && step->data_bytes);
        MUST(step->data + step->data_bytes <= end);
        MUST(step->offset >= lister->content.end);
        MUST(lister->is_sparse || step->offset == lister->content.end);
        content_add(&lister->content, step->offset, step->data, step->data_bytes);
        MUST(lister->content.end <= untar_member(lister->untar)->stat.size_bytes);
        break;
    case UNTAR_DONE:
        MUST(lister->is_in_member);
        lister->is_in_member = false;
        if (!lister->is_sparse && S_ISREG(untar_member(lister->untar)->stat.mode))
            MUST(lister->content.end == untar_member(lister->untar)->stat.size_bytes);
        list_end_of_member(lister);
        break;
    case UNTAR_MORE:
        MUST(!step->input_bytes);
        break;
    default:
        lister->is_over = true;
    }
}

/* Each piece is in memory of its own, which is gone when the next comes. */
static inline void list_piece(struct lister *lister, const uint8_t *bytes, size_t count)
{
    uint8_t *piece = malloc(count);
    MUST(piece);
    memcpy(piece, bytes, count);
    struct untar_step step = {.input = piece, .input_bytes = count};
    enum untar_event event;
    do {
        event = untar_next(lister->untar, &step);
        list_event(lister, event, &step, piece + count);
    } while (event != UNTAR_MORE && !lister->is_over);
    free(piece);
}

/* To be freed. The last line is how it ended. */
static inline char *list_with(struct untar *untar, const uint8_t *bytes, size_t count, int pieces,
                              bool tells_more)
{
    char *text;
    size_t text_bytes, at = 0;
    unsigned random = 1;
    struct lister lister = {
        .to = open_memstream(&text, &text_bytes), .untar = untar, .tells_more = tells_more};
    untar_reset(untar);
    while (at < count && !lister.is_over) {
        size_t piece = piece_of(pieces, &random, count - at);
        list_piece(&lister, bytes + at, piece);
        at += piece;
    }
    fprintf(lister.to, "end: %d%s%s\n", untar_finish(untar), untar_error(untar) ? " " : "",
            untar_error(untar) ? untar_error(untar) : "");
    fclose(lister.to);
    return text;
}

static inline char *list_tar(const uint8_t *bytes, size_t count, int pieces, bool tells_more)
{
    struct untar *untar;
    ck_assert_int_eq(untar_create(&untar), 0);
    char *text = list_with(untar, bytes, count, pieces, tells_more);
    untar_destroy(untar);
    return text;
}

/* The same in all pieces. To be freed. */
static inline char *list_in_all_pieces(const uint8_t *bytes, size_t count)
{
    char *whole = list_tar(bytes, count, PIECES_WHOLE, true);
    for (size_t i = 0; i < PIECES_COUNT; i++) {
        char *text = list_tar(bytes, count, all_pieces[i], true);
        ck_assert_msg(!strcmp(text, whole), "in pieces of %d:\n%s\nwhole:\n%s", all_pieces[i], text,
                      whole);
        free(text);
    }
    return whole;
}

#endif
