/* stages/digest: known answers, and that all ways to the same message agree. The answers were made
 * by md5sum, sha*sum, b2sum (coreutils), openssl dgst, rhash --crc32 and xxhsum, and agree with
 * RFC 1321, FIPS 180-4, FIPS 202 and RFC 7693 where those give them. */
#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "stages/digest.h"
#include "tests/unit/rounds.h"

#define ALL       ((1u << DIGEST_COUNT) - 1)
#define MILLION   1000000
#define MESSAGES  4
#define ALL_BYTES (DIGEST_COUNT * DIGEST_MAX_BYTES)

/* Of "", "abc", the 448-bit message of FIPS 180-4 and a million times "a". */
static const struct {
    enum digest_id id;
    const char *hex[MESSAGES];
} vectors[DIGEST_COUNT] = {
    {DIGEST_MD5,
     {"d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72",
      "8215ef0796a20bcaaae116d3876c664a", "7707d6ae4e027c70eea2a935c2296f21"}},
    {DIGEST_SHA1,
     {"da39a3ee5e6b4b0d3255bfef95601890afd80709", "a9993e364706816aba3e25717850c26c9cd0d89d",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1", "34aa973cd4c4daa4f61eeb2bdbad27316534016f"}},
    {DIGEST_SHA224,
     {"d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
      "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
      "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525",
      "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67"}},
    {DIGEST_SHA256,
     {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}},
    {DIGEST_SHA384,
     {"38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
      "274edebfe76f65fbd51ad2f14898b95b",
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      "8086072ba1e7cc2358baeca134c825a7",
      "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
      "b0455a8520bc4e6f5fe95b1fe3c8452b",
      "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
      "07b8b3dc38ecc4ebae97ddd87f3d8985"}},
    {DIGEST_SHA512,
     {"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
      "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445",
      "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
      "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"}},
    {DIGEST_SHA512_256,
     {"c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a",
      "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
      "bde8e1f9f19bb9fd3406c90ec6bc47bd36d8ada9f11880dbc8a22a7078b6a461",
      "9a59a052930187a97038cae692f30708aa6491923ef5194394dc68d56c74fb21"}},
    {DIGEST_SHA3_256,
     {"a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
      "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
      "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376",
      "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1"}},
    {DIGEST_SHA3_512,
     {"a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
      "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26",
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
      "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
      "04a371e84ecfb5b8b77cb48610fca8182dd457ce6f326a0fd3d7ec2f1e91636d"
      "ee691fbe0c985302ba1b0d8dc78c086346b533b49c030d99a27daf1139d6e75e",
      "3c3a876da14034ab60627c077bb98f7e120a2a5370212dffb3385a18d4f38859"
      "ed311d0a9d5141ce9cc5c66ee689b266a8aa18ace8282a0e0db596c90b0a7b87"}},
    {DIGEST_BLAKE2B,
     {"786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419"
      "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
      "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
      "7285ff3e8bd768d69be62b3bf18765a325917fa9744ac2f582a20850bc2b1141"
      "ed1b3e4528595acc90772bdf2d37dc8a47130b44f33a02e8730e5ad8e166e888",
      "98fb3efb7206fd19ebf69b6f312cf7b64e3b94dbe1a17107913975a793f177e1"
      "d077609d7fba363cbba00d05f7aa4e4fa8715d6428104c0a75643b0ff3fd3eaf"}},
    {DIGEST_BLAKE2S,
     {"69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9",
      "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
      "6f4df5116a6f332edab1d9e10ee87df6557beab6259d7663f3bcd5722c13f189",
      "bec0c0e6cde5b67acb73b81f79a67a4079ae1c60dac9d2661af18e9f8b50dfa5"}},
    {DIGEST_CRC32, {"00000000", "352441c2", "171a3f5f", "dc25bfbc"}},
    {DIGEST_XXH3, {"2d06800538d394c2", "78af5f94892f3950", "5bbcbbabcdcc3d3f", "b1fd6fae5285c4eb"}},
    {DIGEST_XXH128,
     {"99aa06d3014798d86001c324468d497f", "06b05ab6733a618578af5f94892f3950",
      "3d62d22a5169b016c0d894fd4828a1a7", "a545df8e384a9579b1fd6fae5285c4eb"}},
};

static char million[MILLION];

static const struct {
    const char *data;
    size_t bytes;
} messages[MESSAGES] = {{"", 0},
                        {"abc", 3},
                        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56},
                        {million, MILLION}};

static void expect_hex(const uint8_t *digest, const char *hex)
{
    char text[2 * DIGEST_MAX_BYTES + 1];
    for (size_t i = 0; i < strlen(hex) / 2; i++)
        snprintf(text + 2 * i, 3, "%02hhx", digest[i]);
    ck_assert_str_eq(text, hex);
}

static struct digest_hasher *make(uint32_t set)
{
    struct digest_hasher *hasher;
    ck_assert_int_eq(digest_hasher_create(set, &hasher), 0);
    return hasher;
}

static uint64_t random_state = 88172645463325252ULL;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

START_TEST(known_answers)
{
    enum digest_id id = vectors[_i].id;
    struct digest_hasher *hasher = make(1u << id);
    uint8_t digest[DIGEST_MAX_BYTES];
    memset(million, 'a', MILLION);
    for (int m = 0; m < MESSAGES; m++) {
        ck_assert_uint_eq(strlen(vectors[_i].hex[m]), 2 * digest_algorithm(id)->bytes);
        ck_assert_int_eq(digest_once(hasher, 1u << id, messages[m].data, messages[m].bytes, digest),
                         0);
        expect_hex(digest, vectors[_i].hex[m]);
    }
    digest_hasher_destroy(hasher);
}
END_TEST

START_TEST(all_at_once_and_in_pieces)
{
    struct digest_hasher *hasher = make(ALL);
    uint8_t digests[ALL_BYTES];
    memset(million, 'a', MILLION);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(digest_begin(hasher, ALL), 0);
        ck_assert_int_eq(digest_update(hasher, "forgotten", 9), 0);
        ck_assert_int_eq(digest_begin(hasher, ALL), 0); /* begins anew */
        for (size_t done = 0; done < MILLION;) {
            size_t piece = 1 + (size_t)(next_random() % 70000);
            if (piece > MILLION - done)
                piece = MILLION - done;
            ck_assert_int_eq(digest_update(hasher, million + done, piece), 0);
            done += piece;
        }
        ck_assert_int_eq(digest_finish(hasher, digests), 0);
        for (int v = 0; v < DIGEST_COUNT; v++)
            expect_hex(digests + digest_offset(ALL, vectors[v].id), vectors[v].hex[3]);
    }
    digest_hasher_destroy(hasher);
}
END_TEST

