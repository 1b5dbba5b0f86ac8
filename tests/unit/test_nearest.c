/* Mistyped words: what is near, and what is nonsense. */
#include "cli/nearest.h"

#include <check.h>
#include <string.h>

#include "cli/options.h"

static const char *nearest_verb(const char *word)
{
    static const char *const verbs[] = {"hash",       "verify", "create", "compress",
                                        "decompress", "test",   "info",   "completion",
                                        "man",        "help",   NULL};
    return nearest_of(verbs, word, strlen(word));
}

START_TEST(slips)
{
    static const char *const cases[][2] = {{"hsah", "hash"},
                                           {"has", "hash"},
                                           {"hashh", "hash"},
                                           {"hazh", "hash"},
                                           {"vrfy", "verify"},
                                           {"veirfy", "verify"},
                                           {"crate", "create"},
                                           {"compres", "compress"},
                                           {"decompres", "decompress"},
                                           {"decompression", "decompress"},
                                           {"TEST", "test"},
                                           {"hepl", "help"},
                                           {"completions", "completion"},
                                           {"mna", "man"},
                                           {"infor", "info"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_pstr_eq(nearest_verb(cases[i][0]), cases[i][1]);
}
END_TEST

/* Words that begin a name; the first in the list goes before the others. */
START_TEST(prefixes)
{
    ck_assert_pstr_eq(nearest_verb("ver"), "verify");
    ck_assert_pstr_eq(nearest_verb("decomp"), "decompress");
    ck_assert_pstr_eq(nearest_verb("comp"), "compress");
    ck_assert_pstr_eq(nearest_verb("complet"), "completion");
    ck_assert_pstr_eq(nearest_verb("ve"), NULL); /* too short to tell */
}
END_TEST

START_TEST(nonsense)
{
    static const char *const words[] = {"",    "x",   "xy",   "bar",    "ls",         "hs",
                                        "foo", "tar", "zip",  "unpack", "sha256sum",  "hxxh",
                                        "-",   "12",  "gunz", "\n\377", "verrrrrrify"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        ck_assert_msg(!nearest_verb(words[i]), "%s: %s", words[i], nearest_verb(words[i]));
    char word[200];
    memset(word, 'h', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    ck_assert_ptr_null(nearest_verb(word));
}
END_TEST

/* The word ends where its length says; each name that was tried with itself is the nearest. */
START_TEST(parts)
{
    static const char *const models[] = {"auto", "threads", "processes", NULL};
    ck_assert_pstr_eq(nearest_of(models, "thread:2", 6), "threads");
    ck_assert_pstr_eq(nearest_of(models, "autoprocesses", 4), "auto");

    struct nearest nearest = nearest_begin("processses", 10);
    ck_assert_ptr_null(nearest.name);
    nearest_try(&nearest, "process");
    ck_assert_pstr_eq(nearest.name, "process");
    nearest_try(&nearest, "processes");
    ck_assert_pstr_eq(nearest.name, "processes");
    nearest_try(&nearest, "threads");
    ck_assert_pstr_eq(nearest.name, "processes");
    ck_assert_uint_eq(nearest.distance, 1);
}
END_TEST

/* The slip in a word finds the word, or one that is as near. */
static void check_slip(const char *const *names, const char *name, const char *slip)
{
    const char *found = nearest_of(names, slip, strlen(slip));
    ck_assert_msg(found && edit_distance(found, slip) <= edit_distance(name, slip), "%s of %s: %s",
                  slip, name, found ? found : "nothing");
}

/* Verbs of the real table with one letter dropped, doubled or swapped. */
START_TEST(each_slip_of_each_verb)
{
    const struct verb_row *verbs = options_verbs();
    const char *names[VERB_COUNT + 1] = {NULL};
    char slip[64];

    for (int verb = 0; verb < VERB_COUNT; verb++)
        names[verb] = verbs[verb].name;
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        const char *name = names[verb];
        for (size_t at = 0; name[at]; at++) {
            snprintf(slip, sizeof(slip), "%.*s%s", (int)at, name, name + at + 1);
            check_slip(names, name, slip);
            snprintf(slip, sizeof(slip), "%.*s%s", (int)at + 1, name, name + at);
            check_slip(names, name, slip);
            if (name[at + 1]) {
                snprintf(slip, sizeof(slip), "%.*s%c%c%s", (int)at, name, name[at + 1], name[at],
                         name + at + 2);
                check_slip(names, name, slip);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nearest");
    TCase *cases = tcase_create("nearest");
    tcase_add_test(cases, slips);
    tcase_add_test(cases, prefixes);
    tcase_add_test(cases, nonsense);
    tcase_add_test(cases, parts);
    tcase_add_test(cases, each_slip_of_each_verb);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
