/* NT-Xent (paper equation 1), forward and backward, without ever holding the matrix of similarities.
 *
 * With unit rows u and cosines c_ij = u_i . u_j, the loss of anchor i is log(1 + sum over others k of
 * exp((c_ik - c_i,pos) / tau)), and
 *     d loss / d u_i = 1 / (2N tau) sum_j G_ij u_j,   G_ij = p_ij + p_ji - 2 [j is i's positive].
 * The matrix is symmetric, so each pass walks the upper triangle in tiles of 64 x 64. The first pass makes the sums,
 * rows and columns at once. The second makes the tiles again and spreads G both ways. The positive is left out of the
 * tiles and joined in double at the end, where 1 - p would otherwise lose its digits.
 *
 * Why not add up sum_j e_ij u_j in the first pass? The second pass would still need every e_ij, because p_ji needs the
 * column totals. We would save nothing and pay two more products.
 *
 * What multiplies is a table (nt_xent.h): vectors in float32, or matrix tiles, on which a float32 is two bf16. Each
 * step makes one tile's cosines while it works on those of the tile before. So on matrix tiles the exponentials run
 * beside the products. docs/notes/training.md has what each part takes.
 *
 * Cosines are at most 1, so 1 / tau serves every anchor as the maximum to subtract and one power of two serves p_ij and
 * p_ji. Below TEMPERATURE_SHARED float32 could underflow: then each anchor gets its own maximum, by one more pass.
 *
 * Tiles are grouped in blocks of rows. A pass runs in rounds of disjoint pairs of blocks (a round-robin tournament), so
 * no two threads add to the same row. Every row's sum has one fixed order, and the result does not depend on which
 * thread does what. */
#include "backend/check.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/nt_xent/nt_xent_part.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

#define TEMPERATURE_SHARED 0.025 /* exp(-2 / tau) is then still a normal float32 */

enum { TILES_DIM = 64 };

/* ---- creation ------------------------------------------------------------------------------------------------ */
void cpu_nt_xent_destroy(struct nt_xent_plan **plan)
{
    struct nt_xent_plan *p = *plan;
    if (!p) return;
    void *blocks[] = {p->unit,    p->packed, p->d_unit, p->norm,    p->total, p->weighted, p->positive,
                      p->highest, p->offset, p->factor, p->missing, p->sums,  p->results};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) memory_free(blocks[i]);
    nt_part_close(&p->part);
    memory_free(p);
    *plan = NULL;
}

static bool allocate_rows(struct nt_xent_plan *plan, bool training)
{
    const size_t rows = (size_t)plan->tiles * NT_TILE, dim = (size_t)plan->padded_dim;
    plan->unit = memory_array(rows * dim, sizeof(float));
    plan->packed = memory_array(rows * dim, (size_t)plan->kernels->packed_bytes);
    plan->d_unit = training ? memory_array(rows * dim, (size_t)plan->kernels->gradient_floats * sizeof(float)) : NULL;
    plan->norm = memory_array(rows, sizeof(double));
    plan->total = memory_array(rows, sizeof(double));
    plan->weighted = memory_array(rows, sizeof(double));
    plan->positive = memory_array(rows, sizeof(float));
    plan->highest = memory_array(rows, sizeof(float));
    plan->offset = memory_array(rows, sizeof(float));
    plan->factor = memory_array(rows, sizeof(float));
    plan->missing = memory_array(rows, sizeof(float));
    plan->sums = memory_array((size_t)plan->tiles * dim, sizeof(double));
    plan->results = memory_array((size_t)plan->tiles, sizeof *plan->results);
    return plan->unit && plan->packed && (plan->d_unit || !training) && plan->norm && plan->total && plan->weighted &&
           plan->positive && plan->highest && plan->offset && plan->factor && plan->missing && plan->sums &&
           plan->results;
}