/* Fills `million` so that no two places look alike. */
static void fill_random(void)
{
    for (size_t i = 0; i < MILLION; i++)
        million[i] = (char)(next_random() >> 32);
}

/* RFC 1952, section 8, one bit at a time. */
static uint32_t crc32_by_bits(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

/* The digest by another way than the module's: one-shot calls, for CRC-32 by definition. */
static void reference(enum digest_id id, const void *data, size_t bytes, uint8_t *output)
{
    size_t written;
    XXH64_canonical_t canonical64;
    XXH128_canonical_t canonical128;
    uint32_t crc;
    switch (id) {
    case DIGEST_CRC32:
        crc = __builtin_bswap32(crc32_by_bits(data, bytes));
        memcpy(output, &crc, sizeof crc);
        return;
    case DIGEST_XXH3:
        XXH64_canonicalFromHash(&canonical64, XXH3_64bits(data, bytes));
        memcpy(output, &canonical64, sizeof canonical64);
        return;
    case DIGEST_XXH128:
        XXH128_canonicalFromHash(&canonical128, XXH3_128bits(data, bytes));
        memcpy(output, &canonical128, sizeof canonical128);
        return;
    default:
        ck_assert_int_eq(EVP_Q_digest(NULL, digest_algorithm(id)->openssl_name, NULL, data, bytes,
                                      output, &written),
                         1);
        ck_assert_uint_eq(written, digest_algorithm(id)->bytes);
    }
}

/* Compares digest_once() of all algorithms together, and of each alone, with the reference. */
static void expect_reference(struct digest_hasher *hasher, const char *data, size_t bytes)
{
    uint8_t together[ALL_BYTES], alone[DIGEST_MAX_BYTES], expected[DIGEST_MAX_BYTES];
    ck_assert_int_eq(digest_once(hasher, ALL, data, bytes, together), 0);
    for (int id = 0; id < DIGEST_COUNT; id++) {
        size_t size = digest_algorithm(id)->bytes;
        reference(id, data, bytes, expected);
        ck_assert_int_eq(digest_once(hasher, 1u << id, data, bytes, alone), 0);
        ck_assert_msg(memcmp(alone, expected, size) == 0, "%s of %zu bytes, alone",
                      digest_algorithm(id)->name, bytes);
        ck_assert_msg(memcmp(together + digest_offset(ALL, id), expected, size) == 0,
                      "%s of %zu bytes, with others", digest_algorithm(id)->name, bytes);
    }
}

START_TEST(lengths_around_every_edge)
{
    /* Blocks of the algorithms end below 300; pieces are of 16,384 bytes. */
    static const size_t edges[] = {512, 1024, 4096, 16384, 2 * 16384, 65536, 65536 + 16384};
    struct digest_hasher *hasher = make(ALL);
    fill_random();
    for (size_t bytes = 0; bytes <= 300; bytes++)
        expect_reference(hasher, million + bytes % 17, bytes);
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t bytes = edges[i] - 2; bytes <= edges[i] + 2; bytes++)
            expect_reference(hasher, million + i, bytes);
    digest_hasher_destroy(hasher);
}
END_TEST

