/* eval/hessian.c -- see hessian.h. */
#include "eval/hessian.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cholesky.h"

/* Unknown (c, d) is number c (dim + 1) + d; d == dim is the bias. */
struct hessian {
    struct inverse inverse; /* of the last factoring */
    int dim, classes;
    float *sum;      /* [size][size] of the inverse, lower triangle, without the penalty */
    float *with_one; /* [rows][dim + 1]: x, 1 */
    float *weighted; /* the same, times a row's weight */
};

struct hessian *hessian_create(struct backend *backend, int dim, int classes, int rows_at_once)
{
    if (!hessian_fits(dim, classes)) return NULL;
    struct hessian *h = memory_allocate(sizeof *h);
    if (!h) return NULL;
    h->dim = dim;
    h->classes = classes;
    const bool open = inverse_open(&h->inverse, backend, (dim + 1) * classes);
    const size_t size = (size_t)h->inverse.size, tile = (size_t)rows_at_once * ((size_t)dim + 1);
    h->sum = memory_array(size * size, sizeof *h->sum);
    h->with_one = memory_array(tile, sizeof *h->with_one);
    h->weighted = memory_array(tile, sizeof *h->weighted);
    if (!open || !h->sum || !h->with_one || !h->weighted) hessian_destroy(&h);
    return h;
}

void hessian_destroy(struct hessian **hessian)
{
    struct hessian *h = *hessian;
    *hessian = NULL;
    if (!h) return;
    inverse_close(&h->inverse);
    memory_free(h->sum);
    memory_free(h->with_one);
    memory_free(h->weighted);
    memory_free(h);
}

void hessian_clear(struct hessian *h)
{
    memset(h->sum, 0, (size_t)h->inverse.size * (size_t)h->inverse.size * sizeof *h->sum);
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
        .c = h->sum + (size_t)c * (size_t)width * (size_t)h->inverse.size + (size_t)e * (size_t)width,
        .ldc = h->inverse.size,
    };
    h->inverse.backend->ops->matmul(h->inverse.backend, &product);
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
        for (int e = 0; e <= c && !pool_is_stopped(h->inverse.backend->pool); e++) {
            for (size_t i = 0; i < (size_t)rows; i++) {
                const float *row = error + i * (size_t)classes;
                const float p = row[c] + (labels[i] == c ? 1 : 0), q = row[e] + (labels[i] == e ? 1 : 0);
                const float weight = c == e ? p * (1 - p) : -p * q;
                for (size_t d = 0; d < width; d++) h->weighted[i * width + d] = weight * h->with_one[i * width + d];
            }
            add_block(h, c, e, rows, share);
        }
}

struct filling {
    const struct hessian *h;
    double l2;
};

/* H; what fills up the last block, and a feature that is always 0 without a penalty, get 1. */
static void fill(const void *context, float *matrix, double ridge)
{
    const struct filling *filling = context;
    const struct hessian *h = filling->h;
    const size_t size = (size_t)h->inverse.size, width = (size_t)h->dim + 1, unknowns = width * (size_t)h->classes;
    const float same = 1 / ((float)h->classes * (float)h->classes); /* of all biases, at the start */
    for (size_t i = 0; i < size; i++) {
        const float *from = h->sum + i * size;
        float *to = matrix + i * size;
        const bool bias = i < unknowns && i % width == (size_t)h->dim;
        memcpy(to, from, i * sizeof *to);
        for (size_t j = (size_t)h->dim; bias && j < i; j += width) to[j] += same;
        const double own = (double)from[i] * (1 + ridge) + (bias ? (double)same : i < unknowns ? filling->l2 : 0);
        to[i] = own > 0 ? (float)own : 1;
    }
}

bool hessian_factor(struct hessian *h, double l2)
{
    return inverse_make(&h->inverse, fill, &(struct filling){h, l2});
}

/* Factoring is over: its space is free. */
void hessian_apply(const struct hessian *h, double *vector)
{
    inverse_apply(&h->inverse, vector, vector, h->dim, h->classes, h->dim + 1, h->inverse.space);
}
