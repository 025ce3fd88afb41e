/* backend/cpu/matmul/matmul_portable.c -- the inner loop of dense products in plain C. */
#define MATMUL_ROWS 6
#define MATMUL_TITLE "portable 6x2"
#include "backend/cpu/matmul/matmul_body.h"

const struct matmul_kernels *matmul_kernels_portable(void)
{
    return &matmul_table;
}
