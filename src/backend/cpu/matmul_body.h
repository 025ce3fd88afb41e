/* backend/cpu/matmul_body.h -- the tile of a dense product, compiled once per instruction set: MATMUL_ROWS rows x
 * 2 vectors of accumulators; each step loads two vectors of b and broadcasts one value of a per row. */
#include "backend/cpu/conv_vector.h"
#include "backend/cpu/matmul_kernels.h"

static void matmul_tile(float *c, size_t ldc, const float *a, const float *b, int depth, float alpha, float beta)
{
    vec acc[MATMUL_ROWS][2];
    UNROLL for (int i = 0; i < MATMUL_ROWS; i++) acc[i][0] = acc[i][1] = vec_zero();
    UNROLL_BY(4)
    for (int k = 0; k < depth; k++) {
        const vec b0 = vec_load(b + (size_t)k * 2 * LANES), b1 = vec_load(b + (size_t)k * 2 * LANES + LANES);
        UNROLL for (int i = 0; i < MATMUL_ROWS; i++) {
            const vec value = vec_broadcast(a + (size_t)k * MATMUL_ROWS + i);
            acc[i][0] = vec_fma(b0, value, acc[i][0]);
            acc[i][1] = vec_fma(b1, value, acc[i][1]);
        }
    }
    const vec alphas = vec_broadcast(&alpha), betas = vec_broadcast(&beta);
    UNROLL for (int i = 0; i < MATMUL_ROWS; i++) {
        float *row = c + (size_t)i * ldc;
        vec c0 = vec_mul(acc[i][0], alphas), c1 = vec_mul(acc[i][1], alphas);
        if (beta != 0.0f) {
            c0 = vec_fma(betas, vec_load(row), c0);
            c1 = vec_fma(betas, vec_load(row + LANES), c1);
        }
        vec_store(row, c0);
        vec_store(row + LANES, c1);
    }
}

static const struct matmul_kernels matmul_table = {
    .name = MATMUL_TITLE, .rows = MATMUL_ROWS, .columns = 2 * LANES, .tile = matmul_tile,
};
