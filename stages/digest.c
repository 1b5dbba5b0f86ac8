#include "stages/digest_private.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "stages/sha256.h"

static const struct digest_algorithm table[DIGEST_COUNT] = {
    [DIGEST_MD5] = {"md5", "MD5", 16, "MD5"},
    [DIGEST_SHA1] = {"sha1", "SHA1", 20, "SHA1"},
    [DIGEST_SHA224] = {"sha224", "SHA224", 28, "SHA2-224"},
    [DIGEST_SHA256] = {"sha256", "SHA256", 32, "SHA2-256"},
    [DIGEST_SHA384] = {"sha384", "SHA384", 48, "SHA2-384"},
    [DIGEST_SHA512] = {"sha512", "SHA512", 64, "SHA2-512"},
    [DIGEST_SHA512_256] = {"sha512-256", "SHA512-256", 32, "SHA2-512/256"},
    [DIGEST_SHA3_256] = {"sha3-256", "SHA3-256", 32, "SHA3-256"},
    [DIGEST_SHA3_512] = {"sha3-512", "SHA3-512", 64, "SHA3-512"},
    [DIGEST_BLAKE2B] = {"blake2b", "BLAKE2b", 64, "BLAKE2B-512"},
    [DIGEST_BLAKE2S] = {"blake2s", "BLAKE2s", 32, "BLAKE2S-256"},
    [DIGEST_CRC32] = {"crc32", "CRC32", 4, NULL},
    [DIGEST_XXH3] = {"xxh3", "XXH3", 8, NULL},
    [DIGEST_XXH128] = {"xxh128", "XXH128", 16, NULL},
};

/* What other tools call them. */
static const struct {
    const char *name;
    enum digest_id id;
} aliases[] = {
    {"sha-1", DIGEST_SHA1},
    {"sha-224", DIGEST_SHA224},
    {"sha-256", DIGEST_SHA256},
    {"sha-384", DIGEST_SHA384},
    {"sha-512", DIGEST_SHA512},
    {"sha2-224", DIGEST_SHA224},
    {"sha2-256", DIGEST_SHA256},
    {"sha2-384", DIGEST_SHA384},
    {"sha2-512", DIGEST_SHA512},
    {"sha512/256", DIGEST_SHA512_256},
    {"sha512256", DIGEST_SHA512_256},
    {"sha512t256", DIGEST_SHA512_256},
    {"sha2-512/256", DIGEST_SHA512_256},
    {"sha3_256", DIGEST_SHA3_256},
    {"sha3_512", DIGEST_SHA3_512},
    {"blake2b512", DIGEST_BLAKE2B},
    {"blake2b-512", DIGEST_BLAKE2B},
    {"b2", DIGEST_BLAKE2B},
    {"blake2s256", DIGEST_BLAKE2S},
    {"blake2s-256", DIGEST_BLAKE2S},
    {"crc-32", DIGEST_CRC32},
    {"xxh3_64", DIGEST_XXH3},
    {"xxh3-64", DIGEST_XXH3},
    {"xxh3_128", DIGEST_XXH128},
    {"xxh3-128", DIGEST_XXH128},
};

const struct digest_algorithm *digest_algorithm(enum digest_id id)
{
    return &table[id];
}

static bool same_name(const char *known, const char *name, size_t bytes)
{
    return strlen(known) == bytes && strncasecmp(known, name, bytes) == 0;
}

int digest_by_name(const char *name, size_t bytes)
{
    for (int id = 0; id < DIGEST_COUNT; id++)
        if (same_name(table[id].name, name, bytes) || same_name(table[id].tag, name, bytes))
            return id;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (same_name(aliases[i].name, name, bytes))
            return (int)aliases[i].id;
    return -1;
}

size_t digest_set_bytes(uint32_t set)
{
    return digest_offset(set, DIGEST_COUNT);
}

size_t digest_offset(uint32_t set, enum digest_id id)
{
    size_t bytes = 0;
    for (unsigned before = 0; before < (unsigned)id; before++)
        if (set & 1u << before)
            bytes += table[before].bytes;
    return bytes;
}

/* Libraries of xxhash built for x86 with dispatch also offer functions that choose AVX2 or AVX-512
 * where they run (xxh_x86dispatch.h); the plain ones keep to SSE2. 256 KiB in the cache: 4.9 us
 * against 17.6. Weak, because other builds lack them; the digests and the states are the same. The
 * choice is made in the first call, each thread that comes that early stores the same pointers. */
XXH64_hash_t XXH3_64bits_dispatch(const void *, size_t) __attribute__((weak));
XXH128_hash_t XXH3_128bits_dispatch(const void *, size_t) __attribute__((weak));
XXH_errorcode XXH3_64bits_update_dispatch(XXH3_state_t *, const void *, size_t)
    __attribute__((weak));
XXH_errorcode XXH3_128bits_update_dispatch(XXH3_state_t *, const void *, size_t)
    __attribute__((weak));

/* Hashers. */

