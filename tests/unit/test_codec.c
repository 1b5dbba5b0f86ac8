/* stages/codec and stages/decode: every engine and level, read again by the libraries and by our
 * own decoders; what is corrupt is never taken for good. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "stages/codec.h"
#include "stages/codec_format.h"
#include "stages/decode.h"

#define BYTES_MAX (3u << 20)

static uint8_t *text, *noise, *restored;

static void make_data(void)
{
    static const char *const words[] = {"static", "const", "return", "struct", "{\n", "}\n", " = "};
    uint32_t state = 1;
    text = malloc(BYTES_MAX);
    noise = malloc(BYTES_MAX);
    restored = malloc(BYTES_MAX + 1);
    for (size_t at = 0; at < BYTES_MAX;) {
        state = state * 1664525 + 1013904223;
        const char *word = words[state >> 16 & 7 ? (state >> 24) % 7 : 0];
        char number[16];
        if (!(state >> 20 & 3)) {
            snprintf(number, sizeof number, "%u", state >> 12);
            word = number;
        }
        for (; *word && at < BYTES_MAX; word++)
            text[at++] = (uint8_t)*word;
    }
    for (size_t at = 0; at < BYTES_MAX; at++) {
        state = state * 1664525 + 1013904223;
        noise[at] = (uint8_t)(state >> 24);
    }
}

/* Whole streams in memory. */
struct buffer {
    uint8_t *data;
    size_t bytes, capacity;
};

static int append(void *context, const void *data, size_t bytes)
{
    struct buffer *buffer = context;
    if (bytes > buffer->capacity - buffer->bytes)
        return -ENOBUFS;
    memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
    return 0;
}

/* Compresses in blocks, each of which comes in pieces of odd sizes. */
static struct buffer pack_blocks(const struct codec_request *request, const uint8_t *data,
                                 size_t bytes, size_t block_bytes, unsigned pieces)
{
    struct codec_plan plan;
    struct codec_encoder *encoder;
    struct codec_stream *stream;
    char error[256];
    ck_assert_msg(codec_plan_make(request, &plan, error, sizeof error) == 0, "%s", error);
    ck_assert_int_eq(codec_encoder_create(&plan, block_bytes, &encoder), 0);
    ck_assert_int_eq(codec_stream_create(&plan, &stream), 0);
    struct buffer made = {.capacity =
                              codec_bound(&plan, block_bytes) * (bytes / block_bytes + 1) + 65536};
    made.data = malloc(made.capacity);
    ck_assert_int_eq(codec_stream_begin(stream, append, &made), 0);
    for (size_t done = 0; done < bytes;) {
        size_t rest = bytes - done, block = rest < block_bytes ? rest : block_bytes;
        struct iovec piece[8];
        struct codec_block result;
        for (unsigned p = 0; p < pieces; p++) {
            size_t start = block * p / pieces, end = block * (p + 1) / pieces;
            piece[p] = (struct iovec){(void *)(data + done + start), end - start};
        }
        size_t bound = codec_bound(&plan, block);
        ck_assert_uint_le(bound, made.capacity - made.bytes);
        ck_assert_int_eq(codec_encode(encoder, piece, pieces, block == rest, made.data + made.bytes,
                                      bound, &result),
                         0);
        ck_assert_uint_eq(result.input_bytes, block);
        ck_assert_uint_le(result.output_bytes, bound);
        if (request->format != CODEC_ZSTD)
            ck_assert_uint_eq(result.crc32, crc32(0, data + done, (uInt)block));
        made.bytes += result.output_bytes;
        ck_assert_int_eq(codec_stream_add(stream, &result), 0);
        done += block;
    }
    ck_assert_int_eq(codec_stream_end(stream, append, &made), 0);
    codec_stream_destroy(stream);
    codec_encoder_destroy(encoder);
    return made;
}

