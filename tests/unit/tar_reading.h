/* One member of tar written and read back by libarchive. */
#ifndef TREEMILL_TESTS_TAR_READING_H
#define TREEMILL_TESTS_TAR_READING_H

#include <archive.h>
#include <archive_entry.h>

#include "tests/unit/archive_pack.h"

static struct tar_writer *writer;
static struct pack pack;

static inline void setup_with(struct archive_options options)
{
    ck_assert_int_eq(tar_writer_create(&options, &writer), 0);
}

static inline void setup(void)
{
    setup_with((struct archive_options){.numeric_owner = true});
}

static inline void teardown(void)
{
    tar_writer_destroy(writer);
    writer = NULL;
    pack_free(&pack);
}

struct reading {
    struct archive *archive;
    struct archive_entry *entry;
};

/* What libarchive makes of the one member that is packed. */
static inline struct reading read_back(void)
{
    struct reading reading = {.archive = archive_read_new()};
    ck_assert_int_eq(archive_read_support_format_tar(reading.archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_read_open_memory(reading.archive, pack.bytes, pack.used), ARCHIVE_OK);
    int status = archive_read_next_header(reading.archive, &reading.entry);
    ck_assert_msg(status == ARCHIVE_OK, "%s", archive_error_string(reading.archive));
    return reading;
}

static inline void done(struct reading *reading)
{
    archive_read_free(reading->archive);
    pack.used = 0;
}

/* Packs and reads a member without its data. */
static inline struct reading round_trip(const struct archive_member *member, size_t *header_bytes)
{
    pack.used = 0;
    size_t bytes = pack_tar_member(&pack, writer, member, NULL);
    if (header_bytes)
        *header_bytes = bytes;
    return read_back();
}

#endif
