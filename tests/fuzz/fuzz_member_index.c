/* gzip members that tell their size: the parser by itself, and the index of a whole file. */
#include "stages/decode.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint64_t member = 0, content = 0;
    enum codec_format format;
    if (decode_member_parse(data, bytes, &member, &content)) {
        /* The smallest: header, XLEN, one subfield, trailer. Smaller ones might never end. */
        FUZZ_CHECK(member >= 12 + 4 + 8);
        FUZZ_CHECK(decode_detect(data, bytes, &format) && format == CODEC_GZIP);
    }
    if (decode_detect(data, bytes, &format) && format == CODEC_GZIP)
        index_check(data, bytes, format);
    return 0;
}
