/* eval/quality_graph.c -- what can be said of features without labels: neighbours. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "eval/neighbours.h"
#include "eval/quality.h"

int quality_consistency(double *share, struct backend *backend, const float *first, const float *second, int64_t rows,
                        int dim, struct error *error)
{
    if (rows < 1) return error_set(error, SIMCLR_INVALID, "consistency needs at least one image");
    int32_t *nearest = memory_array((size_t)rows, sizeof *nearest);
    if (!nearest) return error_no_memory(error, "consistency", (size_t)rows * sizeof *nearest);
    const struct neighbours_args args = {
        .rows = second, .count = rows, .query = first, .query_count = rows, .dim = dim, .k = 1};
    const int status = neighbours_find(backend, nearest, NULL, &args, error);
    int64_t same = 0;
    for (int64_t i = 0; !status && i < rows; i++) same += nearest[i] == i;
    *share = (double)same / (double)rows;
    memory_free(nearest);
    return status;
}

static int check(const struct quality_graph *graph, int k, struct error *error)
{
    if (graph->rows < 1 || graph->k < k)
        return error_set(error, SIMCLR_INVALID, "this figure needs the %d nearest of each row, not %d", k, graph->k);
    for (int64_t i = 0; i < graph->rows; i++)
        for (int j = 0; j < k; j++) {
            const int32_t row = graph->neighbours[i * graph->k + j];
            if (row >= graph->rows || row == i)
                return error_set(error, SIMCLR_INVALID, "row %lld has row %d among its neighbours", (long long)i, row);
        }
    return SIMCLR_OK;
}

int quality_hubness(double *skewness, const struct quality_graph *graph, struct error *error)
{
    const int status = check(graph, QUALITY_HUBNESS_K, error);
    if (status) return status;
    int64_t *times = memory_array((size_t)graph->rows, sizeof *times);
    if (!times) return error_no_memory(error, "hubness", (size_t)graph->rows * sizeof *times);
    double sum = 0, second = 0, third = 0;
    for (int64_t i = 0; i < graph->rows; i++)
        for (int j = 0; j < QUALITY_HUBNESS_K; j++) {
            const int32_t row = graph->neighbours[i * graph->k + j];
            if (row < 0) break;
            times[row]++;
            sum++;
        }
    const double rows = (double)graph->rows, mean = sum / rows;
    for (int64_t i = 0; i < graph->rows; i++) {
        const double off = (double)times[i] - mean;
        second += off * off / rows;
        third += off * off * off / rows;
    }
    *skewness = second > 0 ? third / (second * sqrt(second)) : 0;
    memory_free(times);
    return SIMCLR_OK;
}

static const double EQUAL = 1e-6; /* nearer unit rows than that differ by the rounding of float32 */

/* Of two rows scaled to length 1. */
static double distance(const float *a, const float *b, int dim)
{
    double aa = 0, bb = 0, sum = 0;
    for (int d = 0; d < dim; d++) {
        aa += (double)a[d] * (double)a[d];
        bb += (double)b[d] * (double)b[d];
    }
    const double a_scale = aa > 0 ? 1 / sqrt(aa) : 0, b_scale = bb > 0 ? 1 / sqrt(bb) : 0;
    for (int d = 0; d < dim; d++) {
        const double off = (double)a[d] * a_scale - (double)b[d] * b_scale;
        sum += off * off;
    }
    return sqrt(sum);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double slope_through_origin(const double *log_mu, int64_t count)
{
    double xx = 0, xy = 0;
    const int64_t kept = count * 9 / 10;
    for (int64_t i = 0; i < kept; i++) {
        xx += log_mu[i] * log_mu[i];
        xy -= log_mu[i] * log1p(-(double)(i + 1) / (double)count);
    }
    return count >= 10 && xx > 0 ? xy / xx : NAN;
}

int quality_dimension(struct quality_dimension *out, const struct quality_graph *graph, const float *h, int dim,
                      struct error *error)
{
    const int status = check(graph, 2, error);
    if (status) return status;
    double *log_mu = memory_array((size_t)graph->rows, sizeof *log_mu);
    if (!log_mu) return error_no_memory(error, "TwoNN", (size_t)graph->rows * sizeof *log_mu);
    *out = (struct quality_dimension){0};
    for (int64_t i = 0; i < graph->rows; i++) {
        const int32_t *list = graph->neighbours + i * graph->k;
        if (list[0] < 0 || list[1] < 0) continue;
        const double a = distance(h + i * dim, h + (int64_t)list[0] * dim, dim);
        const double b = distance(h + i * dim, h + (int64_t)list[1] * dim, dim);
        const double near = fmin(a, b), far = fmax(a, b); /* the list's order was one of float32 */
        if (near >= EQUAL && isfinite(far)) log_mu[out->rows++] = log(far / near);
    }
    qsort(log_mu, (size_t)out->rows, sizeof *log_mu, compare_doubles);
    out->dimension = slope_through_origin(log_mu, out->rows);
    memory_free(log_mu);
    return SIMCLR_OK;
}
