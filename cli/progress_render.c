/* The bar and the status line: pure functions from a view to a text.
 *
 * A line of a frame is made of fields. They are chosen in the order of their priority as long as
 * they fit, shown in the order of their place, and the bar and the name of the file in work take
 * the columns that are left. Numbers are padded to the width they can reach, so fields do not come,
 * go and wander from frame to frame.
 */
#include "cli/progress.h"

#include "cli/progress_private.h"
#include "cli/units.h"
#include "stages/text.h"

#include <stdio.h>
#include <string.h>

/* In the order of their place, left to right. */
enum field {
    FIELD_VERB,
    FIELD_PERCENT,
    FIELD_BAR,
    FIELD_FILES,
    FIELD_BYTES,
    FIELD_RATE,
    FIELD_MEAN,
    FIELD_RATIO,
    FIELD_ELAPSED,
    FIELD_ETA,
    FIELD_ERRORS,
    FIELD_BOTTLENECK,
    FIELD_STAGES,
    FIELD_NAME,
    FIELD_COUNT
};

/* A line's fields by priority; FIELD_COUNT ends. */
typedef const enum field layout[FIELD_COUNT + 1];
static layout only_line = {FIELD_PERCENT, FIELD_ERRORS,     FIELD_RATE,    FIELD_ETA,  FIELD_BYTES,
                           FIELD_BAR,     FIELD_FILES,      FIELD_ELAPSED, FIELD_VERB, FIELD_MEAN,
                           FIELD_RATIO,   FIELD_BOTTLENECK, FIELD_STAGES,  FIELD_NAME, FIELD_COUNT};
static layout first_line = {FIELD_PERCENT, FIELD_ERRORS, FIELD_RATE, FIELD_ETA,  FIELD_BYTES,
                            FIELD_BAR,     FIELD_FILES,  FIELD_VERB, FIELD_COUNT};
static layout second_line = {FIELD_BOTTLENECK, FIELD_MEAN,   FIELD_ELAPSED, FIELD_RATIO,
                             FIELD_NAME,       FIELD_STAGES, FIELD_COUNT};

/* Columns between the brackets. */
#define BAR_LEAST  6u
#define BAR_MOST   40u
#define NAME_LEAST 20u

#define GAP 2u /* columns between fields */

#define STATUS_NAME_COLUMNS 100

static const uint64_t bounce_step_ns = 200000000;

/* "1,234/≥5,678": done, padded to the width of the total, or to 7 columns for sizes. */
static void append_amounts(struct line *line, const struct progress_view *view, unsigned flags,
                           bool files, bool padded)
{
    char done[UNITS_CAPACITY], total[UNITS_CAPACITY];
    const char *at_least = view->totals_final ? "" : flags & PROGRESS_UTF8 ? "≥" : ">=";
    int width = 7;
    if (files) {
        units_count(view->files_done, done);
        width = (int)strlen(units_count(view->files_total, total));
    } else {
        units_bytes(view->bytes_done, done);
        units_bytes(view->bytes_total, total);
    }
    line_append(line, "%*s/%s%s", padded ? width : 0, done, at_least, total);
}

static void append_rate(struct line *line, const struct progress_view *view, bool padded)
{
    char text[UNITS_CAPACITY];
    /* A tree of empty files makes progress too. */
    if (view->bytes_total == 0 && view->files_total > 0) {
        double rate = view->files_rate < 1e15 ? view->files_rate : 1e15;
        line_append(line, "%s files/s", units_count((uint64_t)(rate + 0.5), text));
    } else {
        line_append(line, "%*s", padded ? 9 : 0, units_rate(view->rate, text));
    }
}

static void append_eta(struct line *line, const struct progress_view *view, bool padded)
{
    char text[UNITS_CAPACITY] = "--:--";
    /* Rounded up: "0:00" is said when nothing is left. */
    if (view->eta_ns != PROGRESS_ETA_UNKNOWN)
        units_clock(view->eta_ns + 999999999, text);
    line_append(line, "ETA %*s", padded ? 5 : 0, text);
}

/* Rounded down: 100 is said when all is done. */
static unsigned percent_of(const struct progress_view *view)
{
    unsigned percent = view->share > 0 ? (unsigned)(view->share * 100 + 1e-9) : 0;
    if (view->files_done < view->files_total || view->bytes_done < view->bytes_total)
        return percent < 99 ? percent : 99;
    return percent < 100 ? percent : 100;
}

