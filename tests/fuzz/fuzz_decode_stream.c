/* The stream decoder: ends, stays within the room it is given, and makes the same of the same
 * bytes, in whatever pieces they come and go.
 *
 * The libraries that decompress are not instrumented, so AddressSanitizer sees little of what they
 * do. That is why input and room each end where a page begins that cannot be touched.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "stages/decode.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX  65536
#define OUTPUT_MAX (2u << 20) /* 1-byte pieces of more than that take too long */
#define REACHED    1          /* a result: OUTPUT_MAX was */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct result {
    int status; /* of the decoder, or REACHED */
    bool has_garbage;
    size_t bytes;
    uint8_t data[OUTPUT_MAX];
};

static struct result whole, pieced;
static uint8_t *input_end, *room_end;

/* The end of `bytes` bytes with an untouchable page behind them. */
static uint8_t *guarded(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *start =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(start != MAP_FAILED && mprotect(start + bytes, page, PROT_NONE) == 0);
    return start + bytes;
}

/* Gives one piece of input to the decoder until it has taken it all and has no more to tell. */
static void run_piece(struct decode_stream *stream, size_t piece, struct fuzz_choices *choices,
                      struct result *result)
{
    struct decode_step step = {.input = input_end - piece, .input_bytes = piece};
    do {
        size_t room = choices ? fuzz_piece(choices) : OUTPUT_MAX;
        if (room > OUTPUT_MAX - result->bytes)
            room = OUTPUT_MAX - result->bytes;
        if (!room) {
            result->status = REACHED;
            return;
        }
        step.output = room_end - room;
        step.output_bytes = room;
        result->status = decode_stream_run(stream, &step);
        FUZZ_CHECK(step.output_bytes <= room && step.output == room_end - step.output_bytes);
        FUZZ_CHECK(step.input_bytes <= piece && step.input == input_end - step.input_bytes);
        FUZZ_CHECK(result->status <= 0);
        /* Without this a caller's loop would not end. */
        FUZZ_CHECK(result->status || !step.input_bytes || !step.output_bytes);
        memcpy(result->data + result->bytes, room_end - room, room - step.output_bytes);
        result->bytes += room - step.output_bytes;
    } while (!result->status && (step.input_bytes || !step.output_bytes));
}

/* Without choices: all at once. */
static void run(struct decode_stream *stream, const uint8_t *data, size_t bytes,
                struct fuzz_choices *choices, struct result *result)
{
    size_t at = 0;
    result->status = 0;
    result->bytes = 0;
    while (at < bytes && !result->status) {
        size_t piece = choices ? fuzz_piece(choices) : bytes;
        if (piece > bytes - at)
            piece = bytes - at;
        memcpy(input_end - piece, data + at, piece);
        run_piece(stream, piece, choices, result);
        at += piece;
    }
    result->has_garbage = decode_stream_has_garbage(stream);
    if (!result->status)
        result->status = decode_stream_finish(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_choices choices;
    struct decode_stream *stream;
    enum codec_format format;
    if (bytes > INPUT_MAX)
        return -1;
    if (!input_end) {
        input_end = guarded(INPUT_MAX);
        room_end = guarded(OUTPUT_MAX);
    }
    bytes = fuzz_choices_take(&choices, data, bytes);
    if (!decode_detect(data, bytes, &format))
        format = choices.byte[0] & 1 ? CODEC_GZIP : CODEC_ZSTD;
    FUZZ_CHECK(decode_stream_create(format, &stream) == 0);
    run(stream, data, bytes, NULL, &whole);
    decode_stream_reset(stream, format);
    run(stream, data, bytes, &choices, &pieced);
    decode_stream_destroy(stream);
    /* How much comes out before an error is found depends on the pieces, nothing else does. */
    size_t common = whole.bytes < pieced.bytes ? whole.bytes : pieced.bytes;
    FUZZ_CHECK(whole.status == pieced.status);
    FUZZ_CHECK(memcmp(whole.data, pieced.data, common) == 0);
    if (whole.status == 0) {
        FUZZ_CHECK(whole.bytes == pieced.bytes);
        FUZZ_CHECK(whole.has_garbage == pieced.has_garbage);
    }
    return 0;
}
