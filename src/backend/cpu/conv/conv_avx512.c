/* backend/cpu/conv/conv_avx512.c -- convolution kernels for AVX-512: float32 arithmetic, activations float32 or bf16.
 * 8 images x 2 vectors of 16 outputs; see conv_body.h for the blocking and the measured shares of the peak. */
#include "backend/cpu/conv/conv_kernels.h"

#define BODY_KIND BODY_F32
#define BODY(name) f32_##name
#define BODY_TABLE f32_table
#define BODY_TITLE "avx512 8x2"
#include "backend/cpu/conv/body/conv_body.h"
#undef BODY_KIND
#undef BODY
#undef BODY_TABLE
#undef BODY_TITLE

#define BODY_KIND BODY_BF16_STORED
#define BODY(name) bf16_##name
#define BODY_TABLE bf16_table
#define BODY_TITLE "avx512 8x2"
#include "backend/cpu/conv/body/conv_body.h"

const struct conv_kernels *conv_kernels_avx512(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? &f32_table : dtype == DTYPE_BF16 ? &bf16_table : NULL;
}
