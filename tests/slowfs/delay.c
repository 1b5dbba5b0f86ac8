#include "tests/slowfs/delay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

int64_t delay_now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool is_before(const struct request *a, const struct request *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

int delay_put(struct delay_heap *heap, const struct request *request, int64_t latency_ns)
{
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity != 0 ? heap->capacity * 2 : 256;
        struct request *requests = reallocarray(heap->requests, capacity, sizeof(*requests));

        if (requests == NULL)
            return -ENOMEM;
        heap->requests = requests;
        heap->capacity = capacity;
    }
    struct request added = *request;
    size_t place = heap->count++;

    added.due_ns = delay_now_ns() + latency_ns;
    added.number = heap->next_number++;
    while (place > 0 && is_before(&added, &heap->requests[(place - 1) / 2])) {
        heap->requests[place] = heap->requests[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->requests[place] = added;
    return 0;
}

int delay_take(struct delay_heap *heap, int64_t now_ns, struct request *request)
{
    if (heap->count == 0 || heap->requests[0].due_ns > now_ns)
        return 0;
    *request = heap->requests[0];
    struct request moved = heap->requests[--heap->count];
    size_t place = 0;

    for (size_t child; (child = place * 2 + 1) < heap->count; place = child) {
        if (child + 1 < heap->count &&
            is_before(&heap->requests[child + 1], &heap->requests[child]))
            child++;
        if (!is_before(&heap->requests[child], &moved))
            break;
        heap->requests[place] = heap->requests[child];
    }
    heap->requests[place] = moved;
    return 1;
}

int64_t delay_until_next_ns(const struct delay_heap *heap, int64_t now_ns)
{
    if (heap->count == 0)
        return -1;
    return heap->requests[0].due_ns > now_ns ? heap->requests[0].due_ns - now_ns : 0;
}

void delay_destroy(struct delay_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        free(heap->requests[i].name);
    free(heap->requests);
    *heap = (struct delay_heap){0};
}
