/* The readers of manifests: any bytes give entries, malformed lines or an end, and the same ones in
 * whatever pieces the bytes come. Then each parser of lines by itself, with lines that end where
 * their memory ends: in the reader's large buffer a step too far would not be seen. */
#include <errno.h>

#include "stages/manifest_private.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct source {
    const uint8_t *data;
    size_t bytes, at;
    struct fuzz_choices *choices; /* NULL: no pieces, no pauses */
    bool paused;
};

static ssize_t read_source(void *context, void *buffer, size_t bytes, bool wait)
{
    struct source *source = context;
    size_t give = source->bytes - source->at;
    if (source->choices) {
        size_t piece = fuzz_piece(source->choices);
        source->paused = !wait && !source->paused;
        if (source->paused)
            return -EAGAIN;
        if (give > piece)
            give = piece;
    }
    if (give > bytes)
        give = bytes;
    memcpy(buffer, source->data + source->at, give);
    source->at += give;
    return (ssize_t)give;
}

/* FNV-1a: everything that the reader says in one number. */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 0x100000001b3U;
    return hash;
}

static void check_path(const struct manifest_line *line)
{
    FUZZ_CHECK(line->path_bytes > 0 && line->path_bytes <= MANIFEST_PATH_BYTES_MAX);
    FUZZ_CHECK(strlen(line->path) == line->path_bytes);
    FUZZ_CHECK(line->algorithms < 1u << DIGEST_COUNT);
}

static uint64_t read_all(const struct manifest_reader_options *options, bool wait)
{
    static struct manifest_line line;
    struct manifest_reader *reader;
    uint64_t hash = 0xcbf29ce484222325U, before = 0;
    int got;
    FUZZ_CHECK(manifest_reader_create(options, &reader) == 0);
    while ((got = manifest_next(reader, wait, &line)) != 0) {
        if (got == -EAGAIN && !wait)
            continue;
        FUZZ_CHECK(got == 1 && line.line_number > before);
        before = line.line_number;
        hash = mix(hash, &line.line_number, sizeof line.line_number);
        hash = mix(hash, &line.kind, sizeof line.kind);
        FUZZ_CHECK(line.kind == MANIFEST_LINE_ENTRY || line.reason);
        if (line.kind == MANIFEST_LINE_MALFORMED)
            continue;
        check_path(&line);
        hash = mix(hash, line.path, line.path_bytes);
        hash = mix(hash, &line.size_bytes, sizeof line.size_bytes);
        hash = mix(hash, &line.algorithms, sizeof line.algorithms);
        hash = mix(hash, line.digests, sizeof line.digests);
    }
    manifest_reader_destroy(reader);
    return hash;
}

typedef enum line_result (*line_parser)(struct manifest_context *context, char *text, size_t bytes,
                                        struct manifest_line *line);
static const line_parser parsers[] = {parse_checksum_line, parse_hashdeep_line, parse_mtree_line,
                                      parse_json_line};

static void parse_lines(const struct manifest_reader_options *options, const uint8_t *data,
                        size_t bytes, line_parser parser, char separator)
{
    static struct manifest_context context;
    static struct manifest_line line;
    memset(&context, 0, sizeof context);
    context.options = options;
    context.set_is_file = true;
    context.ends_in_newline = separator == '\n';
    learn_from_name(&context);
    for (size_t at = 0; at < bytes;) {
        const uint8_t *stop = memchr(data + at, separator, bytes - at);
        size_t length = stop ? (size_t)(stop - (data + at)) : bytes - at;
        char *text = malloc(length + 1);
        FUZZ_CHECK(text);
        memcpy(text, data + at, length);
        text[length] = '\0';
        at += length + 1;
        line = (struct manifest_line){.line_number = 1};
        if (length && parser(&context, text, length, &line) == LINE_ENTRY)
            check_path(&line);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const names[] = {NULL,    "SHA256SUMS", "dir/x.md5", "bag/manifest-md5.txt",
                                        "x.sfv", "x.b3",       "x.crc32",   "x.xxh128"};
    struct fuzz_choices choices;
    bytes = fuzz_choices_take(&choices, data, bytes);
    unsigned choice = choices.byte[0];
    struct source source = {.data = data, .bytes = bytes};
    uint32_t algorithms = choices.byte[1] | (uint32_t)choices.byte[2] << 8;
    struct manifest_reader_options options = {.name = names[choice & 7],
                                              .algorithms = algorithms & ((1u << DIGEST_COUNT) - 1),
                                              .read = read_source,
                                              .context = &source};
    uint64_t whole = read_all(&options, true);
    source = (struct source){.data = data, .bytes = bytes, .choices = &choices};
    FUZZ_CHECK(read_all(&options, choice & 8) == whole);
    parse_lines(&options, data, bytes, parsers[choice >> 4 & 3], choice & 64 ? '\0' : '\n');
    return 0;
}
