/* Headers of tar made by hand: what no writer at hand makes. */
#ifndef TREEMILL_TESTS_TAR_RAW_H
#define TREEMILL_TESTS_TAR_RAW_H

#include "tests/unit/archive_pack.h"
#include "tests/unit/untar_listing.h"

static struct pack pack;

static inline void raw_teardown(void)
{
    pack_free(&pack);
}

#define MAGIC_V7 "\0\0\0\0\0\0\0"
#define MAGIC_USTAR                                                                                \
    "ustar\0"                                                                                      \
    "0"
#define MAGIC_GNU "ustar  "

static inline void raw_checksum(uint8_t *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

/* Good until more is packed. Call raw_checksum() when it is changed. */
static inline uint8_t *raw_header(struct pack *to, const char *magic, char kind, const char *name,
                                  uint64_t size)
{
    pack_zeros(to, TAR_BLOCK_BYTES);
    uint8_t *block = to->bytes + to->used - TAR_BLOCK_BYTES;
    memcpy(block, name, strnlen(name, 100));
    memcpy(block + 100, "0000644", 8);
    memcpy(block + 108, "0000012", 8);
    memcpy(block + 116, "0000034", 8);
    snprintf((char *)block + 124, 12, "%011llo", (unsigned long long)size);
    memcpy(block + 136, "00000001750", 12);
    block[156] = (uint8_t)kind;
    memcpy(block + 257, magic, 7);
    if (magic[5] == '\0' && magic[0])
        block[264] = '0';
    raw_checksum(block);
    return block;
}

/* A link to "target". */
static inline void raw_link(struct pack *to, const char *magic, char kind, const char *name,
                            uint64_t size)
{
    uint8_t *block = raw_header(to, magic, kind, name, size);
    memcpy(block + 157, "target", 6);
    raw_checksum(block);
}

/* With its padding. */
static inline void raw_data(struct pack *to, const void *data, size_t bytes)
{
    pack_bytes(to, data, bytes);
    pack_zeros(to, tar_padding(bytes));
}

/* A header of kind `x` or `g`, or a long name. */
static inline void raw_body(struct pack *to, char kind, const void *body, size_t bytes)
{
    raw_header(to, kind == 'L' || kind == 'K' ? MAGIC_GNU : MAGIC_USTAR, kind, "extended", bytes);
    raw_data(to, body, bytes);
}

/* One record, its length before it. Returns its length. */
static inline size_t raw_record(char *record, const char *key, const void *value,
                                size_t value_bytes)
{
    size_t rest = 1 + strlen(key) + 1 + value_bytes + 1, length = rest, before;
    do {
        before = length;
        length = rest + (size_t)snprintf(NULL, 0, "%zu", before);
    } while (length != before);
    int at = sprintf(record, "%zu %s=", length, key);
    if (value_bytes)
        memcpy(record + at, value, value_bytes);
    record[length - 1] = '\n';
    return length;
}

/* A header of these records: "key=value", NULL after the last. */
static inline void raw_pax(struct pack *to, char kind, const char *const records[])
{
    static char body[1 << 16];
    size_t used = 0;
    for (size_t i = 0; records[i]; i++) {
        char key[256];
        const char *equals = strchr(records[i], '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - records[i]), records[i]);
        used += raw_record(body + used, key, equals + 1, strlen(equals + 1));
    }
    raw_body(to, kind, body, used);
}
#define RAW_PAX(to, kind, ...) raw_pax(to, kind, (const char *const[]){__VA_ARGS__, NULL})

/* A file with a short text, so that it shows if what is before it had another length. */
static inline void raw_file(struct pack *to, const char *name)
{
    raw_header(to, MAGIC_USTAR, '0', name, 5);
    raw_data(to, "text\n", 5);
}

/* The last member, and the end. */
static inline void raw_end(void)
{
    raw_file(&pack, "after");
    pack_zeros(&pack, 2 * TAR_BLOCK_BYTES);
}
#define AFTER "after|none||100000|644|10:28|:|1000.000000000|5|"

/* Each line of the listing begins so, the last of them ends it. */
static inline void expect_lines(const char *const lines[])
{
    char *text = list_in_all_pieces(pack.bytes, pack.used), *line = text;
    for (size_t i = 0; lines[i]; i++) {
        ck_assert_msg(!strncmp(line, lines[i], strlen(lines[i])), "%s\nis not at line %zu of\n%s",
                      lines[i], i, text);
        line = strchrnul(line, '\n');
        line += *line == '\n';
    }
    ck_assert_msg(!*line, "more than expected:\n%s", line);
    free(text);
}
#define EXPECT(...) expect_lines((const char *const[]){__VA_ARGS__, NULL})

#endif
