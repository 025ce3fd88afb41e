/* backend/cpu/conv/body/conv_body.h -- the convolution micro-kernels, written once. A file per instruction set includes
 * this after defining
 *
 *     BODY_KIND    BODY_F32, BODY_BF16_STORED or BODY_BF16_PAIRS (below)
 *     BODY(name)   the name to give a function
 *     BODY_TABLE   the table's name, BODY_TITLE its title
 *
 * Register block: ROWS images x 2 vectors of outputs, as many accumulators as hide the latency of the multiply units.
 * Each step loads two weight vectors and broadcasts one word of x per row: (2 + rows) loads for 2 rows multiplications.
 * With 16 lanes two vectors are the 32 outputs of a block, and 16 images x 1 vector serve at most 16 real outputs. With
 * fewer lanes, and 16 registers, 6 + 5 + 5 rows are the sixteen images of a position, or, where groups have eight, two
 * or three positions (octets.h).
 *
 * Cache:
 *  - A panel of weights streams from L2 once per tile of rows. Cells of x stay in L1 over the taps.
 *  - The rows of x that the next strip needs and the cells that the next block is stored to are fetched into L2
 *    meanwhile.
 *  - Backward weights (conv_weights_body.h) keeps 11 x 2 accumulators (6 x 2 with 16 registers) over all positions of a
 *    unit. One block of x and of d_y streams from L2 per tap.
 *
 * docs/notes/training.md has the measured shares of the peak. */
#include "backend/cpu/conv/conv_kernels.h"
#include "backend/cpu/vector/octets.h"
#include "simd/vec.h"

#define BODY_F32 0         /* float32 */
#define BODY_BF16_STORED 1 /* bf16 in memory, float32 arithmetic */
#define BODY_BF16_PAIRS 2  /* bf16 pairs, multiplied by dpbf16ps */

#if BODY_KIND == BODY_F32
enum { BODY(PAIR) = 1, BODY(ELEMENT) = 4, BODY(STEP_BYTES) = 128, BODY(TILE_BYTES) = 4096 };
#elif BODY_KIND == BODY_BF16_STORED
enum { BODY(PAIR) = 2, BODY(ELEMENT) = 2, BODY(STEP_BYTES) = 256, BODY(TILE_BYTES) = 4096 };
#else
enum { BODY(PAIR) = 2, BODY(ELEMENT) = 2, BODY(STEP_BYTES) = 128, BODY(TILE_BYTES) = 2048 };
#endif
/* Bytes of one image of a cell, of one in blocks of 16 channels, and of a vector of outputs. */
enum {
    BODY(IMAGE_BYTES) = BLOCK_CHANNELS * BODY(ELEMENT),
    BODY(NARROW_BYTES) = NARROW_CHANNELS * BODY(ELEMENT),
    BODY(LANE_BYTES) = VEC_LANES * BODY(ELEMENT)
};

ALWAYS_INLINE vec BODY(load)(const char *p)
{
#if BODY_KIND == BODY_F32
    return vec_load(p);
#else
    return vec_load_bf16(p);
#endif
}

ALWAYS_INLINE void BODY(store)(char *p, vec v)
{
#if BODY_KIND == BODY_F32
    vec_store(p, v);
#else
    vec_store_bf16(p, v);
#endif
}

/* One step: accumulators += weights (a row of outputs, or two for a pair) x one word of each row.
 * Row i, an image: those from `split` on belong to the next position, whose address is `other` + i images. */
#define BODY_ROW(i) (((i) < split ? x : other) + (i)*x_image)
ALWAYS_INLINE void BODY(step)(const int rows, const int split, const int vectors, vec acc[][2], const char *x,
                              const char *other, ptrdiff_t x_image, const char *weights)
{
#if BODY_KIND == BODY_F32
    vec w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = vec_load(weights + j * VEC_LANES * 4);
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        const vec value = vec_broadcast(BODY_ROW(i));
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(w[j], value, acc[i][j]);
    }
#elif BODY_KIND == BODY_BF16_STORED
    vec low_w[2], high_w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        low_w[j] = vec_load(weights + j * VEC_LANES * 4);
        high_w[j] = vec_load(weights + 128 + j * VEC_LANES * 4);
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        vec low, high;
        vec_broadcast_pair(BODY_ROW(i), &low, &high);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(low_w[j], low, acc[i][j]);
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(high_w[j], high, acc[i][j]);
    }
