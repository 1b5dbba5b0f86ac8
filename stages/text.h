/* text: bytes of unknown origin (file names above all) made fit for a reader.
 *
 * A name on Linux is any bytes without NUL and slash: it may hold newlines, terminal escape
 * sequences, or no valid UTF-8 at all. Nothing here allocates or keeps state; any thread may call
 * anything, and no locale is consulted.
 *
 * The functions that write have the contract of snprintf: they return the length that the whole
 * result has (without the NUL), write at most capacity - 1 bytes and a NUL, and never cut an
 * escape or a character in half. With capacity 0 nothing is written and `out` may be NULL.
 * A result >= capacity says that it was cut.
 */
#ifndef TREEMILL_STAGES_TEXT_H
#define TREEMILL_STAGES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes (1 to 4) of the valid UTF-8 character at the start, 0 if there is none.
 * RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
size_t text_utf8_length(const char *bytes, size_t length);
bool text_is_utf8(const char *bytes, size_t length);

/* Columns of a terminal that the text takes, counting each character as one column and leaving
 * out the colour sequences (ESC [ ... m). For texts of this program, not for foreign names. */
size_t text_columns(const char *text);

/* The inside of a JSON string (RFC 8259 section 7), without the quotes. Bytes that are not UTF-8
 * become U+FFFD, so the result is valid whatever comes in; where the bytes must survive, ask
 * text_is_utf8() first and use text_base64(). */
size_t text_json_escape(const char *bytes, size_t length, char *out, size_t capacity);

/* As coreutils escapes a name in a line of checksums: backslash, newline and carriage return
 * become \\, \n and \r; the line says so by a leading backslash. */
size_t text_gnu_escape(const char *bytes, size_t length, char *out, size_t capacity);

/* RFC 4648 section 4, with padding. */
size_t text_base64(const char *bytes, size_t length, char *out, size_t capacity);

/* A name for a line on a terminal: control characters (C0, DEL, C1), line separators, characters
 * that reorder the text (bidirectional controls) and bytes that are not UTF-8 become \n, \t, \r
 * or \ooo; a backslash becomes \\, so two different names never look the same. */
size_t text_escape_terminal(const char *bytes, size_t length, char *out, size_t capacity);

/* The same for a whole message that may hold names escaped already: backslashes stay. */
size_t text_escape_message(const char *bytes, size_t length, char *out, size_t capacity);

/* Lower-case hexadecimal digits: 2 * count of them and no NUL. */
void text_hex(const uint8_t *bytes, size_t count, char *out);

#endif
