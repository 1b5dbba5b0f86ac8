/* A hasher's inside, for digest.c and digest_many.c. */
#ifndef TREEMILL_STAGES_DIGEST_PRIVATE_H
#define TREEMILL_STAGES_DIGEST_PRIVATE_H

#include <openssl/evp.h>
#include <xxhash.h>

#include "stages/digest.h"
#include "stages/sha256_stream.h"

#define SHA256_FAMILY (1u << DIGEST_SHA224 | 1u << DIGEST_SHA256)

struct digest_hasher {
    uint32_t set;   /* of the message in work */
    uint32_t known; /* given to create */
    enum digest_engine engine;
    EVP_MD *md[DIGEST_COUNT];
    EVP_MD_CTX *context[DIGEST_COUNT];
    uint32_t crc32;
    XXH3_state_t *xxh3;
    XXH3_state_t *xxh128;
    /* Those of the set that go through `stream` instead of the library. */
    uint32_t streamed;
    bool expects_pairs;
    struct sha256_stream stream[2]; /* SHA-224, SHA-256 */
};

#endif
