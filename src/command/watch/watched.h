/* command/watch/watched.h -- what is known of a run that is watched, and how it is drawn. Inside the room only. */
#ifndef COMMAND_WATCHED_H
#define COMMAND_WATCHED_H

#include <stdint.h>

#include "command/watch/plot.h"
#include "config/config.h"
#include "run/metrics.h"
#include "run/run_state.h"

/* Points of one scalar, in the order of their steps. */
struct series {
    struct plot_point *points; /* x: the step */
    size_t count, capacity;
};

enum { PACE_ROWS = 64 };

struct watched {
    /* of metrics.jsonl */
    int64_t at; /* bytes of it that were read */
    struct series loss, knn, rate;
    double chance, top1, views_per_second, wait_share;
    int64_t step;       /* of the last line; -1: there is none */
    double epoch, wall; /* of the last line */
    struct {
        int64_t step;
        double wall;
    } pace[PACE_ROWS]; /* of the last lines of training */
    bool control;      /* finetune's second training, from random weights, has begun */
    int64_t lines, damaged, not_finite;
    bool no_memory;
    /* of the other files */
    enum command command;
    struct config *config; /* NULL: none that can be read */
    enum run_state state;
    enum run_words words;
    char said[RUN_WORDS_TEXT];
};

void watched_close(struct watched *run);

/* Takes in what is new. SIMCLR_IO: `path` is no folder of a run, or cannot be read; SIMCLR_NO_MEMORY. */
int watched_look(struct watched *run, const char *path, struct error *error);
/* One line of metrics (metrics_take; cookie: struct watched). */
void watched_take(void *cookie, const struct metrics_row *row);

/* Seconds a step of late, pauses left out; NaN: not known. */
double watched_pace(const struct watched *run);
/* All steps of the run; NaN: not known. */
double watched_steps(const struct watched *run);

/* The run in at most PLOT_COLUMNS columns, as text in UTF-8 with nothing that a terminal obeys but line ends. now: wall
 * time, for how old the last line is. */
void watched_draw(const struct watched *run, const char *path, double now, struct text *out);

#endif
