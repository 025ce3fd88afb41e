/* backend/cpu/nt_xent/nt_xent_part.c -- see nt_xent_part.h. */
#include "backend/cpu/nt_xent/nt_xent_part.h"

#include "base/memory.h"
#include "base/pool.h"

/* What a row's softmax has come to, of which other rows' gradients are made. */
struct nt_record {
    float factor, offset, missing, unused; /* as the plan's arrays */
};

struct nt_part {
    int first, count;        /* images whose rows are anchors */
    int tiles, block, tasks; /* of all rows; tiles of columns at once; tiles of anchors that a task has */
    const float *unit;       /* [rows][padded_dim], the caller's */
    float *edge;             /* [64][padded_dim]: the last tile's rows, where it is not full */
    char *packed;            /* all unit rows as the kernels want them */
    float *factor, *offset;  /* [padded rows], of all rows */
    const struct nt_record *records;
    double *sums; /* [tiles][padded_dim]: sum of the tile's unit rows */
};

void nt_part_close(struct nt_part **out)
{
    struct nt_part *part = *out;
    if (!part) return;
    void *blocks[] = {part->edge, part->packed, part->factor, part->offset, part->sums};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) memory_free(blocks[i]);
    memory_free(part);
    *out = NULL;
}

/* The sizes of blocks change no sum: each anchor meets the columns in order, in blocks of `block`. */
static void choose_blocks(const struct nt_xent_plan *plan, struct nt_part *part)
{
    const ptrdiff_t element_bytes = plan->kernels->packed_bytes / 2 + (ptrdiff_t)sizeof(float);
    const ptrdiff_t tile_bytes = NT_TILE * plan->padded_dim * element_bytes;
    part->block = BLOCK_TILES;
    while (part->block > 1 && part->block * tile_bytes > plan->kernels->block_bytes) part->block /= 2;
    part->tasks = part->block;
    while (part->tasks > 1 && plan->tiles / part->tasks < 4 * plan->cpu->threads) part->tasks /= 2;
}

bool nt_part_open(struct nt_xent_plan *plan, const struct nt_xent_desc *desc)
{
    struct nt_part *part = plan->part = memory_allocate(sizeof *part);
    if (!part) return false;
    part->first = desc->first;
    part->count = desc->count;
    part->tiles = (plan->rows + NT_TILE - 1) / NT_TILE;
    choose_blocks(plan, part);
    const size_t rows = (size_t)part->tiles * NT_TILE, dim = (size_t)plan->padded_dim;
    part->edge = memory_array(NT_TILE * dim, sizeof(float));
    part->packed = memory_array(rows * dim, (size_t)plan->kernels->packed_bytes);
    part->factor = memory_array(rows, sizeof(float));
    part->offset = memory_array(rows, sizeof(float));
    part->sums = memory_array((size_t)part->tiles * dim, sizeof(double));
    if (!part->edge || !part->packed || !part->factor || !part->offset || !part->sums) return false;
    for (size_t row = 0; row < rows; row++) part->offset[row] = plan->scale;
    return true;
}

