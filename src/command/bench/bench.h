/* command/bench/bench.h -- what the parts of `simclr bench` share. */
#ifndef COMMAND_BENCH_H
#define COMMAND_BENCH_H

#include "base/text.h"
#include "command/commands.h"

struct bench {
    struct session *session;
    struct text json; /* the report, if as_json */
    bool as_json;
};

/* One thing to time. */
typedef void bench_body(void *context);

/* Median seconds of body, run once unmeasured and then for --seconds (at least three times). runs: how often, or NULL.
 * SIMCLR_INTERRUPTED when asked to stop. */
int bench_median(const struct bench *bench, bench_body *body, void *context, double *seconds, int *runs,
                 struct error *error);

/* The encoder in inference mode on --batch dense images: what `embed`, `knn` and `linear` wait for. */
int bench_embed(struct bench *bench, struct error *error);
/* LARS over all weights of encoder and head, then with the packing of the weights for the kernels. */
int bench_update(struct bench *bench, struct error *error);

/* What views really made add to a step. */
int bench_data(struct bench *bench, struct error *error);

#endif
