/* stages/unzip: archives that are broken, or lie about sizes and counts. Memory stays where it
 * should (run under AddressSanitizer). */
#include "tests/unit/rounds.h"
#include "tests/unit/unzip_originals.h"

static void make_archive(void)
{
    struct made made[ORIGINALS];
    make_texts();
    pack.used = 0;
    for (size_t i = 0; i < ORIGINALS; i++)
        made[i] = add(&originals[i]);
    made_directory(&pack, made, ORIGINALS);
}

START_TEST(as_it_was)
{
    struct outcome outcome;
    make_archive();
    made_file(fd, &pack);
    ck_assert_int_eq(read_it(&outcome), 0);
    ck_assert_uint_eq(outcome.good, ORIGINALS);
    ck_assert_uint_eq(outcome.faults, 0);
}
END_TEST

/* Every byte of it, in some ways. */
START_TEST(every_byte_changed)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct outcome outcome;
    unsigned refused = 0, faulty = 0;
    make_archive();
    made_file(fd, &pack);
    for (size_t at = 0; at < pack.used; at++)
        for (size_t i = 0; i < sizeof changes; i++) {
            uint8_t byte = pack.bytes[at] ^ changes[i];
            ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
            int error = read_it(&outcome);
            ck_assert(error == 0 || error == -EBADMSG || error == -ENODATA || error == -ENOTSUP);
            refused += error != 0;
            faulty += outcome.faults != 0;
            ck_assert_int_eq(pwrite(fd, pack.bytes + at, 1, (off_t)at), 1);
        }
    /* Not all are found, for times and the like are nothing that is checked; but the most. */
    ck_assert_uint_gt(refused, 300);
    ck_assert_uint_gt(faulty, 1800);
}
END_TEST

/* Random changes of several bytes at once, of a fixed seed. */
START_TEST(many_bytes_changed)
{
    struct outcome outcome;
    uint32_t random = (uint32_t)_i + 1;
    make_archive();
    for (int round = 0; round < ROUNDS(1000); round++) {
        made_file(fd, &pack);
        for (int change = 0; change < 1 + round % 7; change++) {
            random = random * 1664525 + 1013904223;
            uint8_t byte = (uint8_t)(random >> 24);
            ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)((random >> 8) % pack.used)), 1);
        }
        read_it(&outcome);
    }
}
END_TEST

START_TEST(cut_at_every_length)
{
    struct outcome outcome;
    make_archive();
    for (size_t bytes = 0; bytes < pack.used; bytes++) {
        size_t whole = pack.used;
        pack.used = bytes;
        made_file(fd, &pack);
        pack.used = whole;
        ck_assert_int_eq(read_it(&outcome), -ENODATA);
    }
}
END_TEST

/* Cut off at the front: it can be seen that bytes are missing. */
START_TEST(front_cut_at_every_length)
{
    struct outcome outcome;
    make_archive();
    for (size_t gone = 1; gone <= pack.used; gone++) {
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        ck_assert_int_eq(pwrite(fd, pack.bytes + gone, pack.used - gone, 0), pack.used - gone);
        int error = read_it(&outcome);
        ck_assert(error == -EBADMSG || error == -ENODATA);
    }
}
END_TEST

/* It becomes shorter between the filling of an item and the reading of its data. */

static off_t cut_to;

static void cut(void *context)
{
    (void)context;
    ck_assert_int_eq(ftruncate(fd, cut_to), 0);
}

START_TEST(cut_while_it_is_read)
{
    struct outcome outcome = {0};
    struct reading reading = {.fd = fd,
                              .shape = batch_shape_of(BLOCK, 4, 0),
                              .told = check,
                              .filled = cut,
                              .context = &outcome};
    make_archive();
    for (cut_to = 0; cut_to < (off_t)pack.used; cut_to++) {
        made_file(fd, &pack);
        outcome = (struct outcome){0};
        ck_assert_int_eq(read_archive(&reading), 0); /* the directory is in memory already */
        ck_assert_uint_eq(outcome.good + outcome.faults, ORIGINALS);
        if (cut_to < 1000)
            ck_assert_uint_gt(outcome.faults, 0);
    }
}
END_TEST

/* Sizes and counts that lie. The first two entries, small and large, are patched. */

enum { COMPRESSED, UNCOMPRESSED, OFFSET, CRC };

static void patch(struct made *made, int which, uint32_t value)
{
    *(which == COMPRESSED     ? &made->compressed_bytes
      : which == UNCOMPRESSED ? &made->uncompressed_bytes
      : which == OFFSET       ? &made->offset
                              : &made->crc32) = value;
}

