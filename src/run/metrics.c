/* run/metrics.c -- see metrics.h. Every line begins {"step": N, so that a resumed run can find its place again. */
#include "run/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

enum { LINE_MAX_BYTES = 1 << 16 };
static const char BEFORE_STEP[] = "{\"step\": ";

/* ---- where a run goes on: its lines are in the order of their steps, so the place is found by bisection ---- */

struct history {
    const char *path, *phase; /* phase: NULL for every line's */
    int descriptor;
    int64_t bytes;
    char *block; /* [LINE_MAX_BYTES + 1] */
};

static int read_at(const struct history *history, int64_t at, size_t *got, struct error *error)
{
    const int64_t left = history->bytes - at;
    const size_t wanted = left < LINE_MAX_BYTES ? (size_t)left : LINE_MAX_BYTES;
    *got = 0;
    while (*got < wanted) {
        const ssize_t count = pread(history->descriptor, history->block + *got, wanted - *got, (off_t)at + (off_t)*got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set(error, SIMCLR_IO, "%s: cannot read: %s", history->path, strerror(errno));
        if (count == 0)
            return error_set(error, SIMCLR_IO,
                             "%s: became shorter while it was read: let no other program write it, and start again",
                             history->path);
        *got += (size_t)count;
    }
    history->block[*got] = '\0';
    return SIMCLR_OK;
}

/* Has the line a scalar of the phase? */
static bool is_of_phase(const struct history *history, const char *text, const char *end)
{
    char name[64];
    if (!history->phase) return true;
    snprintf(name, sizeof name, "\"%s/", history->phase);
    const char *found = strstr(text, name);
    return found && found < end;
}

/* Whether the line that begins at `at` is whole and not beyond `step`; *end: what follows it. A line that is longer
 * than any of ours is none. */
static int keep_line(const struct history *history, int64_t at, int64_t step, bool *kept, int64_t *end,
                     struct error *error)
{
    size_t got;
    char *after;
    const int status = read_at(history, at, &got, error);
    const char *text = history->block, *newline = status ? NULL : memchr(text, '\n', got);
    *kept = false;
    if (!newline || strncmp(text, BEFORE_STEP, sizeof BEFORE_STEP - 1) != 0) return status;
    const char *number = text + sizeof BEFORE_STEP - 1;
    const long long line_step = strtoll(number, &after, 10);
    *kept = after != number && (line_step <= step || !is_of_phase(history, text, newline));
    *end = at + (newline - text) + 1;
    return SIMCLR_OK;
}

/* Where the first line begins that begins after `at`; -1: none does within the length of a line. */
static int next_line(const struct history *history, int64_t at, int64_t *begin, struct error *error)
{
    size_t got;
    const int status = read_at(history, at, &got, error);
    const char *newline = status ? NULL : memchr(history->block, '\n', got);
    *begin = newline ? at + (newline - history->block) + 1 : -1;
    return status;
}

/* *kept: the bytes of the leading lines that are whole and not beyond `step`. */
static int find_kept(const struct history *history, int64_t step, int64_t *kept, struct error *error)
{
    int64_t low = 0, high = history->bytes; /* lines before `low` are kept; one that begins at or after `high` is not */
    bool good = true;
    int status = SIMCLR_OK;
    while (!status && low < high) {
        const int64_t middle = low + (high - low) / 2;
        int64_t begin = low, end = low;
        if (middle > low) status = next_line(history, middle - 1, &begin, error);
        if (status) break;
        if (begin < 0 || begin >= high) { /* no line begins in the upper half */
            if (middle == low) break;
            high = middle;
            continue;
        }
        status = keep_line(history, begin, step, &good, &end, error);
        if (good)
            low = end;
        else
            high = begin == low ? low : middle;
    }
    *kept = low;
    return status;
}

static int drop_later_lines(const char *path, const char *phase, int64_t step, struct error *error)
{
    struct history history = {.path = path, .phase = phase};
    struct stat info;
    int64_t kept = 0;
    if (stat(path, &info) != 0 && errno == ENOENT) return SIMCLR_OK;
    int status = file_open(path, O_RDWR, &history.descriptor, &info, error);
    if (status) return status;
    history.block = memory_allocate(LINE_MAX_BYTES + 1);
    if (!history.block) status = error_no_memory(error, "a line of metrics", LINE_MAX_BYTES + 1);
    if (!status) {
        history.bytes = info.st_size;
        status = find_kept(&history, step, &kept, error);
    }
    /* The end of a log is cut where a line ends: a kill leaves either the old end or the new one. */
    if (!status && kept < history.bytes && ftruncate(history.descriptor, (off_t)kept) != 0)
        status = error_set(error, SIMCLR_IO, "%s: cannot be cut after step %lld: %s", path, (long long)step,
                           strerror(errno));
    memory_free(history.block);
    close(history.descriptor);
    return status;
}

int metrics_open(struct metrics *metrics, const char *folder, const char *phase, int64_t step, bool tensorboard,
                 struct error *error)
{
    *metrics = (struct metrics){0};
    char *path = file_join(folder, "metrics.jsonl");
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder));
    int status = drop_later_lines(path, phase, step, error);
    if (status == SIMCLR_OK) status = file_append(path, &metrics->file, error);
    /* A restart at a step would make TensorBoard forget the trainings before, which have later steps. */
    if (status == SIMCLR_OK && tensorboard) status = tfevents_open(&metrics->events, folder, phase ? 0 : step, error);
    memory_free(path);
    if (status != SIMCLR_OK) metrics_close(metrics);
    return status;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->file != NULL) fclose(metrics->file);
    tfevents_close(&metrics->events);
    text_free(&metrics->line);
    *metrics = (struct metrics){0};
}

void metrics_begin(struct metrics *metrics, int64_t step, double epoch)
{
    metrics->step = step;
    metrics->line.length = 0;
    text_json_open_object(&metrics->line, NULL);
    text_json_integer(&metrics->line, "step", step);
    text_json_number(&metrics->line, "epoch", epoch);
    text_json_number(&metrics->line, "wall_time", clock_wall());
    tfevents_begin(metrics->events, step);
}

void metrics_number(struct metrics *metrics, const char *name, double value)
{
    text_json_number(&metrics->line, name, value);
    tfevents_scalar(metrics->events, name, value);
}

int metrics_end(struct metrics *metrics, struct error *error)
{
    text_json_close_object(&metrics->line);
    text_add(&metrics->line, "\n");
    if (metrics->line.failed) return error_no_memory(error, "a line of metrics", metrics->line.capacity);
    /* One write for one line: a kill leaves at most one torn line, which the next start drops. */
    if (fwrite(metrics->line.bytes, 1, metrics->line.length, metrics->file) != metrics->line.length ||
        fflush(metrics->file) != 0)
        return error_set(error, SIMCLR_IO, "metrics.jsonl: cannot write: %s", strerror(errno));
    return tfevents_end(metrics->events, error);
}