/* By the libraries that everybody has. */
static size_t restore_by_library(enum codec_format format, const struct buffer *made)
{
    if (format == CODEC_ZSTD) {
        size_t got = ZSTD_decompress(restored, BYTES_MAX + 1, made->data, made->bytes);
        ck_assert_msg(!ZSTD_isError(got), "%s", ZSTD_getErrorName(got));
        return got;
    }
    z_stream stream = {.next_in = made->data,
                       .avail_in = (uInt)made->bytes,
                       .next_out = restored,
                       .avail_out = BYTES_MAX + 1};
    size_t total = 0;
    int result = Z_STREAM_END;
    while (stream.avail_in && result == Z_STREAM_END) {
        ck_assert_int_eq(inflateInit2(&stream, format == CODEC_GZIP ? 31 : -15), Z_OK);
        result = inflate(&stream, Z_FINISH);
        total += stream.total_out;
        inflateEnd(&stream);
    }
    ck_assert_int_eq(result, Z_STREAM_END);
    return total;
}

static int decode_whole(enum codec_format format, const uint8_t *data, size_t bytes, size_t step,
                        size_t *got)
{
    struct decode_stream *stream;
    int error = 0;
    size_t at = 0;
    ck_assert_int_eq(decode_stream_create(format, &stream), 0);
    struct decode_step run = {.output = restored, .output_bytes = BYTES_MAX + 1};
    while (at < bytes && !error) {
        size_t part = bytes - at < step ? bytes - at : step;
        run.input = data + at;
        run.input_bytes = part;
        error = decode_stream_run(stream, &run);
        at += part;
        ck_assert(error || !run.input_bytes || !run.output_bytes);
        if (!run.output_bytes)
            break;
    }
    if (!error)
        error = decode_stream_finish(stream);
    *got = BYTES_MAX + 1 - run.output_bytes;
    decode_stream_destroy(stream);
    return error;
}

static void round_trip(const struct codec_request *request, const uint8_t *data, size_t bytes)
{
    size_t block_bytes = 1u << 20, got;
    struct buffer made = pack_blocks(request, data, bytes, block_bytes, 1);
    if (request->format == CODEC_DEFLATE && !bytes) {
        free(made.data); /* no block, no data: zip stores it */
        return;
    }
    ck_assert_uint_eq(restore_by_library(request->format, &made), bytes);
    ck_assert_mem_eq(restored, data, bytes);
    struct buffer again = pack_blocks(request, data, bytes, block_bytes, 7);
    ck_assert_uint_eq(made.bytes, again.bytes);
    ck_assert_mem_eq(made.data, again.data, made.bytes);
    if (request->format != CODEC_DEFLATE) {
        for (size_t step = 65537; step; step = step == 65537 ? 1000003 : 0) {
            memset(restored, 0, bytes + 1);
            ck_assert_int_eq(decode_whole(request->format, made.data, made.bytes, step, &got), 0);
            ck_assert_uint_eq(got, bytes);
            ck_assert_mem_eq(restored, data, bytes);
        }
    }
    free(again.data);
    free(made.data);
}

static const size_t sizes[] = {0, 1, 2, 100, 4095, 65535, 65536, 300001, 1048576, 1048577};
#define SIZES (sizeof sizes / sizeof *sizes)

START_TEST(every_engine_and_level_gives_the_input_again)
{
    static const struct {
        enum codec_engine engine;
        enum codec_format format;
        int level_max;
    } table[] = {
        {CODEC_ENGINE_ISAL, CODEC_GZIP, 9},    {CODEC_ENGINE_LIBDEFLATE, CODEC_GZIP, 12},
        {CODEC_ENGINE_ZLIB, CODEC_GZIP, 9},    {CODEC_ENGINE_AUTO, CODEC_GZIP, 12},
        {CODEC_ENGINE_ISAL, CODEC_DEFLATE, 9}, {CODEC_ENGINE_LIBDEFLATE, CODEC_DEFLATE, 12},
        {CODEC_ENGINE_ZLIB, CODEC_DEFLATE, 9}, {CODEC_ENGINE_AUTO, CODEC_DEFLATE, 12},
        {CODEC_ENGINE_ZSTD, CODEC_ZSTD, 19},
    };
    static const int levels[] = {1, 2, 3, 6, 9, 10, 12, 15, 19};
    for (size_t l = 0; levels[l] <= table[_i].level_max; l++) {
        int level = levels[l];
        for (size_t s = 0; s < (level > 6 ? 6 : SIZES); s++) {
            struct codec_request request = {
                .format = table[_i].format, .engine = table[_i].engine, .level = level};
            round_trip(&request, text, sizes[s]);
            round_trip(&request, noise, sizes[s]);
            request.rsyncable = true;
            round_trip(&request, text, sizes[s]);
            request.rsyncable = false;
            if (request.format != CODEC_GZIP)
                continue;
            request.single_member = true;
            round_trip(&request, text, sizes[s]);
            round_trip(&request, noise, sizes[s]);
        }
        if (levels[l] == 19)
            break;
    }
}
END_TEST

