/* backend/cpu/matmul/matmul.c -- dense float32 products: C = alpha op(A) op(B) + beta C.
 *
 * Blocking after Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008): a tile
 * of A (8 rows x DEPTH) stays in L1. Panels of B (DEPTH x 32) stream from L2 and L3. Between them is a block of A (ROWS
 * x DEPTH). docs/notes/training.md has what was measured. Each thread computes its own part of C with packed copies of
 * its own, so results do not depend on the number of threads. */
#include "backend/cpu/matmul/matmul.h"

#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/matmul/matmul_kernels.h"
#include "base/pool.h"

enum { DEPTH = 512, ROWS = 96, COLUMNS = 768 }; /* ROWS: of whole tiles of 6 or 8; COLUMNS: of 8, 16 or 32 */

static const struct matmul_kernels *choose_kernels(const struct cpu_backend *cpu)
{
    const struct matmul_kernels *kernels = NULL;
    if (simd_has(cpu->simd, SIMD_AVX512)) kernels = matmul_kernels_avx512();
    if (!kernels && simd_has(cpu->simd, SIMD_AVX2)) kernels = matmul_kernels_avx2();
    return kernels ? kernels : matmul_kernels_portable();
}

size_t cpu_matmul_scratch(void)
{
    return (size_t)(ROWS + COLUMNS) * DEPTH * sizeof(float);
}

/* One operand or the result: element (i, j) is data[i * row + j * column]. */
struct operand {
    const float *data;
    size_t row, column;
};

struct product {
    const struct matmul_kernels *kernels;
    struct operand a, b; /* m x k, k x n */
    float *c;
    size_t c_row, c_column;
    int m, n, k;
    float alpha, beta;
};

static struct product product_of(const struct matmul_kernels *kernels, const struct matmul_args *args)
{
    const size_t lda = (size_t)args->lda, ldb = (size_t)args->ldb;
    struct product p = {
        .kernels = kernels,
        .c = args->c,
        .c_row = (size_t)args->ldc,
        .c_column = 1,
        .a = {args->a, args->transpose_a ? 1 : lda, args->transpose_a ? lda : 1},
        .b = {args->b, args->transpose_b ? 1 : ldb, args->transpose_b ? ldb : 1},
        .m = args->m,
        .n = args->n,
        .k = args->k,
        .alpha = args->alpha,
        .beta = args->beta,
    };
    if (p.n > kernels->columns / 2 || p.m <= p.n) return p;
    /* A narrow C would leave most of a tile's columns empty: compute its transpose. */
    struct product turned = p;
    turned.a = (struct operand){p.b.data, p.b.column, p.b.row};
    turned.b = (struct operand){p.a.data, p.a.column, p.a.row};
    turned.c_row = 1;
    turned.c_column = p.c_row;
    turned.m = p.n;
    turned.n = p.m;
    return turned;
}

/* What is packed at a time: `count` lines (rows of A, columns of B) from `line` on, contraction [depth, depth +
 * length). along: stride from line to line; across: along the contraction. One of the two is 1. */
struct lines {
    const float *matrix;
    size_t along, across;
    int line, count, depth, length;
};

/* In tiles of `width` lines: out[tile][length][width], zero where there is no line. */
static void pack(const struct matmul_kernels *kernels, float *out, const struct lines *lines, int width)
{
    const int length = lines->length;
    for (int first = 0; first < lines->count; first += width, out += (size_t)length * (size_t)width) {
        const float *from =
            lines->matrix + (size_t)(lines->line + first) * lines->along + (size_t)lines->depth * lines->across;
        const int real = lines->count - first < width ? lines->count - first : width;
        if (lines->across == 1) {
            kernels->pack_transposed(out, from, lines->along, real, length, width);
            continue;
        }
        if (real < width) memset(out, 0, (size_t)length * (size_t)width * sizeof *out);
        for (int k = 0; k < length; k++)
            memcpy(out + (size_t)k * (size_t)width, from + (size_t)k * lines->across, (size_t)real * sizeof *out);
    }
}

struct block {
    int row, rows, column, columns, depth;
    float beta;
    const float *a, *b; /* packed */
    bool direct;        /* b is used where it lies: b points to its row, b_step apart */
    size_t b_step;
};

