/* mutation: an archive that is a little, or very, different from another one. */
#ifndef TREEMILL_TESTS_HOSTILE_MUTATION_H
#define TREEMILL_TESTS_HOSTILE_MUTATION_H

#include <stddef.h>
#include <stdint.h>

struct seed {
    char name[64]; /* ends in ".tar": its headers may get right checksums again */
    uint8_t *bytes;
    size_t count;
};

/* Bytes of the new one, at most `capacity`, which has room for both. The same numbers, the same
 * archive. */
size_t mutate(const struct seed *seed, const struct seed *other, uint64_t number, uint8_t *bytes,
              size_t capacity);

#endif
