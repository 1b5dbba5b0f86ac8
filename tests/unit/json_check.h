/* A small judge of JSON (RFC 8259), written apart from the writer it judges. */
#ifndef TREEMILL_TESTS_JSON_CHECK_H
#define TREEMILL_TESTS_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char *json_value(const char *at);

static const char *json_string_end(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\') {
            at++;
            if (*at == 'u') {
                for (int i = 1; i <= 4; i++)
                    if (!isxdigit((unsigned char)at[i]))
                        return NULL;
                at += 4;
            } else if (!*at || !strchr("\"\\/bfnrt", *at)) {
                return NULL;
            }
        }
        at++;
    }
    return at + 1;
}

static const char *json_number_end(const char *at)
{
    at += *at == '-';
    if (*at == '0')
        at++;
    else if (isdigit((unsigned char)*at))
        at += strspn(at, "0123456789");
    else
        return NULL;
    if (*at == '.') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0)
            return NULL;
        at += 1 + digits;
    }
    return at;
}

static const char *json_members_end(const char *at, char closing)
{
    at++;
    if (*at == closing)
        return at + 1;
    for (;;) {
        if (closing == '}') {
            at = json_string_end(at);
            if (!at || *at++ != ':')
                return NULL;
        }
        at = json_value(at);
        if (!at)
            return NULL;
        if (*at == closing)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *json_value(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*at == '{' || *at == '[')
        return json_members_end(at, *at == '{' ? '}' : ']');
    if (*at == '"')
        return json_string_end(at);
    for (int i = 0; i < 3; i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    return json_number_end(at);
}

/* Number of lines if each one is one JSON value and ends with a newline, else -1. */
static int json_lines(const char *text)
{
    int lines = 0;
    while (*text) {
        text = json_value(text);
        if (!text || *text++ != '\n')
            return -1;
        lines++;
    }
    return lines;
}

#endif
