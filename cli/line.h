/* line: a text that grows in a buffer of fixed size, with snprintf's contract: `length` is what it
 * would need, and the buffer holds as much of it as fits, NUL-terminated. */
#ifndef TREEMILL_CLI_LINE_H
#define TREEMILL_CLI_LINE_H

#include <stddef.h>

struct line {
    char *out;
    size_t capacity;
    size_t length;
};

__attribute__((format(printf, 2, 3))) void line_append(struct line *line, const char *format, ...);

#endif
