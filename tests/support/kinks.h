/* support/kinks.h -- tests only: on which side of their kinks the values of a network fell, at ReLUs and max-pools.
 *
 * The gradient of a ReLU jumps at zero. Of the millions of values in a network some are nearer to zero than float32 can
 * tell. One that falls on the other side than in exact arithmetic moves a gradient by 1e-3 to 1e-2, where otherwise
 * gradients agree to 1e-5. Which ones do hangs on the order of sums, so no float32 program is free of it (PyTorch's own
 * has such a flip in the third of the reference's three steps).
 *
 * A max-pool has the same kink where the two largest values of a window are nearer to each other than float32 can tell:
 * the gradient may go to either.
 *
 * That is told from a mistake exactly. The side of every value and the choice of every window are recorded in the run
 * under test. `ref` then runs in float64 and keeps its own values, but takes the recorded sides and choices where it
 * differs. It says how many they were, and how far from zero, or from the window's maximum. Its gradients are the exact
 * ones of the branch that the run under test was on. */
#ifndef SUPPORT_KINKS_H
#define SUPPORT_KINKS_H

#include "base/memory.h"
#include "nn/watch.h"
#include "support/network_check.h"

struct kinks {
    float **values; /* per operation: its output where a ReLU made it, its input if it is a max-pool, else NULL */
    int operations;
    size_t count;    /* values and windows in all */
    size_t flips;    /* of them on the other side in the run that the sides were imposed on */
    double furthest; /* the largest of those, as a share of its tensor's rms */
};

static inline void kinks_free(struct kinks *kinks)
{
    for (int i = 0; i < kinks->operations; i++) memory_free(kinks->values[i]);
    memory_free(kinks->values);
    memset(kinks, 0, sizeof *kinks);
}

/* The values of operation i that decide: what its ReLU let through, or what a max-pool reads. NULL: it has no kink. */
static inline float *kinks_read(struct network *network, int i, struct network_operation *operation, size_t *count)
{
    if (!network_operation(network, i, operation)) return NULL;
    const bool pool = strcmp(operation->type, "max_pool") == 0;
    if (!operation->relu && !pool) return NULL;
    const int tensor = pool ? operation->x : operation->y;
    *count = tensor_elements(network_tensor(network, tensor));
    float *values = memory_array(*count, sizeof *values);
    assert_non_null(values);
    network_read(network, tensor, values);
    return values;
}

/* Which value of a plane is the maximum of its window at (oy, ox): the first of equal ones. No value is NaN. */
static inline int32_t kinks_choice(const struct network_row *row, const float *plane, int oy, int ox)
{
    int32_t best = -1;
    for (int r = 0; r < row->kernel; r++)
        for (int s = 0; s < row->kernel; s++) {
            const int iy = oy * row->stride - row->padding + r, ix = ox * row->stride - row->padding + s;
            if (iy < 0 || iy >= row->input.height || ix < 0 || ix >= row->input.width) continue;
            const int32_t index = iy * row->input.width + ix;
            if (best < 0 || plane[index] > plane[best]) best = index;
        }
    return best;
}

static inline void kinks_record_step(struct network *network, int step, void *context)
{
    struct kinks *kinks = context;
    struct network_operation operation;
    size_t count;
    float *values = kinks_read(network, step, &operation, &count);
    if (!values) return;
    memory_free(kinks->values[step]);
    kinks->values[step] = values;
    kinks->count += tensor_elements(network_tensor(network, operation.y));
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

/* The mask of a ReLU in ref's form: a byte for each value, NCHW. Returns the distance of the furthest value. */
static inline double kinks_impose_relu(struct kinks *kinks, uint8_t *mask, const float *ours, const float *theirs,
                                       size_t count)
{
    double furthest = 0;
    for (size_t i = 0; i < count; i++) {
        const bool side = theirs[i] > 0;
        if (side == (mask[i] != 0)) continue;
        kinks->flips++;
        mask[i] = side;
        furthest = fmax(furthest, side ? theirs[i] : ours[i]); /* one of the two is zero */
    }
    return furthest;
}

/* The mask of a max-pool in ref's form: for each window the index of its maximum in the plane. */
static inline double kinks_impose_pool(struct kinks *kinks, int32_t *mask, const float *ours, const float *theirs,
                                       const struct network_row *row)
{
    const size_t planes = (size_t)row->input.batch * (size_t)row->input.channels;
    const size_t pixels = (size_t)row->input.height * (size_t)row->input.width;
    double furthest = 0;
    for (size_t p = 0; p < planes; p++, ours += pixels, theirs += pixels)
        for (int oy = 0; oy < row->output.height; oy++)
            for (int ox = 0; ox < row->output.width; ox++, mask++) {
                const int32_t choice = kinks_choice(row, theirs, oy, ox);
                if (choice == *mask) continue;
                kinks->flips++;
                furthest = fmax(furthest, (double)ours[*mask] - ours[choice]);
                *mask = choice;
            }
    return furthest;
}

static inline void kinks_impose_step(struct network *network, int step, void *context)
{
    struct kinks *kinks = context;
    struct network_operation operation;
    size_t count;
    float *values = kinks_read(network, step, &operation, &count);
    if (!values) return;
    void *mask = network_mask(network, step);
    const double furthest = operation.relu ? kinks_impose_relu(kinks, mask, values, kinks->values[step], count)
                                           : kinks_impose_pool(kinks, mask, values, kinks->values[step], operation.row);
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)values[i] * values[i];
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
