/* The end of a run in numbers: the summary line and the table of --stats. */
#include "cli/report.h"

#include "cli/line.h"
#include "cli/units.h"

#include <string.h>

/* ", 2 errors", in red where it is bad and colours are wanted; nothing for 0. */
static void append_count(struct line *text, uint64_t count, const char *one, const char *many,
                         bool red)
{
    char number[UNITS_CAPACITY];
    if (count > 0)
        line_append(text, ", %s%s %s%s", red ? "\033[31m" : "", units_count(count, number),
                    count == 1 ? one : many, red ? "\033[0m" : "");
}

size_t report_summary_text(const struct report_summary *summary, bool color, char *out,
                           size_t capacity)
{
    char files[UNITS_CAPACITY], bytes[UNITS_CAPACITY], time[UNITS_CAPACITY];
    struct line text = {.out = out, .capacity = capacity};
    line_append(&text, "%s%s %s file%s, %s", summary->interrupted ? "interrupted: " : "",
                summary->done, units_count(summary->files, files), summary->files == 1 ? "" : "s",
                units_bytes(summary->bytes, bytes));
    if (summary->output_bytes > 0) {
        line_append(&text, " to %s", units_bytes(summary->output_bytes, bytes));
        if (summary->bytes > 0)
            line_append(
                &text, " (ratio %s)",
                units_decimal((double)summary->output_bytes / (double)summary->bytes, 3, bytes));
    }
    line_append(&text, " in %s", units_seconds(summary->elapsed_ns, time));
    if (summary->elapsed_ns > 0 && summary->bytes > 0)
        line_append(&text, " (%s)",
                    units_rate((double)summary->bytes * 1e9 / (double)summary->elapsed_ns, bytes));
    append_count(&text, summary->differing, "differs", "differ", color);
    append_count(&text, summary->missing, "missing", "missing", color);
    append_count(&text, summary->extra, "extra", "extra", false);
    append_count(&text, summary->errors, "error", "errors", color);
    append_count(&text, summary->skipped, "skipped", "skipped", false);
    return text.length;
}

#define COLUMNS 13

static const char *const titles[COLUMNS] = {
    "stage",       "model",      "workers",    "items",    "bytes", "busy",  "wait input",
    "wait output", "queue mean", "queue peak", "restarts", "hits",  "misses"};

struct row {
    char cell[COLUMNS][64];
};

static void fill_row(struct row *row, const struct stage_stats *stage)
{
    char number[UNITS_CAPACITY];
    size_t width = sizeof row->cell[0];
    snprintf(row->cell[0], width, "%s", stage->name);
    if (stage->depth)
        snprintf(row->cell[1], width, "%s%s%u", stage->model, stage->bursts ? ",burst=" : ":",
                 stage->depth);
    else
        snprintf(row->cell[1], width, "%s", stage->model);
    snprintf(row->cell[2], width, "%u", stage->workers);
    snprintf(row->cell[3], width, "%s", units_count(stage->items, number));
    snprintf(row->cell[4], width, "%s", units_bytes(stage->bytes, number));
    snprintf(row->cell[5], width, "%s", units_seconds(stage->busy_ns, number));
    snprintf(row->cell[6], width, "%s", units_seconds(stage->wait_input_ns, number));
    snprintf(row->cell[7], width, "%s", units_seconds(stage->wait_output_ns, number));
    if (stage->queue_capacity > 0) {
        snprintf(row->cell[8], width, "%s", units_decimal(stage->queue_mean, 1, number));
        snprintf(row->cell[9], width, "%u/%u", stage->queue_peak, stage->queue_capacity);
    } else {
        snprintf(row->cell[8], width, "-");
        snprintf(row->cell[9], width, "-");
    }
    snprintf(row->cell[10], width, "%s", units_count(stage->restarts, number));
    snprintf(row->cell[11], width, "%s", stage->depth ? units_count(stage->hits, number) : "-");
    snprintf(row->cell[12], width, "%s", stage->depth ? units_count(stage->misses, number) : "-");
}

static void print_row(FILE *file, const struct row *row, const size_t widths[static COLUMNS],
                      const char *why)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        int width = (int)widths[i];
        /* Names to the left, numbers to the right. */
        fprintf(file, "%s%*s", i ? "  " : "", i < 2 ? -width : width, row->cell[i]);
    }
    fprintf(file, "%s%s\n", why ? "  " : "", why ? why : "");
}

void report_stats(FILE *file, const struct stage_stats *stages, size_t count)
{
    size_t widths[COLUMNS];
    struct row row;
    bool any_why = false;
    for (size_t i = 0; i < COLUMNS; i++) {
        snprintf(row.cell[i], sizeof row.cell[i], "%s", titles[i]);
        widths[i] = strlen(titles[i]);
    }
    struct row header = row;
    for (size_t stage = 0; stage < count; stage++) {
        fill_row(&row, &stages[stage]);
        for (size_t i = 0; i < COLUMNS; i++)
            if (strlen(row.cell[i]) > widths[i])
                widths[i] = strlen(row.cell[i]);
        any_why = any_why || stages[stage].why;
    }
    print_row(file, &header, widths, any_why ? "chosen because" : NULL);
    /* Filled anew: that is cheaper than memory for all rows. */
    for (size_t stage = 0; stage < count; stage++) {
        fill_row(&row, &stages[stage]);
        print_row(file, &row, widths, stages[stage].why);
    }
}

void report_stats_json(struct json_writer *json, const char *key, const struct stage_stats *stages,
                       size_t count)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < count; i++) {
        const struct stage_stats *stage = &stages[i];
        json_begin_object(json, NULL);
        json_string(json, "name", stage->name);
        json_string(json, "model", stage->model);
        json_uint(json, "workers", stage->workers);
        json_uint(json, "depth", stage->depth);
        json_uint(json, "hits", stage->hits);
        json_uint(json, "misses", stage->misses);
        json_uint(json, "items", stage->items);
        json_uint(json, "bytes", stage->bytes);
        json_decimal(json, "busy_seconds", (double)stage->busy_ns / 1e9, 6);
        json_decimal(json, "wait_input_seconds", (double)stage->wait_input_ns / 1e9, 6);
        json_decimal(json, "wait_output_seconds", (double)stage->wait_output_ns / 1e9, 6);
        json_decimal(json, "queue_mean", stage->queue_mean, 2);
        json_uint(json, "queue_peak", stage->queue_peak);
        json_uint(json, "queue_capacity", stage->queue_capacity);
        json_uint(json, "restarts", stage->restarts);
        if (stage->why)
            json_string(json, "why", stage->why);
        json_end_object(json);
    }
    json_end_array(json);
}
