/* A small network for tests of one operation's place in a network: images and a direction r drawn once, and the checks
 * that hold for any operation. L = <y, r> is what its gradients are of. */
#ifndef TESTS_SMALL_NETWORK_H
#define TESTS_SMALL_NETWORK_H

#include "support/network_check.h"

enum { SMALL_BATCH = 5, SMALL_CLASSES = 4, SMALL_OUT = SMALL_BATCH * SMALL_CLASSES };

/* How it is built: `side` pixels square, and a function that returns the tensor y, [SMALL_BATCH][SMALL_CLASSES].
 * Without `relu` there is no kink. */
struct small_network_kind {
    int side;
    int (*build)(struct network *network, bool relu);
    bool recomputes; /* it has values that may be made again: recomputing must save memory */
};

struct small_network {
    struct parameters parameters;
    struct network *network;
    int y;
    float *images, r[SMALL_OUT], out[SMALL_OUT];
    void *input;
};

/* `count` normal values, drawn for `item`. */
void small_network_fill(float *values, size_t count, uint32_t item);

void small_network_open(struct small_network *f, const struct small_network_kind *kind,
                        const struct bench_backend *bench, enum network_mode mode, enum dtype dtype, bool relu);
void small_network_close(struct small_network *f);

/* y of step `step` into `out`. */
void small_network_forward(struct small_network *f, int64_t step);

/* Forward, and backward from r. */
void small_network_run(struct small_network *f, int64_t step);

/* The difference of L along a direction [count] of parameter `row`, over twice `step`: y at w + step d and w - step d.
 */
double small_network_slope(struct small_network *f, int row, const float *direction, float step);

/* What an analytic slope must be held to: a direction of parameter `row`, drawn, and what `gradients` say along it. */
struct small_slope {
    float *direction; /* [count], owned */
    double analytic;  /* <gradient, direction> */
    double gradient;  /* the gradient's norm, squared */
    double length;    /* the direction's, squared */
};
struct small_slope small_network_direction(const struct small_network *f, int row, const float *gradients);

/* Runs `tests` [count], and of every instruction set "lifetimes" and "beside ref", as a group of that name:
 * - lifetimes: dropping values, and spoiling all bytes that the plan calls dead, changes no bit;
 * - beside ref: without ReLUs every backend agrees with `ref`, y within 1e-5 and gradients within 2e-5. */
int small_network_cases(const char *name, const struct small_network_kind *kind, const struct CMUnitTest *tests,
                        size_t count);

#endif
