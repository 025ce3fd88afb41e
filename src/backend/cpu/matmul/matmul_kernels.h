/* backend/cpu/matmul/matmul_kernels.h -- the inner loop of dense float32 products, one per instruction set. */
#ifndef BACKEND_CPU_MATMUL_KERNELS_H
#define BACKEND_CPU_MATMUL_KERNELS_H

#include <stddef.h>

enum { MATMUL_MAX_ROWS = 8, MATMUL_MAX_COLUMNS = 32 };

struct matmul_kernels {
    const char *name;
    int rows, columns; /* of the tile of C */
    /* c [rows][columns], row stride ldc = alpha sum_k a[k][rows] b[k][columns] + beta c; c is not read if beta
     * is 0. a is packed without gaps; b_step: floats from one row of b to the next. */
    void (*tile)(float *c, size_t ldc, const float *a, const float *b, size_t b_step, int depth, float alpha,
                 float beta);
    /* out[length][width] = transpose of `lines` (at most width) rows of `length` floats, `stride` apart; columns
     * without a line are zero. */
    void (*pack_transposed)(float *out, const float *from, size_t stride, int lines, int length, int width);
};

const struct matmul_kernels *matmul_kernels_portable(void);
#if defined(__x86_64__)
const struct matmul_kernels *matmul_kernels_avx2(void);
const struct matmul_kernels *matmul_kernels_avx512(void);
#else /* their files are left out of the build */
static inline const struct matmul_kernels *matmul_kernels_avx2(void)
{
    return NULL;
}
static inline const struct matmul_kernels *matmul_kernels_avx512(void)
{
    return NULL;
}
#endif

#endif
