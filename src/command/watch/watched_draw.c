/* command/watch/watched_draw.c -- a run in 80 columns of text. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "command/watch/watched.h"

enum { DURATION = 40 };

/* Characters of a UTF-8 text. */
static size_t width_of(const char *text, size_t bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes; i++) width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* A line of words, broken at blanks so that it fits; `line` is what is escaped already. */
static void add_wrapped(struct text *out, const char *line)
{
    size_t column = 0;
    while (*line != '\0') {
        const size_t length = strcspn(line, " "), width = width_of(line, length);
        if (column > 0 && column + 1 + width > PLOT_COLUMNS) {
            text_add(out, "\n  ");
            column = 2;
        } else if (column > 0) {
            text_add(out, " ");
            column++;
        }
        for (size_t i = 0; i < length; i++) {
            const bool begins = ((unsigned char)line[i] & 0xc0) != 0x80;
            if (begins && column == PLOT_COLUMNS) {
                text_add(out, "\n  ");
                column = 2;
            }
            text_add_bytes(out, line + i, 1);
            column += begins;
        }
        line += length;
        line += strspn(line, " ");
    }
    text_add(out, "\n");
}

/* A file's text that should be escaped, and may not be. */
static void add_foreign(struct text *out, const char *text)
{
    if (escape_is_needed(text, strlen(text)))
        escape_add(out, text, strlen(text));
    else
        text_add(out, "%s", text);
}

static void add_state(struct text *line, const struct watched *run, double now)
{
    char ago[DURATION];
    switch (run->state) {
    case RUN_RUNNING:
        text_add(line, "running");
        format_duration(ago, sizeof ago, now - run->wall);
        if (now - run->wall > 60 && ago[0]) text_add(line, ", its last line is %s old", ago);
        return;
    case RUN_FINISHED:
        text_add(line, "finished");
        return;
    case RUN_NONE:
    case RUN_UNKNOWN:
    case RUN_STOPPED:
        break;
    }
    if (run->words == WORDS_ERROR) {
        text_add(line, "ended with an error: ");
        add_foreign(line, run->said);
    } else if (run->state == RUN_UNKNOWN) {
        text_add(line, "no process here uses it; whether it came to its end, its files do not tell");
    } else if (run->words == WORDS_ASKED) {
        text_add(line, "stopped by request; the same command goes on with it");
    } else {
        text_add(line, "killed: no process uses it here, and it is not at its end; the same command goes on with it");
    }
}

static void add_place(struct text *line, const struct watched *run)
{
    const double steps = watched_steps(run);
    if (run->step < 0) {
        text_add(line, "no step is logged yet");
        return;
    }
    text_add(line, "%sstep %" PRId64, run->control ? "the control, from random weights: " : "", run->step);
    if (isfinite(steps)) text_add(line, " of %.0f", steps);
    if (isfinite(run->epoch)) text_add(line, ", epoch %.4g", run->epoch);
    if (run->config && run->config->epochs > 0) text_add(line, " of %" PRId64, run->config->epochs);
    if (isfinite(run->views_per_second)) text_add(line, "; %.0f views/s", run->views_per_second);
    if (isfinite(run->wait_share)) text_add(line, " (%.0f %% waiting)", 100 * run->wait_share);
}

static double last_of(const struct series *series)
{
    return series->count > 0 ? series->points[series->count - 1].y : NAN;
}

static void add_numbers(struct text *line, const struct watched *run)
{
    const double loss = last_of(&run->loss), rate = last_of(&run->rate), knn = last_of(&run->knn);
    if (run->loss.count > 0) text_add(line, "loss %.4g", loss);
    if (isfinite(run->chance)) text_add(line, " (chance %.4g)", run->chance);
    if (isfinite(run->top1)) text_add(line, ", top-1 %.1f %%", 100 * run->top1);
    if (run->knn.count > 0) text_add(line, ", kNN %.2f %%", 100 * knn);
    if (run->rate.count > 0) text_add(line, ", rate %.4g", rate);
}

static void add_left(struct text *line, const struct watched *run)
{
    char left[DURATION] = "";
    const double seconds = watched_pace(run) * (watched_steps(run) - (double)run->step);
    if (run->state == RUN_RUNNING && seconds >= 0) format_duration(left, sizeof left, seconds);
    if (left[0]) text_add(line, "%s left", left);
}

static void add_plot(struct text *out, const struct watched *run, const struct series *series, const char *name,
                     int rows, double scale)
{
    const double steps = watched_steps(run), last = (double)run->step;
    struct text drawn = {0};
    plot_add(&drawn, &(struct plot){.points = series->points,
                                    .count = series->count,
                                    .low = 0,
                                    .high = steps > last ? steps : last,
                                    .rows = rows,
                                    .scale = scale});
    if (drawn.length > 0) {
        text_add(out, "%s\n", name);
        text_add_bytes(out, drawn.bytes, drawn.length);
    }
    out->failed = out->failed || drawn.failed;
    text_free(&drawn);
}

static void add_axis(struct text *out, const struct watched *run)
{
    const double steps = watched_steps(run), last = (double)run->step, end = steps > last ? steps : last;
    char right[40];
    if (run->loss.count == 0 || !(end >= 0 && end < 1e18)) return;
    format_write(right, sizeof right, "step %.0f", end);
    text_add(out, "%*s%-*s%s\n", PLOT_LABEL, "", PLOT_COLUMNS - PLOT_LABEL - (int)strlen(right), "0", right);
}

/* Gathers a line and writes it, if there is any. */
static void add_line(struct text *out, struct text *line)
{
    if (line->length > 0) add_wrapped(out, line->bytes[0] == ',' ? line->bytes + 2 : line->bytes);
    out->failed = out->failed || line->failed;
    text_free(line);
}

void watched_draw(const struct watched *run, const char *path, double now, struct text *out)
{
    struct text line = {0};
    escape_add(&line, path, strlen(path));
    text_add(&line, ": ");
    if (run->config) text_add(&line, "simclr %s, ", command_name(run->command));
    add_state(&line, run, now);
    add_line(out, &line);
    add_place(&line, run);
    if (line.length > 0) text_add(&line, "; ");
    add_left(&line, run);
    if (line.length > 1 && !line.failed && line.bytes[line.length - 2] == ';') line.bytes[line.length -= 2] = '\0';
    add_line(out, &line);
    add_numbers(&line, run);
    add_line(out, &line);
    add_plot(out, run, &run->loss, "loss", 6, 1);
    add_plot(out, run, &run->knn, "kNN, %", 4, 100);
    add_plot(out, run, &run->rate, "learning rate", 3, 1);
    add_axis(out, run);
    if (run->not_finite > 0)
        text_add(&line, "%" PRId64 " figures are no finite numbers and not drawn", run->not_finite);
    if (run->not_finite > 0 && run->damaged > 0) text_add(&line, "; ");
    if (run->damaged > 0)
        text_add(&line, "%" PRId64 " of %" PRId64 " lines of metrics.jsonl are damaged and left out", run->damaged,
                 run->lines);
    add_line(out, &line);
}
