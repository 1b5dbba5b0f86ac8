/* An archive in memory, for the tests of what writes its headers. */
#ifndef TREEMILL_TESTS_ARCHIVE_PACK_H
#define TREEMILL_TESTS_ARCHIVE_PACK_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stages/archive.h"

struct pack {
    uint8_t *bytes;
    size_t used, capacity;
};

static inline uint8_t *pack_room(struct pack *pack, size_t bytes)
{
    if (pack->capacity - pack->used < bytes) {
        pack->capacity = 2 * (pack->used + bytes);
        pack->bytes = realloc(pack->bytes, pack->capacity);
        if (!pack->bytes)
            ck_abort_msg("no memory");
    }
    return pack->bytes + pack->used;
}

static inline void pack_bytes(struct pack *pack, const void *bytes, size_t count)
{
    if (count)
        memcpy(pack_room(pack, count), bytes, count);
    pack->used += count;
}

static inline void pack_zeros(struct pack *pack, size_t count)
{
    memset(pack_room(pack, count), 0, count);
    pack->used += count;
}

static inline void pack_free(struct pack *pack)
{
    free(pack->bytes);
    *pack = (struct pack){0};
}

static inline size_t member_extra(const struct archive_member *member)
{
    return member->path_bytes + member->target_bytes + member->attribute_bytes +
           member->extent_count * sizeof *member->extents;
}

/* A member of tar, header, data and padding; returns the header's length. */
static inline size_t pack_tar_member(struct pack *pack, struct tar_writer *writer,
                                     const struct archive_member *member, const void *data)
{
    size_t room = ARCHIVE_HEADER_BOUND(member_extra(member));
    ptrdiff_t header = tar_header(writer, member, pack_room(pack, room), room);
    ck_assert_msg(header > 0, "%s: %td", member->path, header);
    ck_assert_int_eq(header % TAR_BLOCK_BYTES, 0);
    pack->used += (size_t)header;
    uint64_t bytes = archive_data_bytes(member);
    if (data) {
        pack_bytes(pack, data, bytes);
        pack_zeros(pack, tar_padding(bytes));
    }
    return (size_t)header;
}

static inline void pack_tar_end(struct pack *pack)
{
    pack_zeros(pack, tar_end_bytes(pack->used));
    ck_assert_int_eq(pack->used % TAR_RECORD_BYTES, 0);
}

static inline void pack_to_file(const struct pack *pack, const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fwrite(pack->bytes, 1, pack->used, file), pack->used);
    ck_assert_int_eq(fclose(file), 0);
}

/* Runs a command of a tool; false and a note where the tool is missing. */
static inline bool run_tool(const char *tool, const char *command)
{
    char text[512];
    snprintf(text, sizeof text, "command -v %s >/dev/null", tool);
    if (system(text) != 0) {
        fprintf(stderr, "skipped: %s is not installed\n", tool);
        return false;
    }
    int status = system(command);
    ck_assert_msg(status == 0, "%s: %d", command, status);
    return true;
}

static inline struct archive_member member_of(const char *path, uint32_t mode, uint64_t size)
{
    return (struct archive_member){
        .path = path,
        .path_bytes = strlen(path),
        .stat = {.mode = mode, .size_bytes = size, .mtime_seconds = 1700000000, .links = 1},
    };
}

static inline void member_target(struct archive_member *member, const char *target)
{
    member->target = target;
    member->target_bytes = strlen(target);
}

#endif
