#include "stages/in_work.h"

#include <string.h>

/* The last IN_WORK_BYTES of both together. */
void in_work_fill(struct in_work *box, const char *directory, size_t directory_bytes,
                  const char *name, size_t name_bytes)
{
    if (name_bytes > IN_WORK_BYTES) {
        name += name_bytes - IN_WORK_BYTES;
        name_bytes = IN_WORK_BYTES;
    }
    size_t room = IN_WORK_BYTES - name_bytes;
    if (directory_bytes > room) {
        directory += directory_bytes - room;
        directory_bytes = room;
    }
    memcpy(box->name, directory, directory_bytes);
    memcpy(box->name + directory_bytes, name, name_bytes);
    box->bytes = directory_bytes + name_bytes;
    atomic_store_explicit(&box->is_full, true, memory_order_release);
}

bool in_work_take(struct in_work *box, char out[static IN_WORK_BYTES + 1])
{
    if (!atomic_load_explicit(&box->is_full, memory_order_acquire))
        return false;
    memcpy(out, box->name, box->bytes);
    out[box->bytes] = '\0';
    atomic_store_explicit(&box->is_full, false, memory_order_release);
    return true;
}
