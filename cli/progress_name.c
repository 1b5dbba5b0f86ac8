/* The name of a file as a field of the bar: what a terminal can show of it, and no wider than that.
 */
#include "cli/progress.h"

#include "cli/progress_private.h"
#include "stages/text.h"

#include <string.h>

/* From here on characters may take two columns; some take one, and none takes more. */
static const char first_wide[] = "\xe1\x84\x80"; /* U+1100, HANGUL CHOSEONG KIYEOK */

static size_t columns_of(const char *character, size_t bytes)
{
    /* UTF-8 sorts as the numbers of its characters do. */
    return bytes > 3 || (bytes == 3 && memcmp(character, first_wide, 3) >= 0) ? 2 : 1;
}

static void replace_wide(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        size_t bytes = text_utf8_length(from, strlen(from));
        *to = bytes > 1 ? '?' : *from;
        from += bytes ? bytes : 1;
    }
    *to = '\0';
}

/* Where the end of the text begins that takes at most `columns`. */
static const char *find_tail(const char *text, size_t columns)
{
    const char *start = text + strlen(text);
    while (start > text) {
        const char *before = start - 1;
        while (before > text && ((unsigned char)*before & 0xc0) == 0x80)
            before--;
        size_t width = columns_of(before, (size_t)(start - before));
        if (width > columns)
            break;
        columns -= width;
        start = before;
    }
    return start;
}

/* The end of a path tells more than its start. (An escape may be cut; it is still harmless.) */
void progress_append_name(struct line *line, const char *path, size_t columns, unsigned flags)
{
    char text[4 * IN_WORK_BYTES + 1];
    const char *mark = flags & PROGRESS_UTF8 ? "…" : "...";
    size_t mark_columns = text_columns(mark);
    text_escape_terminal(path, strlen(path), text, sizeof text);
    if (!(flags & PROGRESS_UTF8))
        replace_wide(text);
    const char *tail = find_tail(text, columns);
    if (tail > text && columns > mark_columns) {
        tail = find_tail(text, columns - mark_columns);
        line_append(line, "%s", mark);
    }
    line_append(line, "%s", tail);
}
