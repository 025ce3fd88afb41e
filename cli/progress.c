/* progress.c -- one line about work under way: a bar in the manner of tqdm, or the same in words. */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { FIELD_BYTES = 64, MOST_FIELDS = 10, BAR_LEAST = 8, BAR_MOST = 40 };

/* The facts after the bar, the most wanted first: a narrow terminal loses the last ones. */
struct fields {
    char text[MOST_FIELDS][FIELD_BYTES];
    int count;
};

static void add(struct fields *fields, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct fields *fields, const char *format, ...)
{
    va_list arguments;

    if (fields->count == MOST_FIELDS) return;
    va_start(arguments, format);
    vsnprintf(fields->text[fields->count++], FIELD_BYTES, format, arguments);
    va_end(arguments);
}

static bool known(double value)
{
    return isfinite(value) && value >= 0;
}

static void format_time(double seconds, char out[FIELD_BYTES])
{
    const int64_t s = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 1000000000;

    if (s >= 3600)
        snprintf(out, FIELD_BYTES, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, FIELD_BYTES, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
}

static void collect(const simclr_progress *p, struct fields *fields)
{
    char time[FIELD_BYTES];

    if (known(p->epochs) && known(p->epoch)) add(fields, "epoch %.1f/%g", p->epoch, p->epochs);
    if (isfinite(p->loss)) {
        if (known(p->chance_loss))
            add(fields, "loss %.3f (chance %.3f)", p->loss, p->chance_loss);
        else
            add(fields, "loss %.3f", p->loss);
    }
    if (known(p->top1)) add(fields, "top-1 %.1f%%", 100 * p->top1);
    if (known(p->eta_seconds)) {
        format_time(p->eta_seconds, time);
        add(fields, "ETA %s", time);
    }
    if (known(p->views_per_second)) add(fields, "%.*f views/s", p->views_per_second < 10 ? 1 : 0, p->views_per_second);
    if (known(p->learning_rate)) add(fields, "lr %.3g", p->learning_rate);
    if (known(p->wait_share)) add(fields, "waiting %.0f%%", 100 * p->wait_share);
}

/* Appends to out, never beyond capacity; returns the new length. */
static size_t append(char *out, size_t used, size_t capacity, const char *text)
{
    const size_t length = strlen(text);
    if (used + length + 1 > capacity) return used;
    memcpy(out + used, text, length + 1);
    return used + length;
}

static size_t append_bar(char *out, size_t used, size_t capacity, double share, int cells, bool unicode)
{
    static const char *const eighths[] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
    const int parts = (int)(share * cells * 8 + 0.5);
    int drawn = 0;

    used = append(out, used, capacity, "|");
    for (; drawn < parts / 8; drawn++) used = append(out, used, capacity, unicode ? "\u2588" : "#");
    if (unicode && drawn < cells && parts % 8) {
        used = append(out, used, capacity, eighths[parts % 8]);
        drawn++;
    }
    for (; drawn < cells; drawn++) used = append(out, used, capacity, " ");
    return append(out, used, capacity, "| ");
}

size_t progress_line(const simclr_progress *p, int width, bool bar, bool unicode, char *out, size_t capacity)
{
    struct fields fields = {.count = 0};
    char head[FIELD_BYTES], steps[FIELD_BYTES] = "";
    const double share = p->steps > 0 ? fmin(1, fmax(0, (double)p->step / (double)p->steps)) : 0;

    if (capacity == 0) return 0;
    out[0] = '\0';
    collect(p, &fields);
    if (p->steps > 0) {
        snprintf(head, sizeof head, bar ? "%.31s %3.0f%% " : "%.31s: %.0f%%, ", p->phase ? p->phase : "", 100 * share);
        snprintf(steps, sizeof steps, "%" PRId64 "/%" PRId64, p->step, p->steps);
    } else {
        snprintf(head, sizeof head, bar ? "%.31s " : "%.31s: ", p->phase ? p->phase : "");
        if (p->step >= 0) snprintf(steps, sizeof steps, "%" PRId64, p->step);
    }
    /* How many fields fit beside the shortest bar; what is left over lengthens it. */
    int columns = (int)(strlen(head) + strlen(steps)) + (bar ? BAR_LEAST + 3 : 0), shown = 0;
    while (shown < fields.count && columns + 2 + (int)strlen(fields.text[shown]) <= width) {
        columns += 2 + (int)strlen(fields.text[shown++]);
    }
    int cells = BAR_LEAST + width - columns;
    if (cells > BAR_MOST) cells = BAR_MOST;

    size_t used = append(out, 0, capacity, head);
    if (bar && p->steps > 0 && cells >= BAR_LEAST) used = append_bar(out, used, capacity, share, cells, unicode);
    used = append(out, used, capacity, steps);
    for (int i = 0; i < shown; i++) {
        used = append(out, used, capacity, ", ");
        used = append(out, used, capacity, fields.text[i]);
    }
    if (bar && cells < BAR_LEAST && used > (size_t)width) { /* no bar and no field: all of it is ASCII */
        used = (size_t)width;
        out[used] = '\0';
    }
    return used;
}
