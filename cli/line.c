#include "cli/line.h"

#include <stdarg.h>
#include <stdio.h>

void line_append(struct line *line, const char *format, ...)
{
    size_t left = line->length < line->capacity ? line->capacity - line->length : 0;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(left ? line->out + line->length : NULL, left, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->length += (size_t)length;
}
