/* Text for the manual pages; see roff.h. */
#include "cli/roff.h"

#include <stdbool.h>
#include <string.h>

enum { LINE_BYTES = 76 }; /* input lines are broken before this column */

/* Text as roff shows it unchanged. A word that begins with '-' or holds other signs of a command
 * line has minus signs, that can be copied; in other words '-' is a hyphen. */
static int print_word(FILE *stream, const char *word, size_t length, bool begins_line)
{
    bool minus = memchr(word, '=', length) || memchr(word, '/', length);
    int used = 0;

    for (size_t i = 0; i + 1 < length; i++)
        minus = minus || (word[i] == '-' && (i == 0 || strchr("'([|", word[i - 1])));
    if (minus)
        used += fprintf(stream, "\\%%"); /* no hyphenation */
    else if (begins_line && (word[0] == '.' || word[0] == '\''))
        used += fprintf(stream, "\\&");
    for (size_t i = 0; i < length; i++) {
        switch (word[i]) {
        case '\\':
            used += fprintf(stream, "\\e");
            break;
        case '-':
            used += fprintf(stream, minus || length == 1 ? "\\-" : "-");
            break;
        case '\'':
            used += fprintf(stream, "\\(aq");
            break;
        case '`':
            used += fprintf(stream, "\\(ga");
            break;
        case '^':
            used += fprintf(stream, "\\(ha");
            break;
        case '~':
            used += fprintf(stream, "\\(ti");
            break;
        default:
            fputc(word[i], stream);
            used++;
        }
    }
    return used;
}

void roff_text(FILE *stream, const char *text)
{
    int column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column && column + (int)length + 1 > LINE_BYTES) {
            fputc('\n', stream);
            column = 0;
        }
        if (column)
            column += fprintf(stream, " ");
        column += print_word(stream, text, length, column == 0);
        bool sentence_ends = length && strchr(".:", text[length - 1]) && text[length] == ' ';
        text += length;
        text += strspn(text, " ");
        if (sentence_ends && *text) {
            fputc('\n', stream);
            column = 0;
        }
    }
    fputc('\n', stream);
}

void roff_literal(FILE *stream, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stream);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stream);
        else if (*text == '\\')
            fputs("\\e", stream);
        else if (*text == '\'')
            fputs("\\(aq", stream);
        else if (*text == '`')
            fputs("\\(ga", stream);
        else if (*text == '^')
            fputs("\\(ha", stream);
        else if (*text == '~')
            fputs("\\(ti", stream);
        else
            fputc(*text, stream);
    }
}

void roff_bold(FILE *stream, const char *text)
{
    fputs("\\fB", stream);
    roff_literal(stream, text);
    fputs("\\fR", stream);
}

void roff_italic(FILE *stream, const char *text)
{
    fputs("\\fI", stream);
    roff_literal(stream, text);
    fputs("\\fR", stream);
}

void roff_tag(FILE *stream, const char *tag, const char *text)
{
    fputs(".TP\n", stream);
    roff_bold(stream, tag);
    fputc('\n', stream);
    roff_text(stream, text);
}

void roff_command(FILE *stream, const char *command)
{
    fputs(".nf\n", stream);
    roff_bold(stream, command);
    fputs("\n.fi\n", stream);
}

void roff_section(FILE *stream, const char *title)
{
    fprintf(stream, ".SH %s\n", title);
}

void roff_references(FILE *stream, const char *const *pages, bool more)
{
    for (; *pages; pages++) {
        size_t name = strcspn(*pages, "(");
        fputs(".BR ", stream);
        for (size_t i = 0; i < name; i++)
            fprintf(stream, "%s%c", (*pages)[i] == '-' ? "\\" : "", (*pages)[i]);
        fprintf(stream, " %s%s\n", *pages + name, pages[1] || more ? "," : "");
    }
}