void nt_part_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out)
{
    *out = (struct nt_xent_sizes){.unit_row = (size_t)plan->padded_dim * sizeof(float),
                                  .sum_row = sizeof(struct nt_record)};
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */
/* Which of all rows an anchor is. */
static ptrdiff_t row_of(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    const struct nt_part *part = plan->part;
    return anchor < part->count ? part->first + anchor : plan->images + part->first + anchor - part->count;
}

static ptrdiff_t positive_row(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    const ptrdiff_t row = row_of(plan, anchor);
    return row < plan->images ? row + plan->images : row - plan->images;
}

void nt_part_give_row(const struct nt_xent_plan *plan, float *unit, ptrdiff_t anchor)
{
    memcpy(unit + row_of(plan, anchor) * plan->padded_dim, unit_of(plan, anchor),
           (size_t)plan->padded_dim * sizeof *unit);
}

void nt_part_give_sums(const struct nt_xent_plan *plan, void *sums, ptrdiff_t anchor)
{
    struct nt_record *record = (struct nt_record *)sums + row_of(plan, anchor);
    *record = (struct nt_record){plan->factor[anchor], plan->offset[anchor], plan->missing[anchor], 0};
}

const float *nt_part_positive_unit(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    return plan->part->unit + positive_row(plan, anchor) * plan->padded_dim;
}

float nt_part_positive_missing(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    return plan->part->records[positive_row(plan, anchor)].missing;
}

double nt_part_sum(const struct nt_xent_plan *plan, ptrdiff_t d)
{
    double sum = 0;
    for (int tile = 0; tile < plan->part->tiles; tile++) sum += plan->part->sums[tile * plan->padded_dim + d];
    return sum;
}

/* The unit rows of one tile of columns. */
static struct nt_rows columns_of(const struct nt_xent_plan *plan, ptrdiff_t tile)
{
    const struct nt_part *part = plan->part;
    const ptrdiff_t first = tile * NT_TILE * plan->padded_dim;
    const bool full = (tile + 1) * NT_TILE <= plan->rows;
    return (struct nt_rows){full ? part->unit + first : part->edge, part->packed + first * plan->kernels->packed_bytes};
}

static void pack_tile(void *context, int64_t tile, int thread)
{
    (void)thread;
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const struct nt_part *part = plan->part;
    const ptrdiff_t dim = plan->padded_dim, left = plan->rows - tile * NT_TILE;
    if (left < NT_TILE) /* the rows behind them stay zero from the start */
        memcpy(part->edge, part->unit + tile * NT_TILE * dim, (size_t)(left * dim) * sizeof *part->edge);
    const float *unit = columns_of(plan, tile).unit;
    double *sums = part->sums + tile * dim;
    memset(sums, 0, (size_t)dim * sizeof *sums);
    for (ptrdiff_t r = 0; r < NT_TILE; r++)
        for (ptrdiff_t d = 0; d < dim; d++) sums[d] += (double)unit[r * dim + d];
    plan->kernels->pack(part->packed + tile * NT_TILE * dim * plan->kernels->packed_bytes, unit, dim);
}

void nt_part_take_rows(struct nt_xent_plan *plan, const float *unit)
{
    struct nt_job job = {.plan = plan};
    plan->part->unit = unit;
    /* Until the records come: as high as any, for sums of columns that nobody reads. */
    for (int row = 0; row < plan->rows; row++) plan->part->offset[row] = plan->scale;
    pool_run(plan->cpu->base.pool, plan->part->tiles, pack_tile, &job);
}

void nt_part_take_sums(struct nt_xent_plan *plan, const void *sums)
{
    struct nt_part *part = plan->part;
    part->records = sums;
    for (int row = 0; row < plan->rows; row++) {
        part->factor[row] = part->records[row].factor;
        part->offset[row] = part->records[row].offset;
    }
}

/* ---- tiles ----------------------------------------------------------------------------------------------------- */
/* Takes out of a fresh tile what does not count among the others: an anchor with itself or its positive (noted), and
 * padding. Row i of tiles is the anchors', column j all rows'. */
static void mask_tile(struct nt_xent_plan *plan, float *tile, struct place at)
{
    const ptrdiff_t column0 = (ptrdiff_t)at.j * NT_TILE;
    for (ptrdiff_t r = 0; r < NT_TILE; r++) {
        const ptrdiff_t anchor = (ptrdiff_t)at.i * NT_TILE + r;
        float *row = tile + r * NT_TILE;
        if (anchor >= plan->anchors) break; /* nobody reads what becomes of it */
        const ptrdiff_t own = row_of(plan, anchor) - column0, positive = positive_row(plan, anchor) - column0;
        if (own >= 0 && own < NT_TILE) row[own] = plan->absent;
        if (positive >= 0 && positive < NT_TILE) {
            plan->positive[anchor] = row[positive];
            row[positive] = plan->absent;
        }
        for (ptrdiff_t c = plan->rows - column0; c < NT_TILE; c++) row[c] = plan->absent;
    }
}

/* Makes the tile at `next` and finishes the one at `now`, made by the call before; NULL: none. */
static void advance(const struct nt_job *job, struct workspace *work, struct place origin, const struct place *next,
                    const struct place *now, int turn)
{
    struct nt_xent_plan *plan = job->plan;
    const struct nt_kernels *kernels = plan->kernels;
    struct nt_step step = {.dim = plan->padded_dim, .scale = plan->scale, .shared = plan->shared};
    if (next) {
        step.next = work->tile[turn];
        step.next_rows = rows_of(plan, next->i);
        step.next_columns = columns_of(plan, next->j);
    }
    if (now) {
        const ptrdiff_t row0 = (ptrdiff_t)now->i * NT_TILE, column0 = (ptrdiff_t)now->j * NT_TILE;
        step.tile = work->tile[1 - turn];
        step.row_offset = plan->offset + row0;
        step.column_offset = plan->part->offset + column0;
        step.row_factor = plan->factor + row0;
        step.column_factor = plan->part->factor + column0;
        step.rows = &work->rows[now->i - origin.i];
        step.columns = &work->unwanted;
        step.weights = work->weights;
    }
    if (job->pass == PASS_GRADIENT)
        kernels->gradient(&step);
    else if (job->pass == PASS_SUMS)
        kernels->sums(&step);
    else
        kernels->highest(&step);
    if (next) mask_tile(plan, step.next, *next);
    if (now && job->pass == PASS_GRADIENT) {
        const struct nt_rows rows = rows_of(plan, now->i), columns = columns_of(plan, now->j);
        float *d_rows = plan->d_unit + now->i * (NT_TILE * plan->padded_dim * kernels->gradient_floats);
        kernels->spread(d_rows, NULL, work->weights, &rows, &columns, plan->padded_dim);
    }
}

/* Anchors of the tiles [a0, a1) with the rows of [b0, b1). */
static void work_block(const struct nt_job *job, struct workspace *work, int a0, int a1, int b0, int b1)
{
    struct nt_xent_plan *plan = job->plan;
    const struct place origin = {a0, b0};
    struct place now = origin, next = origin;
    int made = 0;
    if (job->pass != PASS_GRADIENT) {
        clear_sums(plan, work->rows);
        memset(&work->unwanted, 0, sizeof work->unwanted);
    }
    for (next.i = a0; next.i < a1; next.i++)
        for (next.j = b0; next.j < b1; next.j++, made++) {
            advance(job, work, origin, &next, made ? &now : NULL, made % 2);
            now = next;
        }
    advance(job, work, origin, NULL, &now, made % 2);
    if (job->pass != PASS_GRADIENT) add_sums(plan, work->rows, a0, a1);
}

static void work_stripe(void *context, int64_t index, int thread)
{
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const struct nt_part *part = plan->part;
    const int a0 = (int)index * part->tasks, a1 = a0 + part->tasks < plan->tiles ? a0 + part->tasks : plan->tiles;
    for (int b0 = 0; b0 < part->tiles; b0 += part->block)
        work_block(job, cpu_scratch(plan->cpu, thread), a0, a1, b0,
                   b0 + part->block < part->tiles ? b0 + part->block : part->tiles);
}

void nt_part_run_pass(struct nt_job *job, enum pass pass)
{
    const struct nt_xent_plan *plan = job->plan;
    const int tasks = plan->part->tasks;
    job->pass = pass;
    pool_run(plan->cpu->base.pool, (plan->tiles + tasks - 1) / tasks, work_stripe, job);
}