/* Blocks large enough to reuse what is in the cache, small enough that every thread has pairs to work on. */
static int choose_block_tiles(const struct nt_xent_plan *plan)
{
    const ptrdiff_t element_bytes = plan->kernels->packed_bytes / 2 + (ptrdiff_t)sizeof(float);
    const ptrdiff_t tile_bytes = NT_TILE * plan->padded_dim * element_bytes;
    int tiles = BLOCK_TILES;
    while (tiles > 1 &&
           (tiles * tile_bytes > plan->kernels->block_bytes || plan->tiles / tiles / 2 < 4 * plan->cpu->threads))
        tiles /= 2;
    return tiles;
}

static size_t workspace_bytes(const struct nt_xent_plan *plan)
{
    const size_t row_bytes = (size_t)plan->padded_dim * sizeof(float);
    return sizeof(struct workspace) +
           (row_bytes > plan->kernels->weights_bytes ? row_bytes : plan->kernels->weights_bytes);
}

/* Tiles err by 2^-17 of each number. In a cosine that averages out over the dimensions; where they are few, or the
 * temperature makes much of it, vectors of float32 do the work. */
static const struct nt_kernels *choose_kernels(const struct cpu_backend *cpu, bool shared, int dim)
{
    if (!shared || dim < TILES_DIM || cpu->tiles == CPU_TILES_NONE) return cpu->kernels->nt_xent;
    return cpu->tiles == CPU_TILES_NATIVE ? nt_kernels_amx() : nt_kernels_amx_emulated();
}