#else
    __m512bh w[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = (__m512bh)_mm512_loadu_si512(weights + j * 64);
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        const __m512bh value = (__m512bh)vec_broadcast_words(BODY_ROW(i));
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], w[j], value);
    }
#endif
}
#undef BODY_ROW

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
        float *sum = aside + (2 * i + j) * VEC_LANES;
        vec_store(sum, has_aside ? vec_add(vec_load(sum), acc[i][j]) : acc[i][j]);
        acc[i][j] = vec_zero();
    }
}

/* Where the same tile of the next block will be stored, and what will be added there, is seldom in the cache: waiting
 * for it would cost up to a fourth of a 1x1 layer. */
ALWAYS_INLINE void BODY(fetch_output)(const int rows, const int split, const int vectors, const ptrdiff_t y_image,
                                      const struct conv_run *run, const struct conv_block *block, ptrdiff_t u,
                                      ptrdiff_t image, ptrdiff_t output)
{
    const struct conv_block *next = block + (block + 1 < run->blocks + run->count);
    const ptrdiff_t bytes = (ptrdiff_t)vectors * BODY(LANE_BYTES), line = output * BODY(ELEMENT);
    const ptrdiff_t y = next->y[u][0] + image * y_image + line;
    const ptrdiff_t other = next->y[split < rows ? u + 1 : u][0] - split * y_image + line;
#define BODY_FETCH(TENSOR, WRITE)                                                                                      \
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < bytes; j += 64)                       \
        __builtin_prefetch((TENSOR) + (i < split ? y : other) + i * y_image + j, WRITE, 2)
    BODY_FETCH(run->y, 1);
    if (run->addend && run->addend != run->y) BODY_FETCH(run->addend, 0);
#undef BODY_FETCH
}

/* `rows` images from `image` of position u of the block on x `vectors` vectors of outputs from `output` on. Rows from
 * `split` on are the first images of position u + 1. stats: float [2][32], sums and squares added to; or NULL. */
ALWAYS_INLINE void BODY(tile)(const int rows, const int split, const int vectors, const ptrdiff_t x_image,
                              const ptrdiff_t y_image, const struct conv_run *run, const struct conv_block *block,
                              ptrdiff_t u, ptrdiff_t image, ptrdiff_t output, float *stats,
                              struct conv_prefetch *prefetch)
{
    const struct conv_program program = run->programs[block->program];
    const struct conv_tap *taps = run->taps + program.first;
    const char *x = run->x + block->x;
    const ptrdiff_t next = split < rows ? u + 1 : u;
    const ptrdiff_t y = block->y[u][0] + image * y_image + output * BODY(ELEMENT);
    const ptrdiff_t y_other = block->y[next][0] - split * y_image + output * BODY(ELEMENT);
    const char *weights = run->weights + output * (BODY_KIND == BODY_BF16_PAIRS ? 4 : (int)sizeof(float));
    vec acc[16][2];
#define BODY_Y(i) ((i) < split ? y + (i)*y_image : y_other + (i)*y_image)

    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
        run->bias ? vec_load(run->bias + output + j * VEC_LANES) : vec_zero();
    BODY(fetch_output)(rows, split, vectors, y_image, run, block, u, image, output);
    float aside[16 * 2 * VEC_LANES] __attribute__((aligned(64))); /* chains that are finished */
    ptrdiff_t chain = 0;
    bool has_aside = false;
    for (ptrdiff_t b = 0; b < run->contraction_blocks; b++) {
        const int steps = b == run->contraction_blocks - 1 ? run->last_steps : run->steps;
        for (ptrdiff_t t = 0; t < program.count; t++) {
            const char *x_tap = x + taps[t].x[u][0] + image * x_image, *w = weights + taps[t].weights;
            const char *x_other = x + taps[t].x[next][0] - split * x_image;
            if (BODY_KIND == BODY_F32 && chain >= BODY(CHAIN_STEPS)) {
                BODY(lay_aside)(rows, vectors, acc, aside, has_aside);
                has_aside = true;
                chain = 0;
            }
            chain += steps;
            BODY(fetch)(prefetch);
            UNROLL_BY(2)
            for (ptrdiff_t s = 0; s < steps; s++) {
                const char *word = x_tap + s * 4, *other = x_other + s * 4;
                BODY(step)(rows, split, vectors, acc, word, other, x_image, w + s * BODY(STEP_BYTES));
            }
        }
        x += run->x_block;
        weights += run->weights_block;
    }
    if (has_aside) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            acc[i][j] + vec_load(aside + (2 * i + j) * VEC_LANES);
    }
    if (run->addend) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_add(acc[i][j], BODY(load)(run->addend + BODY_Y(i) + j * BODY(LANE_BYTES)));
    }
    if (run->relu) {
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
            vec_positive(acc[i][j]);
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        BODY(store)(run->y + BODY_Y(i) + j * BODY(LANE_BYTES), acc[i][j]);
    if (VEC_LANES == 16 && vectors == 1 && y_image == BODY(IMAGE_BYTES)) { /* the other sixteen outputs are padding */
        UNROLL for (ptrdiff_t i = 0; i < rows; i++) BODY(store)(run->y + BODY_Y(i) + BODY(LANE_BYTES), vec_zero());
    }
#undef BODY_Y
    if (!stats) return;
    vec sum[2], square[2];
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) sum[j] = vec_load(stats + output + j * VEC_LANES);
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) square[j] = vec_load(stats + 32 + output + j * VEC_LANES);
    const ptrdiff_t real = split < rows ? rows : run->images - image; /* only full groups are split */
    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
    {
        if (i >= real) continue; /* a break: clang would not unroll, and acc would live in memory */
        UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        {
            sum[j] = sum[j] + acc[i][j];
            square[j] = vec_fma(acc[i][j], acc[i][j], square[j]);
        }
    }
    UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        vec_store(stats + output + j * VEC_LANES, sum[j]);
        vec_store(stats + 32 + output + j * VEC_LANES, square[j]);
    }
}

