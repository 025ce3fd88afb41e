/* eval/precondition.c -- Gram matrix, and the factor of what it becomes with a penalty. */
#include "eval/precondition.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cholesky.h"

/* ROW_TILE bounds the contraction (an int) of a product, and its rounding. */
enum { BLOCK = CHOLESKY_BLOCK, STRIP = CHOLESKY_STRIP, ROW_TILE = 8192, RIDGE_TRIALS = 8 };

struct preconditioner {
    struct backend *backend;
    int dim, size;  /* size: dim + 1 rounded up to whole blocks */
    float *gram;    /* [size][size], lower triangle: [x 1]^T [x 1] / rows */
    float *inverse; /* [size][size], lower triangle: L^-1 of the last factoring */
    float *row;     /* [BLOCK][size] */
    float *space;   /* [1 + BLOCK][size] of factoring */
};

/* ---- the matrix ---------------------------------------------------------------------------------------------- */

/* The last row belongs to the bias: the sums of the columns, and the number of rows. */
static bool add_bias(struct preconditioner *p, const float *x, int64_t rows)
{
    double *sums = memory_array((size_t)p->dim, sizeof(double));
    if (sums == NULL) return false;
    for (int64_t i = 0; i < rows && !pool_is_stopped(p->backend->pool); i++)
        for (int d = 0; d < p->dim; d++) sums[d] += (double)x[i * p->dim + d];
    float *last = p->gram + (size_t)p->dim * (size_t)p->size;
    for (int d = 0; d < p->dim; d++) last[d] = (float)(sums[d] / (double)rows);
    last[p->dim] = 1;
    memory_free(sums);
    return true;
}

static void add_products(struct preconditioner *p, const float *x, int64_t rows)
{
    for (int64_t begin = 0; begin < rows && !pool_is_stopped(p->backend->pool); begin += ROW_TILE)
        for (int first = 0; first < p->dim; first += STRIP) {
            const int64_t left = rows - begin;
            const float *columns = x + begin * p->dim + first;
            const struct matmul_args product = {
                .transpose_a = true,
                .m = p->dim - first,
                .n = p->dim - first < STRIP ? p->dim - first : STRIP,
                .k = (int)(left < ROW_TILE ? left : ROW_TILE),
                .alpha = (float)(1 / (double)rows),
                .beta = begin > 0 ? 1 : 0,
                .a = columns,
                .lda = p->dim,
                .b = columns,
                .ldb = p->dim,
                .c = p->gram + (size_t)first * (size_t)p->size + (size_t)first,
                .ldc = p->size,
            };
            p->backend->ops->matmul(p->backend, &product);
        }
}

struct preconditioner *preconditioner_create(struct backend *backend, const float *x, int64_t rows, int dim)
{
    if (dim > PRECONDITIONER_DIM_MAX) return NULL;
    struct preconditioner *p = memory_allocate(sizeof *p);
    if (p == NULL) return NULL;
    p->backend = backend;
    p->dim = dim;
    p->size = (dim + BLOCK) / BLOCK * BLOCK;
    const size_t size = (size_t)p->size;
    p->gram = memory_array(size * size, sizeof(float));
    p->inverse = memory_array(size * size, sizeof(float));
    p->row = memory_array(size * BLOCK, sizeof(float));
    p->space = memory_array(size * (1 + BLOCK), sizeof(float));
    if (!p->gram || !p->inverse || !p->row || !p->space || !add_bias(p, x, rows))
        preconditioner_destroy(&p);
    else
        add_products(p, x, rows);
    return p;
}

void preconditioner_destroy(struct preconditioner **preconditioner)
{
    struct preconditioner *p = *preconditioner;
    *preconditioner = NULL;
    if (p == NULL) return;
    memory_free(p->gram);
    memory_free(p->inverse);
    memory_free(p->row);
    memory_free(p->space);
    memory_free(p);
}

/* The lower triangle of A; a feature that is always 0, and what fills up the last block, get 1. */
static void fill(struct preconditioner *p, double curvature, double l2, double ridge)
{
    const size_t size = (size_t)p->size;
    for (size_t i = 0; i < size; i++) {
        const float *from = p->gram + i * size;
        float *to = p->inverse + i * size;
        for (size_t j = 0; j < i; j++) to[j] = (float)curvature * from[j];
        const double own = curvature * (double)from[i] * (1 + ridge) + (i < (size_t)p->dim ? l2 : 0);
        to[i] = own > 0 ? (float)own : 1;
    }
}

bool preconditioner_factor(struct preconditioner *p, double curvature, double l2)
{
    double ridge = 1e-7;
    for (int trial = 0; trial < RIDGE_TRIALS; trial++, ridge *= 10) {
        fill(p, curvature, l2, ridge);
        if (!cholesky_factor(p->backend, p->inverse, p->size, p->space)) continue;
        cholesky_invert(p->backend, p->inverse, p->size, p->row);
        return true;
    }
    return false;
}

/* ---- its use ------------------------------------------------------------------------------------------------- */

size_t preconditioner_space(const struct preconditioner *p, int classes)
{
    return 2 * (size_t)classes * (size_t)p->size;
}

void preconditioner_apply(const struct preconditioner *p, double *out, const double *in, int classes, float *space)
{
    const size_t size = (size_t)p->size, dim = (size_t)p->dim, weights = (size_t)classes * dim;
    float *a = space, *b = space + (size_t)classes * size;
    double largest = 0;
    for (size_t i = 0; i < weights + (size_t)classes; i++) largest = fmax(largest, fabs(in[i]));
    const double scale = largest > 0 ? 1 / largest : 1; /* gradients near the optimum would be tiny floats */
    for (int c = 0; c < classes; c++) {
        float *row = a + (size_t)c * size;
        for (size_t d = 0; d < dim; d++) row[d] = (float)(in[(size_t)c * dim + d] * scale);
        row[dim] = (float)(in[weights + (size_t)c] * scale);
        for (size_t d = dim + 1; d < size; d++) row[d] = 0;
    }
    cholesky_solve(p->backend, p->inverse, p->size, a, classes, b);
    for (int c = 0; c < classes; c++) {
        const float *row = a + (size_t)c * size;
        for (size_t d = 0; d < dim; d++) out[(size_t)c * dim + d] = (double)row[d] / scale;
        out[weights + (size_t)c] = (double)row[dim] / scale;
    }
}
