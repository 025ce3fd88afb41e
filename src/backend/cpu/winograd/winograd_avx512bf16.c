/* backend/cpu/winograd/winograd_avx512bf16.c -- the kernels of winograd_body.h for activations in bf16 on CPUs that
 * multiply pairs of bf16 (dpbf16ps): the forward pass in float32 products, the backward passes in pairs
 * (winograd_pairs_body.h). */
#include "backend/cpu/winograd/winograd.h"

#define WINOGRAD_PAIRS
#define WINOGRAD_TABLE table
#define WINOGRAD_TITLE "avx512-bf16 8x2"
#include "backend/cpu/winograd/winograd_body.h"

const struct winograd_kernels *winograd_kernels_avx512bf16(void)
{
    return &table;
}
