/* stages/unzip: archives that want to become more than they are, or have the longest of everything.
 */
#include "tests/unit/unzip_originals.h"

/* Entries that share bytes of the file, which a small archive uses to become an enormous one, and
 * those that are only in another order. */

static int open_these(const struct made *made, unsigned count)
{
    struct unzip *unzip = NULL;
    size_t start = pack.used;
    made_directory(&pack, made, count);
    made_file(fd, &pack);
    pack.used = start;
    int error = unzip_open(fd, &unzip);
    unzip_close(error ? NULL : unzip);
    return error;
}

START_TEST(overlaps)
{
    struct made made[4], all[4];
    make_texts();
    for (int i = 0; i < 4; i++)
        made[i] = add(&originals[i + 1]);
    ck_assert_int_eq(open_these(made, 4), 0);
    memcpy(all, made, sizeof made);
    all[1] = all[0];
    ck_assert_int_eq(open_these(all, 4), -EBADMSG); /* twice the same */
    all[1] = made[1];
    all[1].offset--;
    ck_assert_int_eq(open_these(all, 4), -EBADMSG);
    all[1] = made[2];
    all[2] = made[1];
    ck_assert_int_eq(open_these(all, 4), -ENOTSUP); /* another order only */
    all[2].compressed_bytes++;
    ck_assert_int_eq(open_these(all, 4), -EBADMSG); /* and the one before is reached */
    /* One over the headers of the others, as the bomb of David Fifield has it. */
    memcpy(all, made, sizeof made);
    all[0].compressed_bytes = made[3].offset - made[0].offset;
    ck_assert_int_eq(open_these(all, 4), -EBADMSG);
    /* In turn, so that none overlaps with its neighbours in the directory; but together they are
     * more than what there is. */
    for (int i = 0; i < 4; i++)
        all[i] = made[i % 2 * 2];
    ck_assert_int_eq(open_these(all, 4), -EBADMSG);
    pack_zeros(&pack, 10000); /* which they could have been */
    ck_assert_int_eq(open_these(all, 4), -ENOTSUP);
}
END_TEST

/* Where the directory sees no overlap, because the local header is longer than it can know. */
START_TEST(overlaps_by_local_headers)
{
    struct outcome outcome;
    struct made made[2];
    make_texts();
    made[0] = add(&originals[2]);
    made[1] = add(&originals[3]);
    zip_put16(pack.bytes + 28, 8); /* eight bytes of its data become extra field */
    made_directory(&pack, made, 2);
    made_file(fd, &pack);
    ck_assert_int_eq(read_it(&outcome), 0);
    ck_assert_uint_eq(outcome.good, 1);
    ck_assert_uint_eq(outcome.faults, 1);
    ck_assert_int_eq(outcome.last_fault.kind, TM_FAULT_CORRUPT);
}
END_TEST

/* Bombs: much more, or less, than what is announced. */

static void count_bytes(void *context, const struct unzipped *unzipped)
{
    uint64_t *bytes = context;
    ck_assert_int_eq(unzipped->fault.kind, TM_FAULT_CORRUPT);
    *bytes = unzipped->streamed_bytes;
}

START_TEST(bombs)
{
    static const uint32_t said[] = {0, 1000, 65535, 65536, 65537, 1000000, 23999999, 24000001};
    static const size_t bytes = 24000000;
    uint8_t *zeros = calloc(bytes, 1), *output = malloc(100000);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct made made = {.name = "bomb", .host = 3, .method = ZIP_DEFLATED};
        pack.used = 0;
        size_t compressed = made_data(&made, zeros, bytes, output, 100000);
        made.uncompressed_bytes = said[i];
        made_local(&pack, &made, 0, output, compressed);
        made_directory(&pack, &made, 1);
        made_file(fd, &pack);
        uint64_t made_bytes = UINT64_MAX;
        struct reading reading = {.fd = fd,
                                  .shape = batch_shape_of(65536, 4, 0),
                                  .told = count_bytes,
                                  .context = &made_bytes};
        ck_assert_int_eq(read_archive(&reading), 0);
        ck_assert_uint_le(made_bytes, said[i]);
        ck_assert_uint_eq(reading.total_bytes, said[i]);
    }
    free(zeros);
    free(output);
}
END_TEST

/* Targets of links: at most as long as a path can be. */

static uint64_t target_bytes;

static void keep_target(void *context, const struct unzipped *unzipped)
{
    struct tm_fault *fault = context;
    *fault = unzipped->fault;
    target_bytes = unzipped->extra.target ? unzipped->extra.target_bytes : 0;
}

static void check_target(size_t bytes)
{
    struct tm_fault fault;
    struct reading reading = {
        .fd = fd, .shape = batch_shape_of(BLOCK, 4, 0), .told = keep_target, .context = &fault};
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(reading.records, 1);
    ck_assert_int_eq(fault.kind, bytes > 4096 ? TM_FAULT_CORRUPT : TM_FAULT_NONE);
    ck_assert_uint_eq(target_bytes, bytes > 4096 ? 0 : bytes);
}

START_TEST(long_targets)
{
    static const size_t sizes[] = {4095, 4096, 4097, 100000};
    char *target = malloc(100000), *output = malloc(100000);
    memset(target, 't', 100000);
    for (size_t i = 0; i < 4; i++)
        for (int method = 0; method <= 8; method += 8) {
            struct made made = {.name = "link",
                                .host = 3,
                                .method = (uint16_t)method,
                                .attributes = (S_IFLNK | 0777u) << 16};
            pack.used = 0;
            size_t bytes = made_data(&made, target, sizes[i], (uint8_t *)output, 100000);
            made_local(&pack, &made, i % 2 ? 60000 : 0, output, bytes);
            made_directory(&pack, &made, 1);
            made_file(fd, &pack);
            check_target(sizes[i]);
        }
    free(target);
    free(output);
}
END_TEST

/* Extra fields and names as long as they get, one after the other: what does not fit beside the
 * others is another item's, and what fits nowhere is a stream. */
START_TEST(long_headers)
{
    struct made made[12];
    struct outcome outcome = {0};
    struct reading reading = {
        .fd = fd, .shape = batch_shape_of(BLOCK, 4, 0), .told = check, .context = &outcome};
    make_texts();
    for (int i = 0; i < 12; i++) {
        uint8_t output[1024];
        made[i] = (struct made){.name = "d/stored", .host = 3};
        size_t bytes = made_data(&made[i], short_text, 50, output, sizeof output);
        made_local(&pack, &made[i], i % 3 ? 65535 : 0, output, bytes);
    }
    made_directory(&pack, made, 12);
    made_file(fd, &pack);
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(outcome.good, 12);
    ck_assert_uint_ge(reading.items, 8);

    char *name = malloc(65536);
    memset(name, 'n', 65535);
    name[65535] = '\0';
    pack.used = 0;
    made[0] = (struct made){.name = name, .host = 3};
    made_local(&pack, &made[0], 65535, "", 0);
    made_directory(&pack, made, 1);
    made_file(fd, &pack);
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(outcome.faults, 1);
    ck_assert_int_eq(outcome.last_fault.kind, TM_FAULT_TOO_LONG);
    free(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unzip_bombs");
    TCase *cases = tcase_create("bombs");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, overlaps);
    tcase_add_test(cases, overlaps_by_local_headers);
    tcase_add_test(cases, bombs);
    tcase_add_test(cases, long_targets);
    tcase_add_test(cases, long_headers);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
