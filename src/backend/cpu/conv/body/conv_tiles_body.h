/* backend/cpu/conv/body/conv_tiles_body.h -- convolution on tiles, compiled once with the AMX instructions and once
 * with their emulation. The including file defines
 *
 *     TILES_TITLE            the name for `bench` and `info`
 *     TILES_PACK_X, _Y       of tile_pack.h
 *     TILES_PACK_BLOCK       pack_block of conv_kernels.h
 *     TILES_VECTORS          expression: the vector kernels to borrow from where tiles are of no use
 *
 * Sixteen images at one position are the rows of a left operand: one contiguous kilobyte of layout P. So are eight
 * images at two neighbouring positions. Where a tap takes them apart (conv_kernels.h: gather) they are first copied
 * together. A block of up to three tiles x 32 outputs fills six accumulators; consecutive taps meet the same two weight
 * tiles. */
#include "backend/cpu/conv/conv_tiles.h"
#include "backend/cpu/tiles/tile.h"
#include "backend/cpu/tiles/tile_pack.h"
#include "backend/cpu/vector/row.h"

enum {
    BLOCK_TILES = 2 * CONV_MAX_POSITIONS,
    ROWS_FLOATS = 2 * TILE_FLOATS, /* of 16 rows x 32 outputs */
    OCTETS = 2 * CONV_MAX_POSITIONS,
    CONVERT_BLOCKS = 8 /* whose sums are kept in float32 */
};

/* Accumulators 2u, 2u + 1 += A[u] x the two halves of B, for the tiles u in `mask`. Each operand is loaded as late
 * and used as soon as possible: only tiles 6 and 7 are free, and a tile load costs as much as half a product. */
/* clang-format off */
ALWAYS_INLINE void multiply_tiles(struct tiles *tiles, unsigned mask, const char *a0, const char *a1, const char *a2,
                                ptrdiff_t a_stride, const char *b, ptrdiff_t b_half)
{
    (void)tiles;
#define LEFT(a) TILE_LOAD(tiles, 6, a, a_stride)
#define RIGHT(half) TILE_LOAD(tiles, 7, b + (half) * b_half, TILE_ROW_BYTES)
#define ONE(a, low, high)                                                                                         \
    LEFT(a); RIGHT(0); TILE_DOT(tiles, low, 6, 7); RIGHT(1); TILE_DOT(tiles, high, 6, 7)
#define TWO(a, low, high, other, other_low, other_high)                                                           \
    LEFT(a); RIGHT(0); TILE_DOT(tiles, low, 6, 7); RIGHT(1); TILE_DOT(tiles, high, 6, 7);                         \
    LEFT(other); TILE_DOT(tiles, other_high, 6, 7); RIGHT(0); TILE_DOT(tiles, other_low, 6, 7)
    switch (mask) {
    case 1: ONE(a0, 0, 1); break;
    case 2: ONE(a1, 2, 3); break;
    case 3: TWO(a0, 0, 1, a1, 2, 3); break;
    case 4: ONE(a2, 4, 5); break;
    case 5: TWO(a0, 0, 1, a2, 4, 5); break;
    case 6: TWO(a1, 2, 3, a2, 4, 5); break;
    case 7:
        LEFT(a0); RIGHT(0); TILE_DOT(tiles, 0, 6, 7); RIGHT(1); TILE_DOT(tiles, 1, 6, 7);
        LEFT(a1); TILE_DOT(tiles, 3, 6, 7); RIGHT(0); TILE_DOT(tiles, 2, 6, 7);
        LEFT(a2); TILE_DOT(tiles, 4, 6, 7); RIGHT(1); TILE_DOT(tiles, 5, 6, 7);
        break;
    default: break;
    }
#undef LEFT
#undef RIGHT
#undef ONE
#undef TWO
}
/* clang-format on */

/* The same where there are only the sixteen outputs of a narrow block: accumulators 2u. */
ALWAYS_INLINE void multiply_narrow(struct tiles *tiles, unsigned mask, const char *a0, const char *a1, const char *a2,
                                   ptrdiff_t a_stride, const char *b)
{
    (void)tiles;
    TILE_LOAD(tiles, 7, b, TILE_ROW_BYTES);
    if (mask & 1) {
        TILE_LOAD(tiles, 6, a0, a_stride);
        TILE_DOT(tiles, 0, 6, 7);
    }
    if (mask & 2) {
        TILE_LOAD(tiles, 6, a1, a_stride);
        TILE_DOT(tiles, 2, 6, 7);
    }
    if (mask & 4) {
        TILE_LOAD(tiles, 6, a2, a_stride);
        TILE_DOT(tiles, 4, 6, 7);
    }
}

