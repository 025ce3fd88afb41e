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

struct nt_xent_plan {
    struct nt_xent_desc desc;
    size_t rows, dim;
    double *unit;       /* u [rows][dim] */
    double *transposed; /* [dim][rows] */
    double *d_unit;     /* [rows][dim] */
    double *norms;      /* |z|, [rows] */
    double *row;        /* one anchor's cosines, then probabilities, [rows] */
};

void ref_nt_xent_destroy(struct nt_xent_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->unit);
    memory_free((*plan)->transposed);
    memory_free((*plan)->d_unit);
    memory_free((*plan)->norms);
    memory_free((*plan)->row);
    memory_free(*plan);
    *plan = NULL;
}

int ref_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                       struct error *error)
{
    (void)backend;
    *out = NULL;
    int status = check_nt_xent(desc, error);
    if (status != SIMCLR_OK) return status;
    struct nt_xent_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an NT-Xent plan", sizeof *plan);
    plan->desc = *desc;
    plan->rows = 2 * (size_t)desc->images;
    plan->dim = (size_t)desc->dim;
    const size_t count = plan->rows * plan->dim;
    plan->unit = memory_array(count, sizeof(double));
    plan->transposed = memory_array(count, sizeof(double));
    plan->d_unit = memory_array(count, sizeof(double));
    plan->norms = memory_array(plan->rows, sizeof(double));
    plan->row = memory_array(plan->rows, sizeof(double));
    if (!plan->unit || !plan->transposed || !plan->d_unit || !plan->norms || !plan->row) {
        ref_nt_xent_destroy(&plan);
        return error_no_memory(error, "NT-Xent on the ref backend", 3 * count * sizeof(double));
    }
    *out = plan;
    return SIMCLR_OK;
}

static void normalize_rows(struct nt_xent_plan *plan, const float *z)
{
    for (size_t i = 0; i < plan->rows; i++) {
        const float *row = z + i * plan->dim;
        double squares = 0;
        for (size_t d = 0; d < plan->dim; d++) squares += (double)row[d] * (double)row[d];
        plan->norms[i] = sqrt(squares);
        for (size_t d = 0; d < plan->dim; d++) {
            const double value = squares == 0 ? 0 : row[d] / plan->norms[i];
            plan->unit[i * plan->dim + d] = value;
            plan->transposed[d * plan->rows + i] = value;
        }
    }
}

static size_t positive_of(const struct nt_xent_plan *plan, size_t anchor)
{
    const size_t images = plan->rows / 2;
    return anchor < images ? anchor + images : anchor - images;
}

/* plan->row = cosines of the anchor with every row. */
static void cosines(struct nt_xent_plan *plan, size_t anchor)
{
    double *restrict row = plan->row;
    for (size_t k = 0; k < plan->rows; k++) row[k] = 0;
    for (size_t d = 0; d < plan->dim; d++) {
        const double value = plan->unit[anchor * plan->dim + d];
        const double *restrict others = plan->transposed + d * plan->rows;
        for (size_t k = 0; k < plan->rows; k++) row[k] += value * others[k];
    }
}

/* Adds the anchor's share to every sum of `result` and turns plan->row into its probabilities. */
static void softmax_row(struct nt_xent_plan *plan, size_t anchor, struct nt_xent_result *result)
{
    const double tau = plan->desc.temperature;
    const size_t positive = positive_of(plan, anchor);
    const double similarity = plan->row[positive];
    double maximum = similarity, negatives = 0, sum = 0, weighted = 0;
    bool nearest = true;
    for (size_t k = 0; k < plan->rows; k++) {
        if (k == anchor || k == positive) continue;
        negatives += plan->row[k];
        nearest = nearest && plan->row[k] < similarity;
        maximum = fmax(maximum, plan->row[k]);
    }
    for (size_t k = 0; k < plan->rows; k++) {
        if (k == anchor) {
            plan->row[k] = 0;
            continue;
        }
        const double exponent = (plan->row[k] - maximum) / tau;
        plan->row[k] = exp(exponent);
        sum += plan->row[k];
        weighted += plan->row[k] * exponent;
    }
    for (size_t k = 0; k < plan->rows; k++) plan->row[k] /= sum;
    result->loss += log(sum) - (similarity - maximum) / tau;
    result->top1 += nearest;
    result->entropy += log(sum) - weighted / sum;
    result->positive_similarity += similarity;
    result->negative_similarity += negatives;
}

/* Row p_i meets the gradient twice: in d_u_i (p_ik u_k) and, by symmetry of s, in every d_u_k (p_ik u_i). */
static void add_gradient(struct nt_xent_plan *plan, size_t anchor)
{
    const double scale = 1 / ((double)plan->rows * (double)plan->desc.temperature);
    const size_t positive = positive_of(plan, anchor);
    const double *restrict own = plan->unit + anchor * plan->dim;
    for (size_t k = 0; k < plan->rows; k++) {
        if (k == anchor) continue;
        const double weight = scale * (plan->row[k] - (k == positive ? 1.0 : 0.0));
        const double *restrict other = plan->unit + k * plan->dim;
        double *restrict d_own = plan->d_unit + anchor * plan->dim, *restrict d_other = plan->d_unit + k * plan->dim;
        for (size_t d = 0; d < plan->dim; d++) {
            d_own[d] += weight * other[d];
            d_other[d] += weight * own[d];
        }
    }
}

static void store_gradient(const struct nt_xent_plan *plan, float *d_z)
{
    for (size_t i = 0; i < plan->rows; i++) {
        const double *unit = plan->unit + i * plan->dim, *d_unit = plan->d_unit + i * plan->dim;
        double along = 0;
        for (size_t d = 0; d < plan->dim; d++) along += d_unit[d] * unit[d];
        for (size_t d = 0; d < plan->dim; d++)
            d_z[i * plan->dim + d] =
                plan->norms[i] == 0 ? 0.0f : (float)((d_unit[d] - along * unit[d]) / plan->norms[i]);
    }
}

void ref_nt_xent_run(struct nt_xent_plan *plan, struct nt_xent_result *result, float *d_z, const float *z)
{
    const double rows = (double)plan->rows;
    memset(result, 0, sizeof *result);
    memset(plan->d_unit, 0, plan->rows * plan->dim * sizeof *plan->d_unit);
    normalize_rows(plan, z);
    for (size_t anchor = 0; anchor < plan->rows; anchor++) {
        cosines(plan, anchor);
        softmax_row(plan, anchor, result);
        if (d_z) add_gradient(plan, anchor);
    }
    if (d_z) store_gradient(plan, d_z);
    result->loss /= rows;
    result->top1 /= rows;
    result->entropy /= rows;
    result->positive_similarity /= rows;
    result->negative_similarity /= plan->rows > 2 ? rows * (rows - 2) : 1; /* one pair alone has no negatives */
}
