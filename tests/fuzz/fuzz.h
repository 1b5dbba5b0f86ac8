/* fuzz: what the targets share. Each is a program of libFuzzer (clang): random changes of the seed
 * corpus, led by coverage, until one of the sanitizers or FUZZ_CHECK() objects.
 */
#ifndef TREEMILL_TESTS_FUZZ_FUZZ_H
#define TREEMILL_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/codec.h"

/* As assert(), in every build: what libFuzzer reports as a crash, with the input. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Choices of a target that are no part of the data it parses: the input's last bytes, so that a
 * file with some bytes behind it is a seed. */
#define FUZZ_CHOICE_BYTES 8

struct fuzz_choices {
    uint8_t byte[FUZZ_CHOICE_BYTES];
    size_t turn;
};

/* Splits them off. What is shorter than that is all data. */
static inline size_t fuzz_choices_take(struct fuzz_choices *choices, const uint8_t *data,
                                       size_t bytes)
{
    *choices = (struct fuzz_choices){.turn = 0};
    if (bytes < FUZZ_CHOICE_BYTES)
        return bytes;
    memcpy(choices->byte, data + bytes - FUZZ_CHOICE_BYTES, FUZZ_CHOICE_BYTES);
    return bytes - FUZZ_CHOICE_BYTES;
}

/* The next size of a piece: 1 to 128, or some KiB up to 64. */
#define FUZZ_PIECE_MAX 65536
static inline size_t fuzz_piece(struct fuzz_choices *choices)
{
    size_t choice = choices->byte[choices->turn++ % FUZZ_CHOICE_BYTES];
    return choice < 128 ? choice + 1 : (choice - 127) * 512;
}

/* Walks the index of a file with these bytes, if it has one, and compares what its units hold with
 * what the file as one stream holds (index_check.c). */
void index_check(const uint8_t *data, size_t bytes, enum codec_format format);

#endif