ALWAYS_INLINE void zero_accumulators(struct tiles *tiles)
{
    (void)tiles;
    TILE_ZERO(tiles, 0);
    TILE_ZERO(tiles, 1);
    TILE_ZERO(tiles, 2);
    TILE_ZERO(tiles, 3);
    TILE_ZERO(tiles, 4);
    TILE_ZERO(tiles, 5);
}

/* ---- forward and backward data ------------------------------------------------------------------------------- */
/* The finished accumulators of a block. They are converted row by row between the products of the next block, where
 * the vector units would idle: the largest single gain of this design where there are few channels. */
struct epilogue {
    _Alignas(64) float waiting[2][BLOCK_TILES * TILE_FLOATS];   /* in turn */
    _Alignas(64) char gathered[CONV_MAX_POSITIONS][TILE_BYTES]; /* left operands put together */
    int turn;
    int row, rows;                  /* 16 per tile, or 8 of two images */
    char *y[OCTETS];                /* NULL: a position that does not exist */
    float sums[2 * BLOCK_CHANNELS]; /* of y and its square over real images */
    int unflushed;                  /* blocks in `sums` */
};

/* The row goes where the octet goes; its first image's place among the octet's. NULL: nowhere. */
ALWAYS_INLINE char *row_place(const struct epilogue *e, int narrow, ptrdiff_t *image, ptrdiff_t *octet)
{
    const ptrdiff_t octet_rows = narrow ? OCTET_IMAGES / 2 : OCTET_IMAGES, row = e->row % octet_rows;
    *octet = e->row / octet_rows;
    *image = narrow ? 2 * row : row;
    return e->y[*octet] ? e->y[*octet] + row * (ptrdiff_t)(2 * ROW_ELEMENTS) : NULL;
}

/* 32 outputs of one image at one position, or 16 of two: + bias [+ what is there], sums, rounding. */
ALWAYS_INLINE void convert_row(struct epilogue *e, const struct conv_run *run, int narrow)
{
    const ptrdiff_t tile_rows = narrow ? TILE_ROWS / 2 : TILE_ROWS;
    const ptrdiff_t row_floats = narrow ? 2 * TILE_COLUMNS : TILE_COLUMNS, second = narrow ? TILE_COLUMNS : TILE_FLOATS;
    const float *low =
        e->waiting[e->turn] + e->row / tile_rows * (ptrdiff_t)ROWS_FLOATS + e->row % tile_rows * row_floats;
    ptrdiff_t image, octet;
    char *y = row_place(e, narrow, &image, &octet);
    e->row++;
    if (!y) return;
    vec row[VEC_ROW], other[VEC_ROW];
    for (int i = 0; i < VEC_ROW; i++) {
        const ptrdiff_t column = (ptrdiff_t)VEC_LANES * i;
        row[i] = vec_load(low + column / TILE_COLUMNS * second + column % TILE_COLUMNS);
        if (run->bias) row[i] = row[i] + vec_load(run->bias + column);
    }
    if (run->addend) {
        row_load(other, run->addend + (y - run->y), 0, 1);
        for (int i = 0; i < VEC_ROW; i++) row[i] = row[i] + other[i];
    }
    if (run->relu)
        for (int i = 0; i < VEC_ROW; i++) row[i] = vec_max(vec_zero(), row[i]); /* in this order a NaN stays */
    row_store(y, 0, row, 1);
    if (run->sum && image < run->octet_images[octet % 2]) {
        for (int i = 0; i < VEC_ROW; i++) {
            float *sum = e->sums + (ptrdiff_t)VEC_LANES * i, *square = sum + BLOCK_CHANNELS;
            vec_store(sum, vec_load(sum) + row[i]);
            vec_store(square, vec_fma(row[i], row[i], vec_load(square)));
        }
    }
}

