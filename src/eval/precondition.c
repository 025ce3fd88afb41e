/* eval/precondition.c -- Gram matrix, Cholesky factor and its inverse: all that costs is the backend's product. */
#include "eval/precondition.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

/* STRIP: columns of a triangle that one product covers, a compromise between wasted work above the diagonal and
 * products large enough to be fast. ROW_TILE bounds the contraction (an int) of a product, and its rounding. */
enum { BLOCK = CHOLESKY_BLOCK, STRIP = 512, ROW_TILE = 8192, RIDGE_TRIALS = 8 };

struct preconditioner {
    struct backend *backend;
    int dim, size;  /* size: dim + 1 rounded up to whole blocks */
    float *gram;    /* [size][size], lower triangle: [x 1]^T [x 1] / rows */
    float *inverse; /* [size][size], lower triangle: L^-1 of the last factoring */
    float *row;     /* [BLOCK][size] */
    float *space;   /* [1 + BLOCK][size] of factoring */
};

/* ---- blocked Cholesky ---------------------------------------------------------------------------------------- */

/* One block on the diagonal, in double. pivots: what each pivot must exceed. */
static bool factor_block(float *block, int stride, const float *pivots)
{
    double l[BLOCK][BLOCK];
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j <= i; j++) {
            double sum = (double)block[(size_t)i * (size_t)stride + (size_t)j];
            for (int k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
            if (i == j) {
                if (!(sum > (double)pivots[i])) return false;
                l[i][i] = sqrt(sum);
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j <= i; j++) block[(size_t)i * (size_t)stride + (size_t)j] = (float)l[i][j];
    return true;
}

/* inverse [BLOCK][BLOCK] of a lower triangular block, zeros above its diagonal. */
static void invert_block(float *inverse, const float *block, int stride)
{
    double p[BLOCK][BLOCK];
    for (int j = 0; j < BLOCK; j++)
        for (int i = 0; i < BLOCK; i++) {
            double sum = i == j ? 1 : 0;
            for (int k = j; k < i; k++) sum -= (double)block[(size_t)i * (size_t)stride + (size_t)k] * p[k][j];
            p[i][j] = i < j ? 0 : sum / (double)block[(size_t)i * (size_t)stride + (size_t)i];
            inverse[i * BLOCK + j] = (float)p[i][j];
        }
}

/* The rest of the matrix less L L^T of the panel [begin, begin + BLOCK), strip after strip of its lower triangle. */
static void update_trailing(struct backend *backend, float *matrix, int size, int begin)
{
    const size_t stride = (size_t)size;
    for (int first = begin + BLOCK; first < size; first += STRIP) {
        const float *panel = matrix + (size_t)first * stride + (size_t)begin;
        const struct matmul_args update = {
            .transpose_b = true,
            .m = size - first,
            .n = size - first < STRIP ? size - first : STRIP,
            .k = BLOCK,
            .alpha = -1,
            .beta = 1,
            .a = panel,
            .lda = size,
            .b = panel,
            .ldb = size,
            .c = matrix + (size_t)first * stride + (size_t)first,
            .ldc = size,
        };
        backend->ops->matmul(backend, &update);
    }
}

/* Right-looking: factor a block of the diagonal, divide the panel below by it, update what is to the right of both
 * (Golub & Van Loan, "Matrix Computations", section 4.2.6). */
bool cholesky_factor(struct backend *backend, float *matrix, int size, float *space)
{
    const size_t stride = (size_t)size;
    float *pivots = space, *panel = space + stride;
    float inverse[BLOCK * BLOCK];
    bool good = true;
    for (int i = 0; i < size && good; i++) pivots[i] = 4 * FLT_EPSILON * matrix[(size_t)i * (stride + 1)];
    for (int begin = 0; begin < size && good; begin += BLOCK) {
        float *corner = matrix + (size_t)begin * (stride + 1);
        good = factor_block(corner, size, pivots + begin);
        const int below = size - begin - BLOCK;
        if (!good || below == 0) continue;
        invert_block(inverse, corner, size);
        const struct matmul_args divide = {
            .transpose_b = true,
            .m = below,
            .n = BLOCK,
            .k = BLOCK,
            .alpha = 1,
            .a = corner + BLOCK * stride,
            .lda = size,
            .b = inverse,
            .ldb = BLOCK,
            .c = panel,
            .ldc = BLOCK,
        };
        backend->ops->matmul(backend, &divide);
        for (int i = 0; i < below; i++)
            memcpy(corner + (size_t)(BLOCK + i) * stride, panel + (size_t)i * BLOCK, BLOCK * sizeof(float));
        update_trailing(backend, matrix, size, begin);
    }
    for (size_t i = 0; i < stride && good; i++)
        memset(matrix + i * (stride + 1) + 1, 0, (stride - i - 1) * sizeof(float));
    return good;
}

/* Block row after block row: with P the inverse of the rows above, P_i = -L_ii^-1 L_i P, and P_ii = L_ii^-1. Row i of
 * L is not needed again, so P takes its place. */
void cholesky_invert(struct backend *backend, float *matrix, int size, float *row)
{
    const size_t stride = (size_t)size;
    float inverse[BLOCK * BLOCK];
    for (int begin = 0; begin < size; begin += BLOCK) {
        float *line = matrix + (size_t)begin * stride;
        invert_block(inverse, line + begin, size);
        for (int first = 0; first < begin; first += STRIP) {
            /* Column `first` of P has nothing above row `first`. */
            const struct matmul_args product = {
                .m = BLOCK,
                .n = begin - first < STRIP ? begin - first : STRIP,
                .k = begin - first,
                .alpha = 1,
                .a = line + first,
                .lda = size,
                .b = matrix + (size_t)first * stride + (size_t)first,
                .ldb = size,
                .c = row + first,
                .ldc = size,
            };
            backend->ops->matmul(backend, &product);
        }
        if (begin > 0) {
            const struct matmul_args divide = {
                .m = BLOCK,
                .n = begin,
                .k = BLOCK,
                .alpha = -1,
                .a = inverse,
                .lda = BLOCK,
                .b = row,
                .ldb = size,
                .c = line,
                .ldc = size,
            };
            backend->ops->matmul(backend, &divide);
        }
        for (int i = 0; i < BLOCK; i++)
            memcpy(line + (size_t)i * stride + begin, inverse + (size_t)i * BLOCK, BLOCK * sizeof(float));
    }
}

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

/* out = in P^T (transposed) or in P for the lower triangular P, [classes][size]: only where P is not zero. */
static void multiply(const struct preconditioner *p, float *out, const float *in, int classes, bool transposed)
{
    for (int first = 0; first < p->size; first += STRIP) {
        const int columns = p->size - first < STRIP ? p->size - first : STRIP;
        const int begin = transposed ? 0 : first, end = transposed ? first + columns : p->size;
        const size_t row = (size_t)(transposed ? first : begin), column = (size_t)(transposed ? begin : first);
        const struct matmul_args product = {
            .transpose_b = transposed,
            .m = classes,
            .n = columns,
            .k = end - begin,
            .alpha = 1,
            .a = in + begin,
            .lda = p->size,
            .b = p->inverse + row * (size_t)p->size + column,
            .ldb = p->size,
            .c = out + first,
            .ldc = p->size,
        };
        p->backend->ops->matmul(p->backend, &product);
    }
}

/* A^-1 = P^T P with P = L^-1: two products with a triangle never lose definiteness, as A^-1 in float32 would. */
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
    multiply(p, b, a, classes, true);
    multiply(p, a, b, classes, false);
    for (int c = 0; c < classes; c++) {
        const float *row = a + (size_t)c * size;
        for (size_t d = 0; d < dim; d++) out[(size_t)c * dim + d] = (double)row[d] / scale;
        out[weights + (size_t)c] = (double)row[dim] / scale;
    }
}
