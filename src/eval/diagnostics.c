/* eval/diagnostics.c -- alignment, uniformity, RankMe and the spread of features. */
#include "eval/diagnostics.h"

#include <math.h>

#include "base/memory.h"
#include "eval/symmetric.h"

/* Unit rows in double; a zero row stays zero. */
static void normalize_rows(double *u, const float *h, int rows, int dim)
{
    for (int i = 0; i < rows; i++) {
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)h[(size_t)i * dim + d] * (double)h[(size_t)i * dim + d];
        const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int d = 0; d < dim; d++) u[(size_t)i * dim + d] = (double)h[(size_t)i * dim + d] * scale;
    }
}

/* Eight sums, so that none waits for the addition before: this runs for every two rows. */
static double squared_distance(const double *a, const double *b, int dim)
{
    double sums[8] = {0};
    int d = 0;
    for (; d + 8 <= dim; d += 8)
        for (int j = 0; j < 8; j++) sums[j] += (a[d + j] - b[d + j]) * (a[d + j] - b[d + j]);
    for (; d < dim; d++) sums[0] += (a[d] - b[d]) * (a[d] - b[d]);
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static double feature_spread(const double *u, int rows, int dim)
{
    double total = 0;
    for (int d = 0; d < dim; d++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < rows; i++) {
            sum += u[(size_t)i * dim + d];
            squares += u[(size_t)i * dim + d] * u[(size_t)i * dim + d];
        }
        const double variance = squares / rows - (sum / rows) * (sum / rows);
        total += variance > 0 ? sqrt(variance) : 0;
    }
    return total / dim;
}

/* Gram matrix of the smaller side: its eigenvalues are the squared singular values of h. */
static void gram(double *g, const float *h, int rows, int dim)
{
    const bool by_row = rows < dim;
    const int n = by_row ? rows : dim;
    for (int i = 0; i < n * n; i++) g[i] = 0;
    if (by_row) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j <= i; j++) {
                double sum = 0;
                for (int d = 0; d < dim; d++) sum += (double)h[(size_t)i * dim + d] * (double)h[(size_t)j * dim + d];
                g[(size_t)i * n + j] = g[(size_t)j * n + i] = sum;
            }
        return;
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < dim; i++) {
            const double value = (double)h[(size_t)r * dim + i];
            for (int j = 0; j < dim; j++) g[(size_t)i * n + j] += value * (double)h[(size_t)r * dim + j];
        }
}

/* exp of the entropy of the singular values: how many directions the features really use. */
static double rank_me(const double *eigenvalues, int count)
{
    double total = 0, entropy = 0;
    for (int i = 0; i < count; i++) total += eigenvalues[i] > 0 ? sqrt(eigenvalues[i]) : 0;
    if (!(total > 0)) return 1;
    for (int i = 0; i < count; i++) {
        const double p = (eigenvalues[i] > 0 ? sqrt(eigenvalues[i]) : 0) / total + 1e-7;
        entropy -= p * log(p);
    }
    return exp(entropy);
}

int diagnostics_run(struct diagnostics *out, const float *h, int pairs, int dim, struct error *error)
{
    const int rows = 2 * pairs, side = rows < dim ? rows : dim;
    if (pairs < 1 || dim < 1) return error_set(error, SIMCLR_INVALID, "diagnostics need at least one pair of features");
    double *u = memory_array((size_t)rows * (size_t)dim, sizeof(double));
    double *matrix = memory_array((size_t)side * (size_t)side, sizeof(double));
    double *d = memory_array((size_t)side, sizeof(double)), *e = memory_array((size_t)side, sizeof(double));
    int status = SIMCLR_OK;
    if (!u || !matrix || !d || !e) {
        status = error_no_memory(error, "diagnostics", (size_t)rows * (size_t)dim * sizeof(double));
        goto done;
    }
    normalize_rows(u, h, rows, dim);
    double alignment = 0, kernel = 0;
    for (int i = 0; i < pairs; i++)
        alignment += squared_distance(u + (size_t)i * dim, u + (size_t)(i + pairs) * dim, dim);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < i; j++) kernel += exp(-2 * squared_distance(u + (size_t)i * dim, u + (size_t)j * dim, dim));
    out->alignment = alignment / pairs;
    out->uniformity = log(kernel / (0.5 * rows * (rows - 1)));
    out->feature_std = feature_spread(u, rows, dim);
    gram(matrix, h, rows, dim);
    if (!symmetric_eigenvalues(d, matrix, e, side))
        status = error_set(error, SIMCLR_INVALID, "diagnostics: the features hold non-finite values");
    else
        out->rankme = rank_me(d, side);
done:
    memory_free(u);
    memory_free(matrix);
    memory_free(d);
    memory_free(e);
    return status;
}
