/* The same listing by libarchive's reader. */
#ifndef TREEMILL_TESTS_UNTAR_LIBARCHIVE_H
#define TREEMILL_TESTS_UNTAR_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "tests/unit/untar_listing.h"

static inline struct member member_by_libarchive(struct archive_entry *entry)
{
    const char *target = archive_entry_hardlink(entry);
    struct member member = {
        .path = archive_entry_pathname(entry),
        .is_hard_link = target,
        .target = target ? target : archive_entry_symlink(entry),
        .user = archive_entry_uname(entry),
        .group = archive_entry_gname(entry),
        .stat =
            {
                .mode = archive_entry_mode(entry),
                .uid = (uint32_t)archive_entry_uid(entry),
                .gid = (uint32_t)archive_entry_gid(entry),
                .size_bytes = (uint64_t)archive_entry_size(entry),
                .mtime_seconds = archive_entry_mtime(entry),
                .mtime_ns = (uint32_t)archive_entry_mtime_nsec(entry),
                .rdev = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry)),
            },
    };
    ck_assert_ptr_nonnull(member.path);
    member.path_bytes = strlen(member.path);
    member.target_bytes = member.target ? strlen(member.target) : 0;
    return member;
}

static inline char *list_by_libarchive(const uint8_t *tar, size_t tar_bytes)
{
    char *text;
    size_t text_bytes;
    FILE *to = open_memstream(&text, &text_bytes);
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    ck_assert_int_eq(archive_read_support_format_tar(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_read_open_memory(archive, tar, tar_bytes), ARCHIVE_OK);
    int status;
    while ((status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        struct member member = member_by_libarchive(entry);
        struct content content = {0};
        const void *data;
        size_t bytes;
        la_int64_t offset;
        if (S_ISREG(member.stat.mode) && !member.is_hard_link)
            while (archive_read_data_block(archive, &data, &bytes, &offset) == ARCHIVE_OK)
                content_add(&content, (uint64_t)offset, data, bytes);
        list_member(to, &member, &content, "");
    }
    ck_assert_msg(status == ARCHIVE_EOF, "%s", archive_error_string(archive));
    fprintf(to, "end: 0\n");
    archive_read_free(archive);
    fclose(to);
    return text;
}

#endif
