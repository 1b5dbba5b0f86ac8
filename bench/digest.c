/* bench_digest: SHA-256 of messages in the cache, GB/s of one thread, by number and length of the
 * messages: the library beside each kernel of stages/sha256 and beside what digest_many() makes of
 * them. Medians; the ways take turns, so that a disturbance touches all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/sync.h"
#include "stages/digest.h"
#include "stages/sha256.h"

#define ROUNDS       15
#define MESSAGES_MAX 128
/* A bundle of small files: it stays in the second-level cache. */
#define BYTES_MAX (256 * 1024)
/* What a sample takes at least, in bytes of messages. */
#define SAMPLE_BYTES (1024 * 1024)

enum way { WAY_LIBRARY, WAY_16, WAY_8, WAY_PAIR, WAY_MANY, WAYS };
static const char *const names[WAYS] = {"openssl", "16 lanes", "8 lanes", "pair", "digest_many"};
static const struct sha256_kernels kernels[WAYS] = {
    [WAY_16] = {.wide = 16}, [WAY_8] = {.wide = 8}, [WAY_PAIR] = {.pair = true}};

struct set {
    size_t count, total_bytes;
    struct digest_message message[MESSAGES_MAX];
    const struct digest_message *list[MESSAGES_MAX];
};

static uint8_t data[BYTES_MAX];
static uint8_t output[MESSAGES_MAX][32];

/* `mixed`: lengths of 0 to twice `bytes`, else all the same. */
static void make_set(struct set *set, size_t count, size_t bytes, bool mixed)
{
    uint32_t random = 1;
    *set = (struct set){0};
    for (size_t at = 0; set->count < count; set->count++) {
        struct digest_message *message = &set->message[set->count];
        random = random * 1664525 + 1013904223;
        message->bytes = mixed ? (size_t)((uint64_t)random * (2 * bytes + 1) >> 32) : bytes;
        if (at + message->bytes > BYTES_MAX)
            break;
        message->data = data + at;
        message->output = output[set->count];
        set->list[set->count] = message;
        set->total_bytes += message->bytes;
        at = (at + message->bytes + 63) / 64 * 64;
    }
}

static void run(enum way way, struct digest_hasher *hasher, const struct set *set)
{
    if (way == WAY_MANY)
        (void)digest_many(hasher, 1u << DIGEST_SHA256, set->message, set->count);
    else if (way == WAY_LIBRARY)
        for (size_t i = 0; i < set->count; i++)
            (void)digest_once(hasher, 1u << DIGEST_SHA256, set->message[i].data,
                              set->message[i].bytes, set->message[i].output);
    else
        sha256_many(&kernels[way], DIGEST_SHA256, 0, set->list, set->count);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct digest_hasher *hasher, const struct set *set, const bool *has)
{
    double rate[WAYS][ROUNDS] = {{0}};
    size_t repeats = SAMPLE_BYTES / (set->total_bytes + 1) + 1;
    for (int round = 0; round < ROUNDS; round++)
        for (enum way way = 0; way < WAYS; way++) {
            if (!has[way])
                continue;
            uint64_t start = clock_ns();
            for (size_t i = 0; i < repeats; i++)
                run(way, hasher, set);
            rate[way][round] =
                (double)(set->total_bytes * repeats) / (double)(clock_ns() - start + 1);
        }
    for (enum way way = 0; way < WAYS; way++) {
        qsort(rate[way], ROUNDS, sizeof rate[way][0], by_value);
        if (has[way])
            printf("\t%.2f", rate[way][ROUNDS / 2]);
        else
            printf("\t-");
    }
    putchar('\n');
}

int main(void)
{
    static const size_t lengths[] = {64, 256, 1024, 2048, 4096, 16384, 65536};
    static const size_t counts[] = {2, 8, 16, 32, 128};
    const char *why;
    bool has[WAYS] = {true, sha256_has(16, &why), sha256_has(8, &why), sha256_has(2, &why), true};
    struct digest_hasher *hasher;
    static struct set set;
    if (digest_hasher_create(1u << DIGEST_SHA256, &hasher)) {
        fprintf(stderr, "bench_digest: no SHA-256\n");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 131);
    printf("# GB/s, one thread, median of %d; %s\nmessages\tbytes", ROUNDS, sha256_choice()->text);
    for (enum way way = 0; way < WAYS; way++)
        printf("\t%s", names[way]);
    putchar('\n');
    for (int mixed = 0; mixed < 2; mixed++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                if (counts[c] * lengths[l] > BYTES_MAX)
                    continue;
                make_set(&set, counts[c], lengths[l], mixed);
                printf("%zu\t%s%zu", set.count, mixed ? "0-" : "", lengths[l] << mixed);
                measure(hasher, &set, has);
            }
    digest_hasher_destroy(hasher);
    return EXIT_SUCCESS;
}
