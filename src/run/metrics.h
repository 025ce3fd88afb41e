/* run/metrics.h -- scalars of a run: one flat JSON object a line in metrics.jsonl, and the same for TensorBoard. */
#ifndef RUN_METRICS_H
#define RUN_METRICS_H

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "run/tfevents.h"

struct metrics {
    FILE *file;
    struct tfevents *events; /* NULL: not wanted */
    struct text line;        /* being built between begin and end */
    int64_t step;
};

/* Appends to folder/metrics.jsonl after cutting off the lines of steps beyond `step`, and what is no line. Steps never
 * decrease in it, so the place is found by looking at a few lines, however long the file is.
 * phase: of several trainings that write one after the other, each from step 1, the one that goes on, by the beginning
 * of its scalars' names ("random" of "random/loss"): lines without such a name are of those before, and stay. NULL:
 * one. */
int metrics_open(struct metrics *metrics, const char *folder, const char *phase, int64_t step, bool tensorboard,
                 struct error *error);
void metrics_close(struct metrics *metrics);

/* One line: begin, any number of scalars, end. Names are TensorBoard tags: "train/loss". A write that fails is
 * reported by metrics_end, once the line is complete. */
void metrics_begin(struct metrics *metrics, int64_t step, double epoch);
void metrics_number(struct metrics *metrics, const char *name, double value);
int metrics_end(struct metrics *metrics, struct error *error);

/* ---- reading them again ---- */

struct metrics_value {
    char *name;
    double value; /* NaN where it was not finite */
};
/* A line: what metrics_begin was given, and its scalars in their order. */
struct metrics_row {
    int64_t step;
    double epoch, wall_time;
    struct metrics_value *values;
    size_t count;
};
struct metrics_history {
    struct metrics_row *rows;
    size_t count;
};

/* Reads folder/metrics.jsonl. A last line without its end, of a run that is writing or was killed, is left out.
 * SIMCLR_IO; SIMCLR_CORRUPT for any other line that metrics_end did not write, with its number. Release with
 * metrics_history_free, after a failure nothing. */
int metrics_read(const char *folder, struct metrics_history *out, struct error *error);
void metrics_history_free(struct metrics_history *history);
/* What is new in folder/metrics.jsonl, for who follows it: from byte *at on, where a line begins, to the end of the
 * last whole line, to which *at is moved. `take` is given each line, NULL for one that metrics_end did not write,
 * whatever it holds; the row is the reader's. The file may be of any length, and lines too. A file that has become
 * shorter than *at is of a run that began again: *at becomes 0, and nothing is read yet. SIMCLR_OK where there is no
 * file; SIMCLR_IO, SIMCLR_NO_MEMORY. */
typedef void metrics_take(void *cookie, const struct metrics_row *row);
int metrics_follow(const char *folder, int64_t *at, metrics_take *take, void *cookie, struct error *error);
/* The scalar of this name, or NULL. */
const double *metrics_find(const struct metrics_row *row, const char *name);

#endif
