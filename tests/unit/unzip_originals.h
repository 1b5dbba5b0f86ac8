/* An archive in memory with an entry of each kind, and what may come out of it when it is broken:
 * nothing wrong without a fault, and nothing more than what was announced. */
#ifndef TREEMILL_TESTS_UNIT_UNZIP_ORIGINALS_H
#define TREEMILL_TESTS_UNIT_UNZIP_ORIGINALS_H

#include <errno.h>
#include <unistd.h>

#include "tests/unit/unzip_making.h"
#include "tests/unit/unzip_reading.h"

static int fd;
static struct pack pack;

static void setup(void)
{
    fd = memfd_create("zip", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
    close(fd);
    pack_free(&pack);
}

/* Of each kind of entry one, with blocks so small that three of them are streams. */

#define BLOCK 512

static char text[2000], short_text[300];

static const struct original {
    const char *name;
    uint32_t mode;
    uint16_t method;
    bool streamed; /* sizes in a descriptor */
    const char *data;
    size_t bytes;
} originals[] = {
    {"d/", S_IFDIR | 0755, ZIP_STORED, false, "", 0},
    {"d/deflated", S_IFREG | 0644, ZIP_DEFLATED, false, short_text, sizeof short_text},
    {"d/stored", S_IFREG | 0644, ZIP_STORED, false, short_text, 50},
    {"d/streamed", S_IFREG | 0644, ZIP_DEFLATED, true, short_text, 200},
    {"empty", S_IFREG | 0644, ZIP_STORED, false, "", 0},
    {"link", S_IFLNK | 0777, ZIP_STORED, false, "a target", 8},
    {"deflated link", S_IFLNK | 0777, ZIP_DEFLATED, false, short_text, 100},
    {"large", S_IFREG | 0644, ZIP_DEFLATED, false, text, sizeof text},
    {"large and stored", S_IFREG | 0600, ZIP_STORED, false, text, 600},
    {"large and streamed", S_IFREG | 0600, ZIP_DEFLATED, true, text, 1500},
};
#define ORIGINALS (sizeof originals / sizeof *originals)

static void make_texts(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "abcdefghijklmnopqrstuvwxyz"[(i * i / 7 + i / 100) % 26];
    memcpy(short_text, text + 500, sizeof short_text);
}

static struct made add(const struct original *original)
{
    uint8_t output[4096], *at;
    struct made made = {.name = original->name,
                        .host = 3,
                        .method = original->method,
                        .attributes = original->mode << 16};
    size_t bytes = made_data(&made, original->data, original->bytes, output, sizeof output);
    struct made local = made;
    if (original->streamed) {
        made.flags = local.flags = 8;
        local.crc32 = local.compressed_bytes = local.uncompressed_bytes = 0;
    }
    made_local(&pack, &local, 0, output, bytes);
    made.offset = local.offset;
    if (original->streamed) {
        at = zip_put32(pack_room(&pack, 16), 0x08074b50);
        at = zip_put32(at, made.crc32);
        at = zip_put32(at, made.compressed_bytes);
        zip_put32(at, made.uncompressed_bytes);
        pack.used += 16;
    }
    return made;
}

static const struct original *original_of(const char *path)
{
    for (size_t i = 0; i < ORIGINALS; i++)
        if (strcmp(originals[i].name, path) == 0)
            return &originals[i];
    return NULL;
}

struct outcome {
    unsigned good, faults;
    struct tm_fault last_fault;
};

/* What comes without a fault is as it was. A file may have become a link, for modes are not checked
 * by anything, but not have other data. */
static void check(void *context, const struct unzipped *unzipped)
{
    struct outcome *outcome = context;
    const struct file_record *file = unzipped->file;
    bool has_data = S_ISREG(file->stat.mode) || unzipped->extra.target;
    if (fault_is_set(unzipped->fault)) {
        outcome->faults++;
        outcome->last_fault = unzipped->fault;
        ck_assert_uint_le(unzipped->streamed_bytes, file->stat.size_bytes);
        return;
    }
    outcome->good++;
    if (!has_data)
        return;
    const struct original *original = original_of(unzipped->path);
    ck_assert_msg(original != NULL, "%s", unzipped->path);
    const void *data = unzipped->extra.target ? unzipped->extra.target : (void *)unzipped->data;
    size_t bytes = unzipped->extra.target ? unzipped->extra.target_bytes : unzipped->bytes;
    ck_assert_uint_eq(bytes, original->bytes);
    ck_assert_int_eq(memcmp(data, original->data, bytes), 0);
}

static int read_it(struct outcome *outcome)
{
    struct reading reading = {
        .fd = fd, .shape = batch_shape_of(BLOCK, 4, 0), .told = check, .context = outcome};
    *outcome = (struct outcome){0};
    return read_archive(&reading);
}

#endif
