/* support/kinks.h -- tests only: on which side of their ReLU's kink the values of a network fell.
 *
 * The gradient of a ReLU jumps at zero. Of the millions of values in a network some are nearer to zero than float32 can
 * tell; one that falls on the other side than in exact arithmetic moves a gradient by 1e-3 to 1e-2, where otherwise
 * gradients agree to 1e-5. Which ones do hangs on the order of sums, so no float32 program is free of it (PyTorch's own
 * has such a flip in the third of the reference's three steps).
 *
 * That is told from a mistake exactly: the side of every value is recorded in the run under test; `ref` then runs in
 * float64, keeps its own values, but takes the recorded sides where it differs, and says how many and how far from zero
 * they were. Its gradients are the exact ones of the branch that the run under test was on. */
#ifndef SUPPORT_KINKS_H
#define SUPPORT_KINKS_H

#include "base/memory.h"
#include "nn/watch.h"
#include "support/network_check.h"

struct kinks {
    float **values; /* per operation: its output where a ReLU made it, else NULL */
    int operations;
    size_t count;    /* values in all */
    size_t flips;    /* of them on the other side in the run that the sides were imposed on */
    double furthest; /* the largest of those, as a share of its tensor's rms */
};

static inline void kinks_free(struct kinks *kinks)
{
    for (int i = 0; i < kinks->operations; i++) memory_free(kinks->values[i]);
    memory_free(kinks->values);
    memset(kinks, 0, sizeof *kinks);
}

/* The values that the ReLU of operation i let through; NULL: it has none. */
static inline float *kinks_read(struct network *network, int i, size_t *count)
{
    struct network_operation operation;
    if (!network_operation(network, i, &operation) || !operation.relu) return NULL;
    *count = tensor_elements(network_tensor(network, operation.y));
    float *values = memory_array(*count, sizeof *values);
    assert_non_null(values);
    network_read(network, operation.y, values);
    return values;
}

static inline void kinks_record_step(struct network *network, int step, void *context)
{
    struct kinks *kinks = context;
    size_t count;
    float *values = kinks_read(network, step, &count);
    if (!values) return;
    memory_free(kinks->values[step]);
    kinks->values[step] = values;
    kinks->count += count;
}

/* From now on the forward passes of `network` are recorded (the last one stays). Empty at first; kinks_free at the end.
 */
static inline void kinks_record(struct kinks *kinks, struct network *network)
{
    const struct network_row *rows;
    memset(kinks, 0, sizeof *kinks);
    kinks->operations = network_rows(network, &rows);
    kinks->values = memory_array((size_t)kinks->operations, sizeof *kinks->values);
    assert_non_null(kinks->values);
    for (int i = 0; i < kinks->operations; i++) kinks->values[i] = NULL;
    network_watch(network, kinks_record_step, kinks);
}

static inline void kinks_impose_step(struct network *network, int step, void *context)
{
    struct kinks *kinks = context;
    size_t count;
    float *values = kinks_read(network, step, &count);
    if (!values) return;
    const float *theirs = kinks->values[step];
    uint8_t *mask = network_mask(network, step); /* ref's form of it: a byte for each value, NCHW */
    double squares = 0, furthest = 0;
    for (size_t i = 0; i < count; i++) {
        squares += (double)values[i] * values[i];
        const bool side = theirs[i] > 0;
        if (side == (mask[i] != 0)) continue;
        kinks->flips++;
        mask[i] = side;
        furthest = fmax(furthest, side ? theirs[i] : values[i]); /* one of the two is zero */
    }
    if (furthest > 0) kinks->furthest = fmax(kinks->furthest, furthest / sqrt(squares / (double)count));
    memory_free(values);
}

/* From now on the backward passes of `network`, of the ref backend and the same operations, take the recorded sides. */
static inline void kinks_impose(struct kinks *kinks, struct network *network)
{
    const struct network_row *rows;
    assert_int_equal(kinks->operations, network_rows(network, &rows));
    network_watch(network, kinks_impose_step, kinks);
}

/* A value that flips is as small as the error that flips it, and there are few of those. */
#define CHECK_KINKS(kinks)                                                                                             \
    do {                                                                                                               \
        CHECK_WITHIN((double)(kinks)->flips, 1e-5 * (double)(kinks)->count, "values beyond their kink");               \
        CHECK_WITHIN((kinks)->furthest, 5e-5, "distance from its kink of a value that is beyond it");                  \
    } while (0)

#endif
