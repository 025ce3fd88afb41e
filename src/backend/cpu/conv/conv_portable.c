/* backend/cpu/conv/conv_portable.c -- convolution kernels in plain C, for any machine: vectors of four floats, which
 * the compiler maps to SSE2, NEON or scalars; the same 6 + 5 + 5 images x 2 vectors as AVX2 (conv_body.h). */
#include "backend/cpu/conv/conv_kernels.h"

#define BODY_KIND BODY_F32
#define BODY(name) f32_##name
#define BODY_TABLE f32_table
#define BODY_TITLE "portable 6x2"
#include "backend/cpu/conv/body/conv_body.h"
#undef BODY_KIND
#undef BODY
#undef BODY_TABLE
#undef BODY_TITLE

#define BODY_KIND BODY_BF16_STORED
#define BODY(name) bf16_##name
#define BODY_TABLE bf16_table
#define BODY_TITLE "portable 6x2"
#include "backend/cpu/conv/body/conv_body.h"

const struct conv_kernels *conv_kernels_portable(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? &f32_table : dtype == DTYPE_BF16 ? &bf16_table : NULL;
}
