/* backend/cpu/conv_body.h -- the convolution micro-kernels, written once. A file per instruction set includes
 * this after defining
 *   BODY_KIND    0: float32; 1: bf16 in memory, float32 arithmetic; 2: bf16 pairs multiplied by dpbf16ps
 *   BODY(name)   the name to give a function
 *   BODY_TABLE   the table's name, BODY_TITLE its title
 *
 * Register block: ROWS images x 2 vectors of outputs, as many accumulators as hide the latency of the multiply
 * units. Each step loads two weight vectors and broadcasts one word of x per row: (2 + rows) loads for 2 rows
 * multiplications. With at most 16 real outputs and 16 lanes: 16 images x 1 vector.
 * Cache: a panel of weights streams from L2 once per tile of rows; cells of x stay in L1 over the taps; the rows of
 * x that the next strip needs are fetched into L2 meanwhile. Backward weights keeps 11 x 2 accumulators (6 x 2 with
 * 16 registers) over all positions of a unit, while one block of x and of d_y streams from L2 per tap.
 *
 * Measured on one core of Zen 5 (1 MB L2), products done over what the registers can multiply, packing included:
 *                          peak GF/s   forward      backward data   backward weights
 *   avx512-bf16 (8x2)      535         90-97 %      90-97 %         80-95 %
 *   avx512 float32 (8x2)   270         91-98 %      90-98 %         87-94 %
 *   avx512, bf16 storage   270         91-97 %      90-97 %         85-92 %
 *   avx2 float32 (6x2)     135         90-95 %      90-95 %         85-90 %
 *   avx2, bf16 storage     135         63 %         64 %            85 %  (unpacking pairs takes issue slots)
 * for 3x3 layers of 32 channels and more; 1x1 layers at 56 x 56 80-87 %, stems 65-85 %, 16 channels 75-80 %. */
#include "backend/cpu/conv_kernels.h"
#include "backend/cpu/conv_vector.h"

#if BODY_KIND == 0
enum { BODY(PAIR) = 1, BODY(ELEMENT) = 4, BODY(STEP_BYTES) = 128, BODY(TILE_BYTES) = 4096 };
#elif BODY_KIND == 1
enum { BODY(PAIR) = 2, BODY(ELEMENT) = 2, BODY(STEP_BYTES) = 256, BODY(TILE_BYTES) = 4096 };
#else
enum { BODY(PAIR) = 2, BODY(ELEMENT) = 2, BODY(STEP_BYTES) = 128, BODY(TILE_BYTES) = 2048 };
#endif
/* Bytes of one image of a cell, of one in blocks of 16 channels, and of a vector of outputs. */
enum {
    BODY(IMAGE_BYTES) = BLOCK_CHANNELS * BODY(ELEMENT),
    BODY(NARROW_BYTES) = NARROW_CHANNELS * BODY(ELEMENT),
    BODY(LANE_BYTES) = LANES * BODY(ELEMENT)
};

ALWAYS_INLINE vec BODY(load)(const char *p)
{
#if BODY_KIND == 0
    return vec_load(p);
#else
    return vec_load_bf16(p);
#endif
}

ALWAYS_INLINE void BODY(store)(char *p, vec v)
{
#if BODY_KIND == 0
    vec_store(p, v);
#else
    vec_store_bf16(p, v);
#endif
}

/* One step: accumulators += weights (a row of outputs, or two for a pair) x one word of each image. */
ALWAYS_INLINE void BODY(step)(const int rows, const int vectors, vec acc[][2], const char *x, ptrdiff_t x_image,
                              const char *weights)
{
#if BODY_KIND == 0
    vec w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = vec_load(weights + j * LANES * 4);
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        const vec value = vec_broadcast(x + i * x_image);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(w[j], value, acc[i][j]);
    }
#elif BODY_KIND == 1
    vec low_w[2], high_w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        low_w[j] = vec_load(weights + j * LANES * 4);
        high_w[j] = vec_load(weights + 128 + j * LANES * 4);
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        vec low, high;
        vec_broadcast_pair(x + i * x_image, &low, &high);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(low_w[j], low, acc[i][j]);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(high_w[j], high, acc[i][j]);
    }