/* Instances of the tile, in sets for the distances between images of x and of y: those of blocks of 32 or 16 channels
 * are constants, that of the first layer's images is a variable. */
typedef void BODY(tile_function)(const struct conv_run *run, const struct conv_block *block, ptrdiff_t u,
                                 ptrdiff_t image, ptrdiff_t output, float *stats, struct conv_prefetch *prefetch);
#define BODY_TILE(NAME, ROWS, SPLIT, VECTORS, X_IMAGE, Y_IMAGE)                                                        \
    NEVER_INLINE void BODY(NAME)(const struct conv_run *run, const struct conv_block *block, ptrdiff_t u,              \
                                 ptrdiff_t image, ptrdiff_t output, float *stats, struct conv_prefetch *prefetch)      \
    {                                                                                                                  \
        BODY(tile)(ROWS, SPLIT, VECTORS, X_IMAGE, Y_IMAGE, run, block, u, image, output, stats, prefetch);             \
    }
#if VEC_LANES == 16
enum { BODY(T8x2), BODY(T16x1), BODY(T8x1), BODY(TILES) };
#define BODY_TILES(SET, X_IMAGE, Y_IMAGE)                                                                              \
    BODY_TILE(SET##_8x2, 8, 8, 2, X_IMAGE, Y_IMAGE)                                                                    \
    BODY_TILE(SET##_16x1, 16, 16, 1, X_IMAGE, Y_IMAGE)                                                                 \
    BODY_TILE(SET##_8x1, 8, 8, 1, X_IMAGE, Y_IMAGE)                                                                    \
    static BODY(tile_function) *const BODY(SET)[BODY(TILES)] = {BODY(SET##_8x2), BODY(SET##_16x1), BODY(SET##_8x1)};
#else
enum { BODY(T6x2) = OCTETS_6, BODY(T5x2) = OCTETS_5, BODY(T4x2) = OCTET_TILES, BODY(TILES) };
#define BODY_TILES(SET, X_IMAGE, Y_IMAGE)                                                                              \
    BODY_TILE(SET##_6x2, 6, 6, 2, X_IMAGE, Y_IMAGE)                                                                    \
    BODY_TILE(SET##_5x2, 5, 5, 2, X_IMAGE, Y_IMAGE)                                                                    \
    BODY_TILE(SET##_4x2, 4, 4, 2, X_IMAGE, Y_IMAGE)                                                                    \
    BODY_TILE(SET##_2_4x2, 6, 2, 2, X_IMAGE, Y_IMAGE)                                                                  \
    BODY_TILE(SET##_4_2x2, 6, 4, 2, X_IMAGE, Y_IMAGE)                                                                  \
    BODY_TILE(SET##_2_3x2, 5, 2, 2, X_IMAGE, Y_IMAGE)                                                                  \
    static BODY(tile_function) *const BODY(SET)[BODY(TILES)] = {                                                       \
        [OCTETS_6] = BODY(SET##_6x2),     [OCTETS_5] = BODY(SET##_5x2),     [OCTETS_2_4] = BODY(SET##_2_4x2),          \
        [OCTETS_4_2] = BODY(SET##_4_2x2), [OCTETS_2_3] = BODY(SET##_2_3x2), [BODY(T4x2)] = BODY(SET##_4x2)};
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

/* All tiles of position u of a block; returns through `images` and `outputs` how far they reached. */
static void BODY(position)(BODY(tile_function) *const *tiles, const struct conv_run *run,
                           const struct conv_block *block, ptrdiff_t u, float *stats, struct conv_prefetch *prefetch,
                           int *images, int *outputs)
{
#if VEC_LANES == 16
    *outputs = 32;
    if (run->outputs > VEC_LANES) {
        tiles[BODY(T8x2)](run, block, u, 0, 0, stats, prefetch);
        if (run->images > 8) tiles[BODY(T8x2)](run, block, u, 8, 0, stats, prefetch);
        *images = run->images > 8 ? 16 : 8;
    } else {
        tiles[run->group_images == OCTET_IMAGES ? BODY(T8x1) : BODY(T16x1)](run, block, u, 0, 0, stats, prefetch);
        *images = run->group_images;
    }
#else
    const bool small = run->group_images == OCTET_IMAGES;
    ptrdiff_t output = 0;
    for (; output < run->outputs; output += (ptrdiff_t)2 * VEC_LANES) {
        tiles[small ? BODY(T4x2) : BODY(T6x2)](run, block, u, 0, output, stats, prefetch);
        if (small && run->images > 4) tiles[BODY(T4x2)](run, block, u, 4, output, stats, prefetch);
        if (!small && run->images > 6) tiles[BODY(T5x2)](run, block, u, 6, output, stats, prefetch);
        if (!small && run->images > 11) tiles[BODY(T5x2)](run, block, u, 11, output, stats, prefetch);
    }
    *images = small ? (run->images > 4 ? 8 : 4) : run->images > 11 ? 16 : run->images > 6 ? 11 : 6;
    *outputs = (int)output;
#endif
}

#if VEC_LANES != 16
/* Two or three positions of eight images each. Returns how many outputs were computed. */
static int BODY(positions)(BODY(tile_function) *const *tiles, const struct conv_run *run,
                           const struct conv_block *block, float *stats, struct conv_prefetch *prefetch)
{
    int count;
    const struct octet_part *parts = octet_parts(block->tiles, &count);
    ptrdiff_t output = 0;
    for (; output < run->outputs; output += (ptrdiff_t)2 * VEC_LANES)
        for (ptrdiff_t i = 0; i < count; i++)
            tiles[parts[i].tile](run, block, parts[i].octet, parts[i].image, output, stats, prefetch);
    return (int)output;
}
#endif

/* All positions of a block; what is padding is cleared. */
static void BODY(block)(BODY(tile_function) *const *tiles, const struct conv_run *run, const struct conv_block *block,
                        float *stats, struct conv_prefetch *prefetch)
{
    int images = run->group_images, outputs = BLOCK_CHANNELS;
    bool together = false;
#if VEC_LANES != 16
    together = block->tiles > 1 && run->images == OCTET_IMAGES;
    if (together) outputs = BODY(positions)(tiles, run, block, stats, prefetch);
#endif
    for (ptrdiff_t u = 0; u < block->tiles; u++) {
        if (!together) BODY(position)(tiles, run, block, u, stats, prefetch, &images, &outputs);
        if (images < run->group_images || outputs < BLOCK_CHANNELS)
            BODY(clear)(run->y + block->y[u][0], run, images, outputs);
    }
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
    int positions = 0;
    for (ptrdiff_t b = 0; b < run->count; b++) {
        BODY(block)(tiles, run, &run->blocks[b], stats, &prefetch);
        positions += run->blocks[b].tiles;
        if (stats && positions >= BODY(FLUSH_POSITIONS)) {
            BODY(flush_stats)(stats, run);
            positions = 0;
        }
    }
    if (stats) BODY(flush_stats)(stats, run);
}

static void BODY(pack_weights)(void *out, const float *tile, int rows)
{
#if BODY_KIND == BODY_F32
    for (ptrdiff_t i = 0; i < (ptrdiff_t)rows * 32; i += VEC_LANES) vec_stream((float *)out + i, vec_load(tile + i));
#elif BODY_KIND == BODY_BF16_STORED
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
    for (ptrdiff_t i = 0; i < 32; i += VEC_LANES)
        for (ptrdiff_t j = 0; j < 32; j += VEC_LANES) {
            vec rows[VEC_LANES];
            UNROLL for (ptrdiff_t k = 0; k < VEC_LANES; k++) rows[k] = vec_load(in + (i + k) * 32 + j);
            vec_transpose(rows);
            UNROLL for (ptrdiff_t k = 0; k < VEC_LANES; k++) vec_store(out + (j + k) * 32 + i, rows[k]);
        }
}

#include "backend/cpu/conv/body/conv_rows_body.h"

#include "backend/cpu/conv/body/conv_weights_body.h"

static void BODY(stream_end)(void)
{
    vec_stream_end();
}

#if BODY_KIND == BODY_BF16_STORED
static void BODY(pack_images)(void *out, const void *in, size_t images, int channels)
{
    for (size_t i = 0; i < images * (size_t)channels; i += VEC_LANES)
        vec_store((float *)out + i, vec_load_bf16((const uint16_t *)in + i));
}
#elif BODY_KIND == BODY_BF16_PAIRS
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

#include "backend/cpu/conv/body/conv_interleave_body.h"

NEVER_INLINE double BODY(multiply_registers)(long rounds)
{
    enum { ACCUMULATORS = VEC_REGISTERS == 32 ? 20 : 12 };
    float keep[VEC_LANES], start = (float)rounds;
    vec acc[ACCUMULATORS], factor = vec_set(start);
    UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++)
    { /* all different, or the compiler keeps only one */
        start += 1.0f;
        acc[i] = vec_set(start);
    }
    for (long n = 0; n < rounds; n++) {
        __asm__ volatile("" : "+r"(rounds) : : "memory"); /* so that the rounds stay */
#if BODY_KIND == BODY_BF16_PAIRS
        UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++) acc[i] =
            _mm512_dpbf16_ps(acc[i], (__m512bh)_mm512_castps_si512(factor), (__m512bh)_mm512_castps_si512(factor));
#else
        UNROLL for (ptrdiff_t i = 0; i < ACCUMULATORS; i++) acc[i] = vec_fma(factor, factor, acc[i]);
#endif
    }
    UNROLL for (ptrdiff_t i = 1; i < ACCUMULATORS; i++) acc[0] = acc[0] + acc[i];
    vec_store(keep, acc[0]);
    return (double)rounds * ACCUMULATORS * VEC_LANES * 2 * (BODY_KIND == BODY_BF16_PAIRS ? 2 : 1) +
           (keep[0] < 0.0f ? 1.0 : 0.0);
}

static const struct conv_kernels BODY_TABLE = {
    .name = BODY_TITLE,
    .dtype = BODY_KIND == BODY_F32 ? DTYPE_F32 : DTYPE_BF16,
    .max_tiles = 1,
#if VEC_LANES != 16
    .octet_positions = CONV_MAX_POSITIONS,
#endif
    .pair = BODY(PAIR),
    .tile_bytes = BODY(TILE_BYTES),
    .step_bytes = BODY(STEP_BYTES),
    .forward = BODY(forward),
    .pack_weights = BODY(pack_weights),
#if BODY_KIND == BODY_BF16_PAIRS
    .pack_block = conv_pack_pairs,
#endif
    .load_weights = BODY(load_weights),
    .weights = BODY(weights),
    .weights_tiles = VEC_LANES == 16 ? 3 : 6 * 16 / VEC_LANES,
    .store_weights = BODY(store_weights),
    .stream_end = BODY(stream_end),
    .accumulators = CONV_ROWS,
    .transpose = BODY(transpose),
#if BODY_KIND != BODY_F32
    .pack = BODY(pack_images),
#endif
    .cell_bytes = BODY(CELL_BYTES),
    .forward_images = BODY_KIND == BODY_F32 ? CONV_IMAGE_F32 : CONV_IMAGE_BF16,
    .weights_images = BODY_KIND == BODY_F32           ? CONV_IMAGE_F32
                      : BODY_KIND == BODY_BF16_STORED ? CONV_IMAGE_ROUNDED_F32
                                                      : CONV_IMAGE_BF16_PAIRS,
    .interleave = BODY(interleave),
    .multiply_registers = BODY(multiply_registers),
};
