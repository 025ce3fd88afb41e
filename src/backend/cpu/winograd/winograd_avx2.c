/* backend/cpu/winograd/winograd_avx2.c -- the kernels of winograd_body.h for AVX2 with FMA. */
#include "backend/cpu/winograd/winograd.h"

#define WINOGRAD_TABLE table
#define WINOGRAD_TITLE "avx2 6x2"
#include "backend/cpu/winograd/winograd_body.h"

const struct winograd_kernels *winograd_kernels_avx2(void)
{
    return &table;
}
