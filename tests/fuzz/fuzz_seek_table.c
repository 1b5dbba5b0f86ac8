/* zstd's seek table: the parser of its footer by itself, and the index of a whole file, which may
 * also be pzstd's. */
#include "stages/codec_format.h"
#include "stages/decode.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint32_t frames, row_bytes;
    enum codec_format format;
    if (bytes >= CODEC_SEEK_FOOTER_BYTES &&
        decode_footer_parse(data + bytes - CODEC_SEEK_FOOTER_BYTES, bytes, &frames, &row_bytes)) {
        FUZZ_CHECK(row_bytes == 8 || row_bytes == 12);
        FUZZ_CHECK((uint64_t)frames * row_bytes < bytes);
    }
    if (decode_detect(data, bytes, &format) && format == CODEC_ZSTD)
        index_check(data, bytes, format);
    return 0;
}
