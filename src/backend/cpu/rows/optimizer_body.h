/* backend/cpu/rows/optimizer_body.h -- optimiser kernels over one contiguous range, compiled once per instruction set.
 *
 * Each is one pass at memory speed. The loops are plain C that the compiler turns into vectors of the set. */
#ifndef BACKEND_CPU_OPTIMIZER_BODY_H
#define BACKEND_CPU_OPTIMIZER_BODY_H

#include "backend/cpu/kernels.h"

enum { NORM_LANES = 32 }; /* float32 squares join this many double sums: the order depends on the length alone */

static inline void add_squares(double *lanes, const float *values)
{
    for (int i = 0; i < NORM_LANES; i++) lanes[i] += (double)values[i] * (double)values[i];
}

static inline double lanes_total(const double *lanes)
{
    double total = 0;
    for (int i = 0; i < NORM_LANES; i++) total += lanes[i];
    return total;
}

static double sum_squares(const float *values, size_t count)
{
    double lanes[NORM_LANES] = {0};
    size_t i = 0;
    for (; i + NORM_LANES <= count; i += NORM_LANES) add_squares(lanes, values + i);
    for (int lane = 0; i < count; i++, lane++) lanes[lane] += (double)values[i] * (double)values[i];
    return lanes_total(lanes);
}

static void lars_norms(double *weight_square, double *gradient_square, const float *weight, const float *gradient,
                       size_t count, float decay)
{
    double w_lanes[NORM_LANES] = {0}, g_lanes[NORM_LANES] = {0};
    size_t i = 0;
    for (; i + NORM_LANES <= count; i += NORM_LANES) {
        float decayed[NORM_LANES];
        const float *w = weight + i, *g = gradient + i;
        for (int lane = 0; lane < NORM_LANES; lane++) decayed[lane] = g[lane] + decay * w[lane];
        add_squares(w_lanes, weight + i);
        add_squares(g_lanes, decayed);
    }
    for (int lane = 0; i < count; i++, lane++) {
        const float decayed = gradient[i] + decay * weight[i];
        w_lanes[lane] += (double)weight[i] * (double)weight[i];
        g_lanes[lane] += (double)decayed * (double)decayed;
    }
    *weight_square = lanes_total(w_lanes);
    *gradient_square = lanes_total(g_lanes);
}

/* v = momentum v + rate (g + decay w); w -= v. */
static void lars_update(float *restrict weight, float *restrict velocity, const float *restrict gradient, size_t count,
                        float rate, float momentum, float decay)
{
    for (size_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + rate * (gradient[i] + decay * weight[i]);
        weight[i] -= velocity[i];
    }
}

/* g' = g + decay w; v = momentum v + g'; w -= rate (g' + momentum v): Nesterov's form, as PyTorch has it. */
static void sgd_update(float *restrict weight, float *restrict velocity, const float *restrict gradient, size_t count,
                       float rate, float momentum, float decay)
{
    for (size_t i = 0; i < count; i++) {
        const float decayed = gradient[i] + decay * weight[i];
        velocity[i] = momentum * velocity[i] + decayed;
        weight[i] -= rate * (decayed + momentum * velocity[i]);
    }
}

/* w *= keep; m, v: moving averages of g and g^2; w -= rate m / (sqrt(v) root + epsilon), where rate and root hold
 * the bias corrections. */
static void adam_update(const struct adam_args *a)
{
    float *restrict weight = a->weight, *restrict first = a->first, *restrict second = a->second;
    const float *restrict gradient = a->gradient;
    const float beta1 = a->beta1, beta2 = a->beta2, keep = a->keep, rate = a->rate;
    const float root = a->root, epsilon = a->epsilon;
    for (size_t i = 0; i < a->count; i++) {
        const float g = gradient[i];
        first[i] = beta1 * first[i] + (1.0f - beta1) * g;
        second[i] = beta2 * second[i] + (1.0f - beta2) * g * g;
        weight[i] = keep * weight[i] - rate * first[i] / (__builtin_sqrtf(second[i]) * root + epsilon);
    }
}

#endif
