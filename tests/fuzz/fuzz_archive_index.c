/* The index of members behind a compressed tar: the parser of its payload by itself, with a
 * checksum that is right, and that of a whole file, together with the index of its blocks. */
#include <libdeflate.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stages/decode.h"
#include "stages/member_index.h"
#include "stages/member_index_format.h"
#include "tests/fuzz/fuzz.h"

#define DATA_END 0x7fu /* as a number, one byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Asks for what the input has for names. All answers lie within the archive, what is below a name
 * within what is found for it. */
static void ask(const struct member_index *index, uint64_t data_end, const uint8_t *data,
                size_t bytes, struct decode_index *blocks)
{
    const char *names = (const char *)data;
    uint64_t begin, end, inner_begin, inner_end;
    FUZZ_CHECK(member_index_range(index, ".", 1, &begin, &end));
    FUZZ_CHECK(begin == 0 && end == data_end);
    for (size_t at = 0; at + 4 < bytes && at < 64; at++) {
        size_t name_bytes = 1 + data[at] % (bytes - at);
        const char *slash = memchr(names + at, '/', name_bytes);
        if (!member_index_range(index, names + at, name_bytes, &begin, &end))
            continue;
        FUZZ_CHECK(begin < end && end <= data_end);
        if (blocks) {
            struct decode_unit unit;
            if (decode_index_seek(blocks, begin) == 0 && decode_index_next(blocks, &unit) == 1)
                FUZZ_CHECK(unit.offset == begin);
        }
        if (!slash || slash == names + at)
            continue;
        inner_begin = begin, inner_end = end;
        FUZZ_CHECK(
            member_index_range(index, names + at, (size_t)(slash - names) - at, &begin, &end));
        FUZZ_CHECK(begin <= inner_begin && inner_end <= end);
    }
}

static void check_payload(const uint8_t *data, size_t bytes)
{
    struct member_index *index;
    uint8_t *payload = malloc(MEMBER_INDEX_SIGNATURE_BYTES + 1 + bytes + MEMBER_INDEX_CRC_BYTES);
    FUZZ_CHECK(payload != NULL);
    uint8_t *at = mempcpy(payload, member_index_signature, MEMBER_INDEX_SIGNATURE_BYTES);
    *at++ = DATA_END;
    at = mempcpy(at, data, bytes);
    codec_put32(at, libdeflate_crc32(0, payload, (size_t)(at - payload)));
    size_t all = (size_t)(at - payload) + MEMBER_INDEX_CRC_BYTES;
    int got = member_index_parse(payload, all, DATA_END, &index);
    FUZZ_CHECK(got == 0 || got == 1);
    if (got) {
        ask(index, DATA_END, data, bytes, NULL);
        member_index_close(index);
    }
    free(payload);
}

static void check_file(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    static const struct decode_limits limits = {1u << 20, 1u << 20};
    struct member_index *index;
    struct decode_index *blocks = NULL;
    uint64_t begin, end;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
    int got = member_index_open(fd, bytes, &index);
    FUZZ_CHECK(got == 0 || got == 1);
    if (!got)
        return;
    FUZZ_CHECK(member_index_range(index, ".", 1, &begin, &end) && end < bytes);
    (void)decode_index_open(fd, bytes, &limits, &blocks);
    ask(index, end, data, bytes, blocks);
    decode_index_close(blocks);
    member_index_close(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    check_payload(data, bytes);
    check_file(data, bytes);
    return 0;
}
