#include "stages/codec_private.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "stages/codec_format.h"

/* Which engine does a format's levels if nothing is said, first that fits. Measured on 159 MB of a
 * source tree's tar, blocks of 1 MiB, one core: ISA-L's level 2 takes a sixth of the time of zlib's
 * level 1, and makes less of it than its own level 1 and than `igzip -1`; libdeflate takes between
 * half (levels 1 and 6) and four fifths (level 9) of zlib's time at the same level, and makes less
 * of it at each. */
static const struct {
    enum codec_format format;
    int level_max;
    const struct codec_engine_ops *ops;
    int engine_level; /* 0: the same */
} level_map[] = {
    {CODEC_GZIP, 1, &codec_isal, 2},    {CODEC_GZIP, 12, &codec_libdeflate, 0},
    {CODEC_DEFLATE, 1, &codec_isal, 2}, {CODEC_DEFLATE, 12, &codec_libdeflate, 0},
    {CODEC_ZSTD, 19, &codec_zstd, 0},
};

static const struct codec_engine_ops *const engines[CODEC_ENGINE_COUNT] = {
    [CODEC_ENGINE_ISAL] = &codec_isal,
    [CODEC_ENGINE_LIBDEFLATE] = &codec_libdeflate,
    [CODEC_ENGINE_ZLIB] = &codec_zlib,
    [CODEC_ENGINE_ZSTD] = &codec_zstd,
};

static const char *const format_names[CODEC_FORMAT_COUNT] = {
    [CODEC_GZIP] = "gzip", [CODEC_ZSTD] = "zstd", [CODEC_DEFLATE] = "zip"};

static const int default_levels[CODEC_FORMAT_COUNT] = {
    [CODEC_GZIP] = 6, [CODEC_ZSTD] = 3, [CODEC_DEFLATE] = 6};

const char *codec_engine_name(enum codec_engine engine)
{
    const struct codec_engine_ops *ops =
        (unsigned)engine < CODEC_ENGINE_COUNT ? engines[engine] : NULL;
    return ops ? ops->name : "auto";
}

/* Plans. */

static int choose_by_level(struct codec_plan *plan, char *error, size_t capacity)
{
    const struct codec_request *request = &plan->request;
    int highest = 0;
    for (size_t i = 0; i < sizeof level_map / sizeof *level_map; i++) {
        if (level_map[i].format != request->format)
            continue;
        highest = level_map[i].level_max;
        if (request->level < 1 || request->level > highest)
            continue;
        plan->ops = level_map[i].ops;
        plan->request.engine = plan->ops->id;
        plan->engine_level = level_map[i].engine_level ? level_map[i].engine_level : request->level;
        return 0;
    }
    snprintf(error, capacity, "%s has no level %d (accepted: 1 to %d)",
             format_names[request->format], request->level, highest);
    return -EINVAL;
}

static int use_engine(struct codec_plan *plan, char *error, size_t capacity)
{
    const struct codec_request *request = &plan->request;
    const struct codec_engine_ops *ops = engines[request->engine];
    if (!(ops->formats & 1u << request->format)) {
        size_t used = (size_t)snprintf(error, capacity, "%s does not make %s (accepted: auto",
                                       ops->name, format_names[request->format]);
        for (unsigned e = 1; e < CODEC_ENGINE_COUNT && used < capacity; e++)
            if (engines[e]->formats & 1u << request->format)
                used += (size_t)snprintf(error + used, capacity - used, ", %s", engines[e]->name);
        if (used < capacity)
            snprintf(error + used, capacity - used, ")");
        return -EINVAL;
    }
    if (request->level < 1 || request->level > ops->level_max) {
        snprintf(error, capacity, "%s has no level %d (accepted: 1 to %d)", ops->name,
                 request->level, ops->level_max);
        return -EINVAL;
    }
    plan->ops = ops;
    plan->engine_level = ops->map_level(request->level);
    return 0;
}

