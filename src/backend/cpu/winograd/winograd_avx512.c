/* backend/cpu/winograd/winograd_avx512.c -- the kernels of winograd_body.h for AVX-512. */
#include "backend/cpu/winograd/winograd.h"

#define WINOGRAD_TABLE table
#define WINOGRAD_TITLE "avx512 8x2"
#include "backend/cpu/winograd/winograd_body.h"

const struct winograd_kernels *winograd_kernels_avx512(void)
{
    return &table;
}
