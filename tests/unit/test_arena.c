/* pipeline/arena: the memory that workers share, of each kind. */
#include "pipeline/arena.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES ((size_t)5 << 20)

static const enum arena_kind kinds[] = {ARENA_SHARED, ARENA_PRIVATE, ARENA_PRIVATE_LARGE};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

START_TEST(pieces_are_zero_and_apart)
{
    struct tm_arena arena;
    ck_assert_int_eq(arena_create(&arena, BYTES, kinds[_i]), 0);
    uint8_t *one = arena_take(&arena, 100, CACHE_LINE_BYTES);
    uint8_t *other = arena_take(&arena, 1 << 20, 4096);
    uint8_t *rest = arena_take(&arena, BYTES - 4096 - (1 << 20), 1); /* to the last byte */
    ck_assert_uint_eq((uintptr_t)one % CACHE_LINE_BYTES, 0);
    ck_assert_uint_eq((uintptr_t)other % 4096, 0);
    ck_assert(other >= one + 100);
    ck_assert_ptr_eq(rest, other + (1 << 20));
    for (size_t i = 0; i < BYTES; i++)
        ck_assert_uint_eq(arena.base[i], 0);
    memset(arena.base, 0xa5, BYTES);
    arena_destroy(&arena);
    arena_destroy(&arena); /* all zero now */
}
END_TEST

START_TEST(only_what_is_shared_is_seen_by_both)
{
    struct tm_arena arena;
    ck_assert_int_eq(arena_create(&arena, BYTES, kinds[_i]), 0);
    uint8_t *byte = arena_take(&arena, 1, 1);
    pid_t child = fork();
    if (child == 0) {
        *byte = 7;
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(*byte, kinds[_i] == ARENA_SHARED ? 7 : 0);
    ck_assert_int_eq(arena.memory_fd >= 0, kinds[_i] == ARENA_SHARED);
    arena_destroy(&arena);
}
END_TEST

START_TEST(lack_of_memory_is_an_error)
{
    struct tm_arena arena;
    /* Of shared memory as much would really be taken; sanitizers need address space themselves. */
    if (kinds[_i] == ARENA_SHARED || TREEMILL_SANITIZED)
        return;
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0); /* of this test's own process */
    ck_assert_int_eq(arena_create(&arena, (size_t)4 << 30, kinds[_i]), -ENOMEM);
    ck_assert_ptr_null(arena.base);
    ck_assert_int_eq(arena.memory_fd, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *cases = tcase_create("arena");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, pieces_are_zero_and_apart, 0, KINDS);
    tcase_add_loop_test(cases, only_what_is_shared_is_seen_by_both, 0, KINDS);
    tcase_add_loop_test(cases, lack_of_memory_is_an_error, 0, KINDS);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
