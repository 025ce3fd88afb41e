/* eval/precondition.c -- Gram matrix, and the factor of what it becomes with a penalty. */
#include "eval/precondition.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cholesky.h"

/* ROW_TILE bounds the contraction (an int) of a product, and its rounding. */
enum { STRIP = CHOLESKY_STRIP, ROW_TILE = 8192 };

struct preconditioner {
    struct inverse inverse; /* of the last factoring */
    int dim;
    float *gram; /* [size][size] of the inverse, lower triangle: [x 1]^T [x 1] / rows */
};

/* ---- the matrix ---------------------------------------------------------------------------------------------- */

/* The last row belongs to the bias: the sums of the columns, and the number of rows. */
static bool add_bias(struct preconditioner *p, const float *x, int64_t rows)
{
    double *sums = memory_array((size_t)p->dim, sizeof(double));
    if (sums == NULL) return false;
    for (int64_t i = 0; i < rows && !pool_is_stopped(p->inverse.backend->pool); i++)
        for (int d = 0; d < p->dim; d++) sums[d] += (double)x[i * p->dim + d];
    float *last = p->gram + (size_t)p->dim * (size_t)p->inverse.size;
    for (int d = 0; d < p->dim; d++) last[d] = (float)(sums[d] / (double)rows);
    last[p->dim] = 1;
    memory_free(sums);
    return true;
}

static void add_products(struct preconditioner *p, const float *x, int64_t rows)
{
    for (int64_t begin = 0; begin < rows && !pool_is_stopped(p->inverse.backend->pool); begin += ROW_TILE)
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
                .c = p->gram + (size_t)first * (size_t)p->inverse.size + (size_t)first,
                .ldc = p->inverse.size,
            };
            p->inverse.backend->ops->matmul(p->inverse.backend, &product);
        }
}

struct preconditioner *preconditioner_create(struct backend *backend, const float *x, int64_t rows, int dim)
{
    if (dim > PRECONDITIONER_DIM_MAX) return NULL;
    struct preconditioner *p = memory_allocate(sizeof *p);
    if (p == NULL) return NULL;
    p->dim = dim;
    const bool open = inverse_open(&p->inverse, backend, dim + 1);
    p->gram = memory_array((size_t)p->inverse.size * (size_t)p->inverse.size, sizeof(float));
    if (!open || !p->gram || !add_bias(p, x, rows))
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
    inverse_close(&p->inverse);
    memory_free(p);
}

struct filling {
    const struct preconditioner *p;
    double curvature, l2;
};

/* A; a feature that is always 0, and what fills up the last block, get 1. */
static void fill(const void *context, float *matrix, double ridge)
{
    const struct filling *filling = context;
    const struct preconditioner *p = filling->p;
    const size_t size = (size_t)p->inverse.size;
    for (size_t i = 0; i < size; i++) {
        const float *from = p->gram + i * size;
        float *to = matrix + i * size;
        for (size_t j = 0; j < i; j++) to[j] = (float)filling->curvature * from[j];
        const double own = filling->curvature * (double)from[i] * (1 + ridge) + (i < (size_t)p->dim ? filling->l2 : 0);
        to[i] = own > 0 ? (float)own : 1;
    }
}

bool preconditioner_factor(struct preconditioner *p, double curvature, double l2)
{
    return inverse_make(&p->inverse, fill, &(struct filling){p, curvature, l2});
}

/* ---- its use ------------------------------------------------------------------------------------------------- */

size_t preconditioner_space(const struct preconditioner *p, int classes)
{
    return inverse_space(&p->inverse, classes, p->inverse.size);
}

void preconditioner_apply(const struct preconditioner *p, double *out, const double *in, int classes, float *space)
{
    inverse_apply(&p->inverse, out, in, p->dim, classes, p->inverse.size, space);
}
