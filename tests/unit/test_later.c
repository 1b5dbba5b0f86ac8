/* stages/later: records come back as they went in, in memory and from the file. */
#include "stages/later.h"

#include <check.h>
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A record that can be told from the others, of any length. */
static size_t bytes_of(unsigned number)
{
    return number % 7 == 0 ? 0 : (number * 2654435761u >> 20) % 700;
}

static uint8_t byte_of(unsigned number, size_t at)
{
    return (uint8_t)((number * 31 + at) * 2654435761u >> 24);
}

static void add(struct later *later, unsigned number)
{
    int error;
    uint8_t *record = later_add(later, bytes_of(number), &error);
    ck_assert_ptr_nonnull(record);
    ck_assert_uint_eq((uintptr_t)record % alignof(max_align_t), 0);
    for (size_t i = 0; i < bytes_of(number); i++)
        record[i] = byte_of(number, i);
}

struct reading {
    unsigned next, stop_at;
};

static int check(void *context, const void *record, size_t bytes)
{
    struct reading *reading = context;
    const uint8_t *at = record;
    if (reading->next == reading->stop_at)
        return 77;
    ck_assert_uint_eq(bytes, bytes_of(reading->next));
    ck_assert_uint_eq((uintptr_t)record % alignof(max_align_t), 0);
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != byte_of(reading->next, i))
            ck_abort_msg("record %u differs at %zu", reading->next, i);
    reading->next++;
    return 0;
}

static void expect(struct later *later, unsigned count)
{
    struct reading reading = {.stop_at = UINT32_MAX};
    ck_assert_int_eq(later_replay(later, check, &reading), 0);
    ck_assert_uint_eq(reading.next, count);
}

#define COUNT 5000

/* All in memory; a part in the file; nearly all of it. */
static const size_t memories[] = {LATER_MEMORY_BYTES, 1 << 20, 1024, 1000};

START_TEST(records_come_back)
{
    struct later *later;
    ck_assert_int_eq(later_create(memories[_i], NULL, &later), 0);
    expect(later, 0);
    for (unsigned number = 0; number < COUNT; number++) {
        add(later, number);
        if (number % 1000 == 999) /* and more may be added afterwards */
            expect(later, number + 1);
    }
    expect(later, COUNT);
    expect(later, COUNT);
    ck_assert(_i == 0 ? !later_spilled(later) : later_spilled(later) > 0);
    later_destroy(later);
    later_destroy(NULL);
}
END_TEST

START_TEST(replay_ends_early)
{
    struct later *later;
    ck_assert_int_eq(later_create(memories[_i], NULL, &later), 0);
    for (unsigned number = 0; number < COUNT; number++)
        add(later, number);
    for (unsigned stop_at = 0; stop_at < COUNT; stop_at += 1111) {
        struct reading reading = {.stop_at = stop_at};
        ck_assert_int_eq(later_replay(later, check, &reading), 77);
        ck_assert_uint_eq(reading.next, stop_at);
    }
    later_destroy(later);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
    struct later *later;
    int error;
    ck_assert_int_eq(later_create(1024, NULL, &later), 0);
    ck_assert_ptr_null(later_add(later, 1024, &error));
    ck_assert_int_eq(error, -E2BIG);
    ck_assert_ptr_null(later_add(later, SIZE_MAX, &error));
    ck_assert_int_eq(error, -E2BIG);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_ptr_nonnull(later_add(later, 1024 - 2 * alignof(max_align_t), &error));
        ck_assert_int_eq(error, 0);
    }
    ck_assert_uint_gt(later_spilled(later), 8000);
    later_destroy(later);
}
END_TEST

START_TEST(no_place_for_the_file)
{
    struct later *later;
    int error = 0;
    ck_assert_int_eq(later_create(1024, "/nowhere/at/all", &later), 0);
    add(later, 1);
    for (unsigned i = 0; i < 10 && later_add(later, 500, &error); i++)
        ;
    ck_assert_int_eq(error, -ENOENT);
    later_destroy(later);
    ck_assert_int_eq(setenv("TMPDIR", "/nowhere/at/all", 1), 0);
    ck_assert_int_eq(later_create(1024, NULL, &later), 0);
    for (unsigned i = 0; i < 10 && later_add(later, 500, &error); i++)
        ;
    ck_assert_int_eq(error, -ENOENT);
    later_destroy(later);
    ck_assert_int_eq(later_create(1024, "/tmp", &later), 0);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_ptr_nonnull(later_add(later, 500, &error));
    later_destroy(later);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("later");
    TCase *cases = tcase_create("later");
    tcase_add_loop_test(cases, records_come_back, 0, 4);
    tcase_add_loop_test(cases, replay_ends_early, 0, 4);
    tcase_add_test(cases, more_than_there_is_room_for);
    tcase_add_test(cases, no_place_for_the_file);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
