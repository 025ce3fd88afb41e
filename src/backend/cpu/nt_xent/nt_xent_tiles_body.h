/* backend/cpu/nt_xent/nt_xent_tiles_body.h -- NT-Xent's kernels on matrix tiles, compiled once with the AMX
 * instructions and once with their emulation (tile.h).
 *
 * The tiles multiply bf16, NT-Xent needs float32. So every number is the sum of two bf16, x = high + low, with 16 bits
 * of mantissa between them. A product is four of bf16 (cosines) or three (gradient: low x low is left out).
 *
 * Operands are blocks of 32 x 32 numbers m, kept in pairs of rows or columns 16 apart, because shifts and blends make
 * those, without shuffles:
 *     left   [2 halves of 16 rows][high, low][16 rows r][16 pairs c]       m[r][c], m[r][c + 16]
 *     right  [2 halves of 16 columns][high, low][16 pairs r][16 columns c] m[r][c], m[r + 16][c]
 * A left operand contracts its columns and a right one its rows, in the same order.
 *
 * Between products the vector units work on the tile made before (struct nt_step): a product takes 16 cycles, in which
 * they would idle. */
#include "backend/cpu/nt_xent/nt_xent_vector.h"
#include "backend/cpu/tiles/tile.h"

enum {
    BLOCK = 32,            /* rows and columns of a block */
    UNIT = 2 * TILE_BYTES, /* high and low of one tile */
    TILE_STRIPS = NT_TILE / TILE_ROWS,
    TILE_STEPS = NT_TILE / BLOCK,
    WEIGHTS = TILE_STRIPS * TILE_STEPS * UNIT, /* bytes of a tile's weights in one form */
    PIECES = NT_TILE                           /* that the vector work on a tile comes in */
};

/* Where a strip of 16 (rows of a left operand, columns of a right one) has its contraction step. */
ALWAYS_INLINE ptrdiff_t unit_at(ptrdiff_t strip, ptrdiff_t step, ptrdiff_t steps)
{
    return (strip * steps + step) * UNIT;
}

/* ---- operands ------------------------------------------------------------------------------------------------ */
/* x as a sum of two bf16, the upper halves of words; the lower halves are rubbish. A tie in `high` may go either way,
 * for `low` takes what is left over. */
struct halves {
    vec_words high, low;
};

ALWAYS_INLINE struct halves split(vec x)
{
    struct halves out;
    out.high = (vec_words)x + 0x8000u;
    out.low = (vec_words)(x - (vec)(out.high & 0xffff0000u)) + 0x8000u;
    return out;
}

ALWAYS_INLINE void store_halves(char *unit, struct halves even, struct halves odd)
{
    vec_store_pairs(unit, even.high, odd.high);
    vec_store_pairs(unit + TILE_BYTES, even.low, odd.low);
}

/* The vectors of a block that share tiles: m[r][c], m[r][c + 16], m[r + 16][c] and m[r + 16][c + 16], c a multiple of
 * the vector's width. left, right: the units of the block's first half; the second half's are left_half, right_half
 * bytes on. */
ALWAYS_INLINE void pack_vectors(char *left, ptrdiff_t left_half, char *right, ptrdiff_t right_half, ptrdiff_t r,
                                ptrdiff_t c, const vec m[2][2])
{
    const struct halves a = split(m[0][0]), b = split(m[0][1]), d = split(m[1][0]), e = split(m[1][1]);
    const ptrdiff_t at = r * TILE_ROW_BYTES + c * 4;
    store_halves(left + at, a, b);
    store_halves(left + left_half + at, d, e);
    store_halves(right + at, a, d);
    store_halves(right + right_half + at, b, e);
}

static void pack_block(char *left, ptrdiff_t left_half, char *right, ptrdiff_t right_half, const float *block,
                       ptrdiff_t stride)
{
    for (ptrdiff_t r = 0; r < TILE_ROWS; r++)
        for (ptrdiff_t c = 0; c < TILE_COLUMNS; c += VEC_LANES) {
            const float *from = block + r * stride + c, *below = from + TILE_ROWS * stride;
            const vec m[2][2] = {{vec_load(from), vec_load(from + TILE_COLUMNS)},
                                 {vec_load(below), vec_load(below + TILE_COLUMNS)}};
            pack_vectors(left, left_half, right, right_half, r, c, m);
        }
}

