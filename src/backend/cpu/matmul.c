/* backend/cpu/matmul.c -- dense float32 products: C = alpha op(A) op(B) + beta C.
 *
 * Blocking after Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008): a
 * column panel of B (DEPTH x 32 floats) stays in L1, a block of A (ROWS x DEPTH) in L2, COLUMNS of B in L3. Each
 * thread computes its own part of C with packed copies of its own, so results do not depend on the others. */
#include <string.h>

#include "backend/cpu/conv.h"
#include "backend/cpu/matmul_kernels.h"
#include "base/pool.h"

enum { DEPTH = 256, ROWS = 192, COLUMNS = 768 }; /* ROWS: of whole tiles of 6 or 8; COLUMNS: of 8, 16 or 32 */

static const struct matmul_kernels *choose_kernels(const struct cpu_backend *cpu)
{
    const struct matmul_kernels *kernels = NULL;
    if (cpu->level >= CPU_AVX512) kernels = matmul_kernels_avx512();
    if (!kernels && cpu->level >= CPU_AVX2) kernels = matmul_kernels_avx2();
    return kernels ? kernels : matmul_kernels_portable();
}

size_t cpu_matmul_scratch(void)
{
    return (size_t)(ROWS + COLUMNS) * DEPTH * sizeof(float);
}

/* `count` lines of op(M) (rows of A, columns of B) from `line` on, [depth, depth + length), in tiles of `width`
 * lines: out[tile][length][width], zero where there is no line. along: stride from line to line; across: along
 * the contraction. */
static void pack(float *out, const float *matrix, size_t along, size_t across, int line, int count, int depth, int length,
                 int width)
{
    for (int first = 0; first < count; first += width, out += (size_t)length * (size_t)width) {
        const float *from = matrix + (size_t)(line + first) * along + (size_t)depth * across;
        const int real = count - first < width ? count - first : width;
        if (real < width) memset(out, 0, (size_t)length * (size_t)width * sizeof *out);
        if (along == 1) {
            for (int k = 0; k < length; k++)
                memcpy(out + (size_t)k * (size_t)width, from + (size_t)k * across, (size_t)real * sizeof *out);
            continue;
        }
        /* Sixteen contraction steps at a time, so that both sides stay in the first-level cache. */
        for (int block = 0; block < length; block += 16)
            for (int i = 0; i < real; i++) {
                const float *row = from + (size_t)i * along;
                const int end = block + 16 < length ? block + 16 : length;
                for (int k = block; k < end; k++) out[(size_t)k * (size_t)width + (size_t)i] = row[(size_t)k * across];
            }
    }
}

/* A tile at the edge of C goes through a full one. */
static void edge_tile(const struct matmul_kernels *kernels, float *c, size_t ldc, const float *a, const float *b, int depth,
                      float alpha, float beta, int rows, int columns)
{
    float tile[MATMUL_MAX_ROWS * MATMUL_MAX_COLUMNS];
    kernels->tile(tile, (size_t)kernels->columns, a, b, depth, alpha, 0.0f);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            float *to = &c[(size_t)i * ldc + (size_t)j];
            const float value = tile[i * kernels->columns + j];
            *to = beta != 0.0f ? value + beta * *to : value;
        }
}

static void multiply_block(const struct matmul_kernels *kernels, const struct matmul_args *args, const float *a, const float *b,
                           int row, int rows, int column, int columns, int depth, float beta)
{
    for (int j = 0; j < columns; j += kernels->columns) {
        const int width = columns - j < kernels->columns ? columns - j : kernels->columns;
        for (int i = 0; i < rows; i += kernels->rows) {
            const int height = rows - i < kernels->rows ? rows - i : kernels->rows;
            float *c = args->c + (size_t)(row + i) * (size_t)args->ldc + (size_t)(column + j);
            const float *a_tile = a + (size_t)i * (size_t)depth, *b_tile = b + (size_t)j * (size_t)depth;
            if (height == kernels->rows && width == kernels->columns)
                kernels->tile(c, (size_t)args->ldc, a_tile, b_tile, depth, args->alpha, beta);
            else
                edge_tile(kernels, c, (size_t)args->ldc, a_tile, b_tile, depth, args->alpha, beta, height, width);
        }
    }
}

static void multiply(const struct matmul_kernels *kernels, const struct matmul_args *args, float *scratch)
{
    float *a = scratch, *b = scratch + ROWS * DEPTH;
    const size_t a_line = args->transpose_a ? 1 : (size_t)args->lda, a_step = args->transpose_a ? (size_t)args->lda : 1;
    const size_t b_line = args->transpose_b ? (size_t)args->ldb : 1, b_step = args->transpose_b ? 1 : (size_t)args->ldb;
    if (args->k == 0) {
        for (int i = 0; i < args->m; i++)
            for (int j = 0; j < args->n; j++) {
                float *c = &args->c[(size_t)i * (size_t)args->ldc + (size_t)j];
                *c = args->beta != 0.0f ? args->beta * *c : 0.0f;
            }
        return;
    }
    for (int column = 0; column < args->n; column += COLUMNS) {
        const int columns = args->n - column < COLUMNS ? args->n - column : COLUMNS;
        for (int k = 0; k < args->k; k += DEPTH) {
            const int depth = args->k - k < DEPTH ? args->k - k : DEPTH;
            pack(b, args->b, b_line, b_step, column, columns, k, depth, kernels->columns);
            for (int row = 0; row < args->m; row += ROWS) {
                const int rows = args->m - row < ROWS ? args->m - row : ROWS;
                pack(a, args->a, a_line, a_step, row, rows, k, depth, kernels->rows);
                multiply_block(kernels, args, a, b, row, rows, column, columns, depth, k == 0 ? args->beta : 1.0f);
            }
        }
    }
}

void cpu_matmul_serial(const struct cpu_backend *cpu, const struct matmul_args *args, void *scratch)
{
    multiply(choose_kernels(cpu), args, scratch);
}

struct matmul_job {
    const struct cpu_backend *cpu;
    const struct matmul_kernels *kernels;
    const struct matmul_args *args;
};

/* The longer side of C is shared out in whole tiles. */
static void matmul_part(void *context, int thread, int threads)
{
    const struct matmul_job *job = context;
    struct matmul_args part = *job->args;
    const bool by_row = part.m >= part.n;
    const int unit = by_row ? job->kernels->rows : job->kernels->columns, count = by_row ? part.m : part.n;
    int64_t begin, end;
    pool_share((count + unit - 1) / unit, thread, threads, &begin, &end);
    const int first = (int)begin * unit, last = (int)end * unit < count ? (int)end * unit : count;
    if (first >= last) return;
    if (by_row) {
        part.m = last - first;
        part.a += (size_t)first * (part.transpose_a ? 1 : (size_t)part.lda);
        part.c += (size_t)first * (size_t)part.ldc;
    } else {
        part.n = last - first;
        part.b += (size_t)first * (part.transpose_b ? (size_t)part.ldb : 1);
        part.c += first;
    }
    multiply(job->kernels, &part, cpu_scratch(job->cpu, thread));
}

void cpu_matmul(struct backend *backend, const struct matmul_args *args)
{
    const struct cpu_backend *cpu = cpu_backend_of(backend);
    struct matmul_job job = {.cpu = cpu, .kernels = choose_kernels(cpu), .args = args};
    pool_split(backend->pool, matmul_part, &job);
}
