/* run/metrics.c -- see metrics.h. Every line begins {"step": N, so that a resumed run can find its place again. */
#include "run/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

static const char BEFORE_STEP[] = "{\"step\": ";

/* The bytes of the leading lines that are whole and not beyond `step`. Steps never decrease within a file. */
static size_t kept_bytes(const char *text, size_t bytes, int64_t step)
{
    size_t at = 0;
    while (at < bytes) {
        const char *end = memchr(text + at, '\n', bytes - at), *number = text + at + sizeof BEFORE_STEP - 1;
        if (!end || strncmp(text + at, BEFORE_STEP, sizeof BEFORE_STEP - 1) != 0) break;
        char *after; /* not sscanf, which measures all that follows for each line */
        const long long line_step = strtoll(number, &after, 10);
        if (after == number || line_step > step) break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

static int drop_later_lines(const char *path, int64_t step, struct error *error)
{
    if (!file_exists(path)) return SIMCLR_OK;
    uint8_t *bytes;
    size_t count;
    int status = file_read(path, METRICS_BYTES_MAX, &bytes, &count, error);
    if (status != SIMCLR_OK) return status;
    const size_t kept = kept_bytes((const char *)bytes, count, step);
    if (kept < count) status = file_write_atomic(path, bytes, kept, error);
    memory_free(bytes);
    return status;
}

int metrics_open(struct metrics *metrics, const char *folder, int64_t step, bool tensorboard, struct error *error)
{
    *metrics = (struct metrics){0};
    char *path = file_join(folder, "metrics.jsonl");
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder));
    int status = drop_later_lines(path, step, error);
    if (status == SIMCLR_OK && (metrics->file = fopen(path, "ae")) == NULL)
        status = error_set(error, SIMCLR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status == SIMCLR_OK && tensorboard) status = tfevents_open(&metrics->events, folder, step, error);
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
