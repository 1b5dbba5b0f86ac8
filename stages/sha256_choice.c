/* Which of the ways to SHA-256 is the fastest on this CPU: measured, because no feature bit tells.
 * Eight columns of AVX2 may be slower than the SHA instructions, 16 of AVX-512 may be twice as
 * fast or the same, depending on how wide the units behind them are. */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/sync.h"
#include "stages/sha256.h"

/* One sample of each way takes 10 to 60 us; the shortest of a few is taken, since whatever else
 * the machine does makes samples longer, never shorter. */
#define SAMPLES       4
#define MESSAGES      32
#define MESSAGE_BYTES 1024

/* A way that wins by less than noise or upkeep is not taken: wide kernels pay for full columns
 * when few messages are left, and the library is the one that needs no reason. */
#define MARGIN 1.05

struct material {
    uint8_t data[MESSAGES * MESSAGE_BYTES];
    uint8_t digest[MESSAGES][32];
    struct digest_message message[MESSAGES];
    const struct digest_message *list[MESSAGES];
};

static double rate_of_kernels(struct material *m, struct sha256_kernels kernels)
{
    uint64_t best = UINT64_MAX;
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = clock_ns();
        sha256_many(&kernels, DIGEST_SHA256, 0, m->list, MESSAGES);
        uint64_t taken = clock_ns() - start;
        best = taken < best ? taken : best;
    }
    return sizeof m->data / ((double)best * 1e-9 + 1e-9);
}

/* 0: the library does not offer it. */
static double rate_of_library(struct material *m)
{
    struct digest_hasher *hasher;
    uint64_t best = UINT64_MAX;
    if (digest_hasher_create(1u << DIGEST_SHA256, &hasher))
        return 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = clock_ns();
        for (int i = 0; i < MESSAGES; i++)
            digest_once(hasher, 1u << DIGEST_SHA256, m->message[i].data, MESSAGE_BYTES,
                        m->digest[i]);
        uint64_t taken = clock_ns() - start;
        best = taken < best ? taken : best;
    }
    digest_hasher_destroy(hasher);
    return sizeof m->data / ((double)best * 1e-9 + 1e-9);
}

static void choose(struct sha256_choice *choice, unsigned wide)
{
    double fastest = choice->wide > choice->pair ? choice->wide : choice->pair;
    bool takes_wide = wide && choice->wide > MARGIN * choice->pair;
    choice->best.wide = takes_wide ? wide : 0;
    choice->best.pair = choice->pair > 0;
    /* A step of the wide kernel costs the same whatever its columns hold: n messages take as long
     * as `wide` of them would, while pairs take n / 2 steps. */
    if (takes_wide && choice->best.pair)
        choice->best.pair_at = (unsigned)(wide * choice->pair / choice->wide);
    choice->beats_library = fastest > MARGIN * choice->library;
    choice->pair_beats_library = choice->pair > MARGIN * choice->library;
}

struct figure {
    char name[24];
    double rate;
};

/* The ways with their figures, the fastest first. */
static void describe(struct sha256_choice *choice, unsigned wide)
{
    struct figure figure[3] = {{"OpenSSL", choice->library}, {"pairs of SHA-NI", choice->pair}};
    size_t used = 0;
    snprintf(figure[2].name, sizeof figure[2].name, "%u lanes %s", wide,
             wide == 16 ? "AVX-512" : "AVX2");
    figure[2].rate = choice->wide;
    for (int rank = 0; rank < 3; rank++) {
        struct figure *best = &figure[0];
        for (int i = 1; i < 3; i++)
            best = figure[i].rate > best->rate ? &figure[i] : best;
        if (best->rate > 0)
            used += (size_t)snprintf(choice->text + used, sizeof choice->text - used, "%s%s %.1f%s",
                                     rank ? ", " : "", best->name, best->rate * 1e-9,
                                     rank ? "" : " GB/s");
        best->rate = 0;
    }
}

static struct sha256_choice measured; /* written once, before pthread_once() lets anyone pass */

static void measure(void)
{
    static struct material m; /* zeros will do: no instruction here looks at values */
    const char *no_wide, *no_pair;
    unsigned wide = sha256_has(16, &no_wide) ? 16 : sha256_has(8, &no_wide) ? 8 : 0;
    bool pair = sha256_has(2, &no_pair);
    for (int i = 0; i < MESSAGES; i++) {
        m.message[i] =
            (struct digest_message){m.data + i * MESSAGE_BYTES, MESSAGE_BYTES, m.digest[i]};
        m.list[i] = &m.message[i];
    }
    if (!wide && !pair) {
        snprintf(measured.text, sizeof measured.text, "%s%s%s", no_wide,
                 strcmp(no_wide, no_pair) == 0 ? "" : " and ",
                 strcmp(no_wide, no_pair) == 0 ? "" : no_pair);
        return;
    }
    measured.library = rate_of_library(&m);
    if (wide)
        measured.wide = rate_of_kernels(&m, (struct sha256_kernels){.wide = wide});
    if (pair)
        measured.pair = rate_of_kernels(&m, (struct sha256_kernels){.pair = true});
    choose(&measured, wide);
    describe(&measured, wide);
}

const struct sha256_choice *sha256_choice(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure);
    return &measured;
}

/* Pairs are as quick as the library even for one message, and finish what the wide kernel leaves.
 * Without them a message much longer than the others would keep all columns going alone; the same
 * holds for the longest of a few. */
size_t sha256_library_share(const struct sha256_choice *choice,
                            const struct digest_message *const *messages, size_t count)
{
    double total = 0;
    size_t share = 0;
    for (size_t i = 0; i < count; i++)
        total += (double)messages[i]->bytes;
    for (; !choice->best.pair && share < count; share++) {
        double bytes = (double)messages[share]->bytes;
        double alone = bytes * choice->best.wide / choice->wide;
        if (alone <= bytes / choice->library + (total - bytes) / choice->wide)
            break;
        total -= bytes;
    }
    return share;
}
