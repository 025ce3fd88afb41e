/* train/metrics.h -- scalars of a run: one flat JSON object a line in metrics.jsonl, and the same for TensorBoard. */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "train/tfevents.h"

struct metrics {
    FILE *file;
    struct tfevents *events; /* NULL: not wanted */
    struct text line;        /* being built between begin and end */
    int64_t step;
};

/* Appends to folder/metrics.jsonl after dropping the lines of steps beyond `step` (atomically: the file is rewritten
 * under a temporary name). */
int metrics_open(struct metrics *metrics, const char *folder, int64_t step, bool tensorboard, struct error *error);
void metrics_close(struct metrics *metrics);

/* One line: begin, any number of scalars, end. Names are TensorBoard tags: "train/loss". A write that fails is
 * reported by metrics_end, once the line is complete. */
void metrics_begin(struct metrics *metrics, int64_t step, double epoch);
void metrics_number(struct metrics *metrics, const char *name, double value);
int metrics_end(struct metrics *metrics, struct error *error);

#endif
