#include "stages/tar_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/untar.h"

#define BLOCK_BYTES 512

struct tar_check {
    struct unpack_limits limits;
    struct untar *untar;
    enum { CHECK_FIRST_BLOCK, CHECK_TAR, CHECK_NOTHING } state;
    bool is_ended; /* the mark of its end has come */
    uint8_t block[BLOCK_BYTES];
    size_t block_bytes; /* of the first one */
    uint64_t members, bytes;
    struct tm_fault fault;
};

int tar_check_create(const struct unpack_limits *limits, struct tar_check **out)
{
    struct tar_check *check = *out = calloc(1, sizeof *check);
    if (!check)
        return -ENOMEM;
    int error = untar_create(&check->untar);
    if (error) {
        free(check);
        *out = NULL;
        return error;
    }
    untar_pass_attributes(check->untar);
    check->limits = *limits;
    return 0;
}

void tar_check_destroy(struct tar_check *check)
{
    if (!check)
        return;
    untar_destroy(check->untar);
    free(check);
}

void tar_check_begin(struct tar_check *check, bool is_tar)
{
    untar_reset(check->untar);
    check->state = is_tar ? CHECK_TAR : CHECK_FIRST_BLOCK;
    check->is_ended = false;
    check->block_bytes = 0;
    check->members = check->bytes = 0;
    check->fault = TM_NO_FAULT;
}

static bool is_over(const struct tar_check *check)
{
    const struct unpack_limits *limits = &check->limits;
    return (limits->members && check->members > limits->members) ||
           (limits->bytes && check->bytes > limits->bytes);
}

static void take(struct tar_check *check, const uint8_t *data, size_t bytes)
{
    struct untar_step step = {.input = data, .input_bytes = bytes};
    while (!check->is_ended && !fault_is_set(check->fault)) {
        switch (untar_next(check->untar, &step)) {
        case UNTAR_MORE:
            return;
        case UNTAR_MEMBER:
            check->members++;
            break;
        case UNTAR_DATA:
            check->bytes += step.data_bytes;
            break;
        case UNTAR_DONE:
            break;
        case UNTAR_END:
            check->is_ended = true;
            break;
        default:
            check->fault = fault_of(TM_FAULT_CORRUPT);
            return;
        }
        if (is_over(check))
            check->fault = fault_of(TM_FAULT_LIMIT);
    }
}

/* How much of the data the first block has taken. */
static size_t fill_block(struct tar_check *check, const uint8_t *data, size_t bytes)
{
    size_t room = BLOCK_BYTES - check->block_bytes;
    size_t taken = bytes < room ? bytes : room;
    memcpy(check->block + check->block_bytes, data, taken);
    check->block_bytes += taken;
    if (check->block_bytes < BLOCK_BYTES)
        return taken;
    check->state = untar_detect(check->block, BLOCK_BYTES) ? CHECK_TAR : CHECK_NOTHING;
    if (check->state == CHECK_TAR)
        take(check, check->block, BLOCK_BYTES);
    return taken;
}

struct tm_fault tar_check_push(struct tar_check *check, const void *data, size_t bytes)
{
    const uint8_t *next = data;
    if (check->state == CHECK_FIRST_BLOCK && bytes) {
        size_t taken = fill_block(check, next, bytes);
        next += taken;
        bytes -= taken;
    }
    if (check->state == CHECK_TAR && bytes)
        take(check, next, bytes);
    return check->fault;
}

struct tm_fault tar_check_finish(struct tar_check *check, bool *has_no_end)
{
    *has_no_end = false;
    if (check->state != CHECK_TAR || check->is_ended || fault_is_set(check->fault))
        return check->fault;
    int got = untar_finish(check->untar);
    *has_no_end = got > 0;
    if (got < 0)
        check->fault = fault_of(got == -ENODATA ? TM_FAULT_TRUNCATED : TM_FAULT_CORRUPT);
    return check->fault;
}

void tar_check_text(const struct tar_check *check, char *text, size_t capacity)
{
    *text = '\0';
    unsigned long long position = untar_member_position(check->untar);
    if (check->fault.kind == TM_FAULT_CORRUPT)
        snprintf(text, capacity, "%s, at byte %llu of the tar", untar_error(check->untar),
                 position);
    else if (check->fault.kind == TM_FAULT_TRUNCATED)
        snprintf(text, capacity, "the tar ends within the member at its byte %llu", position);
}