START_TEST(several_blocks_are_one_stream)
{
    static const struct codec_request requests[] = {
        {.format = CODEC_GZIP, .level = 1},
        {.format = CODEC_GZIP, .level = 6},
        {.format = CODEC_GZIP, .level = 6, .single_member = true},
        {.format = CODEC_GZIP, .level = 1, .single_member = true},
        {.format = CODEC_GZIP, .level = 6, .single_member = true, .rsyncable = true},
        {.format = CODEC_DEFLATE, .level = 1},
        {.format = CODEC_DEFLATE, .level = 6},
        {.format = CODEC_ZSTD, .level = 3},
        {.format = CODEC_ZSTD, .level = 3, .long_log = 22},
    };
    round_trip(&requests[_i], text, BYTES_MAX);
    round_trip(&requests[_i], noise, BYTES_MAX);
}
END_TEST

START_TEST(what_cannot_be_is_said_in_one_line)
{
    static const struct {
        struct codec_request request;
        const char *error;
    } table[] = {
        {{.format = CODEC_GZIP, .level = 13}, "gzip has no level 13 (accepted: 1 to 12)"},
        {{.format = CODEC_ZSTD, .level = 20}, "zstd has no level 20 (accepted: 1 to 19)"},
        {{.format = CODEC_GZIP, .level = 3, .engine = CODEC_ENGINE_ZSTD},
         "zstd does not make gzip (accepted: auto, isal, libdeflate, zlib)"},
        {{.format = CODEC_ZSTD, .level = 3, .engine = CODEC_ENGINE_ZLIB},
         "zlib does not make zstd (accepted: auto, zstd)"},
        {{.format = CODEC_GZIP, .level = 10, .engine = CODEC_ENGINE_ZLIB},
         "zlib has no level 10 (accepted: 1 to 9)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct codec_plan plan;
        char error[256] = "";
        ck_assert_int_eq(codec_plan_make(&table[i].request, &plan, error, sizeof error), -EINVAL);
        ck_assert_str_eq(error, table[i].error);
    }
}
END_TEST

/* How many members of a stream of blocks are also in another. */
static double shared_members(const struct buffer *a, const struct buffer *b)
{
    size_t members = 0, shared = 0;
    uint64_t bytes, content;
    for (size_t at = 0; at < a->bytes; at += bytes, members++) {
        ck_assert(decode_member_parse(a->data + at, a->bytes - at, &bytes, &content));
        shared += memmem(b->data, b->bytes, a->data + at, bytes) != NULL;
    }
    return (double)shared / (double)members;
}

START_TEST(with_rsyncable_an_insertion_changes_little)
{
    struct codec_request request = {.format = CODEC_GZIP, .level = 6, .rsyncable = true};
    uint8_t *inserted = malloc(BYTES_MAX);
    memcpy(inserted, text, 1000);
    inserted[1000] = 'x';
    memcpy(inserted + 1001, text + 1000, BYTES_MAX - 1001);
    struct buffer before = pack_blocks(&request, text, BYTES_MAX - 1, 1u << 20, 1);
    struct buffer after = pack_blocks(&request, inserted, BYTES_MAX, 1u << 20, 1);
    ck_assert(shared_members(&before, &after) > 0.8);
    request.rsyncable = false;
    free(before.data);
    free(after.data);
    before = pack_blocks(&request, text, BYTES_MAX - 1, 1u << 20, 1);
    after = pack_blocks(&request, inserted, BYTES_MAX, 1u << 20, 1);
    ck_assert(shared_members(&before, &after) < 0.1);
    free(before.data);
    free(after.data);
    free(inserted);
}
END_TEST

static int file_of(const struct buffer *made)
{
    char name[] = "/tmp/test_codec.XXXXXX";
    int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(write(fd, made->data, made->bytes), (ssize_t)made->bytes);
    return fd;
}

START_TEST(an_index_leads_through_the_units)
{
    static const struct codec_request requests[] = {
        {.format = CODEC_GZIP, .level = 1},
        {.format = CODEC_GZIP, .level = 6, .rsyncable = true},
        {.format = CODEC_ZSTD, .level = 3},
    };
    const struct codec_request *request = &requests[_i];
    struct decode_limits limits = {1u << 20, 1u << 20};
    struct buffer made = pack_blocks(request, text, BYTES_MAX, 200000, 1);
    int fd = file_of(&made);
    struct decode_index *index;
    struct decode_unit unit;
    struct decoder *decoder;
    size_t total = 0, units = 0;
    uint64_t at = 0;
    int got;
    ck_assert_int_eq(decoder_create(&decoder), 0);
    ck_assert_int_eq(decode_index_open(fd, made.bytes, &limits, &index), 1);
    while ((got = decode_index_next(index, &unit)) > 0) {
        size_t bytes;
        ck_assert_uint_eq(unit.offset, at);
        ck_assert_int_eq(decode_block(decoder, request->format, made.data + at,
                                      unit.compressed_bytes, restored + total, unit.output_bytes,
                                      &bytes),
                         0);
        ck_assert_uint_eq(bytes, unit.output_bytes);
        at += unit.compressed_bytes;
        total += bytes;
        units++;
    }
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(total, BYTES_MAX);
    ck_assert_mem_eq(restored, text, BYTES_MAX);
    ck_assert_uint_gt(units, 2);
    decode_index_close(index);
    decoder_destroy(decoder);
    close(fd);
    free(made.data);
}
END_TEST

START_TEST(what_has_no_sound_index_has_none)
{
    struct codec_request request = {.format = CODEC_GZIP, .level = 1};
    struct decode_limits limits = {1u << 20, 1u << 20};
    struct buffer made = pack_blocks(&request, text, 1000000, 200000, 1);
    struct decode_index *index;
    /* A foreign member in the middle, a cut end, more content than allowed. */
    int fd = file_of(&made);
    ck_assert_int_eq(decode_index_open(fd, made.bytes - 1, &limits, &index), 0);
    limits.output_bytes = 100000;
    ck_assert_int_eq(decode_index_open(fd, made.bytes, &limits, &index), 0);
    limits.output_bytes = 1u << 20;
    close(fd);
    made.data[codec_get32(made.data + 16) + 3] = 0; /* FLG of the second member */
    fd = file_of(&made);
    ck_assert_int_eq(decode_index_open(fd, made.bytes, &limits, &index), 0);
    close(fd);
    /* A seek table whose rows do not add up. */
    free(made.data);
    request.format = CODEC_ZSTD;
    made = pack_blocks(&request, text, 1000000, 200000, 1);
    made.data[made.bytes - CODEC_SEEK_FOOTER_BYTES - 8]++;
    fd = file_of(&made);
    ck_assert_int_eq(decode_index_open(fd, made.bytes, &limits, &index), 0);
    close(fd);
    free(made.data);
}
END_TEST

START_TEST(no_corruption_and_no_cut_is_taken_for_good)
{
    static const struct codec_request requests[] = {
        {.format = CODEC_GZIP, .level = 6},
        {.format = CODEC_GZIP, .level = 1, .single_member = true},
        {.format = CODEC_ZSTD, .level = 3, .without_seek_table = true},
    };
    const size_t bytes = 3000;
    size_t got;
    struct buffer made = pack_blocks(&requests[_i], text, bytes, 1000, 1);
    struct decoder *decoder;
    ck_assert_int_eq(decoder_create(&decoder), 0);
    for (size_t at = 0; at < made.bytes; at++) {
        for (int bit = 0; bit < 8; bit++) {
            made.data[at] ^= (uint8_t)(1 << bit);
            if (decode_whole(requests[_i].format, made.data, made.bytes, 100000, &got) == 0)
                ck_assert(got < bytes || memcmp(restored, text, bytes) == 0);
            if (decode_block(decoder, requests[_i].format, made.data, made.bytes, restored,
                             BYTES_MAX, &got) == 0)
                ck_assert(got < bytes || memcmp(restored, text, bytes) == 0);
            made.data[at] ^= (uint8_t)(1 << bit);
        }
        if (decode_whole(requests[_i].format, made.data, at, 7, &got) == 0)
            ck_assert_msg(got % 1000 == 0 && got < bytes, "cut at %zu gave %zu", at, got);
    }
    decoder_destroy(decoder);
    free(made.data);
}
END_TEST

START_TEST(padding_and_garbage_behind_gzip_are_told_apart)
{
    struct codec_request request = {.format = CODEC_GZIP, .level = 6};
    struct buffer made = pack_blocks(&request, text, 1000, 1000, 1);
    struct decode_stream *stream;
    size_t got;
    memset(made.data + made.bytes, 0, 100);
    ck_assert_int_eq(decode_whole(CODEC_GZIP, made.data, made.bytes + 100, 33, &got), 0);
    ck_assert_uint_eq(got, 1000);
    for (int kind = 0; kind < 2; kind++) {
        memcpy(made.data + made.bytes, kind ? "\x1f garbage" : "garbage", 7);
        ck_assert_int_eq(decode_stream_create(CODEC_GZIP, &stream), 0);
        struct decode_step step = {made.data, made.bytes + 7, restored, BYTES_MAX};
        ck_assert_int_eq(decode_stream_run(stream, &step), 0);
        ck_assert_int_eq(decode_stream_finish(stream), 0);
        ck_assert(decode_stream_has_garbage(stream));
        ck_assert_uint_eq(BYTES_MAX - step.output_bytes, 1000);
        decode_stream_destroy(stream);
    }
    free(made.data);
}
END_TEST

/* What fuzzing found: inputs whose result depended on where they were cut. */
START_TEST(pieces_make_no_difference)
{
#define GZIP_EMPTY       "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"
#define ZSTD_SKIP        "\x50\x2a\x4d\x18\4\0\0\0abcd"
#define ZSTD_EMPTY       "\x28\xb5\x2f\xfd\x20\0\1\0\0"
#define WITH_SIZE(bytes) bytes, sizeof bytes - 1
    static const struct {
        enum codec_format format;
        const char *bytes;
        size_t size;
        int status;
    } table[] = {
        {CODEC_GZIP, WITH_SIZE(GZIP_EMPTY GZIP_EMPTY), 0},
        {CODEC_ZSTD, WITH_SIZE(ZSTD_EMPTY ZSTD_SKIP ZSTD_EMPTY), 0},
        /* Garbage that begins as a member does. */
        {CODEC_GZIP, WITH_SIZE(GZIP_EMPTY "\x1f\x1f\x1f\x8b"), 0},
        {CODEC_GZIP, WITH_SIZE(GZIP_EMPTY "\x1f"), -ENODATA},
        /* A frame of zstd 0.7. */
        {CODEC_ZSTD, WITH_SIZE(ZSTD_EMPTY "\x27\xb5\x2f\xfd\x32\0\0"), -EBADMSG},
        /* The header of a frame, behind its magic number, looks like a frame. */
        {CODEC_ZSTD, WITH_SIZE(ZSTD_SKIP "\x28\xb5\x2f\xfd" ZSTD_SKIP), -EBADMSG},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t step = 1; step <= table[i].size; step++) {
            size_t got;
            int status = decode_whole(table[i].format, (const uint8_t *)table[i].bytes,
                                      table[i].size, step, &got);
            ck_assert_msg(status == table[i].status && !got, "row %zu in pieces of %zu: %d", i,
                          step, status);
        }
}
END_TEST

int main(void)
{
    make_data();
    Suite *suite = suite_create("codec");
    TCase *tests = tcase_create("codec");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, every_engine_and_level_gives_the_input_again, 0, 9);
    tcase_add_loop_test(tests, several_blocks_are_one_stream, 0, 9);
    tcase_add_test(tests, what_cannot_be_is_said_in_one_line);
    tcase_add_test(tests, with_rsyncable_an_insertion_changes_little);
    tcase_add_loop_test(tests, an_index_leads_through_the_units, 0, 3);
    tcase_add_test(tests, what_has_no_sound_index_has_none);
    tcase_add_loop_test(tests, no_corruption_and_no_cut_is_taken_for_good, 0, 3);
    tcase_add_test(tests, padding_and_garbage_behind_gzip_are_told_apart);
    tcase_add_test(tests, pieces_make_no_difference);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
