/* eval/hessian.c -- see hessian.h. */
#include "eval/hessian.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cholesky.h"

enum { RIDGE_TRIALS = 8 };

/* Unknown (c, d) is number c (dim + 1) + d; d == dim is the bias. */
struct hessian {
    struct backend *backend;
    int dim, classes, size; /* size: (dim + 1) classes, rounded up to whole blocks */
    float *sum;             /* [size][size], lower triangle, without the penalty */
    float *inverse;         /* [size][size], lower triangle: L^-1 of the last factoring */
    float *row;             /* [CHOLESKY_BLOCK][size] */
    float *space;           /* [1 + CHOLESKY_BLOCK][size] */
    float *with_one;        /* [rows][dim + 1]: x, 1 */
    float *weighted;        /* the same, times a row's weight */
};

struct hessian *hessian_create(struct backend *backend, int dim, int classes, int rows_at_once)
{
    if (!hessian_fits(dim, classes)) return NULL;
    const int unknowns = (dim + 1) * classes;
    struct hessian *h = memory_allocate(sizeof *h);
    if (!h) return NULL;
    h->backend = backend;
    h->dim = dim;
    h->classes = classes;
    h->size = (unknowns + CHOLESKY_BLOCK - 1) / CHOLESKY_BLOCK * CHOLESKY_BLOCK;
    const size_t size = (size_t)h->size, tile = (size_t)rows_at_once * ((size_t)dim + 1);
    h->sum = memory_array(size * size, sizeof *h->sum);
    h->inverse = memory_array(size * size, sizeof *h->inverse);
    h->row = memory_array(size * CHOLESKY_BLOCK, sizeof *h->row);
    h->space = memory_array(size * (1 + CHOLESKY_BLOCK), sizeof *h->space);
    h->with_one = memory_array(tile, sizeof *h->with_one);
    h->weighted = memory_array(tile, sizeof *h->weighted);
    if (!h->sum || !h->inverse || !h->row || !h->space || !h->with_one || !h->weighted) hessian_destroy(&h);
    return h;
}

void hessian_destroy(struct hessian **hessian)
{
    struct hessian *h = *hessian;
    *hessian = NULL;
    if (!h) return;
    memory_free(h->sum);
    memory_free(h->inverse);
    memory_free(h->row);
    memory_free(h->space);
    memory_free(h->with_one);
    memory_free(h->weighted);
    memory_free(h);
}

void hessian_clear(struct hessian *h)
{
    memset(h->sum, 0, (size_t)h->size * (size_t)h->size * sizeof *h->sum);
}

/* Block (c, e) of the sum, e <= c. */
static void add_block(struct hessian *h, int c, int e, int rows, double share)
{
    const int width = h->dim + 1;
    const struct matmul_args product = {
        .transpose_a = true,
        .m = width,
        .n = width,
        .k = rows,
        .alpha = (float)share,
        .beta = 1,
        .a = h->with_one,
        .lda = width,
        .b = h->weighted,
        .ldb = width,
        .c = h->sum + (size_t)c * (size_t)width * (size_t)h->size + (size_t)e * (size_t)width,
        .ldc = h->size,
    };
    h->backend->ops->matmul(h->backend, &product);
}

void hessian_add(struct hessian *h, const float *x, const float *error, const int32_t *labels, int rows, double share)
{
    const int dim = h->dim, classes = h->classes;
    const size_t width = (size_t)dim + 1;
    for (size_t i = 0; i < (size_t)rows; i++) {
        memcpy(h->with_one + i * width, x + i * (size_t)dim, (size_t)dim * sizeof *x);
        h->with_one[i * width + (size_t)dim] = 1;
    }
    for (int c = 0; c < classes; c++)
        for (int e = 0; e <= c && !pool_is_stopped(h->backend->pool); e++) {
            for (size_t i = 0; i < (size_t)rows; i++) {
                const float *row = error + i * (size_t)classes;
                const float p = row[c] + (labels[i] == c ? 1 : 0), q = row[e] + (labels[i] == e ? 1 : 0);
                const float weight = c == e ? p * (1 - p) : -p * q;
                for (size_t d = 0; d < width; d++) h->weighted[i * width + d] = weight * h->with_one[i * width + d];
            }
            add_block(h, c, e, rows, share);
        }
}

/* The lower triangle of H; what fills up the last block, and a feature that is always 0 without a penalty, get 1. */
static void fill(struct hessian *h, double l2, double ridge)
{
    const size_t size = (size_t)h->size, width = (size_t)h->dim + 1, unknowns = width * (size_t)h->classes;
    const float same = 1 / ((float)h->classes * (float)h->classes); /* of all biases, at the start */
    for (size_t i = 0; i < size; i++) {
        const float *from = h->sum + i * size;
        float *to = h->inverse + i * size;
        const bool bias = i < unknowns && i % width == (size_t)h->dim;
        memcpy(to, from, i * sizeof *to);
        for (size_t j = (size_t)h->dim; bias && j < i; j += width) to[j] += same;
        const double own = (double)from[i] * (1 + ridge) + (bias ? (double)same : i < unknowns ? l2 : 0);
        to[i] = own > 0 ? (float)own : 1;
    }
}

bool hessian_factor(struct hessian *h, double l2)
{
    double ridge = 1e-7;
    for (int trial = 0; trial < RIDGE_TRIALS; trial++, ridge *= 10) {
        fill(h, l2, ridge);
        if (!cholesky_factor(h->backend, h->inverse, h->size, h->space)) continue;
        cholesky_invert(h->backend, h->inverse, h->size, h->row);
        return true;
    }
    return false;
}

void hessian_apply(const struct hessian *h, double *vector)
{
    const size_t dim = (size_t)h->dim, classes = (size_t)h->classes, weights = classes * dim;
    float *x = h->space, *other = h->space + h->size;
    double largest = 0;
    for (size_t i = 0; i < weights + classes; i++) largest = fmax(largest, fabs(vector[i]));
    const double scale = largest > 0 ? 1 / largest : 1; /* gradients near the optimum would be tiny floats */
    memset(x, 0, (size_t)h->size * sizeof *x);
    for (size_t c = 0; c < classes; c++) {
        for (size_t d = 0; d < dim; d++) x[c * (dim + 1) + d] = (float)(vector[c * dim + d] * scale);
        x[c * (dim + 1) + dim] = (float)(vector[weights + c] * scale);
    }
    cholesky_solve(h->backend, h->inverse, h->size, x, 1, other);
    for (size_t c = 0; c < classes; c++) {
        for (size_t d = 0; d < dim; d++) vector[c * dim + d] = (double)x[c * (dim + 1) + d] / scale;
        vector[weights + c] = (double)x[c * (dim + 1) + dim] / scale;
    }
}
