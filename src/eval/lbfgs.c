/* eval/lbfgs.c -- two-loop recursion over the last MEMORY steps, around a first guess H0 of the inverse Hessian that
 * the caller may give (Nocedal & Wright, "Numerical Optimization", algorithm 7.4). */
#include "eval/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/stop.h"

enum { MEMORY = 10, LINE_TRIALS = 20 };

/* An objective made of float32 products is not known better than to this share. */
static const double objective_rounding = 1e-7;

struct lbfgs {
    const struct lbfgs_problem *problem;
    int count, stored, newest;
    double *direction, *next, *next_gradient, *gradient;
    double *steps, *changes; /* [MEMORY][count]: s = x' - x, y = g' - g */
    double *guess, *guesses; /* H0 gradient and H0 changes; without H0 these are `gradient` and `changes` themselves */
    double *next_guess;
    double curvature[MEMORY]; /* s . y */
    double scale;             /* of H0: s . y / y . H0 y for the newest, so that H0 fits the curvature last seen */
};

/* Sums of their own for every eighth element: a single one would wait for each addition. */
static double dot(const double *a, const double *b, int count)
{
    double sums[8] = {0};
    int i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) sums[j] += a[i + j] * b[i + j];
    for (; i < count; i++) sums[0] += a[i] * b[i];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/* direction = -H gradient. H0 is linear, so that of q = g - sum of alpha y it needs nothing that is not there already:
 * one product with H0 an iteration, that with the new gradient. */
static void choose_direction(struct lbfgs *state)
{
    const int n = state->count;
    double alpha[MEMORY] = {0}, *q = state->next; /* which the line search has not begun to use */
    for (int i = 0; i < n; i++) q[i] = -state->gradient[i];
    for (int i = 0; i < n; i++) state->direction[i] = -state->guess[i];
    for (int j = 0; j < state->stored; j++) {
        const int slot = (state->newest - j + MEMORY) % MEMORY;
        const double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n;
        const double *guess = state->guesses + (size_t)slot * n;
        alpha[slot] = dot(s, q, n) / state->curvature[slot];
        for (int i = 0; i < n; i++) q[i] -= alpha[slot] * y[i];
        for (int i = 0; i < n; i++) state->direction[i] -= alpha[slot] * guess[i];
    }
    for (int i = 0; i < n; i++) state->direction[i] *= state->scale;
    for (int j = state->stored - 1; j >= 0; j--) {
        const int slot = (state->newest - j + MEMORY) % MEMORY;
        const double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n;
        const double beta = dot(y, state->direction, n) / state->curvature[slot];
        for (int i = 0; i < n; i++) state->direction[i] += (alpha[slot] - beta) * s[i];
    }
}

/* Sufficient decrease. Near the optimum a decrease drowns in the objective's rounding long before the gradient does:
 * there the slopes decide alone (the approximate Wolfe condition of Hager & Zhang, SIAM J. Optim. 16, 2005, eq. 4.1).
 */
static bool decreases(double value, double objective, double step, double slope, double next_slope)
{
    const double least = 1e-4;
    if (value <= objective + least * step * slope) return true;
    return value <= objective + objective_rounding * fabs(objective) && next_slope <= (2 * least - 1) * slope;
}

static bool is_stopped(const struct lbfgs_problem *problem)
{
    return problem->stopped && problem->stopped(problem->context);
}

/* Finds a step with sufficient decrease and enough flattening; next and next_gradient hold it. False: no progress. */
static bool search_line(struct lbfgs *state, const double *point, double objective, double start,
                        double *next_objective)
{
    const int n = state->count;
    const double slope = dot(state->gradient, state->direction, n);
    if (!(slope < 0)) return false;
    double low = 0, high = INFINITY, step = start;
    for (int trial = 0; trial < LINE_TRIALS && !is_stopped(state->problem); trial++) {
        for (int i = 0; i < n; i++) state->next[i] = point[i] + step * state->direction[i];
        const double value = state->problem->function(state->problem->context, state->next, state->next_gradient);
        const double next_slope = dot(state->next_gradient, state->direction, n);
        if (!decreases(value, objective, step, slope, next_slope)) {
            high = step;
        } else if (next_slope < 0.9 * slope) {
            low = step;
        } else {
            *next_objective = value;
            return true;
        }
        step = isfinite(high) ? (low + high) / 2 : 2 * low;
    }
    return false;
}