/* A tile at the edge of C, or of a transposed C, goes through a full one. a, b: its packed operands. */
static void edge_tile(const struct product *p, const struct block *block, float *c, const float *a, const float *b,
                      int rows, int columns)
{
    float tile[MATMUL_MAX_ROWS * MATMUL_MAX_COLUMNS];
    const float beta = block->beta;
    p->kernels->tile(tile, (size_t)p->kernels->columns, a, b, block->b_step, block->depth, p->alpha, 0.0f);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            float *to = &c[(size_t)i * p->c_row + (size_t)j * p->c_column];
            const float value = tile[i * p->kernels->columns + j];
            *to = beta != 0.0f ? value + beta * *to : value;
        }
}

static void multiply_block(const struct product *p, const struct block *block)
{
    const int width = p->kernels->columns, height = p->kernels->rows;
    for (int j = 0; j < block->columns; j += width) {
        const int columns = block->columns - j < width ? block->columns - j : width;
        const float *b = block->direct ? block->b + j : block->b + (size_t)j * (size_t)block->depth;
        for (int i = 0; i < block->rows; i += height) {
            const int rows = block->rows - i < height ? block->rows - i : height;
            float *c = p->c + (size_t)(block->row + i) * p->c_row + (size_t)(block->column + j) * p->c_column;
            const float *a = block->a + (size_t)i * (size_t)block->depth;
            if (rows == height && columns == width && p->c_column == 1)
                p->kernels->tile(c, p->c_row, a, b, block->b_step, block->depth, p->alpha, block->beta);
            else
                edge_tile(p, block, c, a, b, rows, columns);
        }
    }
}

static void scale(const struct product *p)
{
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            float *c = &p->c[(size_t)i * p->c_row + (size_t)j * p->c_column];
            *c = p->beta != 0.0f ? p->beta * *c : 0.0f;
        }
}

static void multiply(const struct product *p, float *scratch)
{
    const struct matmul_kernels *kernels = p->kernels;
    float *a = scratch, *b = scratch + (size_t)ROWS * DEPTH;
    if (p->k == 0) {
        scale(p);
        return;
    }
    for (int column = 0; column < p->n; column += COLUMNS) {
        const int columns = p->n - column < COLUMNS ? p->n - column : COLUMNS;
        for (int k = 0; k < p->k; k += DEPTH) {
            struct block block = {.column = column, .columns = columns, .b = b, .b_step = (size_t)kernels->columns};
            block.depth = p->k - k < DEPTH ? p->k - k : DEPTH;
            block.beta = k == 0 ? p->beta : 1.0f;
            /* Few rows do not repay a copy of B; whole tiles of a row-major B can be read in place. */
            block.direct = p->m <= 2 * kernels->rows && p->b.column == 1 && columns % kernels->columns == 0;
            if (block.direct) {
                block.b = p->b.data + (size_t)k * p->b.row + (size_t)column;
                block.b_step = p->b.row;
            } else {
                const struct lines of_b = {p->b.data, p->b.column, p->b.row, column, columns, k, block.depth};
                pack(kernels, b, &of_b, kernels->columns);
            }
            for (block.row = 0; block.row < p->m; block.row += ROWS) {
                block.rows = p->m - block.row < ROWS ? p->m - block.row : ROWS;
                const struct lines of_a = {p->a.data, p->a.row, p->a.column, block.row, block.rows, k, block.depth};
                pack(kernels, a, &of_a, kernels->rows);
                block.a = a;
                multiply_block(p, &block);
            }
        }
    }
}

struct matmul_job {
    const struct cpu_backend *cpu;
    struct product product;
};

/* The longer side of C is shared out in whole tiles. */
static void matmul_part(void *context, int thread, int threads)
{
    const struct matmul_job *job = context;
    struct product part = job->product;
    const bool by_row = part.m >= part.n;
    const int unit = by_row ? part.kernels->rows : part.kernels->columns, count = by_row ? part.m : part.n;
    int64_t begin, end;
    pool_share((count + unit - 1) / unit, thread, threads, &begin, &end);
    const int first = (int)begin * unit, last = (int)end * unit < count ? (int)end * unit : count;
    if (first >= last) return;
    if (by_row) {
        part.m = last - first;
        part.a.data += (size_t)first * part.a.row;
        part.c += (size_t)first * part.c_row;
    } else {
        part.n = last - first;
        part.b.data += (size_t)first * part.b.column;
        part.c += (size_t)first * part.c_column;
    }
    multiply(&part, cpu_scratch(job->cpu, thread));
}

void cpu_matmul(struct backend *backend, const struct matmul_args *args)
{
    const struct cpu_backend *cpu = cpu_backend_of(backend);
    struct matmul_job job = {.cpu = cpu, .product = product_of(choose_kernels(cpu), args)};
    pool_split(backend->pool, matmul_part, &job);
}
