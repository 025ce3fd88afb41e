/* backend/cpu/conv/conv_avx512bf16.c -- convolution kernels for CPUs that multiply pairs of bf16 (dpbf16ps).
 * 8 images x 2 vectors = 16 accumulators: the instruction needs about 13 in flight to run at full rate. See
 * conv_body.h for the blocking and the measured shares of the peak. */
#include "backend/cpu/conv/conv_kernels.h"

#define BODY_KIND BODY_BF16_PAIRS
#define BODY(name) bf16_##name
#define BODY_TABLE bf16_table
#define BODY_TITLE "avx512-bf16 8x2"
#include "backend/cpu/conv/body/conv_body.h"

const struct conv_kernels *conv_kernels_avx512bf16(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? &bf16_table : NULL;
}
