/* json: a writer of JSON texts (RFC 8259) into memory, for one event or one report at a time.
 *
 * It puts the commas, escapes the strings and never produces invalid UTF-8; the caller pairs
 * begin and end. Lack of memory makes every later call a no-op and json_ok() false. A writer
 * belongs to one thread at a time; json_clear() keeps its memory for the next text.
 *
 *     struct json_writer json = {0};
 *     json_begin_object(&json, NULL);
 *     json_string(&json, "event", "start");
 *     json_end_object(&json);
 *     ... json.text, json.length ...
 *     json_free(&json);
 *
 * `key` is NULL for the outermost value and for the elements of an array; keys are constants of
 * this program and need no escaping.
 */
#ifndef TREEMILL_CLI_JSON_H
#define TREEMILL_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: empty. text: owned here, NUL-terminated when length > 0. */
struct json_writer {
    char *text;
    size_t length;
    size_t capacity;
    bool needs_comma;
    bool failed;
};

void json_begin_object(struct json_writer *json, const char *key);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json, const char *key);
void json_end_array(struct json_writer *json);

/* Bytes that are not UTF-8 become U+FFFD. A NULL text becomes null. */
void json_string(struct json_writer *json, const char *key, const char *text);

/* The bytes as a string under `key` if they are UTF-8, else in base64 under `key_b64`. */
void json_bytes(struct json_writer *json, const char *key, const char *bytes, size_t length);

void json_uint(struct json_writer *json, const char *key, uint64_t value);
void json_int(struct json_writer *json, const char *key, int64_t value);
void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);
/* `decimals` 0 to 9 digits behind the point; what is not finite becomes null. */
void json_decimal(struct json_writer *json, const char *key, double value, unsigned decimals);

/* Ends a line of NDJSON. */
void json_end_line(struct json_writer *json);

bool json_ok(const struct json_writer *json);
void json_clear(struct json_writer *json);
void json_free(struct json_writer *json);

#endif