/* The four operands that unit rows become, [strips][steps] units each:
 *     rows of cosines (left), columns of cosines (right, of the transpose), and what the weights meet: rows (right)
 *     for the gradient of other rows, the transpose (left) for the gradient of columns. */
struct operands {
    char *row, *column, *other, *turned;
};

ALWAYS_INLINE struct operands operands_of(const void *packed, ptrdiff_t dim)
{
    const ptrdiff_t bytes = NT_TILE * dim * 4;
    char *base = (char *)packed;
    return (struct operands){base, base + bytes, base + 2 * bytes, base + 3 * bytes};
}

static void tiles_pack(void *packed, const float *unit, ptrdiff_t dim)
{
    const struct operands to = operands_of(packed, dim);
    const ptrdiff_t steps = dim / BLOCK;
    for (ptrdiff_t k = 0; k < steps; k++) {
        float turned[BLOCK * NT_TILE];
        for (ptrdiff_t r = 0; r < NT_TILE; r++)
            for (ptrdiff_t d = 0; d < BLOCK; d++) turned[d * NT_TILE + r] = unit[r * dim + k * BLOCK + d];
        for (ptrdiff_t b = 0; b < TILE_STEPS; b++) {
            pack_block(to.row + unit_at(2 * b, k, steps), steps * UNIT, to.other + unit_at(2 * k, b, TILE_STEPS),
                       (ptrdiff_t)TILE_STEPS * UNIT, unit + b * BLOCK * dim + k * BLOCK, dim);
            pack_block(to.turned + unit_at(2 * k, b, TILE_STEPS), (ptrdiff_t)TILE_STEPS * UNIT,
                       to.column + unit_at(2 * b, k, steps), steps * UNIT, turned + b * BLOCK, NT_TILE);
        }
    }
}

/* ---- vector work between products --------------------------------------------------------------------------- */
enum work_kind { WORK_NONE, WORK_SUMS, WORK_GRADIENT };

/* What is left of the vector work on a tile, PIECES in all: a row of sums, or half of a pair of rows of weights. */
struct work {
    const struct nt_step *step;
    ptrdiff_t done, calls, every; /* pieces done; calls so far, and how many there will be */
    struct nt_column_sums columns;
};

/* Rows r and r + 16 of block b of the tile become weights, columns of block k. */
ALWAYS_INLINE void weigh_rows(const struct nt_step *step, ptrdiff_t b, ptrdiff_t r, ptrdiff_t k)
{
    enum { HALF = TILE_STEPS * UNIT };
    char *left = step->weights, *right = left + WEIGHTS;
    const ptrdiff_t row = b * BLOCK + r, below = row + TILE_ROWS;
    for (ptrdiff_t c = 0; c < TILE_COLUMNS; c += VEC_LANES) {
        const ptrdiff_t column = k * BLOCK + c, beside = column + TILE_COLUMNS;
        const vec m[2][2] = {{nt_probabilities(step, row, column, 1), nt_probabilities(step, row, beside, 1)},
                             {nt_probabilities(step, below, column, 1), nt_probabilities(step, below, beside, 1)}};
        pack_vectors(left + unit_at(2 * b, k, TILE_STEPS), HALF, right + unit_at(2 * k, b, TILE_STEPS), HALF, r, c, m);
    }
}

ALWAYS_INLINE void do_pieces(struct work *work, enum work_kind kind, ptrdiff_t end)
{
    for (; work->done < end; work->done++) {
        const ptrdiff_t piece = work->done;
        if (kind == WORK_SUMS)
            nt_row_sums(work->step, piece, &work->columns);
        else
            weigh_rows(work->step, piece / BLOCK, piece / 2 % TILE_ROWS, piece % 2);
    }
}

/* The share of one of the `every` calls; with WORK_NONE work may be NULL. */
ALWAYS_INLINE void some_work(struct work *work, enum work_kind kind)
{
    if (work && kind != WORK_NONE) do_pieces(work, kind, ++work->calls * PIECES / work->every);
}

