/* The box for a name in work: whole names only, the ends of long ones, between two threads. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/in_work.h"

START_TEST(takes_one_name_until_it_is_emptied)
{
    struct in_work box = {0};
    char name[IN_WORK_BYTES + 1] = "before";
    ck_assert(!in_work_take(&box, name));
    ck_assert_str_eq(name, "before");
    in_work_offer(&box, "dir/", 4, "first", 5);
    in_work_offer(&box, "dir/", 4, "second", 6);
    ck_assert(in_work_take(&box, name));
    ck_assert_str_eq(name, "dir/first");
    ck_assert(!in_work_take(&box, name));
    in_work_offer(&box, "", 0, "third", 5);
    ck_assert(in_work_take(&box, name));
    ck_assert_str_eq(name, "third");
    in_work_offer(NULL, "", 0, "nobody", 6);
}
END_TEST

/* Around the box's size: what is kept is the end of directory and name together. */
START_TEST(keeps_the_end_of_a_long_name)
{
    static char directory[2 * IN_WORK_BYTES], file[2 * IN_WORK_BYTES];
    for (size_t i = 0; i < sizeof directory; i++) {
        directory[i] = (char)('A' + i % 26);
        file[i] = (char)('a' + i % 26);
    }
    for (size_t d = 0; d < sizeof directory; d += 7) {
        for (size_t f = 0; f < sizeof file; f += 61) {
            struct in_work box = {0};
            char name[IN_WORK_BYTES + 1], whole[4 * IN_WORK_BYTES + 1];
            snprintf(whole, sizeof whole, "%.*s%.*s", (int)d, directory, (int)f, file);
            size_t kept = d + f < IN_WORK_BYTES ? d + f : IN_WORK_BYTES;
            in_work_offer(&box, directory, d, file, f);
            ck_assert(in_work_take(&box, name));
            ck_assert_str_eq(name, whole + d + f - kept);
        }
    }
}
END_TEST

#define NAMES_TAKEN 20000

struct race {
    struct in_work box;
    _Atomic bool stop;
};

static void *offer(void *argument)
{
    struct race *race = argument;
    char name[27];
    for (unsigned i = 0; !atomic_load_explicit(&race->stop, memory_order_relaxed); i++) {
        size_t bytes = 1 + i % 26;
        memset(name, 'a' + (int)(i % 26), bytes);
        in_work_offer(&race->box, name, bytes / 2, name + bytes / 2, bytes - bytes / 2);
    }
    return NULL;
}

/* Timeline: one thread offers names of one letter, as many as the letter's number; the other takes
 * them as fast as it can. One that is half another's has another length. */
START_TEST(names_are_whole)
{
    static struct race race;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, offer, &race), 0);
    for (unsigned taken = 0; taken < NAMES_TAKEN;) {
        char name[IN_WORK_BYTES + 1];
        if (!in_work_take(&race.box, name))
            continue;
        size_t length = strlen(name);
        ck_assert_uint_eq(length, (size_t)(name[0] - 'a' + 1));
        ck_assert_uint_eq(strspn(name, (char[]){name[0], '\0'}), length);
        taken++;
    }
    atomic_store(&race.stop, true);
    pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("in_work");
    TCase *tests = tcase_create("in_work");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, takes_one_name_until_it_is_emptied);
    tcase_add_test(tests, keeps_the_end_of_a_long_name);
    tcase_add_test(tests, names_are_whole);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