static void append_stages(struct line *line, const struct progress_view *view, bool padded)
{
    for (unsigned i = 0; i < view->stage_count; i++) {
        line_append(line, "%s%s %*u%%", i ? "  " : "", view->stage[i].name, padded ? 2 : 0,
                    units_percent(view->stage[i].busy_share));
        if (view->stage[i].queue_capacity > 0) {
            int width = snprintf(NULL, 0, "%u", view->stage[i].queue_capacity);
            line_append(line, " %*u/%u", padded ? width : 0, view->stage[i].queue_fill,
                        view->stage[i].queue_capacity);
        }
    }
}

static void append_errors(struct line *line, const struct progress_view *view, unsigned flags)
{
    char number[UNITS_CAPACITY];
    bool red = flags & PROGRESS_COLOR;
    line_append(line, "%s%s error%s%s", red ? "\033[31m" : "", units_count(view->errors, number),
                view->errors == 1 ? "" : "s", red ? "\033[0m" : "");
}

/* The text of one field; nothing: the field does not apply. Those that take what is left are made
 * later. */
static void append_field(struct line *line, enum field field, const struct progress_view *view,
                         unsigned flags)
{
    char text[UNITS_CAPACITY];
    switch (field) {
    case FIELD_VERB:
        line_append(line, "%s", view->verb ? view->verb : "");
        return;
    case FIELD_PERCENT:
        if (view->totals_final)
            line_append(line, "%3u%%", percent_of(view));
        else
            line_append(line, " --%%");
        return;
    case FIELD_FILES:
        append_amounts(line, view, flags, true, true);
        line_append(line, " files");
        return;
    case FIELD_BYTES:
        append_amounts(line, view, flags, false, true);
        return;
    case FIELD_RATIO:
        if (view->ratio >= 0)
            line_append(line, "ratio %s", units_decimal(view->ratio, 3, text));
        return;
    case FIELD_RATE:
        append_rate(line, view, true);
        return;
    case FIELD_MEAN:
        line_append(line, "mean %9s", units_rate(view->mean, text));
        return;
    case FIELD_ETA:
        append_eta(line, view, true);
        return;
    case FIELD_ELAPSED:
        line_append(line, "%5s", units_clock(view->elapsed_ns, text));
        return;
    case FIELD_ERRORS:
        if (view->errors > 0)
            append_errors(line, view, flags);
        return;
    case FIELD_BOTTLENECK:
        if (view->bottleneck >= 0)
            line_append(line, "bottleneck %s %3u%%", view->stage[view->bottleneck].name,
                        units_percent(view->stage[view->bottleneck].busy_share));
        return;
    case FIELD_STAGES:
        append_stages(line, view, true);
        return;
    case FIELD_BAR:
    case FIELD_NAME:
    case FIELD_COUNT:
        return;
    }
}

/* While the total is unknown, a mark moves to and fro to show that there is life. */
static void append_bounce(struct line *line, uint64_t elapsed_ns, unsigned inner)
{
    unsigned way = inner - 3;
    unsigned step = (unsigned)(elapsed_ns / bounce_step_ns % (2 * way));
    unsigned at = step <= way ? step : 2 * way - step;
    line_append(line, "[%*s<=>%*s]", (int)at, "", (int)(way - at), "");
}

static void append_bar(struct line *line, const struct progress_view *view, unsigned flags,
                       unsigned inner)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static const char *const ascii[] = {"", ">"};
    if (!view->totals_final) {
        append_bounce(line, view->elapsed_ns, inner);
        return;
    }
    bool utf8 = flags & PROGRESS_UTF8;
    double share = view->share > 0 ? view->share < 1 ? view->share : 1 : 0;
    unsigned parts = (unsigned)(share * inner * 8 + 1e-9);
    unsigned full = parts / 8;
    const char *tip = utf8 ? eighths[parts % 8] : ascii[full < inner && parts > 0];
    line_append(line, "[");
    for (unsigned i = 0; i < full; i++)
        line_append(line, "%s", utf8 ? "█" : "=");
    line_append(line, "%s%*s]", tip, (int)(inner - full - (*tip ? 1 : 0)), "");
}