/* ---- products ------------------------------------------------------------------------------------------------ */
/* Accumulators 0 to 3 += two left strips x two right strips, one contraction step, with vector work on the way. Small
 * terms go first. */
ALWAYS_INLINE void multiply(struct tiles *tiles, const char *left, ptrdiff_t left_strip, const char *right,
                            ptrdiff_t right_strip, int low_low, struct work *work, enum work_kind kind)
{
    (void)tiles;
#define LEFT(part)                                                                                                     \
    TILE_LOAD(tiles, 4, left + (ptrdiff_t)(part)*TILE_BYTES, TILE_ROW_BYTES);                                          \
    TILE_LOAD(tiles, 5, left + left_strip + (ptrdiff_t)(part)*TILE_BYTES, TILE_ROW_BYTES)
#define RIGHT(part)                                                                                                    \
    TILE_LOAD(tiles, 6, right + (ptrdiff_t)(part)*TILE_BYTES, TILE_ROW_BYTES);                                         \
    TILE_LOAD(tiles, 7, right + right_strip + (ptrdiff_t)(part)*TILE_BYTES, TILE_ROW_BYTES)
#define PRODUCTS                                                                                                       \
    TILE_DOT(tiles, 0, 4, 6);                                                                                          \
    TILE_DOT(tiles, 1, 4, 7);                                                                                          \
    TILE_DOT(tiles, 2, 5, 6);                                                                                          \
    TILE_DOT(tiles, 3, 5, 7);                                                                                          \
    some_work(work, kind)
    LEFT(1);
    if (low_low) {
        RIGHT(1);
        PRODUCTS;
    }
    RIGHT(0);
    PRODUCTS;
    LEFT(0);
    PRODUCTS;
    RIGHT(1);
    PRODUCTS;
#undef LEFT
#undef RIGHT
#undef PRODUCTS
}

#define EACH_ACCUMULATOR(OPERATION, c, row_step, column_step, stride)                                                  \
    OPERATION(tiles, 0, c, stride);                                                                                    \
    OPERATION(tiles, 1, (c) + (column_step), stride);                                                                  \
    OPERATION(tiles, 2, (c) + (row_step), stride);                                                                     \
    OPERATION(tiles, 3, (c) + (row_step) + (column_step), stride)

/* ---- steps of a pass ----------------------------------------------------------------------------------------- */
ALWAYS_INLINE void make_next(const struct nt_step *step, struct work *work, enum work_kind kind)
{
    struct tiles tiles_storage, *tiles = &tiles_storage;
    const ptrdiff_t steps = step->dim / BLOCK;
    const char *row = operands_of(step->next_rows.packed, step->dim).row;
    const char *column = operands_of(step->next_columns.packed, step->dim).column;
    work->every = TILE_STRIPS * steps * 4;
    tile_begin(tiles, TILE_PAIRS);
    for (ptrdiff_t r = 0; r < TILE_STRIPS; r += 2)
        for (ptrdiff_t c = 0; c < TILE_STRIPS; c += 2) {
            TILE_ZERO(tiles, 0);
            TILE_ZERO(tiles, 1);
            TILE_ZERO(tiles, 2);
            TILE_ZERO(tiles, 3);
            for (ptrdiff_t k = 0; k < steps; k++)
                multiply(tiles, row + unit_at(r, k, steps), steps * UNIT, column + unit_at(c, k, steps), steps * UNIT,
                         1, work, kind);
            float *to = step->next + r * TILE_ROWS * NT_TILE + c * TILE_COLUMNS;
            EACH_ACCUMULATOR(TILE_STORE, to, (ptrdiff_t)TILE_ROWS * NT_TILE, TILE_COLUMNS, (ptrdiff_t)NT_TILE * 4);
        }
    tile_end(tiles);
}

static void tiles_products(const struct nt_step *step)
{
    struct work work = {.step = step};
    make_next(step, &work, WORK_NONE);
}