/* With several algorithms, each piece goes through all of them while it is in the first-level
 * cache or close to it; one algorithm takes its data whole. */
#define PIECE_BYTES 16384

void digest_hasher_destroy(struct digest_hasher *hasher)
{
    if (!hasher)
        return;
    for (int id = 0; id < DIGEST_COUNT; id++) {
        EVP_MD_CTX_free(hasher->context[id]);
        EVP_MD_free(hasher->md[id]);
    }
    XXH3_freeState(hasher->xxh3);
    XXH3_freeState(hasher->xxh128);
    free(hasher);
}

static int open_algorithm(struct digest_hasher *hasher, int id)
{
    if (id == DIGEST_XXH3)
        return (hasher->xxh3 = XXH3_createState()) ? 0 : -ENOMEM;
    if (id == DIGEST_XXH128)
        return (hasher->xxh128 = XXH3_createState()) ? 0 : -ENOMEM;
    if (!table[id].openssl_name)
        return 0;
    hasher->md[id] = EVP_MD_fetch(NULL, table[id].openssl_name, NULL);
    if (!hasher->md[id])
        return -ENOTSUP;
    hasher->context[id] = EVP_MD_CTX_new();
    if (!hasher->context[id])
        return -ENOMEM;
    return EVP_DigestInit_ex2(hasher->context[id], hasher->md[id], NULL) ? 0 : -EIO;
}

int digest_hasher_create(uint32_t set, struct digest_hasher **out)
{
    struct digest_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return -ENOMEM;
    hasher->known = set;
    int error = set >> DIGEST_COUNT ? -EINVAL : 0;
    for (int id = 0; id < DIGEST_COUNT && !error; id++)
        if (set & 1u << id)
            error = open_algorithm(hasher, id);
    if (error) {
        digest_hasher_destroy(hasher);
        return error;
    }
    *out = hasher;
    return 0;
}

/* The algorithms of the set that sha256_stream.h computes, since two at once are worth it. */
static uint32_t streamed_part(uint32_t set, enum digest_engine engine)
{
    if (!(set & SHA256_FAMILY) || engine == DIGEST_ENGINE_OPENSSL)
        return 0;
    const struct sha256_choice *choice = sha256_choice();
    bool forced = engine == DIGEST_ENGINE_MULTIBUFFER;
    return choice->best.pair && (forced || choice->pair_beats_library) ? set & SHA256_FAMILY : 0;
}

bool digest_likes_pairs(uint32_t set, enum digest_engine engine)
{
    return streamed_part(set, engine) != 0;
}

static struct sha256_stream *stream_of(struct digest_hasher *hasher, int id)
{
    return &hasher->stream[id == DIGEST_SHA256];
}

/* Initialising with a NULL type keeps the context's algorithm and provider data: SHA-256 of 64
 * bytes takes 149 ns (OpenSSL 3.0.22), with a new context each time 183, with EVP_sha256(), which
 * fetches, 403. Naming the type again costs the same; a copy of a context made ready takes 139. */
static bool begin(struct digest_hasher *hasher, int id)
{
    if (hasher->streamed & 1u << id) {
        sha256_stream_begin(stream_of(hasher, id), (enum digest_id)id);
        return true;
    }
    switch (id) {
    case DIGEST_CRC32:
        hasher->crc32 = (uint32_t)crc32_z(0, NULL, 0);
        return true;
    case DIGEST_XXH3:
        return XXH3_64bits_reset(hasher->xxh3) == XXH_OK;
    case DIGEST_XXH128:
        return XXH3_128bits_reset(hasher->xxh128) == XXH_OK;
    default:
        return EVP_DigestInit_ex2(hasher->context[id], NULL, NULL);
    }
}

static bool update(struct digest_hasher *hasher, int id, const void *data, size_t bytes)
{
    if (hasher->streamed & 1u << id) {
        sha256_stream_update(stream_of(hasher, id), data, bytes);
        return true;
    }
    switch (id) {
    case DIGEST_CRC32:
        hasher->crc32 = (uint32_t)crc32_z(hasher->crc32, data, bytes);
        return true;
    case DIGEST_XXH3:
        return (XXH3_64bits_update_dispatch ?: XXH3_64bits_update)(hasher->xxh3, data, bytes) ==
               XXH_OK;
    case DIGEST_XXH128:
        return (XXH3_128bits_update_dispatch ?: XXH3_128bits_update)(hasher->xxh128, data, bytes) ==
               XXH_OK;
    default:
        return EVP_DigestUpdate(hasher->context[id], data, bytes);
    }
}

