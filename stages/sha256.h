/* sha256: SHA-224 and SHA-256 (FIPS 180-4) of many messages at once.
 *
 * A library computes one message after another, and each round waits for the one before it. Here
 * several messages go through the rounds together, one a column:
 *
 *   16 columns  AVX-512: a message in each 32-bit element of a vector
 *    8 columns  AVX2: the same
 *    2 columns  the SHA instructions, two streams of them interleaved ("pair")
 *
 * When a message ends, its column begins the next one, so that the columns are full until fewer
 * messages are left than there are columns. Then the wide kernels go on at the price of full ones;
 * where the CPU has the SHA instructions, the last few messages are finished by pairs, from
 * wherever they are.
 *
 * Messages are compressed where they lie. Only the last bytes of each, less than a block, are
 * copied and padded to one or two blocks (5.1.1). No byte behind a message's end is read.
 *
 * Which kernels are worth using depends on the CPU and is measured, once in a process.
 */
#ifndef TREEMILL_STAGES_SHA256_H
#define TREEMILL_STAGES_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/digest.h"

/* What a run uses. At least one of wide and pair. */
struct sha256_kernels {
    unsigned wide; /* columns of the wide kernel: 16, 8, or 0 for none */
    bool pair;
    /* With both: from how few unfinished messages on pairs are quicker. */
    unsigned pair_at;
};

/* Whether this CPU, operating system and build can run the kernel of so many columns (16, 8, 2);
 * if not, why gets what is missing, a static text. Any thread. */
bool sha256_has(unsigned columns, const char **why);

/* Computes `id`, DIGEST_SHA224 or DIGEST_SHA256, of each message and writes it `offset` bytes into
 * the message's output. Begins them in the order given: the longest first makes the end short.
 * The CPU must have the kernels. Cannot fail. Any thread. */
void sha256_many(const struct sha256_kernels *kernels, enum digest_id id, size_t offset,
                 const struct digest_message *const *messages, size_t count);

/* What was measured, in bytes a second (0: not measured), and what follows from it. */
struct sha256_choice {
    double library, pair, wide;
    struct sha256_kernels best; /* wide == 0 and no pair: the CPU has none of them */
    bool beats_library;
    bool pair_beats_library; /* for streams, of which there are no more than two */
    char text[120];          /* one line for people: the figures, or why there are none */
};

/* Measures at the first call in the process, in less than half a millisecond, and remembers. Best
 * called before any fork, so that workers inherit the answer. Any thread. */
const struct sha256_choice *sha256_choice(void);

/* How many of the messages, from the first one on, the library would do faster one by one. They
 * are in order of their sizes, the longest first, more or less. Any thread. */
size_t sha256_library_share(const struct sha256_choice *choice,
                            const struct digest_message *const *messages, size_t count);

#endif
