/* NT-Xent (arXiv:2002.05709, equation 1), one anchor at a time: a row of similarities is made, used and forgotten.
 *
 * u = z / |z|, s_ik = u_i . u_k / tau, p_i = softmax of s_i over k != i, loss = mean of -log p_i,pos(i).
 *   d loss / d u_i = 1 / (2N tau) ( sum_k (p_ik + p_ki) u_k - 2 u_pos(i) )
 *   d loss / d z_i = (d_u_i - (d_u_i . u_i) u_i) / |z_i|
 * A row of zeros has no direction: u = 0, and its gradient is zero. */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

/* What an anchor adds to the result. */
struct anchor_result {
    double loss, entropy, positive, negatives;
    bool nearest;
};

/* A row's record in `unit`: its norm |z|, then u. In `sums`: the maximum of the cosines, then the sum of
 * exp((cosine - maximum) / tau). Both over all others. */
struct nt_xent_plan {
    struct pool *pool;
    struct nt_xent_desc desc;
    size_t rows, own, dim;         /* own: rows of this process */
    double *transposed;            /* u [dim][rows] */
    double *scratch;               /* [threads][rows + dim]: an anchor's cosines, then its d_u */
    struct anchor_result *results; /* [own] */
};

void ref_nt_xent_destroy(struct nt_xent_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->transposed);
    memory_free((*plan)->scratch);
    memory_free((*plan)->results);
    memory_free(*plan);
    *plan = NULL;
}

int ref_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                       struct error *error)
{
    *out = NULL;
    int status = check_nt_xent(desc, error);
    if (status != SIMCLR_OK) return status;
    struct nt_xent_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an NT-Xent plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    if (desc->count == 0) plan->desc.count = desc->images;
    plan->rows = 2 * (size_t)desc->images;
    plan->own = 2 * (size_t)plan->desc.count;
    plan->dim = (size_t)desc->dim;
    const size_t scratch = (size_t)pool_threads(backend->pool) * (plan->rows + plan->dim);
    plan->transposed = memory_array(plan->rows * plan->dim, sizeof(double));
    plan->scratch = memory_array(scratch, sizeof(double));
    plan->results = memory_array(plan->own, sizeof *plan->results);
    if (!plan->transposed || !plan->scratch || !plan->results) {
        ref_nt_xent_destroy(&plan);
        return error_no_memory(error, "NT-Xent on the ref backend",
                               ((size_t)desc->dim * 2 * (size_t)desc->images + scratch) * sizeof(double));
    }
    *out = plan;
    return SIMCLR_OK;
}

void ref_nt_xent_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out)
{
    *out = (struct nt_xent_sizes){.unit_row = (plan->dim + 1) * sizeof(double), .sum_row = 2 * sizeof(double)};
}

/* Which of all rows the own row r is. */
static size_t row_of(const struct nt_xent_plan *plan, size_t r)
{
    const size_t first = (size_t)plan->desc.first, count = (size_t)plan->desc.count;
    return r < count ? first + r : (size_t)plan->desc.images + first + r - count;
}

static size_t positive_of(const struct nt_xent_plan *plan, size_t anchor)
{
    const size_t images = plan->rows / 2;
    return anchor < images ? anchor + images : anchor - images;
}

static const double *unit_of(const struct nt_xent_plan *plan, const void *unit, size_t row)
{
    return (const double *)unit + row * (plan->dim + 1) + 1;
}

static double norm_of(const struct nt_xent_plan *plan, const void *unit, size_t row)
{
    return unit_of(plan, unit, row)[-1];
}

void ref_nt_xent_unit_rows(struct nt_xent_plan *plan, void *unit, const void *z)
{
    for (size_t r = 0; r < plan->own; r++) {
        const float *row = (const float *)z + r * plan->dim;
        double *record = (double *)unit + row_of(plan, r) * (plan->dim + 1), squares = 0;
        for (size_t d = 0; d < plan->dim; d++) squares += (double)row[d] * (double)row[d];
        record[0] = sqrt(squares);
        for (size_t d = 0; d < plan->dim; d++) record[1 + d] = squares == 0 ? 0 : row[d] / record[0];
    }
}

static void transpose(struct nt_xent_plan *plan, const void *unit)
{
    for (size_t i = 0; i < plan->rows; i++)
        for (size_t d = 0; d < plan->dim; d++) plan->transposed[d * plan->rows + i] = unit_of(plan, unit, i)[d];
}

struct nt_job {
    struct nt_xent_plan *plan;
    const void *unit;
    double *sums;
    const double *all_sums;
    float *d_z;
};

