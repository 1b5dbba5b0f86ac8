#include "pipeline/io_inject.h"

#ifdef TREEMILL_CRASH_POINTS

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int result; /* 0: half of what was read or would be written */
    bool only_writes;
} kinds[] = {{"short", 0, false},           {"eintr", -EINTR, false},  {"again", -EAGAIN, false},
             {"cancel", -ECANCELED, false}, {"enospc", -ENOSPC, true}, {"eio", -EIO, true}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* Set once, then constant. */
static unsigned long every[KINDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* So far in this process; any thread, relaxed: which one it hits does not matter. */
static _Atomic unsigned long reads, writes;

static void parse(void)
{
    const char *text = getenv("TREEMILL_IO_FAULT");
    while (text && *text) {
        size_t length = strcspn(text, ":");
        for (size_t k = 0; k < KINDS; k++)
            if (strlen(kinds[k].name) == length && memcmp(kinds[k].name, text, length) == 0 &&
                text[length])
                every[k] = strtoul(text + length + 1, NULL, 10);
        text = strchr(text, ',');
        if (text)
            text++;
    }
}

/* The kind that the next one is to suffer; KINDS: none. */
static size_t next_fault(_Atomic unsigned long *counter, bool is_write)
{
    unsigned long number = atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) + 1;
    size_t k = 0;
    while (k < KINDS && !(every[k] && number % every[k] == 0 && kinds[k].only_writes <= is_write))
        k++;
    return k;
}

int64_t io_inject(int64_t result)
{
    pthread_once(&once, parse);
    if (result <= 1)
        return result;
    size_t k = next_fault(&reads, false);
    if (k == KINDS)
        return result;
    return kinds[k].result ? kinds[k].result : result / 2;
}

int io_inject_write(size_t *bytes)
{
    pthread_once(&once, parse);
    if (*bytes <= 1) /* half of it would be nothing */
        return 0;
    size_t k = next_fault(&writes, true);
    if (k == KINDS)
        return 0;
    if (!kinds[k].result)
        *bytes /= 2;
    return kinds[k].result;
}

#endif