static size_t least_columns(enum field field, const struct progress_view *view, const char *text)
{
    if (field == FIELD_BAR)
        return BAR_LEAST + 2;
    if (field == FIELD_NAME)
        return view->in_work ? NAME_LEAST : 0;
    return text_columns(text);
}

/* A line of at most `room` columns, which is 0 or has been seen to fit into the line's buffer. */
static void append_line(struct line *line, const enum field *by_priority,
                        const struct progress_view *view, size_t room, unsigned flags)
{
    char text[FIELD_COUNT][256];
    bool shown[FIELD_COUNT] = {false};
    size_t used = 0;
    for (; *by_priority != FIELD_COUNT; by_priority++) {
        enum field field = *by_priority;
        struct line piece = {.out = text[field], .capacity = sizeof text[field]};
        text[field][0] = '\0';
        append_field(&piece, field, view, flags);
        size_t width = least_columns(field, view, text[field]);
        if (width == 0 || piece.length >= piece.capacity)
            continue;
        width += used > 0 ? GAP : 0;
        if (used + width > room)
            continue;
        shown[field] = true;
        used += width;
    }
    size_t left = room - used;
    const char *gap = "";
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        if (!shown[field])
            continue;
        line_append(line, "%s", gap);
        gap = "  ";
        if (field == FIELD_BAR) {
            size_t more = left < BAR_MOST - BAR_LEAST ? left : BAR_MOST - BAR_LEAST;
            append_bar(line, view, flags, BAR_LEAST + (unsigned)more);
            left -= more;
        } else if (field == FIELD_NAME) {
            progress_append_name(line, view->in_work, NAME_LEAST + left, flags);
        } else {
            line_append(line, "%s", text[field]);
        }
    }
}

size_t progress_render(const struct progress_view *view, unsigned columns, unsigned rows,
                       unsigned flags, char *out, size_t capacity)
{
    if (capacity == 0)
        return 0;
    out[0] = '\0';
    struct line line = {.out = out, .capacity = capacity};
    bool has_two = columns >= PROGRESS_TWO_LINES_COLUMNS && rows >= PROGRESS_TWO_LINES_ROWS;
    if (columns > PROGRESS_MAX_COLUMNS)
        columns = PROGRESS_MAX_COLUMNS;
    /* The last column stays free: some terminals wrap as soon as it is written. */
    size_t room = columns > 0 ? columns - 1 : 0;
    size_t share = has_two ? capacity / 2 : capacity;
    size_t most = share > 64 ? (share - 64) / 4 : 0;
    if (room > most)
        room = most;
    append_line(&line, has_two ? first_line : only_line, view, room, flags);
    if (has_two) {
        line_append(&line, "\n");
        append_line(&line, second_line, view, room, flags);
    }
    return line.length;
}

size_t progress_status_line(const struct progress_view *view, unsigned flags, char *out,
                            size_t capacity)
{
    char text[UNITS_CAPACITY];
    struct line line = {.out = out, .capacity = capacity};
    line_append(&line, "%s: ", view->verb ? view->verb : "progress");
    if (view->totals_final)
        line_append(&line, "%u%%, ", percent_of(view));
    append_amounts(&line, view, flags, true, false);
    line_append(&line, " files, ");
    append_amounts(&line, view, flags, false, false);
    line_append(&line, ", ");
    append_rate(&line, view, false);
    line_append(&line, ", mean %s, ", units_rate(view->mean, text));
    append_eta(&line, view, false);
    line_append(&line, ", elapsed %s", units_clock(view->elapsed_ns, text));
    if (view->errors > 0) {
        line_append(&line, ", ");
        append_errors(&line, view, flags & ~(unsigned)PROGRESS_COLOR);
    }
    if (view->ratio >= 0)
        line_append(&line, ", ratio %s", units_decimal(view->ratio, 3, text));
    if (view->bottleneck >= 0)
        line_append(&line, ", bottleneck %s %u%%", view->stage[view->bottleneck].name,
                    units_percent(view->stage[view->bottleneck].busy_share));
    if (view->stage_count > 0) {
        line_append(&line, "; ");
        append_stages(&line, view, false);
    }
    if (view->in_work && !view->is_last) {
        line_append(&line, "; ");
        progress_append_name(&line, view->in_work, STATUS_NAME_COLUMNS, flags);
    }
    return line.length;
}
