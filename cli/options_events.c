/* The section of the manual page on events. */
#include "cli/events.h"
#include "cli/options_private.h"

/* Names of options may be copied from the page: every '-' is a minus sign. */
static void print_plain(FILE *stream, const char *text)
{
    for (; *text; text++)
        fputs(*text == '-' ? "\\-" : (char[]){*text, '\0'}, stream);
}

static void print_event(FILE *stream, const struct event_row *event)
{
    fprintf(stream, ".SS %s\n", event->event);
    print_plain(stream, event->text);
    fputc('\n', stream);
}

static void print_key(FILE *stream, const struct event_row *key)
{
    fprintf(stream, ".TP\n\\fB%s\\fR\n", key->key);
    print_plain(stream, key->text);
    fputs(".\n", stream);
}

void options_print_events(FILE *stream)
{
    size_t count;
    const struct event_row *rows = events_rows(&count);
    fputs(".SH EVENTS\n", stream);
    print_plain(stream, "What --json, --progress=json, --progress-fd and --stats=json print: one "
                        "JSON object a line, in UTF-8. Each has the keys event, its kind, and "
                        "schema, the version of this description, which is ");
    fprintf(stream, "%d.\n", EVENTS_SCHEMA);
    print_plain(stream, "The version changes when a key goes or changes its meaning; events and "
                        "keys may be added, and a reader passes over those that it does not know. "
                        "Sizes are bytes and times are seconds, both as numbers. In place of a "
                        "path that is not UTF-8 there is path_b64, the base64 of its bytes.\n");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].key)
            print_key(stream, &rows[i]);
        else
            print_event(stream, &rows[i]);
    }
}
