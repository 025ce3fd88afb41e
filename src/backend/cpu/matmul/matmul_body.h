/* backend/cpu/matmul/matmul_body.h -- the tile of a dense product, compiled once per instruction set: MATMUL_ROWS rows
 * x 2 vectors of accumulators; each step loads two vectors of b and broadcasts one value of a per row. */
#include <stddef.h>

#include "backend/cpu/matmul/matmul_kernels.h"
#include "simd/vec.h"

static void matmul_tile(float *c, size_t ldc, const float *a, const float *b, size_t b_step, int depth, float alpha,
                        float beta)
{
    vec acc[MATMUL_ROWS][2];
    UNROLL for (ptrdiff_t i = 0; i < MATMUL_ROWS; i++)
    { /* c will have arrived when the products are done */
        __builtin_prefetch(c + (size_t)i * ldc, 1);
        __builtin_prefetch(c + (size_t)i * ldc + VEC_LANES, 1);
    }
    UNROLL for (ptrdiff_t i = 0; i < MATMUL_ROWS; i++) acc[i][0] = acc[i][1] = vec_zero();
    UNROLL_BY(4)
    for (ptrdiff_t k = 0; k < depth; k++) {
        const vec b0 = vec_load(b), b1 = vec_load(b + VEC_LANES);
        b += b_step;
        UNROLL for (ptrdiff_t i = 0; i < MATMUL_ROWS; i++)
        {
            const vec value = vec_broadcast(a + (size_t)k * MATMUL_ROWS + i);
            acc[i][0] = vec_fma(b0, value, acc[i][0]);
            acc[i][1] = vec_fma(b1, value, acc[i][1]);
        }
    }
    const vec alphas = vec_set(alpha), betas = vec_set(beta);
    UNROLL for (ptrdiff_t i = 0; i < MATMUL_ROWS; i++)
    {
        float *row = c + (size_t)i * ldc;
        vec c0 = acc[i][0] * alphas, c1 = acc[i][1] * alphas;
        if (beta != 0.0f) {
            c0 = vec_fma(betas, vec_load(row), c0);
            c1 = vec_fma(betas, vec_load(row + VEC_LANES), c1);
        }
        vec_store(row, c0);
        vec_store(row + VEC_LANES, c1);
    }
}

static void matmul_pack_transposed(float *out, const float *from, size_t stride, int lines, int length, int width)
{
    ptrdiff_t k = 0;
    for (; k + VEC_LANES <= length; k += VEC_LANES)
        for (ptrdiff_t i = 0; i < width; i += VEC_LANES) {
            vec rows[VEC_LANES];
            UNROLL for (ptrdiff_t j = 0; j < VEC_LANES; j++) rows[j] =
                i + j < lines ? vec_load(from + (size_t)(i + j) * stride + k) : vec_zero();
            vec_transpose(rows);
            float *to = out + (size_t)k * (size_t)width + i;
            if (i + VEC_LANES <= width) {
                UNROLL for (ptrdiff_t j = 0; j < VEC_LANES; j++) vec_store(to + j * width, rows[j]);
            } else {
                float line[VEC_LANES];
                for (ptrdiff_t j = 0; j < VEC_LANES; j++) {
                    vec_store(line, rows[j]);
                    memcpy(to + j * width, line, (size_t)(width - i) * sizeof *line);
                }
            }
        }
    for (; k < length; k++)
        for (ptrdiff_t i = 0; i < width; i++)
            out[k * width + i] = i < lines ? from[(size_t)i * stride + (size_t)k] : 0.0f;
}

static const struct matmul_kernels matmul_table = {
    .name = MATMUL_TITLE,
    .rows = MATMUL_ROWS,
    .columns = 2 * VEC_LANES,
    .tile = matmul_tile,
    .pack_transposed = matmul_pack_transposed,
};