#else
    __m512bh w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = (__m512bh)_mm512_loadu_si512(weights + j * 64);
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        const __m512bh value = (__m512bh)vec_words(x + i * x_image);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], w[j], value);
    }
#endif
}

ALWAYS_INLINE void BODY(fetch)(struct conv_prefetch *prefetch)
{
    for (ptrdiff_t i = 0; i < prefetch->lines && prefetch->left > 0; i++) {
        __builtin_prefetch(prefetch->next, 0, 2);
        prefetch->next += 64;
        prefetch->left -= 64;
        prefetch->left_in_segment -= 64;
        if (prefetch->left_in_segment <= 0) {
            prefetch->next += prefetch->gap;
            prefetch->left_in_segment = prefetch->segment;
        }
    }
}

/* Rounding grows with the length of a chain of additions: after CHAIN_STEPS products a float32 accumulator joins
 * a sum of chains and starts again, which makes long contractions three times as exact for 2 % of the time. */
enum { BODY(CHAIN_STEPS) = 96 };

ALWAYS_INLINE void BODY(lay_aside)(const int rows, const int vectors, vec (*acc)[2], float *aside, bool has_aside)
{
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        float *sum = aside + (2 * i + j) * LANES;
        vec_store((char *)sum, has_aside ? vec_add(vec_load((const char *)sum), acc[i][j]) : acc[i][j]);
        acc[i][j] = vec_zero();
    }
}

/* Images [image, image + rows) x `vectors` vectors of outputs from `output` on, at one position.
 * stats: float [2][32], sums and squares added to; or NULL. */
ALWAYS_INLINE void BODY(tile)(const int rows, const int vectors, const ptrdiff_t x_image, const ptrdiff_t y_image,
                              const struct conv_run *run, const struct conv_block *block, ptrdiff_t image,
                              ptrdiff_t output, float *stats, struct conv_prefetch *prefetch)
{
    const struct conv_program program = run->programs[block->program];
    const struct conv_tap *taps = run->taps + program.first;
    const char *x = run->x + block->x + image * x_image;
    char *y = run->y + block->y[0][0] + image * y_image + output * BODY(ELEMENT);
    const char *weights = run->weights + output * (BODY_KIND == 2 ? 4 : (int)sizeof(float));
    vec acc[16][2];

    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
        run->bias ? vec_load(run->bias + output + j * LANES) : vec_zero();
    if (run->addend) {
        const char *addend = run->addend + block->y[0][0] + image * y_image + output * BODY(ELEMENT);
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_add(acc[i][j], BODY(load)(addend + i * y_image + j * BODY(LANE_BYTES)));
    }
    float aside[16 * 2 * LANES] __attribute__((aligned(64))); /* chains that are finished */
    ptrdiff_t chain = 0;
    bool has_aside = false;
    for (ptrdiff_t b = 0; b < run->contraction_blocks; b++) {
        const int steps = b == run->contraction_blocks - 1 ? run->last_steps : run->steps;
        for (ptrdiff_t t = 0; t < program.count; t++) {
            const char *x_tap = x + taps[t].x[0][0], *w = weights + taps[t].weights;
            if (BODY_KIND == 0 && chain >= BODY(CHAIN_STEPS)) {
                BODY(lay_aside)(rows, vectors, acc, aside, has_aside);
                has_aside = true;
                chain = 0;
            }
            chain += steps;
            BODY(fetch)(prefetch);
            UNROLL_BY(2)
            for (ptrdiff_t s = 0; s < steps; s++)
                BODY(step)(rows, vectors, acc, x_tap + s * 4, x_image, w + s * BODY(STEP_BYTES));
        }
        x += run->x_block;
        weights += run->weights_block;
    }
    if (has_aside) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_add(acc[i][j], vec_load((const char *)(aside + (2 * i + j) * LANES)));
    }
    if (run->relu) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_positive(acc[i][j]);
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        BODY(store)(y + i * y_image + j * BODY(LANE_BYTES), acc[i][j]);
    if (LANES == 16 && vectors == 1 && y_image == BODY(IMAGE_BYTES)) { /* the other sixteen outputs are padding */
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) BODY(store)(y + i * y_image + BODY(LANE_BYTES), vec_zero());
    }
    if (!stats) return;
    vec sum[2], square[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) sum[j] = vec_load(stats + output + j * LANES);
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) square[j] = vec_load(stats + 32 + output + j * LANES);
    const ptrdiff_t real = run->images - image;
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        if (i >= real) continue; /* a break: clang would not unroll, and acc would live in memory */
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        {
            sum[j] = vec_add(sum[j], acc[i][j]);
            square[j] = vec_fma(acc[i][j], acc[i][j], square[j]);
        }
    }
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        vec_store(stats + output + j * LANES, sum[j]);
        vec_store(stats + 32 + output + j * LANES, square[j]);
    }
}

