/* Manifests as the tools print them, broken ones, and what the reader says of each: the cases of
 * test_manifest_read.c, and the seeds of tests/fuzz/fuzz_manifest.c. */
#ifndef TREEMILL_TESTS_UNIT_MANIFEST_CASES_H
#define TREEMILL_TESTS_UNIT_MANIFEST_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "stages/digest.h"

#define MD5    "900150983cd24fb0d6963f7d28e17f72"
#define SHA1   "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define CRC32  "352441c2"
#define XXH3   "78af5f94892f3950"
#define XXH128 "06b05ab6733a618578af5f94892f3950"

#define NUL_END(text) text, sizeof text - 1

static const struct {
    const char *text;
    size_t bytes;
    const char *name;
    uint32_t set;
    const char *said;
} cases[] = {
    /* coreutils */
    {NUL_END(SHA256 "  a b\n" SHA256 " *bin\n"), NULL, 0,
     "a b:sha256=" SHA256 ";bin:sha256=" SHA256 ";"},
    {NUL_END("\\" SHA256 "  a\\\\b\\nc\\rd\n"), NULL, 0, "a\\b\nc\rd:sha256=" SHA256 ";"},
    {NUL_END(SHA256 "  back\\slash\n"), NULL, 0, "back\\slash:sha256=" SHA256 ";"},
    {NUL_END(MD5 "  -x\n\n# comment\n" MD5 "   lead\n"), NULL, 0,
     "-x:md5=" MD5 "; lead:md5=" MD5 ";"},
    {NUL_END(SHA256 "  crlf\r\n"), NULL, 0, "crlf:sha256=" SHA256 ";"},
    {NUL_END("SHA256 (a (b) = c) = " SHA256 "\n"), NULL, 0, "a (b) = c:sha256=" SHA256 ";"},
    {NUL_END("\\MD5 (a\\nb) = " MD5 "\n"), NULL, 0, "a\nb:md5=" MD5 ";"},
    {NUL_END(MD5 "  a\nb\0" MD5 "  c\0"), NULL, 0, "a\nb:md5=" MD5 ";c:md5=" MD5 ";"},
    {NUL_END(SHA256 "  no end"), NULL, 0, "no end:sha256=" SHA256 ";"},
    {NUL_END("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD  upper\n"), NULL, 0,
     "upper:sha256=" SHA256 ";"},
    /* openssl dgst, rhash --bsd, xxhsum, b3sum --tag */
    {NUL_END("SHA2-256(x)= " SHA256 "\n"), NULL, 0, "x:sha256=" SHA256 ";"},
    {NUL_END("SHA2-256(y) = x)= " SHA256 "\n"), NULL, 0, "y) = x:sha256=" SHA256 ";"},
    {NUL_END("MD5   (x) = " MD5 "\n"), NULL, 0, "x:md5=" MD5 ";"},
    {NUL_END("XXH3 (x) = " XXH3 "\n"
             "XXH3_" XXH3 "  y\n"),
     NULL, 0, "x:xxh3=" XXH3 ";y:xxh3=" XXH3 ";"},
    {NUL_END("BLAKE3 (x) = " SHA256 "\n"
             "Dear (reader) = you\n"),
     NULL, 0, "?x;!2;"},
    {NUL_END("  " MD5 "  x\n\t\\" MD5 "  a\\nb\n   \n"), NULL, 0,
     "x:md5=" MD5 ";a\nb:md5=" MD5 ";!3;"},
    /* What an untagged digest is: asked for, by the manifest's name, by its length. */
    {NUL_END(XXH128 "  x\n"), NULL, 1u << DIGEST_XXH128, "x:xxh128=" XXH128 ";"},
    {NUL_END(XXH128 "  x\n"), "dir/list.xxh128", 0, "x:xxh128=" XXH128 ";"},
    {NUL_END(XXH128 "  x\n"), NULL, 0, "x:md5=" XXH128 ";"},
    {NUL_END(XXH3 "  x\n" CRC32 "  y\n1234567  z\n"), NULL, 0, "?x;?y;!3;"},
    {NUL_END(XXH3 "  x\n"), NULL, 1u << DIGEST_XXH3, "x:xxh3=" XXH3 ";"},
    {NUL_END(XXH3 "  x\n"), "x.xxh3", 0, "x:xxh3=" XXH3 ";"},
    {NUL_END(XXH3 "  x\n"), "x.xxh64", 0, "?x(XXH64);"},
    {NUL_END(CRC32 "  x\n"), "x.crc32", 0, "x:crc32=" CRC32 ";"},
    {NUL_END(SHA256 "  x\nMD5 (y) = " MD5 "\n"), "x.b3", 0, "?x(BLAKE3);y:md5=" MD5 ";"},
    {NUL_END(SHA256 "  x\n"), "/d/B3SUMS", 0, "?x(BLAKE3);"},
    {NUL_END(SHA256 "  x\n"), "x.b3", 1u << DIGEST_BLAKE2S, "x:blake2s=" SHA256 ";"},
    {NUL_END(SHA256 SHA256 "  x\n" SHA256 "  y\n"), "x.b2", 0,
     "x:blake2b=" SHA256 SHA256 ";?y(BLAKE2b of that length);"},
    {NUL_END(SHA256 "  x\n"), "SHA256SUMS", 0, "x:sha256=" SHA256 ";"},
    {NUL_END(SHA256 "  x\n"), "blake2ssum.txt", 0, "x:blake2s=" SHA256 ";"},
    {NUL_END(MD5 "  data/a%0Ab%25%41\n"), "bag/manifest-md5.txt", 0, "data/a\nb%%41:md5=" MD5 ";"},
    {NUL_END("; comment\nname with blank " CRC32 "\n"), NULL, 0,
     "name with blank:crc32=" CRC32 ";"},
    {NUL_END("x " CRC32 "\n"), "list.sfv", 0, "x:crc32=" CRC32 ";"},
    /* hashdeep */
    {NUL_END("%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## Invoked from: /\n##\n3," MD5
             "," SHA256 ",/a,b\n1," MD5 "\n"),
     NULL, 0, "/a,b[3]:md5=" MD5 ":sha256=" SHA256 ";!6;"},
    {NUL_END("%%%% HASHDEEP-1.0\n%%%% size,whirlpool,filename\n3,00,x\n"), NULL, 0, "?x;"},
    {NUL_END("%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n3," MD5 ",c\r\n"), NULL, 0,
     "c\r[3]:md5=" MD5 ";"},
    {NUL_END("%%%% HASHDEEP-1.0\r\n%%%% size,md5,filename\r\n3," MD5 ",c\r\n"), NULL, 0,
     "c[3]:md5=" MD5 ";"},
    {NUL_END("%%%% HASHDEEP-1.0\n%%%% size,tiger,sha1,filename\n3,xyz," SHA1 ",x\n"), NULL, 0,
     "x[3]:sha1=" SHA1 ";"},
    /* mtree: whole paths, relative ones, /set, continuation, escapes */
    {NUL_END("#mtree\n./a\\040b type=file size=3 sha256digest=" SHA256
             "\n./d type=dir\n./l type=link link=x\n"),
     NULL, 0, "./a b[3]:sha256=" SHA256 ";"},
    {NUL_END("#mtree\n/set type=file\n. type=dir\n    x size=1 md5=" MD5
             "\n    sub type=dir\n        y size=2\n    ..\n    z \\\n        size=4 md5digest=" MD5
             "\n..\n"),
     NULL, 0, "./x[1]:md5=" MD5 ";./sub/y[2];./z[4]:md5=" MD5 ";"},
    {NUL_END("#mtree\n./a type=file rmd160digest=00\n./b type=file size=1 sha3-224digest=00\n./c "
             "type=file size=1 cksum=5\n"
             "./d type=file mode=0644\n./e type=file size=1 mode=0644\n./f rmd160=00 md5=" MD5
             "\n"),
     NULL, 0, "?./a;?./b;?./c;?./d;./e[1];./f:md5=" MD5 ";"},
    /* JSON */
    {NUL_END(
         "{\"path\":\"t/a\",\"blake3\":\"00\"}\n{\"path\":\"b\",\"size\":3}\n{\"path\":\"c\"}\n"),
     NULL, 0, "?t/a;?b;?c;"},
    {NUL_END("{\"path\":\"a\\u00e4\\n\\\"\",\"size\":3,\"mtime\":\"1.5\",\"sha256\":\"" SHA256
             "\"}\n"),
     NULL, 0, "a\xc3\xa4\n\"[3]:sha256=" SHA256 ";"},
    {NUL_END("{\"md5\":\"" MD5 "\",\"path\":\"\\ud83d\\ude00\"}\n"), NULL, 0,
     "\xf0\x9f\x98\x80:md5=" MD5 ";"},
    {NUL_END("{\"path_b64\":\"//4=\",\"md5\":\"" MD5 "\"}\n"), NULL, 0, "\xff\xfe:md5=" MD5 ";"},
    {NUL_END("{\"path\":\"x\"\n{\"path\":\"a\\u0000b\"}\n{\"path\":\"\\ud800\"}\n{}\n{\"path\":"
             "\"x\"} y\n"),
     NULL, 0, "!1;!2;!3;!4;!5;"},
    /* Broken lines; the good one after them counts. */
    {NUL_END("nonsense\n" SHA256 "\n" SHA256 "  \nba78  short\nSHA256 (x) = " MD5 "\n\\" MD5
             "  bad\\escape\n" MD5 "  good\n"),
     NULL, 0, "!1;!2;!3;!4;!5;!6;good:md5=" MD5 ";"},
    {NUL_END(""), NULL, 0, ""},
    {NUL_END("\n\n"), NULL, 0, ""},
};

#endif
