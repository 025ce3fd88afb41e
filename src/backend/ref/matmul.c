/* Dense products, a strip of columns of C at a time in doubles on the stack; a row is one task of the pool. */
#include "backend/ref/ref.h"
#include "base/pool.h"

enum { STRIP = 128 };

static double a_at(const struct matmul_args *args, size_t i, size_t p)
{
    const size_t lda = (size_t)args->lda;
    return args->transpose_a ? args->a[p * lda + i] : args->a[i * lda + p];
}

/* sums[j] = sum over p of op(A)[i][p] op(B)[p][first + j], j in [0, width) */
static void multiply_strip(const struct matmul_args *args, double *restrict sums, size_t i, size_t first, size_t width)
{
    const size_t ldb = (size_t)args->ldb;
    for (size_t j = 0; j < width; j++) sums[j] = 0;
    for (size_t p = 0; p < (size_t)args->k; p++) {
        const double value = a_at(args, i, p);
        if (args->transpose_b) {
            const float *b = args->b + first * ldb + p;
            for (size_t j = 0; j < width; j++) sums[j] += value * b[j * ldb];
        } else {
            const float *b = args->b + p * ldb + first;
            for (size_t j = 0; j < width; j++) sums[j] += value * b[j];
        }
    }
}

/* beta = 0: C is written without being read, whatever it held. */
static void multiply_row(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct matmul_args *args = context;
    const size_t i = (size_t)index;
    double sums[STRIP];
    for (size_t first = 0; first < (size_t)args->n; first += STRIP) {
        const size_t left = (size_t)args->n - first, width = left < STRIP ? left : STRIP;
        float *c = args->c + i * (size_t)args->ldc + first;
        multiply_strip(args, sums, i, first, width);
        for (size_t j = 0; j < width; j++) {
            const double product = args->alpha * sums[j];
            c[j] = (float)(args->beta == 0 ? product : product + args->beta * (double)c[j]);
        }
    }
}

void ref_matmul(struct backend *backend, const struct matmul_args *args)
{
    struct matmul_args own = *args;
    pool_run(backend->pool, own.m, multiply_row, &own);
}