ALWAYS_INLINE void convert_rows(struct epilogue *e, const struct conv_run *run, int narrow, int most)
{
    for (int i = 0; i < most && e->row < e->rows; i++) convert_row(e, run, narrow);
}

static void flush_sums(struct epilogue *e, const struct conv_run *run, int narrow)
{
    e->unflushed = 0;
    if (!run->sum) return;
    for (int i = 0; i < ROW_ELEMENTS; i++) {
        const int k = narrow ? i % NARROW_CHANNELS : i;
        run->sum[k] += (double)e->sums[i];
        run->squares[k] += (double)e->sums[ROW_ELEMENTS + i];
    }
    memset(e->sums, 0, sizeof e->sums);
}

/* The accumulators of `block` become what waits. */
ALWAYS_INLINE void keep_block(struct tiles *tiles, struct epilogue *e, const struct conv_run *run, int narrow,
                              const struct conv_block *block)
{
    (void)tiles;
    e->turn ^= 1;
    float *first = e->waiting[e->turn], *second = first + ROWS_FLOATS, *third = second + ROWS_FLOATS;
    TILE_STORE(tiles, 0, first, TILE_ROW_BYTES);
    if (!narrow) TILE_STORE(tiles, 1, first + TILE_FLOATS, TILE_ROW_BYTES);
    if (block->tiles > 1) {
        TILE_STORE(tiles, 2, second, TILE_ROW_BYTES);
        if (!narrow) TILE_STORE(tiles, 3, second + TILE_FLOATS, TILE_ROW_BYTES);
    }
    if (block->tiles > 2) {
        TILE_STORE(tiles, 4, third, TILE_ROW_BYTES);
        if (!narrow) TILE_STORE(tiles, 5, third + TILE_FLOATS, TILE_ROW_BYTES);
    }
    for (int octet = 0; octet < 2 * block->tiles; octet++) {
        const ptrdiff_t y = block->y[octet / 2][octet % 2];
        e->y[octet] = y < 0 ? NULL : run->y + y;
    }
    e->row = 0;
    e->rows = block->tiles * (narrow ? TILE_ROWS / 2 : TILE_ROWS);
}

/* The left operand of tile u: where it lies, or `gathered`, where its two octets are put together. */
ALWAYS_INLINE const char *left_operand(const struct conv_tap *tap, int u, const char *x, ptrdiff_t x_image,
                                       char *gathered)
{
    const ptrdiff_t octet_bytes = OCTET_IMAGES * x_image;
    if (!(tap->gather >> u & 1)) return x + tap->x[u][0];
    for (int octet = 0; octet < 2; octet++) {
        const int32_t from = tap->x[u][octet];
        char *to = gathered + octet * octet_bytes;
        if (from == CONV_OUTSIDE)
            memset(to, 0, (size_t)octet_bytes);
        else
            memcpy(to, x + from, (size_t)octet_bytes);
    }
    TILE_READY(gathered);
    return gathered;
}

/* All taps and contraction blocks of one block of positions; converts the block before it on the way. */
ALWAYS_INLINE void multiply_block(struct tiles *tiles, struct epilogue *e, const struct conv_run *run, int narrow,
                                  const struct conv_block *block)
{
    const struct conv_program program = run->programs[block->program];
    const struct conv_tap *taps = run->taps + program.first;
    const char *x = run->x + block->x, *weights = run->weights;
    const ptrdiff_t half = run->weights_half;
    const int steps = program.count * run->contraction_blocks;
    const int per_step = steps > 0 ? (e->rows + steps - 1) / steps : 0;
    zero_accumulators(tiles);
    for (int c = 0; c < run->contraction_blocks; c++, x += run->x_block, weights += run->weights_block) {
        for (int t = 0; t < program.count; t++) {
            const struct conv_tap *tap = &taps[t];
            const char *a[CONV_MAX_POSITIONS];
            for (int u = 0; u < CONV_MAX_POSITIONS; u++) a[u] = left_operand(tap, u, x, run->x_image, e->gathered[u]);
            if (narrow)
                multiply_narrow(tiles, tap->mask, a[0], a[1], a[2], run->x_image, weights + tap->weights);
            else
                multiply_tiles(tiles, tap->mask, a[0], a[1], a[2], run->x_image, weights + tap->weights, half);
            convert_rows(e, run, narrow, per_step);
        }
    }
    convert_rows(e, run, narrow, e->rows);
}

