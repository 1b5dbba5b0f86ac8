#include "cli/expected.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "stages/digest.h"

/* Texts and structures are taken from pieces of memory of this size, and freed together. */
#define PIECE_BYTES    ((size_t)256 * 1024)
#define CAPACITY_FIRST 4096

struct piece {
    struct piece *before;
    max_align_t start[];
};

struct expected {
    struct piece *piece; /* the one in use, and those before it */
    char *free;          /* in it */
    size_t free_bytes;
    uint64_t seed;                /* names may come from those who would have them collide */
    struct expected_file **slots; /* open addressing, at most half full */
    size_t capacity;              /* power of two */
    size_t count;
    uint32_t algorithms;
    struct expected_line *lines, **lines_end;
    struct expected_file *files, **files_end;
};

struct expected *expected_create(void)
{
    struct expected *expected = calloc(1, sizeof *expected);
    if (!expected)
        return NULL;
    expected->lines_end = &expected->lines;
    expected->files_end = &expected->files;
    expected->capacity = CAPACITY_FIRST;
    expected->slots = calloc(expected->capacity, sizeof *expected->slots);
    if (!expected->slots) {
        expected_destroy(expected);
        return NULL;
    }
    if (getrandom(&expected->seed, sizeof expected->seed, GRND_NONBLOCK) < 0)
        expected->seed = (uintptr_t)expected;
    return expected;
}

void expected_destroy(struct expected *expected)
{
    if (!expected)
        return;
    while (expected->piece) {
        struct piece *before = expected->piece->before;
        free(expected->piece);
        expected->piece = before;
    }
    free(expected->slots);
    free(expected);
}

/* Aligned for anything. NULL: no memory. */
static void *take(struct expected *expected, size_t bytes)
{
    bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (bytes > expected->free_bytes) {
        size_t size = bytes > PIECE_BYTES ? bytes : PIECE_BYTES;
        struct piece *piece = malloc(sizeof *piece + size);
        if (!piece)
            return NULL;
        piece->before = expected->piece;
        expected->piece = piece;
        expected->free = (char *)piece->start;
        expected->free_bytes = size;
    }
    void *taken = expected->free;
    expected->free += bytes;
    expected->free_bytes -= bytes;
    return taken;
}

static char *take_text(struct expected *expected, const char *text, size_t bytes)
{
    char *copy = take(expected, bytes + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

/* Files. */

static struct expected_file **slot_of(const struct expected *expected, struct expected_file **slots,
                                      size_t capacity, const char *path, size_t bytes)
{
    size_t at = (size_t)XXH3_64bits_withSeed(path, bytes, expected->seed) & (capacity - 1);
    while (slots[at] && (slots[at]->path_bytes != bytes || memcmp(slots[at]->path, path, bytes)))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

struct expected_file *expected_find(const struct expected *expected, const char *path,
                                    size_t path_bytes)
{
    return *slot_of(expected, expected->slots, expected->capacity, path, path_bytes);
}

static int grow(struct expected *expected)
{
    size_t capacity = expected->capacity * 2;
    struct expected_file **larger = calloc(capacity, sizeof(struct expected_file *));
    if (!larger)
        return -ENOMEM;
    for (struct expected_file *file = expected->files; file; file = file->next)
        *slot_of(expected, larger, capacity, file->path, file->path_bytes) = file;
    free(expected->slots);
    expected->slots = larger;
    expected->capacity = capacity;
    return 0;
}

static struct expected_file *find_or_add(struct expected *expected, const char *path, size_t bytes)
{
    struct expected_file *file = expected_find(expected, path, bytes);
    if (file)
        return file;
    if (expected->count * 2 >= expected->capacity && grow(expected))
        return NULL;
    file = take(expected, sizeof *file);
    char *copy = take_text(expected, path, bytes);
    if (!file || !copy)
        return NULL;
    *file = (struct expected_file){.path = copy, .path_bytes = bytes};
    *slot_of(expected, expected->slots, expected->capacity, path, bytes) = file;
    *expected->files_end = file;
    expected->files_end = &file->next;
    expected->count++;
    return file;
}

/* Lines. */

int expected_add(struct expected *expected, const struct walk_name *line, const char *path,
                 size_t path_bytes)
{
    struct expected_file *file = find_or_add(expected, path, path_bytes);
    struct expected_line *added = take(expected, sizeof *added);
    char *name = take_text(expected, line->text, line->bytes);
    size_t digest_bytes = line->attachment_bytes - sizeof added->expectation;
    uint8_t *digests = take(expected, digest_bytes);
    if (!file || !added || !name || !digests)
        return -ENOMEM;
    *added = (struct expected_line){.name = name,
                                    .name_bytes = line->bytes,
                                    .algorithms = line->algorithms,
                                    .digests = digests,
                                    .file = file,
                                    .same = file->lines};
    memcpy(&added->expectation, line->attachment, sizeof added->expectation);
    memcpy(digests, (const uint8_t *)line->attachment + sizeof added->expectation, digest_bytes);
    file->lines = added;
    expected->algorithms |= line->algorithms;
    *expected->lines_end = added;
    expected->lines_end = &added->next;
    return 0;
}

const struct expected_line *expected_lines(const struct expected *expected)
{
    return expected->lines;
}

const struct expected_file *expected_files(const struct expected *expected)
{
    return expected->files;
}

uint32_t expected_algorithms(const struct expected *expected)
{
    return expected->algorithms;
}

/* What was found. */

struct expected_file *expected_note(struct expected *expected, const char *path, size_t path_bytes,
                                    enum expected_state state, uint64_t size_bytes,
                                    const uint8_t *digests)
{
    size_t digest_bytes = digest_set_bytes(expected->algorithms);
    struct expected_file *file = find_or_add(expected, path, path_bytes);
    if (!file)
        return NULL;
    file->state = state;
    file->size_bytes = size_bytes;
    if (state != EXPECTED_FOUND || !digest_bytes)
        return file;
    if (!file->digests)
        file->digests = take(expected, digest_bytes);
    if (!file->digests)
        return NULL;
    memcpy(file->digests, digests, digest_bytes);
    return file;
}

bool expected_matches(const struct expected *expected, const struct expected_line *line)
{
    const struct expected_file *file = line->file;
    if (line->expectation.has_size && line->expectation.size_bytes != file->size_bytes)
        return false;
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++)
        if (line->algorithms & 1u << id &&
            memcmp(line->digests + digest_offset(line->algorithms, id),
                   file->digests + digest_offset(expected->algorithms, id),
                   digest_algorithm(id)->bytes) != 0)
            return false;
    return true;
}