/* Instances of the tile, in sets for the distances between images of x and of y: those of blocks of 32 or 16 channels
 * are constants, that of the first layer's images is a variable. */
typedef void BODY(tile_function)(const struct conv_run *run, const struct conv_block *block, ptrdiff_t image,
                                 ptrdiff_t output, float *stats, struct conv_prefetch *prefetch);
#define BODY_TILE(NAME, ROWS, VECTORS, X_IMAGE, Y_IMAGE)                                                               \
    NEVER_INLINE void BODY(NAME)(const struct conv_run *run, const struct conv_block *block, ptrdiff_t image,          \
                                 ptrdiff_t output, float *stats, struct conv_prefetch *prefetch)                       \
    {                                                                                                                  \
        BODY(tile)(ROWS, VECTORS, X_IMAGE, Y_IMAGE, run, block, image, output, stats, prefetch);                       \
    }
#if defined(__AVX512F__)
enum { BODY(T8x2), BODY(T16x1), BODY(T8x1), BODY(TILES) };
#define BODY_TILES(SET, X_IMAGE, Y_IMAGE)                                                                              \
    BODY_TILE(SET##_8x2, 8, 2, X_IMAGE, Y_IMAGE)                                                                       \
    BODY_TILE(SET##_16x1, 16, 1, X_IMAGE, Y_IMAGE)                                                                     \
    BODY_TILE(SET##_8x1, 8, 1, X_IMAGE, Y_IMAGE)                                                                       \
    static BODY(tile_function) *const BODY(SET)[BODY(TILES)] = {BODY(SET##_8x2), BODY(SET##_16x1), BODY(SET##_8x1)};
#else
enum { BODY(T6x2), BODY(T5x2), BODY(T4x2), BODY(TILES) };
#define BODY_TILES(SET, X_IMAGE, Y_IMAGE)                                                                              \
    BODY_TILE(SET##_6x2, 6, 2, X_IMAGE, Y_IMAGE)                                                                       \
    BODY_TILE(SET##_5x2, 5, 2, X_IMAGE, Y_IMAGE)                                                                       \
    BODY_TILE(SET##_4x2, 4, 2, X_IMAGE, Y_IMAGE)                                                                       \
    static BODY(tile_function) *const BODY(SET)[BODY(TILES)] = {BODY(SET##_6x2), BODY(SET##_5x2), BODY(SET##_4x2)};
#endif
BODY_TILES(wide, BODY(IMAGE_BYTES), BODY(IMAGE_BYTES))
BODY_TILES(narrow, BODY(NARROW_BYTES), BODY(NARROW_BYTES))
BODY_TILES(narrow_x, BODY(NARROW_BYTES), BODY(IMAGE_BYTES))
BODY_TILES(narrow_y, BODY(IMAGE_BYTES), BODY(NARROW_BYTES))
BODY_TILES(images, run->x_image, run->y_image)
#undef BODY_TILES
#undef BODY_TILE

static BODY(tile_function) *const *BODY(choose_tiles)(const struct conv_run *run)
{
    const bool wide_x = run->x_image == BODY(IMAGE_BYTES), wide_y = run->y_image == BODY(IMAGE_BYTES);
    const bool narrow_x = run->x_image == BODY(NARROW_BYTES), narrow_y = run->y_image == BODY(NARROW_BYTES);
    if (wide_x && wide_y) return BODY(wide);
    if (narrow_x && narrow_y) return BODY(narrow);
    if (narrow_x && wide_y) return BODY(narrow_x);
    if (wide_x && narrow_y) return BODY(narrow_y);
    return BODY(images);
}

/* Padding images get zeros instead of products, padding outputs always zeros. */
static void BODY(clear)(char *y, const struct conv_run *run, int first_image, int first_output)
{
    for (ptrdiff_t i = 0; i < run->group_images; i++) {
        const ptrdiff_t from = i >= first_image ? 0 : first_output * BODY(ELEMENT);
        if (from < run->y_image) memset(y + i * run->y_image + from, 0, (size_t)(run->y_image - from));
    }
}

/* All tiles of one position; returns through `images` and `outputs` how far they reached. */
static void BODY(position)(BODY(tile_function) *const *tiles, const struct conv_run *run,
                           const struct conv_block *block, float *stats, struct conv_prefetch *prefetch, int *images,
                           int *outputs)
{
#if defined(__AVX512F__)
    *outputs = 32;
    if (run->outputs > LANES) {
        tiles[BODY(T8x2)](run, block, 0, 0, stats, prefetch);
        if (run->images > 8) tiles[BODY(T8x2)](run, block, 8, 0, stats, prefetch);
        *images = run->images > 8 ? 16 : 8;
    } else {
        tiles[run->group_images == OCTET_IMAGES ? BODY(T8x1) : BODY(T16x1)](run, block, 0, 0, stats, prefetch);
        *images = run->group_images;
    }
#else
    const bool small = run->group_images == OCTET_IMAGES;
    ptrdiff_t output = 0;
    for (; output < run->outputs; output += (ptrdiff_t)2 * LANES) {
        tiles[small ? BODY(T4x2) : BODY(T6x2)](run, block, 0, output, stats, prefetch);
        if (small && run->images > 4) tiles[BODY(T4x2)](run, block, 4, output, stats, prefetch);
        if (!small && run->images > 6) tiles[BODY(T5x2)](run, block, 6, output, stats, prefetch);
        if (!small && run->images > 11) tiles[BODY(T5x2)](run, block, 11, output, stats, prefetch);
    }
    *images = small ? (run->images > 4 ? 8 : 4) : run->images > 11 ? 16 : run->images > 6 ? 11 : 6;
    *outputs = (int)output;
#endif
}

static void BODY(flush_stats)(float *stats, const struct conv_run *run)
{
    for (ptrdiff_t j = 0; j < BLOCK_CHANNELS; j++) {
        run->sum[j] += (double)stats[j];
        run->squares[j] += (double)stats[32 + j];
    }
    memset(stats, 0, 64 * sizeof *stats);
}

/* Sums of a few positions are kept in float32 before they join the double total. */
enum { BODY(FLUSH_POSITIONS) = 8 };

static void BODY(forward)(const struct conv_run *run)
{
    float stats_buffer[64] __attribute__((aligned(64))) = {0};
    float *stats = run->sum ? stats_buffer : NULL;
    BODY(tile_function) *const *tiles = BODY(choose_tiles)(run);
    struct conv_prefetch prefetch = run->prefetch;
    int images, outputs;
    for (ptrdiff_t b = 0; b < run->count; b++) {
        const struct conv_block *block = &run->blocks[b];
        BODY(position)(tiles, run, block, stats, &prefetch, &images, &outputs);
        if (images < run->group_images || outputs < BLOCK_CHANNELS)
            BODY(clear)(run->y + block->y[0][0], run, images, outputs);
        if (stats && (b + 1) % BODY(FLUSH_POSITIONS) == 0) BODY(flush_stats)(stats, run);
    }
    if (stats) BODY(flush_stats)(stats, run);
}

static void BODY(pack_weights)(void *out, const float *tile, int rows)
{
#if BODY_KIND == 0
    for (ptrdiff_t i = 0; i < (ptrdiff_t)rows * 32; i += LANES) vec_stream((float *)out + i, vec_load(tile + i));
#elif BODY_KIND == 1
    float *w = out;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)rows * 32; i++) w[i] = bf16_to_float(bf16_from_float(tile[i]));
#else
    char *w = out;
    for (ptrdiff_t c = 0; c < rows; c += 2)
        for (ptrdiff_t k = 0; k < 32; k += 16, w += 64) {
            const __m256bh even = _mm512_cvtneps_pbh(_mm512_loadu_ps(tile + c * 32 + k));
            const __m256bh odd = _mm512_cvtneps_pbh(_mm512_loadu_ps(tile + (c + 1) * 32 + k));
            const __m512i low = _mm512_cvtepu16_epi32((__m256i)even), high = _mm512_cvtepu16_epi32((__m256i)odd);
            _mm512_stream_si512((void *)w, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
#endif
}

static void BODY(transpose)(float *out, const float *in)
{
    for (ptrdiff_t i = 0; i < 32; i += LANES)
        for (ptrdiff_t j = 0; j < 32; j += LANES) {
            vec rows[LANES];
            UNROLL for (ptrdiff_t k = 0; k < LANES; k++) rows[k] = vec_load(in + (i + k) * 32 + j);
            vec_transpose(rows);
            UNROLL for (ptrdiff_t k = 0; k < LANES; k++) vec_store(out + (j + k) * 32 + i, rows[k]);
        }
}

#include "backend/cpu/conv_rows_body.h"

/* ---- backward weights --------------------------------------------------------------------------------------- */
/* Operands: 32 words (float32, or a bf16 image pair) per contraction step; kind 1 works on float32 copies. */
enum { BODY(CELL_BYTES) = (BODY_KIND == 2 ? 8 : 16) * 128 }; /* of sixteen images */

/* Rows [channel, channel + rows) of one tap's block, `vectors` vectors of outputs from `output` on. */
ALWAYS_INLINE void BODY(weights_tile)(const int rows, const int vectors, const struct conv_weights_run *run,
                                      ptrdiff_t tap, ptrdiff_t channel, ptrdiff_t output)
{
    const ptrdiff_t x_step = run->x_step, y_step = run->y_step;
    float *out = run->d_weight + (size_t)tap * 1024 + channel * 32 + output;
    vec acc[16][2];
    if (run->first) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_zero();
    } else {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_load(out + i * 32 + j * LANES);
    }
    const int columns = run->end_column[tap] - run->first_column[tap];
    const char *x_group = run->x + run->x_tap[tap] + run->first_column[tap] * run->x_column + channel * 4;
    const char *y_group = run->y + run->first_column[tap] * run->y_column + output * 4;
    const ptrdiff_t all_steps = BODY_KIND == 2 ? run->group_images / 2 : run->group_images;
    const ptrdiff_t last_steps = BODY_KIND == 2 ? (run->last_images + 1) / 2 : run->last_images;
    for (ptrdiff_t g = 0; g < run->groups; g++, x_group += run->x_group, y_group += run->y_group) {
        const ptrdiff_t steps = g == run->groups - 1 ? last_steps : all_steps;
        const char *x_row = x_group, *y_row = y_group;
        for (ptrdiff_t h = 0; h < run->rows; h++, x_row += run->x_row, y_row += run->y_row) {
            const char *x = x_row, *y = y_row;
            for (ptrdiff_t w = 0; w < columns; w++, x += run->x_column, y += run->y_column) {
                BODY(fetch)(run->prefetch);
                UNROLL_BY(2)
                for (ptrdiff_t n = 0; n < steps; n++) {
#if BODY_KIND == 2
                    __m512bh d_y[2];
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) d_y[j] =
                        (__m512bh)_mm512_loadu_si512(y + n * y_step + j * 64);
                    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
                    {
                        const __m512bh value = (__m512bh)vec_words(x + n * x_step + i * 4);
                        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
                            _mm512_dpbf16_ps(acc[i][j], d_y[j], value);
                    }
#else
                    vec d_y[2];
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) d_y[j] = vec_load(y + n * y_step + j * LANES * 4);
                    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
                    {
                        const vec value = vec_broadcast(x + n * x_step + i * 4);
                        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(d_y[j], value, acc[i][j]);
                    }
#endif
                }
            }
        }
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        vec_store(out + i * 32 + j * LANES, acc[i][j]);
}

#define BODY_WEIGHTS(NAME, ROWS, VECTORS)                                                                              \
    NEVER_INLINE void BODY(NAME)(const struct conv_weights_run *run, ptrdiff_t tap, ptrdiff_t channel,                 \
                                 ptrdiff_t output)                                                                     \
    {                                                                                                                  \
        BODY(weights_tile)(ROWS, VECTORS, run, tap, channel, output);                                                  \
    }
#if defined(__AVX512F__)
BODY_WEIGHTS(weights_11x2, 11, 2)
BODY_WEIGHTS(weights_10x2, 10, 2)
BODY_WEIGHTS(weights_8x2, 8, 2)
BODY_WEIGHTS(weights_16x1, 16, 1)
BODY_WEIGHTS(weights_8x1, 8, 1)
BODY_WEIGHTS(weights_9x2, 9, 2)
BODY_WEIGHTS(weights_1x2, 1, 2)

/* A kernel row of images has kernel x channels rows: 9 or 21 for RGB and the usual stems. */
static void BODY(weights_images)(const struct conv_weights_run *run)
{
    const int rows = run->channels;
    ptrdiff_t c = 0;
    for (; rows - c >= 11; c += 11) BODY(weights_11x2)(run, 0, c, 0);
    if (rows - c == 10) BODY(weights_10x2)(run, 0, c, 0), c += 10;
    if (rows - c == 9) BODY(weights_9x2)(run, 0, c, 0), c += 9;
    for (; c < rows; c++) BODY(weights_1x2)(run, 0, c, 0);
}

static void BODY(weights)(const struct conv_weights_run *run)
{
    const int channels = run->channels;
    for (ptrdiff_t tap = 0; tap < run->taps; tap++) {
        ptrdiff_t c = 0;
        if (run->images) {
            BODY(weights_images)(run);
        } else if (run->outputs > LANES && channels > 16) {
            BODY(weights_11x2)(run, tap, 0, 0);
            BODY(weights_11x2)(run, tap, 11, 0);
            BODY(weights_10x2)(run, tap, 22, 0);
        } else if (run->outputs > LANES) {
            for (; c < channels; c += 8) BODY(weights_8x2)(run, tap, c, 0);
        } else {
            for (; c + 8 < channels; c += 16) BODY(weights_16x1)(run, tap, c, 0);
            for (; c < channels; c += 8) BODY(weights_8x1)(run, tap, c, 0);
        }
    }
}
#else
BODY_WEIGHTS(weights_6x2, 6, 2)
BODY_WEIGHTS(weights_4x2, 4, 2)
BODY_WEIGHTS(weights_1x2, 1, 2)

static void BODY(weights)(const struct conv_weights_run *run)
{
    const int channels = run->channels;
    for (ptrdiff_t tap = 0; tap < run->taps; tap++)
        for (ptrdiff_t k = 0; k < run->outputs; k += (ptrdiff_t)2 * LANES) {
            ptrdiff_t c = 0;
            if (run->images) {
                for (; c + 6 <= channels; c += 6) BODY(weights_6x2)(run, tap, c, k);
                for (; c + 4 <= channels; c += 4) BODY(weights_4x2)(run, tap, c, k);
                for (; c < channels; c++) BODY(weights_1x2)(run, tap, c, k);
            } else {
                const int rows = (channels + 3) / 4 * 4; /* fours until sixes fill the rest: never past 32 */
                for (; (rows - c) % 6 != 0; c += 4) BODY(weights_4x2)(run, tap, c, k);
                for (; c < rows; c += 6) BODY(weights_6x2)(run, tap, c, k);
            }
        }
}
#endif
#undef BODY_WEIGHTS

static void BODY(stream_end)(void)
{
    vec_stream_end();
}

#if BODY_KIND == 1
static void BODY(pack_images)(void *out, const void *in, size_t images, int channels)
{
    for (size_t i = 0; i < images * (size_t)channels; i += LANES)
        vec_store((float *)out + i, vec_load_bf16((const uint16_t *)in + i));
}
#elif BODY_KIND == 2
/* Images in pairs: [2 images][channels] -> [channels][2]. Two images of 16 channels are one vector, of 32 two. */
static void BODY(pack_images)(void *out, const void *from, size_t images, int channels)
{
    uint16_t order[32];
    const int apart = channels == NARROW_CHANNELS ? 16 : 32;
    for (int i = 0; i < 32; i++) order[i] = (uint16_t)(i / 2 + i % 2 * apart);
    const __m512i low = _mm512_loadu_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    const char *in = from;
    char *to = out;
    if (channels == NARROW_CHANNELS) {
        for (size_t i = 0; i < images / 2; i++, in += 64, to += 64)
            _mm512_storeu_si512(to, _mm512_permutexvar_epi16(low, _mm512_loadu_si512(in)));
        return;
    }
    for (size_t i = 0; i < images / 2; i++, in += 128, to += 128) {
        const __m512i even = _mm512_loadu_si512(in), odd = _mm512_loadu_si512(in + 64);
        _mm512_storeu_si512(to, _mm512_permutex2var_epi16(even, low, odd));
        _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi16(even, high, odd));
    }
}
#endif

#include "backend/cpu/conv_interleave_body.h"

NEVER_INLINE double BODY(multiply_registers)(long rounds)
{
    enum { ACCUMULATORS = LANES == 16 ? 20 : 12 };
    vec acc[ACCUMULATORS], factor;
    float keep[LANES], start = (float)rounds;
    factor = vec_broadcast(&start);
    UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++)
    { /* all different, or the compiler keeps only one */
        start += 1.0f;
        acc[i] = vec_broadcast(&start);
    }
    for (long n = 0; n < rounds; n++) {
        __asm__ volatile("" : "+r"(rounds) : : "memory"); /* so that the rounds stay */
#if BODY_KIND == 2
        UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++) acc[i] =
            _mm512_dpbf16_ps(acc[i], (__m512bh)_mm512_castps_si512(factor), (__m512bh)_mm512_castps_si512(factor));
#else
        UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++) acc[i] = vec_fma(factor, factor, acc[i]);
#endif
    }
    UNROLL for (ptrdiff_t i = 1; i < ACCUMULATORS; i++) acc[0] = vec_add(acc[0], acc[i]);
    vec_store(keep, acc[0]);
    return (double)rounds * ACCUMULATORS * LANES * 2 * (BODY_KIND == 2 ? 2 : 1) + (keep[0] < 0.0f ? 1.0 : 0.0);
}

static const struct conv_kernels BODY_TABLE = {
    .name = BODY_TITLE,
    .dtype = BODY_KIND == 0 ? DTYPE_F32 : DTYPE_BF16,
    .max_tiles = 1,
    .pair = BODY(PAIR),
    .tile_bytes = BODY(TILE_BYTES),
    .step_bytes = BODY(STEP_BYTES),
    .forward = BODY(forward),
    .pack_weights = BODY(pack_weights),
#if BODY_KIND == 2
    .pack_block = conv_pack_pairs,
#endif
    .load_weights = BODY(load_weights),
    .weights = BODY(weights),
    .store_weights = BODY(store_weights),
    .stream_end = BODY(stream_end),
    .accumulators = CONV_ROWS,
    .transpose = BODY(transpose),
#if BODY_KIND != 0
    .pack = BODY(pack_images),
#endif
    .cell_bytes = BODY(CELL_BYTES),
    .forward_images = BODY_KIND == 0 ? CONV_IMAGE_F32 : CONV_IMAGE_BF16,
    .weights_images = BODY_KIND == 0   ? CONV_IMAGE_F32
                      : BODY_KIND == 1 ? CONV_IMAGE_ROUNDED_F32
                                       : CONV_IMAGE_BF16_PAIRS,
    .interleave = BODY(interleave),
    .multiply_registers = BODY(multiply_registers),
};
