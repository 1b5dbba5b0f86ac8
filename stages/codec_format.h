/* codec_format: the containers' fixed parts, as they are written and read.
 *
 * A gzip member of ours (RFC 1952): ten bytes of header with FEXTRA, XLEN, one subfield 'T' 'M' of
 * 8 bytes: the member's size and that of its content, each 32 bits, little-endian; deflate data;
 * CRC-32, ISIZE.
 *
 * The seek table of zstd (contrib/seekable_format/zstd_seekable_compression_format.md in zstd's
 * source): a skippable frame of a row for each frame, its size and that of its content, and a
 * footer: number of frames, descriptor, magic number.
 *
 * What is no content, as the index of member_index_format.h, stands behind the last block: for gzip
 * in members without content, in a further subfield of the header; for zstd in a skippable frame,
 * which has its row in the seek table, with a content of 0 bytes.
 */
#ifndef TREEMILL_STAGES_CODEC_FORMAT_H
#define TREEMILL_STAGES_CODEC_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define CODEC_MEMBER_HEADER_BYTES  24
#define CODEC_MEMBER_TRAILER_BYTES 8
#define CODEC_MEMBER_BYTES         (CODEC_MEMBER_HEADER_BYTES + CODEC_MEMBER_TRAILER_BYTES)

#define CODEC_SEEK_FRAME_MAGIC  0x184D2A5EU
#define CODEC_SEEK_FOOTER_MAGIC 0x8F92EAB1U
#define CODEC_SEEK_FRAMES_MAX   0x8000000U
#define CODEC_SEEK_FOOTER_BYTES 9
#define CODEC_SEEK_ROW_BYTES    8

static inline void codec_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void codec_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t codec_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Writes header and trailer around `deflated` bytes at output + CODEC_MEMBER_HEADER_BYTES. */
void codec_member_wrap(uint8_t *output, size_t deflated, size_t content_bytes, uint32_t crc,
                       int level);

/* A member without content, whose header has a further subfield: its name and up to
 * CODEC_EMPTY_DATA_MAX bytes. Room: CODEC_EMPTY_MEMBER_BYTES and those. The member's size. */
#define CODEC_EMPTY_HEADER_BYTES (CODEC_MEMBER_HEADER_BYTES + 4)
#define CODEC_EMPTY_MEMBER_BYTES (CODEC_EMPTY_HEADER_BYTES + 2 + CODEC_MEMBER_TRAILER_BYTES)
#define CODEC_EMPTY_DATA_MAX     60000
size_t codec_empty_member(uint8_t *output, const char name[static 2], const void *data,
                          size_t bytes);

/* The plain header of a single member: ten bytes. */
#define CODEC_PLAIN_HEADER_BYTES 10
void codec_plain_header(uint8_t output[static CODEC_PLAIN_HEADER_BYTES], int level);

#endif