int codec_plan_make(const struct codec_request *request, struct codec_plan *plan, char *error,
                    size_t capacity)
{
    *plan = (struct codec_plan){.request = *request};
    if (request->level == CODEC_LEVEL_DEFAULT)
        plan->request.level = default_levels[request->format];
    if (request->single_member && request->format != CODEC_GZIP) {
        snprintf(error, capacity, "only gzip output has members (--single-member)");
        return -EINVAL;
    }
    if (request->long_log && request->format != CODEC_ZSTD) {
        snprintf(error, capacity, "only zstd has a window to choose (--long)");
        return -EINVAL;
    }
    return request->engine == CODEC_ENGINE_AUTO ? choose_by_level(plan, error, capacity)
                                                : use_engine(plan, error, capacity);
}

void codec_plan_describe(const struct codec_plan *plan, char *text, size_t capacity)
{
    snprintf(text, capacity, "%s by %s, level %d", format_names[plan->request.format],
             plan->ops->name, plan->engine_level);
}

/* What there is. */

const char *codec_engine_library(enum codec_engine engine)
{
    return engines[engine]->library();
}

const char *codec_format_name(enum codec_format format)
{
    return format_names[format];
}

void codec_engine_describe(enum codec_engine engine, char *text, size_t capacity)
{
    static const enum codec_format order[] = {CODEC_GZIP, CODEC_DEFLATE, CODEC_ZSTD};
    const struct codec_engine_ops *ops = engines[engine];
    size_t used = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order && used < capacity; i++)
        if (ops->formats & 1u << order[i])
            used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? ", " : "",
                                     format_names[order[i]]);
    if (used < capacity)
        snprintf(text + used, capacity - used, ": levels 1 to %d", ops->level_max);
}

void codec_format_describe(enum codec_format format, char *text, size_t capacity)
{
    int level = 0; /* the highest of the rows before */
    size_t used = (size_t)snprintf(text, capacity, "default %d:", default_levels[format]);
    for (size_t i = 0; i < sizeof level_map / sizeof *level_map && used < capacity; i++) {
        if (level_map[i].format != format)
            continue;
        used +=
            (size_t)snprintf(text + used, capacity - used, "%s %d", level ? "," : "", level + 1);
        if (level_map[i].level_max > level + 1 && used < capacity)
            used +=
                (size_t)snprintf(text + used, capacity - used, " to %d", level_map[i].level_max);
        if (used < capacity)
            used +=
                (size_t)snprintf(text + used, capacity - used, " by %s", level_map[i].ops->name);
        if (level_map[i].engine_level && used < capacity)
            used += (size_t)snprintf(text + used, capacity - used, " (its level %d)",
                                     level_map[i].engine_level);
        level = level_map[i].level_max;
    }
}

uint32_t codec_crc32_combine(uint32_t first, uint32_t second, uint64_t second_bytes)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)second_bytes);
}

/* Where the content divides a block (--rsyncable): wherever a hash of the 64 bytes before, a gear
 * hash (Xia et al., FastCDC, USENIX ATC 2016, section 3), has 15 zero bits. An insertion moves the
 * places behind it, and changes no others. */
#define PART_BYTES_MIN 4096
#define PART_BYTES_MAX (256 * 1024)
#define PART_ZERO_BITS 15

static size_t part_bytes(const uint64_t gear[256], const uint8_t *data, size_t bytes)
{
    uint64_t hash = 0;
    if (bytes <= PART_BYTES_MIN)
        return bytes;
    size_t end = bytes < PART_BYTES_MAX ? bytes : PART_BYTES_MAX;
    for (size_t at = PART_BYTES_MIN - 64; at < end; at++) {
        hash = (hash << 1) + gear[data[at]];
        if (at >= PART_BYTES_MIN && !(hash >> (64 - PART_ZERO_BITS)))
            return at;
    }
    return end;
}

/* Numbers without pattern: splitmix64 (Steele et al., OOPSLA 2014). */
static void fill_gear(uint64_t gear[256])
{
    uint64_t state = 0;
    for (int i = 0; i < 256; i++) {
        uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        gear[i] = z ^ z >> 31;
    }
}

/* Encoders. */