START_TEST(random_sets_and_splits)
{
    struct digest_hasher *hasher = make(ALL);
    uint8_t whole[ALL_BYTES], pieces[ALL_BYTES], alone[DIGEST_MAX_BYTES];
    fill_random();
    for (int round = 0; round < 300; round++) {
        uint32_t set = (uint32_t)(next_random() >> 20) & ALL;
        size_t bytes = (size_t)(next_random() % (round % 2 ? 1000 : 100000));
        size_t most = 1 + (size_t)(next_random() % (bytes + 1));
        const char *data = million + next_random() % (MILLION - 100000);
        memset(whole, 0xa5, sizeof whole);
        memset(pieces, 0xa5, sizeof pieces);
        ck_assert_int_eq(digest_once(hasher, set, data, bytes, whole), 0);
        ck_assert_int_eq(digest_begin(hasher, set), 0);
        for (size_t done = 0, piece; done < bytes; done += piece) {
            piece = (size_t)(next_random() % (most + 1)); /* none is allowed, too */
            if (piece > bytes - done)
                piece = bytes - done;
            ck_assert_int_eq(digest_update(hasher, data + done, piece), 0);
        }
        ck_assert_int_eq(digest_finish(hasher, pieces), 0);
        ck_assert_mem_eq(whole, pieces, sizeof whole);
        for (size_t i = digest_set_bytes(set); i < sizeof whole; i++)
            ck_assert_uint_eq(whole[i], 0xa5); /* nothing behind the set's digests */
        for (int id = 0; id < DIGEST_COUNT; id++) {
            if (!(set & 1u << id))
                continue;
            ck_assert_int_eq(digest_once(hasher, 1u << id, data, bytes, alone), 0);
            ck_assert_mem_eq(alone, whole + digest_offset(set, id), digest_algorithm(id)->bytes);
        }
    }
    digest_hasher_destroy(hasher);
}
END_TEST

/* Every algorithm after a message that was finished, one that was abandoned in the middle of a
 * block, one abandoned with nothing, and one of another set. */
START_TEST(used_again)
{
    uint32_t set = 1u << vectors[_i].id;
    struct digest_hasher *hasher = make(ALL);
    uint8_t digests[ALL_BYTES];
    for (int round = 0; round < 5; round++) {
        if (round == 1)
            ck_assert_int_eq(digest_begin(hasher, set), 0);
        if (round == 2 || round == 3)
            ck_assert_int_eq(digest_begin(hasher, round == 2 ? set : ALL), 0);
        if (round == 2 || round == 3)
            ck_assert_int_eq(digest_update(hasher, million, 777), 0);
        if (round == 4)
            ck_assert_int_eq(digest_begin(hasher, ALL & ~set), 0);
        ck_assert_int_eq(digest_begin(hasher, set), 0);
        ck_assert_int_eq(digest_update(hasher, "ab", 2), 0);
        ck_assert_int_eq(digest_update(hasher, NULL, 0), 0);
        ck_assert_int_eq(digest_update(hasher, "c", 1), 0);
        ck_assert_int_eq(digest_finish(hasher, digests), 0);
        expect_hex(digests, vectors[_i].hex[1]);
        ck_assert_int_eq(digest_once(hasher, set, NULL, 0, digests), 0);
        expect_hex(digests, vectors[_i].hex[0]);
    }
    digest_hasher_destroy(hasher);
}
END_TEST

