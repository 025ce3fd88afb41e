/* eval/cholesky.c -- see cholesky.h. */
#include "eval/cholesky.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK = CHOLESKY_BLOCK, STRIP = CHOLESKY_STRIP, RIDGE_TRIALS = 8 };

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

/* ---- an inverse -------------------------------------------------------------------------------------------------- */

bool inverse_open(struct inverse *inverse, struct backend *backend, int unknowns)
{
    *inverse = (struct inverse){.backend = backend, .size = (unknowns + BLOCK - 1) / BLOCK * BLOCK};
    const size_t size = (size_t)inverse->size;
    inverse->factor = memory_array(size * size, sizeof *inverse->factor);
    inverse->row = memory_array(size * BLOCK, sizeof *inverse->row);
    inverse->space = memory_array(size * (1 + BLOCK), sizeof *inverse->space);
    return inverse->factor && inverse->row && inverse->space;
}

void inverse_close(struct inverse *inverse)
{
    memory_free(inverse->factor);
    memory_free(inverse->row);
    memory_free(inverse->space);
    *inverse = (struct inverse){0};
}

bool inverse_make(struct inverse *inverse, inverse_fill *fill, const void *context)
{
    double ridge = 1e-7;
    for (int trial = 0; trial < RIDGE_TRIALS; trial++, ridge *= 10) {
        fill(context, inverse->factor, ridge);
        if (!cholesky_factor(inverse->backend, inverse->factor, inverse->size, inverse->space)) continue;
        cholesky_invert(inverse->backend, inverse->factor, inverse->size, inverse->row);
        return true;
    }
    return false;
}

/* out = in P^T (transposed) or in P for the lower triangular P, [count][size]: only where P is not zero. */
static void multiply(const struct inverse *inverse, float *out, const float *in, int count, bool transposed)
{
    const int size = inverse->size;
    for (int first = 0; first < size; first += STRIP) {
        const int columns = size - first < STRIP ? size - first : STRIP;
        const int begin = transposed ? 0 : first, end = transposed ? first + columns : size;
        const size_t row = (size_t)(transposed ? first : begin), column = (size_t)(transposed ? begin : first);
        const struct matmul_args product = {
            .transpose_b = transposed,
            .m = count,
            .n = columns,
            .k = end - begin,
            .alpha = 1,
            .a = in + begin,
            .lda = size,
            .b = inverse->factor + row * (size_t)size + column,
            .ldb = size,
            .c = out + first,
            .ldc = size,
        };
        inverse->backend->ops->matmul(inverse->backend, &product);
    }
}

static int vectors_of(const struct inverse *inverse, int classes, int stride)
{
    return stride == inverse->size ? classes : 1;
}

size_t inverse_space(const struct inverse *inverse, int classes, int stride)
{
    return 2 * (size_t)vectors_of(inverse, classes, stride) * (size_t)inverse->size;
}

void inverse_apply(const struct inverse *inverse, double *out, const double *in, int dim, int classes, int stride,
                   float *space)
{
    const int vectors = vectors_of(inverse, classes, stride);
    const size_t width = (size_t)dim, weights = (size_t)classes * width,
                 count = (size_t)vectors * (size_t)inverse->size;
    float *x = space, *other = space + count;
    double largest = 0;
    for (size_t i = 0; i < weights + (size_t)classes; i++) largest = fmax(largest, fabs(in[i]));
    const double scale = largest > 0 ? 1 / largest : 1; /* gradients near the optimum would be tiny floats */
    memset(x, 0, count * sizeof *x);
    for (size_t c = 0; c < (size_t)classes; c++) {
        float *row = x + c * (size_t)stride;
        for (size_t d = 0; d < width; d++) row[d] = (float)(in[c * width + d] * scale);
        row[width] = (float)(in[weights + c] * scale);
    }
    multiply(inverse, other, x, vectors, true);
    multiply(inverse, x, other, vectors, false);
    for (size_t c = 0; c < (size_t)classes; c++) {
        const float *row = x + c * (size_t)stride;
        for (size_t d = 0; d < width; d++) out[c * width + d] = (double)row[d] / scale;
        out[weights + c] = (double)row[width] / scale;
    }
}