static const struct {
    int which;
    int64_t value; /* added to what is right if less than 1000 */
    int error;     /* of the archive, or the entry's fault is corruption */
} lies[] = {
    {COMPRESSED, 1, 0},
    {COMPRESSED, -1, 0},
    {COMPRESSED, 5000, -EBADMSG}, /* beyond the next entry */
    {COMPRESSED, 0xfffffffe, -EBADMSG},
    {COMPRESSED, 0xffffffff, -EBADMSG},
    {UNCOMPRESSED, 1, 0},
    {UNCOMPRESSED, -1, 0},
    {UNCOMPRESSED, -200, 0},
    {UNCOMPRESSED, 1000, 0},
    {UNCOMPRESSED, 100000, 0},
    {UNCOMPRESSED, 0xfffffffe, 0},
    {UNCOMPRESSED, 0xffffffff, 0},
    {OFFSET, 1, 0},
    {OFFSET, 1000000, -EBADMSG},
    {OFFSET, 0xffffffff, -EBADMSG},
    {CRC, 1, 0},
};

START_TEST(numbers_that_lie)
{
    static const size_t victims[] = {1, 3, 7, 9};
    make_texts();
    for (size_t v = 0; v < sizeof victims / sizeof *victims; v++)
        for (int both = 0; both < 2; both++) {
            struct made made[3];
            struct outcome outcome;
            pack.used = 0;
            made[0] = add(&originals[2]);
            size_t local = pack.used;
            made[1] = add(&originals[victims[v]]);
            uint32_t right[] = {made[1].compressed_bytes, made[1].uncompressed_bytes,
                                made[1].offset, made[1].crc32};
            int64_t value = lies[_i].value;
            if (value < 1000)
                value += right[lies[_i].which];
            patch(&made[1], lies[_i].which, (uint32_t)value);
            if (both) { /* the local header tells the same lie */
                zip_put32(pack.bytes + local + 14, made[1].crc32);
                zip_put32(pack.bytes + local + 18, made[1].compressed_bytes);
                zip_put32(pack.bytes + local + 22, made[1].uncompressed_bytes);
            }
            pack_zeros(&pack, 16); /* room for a byte more */
            made[2] = add(&originals[4]);
            made_directory(&pack, made, 3);
            made_file(fd, &pack);
            ck_assert_int_eq(read_it(&outcome), lies[_i].error);
            if (lies[_i].error)
                continue;
            ck_assert_uint_eq(outcome.good, 2); /* the others are no worse for it */
            ck_assert_uint_eq(outcome.faults, 1);
            ck_assert_int_eq(outcome.last_fault.kind, TM_FAULT_CORRUPT);
        }
}
END_TEST

/* The end record's own. */
START_TEST(counts_that_lie)
{
    static const struct {
        int at, bytes; /* within the end record */
        int32_t change;
        int error;
    } rows[] = {
        {8, 4, 0x10001, -EBADMSG},                         /* one entry more */
        {8, 4, -0x10001, -EBADMSG},                        /* one less */
        {8, 4, 0x7fff7fff, -EBADMSG}, {8, 4, 1, -ENOTSUP}, /* less on this disk than in all */
        {12, 4, 1, -EBADMSG},         {12, 4, -1, -EBADMSG},
        {12, 4, -50, -EBADMSG},       {12, 4, 0x7fffffff, -EBADMSG},
        {16, 4, 1, -EBADMSG},         {16, 4, 0x7fffffff, -EBADMSG},
        {4, 4, 1, -ENOTSUP},          {4, 4, 0x10000, -ENOTSUP},
        {20, 2, 1, -ENODATA}, /* a comment that is not there */
    };
    struct outcome outcome;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_archive();
        uint8_t *at = pack.bytes + pack.used - 22 + rows[i].at;
        uint32_t value;
        memcpy(&value, at, (size_t)rows[i].bytes);
        value += (uint32_t)rows[i].change;
        memcpy(at, &value, (size_t)rows[i].bytes);
        made_file(fd, &pack);
        ck_assert_msg(read_it(&outcome) == rows[i].error, "row %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unzip_broken");
    TCase *cases = tcase_create("broken");
    tcase_set_timeout(cases, 240);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, as_it_was);
    tcase_add_test(cases, every_byte_changed);
    tcase_add_loop_test(cases, many_bytes_changed, 0, 4);
    tcase_add_test(cases, cut_at_every_length);
    tcase_add_test(cases, front_cut_at_every_length);
    tcase_add_test(cases, cut_while_it_is_read);
    tcase_add_loop_test(cases, numbers_that_lie, 0, sizeof lies / sizeof *lies);
    tcase_add_test(cases, counts_that_lie);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