static void put_crc32(uint32_t crc, uint8_t *output)
{
    for (int i = 0; i < 4; i++)
        output[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void put_xxh3(XXH64_hash_t hash, uint8_t *output)
{
    XXH64_canonicalFromHash((XXH64_canonical_t *)output, hash);
}

static void put_xxh128(XXH128_hash_t hash, uint8_t *output)
{
    XXH128_canonicalFromHash((XXH128_canonical_t *)output, hash);
}

static bool finish(struct digest_hasher *hasher, int id, uint8_t *output)
{
    if (hasher->streamed & 1u << id) {
        sha256_stream_finish(stream_of(hasher, id), (enum digest_id)id, output);
        return true;
    }
    switch (id) {
    case DIGEST_CRC32:
        put_crc32(hasher->crc32, output);
        return true;
    case DIGEST_XXH3:
        put_xxh3(XXH3_64bits_digest(hasher->xxh3), output);
        return true;
    case DIGEST_XXH128:
        put_xxh128(XXH3_128bits_digest(hasher->xxh128), output);
        return true;
    default:
        return EVP_DigestFinal_ex(hasher->context[id], output, NULL);
    }
}

int digest_begin(struct digest_hasher *hasher, uint32_t set)
{
    if (set & ~hasher->known)
        return -EINVAL;
    hasher->set = set;
    hasher->streamed = hasher->expects_pairs ? streamed_part(set, hasher->engine) : 0;
    for (uint32_t rest = set; rest; rest &= rest - 1)
        if (!begin(hasher, __builtin_ctz(rest)))
            return -EIO;
    return 0;
}

/* Those of the set that are not in `without`. */
static int update_but(struct digest_hasher *hasher, uint32_t without, const void *data,
                      size_t bytes)
{
    uint32_t set = hasher->set & ~without;
    bool several = set & (set - 1);
    const uint8_t *from = data;
    while (bytes && set) {
        size_t piece = several && bytes > PIECE_BYTES ? PIECE_BYTES : bytes;
        for (uint32_t rest = set; rest; rest &= rest - 1)
            if (!update(hasher, __builtin_ctz(rest), from, piece))
                return -EIO;
        from += piece;
        bytes -= piece;
    }
    return 0;
}

int digest_update(struct digest_hasher *hasher, const void *data, size_t bytes)
{
    return update_but(hasher, 0, data, bytes);
}

int digest_update_two(struct digest_hasher *hashers[2], const void *const data[2],
                      const size_t bytes[2])
{
    uint32_t together = hashers[0]->streamed & hashers[1]->streamed;
    for (uint32_t rest = together; rest; rest &= rest - 1) {
        struct sha256_piece piece[2];
        for (int p = 0; p < 2; p++)
            piece[p] = (struct sha256_piece){stream_of(hashers[p], __builtin_ctz(rest)), data[p],
                                             bytes[p]};
        sha256_stream_update_two(piece);
    }
    int error = update_but(hashers[0], together, data[0], bytes[0]);
    return error ? error : update_but(hashers[1], together, data[1], bytes[1]);
}

void digest_expect_pairs(struct digest_hasher *hasher)
{
    hasher->expects_pairs = true;
}

int digest_finish(struct digest_hasher *hasher, uint8_t *output)
{
    for (uint32_t rest = hasher->set; rest; rest &= rest - 1) {
        int id = __builtin_ctz(rest);
        if (!finish(hasher, id, output))
            return -EIO;
        output += table[id].bytes;
    }
    return 0;
}

int digest_once(struct digest_hasher *hasher, uint32_t set, const void *data, size_t bytes,
                uint8_t *output)
{
    /* xxhash has a faster path for short messages that it sees whole. */
    if (set == 1u << DIGEST_XXH3 && hasher->known & set) {
        put_xxh3((XXH3_64bits_dispatch ?: XXH3_64bits)(data, bytes), output);
        return 0;
    }
    if (set == 1u << DIGEST_XXH128 && hasher->known & set) {
        put_xxh128((XXH3_128bits_dispatch ?: XXH3_128bits)(data, bytes), output);
        return 0;
    }
    int error = digest_begin(hasher, set);
    if (!error)
        error = digest_update(hasher, data, bytes);
    return error ? error : digest_finish(hasher, output);
}

/* What is here. */

const char *digest_engine_name(enum digest_id id)
{
    static _Thread_local char text[64];
    unsigned version = XXH_versionNumber();
    if (table[id].openssl_name)
        snprintf(text, sizeof text, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
    else if (id == DIGEST_CRC32)
        snprintf(text, sizeof text, "zlib %s", zlibVersion());
    else
        snprintf(text, sizeof text, "xxhash %u.%u.%u", version / 10000, version / 100 % 100,
                 version % 100);
    return text;
}

bool digest_available(enum digest_id id, char *why, size_t why_bytes)
{
    struct digest_hasher *hasher;
    int error = digest_hasher_create(1u << id, &hasher);
    if (error == 0) {
        digest_hasher_destroy(hasher);
        return true;
    }
    snprintf(why, why_bytes, "%s",
             error == -ENOTSUP ? "not offered by the installed OpenSSL or its configuration"
                               : strerror(-error));
    return false;
}

uint32_t digest_all_available(void)
{
    uint32_t set = 0;
    char why[128];
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++)
        if (digest_available(id, why, sizeof why))
            set |= 1u << id;
    return set;
}