int cpu_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                       struct error *error)
{
    *out = NULL;
    int status = check_nt_xent(desc, error);
    if (status != SIMCLR_OK) return status;
    struct cpu_backend *cpu = cpu_backend_of(backend);
    struct nt_xent_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an NT-Xent plan", sizeof *plan);
    plan->cpu = cpu;
    plan->shared = desc->temperature >= (float)TEMPERATURE_SHARED;
    plan->kernels = choose_kernels(cpu, plan->shared, desc->dim);
    plan->images = desc->images;
    plan->rows = 2 * desc->images;
    plan->dim = desc->dim;
    const bool in_part = desc->count != 0 && desc->count != desc->images;
    plan->anchors = in_part ? 2 * desc->count : plan->rows;
    plan->layout = activation_layout(plan->anchors, plan->dim, 1, 1);
    plan->padded_dim = ((ptrdiff_t)desc->dim + NT_DIM - 1) / NT_DIM * NT_DIM;
    plan->tiles = (plan->anchors + NT_TILE - 1) / NT_TILE;
    plan->block_tiles = choose_block_tiles(plan);
    plan->blocks = (plan->tiles + plan->block_tiles - 1) / plan->block_tiles;
    plan->scale = (float)(LOG2_E / (double)desc->temperature);
    plan->absent = fminf(-10.0f, -1e6f / plan->scale);
    status = cpu_reserve_scratch(cpu, workspace_bytes(plan), error);
    if (status != SIMCLR_OK) {
        cpu_nt_xent_destroy(&plan);
        return status;
    }
    if (!allocate_rows(plan, desc->training) || (in_part && !nt_part_open(plan, desc))) {
        const size_t bytes = 3 * (size_t)plan->rows * (size_t)plan->padded_dim * sizeof(float);
        cpu_nt_xent_destroy(&plan);
        return error_no_memory(error, "NT-Xent", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

/* ---- unit rows ----------------------------------------------------------------------------------------------- */
/* u = z / |z|, zero for a row of zeros, NaN for a row with a NaN. The norm is taken in double: its square may leave
 * float32's range. */
static void unit_row(const struct nt_xent_plan *plan, int row, const float *z)
{
    float *unit = plan->unit + (ptrdiff_t)row * plan->padded_dim;
    const double norm = sqrt(dot(z, z, plan->dim)), inverse = norm == 0 ? 0 : 1 / norm;
    plan->norm[row] = norm;
    if (isnan(norm)) {
        for (int d = 0; d < plan->dim; d++) unit[d] = NAN;
        return;
    }
    for (int d = 0; d < plan->dim; d++) unit[d] = (float)(z[d] * inverse);
}

/* One row of z out of its tensor. */
static void fetch_row(const struct nt_xent_plan *plan, float *out, const float *z, int row)
{
    for (int block = 0; block < plan->layout.blocks; block++) {
        const int channel = block * plan->layout.block_channels;
        memcpy(out + channel, z + activation_index(&plan->layout, row, channel, 0, 0),
               (size_t)activation_block_channels(&plan->layout, block) * sizeof *out);
    }
}

static void prepare_tile(void *context, int64_t tile, int thread)
{
    const struct nt_job *job = context;
    struct nt_xent_plan *plan = job->plan;
    struct workspace *work = cpu_scratch(plan->cpu, thread);
    float *z = (float *)(void *)work->weights;
    const ptrdiff_t dim = plan->padded_dim, first = tile * NT_TILE;
    float *unit = plan->unit + first * dim;
    double *sums = plan->sums + tile * dim, square = 0;
    memset(sums, 0, (size_t)dim * sizeof *sums);
    for (int r = 0; r < NT_TILE; r++) {
        const ptrdiff_t row = first + r;
        plan->total[row] = plan->weighted[row] = 0;
        plan->highest[row] = plan->absent;
        plan->offset[row] = plan->scale;
        if (row < plan->anchors) {
            fetch_row(plan, z, job->z, (int)row);
            unit_row(plan, (int)row, z);
            if (plan->part) nt_part_give_row(plan, job->unit, row);
        }
        const float *row_unit = unit + r * dim; /* padding rows and columns stay zero from the start */
        for (ptrdiff_t d = 0; d < dim; d++) sums[d] += (double)row_unit[d];
        square += dot(row_unit, row_unit, dim);
    }
    plan->results[tile].square = square;
    plan->kernels->pack(plan->packed + first * dim * plan->kernels->packed_bytes, unit, dim);
    const ptrdiff_t floats = dim * plan->kernels->gradient_floats;
    if (plan->d_unit) memset(plan->d_unit + first * floats, 0, (size_t)(NT_TILE * floats) * sizeof(float));
}

static ptrdiff_t positive_of(const struct nt_xent_plan *plan, ptrdiff_t row)
{
    return row < plan->images ? row + plan->images : row - plan->images;
}

/* Unit row and 1 - p of an anchor's positive. */
static const float *positive_unit(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    return plan->part ? nt_part_positive_unit(plan, anchor) : unit_of(plan, positive_of(plan, anchor));
}

static float positive_missing(const struct nt_xent_plan *plan, ptrdiff_t anchor)
{
    return plan->part ? nt_part_positive_missing(plan, anchor) : plan->missing[positive_of(plan, anchor)];
}

/* ---- one tile ------------------------------------------------------------------------------------------------ */
/* The columns of a tile at which rows meet their positives lie on one diagonal: column - row = shift. */
static ptrdiff_t positive_shift(const struct nt_xent_plan *plan, ptrdiff_t row0, ptrdiff_t column0)
{
    return row0 - column0 + plan->images;
}

/* The lower triangle becomes that above: kernels may round a cosine and its mirror image differently, and equal rows
 * must have equal cosines with an anchor. */
static void mirror(float *tile)
{
    for (ptrdiff_t r = 0; r < NT_TILE; r++)
        for (ptrdiff_t c = 0; c < r; c++) tile[r * NT_TILE + c] = tile[c * NT_TILE + r];
}

/* Takes out of a fresh tile what does not count among the others: an anchor with itself or its positive (noted), and
 * padding. */
static void mask_tile(const struct nt_xent_plan *plan, float *tile, ptrdiff_t row0, ptrdiff_t column0)
{
    const ptrdiff_t shift = positive_shift(plan, row0, column0);
    if (row0 == column0)
        mirror(tile);
    else if ((shift <= -NT_TILE || shift >= NT_TILE) && column0 + NT_TILE <= plan->rows)
        return;
    for (ptrdiff_t r = 0; r < NT_TILE; r++) {
        float *row = tile + r * NT_TILE;
        if (row0 == column0) row[r] = plan->absent;
        const ptrdiff_t column = r + shift;
        if (column >= 0 && column < NT_TILE && column0 + column < plan->rows) {
            plan->positive[row0 + r] = plan->positive[column0 + column] = row[column];
            row[column] = plan->absent;
            if (row0 == column0) tile[column * NT_TILE + r] = plan->absent;
        }
        for (ptrdiff_t c = row0 + r < plan->rows ? plan->rows - column0 : 0; c < NT_TILE; c++) row[c] = plan->absent;
    }
}

/* Adds the weights in `work` to the gradients of both sides. */
static void spread_tile(const struct nt_xent_plan *plan, struct workspace *work, struct place at)
{
    const ptrdiff_t floats = NT_TILE * plan->padded_dim * plan->kernels->gradient_floats;
    const struct nt_rows rows = rows_of(plan, at.i), columns = rows_of(plan, at.j);
    plan->kernels->spread(plan->d_unit + at.i * floats, at.i == at.j ? NULL : plan->d_unit + at.j * floats,
                          work->weights, &rows, &columns, plan->padded_dim);
}

/* Makes the tile at `next` and finishes the one at `now`, made by the call before; NULL: none. The tiles of a pair of
 * blocks take turns in the workspace. */
static void advance(const struct nt_job *job, struct workspace *work, struct place origin, const struct place *next,
                    const struct place *now, int turn)
{
    const struct nt_xent_plan *plan = job->plan;
    const struct nt_kernels *kernels = plan->kernels;
    struct nt_step step = {.dim = plan->padded_dim, .scale = plan->scale, .shared = plan->shared};
    if (next) {
        step.next = work->tile[turn];
        step.next_rows = rows_of(plan, next->i);
        step.next_columns = rows_of(plan, next->j);
    }
    if (now) {
        const ptrdiff_t row0 = (ptrdiff_t)now->i * NT_TILE, column0 = (ptrdiff_t)now->j * NT_TILE;
        step.tile = work->tile[1 - turn];
        step.row_offset = plan->offset + row0;
        step.column_offset = plan->offset + column0;
        step.row_factor = plan->factor + row0;
        step.column_factor = plan->factor + column0;
        step.rows = &work->rows[now->i - origin.i];
        /* On the diagonal the whole tile is there: its rows say it all. */
        step.columns = now->i == now->j ? &work->unwanted : &work->columns[now->j - origin.j];
        step.weights = work->weights;
    }
    if (job->pass == PASS_GRADIENT)
        kernels->gradient(&step);
    else if (job->pass == PASS_SUMS)
        kernels->sums(&step);
    else
        kernels->highest(&step);
    if (next) mask_tile(plan, step.next, (ptrdiff_t)next->i * NT_TILE, (ptrdiff_t)next->j * NT_TILE);
    if (now && job->pass == PASS_GRADIENT) spread_tile(plan, work, *now);
}

/* ---- pairs of blocks ----------------------------------------------------------------------------------------- */
/* All tiles of blocks a <= b on or above the diagonal. */
static void work_pair(const struct nt_job *job, int a, int b, struct workspace *work)
{
    struct nt_xent_plan *plan = job->plan;
    const int a0 = a * plan->block_tiles, b0 = b * plan->block_tiles;
    const int a1 = a0 + plan->block_tiles < plan->tiles ? a0 + plan->block_tiles : plan->tiles;
    const int b1 = b0 + plan->block_tiles < plan->tiles ? b0 + plan->block_tiles : plan->tiles;
    if (job->pass != PASS_GRADIENT) {
        clear_sums(plan, work->rows);
        clear_sums(plan, work->columns);
        memset(&work->unwanted, 0, sizeof work->unwanted);
    }
    const struct place origin = {a0, b0};
    struct place now = origin, next = origin;
    int made = 0;
    for (next.i = a0; next.i < a1; next.i++)
        for (next.j = next.i > b0 ? next.i : b0; next.j < b1; next.j++, made++) {
            advance(job, work, origin, &next, made ? &now : NULL, made % 2);
            now = next;
        }
    advance(job, work, origin, NULL, &now, made % 2);
    if (job->pass != PASS_GRADIENT) {
        add_sums(plan, work->rows, a0, a1);
        add_sums(plan, work->columns, b0, b1);
    }
}

/* Pair `index` of a round: round 0 pairs each block with itself; rounds 1 .. players - 1 are a round-robin by the
 * circle method, where an odd number of blocks gets one absent player. */
static void play(void *context, int64_t index, int thread)
{
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const int circle = (plan->blocks + 1) / 2 * 2 - 1, turn = job->round - 1;
    int a = (int)index, b = (int)index;
    if (job->round > 0) {
        a = index == 0 ? circle : (turn + (int)index) % circle;
        b = (turn - (int)index + circle) % circle;
    }
    if (a >= plan->blocks || b >= plan->blocks) return;
    work_pair(job, a < b ? a : b, a < b ? b : a, cpu_scratch(plan->cpu, thread));
}

static void run_pass(struct nt_job *job, enum pass pass)
{
    const struct nt_xent_plan *plan = job->plan;
    const int players = (plan->blocks + 1) / 2 * 2;
    job->pass = pass;
    for (job->round = 0; job->round < players; job->round++)
        pool_run(plan->cpu->base.pool, job->round == 0 ? plan->blocks : players / 2, play, job);
}

/* ---- rows again ---------------------------------------------------------------------------------------------- */
/* Each anchor's own maximum as its offset, for temperatures too low to share one. */
static void own_offsets(struct nt_xent_plan *plan)
{
    for (int row = 0; row < plan->anchors; row++)
        plan->offset[row] = fmaxf(plan->highest[row], plan->positive[row]) * plan->scale;
}

static void finish_tile(void *context, int64_t tile, int thread)
{
    (void)thread;
    const struct nt_job *job = context;
    struct nt_xent_plan *plan = job->plan;
    struct tile_result result = {.square = plan->results[tile].square};
    for (ptrdiff_t row = tile * NT_TILE; row < (tile + 1) * NT_TILE && row < plan->anchors; row++) {
        const double positive = dot(unit_of(plan, row), positive_unit(plan, row), plan->dim);
        const double x = positive * (double)plan->scale - (double)plan->offset[row], e = exp2(x);
        const double others = plan->total[row], total = others + e;
        result.loss += x > -500 ? log1p(others / e) : log(others) - x / LOG2_E;
        result.top1 += plan->positive[row] > plan->highest[row]; /* of one make: equal rows must tie */
        result.entropy += log(total) - (plan->weighted[row] + e * x) / total / LOG2_E;
        result.positive += positive;
        plan->missing[row] = (float)(others / total);
        if (plan->shared)
            plan->factor[row] = (float)(1 / total);
        else
            plan->offset[row] = (float)((double)plan->offset[row] + log2(total));
        if (plan->part) nt_part_give_sums(plan, job->all_sums, row);
    }
    plan->results[tile] = result;
}

/* d_z = (d_u - u (u . d_u)) / |z|, with the factor 1 / (2N tau) that every pair has. The positive joins d_u here, with
 * p_i + p_j - 2, known to all its digits. */
static void gradient_row(const struct nt_job *job, ptrdiff_t row, const float *d_unit)
{
    const struct nt_xent_plan *plan = job->plan;
    const float *unit = unit_of(plan, row), *other = positive_unit(plan, row);
    const double weight = -((double)plan->missing[row] + (double)positive_missing(plan, row));
    const double along = dot(unit, d_unit, plan->dim) + weight * dot(unit, other, plan->dim);
    const double factor = plan->norm[row] == 0 ? 0 : (double)plan->scale / LOG2_E / plan->rows / plan->norm[row];
    for (int block = 0; block < plan->layout.blocks; block++) {
        const int first = block * plan->layout.block_channels;
        float *out = job->d_z + activation_index(&plan->layout, (int)row, first, 0, 0);
        const int channels = activation_block_channels(&plan->layout, block);
        for (int c = 0; c < channels; c++) {
            const int d = first + c;
            out[c] = (float)(((double)d_unit[d] + weight * (double)other[d] - along * (double)unit[d]) * factor);
        }
        for (int c = channels; c < plan->layout.block_channels; c++) out[c] = 0;
    }
}

/* Rows that pad the tensor's last group. */
static void clear_row(const struct nt_job *job, ptrdiff_t row)
{
    const struct activation_layout *layout = &job->plan->layout;
    for (int block = 0; block < layout->blocks; block++)
        memset(job->d_z + activation_index(layout, (int)row, block * layout->block_channels, 0, 0), 0,
               (size_t)layout->block_channels * sizeof *job->d_z);
}

static void gradient_tile(void *context, int64_t tile, int thread)
{
    const struct nt_job *job = context;
    const struct nt_xent_plan *plan = job->plan;
    const ptrdiff_t dim = plan->padded_dim, first = tile * NT_TILE;
    const float *d_rows = plan->d_unit + first * dim * plan->kernels->gradient_floats;
    struct workspace *work = cpu_scratch(plan->cpu, thread);
    float *d_unit = (float *)(void *)work->weights;
    for (ptrdiff_t row = 0; row < NT_TILE && first + row < plan->anchors; row++) {
        plan->kernels->gradient_row(d_unit, d_rows, row, dim);
        gradient_row(job, first + row, d_unit);
    }
    const ptrdiff_t places = (ptrdiff_t)plan->layout.groups * plan->layout.group_images;
    for (ptrdiff_t row = first > plan->anchors ? first : plan->anchors; row < first + NT_TILE && row < places; row++)
        clear_row(job, row);
}

/* sum over anchors i and rows j != i of u_i . u_j = (sum of anchors' u) . (sum of all u) - sum of anchors' |u|^2: the
 * negatives without a look at any pair. */
static double pair_sum(const struct nt_xent_plan *plan)
{
    double square = 0, own = 0;
    for (ptrdiff_t d = 0; d < plan->padded_dim; d++) {
        double sum = 0;
        for (int tile = 0; tile < plan->tiles; tile++) sum += plan->sums[tile * plan->padded_dim + d];
        square += sum * (plan->part ? nt_part_sum(plan, d) : sum);
    }
    for (int tile = 0; tile < plan->tiles; tile++) own += plan->results[tile].square;
    return square - own;
}

static void collect(const struct nt_xent_plan *plan, struct nt_xent_result *result)
{
    struct tile_result sum = {0};
    for (int tile = 0; tile < plan->tiles; tile++) {
        sum.loss += plan->results[tile].loss;
        sum.top1 += plan->results[tile].top1;
        sum.entropy += plan->results[tile].entropy;
        sum.positive += plan->results[tile].positive;
    }
    const double rows = plan->rows;
    result->loss = sum.loss / rows;
    result->top1 = sum.top1 / rows;
    result->entropy = sum.entropy / rows;
    result->positive_similarity = sum.positive / rows;
    result->negative_similarity = plan->rows > 2 ? (pair_sum(plan) - sum.positive) / (rows * (rows - 2)) : 0;
}

/* ---- the three phases ---------------------------------------------------------------------------------------- */
/* A plan of all anchors keeps everything in its own form. */
void cpu_nt_xent_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out)
{
    *out = (struct nt_xent_sizes){0};
    if (plan->part) nt_part_sizes(plan, out);
}

void cpu_nt_xent_unit_rows(struct nt_xent_plan *plan, void *unit, const void *z)
{
    struct nt_job job = {.plan = plan, .z = z, .unit = unit};
    pool_run(plan->cpu->base.pool, plan->tiles, prepare_tile, &job);
}

static void run_any(struct nt_job *job, enum pass pass)
{
    if (job->plan->part)
        nt_part_run_pass(job, pass);
    else
        run_pass(job, pass);
}

void cpu_nt_xent_log_sums(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit)
{
    struct nt_job job = {.plan = plan, .all_sums = sums};
    if (plan->part) nt_part_take_rows(plan, unit);
    if (!plan->shared) {
        run_any(&job, PASS_HIGHEST);
        own_offsets(plan);
    }
    run_any(&job, PASS_SUMS);
    pool_run(plan->cpu->base.pool, plan->tiles, finish_tile, &job);
    collect(plan, result);
}

void cpu_nt_xent_gradient(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums)
{
    (void)unit; /* a part keeps its address from the phase before */
    if (!plan->d_unit) return;
    struct nt_job job = {.plan = plan, .d_z = d_z};
    if (plan->part) nt_part_take_sums(plan, sums);
    run_any(&job, PASS_GRADIENT);
    pool_run(plan->cpu->base.pool, plan->tiles, gradient_tile, &job);
}