/* narrow: y has blocks of sixteen outputs. */
ALWAYS_INLINE void multiply_blocks(const struct conv_run *run, int narrow)
{
    struct tiles tiles;
    struct epilogue e;
    e.turn = e.row = e.rows = e.unflushed = 0;
    memset(e.sums, 0, sizeof e.sums);
    tile_begin(&tiles, run->steps);
    for (int b = 0; b < run->count; b++) {
        multiply_block(&tiles, &e, run, narrow, &run->blocks[b]);
        if (++e.unflushed == CONVERT_BLOCKS) flush_sums(&e, run, narrow);
        keep_block(&tiles, &e, run, narrow, &run->blocks[b]);
    }
    convert_rows(&e, run, narrow, e.rows);
    flush_sums(&e, run, narrow);
    tile_end(&tiles);
}

static void tiles_forward(const struct conv_run *run)
{
    if (run->y_image == (ptrdiff_t)2 * NARROW_CHANNELS)
        multiply_blocks(run, 1);
    else
        multiply_blocks(run, 0);
}

/* [rows / 2 pairs] of right operands: outputs 0..15, then 16..31. */
static void tiles_pack_weights(void *out, const float *tile, int rows)
{
    uint16_t *to = out;
    for (int half = 0; half < 2; half++)
        for (int c = 0; c < rows; c += 2)
            for (int k = half * 16; k < half * 16 + 16; k++) {
                *to++ = bf16_from_float(tile[c * 32 + k]);
                *to++ = bf16_from_float(tile[(c + 1) * 32 + k]);
            }
}

/* ---- backward weights ---------------------------------------------------------------------------------------- */
/* Accumulators in memory, per tap: [2 halves of the channels][even, odd outputs][16 channels][16 outputs]. */
static float *weight_tiles(const struct conv_weights_run *run, int tap, int half)
{
    return run->d_weight + (ptrdiff_t)tap * 4 * TILE_FLOATS + (ptrdiff_t)half * 2 * TILE_FLOATS;
}

/* Which of the taps [tap, tap + taps) are inside at output column w. */
static unsigned column_mask(const struct conv_weights_run *run, int tap, int taps, int w)
{
    unsigned mask = 0;
    for (int u = 0; u < taps; u++)
        if (w >= run->first_column[tap + u] && w < run->end_column[tap + u]) mask |= 1u << u;
    return mask;
}

#define TRANSFER(OPERATION, tile, u)                                                                                   \
    OPERATION(tiles, tile, weight_tiles(run, tap + (u), half) + ((tile) % 2 ? TILE_FLOATS : 0), TILE_ROW_BYTES)

static void load_taps(struct tiles *tiles, const struct conv_weights_run *run, int tap, int taps, int half)
{
    (void)tiles;
    zero_accumulators(tiles);
    if (run->first) return;
    TRANSFER(TILE_LOAD, 0, 0);
    TRANSFER(TILE_LOAD, 1, 0);
    if (taps > 1) {
        TRANSFER(TILE_LOAD, 2, 1);
        TRANSFER(TILE_LOAD, 3, 1);
    }
    if (taps > 2) {
        TRANSFER(TILE_LOAD, 4, 2);
        TRANSFER(TILE_LOAD, 5, 2);
    }
}

static void store_taps(struct tiles *tiles, const struct conv_weights_run *run, int tap, int taps, int half)
{
    (void)tiles;
    TRANSFER(TILE_STORE, 0, 0);
    TRANSFER(TILE_STORE, 1, 0);
    if (taps > 1) {
        TRANSFER(TILE_STORE, 2, 1);
        TRANSFER(TILE_STORE, 3, 1);
    }
    if (taps > 2) {
        TRANSFER(TILE_STORE, 4, 2);
        TRANSFER(TILE_STORE, 5, 2);
    }
}
#undef TRANSFER

