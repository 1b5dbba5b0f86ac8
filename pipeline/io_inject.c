#include "pipeline/io_inject.h"

#ifdef TREEMILL_CRASH_POINTS

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t result; /* 0: half of what was read */
} kinds[] = {{"short", 0}, {"eintr", -EINTR}, {"again", -EAGAIN}, {"cancel", -ECANCELED}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* Set once, then constant. */
static unsigned long every[KINDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Reads so far in this process; any thread, relaxed: which read it hits does not matter. */
static _Atomic unsigned long reads;

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

int64_t io_inject(int64_t result)
{
    pthread_once(&once, parse);
    if (result <= 1)
        return result;
    unsigned long number = atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed) + 1;
    for (size_t k = 0; k < KINDS; k++)
        if (every[k] && number % every[k] == 0)
            return kinds[k].result ? kinds[k].result : result / 2;
    return result;
}

#endif
