/* eval/cholesky.c -- see cholesky.h. */
#include "eval/cholesky.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = CHOLESKY_BLOCK, STRIP = CHOLESKY_STRIP };

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

/* out = in P^T (transposed) or in P for the lower triangular P, [count][size]: only where P is not zero. */
static void multiply(struct backend *backend, const float *p, int size, float *out, const float *in, int count,
                     bool transposed)
{
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
            .b = p + row * (size_t)size + column,
            .ldb = size,
            .c = out + first,
            .ldc = size,
        };
        backend->ops->matmul(backend, &product);
    }
}

void cholesky_solve(struct backend *backend, const float *inverse, int size, float *x, int count, float *space)
{
    multiply(backend, inverse, size, space, x, count, true);
    multiply(backend, inverse, size, x, space, count, false);
}
