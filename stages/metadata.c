#include "stages/metadata.h"

#include <errno.h>
#include <string.h>

/* The packed form: for each attribute this head, the name with its NUL, the value. Nothing is
 * aligned, so the head is copied. */
struct head {
    uint32_t name_bytes; /* with NUL */
    uint32_t value_bytes;
};

bool metadata_next(const void *packed, size_t packed_bytes, size_t *cursor,
                   struct metadata_attribute *attribute)
{
    const char *bytes = packed;
    struct head head;

    if (packed_bytes < *cursor || packed_bytes - *cursor < sizeof head)
        return false;
    memcpy(&head, bytes + *cursor, sizeof head);
    size_t left = packed_bytes - *cursor - sizeof head;
    const char *name = bytes + *cursor + sizeof head;
    if (!head.name_bytes || head.name_bytes > left || head.value_bytes > left - head.name_bytes ||
        name[head.name_bytes - 1] != '\0')
        return false;
    *attribute = (struct metadata_attribute){name, name + head.name_bytes, head.value_bytes};
    *cursor += sizeof head + head.name_bytes + head.value_bytes;
    return true;
}

ptrdiff_t metadata_add(void *packed, size_t used, size_t capacity, const char *name,
                       const void *value, size_t value_bytes)
{
    size_t name_bytes = strlen(name) + 1;
    size_t left = capacity - used;
    char *at = (char *)packed + used;

    if (value_bytes > UINT32_MAX || name_bytes > UINT32_MAX || left < sizeof(struct head) ||
        left - sizeof(struct head) < name_bytes ||
        left - sizeof(struct head) - name_bytes < value_bytes)
        return -E2BIG;
    memcpy(at, &(struct head){(uint32_t)name_bytes, (uint32_t)value_bytes}, sizeof(struct head));
    at += sizeof(struct head);
    memcpy(at, name, name_bytes);
    if (value_bytes)
        memcpy(at + name_bytes, value, value_bytes);
    return (ptrdiff_t)(used + sizeof(struct head) + name_bytes + value_bytes);
}
