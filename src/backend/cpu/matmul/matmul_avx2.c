/* backend/cpu/matmul/matmul_avx2.c -- the inner loop of dense products for avx2. */
#include "backend/cpu/matmul/matmul_kernels.h"

#define MATMUL_ROWS 6
#define MATMUL_TITLE "avx2 6x2"
#include "backend/cpu/matmul/matmul_body.h"

const struct matmul_kernels *matmul_kernels_avx2(void)
{
    return &matmul_table;
}
