/* Parsing a command line given as words, for the tests of the options. */
#ifndef TREEMILL_TESTS_PARSE_WORDS_H
#define TREEMILL_TESTS_PARSE_WORDS_H

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/options.h"

enum { WORDS_MAX = 16, ERROR_BYTES = 512 };

/* What the tests put into the environment of the parser; getenv() of the program is not asked. */
static const char *environment_stages, *environment_no_color;

static char *lookup(const char *name)
{
    if (strcmp(name, "TREEMILL_STAGES") == 0)
        return (char *)environment_stages;
    if (strcmp(name, "NO_COLOR") == 0)
        return (char *)environment_no_color;
    return NULL;
}

static struct options parsed;
static char message[ERROR_BYTES];

/* Parses the words up to NULL, after the program's name. */
static int parse(const char *first, ...)
{
    char *argv[WORDS_MAX + 2] = {(char *)"treemill"};
    int argc = 1;
    va_list rest;

    va_start(rest, first);
    for (const char *word = first; word; word = va_arg(rest, const char *)) {
        ck_assert_int_le(argc, WORDS_MAX);
        argv[argc++] = (char *)word;
    }
    va_end(rest);
    options_release(&parsed);
    return options_parse(argc, argv, lookup, &parsed, message, sizeof(message));
}

#define PARSE(...) ck_assert_msg(parse(__VA_ARGS__, NULL) == 0, "refused: %s", message)
#define REFUSE(expected, ...)                                                                      \
    do {                                                                                           \
        ck_assert_int_eq(parse(__VA_ARGS__, NULL), -EINVAL);                                       \
        ck_assert_str_eq(message, expected);                                                       \
    } while (0)

static void setup(void)
{
    options_defaults(&parsed);
    environment_stages = environment_no_color = NULL;
}

static void teardown(void)
{
    options_release(&parsed);
}

#endif