/* Up to three taps of a kernel row x 16 channels x 32 outputs. */
static void multiply_taps(struct tiles *tiles, const struct conv_weights_run *run, int tap, int taps, int half)
{
    load_taps(tiles, run, tap, taps, half);
    const char *x_group = run->x + run->x_tap[tap] + (ptrdiff_t)half * TILE_ROWS * run->x_step, *y_group = run->y;
    const ptrdiff_t second = taps > 1 ? run->x_tap[tap + 1] - run->x_tap[tap] : 0;
    const ptrdiff_t third = taps > 2 ? run->x_tap[tap + 2] - run->x_tap[tap] : 0;
    int first = run->end_column[tap], end = 0; /* the columns that any of the taps has */
    for (int u = 0; u < taps; u++) {
        if (run->first_column[tap + u] < first) first = run->first_column[tap + u];
        if (run->end_column[tap + u] > end) end = run->end_column[tap + u];
    }
    for (int g = 0; g < run->groups; g++, x_group += run->x_group, y_group += run->y_group) {
        for (int h = 0; h < run->rows; h++) {
            const char *x = x_group + h * run->x_row + first * run->x_column;
            const char *y = y_group + h * run->y_row + first * run->y_column;
            for (int w = first; w < end; w++, x += run->x_column, y += run->y_column)
                if (run->narrow_y)
                    multiply_narrow(tiles, column_mask(run, tap, taps, w), x, x + second, x + third, run->x_step, y);
                else
                    multiply_tiles(tiles, column_mask(run, tap, taps, w), x, x + second, x + third, run->x_step, y,
                                   TILE_BYTES);
        }
    }
    store_taps(tiles, run, tap, taps, half);
}

/* One tap x 32 channels x 32 outputs: two left and two right operands make four products. */
static void multiply_single(struct tiles *tiles, const struct conv_weights_run *run)
{
    (void)tiles;
    float *low = weight_tiles(run, 0, 0), *high = weight_tiles(run, 0, 1);
    zero_accumulators(tiles);
    if (!run->first) {
        TILE_LOAD(tiles, 0, low, TILE_ROW_BYTES);
        TILE_LOAD(tiles, 1, low + TILE_FLOATS, TILE_ROW_BYTES);
        TILE_LOAD(tiles, 2, high, TILE_ROW_BYTES);
        TILE_LOAD(tiles, 3, high + TILE_FLOATS, TILE_ROW_BYTES);
    }
    const int first = run->first_column[0], end = run->end_column[0];
    for (int g = 0; g < run->groups; g++) {
        for (int h = 0; h < run->rows; h++) {
            const char *x = run->x + run->x_tap[0] + g * run->x_group + h * run->x_row + first * run->x_column;
            const char *y = run->y + g * run->y_group + h * run->y_row + first * run->y_column;
            for (int w = first; w < end; w++, x += run->x_column, y += run->y_column) {
                TILE_LOAD(tiles, 4, x, run->x_step);
                TILE_LOAD(tiles, 6, y, TILE_ROW_BYTES);
                TILE_DOT(tiles, 0, 4, 6);
                TILE_LOAD(tiles, 7, y + TILE_BYTES, TILE_ROW_BYTES);
                TILE_DOT(tiles, 1, 4, 7);
                TILE_LOAD(tiles, 5, x + TILE_ROWS * run->x_step, run->x_step);
                TILE_DOT(tiles, 2, 5, 6);
                TILE_DOT(tiles, 3, 5, 7);
            }
        }
    }
    TILE_STORE(tiles, 0, low, TILE_ROW_BYTES);
    TILE_STORE(tiles, 1, low + TILE_FLOATS, TILE_ROW_BYTES);
    TILE_STORE(tiles, 2, high, TILE_ROW_BYTES);
    TILE_STORE(tiles, 3, high + TILE_FLOATS, TILE_ROW_BYTES);
}

static void tiles_weights(const struct conv_weights_run *run)
{
    struct tiles tiles;
    const int halves = run->channels > TILE_ROWS ? 2 : 1;
    tile_begin(&tiles, TILE_PAIRS);
    if (run->taps == 1 && halves == 2 && !run->narrow_y) {
        multiply_single(&tiles, run);
    } else {
        for (int half = 0; half < halves; half++)
            for (int tap = 0; tap < run->taps; tap += 3)
                multiply_taps(&tiles, run, tap, run->taps - tap < 3 ? run->taps - tap : 3, half);
    }
    tile_end(&tiles);
}

/* ---- the first layer's images -------------------------------------------------------------------------------- */
static void tiles_interleave(void *out, const void *in0, const void *in1, enum dtype type, size_t plane, int channels,
                             int width, enum conv_image_form form)
{
    (TILES_VECTORS)->interleave(out, in0, in1, type, plane, channels, width, form);
}

