/* Any file's index: its units lie in the file, one behind the other, within the limits, and
 * decompress to what the stream decoder makes of the same file. */
#include <sys/mman.h>
#include <unistd.h>

#include "stages/decode.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX (2u << 20)

static const struct decode_limits limits_of[] = {{1u << 20, 1u << 20}, {3000, 65536}};

struct whole {
    uint8_t data[OUTPUT_MAX];
    size_t bytes; /* of it made */
};

static void decode_all(const uint8_t *data, size_t bytes, enum codec_format format,
                       struct whole *whole)
{
    struct decode_stream *stream;
    struct decode_step step = {data, bytes, whole->data, sizeof whole->data};
    FUZZ_CHECK(decode_stream_create(format, &stream) == 0);
    (void)decode_stream_run(stream, &step);
    whole->bytes = sizeof whole->data - step.output_bytes;
    decode_stream_destroy(stream);
}

/* Units that can be decompressed, from the first on: they begin as the stream does. */
static void compare_units(struct decode_index *index, const uint8_t *data, size_t bytes,
                          enum codec_format format, const struct decode_limits *limits)
{
    static struct whole whole;
    static uint8_t output[1u << 20];
    struct decoder *decoder;
    struct decode_unit unit;
    size_t total = 0, made;
    uint64_t at = 0;
    int got;
    FUZZ_CHECK(decoder_create(&decoder) == 0);
    decode_all(data, bytes, format, &whole);
    bool good = true;
    while ((got = decode_index_next(index, &unit)) > 0) {
        FUZZ_CHECK(unit.offset == at && unit.compressed_bytes > 0);
        FUZZ_CHECK(unit.compressed_bytes <= bytes - at);
        FUZZ_CHECK(unit.compressed_bytes <= limits->compressed_bytes);
        FUZZ_CHECK(unit.output_bytes <= limits->output_bytes);
        good = good && decode_block(decoder, format, data + at, unit.compressed_bytes, output,
                                    unit.output_bytes, &made) == 0;
        at += unit.compressed_bytes;
        if (!good)
            continue;
        FUZZ_CHECK(made <= unit.output_bytes);
        if (total < whole.bytes)
            FUZZ_CHECK(memcmp(output, whole.data + total,
                              made < whole.bytes - total ? made : whole.bytes - total) == 0);
        total += made;
    }
    FUZZ_CHECK(got == 0); /* opening it has seen that it leads through the whole file */
    decoder_destroy(decoder);
}

/* Each unit's place can be gone to from any other, and gives that unit again; places that are in
 * between may do so, too, if it looks there as if something began. */
static void seek_units(struct decode_index *index, struct decode_index *other, uint64_t bytes)
{
    struct decode_unit unit, again;
    while (decode_index_next(index, &unit) > 0) {
        FUZZ_CHECK(decode_index_seek(other, unit.offset) == 0);
        FUZZ_CHECK(decode_index_next(other, &again) == 1);
        FUZZ_CHECK(again.offset == unit.offset && again.output_bytes == unit.output_bytes &&
                   again.compressed_bytes == unit.compressed_bytes);
        if (decode_index_seek(other, unit.offset + unit.compressed_bytes / 2) == 0 &&
            decode_index_next(other, &again) == 1)
            FUZZ_CHECK(again.compressed_bytes <= bytes - again.offset);
    }
}

/* A file that has become shorter since it was opened: errors, but an end. */
static void walk_shorter(struct decode_index *index, size_t bytes)
{
    struct decode_unit unit;
    uint64_t at = 0;
    while (decode_index_next(index, &unit) > 0) {
        FUZZ_CHECK(unit.offset == at && unit.compressed_bytes > 0);
        FUZZ_CHECK(unit.compressed_bytes <= bytes - at);
        at += unit.compressed_bytes;
    }
}

void index_check(const uint8_t *data, size_t bytes, enum codec_format format)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
    for (size_t i = 0; i < sizeof limits_of / sizeof *limits_of; i++) {
        struct decode_index *index;
        int got = decode_index_open(fd, bytes, &limits_of[i], &index);
        FUZZ_CHECK(got == 0 || got == 1);
        if (!got)
            continue;
        compare_units(index, data, bytes, format, &limits_of[i]);
        FUZZ_CHECK(decode_index_seek(index, 0) == 0);
        struct decode_index *other;
        FUZZ_CHECK(decode_index_open(fd, bytes, &limits_of[i], &other) == 1);
        seek_units(index, other, bytes);
        decode_index_close(other);
        decode_index_close(index);
    }
    struct decode_index *index;
    if (decode_index_open(fd, bytes, &limits_of[0], &index) == 1) {
        FUZZ_CHECK(ftruncate(fd, (off_t)(bytes / 2)) == 0);
        walk_shorter(index, bytes);
        decode_index_close(index);
    }
}
