/* eval/lbfgs.c -- two-loop recursion over the last MEMORY steps. */
#include "eval/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { MEMORY = 10, LINE_TRIALS = 40 };

struct lbfgs {
    lbfgs_function *function;
    void *context;
    int count, stored, newest;
    double *direction, *next, *next_gradient, *gradient;
    double *steps, *changes;   /* [MEMORY][count]: s = x' - x, y = g' - g */
    double curvature[MEMORY];  /* s . y */
};

static double dot(const double *a, const double *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/* direction = -H gradient. */
static void choose_direction(struct lbfgs *state)
{
    const int n = state->count;
    double alpha[MEMORY] = {0};
    for (int i = 0; i < n; i++) state->direction[i] = -state->gradient[i];
    for (int j = 0; j < state->stored; j++) {
        const int slot = (state->newest - j + MEMORY) % MEMORY;
        const double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n;
        alpha[slot] = dot(s, state->direction, n) / state->curvature[slot];
        for (int i = 0; i < n; i++) state->direction[i] -= alpha[slot] * y[i];
    }
    if (state->stored > 0) {
        const double *y = state->changes + (size_t)state->newest * n;
        const double scale = state->curvature[state->newest] / dot(y, y, n);
        for (int i = 0; i < n; i++) state->direction[i] *= scale;
    }
    for (int j = state->stored - 1; j >= 0; j--) {
        const int slot = (state->newest - j + MEMORY) % MEMORY;
        const double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n;
        const double beta = dot(y, state->direction, n) / state->curvature[slot];
        for (int i = 0; i < n; i++) state->direction[i] += (alpha[slot] - beta) * s[i];
    }
}

/* Finds a step with sufficient decrease and enough flattening; next and next_gradient hold it. False: no progress. */
static bool search_line(struct lbfgs *state, const double *point, double objective, double start, double *next_objective)
{
    const int n = state->count;
    const double slope = dot(state->gradient, state->direction, n);
    if (!(slope < 0)) return false;
    double low = 0, high = INFINITY, step = start;
    for (int trial = 0; trial < LINE_TRIALS; trial++) {
        for (int i = 0; i < n; i++) state->next[i] = point[i] + step * state->direction[i];
        const double value = state->function(state->context, state->next, state->next_gradient);
        if (!(value <= objective + 1e-4 * step * slope)) {
            high = step;
        } else if (dot(state->next_gradient, state->direction, n) < 0.9 * slope) {
            low = step;
        } else {
            *next_objective = value;
            return true;
        }
        step = isfinite(high) ? (low + high) / 2 : 2 * low;
    }
    return false;
}

static void remember(struct lbfgs *state, const double *point)
{
    const int n = state->count, slot = (state->newest + 1) % MEMORY;
    double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n;
    for (int i = 0; i < n; i++) {
        s[i] = state->next[i] - point[i];
        y[i] = state->next_gradient[i] - state->gradient[i];
    }
    const double curvature = dot(s, y, n);
    if (!(curvature > 1e-14 * dot(y, y, n))) return;
    state->curvature[slot] = curvature;
    state->newest = slot;
    if (state->stored < MEMORY) state->stored += 1;
}

int lbfgs_minimize(lbfgs_function *function, void *context, double *point, int count, int max_iterations, double tolerance,
                   struct lbfgs_result *result, struct error *error)
{
    struct lbfgs state = {.function = function, .context = context, .count = count, .newest = MEMORY - 1};
    const size_t n = (size_t)count;
    double *block = memory_array(n * (4 + 2 * MEMORY), sizeof(double));
    if (!block) return error_no_memory(error, "L-BFGS", n * (4 + 2 * MEMORY) * sizeof(double));
    state.direction = block;
    state.next = block + n;
    state.next_gradient = block + 2 * n;
    state.gradient = block + 3 * n;
    state.steps = block + 4 * n;
    state.changes = block + (4 + MEMORY) * n;

    double objective = function(context, point, state.gradient);
    const double first_norm = sqrt(dot(state.gradient, state.gradient, count));
    const double goal = tolerance * (first_norm > 1 ? first_norm : 1);
    double norm = first_norm;
    int iteration = 0;
    while (iteration < max_iterations && norm > goal) {
        choose_direction(&state);
        const double start = state.stored ? 1 : 1 / (norm > 1 ? norm : 1);
        double next_objective = objective;
        if (!search_line(&state, point, objective, start, &next_objective)) {
            if (state.stored == 0) break;
            state.stored = 0; /* stale curvature: once more along the gradient before giving up */
            continue;
        }
        remember(&state, point);
        memcpy(point, state.next, n * sizeof(double));
        memcpy(state.gradient, state.next_gradient, n * sizeof(double));
        objective = next_objective;
        norm = sqrt(dot(state.gradient, state.gradient, count));
        iteration += 1;
    }
    *result = (struct lbfgs_result){objective, norm, iteration};
    memory_free(block);
    if (!isfinite(objective)) return error_set(error, SIMCLR_DATA, "logistic regression: the features hold non-finite values");
    return SIMCLR_OK;
}
