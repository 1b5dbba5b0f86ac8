/* Which algorithm made a digest that does not say so: what the user or the manifest's name tells,
 * else its length, as far as that goes. */
#include <string.h>
#include <strings.h>

#include "stages/manifest_private.h"

/* Tools name their lists for algorithms that are not ours, too. Their digests must not be compared
 * with those of another algorithm that happens to have the same length. */
static const struct {
    const char *name;
    const char *algorithm;
} foreign[] = {
    {"b3", "BLAKE3"},           {"blake3", "BLAKE3"},        {"xxh", "XXH64"},
    {"xxh64", "XXH64"},         {"xxh32", "XXH32"},          {"md4", "MD4"},
    {"rmd160", "RIPEMD-160"},   {"ripemd160", "RIPEMD-160"}, {"tiger", "Tiger"},
    {"tth", "Tiger tree hash"}, {"whirlpool", "Whirlpool"},  {"sm3", "SM3"},
    {"crc32c", "CRC32C"},       {"sha3-224", "SHA3-224"},    {"sha3-384", "SHA3-384"},
    {"blake2bp", "BLAKE2bp"},   {"blake2sp", "BLAKE2sp"},    {"sha512-224", "SHA512-224"},
};

static bool take_algorithm(struct manifest_context *context, const char *name, size_t bytes)
{
    context->named_algorithm = digest_by_name(name, bytes);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strlen(foreign[i].name) == bytes && strncasecmp(foreign[i].name, name, bytes) == 0)
            context->named_foreign = foreign[i].algorithm;
    return context->named_algorithm >= 0 || context->named_foreign;
}

void learn_from_name(struct manifest_context *context)
{
    const char *name = context->options->name;
    context->named_algorithm = -1;
    if (!name)
        return;
    const char *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    size_t bytes = strlen(name);
    const char *bag = strncmp(name, "tagmanifest-", 12) == 0 ? name + 12
                      : strncmp(name, "manifest-", 9) == 0   ? name + 9
                                                             : NULL;
    if (bag && bytes > 4 && strcmp(name + bytes - 4, ".txt") == 0) {
        context->is_bagit = take_algorithm(context, bag, strlen(bag) - 4);
        return;
    }
    const char *dot = strrchr(name, '.');
    context->is_sfv = dot && strcasecmp(dot, ".sfv") == 0;
    if (context->is_sfv || (dot && take_algorithm(context, dot + 1, strlen(dot + 1))))
        return;
    /* "SHA256SUMS", "sha256sum.txt", "MD5SUMS.new" */
    const char *sum = strcasestr(name, "sum");
    if (sum)
        take_algorithm(context, name, (size_t)(sum - name));
}

/* The one algorithm of the set whose digests have that length; -1: none or several. */
static int only_one(uint32_t set, size_t digits)
{
    int found = -1;
    for (int id = 0; id < DIGEST_COUNT; id++)
        if (set & 1u << id && digest_algorithm((enum digest_id)id)->bytes * 2 == digits) {
            if (found >= 0)
                return -1;
            found = id;
        }
    return found;
}

/* What is meant most often by a digest of that length. -1: too short to tell anything. */
static int by_length(size_t digits)
{
    static const enum digest_id usual[] = {DIGEST_MD5,    DIGEST_SHA1,   DIGEST_SHA224,
                                           DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (digest_algorithm(usual[i])->bytes * 2 == digits)
            return (int)usual[i];
    return -1;
}

int untagged_algorithm(const struct manifest_context *context, size_t digits,
                       struct manifest_line *line)
{
    int id = only_one(context->options->algorithms, digits);
    if (id >= 0)
        return id;
    if (context->is_sfv && digits == 8)
        return DIGEST_CRC32;
    int named = context->named_algorithm;
    if (named >= 0 && digest_algorithm((enum digest_id)named)->bytes * 2 == digits)
        return named;
    if (context->named_foreign && digits >= 8) {
        line->foreign = context->named_foreign;
        line->reason = "digest of an algorithm that is not offered";
        return -1;
    }
    /* b2sum --length=256, say: as long as a SHA-256 and none. */
    if (named == DIGEST_BLAKE2B && digits >= 8) {
        line->foreign = "BLAKE2b of that length";
        line->reason = "digest of a length that is not offered";
        return -1;
    }
    if (digits == 8 || digits == 16)
        line->reason = "what so short a digest is must be told by --algorithm";
    id = by_length(digits);
    line->is_guess = id >= 0 && only_one((1u << DIGEST_COUNT) - 1, digits) < 0;
    return id;
}
