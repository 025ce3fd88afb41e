/* backend/cpu/conv/body/conv_weights_body.h -- backward weights on vectors. Part of conv_body.h. */
/* Operands: 32 words (float32, or a bf16 image pair) per contraction step; kind 1 works on float32 copies. */
enum { BODY(CELL_BYTES) = (BODY_KIND == BODY_BF16_PAIRS ? 8 : 16) * 128 }; /* of sixteen images */

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
            vec_load(out + i * 32 + j * VEC_LANES);
    }
    const int columns = run->end_column[tap] - run->first_column[tap];
    const char *x_group = run->x + run->x_tap[tap] + run->first_column[tap] * run->x_column + channel * 4;
    const char *y_group = run->y + run->first_column[tap] * run->y_column + output * 4;
    const ptrdiff_t all_steps = BODY_KIND == BODY_BF16_PAIRS ? run->group_images / 2 : run->group_images;
    const ptrdiff_t last_steps = BODY_KIND == BODY_BF16_PAIRS ? (run->last_images + 1) / 2 : run->last_images;
    for (ptrdiff_t g = 0; g < run->groups; g++, x_group += run->x_group, y_group += run->y_group) {
        const ptrdiff_t steps = g == run->groups - 1 ? last_steps : all_steps;
        const char *x_row = x_group, *y_row = y_group;
        for (ptrdiff_t h = 0; h < run->rows; h++, x_row += run->x_row, y_row += run->y_row) {
            const char *x = x_row, *y = y_row;
            for (ptrdiff_t w = 0; w < columns; w++, x += run->x_column, y += run->y_column) {
                BODY(fetch)(run->prefetch);
                UNROLL_BY(2)
                for (ptrdiff_t n = 0; n < steps; n++) {
#if BODY_KIND == BODY_BF16_PAIRS
                    __m512bh d_y[2];
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) d_y[j] =
                        (__m512bh)_mm512_loadu_si512(y + n * y_step + j * 64);
                    UNROLL for (ptrdiff_t i = 0; i < rows; i++)
                    {
                        const __m512bh value = (__m512bh)vec_broadcast_words(x + n * x_step + i * 4);
                        UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] =
                            _mm512_dpbf16_ps(acc[i][j], d_y[j], value);
                    }
#else
                    vec d_y[2];
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) d_y[j] =
                        vec_load(y + n * y_step + j * VEC_LANES * 4);
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
        vec_store(out + i * 32 + j * VEC_LANES, acc[i][j]);
}

#define BODY_WEIGHTS(NAME, ROWS, VECTORS)                                                                              \
    NEVER_INLINE void BODY(NAME)(const struct conv_weights_run *run, ptrdiff_t tap, ptrdiff_t channel,                 \
                                 ptrdiff_t output)                                                                     \
    {                                                                                                                  \
        BODY(weights_tile)(ROWS, VECTORS, run, tap, channel, output);                                                  \
    }
#if VEC_LANES == 16
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
        } else if (run->outputs > VEC_LANES && channels > 16) {
            BODY(weights_11x2)(run, tap, 0, 0);
            BODY(weights_11x2)(run, tap, 11, 0);
            BODY(weights_10x2)(run, tap, 22, 0);
        } else if (run->outputs > VEC_LANES) {
            for (; c < channels; c += 8) BODY(weights_8x2)(run, tap, c, 0);
        } else {
            for (; c + 8 < channels; c += 16) BODY(weights_16x1)(run, tap, c, 0);
            for (; c < channels; c += 8) BODY(weights_8x1)(run, tap, c, 0);
        }
    }
}
#else
BODY_WEIGHTS(weights_6x2, 6, 2)
BODY_WEIGHTS(weights_5x2, 5, 2)
BODY_WEIGHTS(weights_4x2, 4, 2)
BODY_WEIGHTS(weights_3x2, 3, 2)
BODY_WEIGHTS(weights_1x2, 1, 2)

/* A kernel row of images has kernel x channels rows, 9 or 21 for RGB and the usual stems: in shares as even as can be.
 */
static void BODY(weights_images)(const struct conv_weights_run *run, ptrdiff_t k)
{
    const ptrdiff_t rows = run->channels;
    for (ptrdiff_t c = 0, tiles = (rows + 5) / 6, height; c < rows; c += height, tiles--) {
        height = (rows - c + tiles - 1) / tiles;
        if (height == 6)
            BODY(weights_6x2)(run, 0, c, k);
        else if (height == 5)
            BODY(weights_5x2)(run, 0, c, k);
        else if (height == 4)
            BODY(weights_4x2)(run, 0, c, k);
        else if (height == 3)
            BODY(weights_3x2)(run, 0, c, k);
        else
            for (ptrdiff_t i = 0; i < height; i++) BODY(weights_1x2)(run, 0, c + i, k);
    }
}

static void BODY(weights)(const struct conv_weights_run *run)
{
    const int rows = (run->channels + 3) / 4 * 4;
    for (ptrdiff_t tap = 0; tap < run->taps; tap++)
        for (ptrdiff_t k = 0; k < run->outputs; k += (ptrdiff_t)2 * VEC_LANES) {
            ptrdiff_t c = 0;
            if (run->images) {
                BODY(weights_images)(run, k);
                continue;
            }
            for (; (rows - c) % 6 != 0; c += 4) BODY(weights_4x2)(run, tap, c, k); /* until sixes fill the rest */
            for (; c < rows; c += 6) BODY(weights_6x2)(run, tap, c, k);
        }
}
#endif
#undef BODY_WEIGHTS