/* A hasher of one algorithm refuses every other, and still works. */
START_TEST(refuses_what_it_was_not_made_for)
{
    uint32_t own = 1u << vectors[_i].id;
    struct digest_hasher *hasher = make(own);
    uint8_t digests[ALL_BYTES];
    for (int id = 0; id < DIGEST_COUNT; id++) {
        uint32_t other = 1u << id;
        if (other == own)
            continue;
        ck_assert_int_eq(digest_begin(hasher, other), -EINVAL);
        ck_assert_int_eq(digest_begin(hasher, other | own), -EINVAL);
        ck_assert_int_eq(digest_once(hasher, other, "abc", 3, digests), -EINVAL);
        ck_assert_int_eq(digest_once(hasher, other | own, "abc", 3, digests), -EINVAL);
    }
    ck_assert_int_eq(digest_begin(hasher, own | 1u << DIGEST_COUNT), -EINVAL);
    ck_assert_int_eq(digest_begin(hasher, own | 1u << 31), -EINVAL);
    ck_assert_int_eq(digest_once(hasher, own, "abc", 3, digests), 0);
    expect_hex(digests, vectors[_i].hex[1]);
    digest_hasher_destroy(hasher);
}
END_TEST

START_TEST(offsets)
{
    static const size_t sizes[DIGEST_COUNT] = {16, 20, 28, 32, 48, 64, 32,
                                               32, 64, 64, 32, 4,  8,  16};
    for (uint32_t set = 0; set <= ALL; set++) {
        size_t expected = 0;
        for (int id = 0; id < DIGEST_COUNT; id++) {
            ck_assert_msg(digest_offset(set, id) == expected, "%s in %#x",
                          digest_algorithm(id)->name, set);
            expected += set & 1u << id ? sizes[id] : 0;
        }
        ck_assert_msg(digest_set_bytes(set) == expected, "%#x", set);
    }
}
END_TEST

START_TEST(a_part_of_the_set)
{
    uint32_t set = 1u << DIGEST_MD5 | 1u << DIGEST_SHA256 | 1u << DIGEST_XXH128;
    struct digest_hasher *hasher = make(set);
    uint8_t digests[3 * DIGEST_MAX_BYTES];
    ck_assert_uint_eq(digest_set_bytes(set), 16 + 32 + 16);
    ck_assert_uint_eq(digest_offset(set, DIGEST_MD5), 0);
    ck_assert_uint_eq(digest_offset(set, DIGEST_SHA256), 16);
    ck_assert_uint_eq(digest_offset(set, DIGEST_XXH128), 48);
    ck_assert_int_eq(digest_once(hasher, set & ~(1u << DIGEST_MD5), "abc", 3, digests), 0);
    expect_hex(digests, vectors[DIGEST_SHA256].hex[1]);
    expect_hex(digests + 32, vectors[DIGEST_XXH128].hex[1]);
    ck_assert_int_eq(digest_begin(hasher, 1u << DIGEST_SHA1), -EINVAL);
    ck_assert_int_eq(digest_hasher_create(1u << DIGEST_COUNT, &hasher), -EINVAL);
    digest_hasher_destroy(hasher);
    digest_hasher_destroy(NULL);
}
END_TEST

START_TEST(any_length_as_the_library_itself)
{
    struct digest_hasher *hasher = make(1u << DIGEST_SHA256);
    uint8_t ours[32], theirs[32];
    for (size_t i = 0; i < sizeof million; i++)
        million[i] = (char)next_random();
    for (int i = 0; i < ROUNDS(100000); i++) {
        size_t bytes = i < 300 ? (size_t)i : (size_t)(next_random() % 3000);
        size_t offset = (size_t)(next_random() % (sizeof million - 3000));
        ck_assert_int_eq(digest_once(hasher, 1u << DIGEST_SHA256, million + offset, bytes, ours),
                         0);
        SHA256((const uint8_t *)million + offset, bytes, theirs);
        ck_assert_mem_eq(ours, theirs, 32);
    }
    digest_hasher_destroy(hasher);
}
END_TEST

