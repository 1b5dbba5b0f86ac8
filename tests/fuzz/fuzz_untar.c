/* The reader of tar: tells the same of the same bytes, in whatever pieces they come, and nothing
 * that its caller must not believe.
 *
 * Random changes hardly ever leave a checksum right, so the headers' are mended, unless the input's
 * choices are against it.
 */
#include <errno.h>
#include <sys/stat.h>

#include "stages/archive.h"
#include "stages/metadata.h"
#include "stages/untar.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* All that was told, mixed into one number. */
struct told {
    uint64_t hash, events;
    uint64_t end;   /* of the data so far, in the file */
    uint64_t taken; /* input bytes that are data */
    bool is_in_member, is_sparse, is_over;
};

static void mix(struct told *told, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        told->hash = (told->hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
}

static void mix_number(struct told *told, uint64_t number)
{
    mix(told, &number, sizeof number);
}

static void mix_text(struct told *told, const char *text, size_t bytes)
{
    mix_number(told, text ? bytes + 1 : 0);
    mix(told, text, bytes);
    FUZZ_CHECK(!text || (!memchr(text, '\0', bytes) && !text[bytes]));
}

static void check_attributes(const struct member *member)
{
    struct metadata_attribute attribute;
    size_t cursor = 0;
    while (metadata_next(member->attributes, member->attribute_bytes, &cursor, &attribute))
        FUZZ_CHECK(*attribute.name);
    FUZZ_CHECK(cursor == member->attribute_bytes && cursor <= METADATA_MAX_BYTES);
}

static void told_member(struct told *told, const struct untar *untar)
{
    const struct member *member = untar_member(untar);
    const struct file_stat *stat = &member->stat;
    bool is_file = S_ISREG(stat->mode) && !member->is_hard_link;

    FUZZ_CHECK(!told->is_in_member);
    told->is_in_member = true;
    told->is_sparse = untar_is_sparse(untar);
    told->end = 0;
    FUZZ_CHECK(is_file || (!stat->size_bytes && !told->is_sparse));
    FUZZ_CHECK(stat->size_bytes <= INT64_MAX && stat->mtime_ns < 1000000000);
    FUZZ_CHECK(member->path && (!member->is_hard_link || member->target));
    FUZZ_CHECK(untar_member_position(untar) < untar_position(untar));
    check_attributes(member);
    mix_text(told, member->path, member->path_bytes);
    mix_text(told, member->target, member->target_bytes);
    mix_text(told, member->user, member->user ? strlen(member->user) : 0);
    mix_text(told, member->group, member->group ? strlen(member->group) : 0);
    mix(told, member->attributes, member->attribute_bytes);
    mix(told, stat, sizeof *stat);
    mix_number(told, (uint64_t)member->lost_attributes * 4 + (uint64_t)member->is_hard_link * 2 +
                         told->is_sparse);
    mix_number(told, untar_member_position(untar));
}

static void told_data(struct told *told, const struct untar *untar, const struct untar_step *step,
                      const uint8_t *piece)
{
    FUZZ_CHECK(told->is_in_member && step->data_bytes);
    FUZZ_CHECK(step->data >= piece && step->data + step->data_bytes == step->input);
    FUZZ_CHECK(step->offset == told->end || (told->is_sparse && step->offset > told->end));
    if (step->offset != told->end)
        mix_number(told, step->offset);
    mix(told, step->data, step->data_bytes);
    told->end = step->offset + step->data_bytes;
    told->taken += step->data_bytes;
    FUZZ_CHECK(told->end <= untar_member(untar)->stat.size_bytes);
}

static void told_done(struct told *told, const struct untar *untar)
{
    FUZZ_CHECK(told->is_in_member);
    FUZZ_CHECK(told->is_sparse || told->end == untar_member(untar)->stat.size_bytes);
    told->is_in_member = false;
    mix_number(told, told->end);
    told->events++;
}

static void run_piece(struct untar *untar, const uint8_t *piece, size_t bytes, struct told *told)
{
    struct untar_step step = {.input = piece, .input_bytes = bytes};
    for (;;) {
        enum untar_event event = untar_next(untar, &step);
        FUZZ_CHECK(step.input + step.input_bytes == piece + bytes);
        switch (event) {
        case UNTAR_MORE:
            FUZZ_CHECK(!step.input_bytes);
            return;
        case UNTAR_MEMBER:
            told_member(told, untar);
            break;
        case UNTAR_DATA:
            told_data(told, untar, &step, piece);
            break;
        case UNTAR_DONE:
            told_done(told, untar);
            break;
        default:
            FUZZ_CHECK((event == UNTAR_ERROR) == (untar_error(untar) != NULL));
            told->is_over = true;
            return;
        }
    }
}

/* Without choices: all at once. */
static struct told run(struct untar *untar, const uint8_t *data, size_t bytes,
                       struct fuzz_choices *choices)
{
    struct told told = {0};
    size_t at = 0;
    while (at < bytes && !told.is_over) {
        size_t size = choices ? fuzz_piece(choices) : bytes;
        if (size > bytes - at)
            size = bytes - at;
        uint8_t *piece = malloc(size);
        FUZZ_CHECK(piece);
        memcpy(piece, data + at, size);
        run_piece(untar, piece, size, &told);
        free(piece);
        at += size;
    }
    int status = untar_finish(untar);
    FUZZ_CHECK(status == 0 || status == 1 || status == -ENODATA || status == -EBADMSG);
    FUZZ_CHECK((status == -EBADMSG) == (untar_error(untar) != NULL));
    FUZZ_CHECK(told.taken <= bytes);
    mix_number(&told, (uint64_t)status);
    if (untar_error(untar))
        mix_text(&told, untar_error(untar), strlen(untar_error(untar)));
    return told;
}

/* Of every block that could be a header. */
static void mend_checksums(uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at + TAR_BLOCK_BYTES <= bytes; at += TAR_BLOCK_BYTES) {
        uint8_t *block = data + at;
        unsigned sum = 0;
        if (memcmp(block + 257, "ustar", 5) != 0 && (block[155] != ' ' || block[148] != '0'))
            continue;
        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
            sum += block[i];
        snprintf((char *)block + 148, 8, "%06o", sum);
        block[155] = ' ';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t input[INPUT_MAX];
    struct fuzz_choices choices;
    struct untar *untar;
    if (bytes > INPUT_MAX)
        return -1;
    bytes = fuzz_choices_take(&choices, data, bytes);
    memcpy(input, data, bytes);
    if (choices.byte[0] & 1)
        mend_checksums(input, bytes);
    FUZZ_CHECK(untar_create(&untar) == 0);
    struct told whole = run(untar, input, bytes, NULL);
    untar_reset(untar);
    struct told pieced = run(untar, input, bytes, &choices);
    untar_destroy(untar);
    FUZZ_CHECK(whole.hash == pieced.hash && whole.events == pieced.events);
    FUZZ_CHECK(whole.taken == pieced.taken);
    return 0;
}
