#include "stages/shortage.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "stages/opener.h"

/* Below this, so few workers are enough to use them up that they had better not keep any. */
#define PLENTY 256

/* Without a single success in between; about half a minute. Another job on the machine may be what
 * holds them. */
#define PAUSES_MAX 10000
#define PAUSE_NS   1000000

/* One table a process, one state. Set once, never cleared; relaxed, since it decides nothing but
 * what is kept open. */
static _Atomic bool is_scarce, was_asked;

bool shortage_is_expected(void)
{
    struct rlimit limit;
    if (!atomic_load_explicit(&was_asked, memory_order_relaxed)) {
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < PLENTY)
            atomic_store_explicit(&is_scarce, true, memory_order_relaxed);
        atomic_store_explicit(&was_asked, true, memory_order_relaxed);
    }
    return atomic_load_explicit(&is_scarce, memory_order_relaxed);
}

unsigned shortage_lacking(void)
{
    int taken[SHORTAGE_LEAST];
    unsigned count = 0;
    while (count < SHORTAGE_LEAST && (taken[count] = open("/", O_PATH | O_CLOEXEC)) >= 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        close(taken[i]);
    return SHORTAGE_LEAST - count;
}

/* 1 to 4 ms: workers that met in the same instant do not meet again in the next one. */
static uint64_t pause_ns(const struct shortage *shortage)
{
    uint64_t mixed = ((uintptr_t)shortage / 64 + shortage->pauses) * 0x9e3779b97f4a7c15u;
    return PAUSE_NS * (1 + (mixed >> 62)) + (mixed >> 44 & 0xffff);
}

static bool is_over(int stop_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

static bool may_pass(struct shortage *shortage, int error)
{
    if (!opener_is_descriptor_shortage(error))
        return false;
    atomic_store_explicit(&is_scarce, true, memory_order_relaxed);
    /* Not set back when it was enough: after one failure, the next files do not wait as long. */
    return shortage->pauses < PAUSES_MAX && ++shortage->pauses;
}

bool shortage_may_pass(struct shortage *shortage, int error, const struct io_chain *chain)
{
    return may_pass(shortage, error) && !is_over(chain->stop_fd);
}

void shortage_pause(const struct shortage *shortage, struct io_chain *chain)
{
    io_add(chain, (struct io_op){.code = IO_PAUSE, .size = (size_t)pause_ns(shortage)});
}

int shortage_open(const char *path, size_t path_bytes, int flags)
{
    struct shortage shortage = {0};
    for (;;) {
        int fd = opener_open(path, path_bytes, flags);
        if (!may_pass(&shortage, fd))
            return fd;
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns(&shortage)}, NULL);
    }
}
