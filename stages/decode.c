/* Blocks, and what a file is. */
#include "stages/decode.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "stages/codec_format.h"

bool decode_detect(const void *start, size_t bytes, enum codec_format *format)
{
    const uint8_t *at = start;
    if (bytes >= 3 && at[0] == 0x1f && at[1] == 0x8b && at[2] == 8) {
        *format = CODEC_GZIP;
        return true;
    }
    if (bytes < 4)
        return false;
    uint32_t magic = codec_get32(at);
    *format = CODEC_ZSTD;
    return magic == ZSTD_MAGICNUMBER ||
           (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

struct decoder {
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
};

void decoder_destroy(struct decoder *decoder)
{
    if (!decoder)
        return;
    libdeflate_free_decompressor(decoder->deflate);
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder);
}

int decoder_create(struct decoder **out)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return -ENOMEM;
    decoder->deflate = libdeflate_alloc_decompressor();
    decoder->zstd = ZSTD_createDCtx();
    if (!decoder->deflate || !decoder->zstd) {
        decoder_destroy(decoder);
        return -ENOMEM;
    }
    *out = decoder;
    return 0;
}

static int decode_members(struct decoder *decoder, const uint8_t *input, size_t input_bytes,
                          uint8_t *output, size_t capacity, size_t *output_bytes)
{
    *output_bytes = 0;
    do {
        size_t taken, made;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            decoder->deflate, input, input_bytes, output + *output_bytes, capacity - *output_bytes,
            &taken, &made);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
            return -ENOBUFS;
        if (result != LIBDEFLATE_SUCCESS)
            return -EBADMSG;
        input += taken;
        input_bytes -= taken;
        *output_bytes += made;
    } while (input_bytes);
    return 0;
}

static int decode_frames(struct decoder *decoder, const uint8_t *input, size_t input_bytes,
                         uint8_t *output, size_t capacity, size_t *output_bytes)
{
    *output_bytes = 0;
    do {
        /* libzstd would decode the formats before 1.0 as well. Streams do not. */
        enum codec_format format;
        if (!decode_detect(input, input_bytes, &format) || format != CODEC_ZSTD)
            return -EBADMSG;
        size_t taken = ZSTD_findFrameCompressedSize(input, input_bytes);
        if (ZSTD_isError(taken))
            return -EBADMSG;
        size_t made = ZSTD_decompressDCtx(decoder->zstd, output + *output_bytes,
                                          capacity - *output_bytes, input, taken);
        if (ZSTD_isError(made))
            return ZSTD_getErrorCode(made) == ZSTD_error_dstSize_tooSmall ? -ENOBUFS : -EBADMSG;
        input += taken;
        input_bytes -= taken;
        *output_bytes += made;
    } while (input_bytes);
    return 0;
}

int decode_block(struct decoder *decoder, enum codec_format format, const void *input,
                 size_t input_bytes, void *output, size_t capacity, size_t *output_bytes)
{
    return format == CODEC_GZIP
               ? decode_members(decoder, input, input_bytes, output, capacity, output_bytes)
               : decode_frames(decoder, input, input_bytes, output, capacity, output_bytes);
}
