/* eval/row_space.c -- see row_space.h. Products with the basis are the backend's; what a block has within itself is in
 * double. */
#include "eval/row_space.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/precondition.h"

/* What is left of a row must be more than float32's rounding of it. */
static const double LEAST_SHARE = 2e-6;
enum { BLOCK = 16, PASSES = 2 };

bool row_space_helps(int64_t rows, int dim)
{
    return 2 * rows <= dim && rows <= PRECONDITIONER_DIM_MAX;
}

static double dot(const float *a, const float *b, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++) sum += (double)a[d] * (double)b[d];
    return sum;
}

struct block {
    struct row_space *space;
    struct backend *backend;
    float *products;      /* [BLOCK][rank]: with the basis so far */
    double length[BLOCK]; /* of the rows as they came */
    float *rows;          /* [count][dim], behind the basis */
    int count;
};

/* Takes away what lies in the basis. */
static void leave_basis(const struct block *block)
{
    const struct row_space *space = block->space;
    const struct matmul_args along = {.transpose_b = true,
                                      .m = block->count,
                                      .n = space->rank,
                                      .k = space->dim,
                                      .alpha = 1,
                                      .a = block->rows,
                                      .lda = space->dim,
                                      .b = space->basis,
                                      .ldb = space->dim,
                                      .c = block->products,
                                      .ldc = space->rank};
    const struct matmul_args away = {.m = block->count,
                                     .n = space->dim,
                                     .k = space->rank,
                                     .alpha = -1,
                                     .beta = 1,
                                     .a = block->products,
                                     .lda = space->rank,
                                     .b = space->basis,
                                     .ldb = space->dim,
                                     .c = block->rows,
                                     .ldc = space->dim};
    if (space->rank == 0) return;
    block->backend->ops->matmul(block->backend, &along);
    block->backend->ops->matmul(block->backend, &away);
}

/* Makes the block's rows orthonormal, and drops those of which no more than `least` of their length is left. */
static void leave_each_other(struct block *block, double least)
{
    const int dim = block->space->dim;
    int kept = 0;
    for (int i = 0; i < block->count; i++) {
        float *row = block->rows + (size_t)i * (size_t)dim, *to = block->rows + (size_t)kept * (size_t)dim;
        const double before = block->length[i];
        for (int j = 0; j < kept; j++) {
            const float *other = block->rows + (size_t)j * (size_t)dim;
            const double share = dot(row, other, dim);
            for (int d = 0; d < dim; d++) row[d] = (float)((double)row[d] - share * (double)other[d]);
        }
        const double left = sqrt(dot(row, row, dim));
        if (!(left > least * before)) continue;
        for (int d = 0; d < dim; d++) to[d] = (float)((double)row[d] / left);
        block->length[kept++] = 1;
    }
    block->count = kept;
}

static void add_block(struct block *block, const float *x)
{
    struct row_space *space = block->space;
    const size_t dim = (size_t)space->dim;
    block->rows = space->basis + (size_t)space->rank * dim;
    memcpy(block->rows, x, (size_t)block->count * dim * sizeof *x);
    for (int i = 0; i < block->count; i++)
        block->length[i] = sqrt(dot(x + (size_t)i * dim, x + (size_t)i * dim, space->dim));
    for (int pass = 0; pass < PASSES && block->count > 0; pass++) {
        leave_basis(block);
        leave_each_other(block, pass == 0 ? LEAST_SHARE : 0);
    }
    space->rank += block->count;
}

void row_space_project(const struct row_space *space, struct backend *backend, float *out, const float *x, int rows)
{
    const struct matmul_args product = {.transpose_b = true,
                                        .m = rows,
                                        .n = space->rank,
                                        .k = space->dim,
                                        .alpha = 1,
                                        .a = x,
                                        .lda = space->dim,
                                        .b = space->basis,
                                        .ldb = space->dim,
                                        .c = out,
                                        .ldc = space->rank};
    backend->ops->matmul(backend, &product);
}

int row_space_find(struct row_space *out, struct backend *backend, const float *x, int64_t rows, int dim,
                   struct error *error)
{
    const size_t count = (size_t)rows;
    *out = (struct row_space){.dim = dim, .basis = memory_array(count * (size_t)dim, sizeof *out->basis)};
    struct block block = {.space = out, .backend = backend, .products = memory_array(BLOCK * count, sizeof(float))};
    int status = out->basis && block.products ? SIMCLR_OK
                                              : error_no_memory(error, "a basis of the rows", count * (size_t)dim * 4);
    for (int64_t first = 0; !status && first < rows; first += BLOCK) {
        if (pool_is_stopped(backend->pool)) status = stop_error(error, "the basis of the rows");
        block.count = (int)(rows - first < BLOCK ? rows - first : BLOCK);
        if (!status) add_block(&block, x + first * dim);
    }
    if (!status && out->rank == 0) { /* all rows are 0: one coordinate says so */
        out->rank = 1;
        out->basis[0] = 1;
    }
    if (!status) out->coordinates = memory_array(count * (size_t)out->rank, sizeof *out->coordinates);
    if (!status && !out->coordinates)
        status = error_no_memory(error, "coordinates of rows", count * (size_t)out->rank * sizeof(float));
    if (!status) row_space_project(out, backend, out->coordinates, x, (int)rows);
    memory_free(block.products);
    if (status) row_space_free(out);
    return status;
}

void row_space_free(struct row_space *space)
{
    memory_free(space->basis);
    memory_free(space->coordinates);
    *space = (struct row_space){0};
}

struct expansion {
    const struct row_space *space;
    double *out;
    const double *in;
    int vectors;
};

static void expand_columns(void *context, int thread, int threads)
{
    const struct expansion *job = context;
    const struct row_space *space = job->space;
    int64_t first, last;
    pool_share(space->dim, thread, threads, &first, &last);
    for (int v = 0; v < job->vectors; v++) {
        double *to = job->out + (size_t)v * (size_t)space->dim;
        for (int64_t d = first; d < last; d++) to[d] = 0;
        for (int r = 0; r < space->rank; r++) {
            const double weight = job->in[(size_t)v * (size_t)space->rank + (size_t)r];
            const float *row = space->basis + (size_t)r * (size_t)space->dim;
            for (int64_t d = first; d < last; d++) to[d] += weight * (double)row[d];
        }
    }
}

void row_space_expand(const struct row_space *space, struct pool *pool, double *out, const double *in, int vectors)
{
    struct expansion job = {space, out, in, vectors};
    pool_split(pool, expand_columns, &job);
}
