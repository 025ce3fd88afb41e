/* eval/linear.c -- see linear.h. */
#include "eval/linear.h"

enum { TILE = 4096 /* rows of a product, whose sizes are ints */ };

static void tile_logits(struct backend *backend, const struct linear *linear, const float *x, int rows, float *logits)
{
    const int dim = linear->dim, classes = linear->classes;
    const struct matmul_args product = {
        .transpose_b = true,
        .m = rows,
        .n = classes,
        .k = dim,
        .alpha = 1,
        .a = x,
        .lda = dim,
        .b = linear->weight,
        .ldb = dim,
        .c = logits,
        .ldc = classes,
    };
    backend->ops->matmul(backend, &product);
    for (int64_t i = 0; i < rows; i++)
        for (int c = 0; c < classes; c++) logits[i * classes + c] += linear->bias[c];
}

void linear_logits(struct backend *backend, const struct linear *linear, const float *x, int64_t rows, float *logits)
{
    for (int64_t begin = 0; begin < rows; begin += TILE) {
        const int64_t left = rows - begin;
        tile_logits(backend, linear, x + begin * linear->dim, (int)(left < TILE ? left : TILE),
                    logits + begin * linear->classes);
    }
}
