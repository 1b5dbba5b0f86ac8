#include "cli/json.h"

#include "cli/units.h"
#include "stages/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `more` bytes and a NUL behind the text. */
static bool reserve(struct json_writer *json, size_t more)
{
    if (json->failed)
        return false;
    if (json->capacity - json->length > more)
        return true;
    size_t needed = json->length + more + 1;
    size_t capacity = needed < 512 ? 512 : needed + needed / 2;
    char *text = needed > more && capacity > needed ? realloc(json->text, capacity) : NULL;
    if (!text) {
        json->failed = true;
        return false;
    }
    json->text = text;
    json->capacity = capacity;
    return true;
}

static void put(struct json_writer *json, const char *bytes, size_t length)
{
    if (!reserve(json, length))
        return;
    memcpy(json->text + json->length, bytes, length);
    json->length += length;
    json->text[json->length] = '\0';
}

static void put_text(struct json_writer *json, const char *text)
{
    put(json, text, strlen(text));
}

/* The comma and the key before a value; `suffix` is the end of the key. */
static void put_key(struct json_writer *json, const char *key, const char *suffix)
{
    if (json->needs_comma)
        put(json, ",", 1);
    json->needs_comma = true;
    if (!key)
        return;
    put(json, "\"", 1);
    put_text(json, key);
    put_text(json, suffix);
    put(json, "\":", 2);
}

static void begin(struct json_writer *json, const char *key, const char *bracket)
{
    put_key(json, key, "");
    put_text(json, bracket);
    json->needs_comma = false;
}

static void end(struct json_writer *json, const char *bracket)
{
    put_text(json, bracket);
    json->needs_comma = true;
}

void json_begin_object(struct json_writer *json, const char *key)
{
    begin(json, key, "{");
}

void json_end_object(struct json_writer *json)
{
    end(json, "}");
}

void json_begin_array(struct json_writer *json, const char *key)
{
    begin(json, key, "[");
}

void json_end_array(struct json_writer *json)
{
    end(json, "]");
}

/* Puts the result of one of the functions of text.h in quotes. */
static void put_quoted(struct json_writer *json, const char *bytes, size_t length,
                       size_t (*encode)(const char *, size_t, char *, size_t))
{
    size_t needed = encode(bytes, length, NULL, 0);
    put(json, "\"", 1);
    if (reserve(json, needed)) {
        encode(bytes, length, json->text + json->length, needed + 1);
        json->length += needed;
    }
    put(json, "\"", 1);
}

void json_string(struct json_writer *json, const char *key, const char *text)
{
    if (!text) {
        json_null(json, key);
        return;
    }
    put_key(json, key, "");
    put_quoted(json, text, strlen(text), text_json_escape);
}

void json_bytes(struct json_writer *json, const char *key, const char *bytes, size_t length)
{
    bool readable = text_is_utf8(bytes, length);
    put_key(json, key, readable ? "" : "_b64");
    put_quoted(json, bytes, length, readable ? text_json_escape : text_base64);
}

static void put_value(struct json_writer *json, const char *key, const char *value)
{
    put_key(json, key, "");
    put_text(json, value);
}

void json_uint(struct json_writer *json, const char *key, uint64_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    put_value(json, key, digits);
}

void json_int(struct json_writer *json, const char *key, int64_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    put_value(json, key, digits);
}

void json_bool(struct json_writer *json, const char *key, bool value)
{
    put_value(json, key, value ? "true" : "false");
}

void json_null(struct json_writer *json, const char *key)
{
    put_value(json, key, "null");
}

void json_decimal(struct json_writer *json, const char *key, double value, unsigned decimals)
{
    char digits[UNITS_CAPACITY];
    bool is_finite = value - value == 0;
    put_value(json, key, is_finite ? units_decimal(value, decimals, digits) : "null");
}

void json_end_line(struct json_writer *json)
{
    put(json, "\n", 1);
    json->needs_comma = false;
}

bool json_ok(const struct json_writer *json)
{
    return !json->failed;
}

void json_clear(struct json_writer *json)
{
    json->length = 0;
    json->needs_comma = false;
    json->failed = false;
    if (json->text)
        json->text[0] = '\0';
}

void json_free(struct json_writer *json)
{
    free(json->text);
    *json = (struct json_writer){0};
}
