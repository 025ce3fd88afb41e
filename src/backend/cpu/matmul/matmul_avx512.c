/* backend/cpu/matmul/matmul_avx512.c -- the inner loop of dense products for avx512. */
#include "backend/cpu/matmul/matmul_kernels.h"

#define MATMUL_ROWS 8
#define MATMUL_TITLE "avx512 8x2"
#include "backend/cpu/matmul/matmul_body.h"

const struct matmul_kernels *matmul_kernels_avx512(void)
{
    return &matmul_table;
}
