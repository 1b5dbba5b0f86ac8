/* digest: the table of checksum algorithms, and computing several of them in one pass.
 *
 * A set of algorithms is a bit mask, 1u << id. Digests of a set lie one after another in order of
 * their ids: digest_offset() says where one begins.
 */
#ifndef TREEMILL_STAGES_DIGEST_H
#define TREEMILL_STAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each with its name on our command line. MD5: RFC 1321; SHA-1, SHA-2: FIPS 180-4; SHA-3: FIPS 202;
 * BLAKE2: RFC 7693, with 512 and 256 bits; CRC-32: RFC 1952, as in gzip and `rhash --crc32`; XXH3
 * with 64 and 128 bits: canonical (big-endian). */
#define DIGEST_LIST(X)                                                                             \
    X(DIGEST_MD5, "md5")                                                                           \
    X(DIGEST_SHA1, "sha1")                                                                         \
    X(DIGEST_SHA224, "sha224")                                                                     \
    X(DIGEST_SHA256, "sha256")                                                                     \
    X(DIGEST_SHA384, "sha384")                                                                     \
    X(DIGEST_SHA512, "sha512")                                                                     \
    X(DIGEST_SHA512_256, "sha512-256")                                                             \
    X(DIGEST_SHA3_256, "sha3-256")                                                                 \
    X(DIGEST_SHA3_512, "sha3-512")                                                                 \
    X(DIGEST_BLAKE2B, "blake2b")                                                                   \
    X(DIGEST_BLAKE2S, "blake2s")                                                                   \
    X(DIGEST_CRC32, "crc32")                                                                       \
    X(DIGEST_XXH3, "xxh3")                                                                         \
    X(DIGEST_XXH128, "xxh128")

#define DIGEST_ENUM(identifier, name) identifier,
enum digest_id { DIGEST_LIST(DIGEST_ENUM) DIGEST_COUNT };
#undef DIGEST_ENUM

#define DIGEST_MAX_BYTES 64

struct digest_algorithm {
    const char *name; /* on our command line: "sha512-256" */
    const char *tag;  /* in BSD-style lines: "SHA512-256 (file) = ..." */
    size_t bytes;
    const char *openssl_name; /* for EVP_MD_fetch(3); NULL: another engine */
};

/* The table's row; `id` must be below DIGEST_COUNT. */
const struct digest_algorithm *digest_algorithm(enum digest_id id);
/* Looks a name up, whatever its case, by our name, tag or another that tools use. -1: unknown. */
int digest_by_name(const char *name, size_t bytes);

/* Total size of a set's digests, and where one of them begins. */
size_t digest_set_bytes(uint32_t set);
size_t digest_offset(uint32_t set, enum digest_id id);

/* What computes it, with its version: "OpenSSL 3.0.19". Static or thread-local text. */
const char *digest_engine_name(enum digest_id id);
/* Whether the library offers it here; if not, says why. Any thread. */
bool digest_available(enum digest_id id, char *why, size_t why_bytes);
/* The set of all that are. */
uint32_t digest_all_available(void);

/* Computes the digests of one message at a time. For one thread; made after any fork, in the
 * process that uses it. All functions that return int: 0 or -errno. */
struct digest_hasher;

/* `set`: all algorithms that it will ever be asked for. -ENOTSUP when the library lacks one. */
int digest_hasher_create(uint32_t set, struct digest_hasher **hasher);
/* NULL is allowed. */
void digest_hasher_destroy(struct digest_hasher *hasher);

/* Begins a message; what was begun before is forgotten. `set` is a part of the hasher's. */
int digest_begin(struct digest_hasher *hasher, uint32_t set);
int digest_update(struct digest_hasher *hasher, const void *data, size_t bytes);
/* Writes digest_set_bytes(set of digest_begin) bytes. */
int digest_finish(struct digest_hasher *hasher, uint8_t *output);
/* A message that is complete in memory. */
int digest_once(struct digest_hasher *hasher, uint32_t set, const void *data, size_t bytes,
                uint8_t *output);

/* How digests are computed where several messages are at hand. */
enum digest_engine {
    DIGEST_ENGINE_AUTO,       /* whichever was faster when measured */
    DIGEST_ENGINE_OPENSSL,    /* one after another, by the library */
    DIGEST_ENGINE_MULTIBUFFER /* SHA-224 and SHA-256 of several at once (stages/sha256*.h) */
};

/* The next pieces of two messages that were begun with the same set, each in its own hasher: as
 * two calls of digest_update(), but faster where sha256_stream.h can do both at once. */
int digest_update_two(struct digest_hasher *hashers[2], const void *const data[2],
                      const size_t bytes[2]);
/* Whether that is so for this set and engine here: measured at the first call, see
 * digest_engine_describe(). */
bool digest_likes_pairs(uint32_t set, enum digest_engine engine);
/* The messages of this hasher are likely to come in pairs, for digest_update_two(). Before
 * digest_begin(). */
void digest_expect_pairs(struct digest_hasher *hasher);

/* Many messages that are complete in memory. */

struct digest_message {
    const void *data; /* of any alignment; may be NULL if bytes is 0 */
    size_t bytes;
    uint8_t *output; /* gets digest_set_bytes(set) bytes */
};

/* Digests of each message as digest_once() gives them. After a failure what the outputs hold is
 * undefined. */
int digest_many(struct digest_hasher *hasher, uint32_t set, const struct digest_message *messages,
                size_t count);
/* Which engine digest_many() uses from now on; a new hasher has AUTO. MULTIBUFFER only where it is
 * available. */
void digest_set_engine(struct digest_hasher *hasher, enum digest_engine engine);

/* Whether the engine can be asked for by name here; if not, says why. Any thread. */
bool digest_engine_available(enum digest_engine engine, char *why, size_t why_bytes);
/* Says for which engine `engine` stands when SHA-256 of many messages is computed, with the
 * figures measured. Measures at the first call of the process; best called before any fork. Any
 * thread. */
void digest_engine_describe(enum digest_engine engine, char *text, size_t bytes);

#endif
