/* roff: text in the macros of man(7), such that groff and mandoc show it as it is.
 *
 * A word that begins with '-' or holds other signs of a command line gets minus signs, which can be
 * copied from the page; in other words '-' is a hyphen. Errors are left to the stream (ferror()).
 * Any thread, on streams of its own.
 */
#ifndef TREEMILL_CLI_ROFF_H
#define TREEMILL_CLI_ROFF_H

#include <stdbool.h>
#include <stdio.h>

/* Prose: filled lines, each sentence on a line of its own. */
void roff_text(FILE *stream, const char *text);

/* Within a line that is not filled: every '-' is a minus sign. */
void roff_literal(FILE *stream, const char *text);
void roff_bold(FILE *stream, const char *text);
void roff_italic(FILE *stream, const char *text);

/* A paragraph with a bold tag. */
void roff_tag(FILE *stream, const char *tag, const char *text);

/* A command in bold, on a line of its own that is not filled. */
void roff_command(FILE *stream, const char *command);

/* A section. */
void roff_section(FILE *stream, const char *title);

/* "gzip(1), tar(1)": a NULL-terminated list of pages, as references. More follow if `more`. */
void roff_references(FILE *stream, const char *const *pages, bool more);

#endif