START_TEST(names)
{
    static const struct {
        const char *name;
        int id;
    } known[] = {{"sha256", DIGEST_SHA256},
                 {"SHA256", DIGEST_SHA256},
                 {"Sha256", DIGEST_SHA256},
                 {"sha-1", DIGEST_SHA1},
                 {"SHA-224", DIGEST_SHA224},
                 {"SHA-256", DIGEST_SHA256},
                 {"SHA-384", DIGEST_SHA384},
                 {"SHA-512", DIGEST_SHA512},
                 {"SHA2-224", DIGEST_SHA224},
                 {"SHA2-256", DIGEST_SHA256},
                 {"SHA2-384", DIGEST_SHA384},
                 {"SHA2-512", DIGEST_SHA512},
                 {"SHA512-256", DIGEST_SHA512_256},
                 {"SHA512/256", DIGEST_SHA512_256},
                 {"SHA2-512/256", DIGEST_SHA512_256},
                 {"sha512256", DIGEST_SHA512_256},
                 {"SHA512t256", DIGEST_SHA512_256},
                 {"SHA3_256", DIGEST_SHA3_256},
                 {"SHA3_512", DIGEST_SHA3_512},
                 {"BLAKE2b", DIGEST_BLAKE2B},
                 {"BLAKE2b-512", DIGEST_BLAKE2B},
                 {"BLAKE2b512", DIGEST_BLAKE2B},
                 {"b2", DIGEST_BLAKE2B},
                 {"BLAKE2s256", DIGEST_BLAKE2S},
                 {"BLAKE2s-256", DIGEST_BLAKE2S},
                 {"md5", DIGEST_MD5},
                 {"CRC-32", DIGEST_CRC32},
                 {"CRC32", DIGEST_CRC32},
                 {"XXH3", DIGEST_XXH3},
                 {"XXH3_64", DIGEST_XXH3},
                 {"XXH3-64", DIGEST_XXH3},
                 {"XXH3_128", DIGEST_XXH128},
                 {"XXH3-128", DIGEST_XXH128},
                 {"XXH128", DIGEST_XXH128},
                 /* Others' algorithms and sizes are not taken for ours. */
                 {"BLAKE3", -1},
                 {"BLAKE2b-256", -1},
                 {"BLAKE2s-128", -1},
                 {"SHA512-224", -1},
                 {"SHA3-224", -1},
                 {"SHA3", -1},
                 {"CRC32C", -1},
                 {"XXH64", -1},
                 {"sha25", -1},
                 {"sha2566", -1},
                 {"sha256 ", -1},
                 {" sha256", -1},
                 {"", -1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_msg(digest_by_name(known[i].name, strlen(known[i].name)) == known[i].id, "%s",
                      known[i].name);
    /* The length counts, not the text behind it; a NUL inside is no end. */
    ck_assert_int_eq(digest_by_name("sha256 (file)", 6), DIGEST_SHA256);
    ck_assert_int_eq(digest_by_name("sha256", 4), -1);
    ck_assert_int_eq(digest_by_name("md5\0x", 5), -1);
    for (int id = 0; id < DIGEST_COUNT; id++) {
        const struct digest_algorithm *algorithm = digest_algorithm(id);
        char why[100];
        ck_assert_int_eq(digest_by_name(algorithm->name, strlen(algorithm->name)), id);
        ck_assert_int_eq(digest_by_name(algorithm->tag, strlen(algorithm->tag)), id);
        ck_assert_uint_le(algorithm->bytes, DIGEST_MAX_BYTES);
        ck_assert(digest_available(id, why, sizeof why));
        ck_assert_ptr_nonnull(digest_engine_name(id));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("digest");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, known_answers, 0, DIGEST_COUNT);
    tcase_add_test(tests, all_at_once_and_in_pieces);
    tcase_add_test(tests, lengths_around_every_edge);
    tcase_add_test(tests, random_sets_and_splits);
    tcase_add_loop_test(tests, used_again, 0, DIGEST_COUNT);
    tcase_add_loop_test(tests, refuses_what_it_was_not_made_for, 0, DIGEST_COUNT);
    tcase_add_test(tests, offsets);
    tcase_add_test(tests, a_part_of_the_set);
    tcase_add_test(tests, any_length_as_the_library_itself);
    tcase_add_test(tests, names);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