struct codec_encoder {
    const struct codec_plan *plan;
    void *engine;
    size_t block_bytes;
    uint8_t *gathered; /* a block that came in pieces; made when first needed */
    uint64_t gear[256];
};

size_t codec_bound(const struct codec_plan *plan, size_t input_bytes)
{
    size_t bytes = plan->ops->bound(plan, input_bytes) + CODEC_MEMBER_BYTES;
    if (plan->request.rsyncable)
        bytes +=
            (input_bytes / PART_BYTES_MIN + 1) * (plan->ops->bound(plan, 1) + CODEC_MEMBER_BYTES);
    return bytes;
}

void codec_encoder_destroy(struct codec_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->engine)
        encoder->plan->ops->close(encoder->engine);
    free(encoder->gathered);
    free(encoder);
}

int codec_encoder_create(const struct codec_plan *plan, size_t block_bytes,
                         struct codec_encoder **out)
{
    struct codec_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return -ENOMEM;
    encoder->plan = plan;
    encoder->block_bytes = block_bytes;
    fill_gear(encoder->gear);
    int error = plan->ops->open(plan, block_bytes, &encoder->engine);
    if (error) {
        codec_encoder_destroy(encoder);
        return error;
    }
    *out = encoder;
    return 0;
}

/* One member, frame or run of deflate blocks. */
static ptrdiff_t encode_part(struct codec_encoder *encoder, const uint8_t *data, size_t bytes,
                             bool last, uint8_t *output, size_t capacity, uint32_t *crc)
{
    const struct codec_plan *plan = encoder->plan;
    bool is_member = plan->request.format == CODEC_GZIP && !plan->request.single_member;
    bool is_final = is_member || (plan->request.format == CODEC_DEFLATE && last);
    size_t around = is_member ? CODEC_MEMBER_BYTES : 0;
    if (plan->request.format != CODEC_ZSTD)
        *crc = libdeflate_crc32(0, data, bytes);
    if (capacity < around)
        return -ENOBUFS;
    ptrdiff_t made = plan->ops->compress(encoder->engine, data, bytes, is_final,
                                         output + (is_member ? CODEC_MEMBER_HEADER_BYTES : 0),
                                         capacity - around);
    if (made >= 0 && is_member)
        codec_member_wrap(output, (size_t)made, bytes, *crc, plan->request.level);
    return made < 0 ? made : made + (ptrdiff_t)around;
}

static int encode(struct codec_encoder *encoder, const uint8_t *data, size_t bytes, bool last,
                  uint8_t *output, size_t capacity, struct codec_block *block)
{
    bool divides = encoder->plan->request.rsyncable;
    size_t done = 0;
    *block = (struct codec_block){.input_bytes = bytes};
    do {
        size_t part = divides ? part_bytes(encoder->gear, data + done, bytes - done) : bytes;
        uint32_t crc = 0;
        bool is_last = done + part == bytes;
        ptrdiff_t made =
            encode_part(encoder, data + done, part, last && is_last, output + block->output_bytes,
                        capacity - (size_t)block->output_bytes, &crc);
        if (made < 0)
            return (int)made;
        block->crc32 = done ? codec_crc32_combine(block->crc32, crc, part) : crc;
        block->output_bytes += (uint64_t)made;
        done += part;
    } while (done < bytes);
    return 0;
}

int codec_encode(struct codec_encoder *encoder, const struct iovec *pieces, unsigned count,
                 bool last, void *output, size_t capacity, struct codec_block *block)
{
    if (count == 1)
        return encode(encoder, pieces->iov_base, pieces->iov_len, last, output, capacity, block);
    size_t bytes = 0;
    if (!encoder->gathered)
        encoder->gathered = malloc(encoder->block_bytes);
    if (!encoder->gathered)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        if (pieces[i].iov_len > encoder->block_bytes - bytes)
            return -EMSGSIZE;
        memcpy(encoder->gathered + bytes, pieces[i].iov_base, pieces[i].iov_len);
        bytes += pieces[i].iov_len;
    }
    return encode(encoder, encoder->gathered, bytes, last, output, capacity, block);
}