/* The cosines of an anchor with every row. */
static double *cosines(const struct nt_job *job, size_t anchor, int thread)
{
    const struct nt_xent_plan *plan = job->plan;
    const double *unit = unit_of(plan, job->unit, anchor);
    double *restrict row = plan->scratch + (size_t)thread * (plan->rows + plan->dim);
    for (size_t k = 0; k < plan->rows; k++) row[k] = 0;
    for (size_t d = 0; d < plan->dim; d++) {
        const double value = unit[d];
        const double *restrict others = plan->transposed + d * plan->rows;
        for (size_t k = 0; k < plan->rows; k++) row[k] += value * others[k];
    }
    return row;
}

static void sum_anchor(void *context, int64_t r, int thread)
{
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const size_t anchor = row_of(plan, (size_t)r), positive = positive_of(plan, anchor);
    const double *row = cosines(job, anchor, thread), tau = plan->desc.temperature;
    const double similarity = row[positive];
    double maximum = similarity, sum = 0, weighted = 0;
    struct anchor_result result = {.positive = similarity, .nearest = true};
    for (size_t k = 0; k < plan->rows; k++) {
        if (k == anchor || k == positive) continue;
        result.negatives += row[k];
        result.nearest = result.nearest && row[k] < similarity;
        maximum = fmax(maximum, row[k]);
    }
    for (size_t k = 0; k < plan->rows; k++) {
        if (k == anchor) continue;
        const double exponent = (row[k] - maximum) / tau, power = exp(exponent);
        sum += power;
        weighted += power * exponent;
    }
    result.loss = log(sum) - (similarity - maximum) / tau;
    result.entropy = log(sum) - weighted / sum;
    plan->results[r] = result;
    job->sums[2 * anchor] = maximum;
    job->sums[2 * anchor + 1] = sum;
}

void ref_nt_xent_log_sums(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit)
{
    struct nt_job job = {.plan = plan, .unit = unit, .sums = sums};
    const double rows = (double)plan->rows;
    transpose(plan, unit);
    pool_run(plan->pool, (int64_t)plan->own, sum_anchor, &job);
    memset(result, 0, sizeof *result);
    for (size_t r = 0; r < plan->own; r++) {
        result->loss += plan->results[r].loss;
        result->top1 += plan->results[r].nearest;
        result->entropy += plan->results[r].entropy;
        result->positive_similarity += plan->results[r].positive;
        result->negative_similarity += plan->results[r].negatives;
    }
    result->loss /= rows;
    result->top1 /= rows;
    result->entropy /= rows;
    result->positive_similarity /= rows;
    result->negative_similarity /= plan->rows > 2 ? rows * (rows - 2) : 1; /* one pair alone has no negatives */
}

/* Of anchor a, whose cosine with the row is given: scale (p - 1 where the row is a's positive). */
static double weight_of(const struct nt_job *job, size_t a, double cosine, bool positive)
{
    const double scale = 1 / ((double)job->plan->rows * (double)job->plan->desc.temperature);
    const double power = exp((cosine - job->all_sums[2 * a]) / (double)job->plan->desc.temperature);
    return scale * (power / job->all_sums[2 * a + 1] - (positive ? 1.0 : 0.0));
}

static void add_row(double *restrict out, double weight, const double *restrict row, size_t count)
{
    for (size_t d = 0; d < count; d++) out[d] += weight * row[d];
}

/* A row meets the softmax of every anchor a: as a's other row, with p_a,row u_a (s is symmetric), and where it is the
 * anchor itself with p_row,k u_k of all k. Terms are added in the order of a. */
static void gradient_of_row(void *context, int64_t r, int thread)
{
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const size_t row = row_of(plan, (size_t)r), positive = positive_of(plan, row);
    const double *cosine = cosines(job, row, thread), *own = unit_of(plan, job->unit, row);
    double *d_unit = plan->scratch + (size_t)thread * (plan->rows + plan->dim) + plan->rows;
    memset(d_unit, 0, plan->dim * sizeof *d_unit);
    for (size_t a = 0; a < plan->rows; a++) {
        if (a != row) {
            const double weight = weight_of(job, a, cosine[a], a == positive);
            add_row(d_unit, weight, unit_of(plan, job->unit, a), plan->dim);
            continue;
        }
        for (size_t k = 0; k < plan->rows; k++)
            if (k != row)
                add_row(d_unit, weight_of(job, row, cosine[k], k == positive), unit_of(plan, job->unit, k), plan->dim);
    }
    const double norm = norm_of(plan, job->unit, row);
    double along = 0;
    for (size_t d = 0; d < plan->dim; d++) along += d_unit[d] * own[d];
    for (size_t d = 0; d < plan->dim; d++)
        job->d_z[(size_t)r * plan->dim + d] = norm == 0 ? 0.0f : (float)((d_unit[d] - along * own[d]) / norm);
}

void ref_nt_xent_gradient(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums)
{
    struct nt_job job = {.plan = plan, .unit = unit, .all_sums = sums, .d_z = d_z};
    transpose(plan, unit);
    pool_run(plan->pool, (int64_t)plan->own, gradient_of_row, &job);
}
