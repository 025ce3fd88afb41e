/* eval/novelty.c -- see novelty.h. */
#include "eval/novelty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "base/memory.h"
#include "eval/kmeans.h"
#include "eval/neighbours.h"

void novelty_free(struct novelty *novelty)
{
    memory_free(novelty->rows);
    *novelty = (struct novelty){0};
}

struct novelty_limits novelty_limits_usual(void)
{
    return (struct novelty_limits){
        .rows = NOVELTY_ROWS, .sample = NOVELTY_SAMPLE, .centres = NOVELTY_CENTRES, .rounds = NOVELTY_ROUNDS};
}

static double squared_length(const float *row, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++) sum += (double)row[d] * (double)row[d];
    return sum;
}

/* The row at length 1; `out` may be the row. A row of zeros stays one. */
static void make_unit(float *out, const float *row, int dim)
{
    const double sum = squared_length(row, dim), scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int d = 0; d < dim; d++) out[d] = (float)((double)row[d] * scale);
}

static void keep_row(float *out, const float *row, int dim)
{
    make_unit(out, row, dim);
    for (int d = 0; d < dim; d++) out[d] = bf16_to_float(bf16_from_float(out[d]));
}

/* Row `number` of `wanted` that are spread evenly over `count`. */
static int64_t spread(int64_t number, int64_t wanted, int64_t count)
{
    return wanted < count ? number * count / wanted : number;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sorts the similarities. A row of length 1 lies within 2^-9 of itself in bf16, so their cosine is at least 1 - 2^-19.
 * The limit leaves room for that, and as much for a machine whose kernels round a feature in another way. */
static float limit(float *similarity, int64_t count)
{
    const float same = 1 - 0x1p-18F;
    qsort(similarity, (size_t)count, sizeof *similarity, by_size);
    return similarity[count / 100] < same ? similarity[count / 100] : same;
}

/* ---- all rows --------------------------------------------------------------------------------------------------- */

static int measure_rows(struct backend *backend, struct novelty *out, const float *rows, struct error *error)
{
    const int64_t count = out->count;
    struct neighbour *nearest = memory_array((size_t)count, sizeof *nearest);
    float *similarity = memory_array((size_t)count, sizeof *similarity);
    float *unit = memory_array((size_t)count * (size_t)out->dim, sizeof *unit); /* as novelty_search makes queries */
    int status = nearest && similarity && unit
                     ? SIMCLR_OK
                     : error_no_memory(error, "similarities", (size_t)count * (size_t)out->dim * sizeof *unit);
    for (int64_t i = 0; !status && i < count; i++) {
        keep_row(out->rows + i * out->dim, rows + i * out->dim, out->dim);
        make_unit(unit + i * out->dim, rows + i * out->dim, out->dim);
    }
    const struct neighbours_args args = {.rows = out->rows,
                                         .query = unit,
                                         .count = count,
                                         .query_count = count,
                                         .dim = out->dim,
                                         .k = 1,
                                         .leave_out_self = true};
    if (!status) status = neighbours_search(backend, nearest, &args, error);
    for (int64_t i = 0; !status && i < count; i++) similarity[i] = nearest[i].similarity;
    if (!status) out->least = limit(similarity, count);
    memory_free(nearest);
    memory_free(similarity);
    memory_free(unit);
    return status;
}

/* ---- centres ---------------------------------------------------------------------------------------------------- */

struct clusters {
    struct backend *backend;
    int64_t count; /* rows that are looked at */
    int dim, centres;
    float *rows;    /* [count][dim] */
    float *means;   /* [centres][dim] */
    int32_t *of;    /* [count] */
    int64_t *sizes; /* [centres] */
    int32_t *kept;  /* [centres]: its place among the kept ones; -1: it has no rows, or no direction */
};

static void clusters_free(struct clusters *c)
{
    memory_free(c->rows);
    memory_free(c->means);
    memory_free(c->of);
    memory_free(c->sizes);
    memory_free(c->kept);
}

static int clusters_open(struct clusters *c, const float *rows, int64_t all, struct error *error)
{
    const size_t count = (size_t)c->count, dim = (size_t)c->dim, centres = (size_t)c->centres;
    c->rows = memory_array(count * dim, sizeof *c->rows);
    c->means = memory_array(centres * dim, sizeof *c->means);
    c->of = memory_array(count, sizeof *c->of);
    c->sizes = memory_array(centres, sizeof *c->sizes);
    c->kept = memory_array(centres, sizeof *c->kept);
    if (!c->rows || !c->means || !c->of || !c->sizes || !c->kept)
        return error_no_memory(error, "centres of the training rows", count * dim * sizeof *c->rows);
    for (int64_t i = 0; i < c->count; i++)
        memcpy(c->rows + i * c->dim, rows + spread(i, c->count, all) * c->dim, dim * sizeof *rows);
    return SIMCLR_OK;
}

/* From rows at length 1, spread evenly. Rows become those of length 1 themselves. */
static int find_means(struct clusters *c, int rounds, struct error *error)
{
    const size_t dim = (size_t)c->dim;
    struct kmeans result;
    float *start = memory_array((size_t)c->centres * dim, sizeof *start);
    if (!start) return error_no_memory(error, "centres", (size_t)c->centres * dim * sizeof *start);
    for (int64_t i = 0; i < c->count; i++) make_unit(c->rows + i * c->dim, c->rows + i * c->dim, c->dim);
    for (int k = 0; k < c->centres; k++)
        memcpy(start + (size_t)k * dim, c->rows + spread(k, c->centres, c->count) * c->dim, dim * sizeof *start);
    const struct kmeans_args args = {.rows = c->rows,
                                     .count = c->count,
                                     .dim = c->dim,
                                     .clusters = c->centres,
                                     .iterations = rounds,
                                     .start = start};
    const int status = kmeans_run(c->backend, &result, c->of, c->means, &args, error);
    memory_free(start);
    for (int64_t i = 0; !status && i < c->count; i++) c->sizes[c->of[i]]++;
    return status;
}

static void keep_means(const struct clusters *c, struct novelty *out)
{
    out->count = 0;
    for (int k = 0; k < c->centres; k++) {
        const float *mean = c->means + (int64_t)k * c->dim;
        c->kept[k] = -1;
        if (c->sizes[k] == 0 || squared_length(mean, c->dim) < 1e-12) continue;
        c->kept[k] = (int32_t)out->count;
        keep_row(out->rows + out->count * c->dim, mean, c->dim);
        out->count++;
    }
}

/* The cosine of a row x of length 1 to the centre m of its own n rows, without it: that of n m - x. The centre is
 * rounded as one that is kept. */
static double cosine_without(const struct clusters *c, int64_t row)
{
    const float *x = c->rows + row * c->dim, *mean = c->means + (int64_t)c->of[row] * c->dim;
    const double n = (double)c->sizes[c->of[row]];
    double sum = 0, product = 0, length = 0;
    for (int d = 0; d < c->dim; d++) {
        const double without = n * (double)mean[d] - (double)x[d];
        sum += without * without;
    }
    if (n <= 1 || sum <= 1e-12) return -1;
    for (int d = 0; d < c->dim; d++) {
        const double without = (n * (double)mean[d] - (double)x[d]) / sqrt(sum);
        const double kept = (double)bf16_to_float(bf16_from_float((float)without));
        product += kept * (double)x[d];
        length += kept * kept;
    }
    return product / sqrt(length);
}

/* Of the two nearest centres the first that is not the row's own, and its own without it. */
static int measure_centres(const struct clusters *c, struct novelty *out, struct error *error)
{
    struct neighbour *nearest = memory_array((size_t)c->count * 2, sizeof *nearest);
    float *similarity = memory_array((size_t)c->count, sizeof *similarity);
    int status = nearest && similarity ? SIMCLR_OK : error_no_memory(error, "similarities", (size_t)c->count * 20);
    const struct neighbours_args args = {
        .rows = out->rows, .query = c->rows, .count = out->count, .query_count = c->count, .dim = c->dim, .k = 2};
    if (!status) status = neighbours_search(c->backend, nearest, &args, error);
    for (int64_t i = 0; !status && i < c->count; i++) {
        const struct neighbour *near = nearest + 2 * i;
        const struct neighbour other = near[0].row == c->kept[c->of[i]] ? near[1] : near[0];
        const double own = cosine_without(c, i);
        similarity[i] = other.row >= 0 && (double)other.similarity > own ? other.similarity : (float)own;
    }
    if (!status) out->least = limit(similarity, c->count);
    memory_free(nearest);
    memory_free(similarity);
    return status;
}

static int measure_clusters(struct backend *backend, struct novelty *out, const float *rows, int64_t all,
                            const struct novelty_limits *limits, struct error *error)
{
    struct clusters c = {.backend = backend,
                         .count = all < limits->sample ? all : limits->sample,
                         .dim = out->dim,
                         .centres = limits->centres};
    int status = clusters_open(&c, rows, all, error);
    if (!status) status = find_means(&c, limits->rounds, error);
    if (!status) {
        keep_means(&c, out);
        if (out->count > 0) status = measure_centres(&c, out, error);
    }
    clusters_free(&c);
    return status;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

static int check_finite(const float *rows, int64_t count, int dim, struct error *error)
{
    for (int64_t i = 0; i < count * dim; i++)
        if (!isfinite(rows[i]))
            return error_set(error, SIMCLR_DATA, "row %lld of the training features has a value that is not finite",
                             (long long)(i / dim));
    return SIMCLR_OK;
}

int novelty_measure(struct backend *backend, struct novelty *out, const float *rows, int64_t count, int dim,
                    const struct novelty_limits *limits, struct error *error)
{
    const bool centres = count > limits->rows;
    *out = (struct novelty){0};
    if (count < 2) return SIMCLR_OK;
    int status = check_finite(rows, count, dim, error);
    if (status) return status;
    *out = (struct novelty){.dim = dim, .count = centres ? limits->centres : count, .centres = centres};
    out->rows = memory_array((size_t)out->count * (size_t)dim, sizeof *out->rows);
    if (!out->rows)
        status = error_no_memory(error, "rows to compare with", (size_t)out->count * (size_t)dim * sizeof *rows);
    else if (centres)
        status = measure_clusters(backend, out, rows, count, limits, error);
    else
        status = measure_rows(backend, out, rows, error);
    if (status || out->count == 0) novelty_free(out); /* rows of zeros alone have no direction */
    return status;
}

int novelty_search(struct backend *backend, const struct novelty *novelty, const float *queries, int64_t count,
                   float *similarity, struct error *error)
{
    const size_t dim = (size_t)novelty->dim;
    struct neighbour *nearest = memory_array((size_t)count, sizeof *nearest);
    float *unit = memory_array((size_t)count * dim, sizeof *unit);
    int status =
        nearest && unit ? SIMCLR_OK : error_no_memory(error, "similarities", (size_t)count * dim * sizeof *unit);
    /* Of length 1: an extreme one would change how neighbours_search scales the others. */
    for (int64_t i = 0; !status && i < count; i++)
        make_unit(unit + i * novelty->dim, queries + i * novelty->dim, novelty->dim);
    const struct neighbours_args args = {.rows = novelty->rows,
                                         .query = unit,
                                         .count = novelty->count,
                                         .query_count = count,
                                         .dim = novelty->dim,
                                         .k = 1};
    if (!status) status = neighbours_search(backend, nearest, &args, error);
    for (int64_t i = 0; !status && i < count; i++) similarity[i] = nearest[i].similarity;
    memory_free(nearest);
    memory_free(unit);
    return status;
}