static void tiles_sums(const struct nt_step *step)
{
    struct work work = {.step = step};
    if (!step->tile) {
        tiles_products(step);
        return;
    }
    nt_column_sums_load(&work.columns, step);
    if (step->next) make_next(step, &work, WORK_SUMS);
    do_pieces(&work, WORK_SUMS, PIECES);
    nt_column_sums_store(step, &work.columns);
}

static void tiles_gradient(const struct nt_step *step)
{
    struct work work = {.step = step};
    if (!step->tile) {
        tiles_products(step);
        return;
    }
    if (step->next) make_next(step, &work, WORK_GRADIENT);
    do_pieces(&work, WORK_GRADIENT, PIECES);
}

/* ---- gradient ------------------------------------------------------------------------------------------------ */
/* Accumulated in tiles: rows [dim / 16][4 strips][16 rows][16 dims], then columns [dim / 16][4 strips][16 dims][16
 * columns], which tiles_gradient_row adds. */
static void tiles_spread(float *d_rows, float *d_columns, const void *weights, const struct nt_rows *rows,
                         const struct nt_rows *columns, ptrdiff_t dim)
{
    struct tiles tiles_storage, *tiles = &tiles_storage;
    enum { STRIP = TILE_STRIPS * TILE_FLOATS, HALF = TILE_STEPS * UNIT };
    const char *left = weights, *right = left + WEIGHTS;
    const char *turned = operands_of(rows->packed, dim).turned, *other = operands_of(columns->packed, dim).other;
    if (d_columns) d_columns += NT_TILE * dim;
    tile_begin(tiles, TILE_PAIRS);
    for (ptrdiff_t d = 0; d < dim / TILE_COLUMNS; d += 2) {
        for (ptrdiff_t s = 0; s < TILE_STRIPS; s += 2) {
            float *to = d_rows + d * STRIP + s * TILE_FLOATS;
            EACH_ACCUMULATOR(TILE_LOAD, to, TILE_FLOATS, STRIP, TILE_ROW_BYTES);
            for (ptrdiff_t k = 0; k < TILE_STEPS; k++)
                multiply(tiles, left + unit_at(s, k, TILE_STEPS), HALF, other + unit_at(d, k, TILE_STEPS), HALF, 0,
                         NULL, WORK_NONE);
            EACH_ACCUMULATOR(TILE_STORE, to, TILE_FLOATS, STRIP, TILE_ROW_BYTES);
        }
        for (ptrdiff_t s = 0; d_columns && s < TILE_STRIPS; s += 2) {
            float *to = d_columns + d * STRIP + s * TILE_FLOATS;
            EACH_ACCUMULATOR(TILE_LOAD, to, STRIP, TILE_FLOATS, TILE_ROW_BYTES);
            for (ptrdiff_t k = 0; k < TILE_STEPS; k++)
                multiply(tiles, turned + unit_at(d, k, TILE_STEPS), HALF, right + unit_at(s, k, TILE_STEPS), HALF, 0,
                         NULL, WORK_NONE);
            EACH_ACCUMULATOR(TILE_STORE, to, STRIP, TILE_FLOATS, TILE_ROW_BYTES);
        }
    }
    tile_end(tiles);
}

static void tiles_gradient_row(float *out, const float *d_rows, ptrdiff_t row, ptrdiff_t dim)
{
    const ptrdiff_t strip = row / TILE_ROWS, r = row % TILE_ROWS;
    for (ptrdiff_t d = 0; d < dim; d++) {
        const float *tile = d_rows + (d / TILE_COLUMNS * TILE_STRIPS + strip) * TILE_FLOATS;
        const ptrdiff_t k = d % TILE_COLUMNS;
        out[d] = tile[r * TILE_COLUMNS + k] + tile[NT_TILE * dim + k * TILE_COLUMNS + r];
    }
}

static const struct nt_kernels tiles_table = {
    .weights_bytes = (size_t)2 * WEIGHTS,
    .packed_bytes = 16,
    .gradient_floats = 2,
    .block_bytes = 800 << 10, /* of 2 MiB, the second level of every CPU with AMX */
    .pack = tiles_pack,
    .sums = tiles_sums,
    .gradient = tiles_gradient,
    .spread = tiles_spread,
    .gradient_row = tiles_gradient_row,
};