static void tiles_store_weights(float *out, size_t row, const float *tiles, int taps, int inputs, int outputs,
                                enum conv_accumulators order)
{
    (TILES_VECTORS)->store_weights(out, row, tiles, taps, inputs, outputs, order);
}

static void tiles_stream_end(void)
{
    (TILES_VECTORS)->stream_end();
}

static void tiles_load_weights(float *tiles, const struct conv_pack_block *block)
{
    (TILES_VECTORS)->load_weights(tiles, block);
}

static void tiles_transpose(float *out, const float *in)
{
    (TILES_VECTORS)->transpose(out, in);
}

/* ---- the tables ---------------------------------------------------------------------------------------------- */
static double tiles_multiply_registers(long rounds)
{
    struct tiles tiles;
    uint16_t values[TILE_BYTES / 2]; /* not zeros: those would run faster than any real data */
    float out[TILE_FLOATS];
    for (int i = 0; i < TILE_BYTES / 2; i++) values[i] = bf16_from_float(0.5f + (float)(i % 7) / 8);
    tile_begin(&tiles, TILE_PAIRS);
    TILE_LOAD(&tiles, 6, values, TILE_ROW_BYTES);
    TILE_LOAD(&tiles, 7, values, TILE_ROW_BYTES);
    zero_accumulators(&tiles);
    for (long i = 0; i < rounds; i++) {
        TILE_DOT(&tiles, 0, 6, 7);
        TILE_DOT(&tiles, 1, 6, 7);
        TILE_DOT(&tiles, 2, 6, 7);
        TILE_DOT(&tiles, 3, 6, 7);
        TILE_DOT(&tiles, 4, 6, 7);
        TILE_DOT(&tiles, 5, 6, 7);
    }
    TILE_STORE(&tiles, 0, out, TILE_ROW_BYTES);
    tile_end(&tiles);
    const double done = (double)rounds * BLOCK_TILES * 2 * TILE_ROWS * TILE_COLUMNS * 2 * TILE_PAIRS;
    return out[0] > 0 ? done : 0;
}

static const struct conv_kernels tiles_table = {
    .name = TILES_TITLE,
    .dtype = DTYPE_BF16,
    .max_tiles = CONV_MAX_POSITIONS,
    .tile_rows = TILE_ROWS,
    .pair = 2,
    .tile_bytes = (size_t)2 * TILE_BYTES,
    .step_bytes = (size_t)2 * TILE_ROW_BYTES,
    .forward = tiles_forward,
    .pack_weights = tiles_pack_weights,
    .pack_block = TILES_PACK_BLOCK,
    .load_weights = tiles_load_weights,
    .weights = tiles_weights,
    .pack_x_octets = TILES_PACK_X,
    .pack_y_octets = TILES_PACK_Y,
    .cell_bytes = (size_t)2 * TILE_BYTES,
    .accumulators = CONV_TILES,
    .store_weights = tiles_store_weights,
    .stream_end = tiles_stream_end,
    .forward_images = CONV_IMAGE_BF16,
    .weights_images = CONV_IMAGE_BF16,
    .transpose = tiles_transpose,
    .interleave = tiles_interleave,
    .multiply_registers = tiles_multiply_registers,
};

static const struct conv_kernels image_table = {
    .name = TILES_TITLE " images",
    .dtype = DTYPE_BF16,
    .max_tiles = 1,
    .tile_rows = TILE_ROWS,
    .pair = 2,
    .tile_bytes = (size_t)2 * TILE_BYTES,
    .step_bytes = (size_t)2 * TILE_ROW_BYTES,
    .forward = tiles_forward,
    .pack_weights = tiles_pack_weights,
    .weights = tiles_weights,
    .pack_x_octets = TILES_PACK_X,
    .pack_y_octets = TILES_PACK_Y,
    .cell_bytes = (size_t)2 * TILE_BYTES,
    .stream_end = tiles_stream_end,
    .accumulators = CONV_TILES,
    .forward_images = CONV_IMAGE_BF16,
    .weights_images = CONV_IMAGE_BF16,
    .transpose = tiles_transpose,
    .interleave = tiles_interleave,
    .multiply_registers = tiles_multiply_registers,
};