/* vector = H0 of `of`. */
static void apply_guess(const struct lbfgs *state, double *vector, const double *of)
{
    memcpy(vector, of, (size_t)state->count * sizeof *of);
    state->problem->precondition(state->problem->context, vector);
}

/* The step from point to next, unless its curvature is nothing but rounding. */
static void remember(struct lbfgs *state, const double *point)
{
    const int n = state->count, slot = (state->newest + 1) % MEMORY;
    double *s = state->steps + (size_t)slot * n, *y = state->changes + (size_t)slot * n,
           *guess = state->guesses + (size_t)slot * n;
    for (int i = 0; i < n; i++) {
        s[i] = state->next[i] - point[i];
        y[i] = state->next_gradient[i] - state->gradient[i];
    }
    if (state->problem->precondition) {
        apply_guess(state, state->next_guess, state->next_gradient);
        for (int i = 0; i < n; i++) guess[i] = state->next_guess[i] - state->guess[i];
        memcpy(state->guess, state->next_guess, (size_t)n * sizeof *guess);
    }
    const double curvature = dot(s, y, n), guessed = dot(y, guess, n);
    if (!(curvature > 1e-14 * dot(y, y, n)) || !(guessed > 0)) return;
    state->scale = curvature / guessed;
    state->curvature[slot] = curvature;
    state->newest = slot;
    if (state->stored < MEMORY) state->stored += 1;
}

static double *prepare(struct lbfgs *state, const struct lbfgs_problem *problem, struct error *error)
{
    const size_t n = (size_t)problem->count, vectors = problem->precondition ? 6 + 3 * MEMORY : 4 + 2 * MEMORY;
    double *block = memory_array(n * vectors, sizeof(double));
    if (!block) {
        error_no_memory(error, "L-BFGS", n * vectors * sizeof(double));
        return NULL;
    }
    *state = (struct lbfgs){.problem = problem, .count = problem->count, .newest = MEMORY - 1, .scale = 1};
    state->direction = block;
    state->next = block + n;
    state->next_gradient = block + 2 * n;
    state->gradient = state->guess = block + 3 * n;
    state->steps = block + 4 * n;
    state->changes = state->guesses = block + (4 + MEMORY) * n;
    if (problem->precondition) {
        state->guess = block + (4 + 2 * MEMORY) * n;
        state->next_guess = state->guess + n;
        state->guesses = state->guess + 2 * n;
    }
    return block;
}

int lbfgs_minimize(const struct lbfgs_problem *problem, double *point, struct lbfgs_result *result, struct error *error)
{
    struct lbfgs state;
    const size_t bytes = (size_t)problem->count * sizeof(double);
    double *block = prepare(&state, problem, error);
    if (block == NULL) return SIMCLR_NO_MEMORY;
    double objective = problem->function(problem->context, point, state.gradient);
    if (problem->precondition) apply_guess(&state, state.guess, state.gradient);
    double norm = sqrt(dot(state.gradient, state.gradient, state.count));
    const double goal = problem->goal > 0 ? problem->goal : problem->tolerance * (norm > 1 ? norm : 1);
    int iteration = 0;
    while (iteration < problem->max_iterations && norm > goal && !is_stopped(problem)) {
        choose_direction(&state);
        /* The length of a step means something only with an idea of the curvature. */
        const double start = state.stored || problem->precondition ? 1 : 1 / (norm > 1 ? norm : 1);
        double next_objective = objective;
        if (!search_line(&state, point, objective, start, &next_objective)) {
            if (state.stored == 0) break;
            state.stored = 0; /* stale curvature: once more along H0's direction before giving up */
            state.scale = 1;
            continue;
        }
        remember(&state, point);
        memcpy(point, state.next, bytes);
        memcpy(state.gradient, state.next_gradient, bytes);
        objective = next_objective;
        norm = sqrt(dot(state.gradient, state.gradient, state.count));
        iteration += 1;
    }
    *result =
        (struct lbfgs_result){objective, norm, goal, iteration, iteration == problem->max_iterations && norm > goal};
    memory_free(block);
    if (is_stopped(problem)) return stop_error(error, "logistic regression");
    if (!isfinite(objective))
        return error_set(error, SIMCLR_DATA, "logistic regression: the features hold non-finite values");
    return SIMCLR_OK;
}
