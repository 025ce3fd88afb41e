/* backend/cpu/winograd/winograd_pairs_body.h -- Winograd's products of pairs of bf16 (dpbf16ps), part of
 * winograd_body.h where the instruction set has them. V, U and W are rounded to bf16; sums are float32, and so is every
 * transform.
 *
 * Register blocks are those of float32: 8 images (or channels) x 2 vectors; a step contracts two channels (images). */

/* ---- transforms ------------------------------------------------------------------------------------------------- */

/* Rounded to bf16: each word of `low` in a lower half, of `high` in the upper one. */
ALWAYS_INLINE __m512i pair_words(vec low, vec high)
{
    const __m512i in_turn = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                             21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(in_turn, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* u of two channels from the nine taps' words at `at`. */
ALWAYS_INLINE void weights_of_pair(vec low[36], vec high[36], const char *taps, ptrdiff_t at, line_function *line)
{
    vec even[9], odd[9];
    UNROLL for (ptrdiff_t i = 0; i < 9; i++)
    {
        const __m512i words = _mm512_loadu_si512(taps + i * 2048 + at * 4);
        even[i] = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
        odd[i] = _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32((int32_t)0xffff0000u)));
    }
    weights_vector(low, even, line);
    weights_vector(high, odd, line);
}

/* U in float32. Packed weights are words [pair of channels][32 outputs]; an odd last channel has zeros beside it. */
ALWAYS_INLINE void weights_tile(void *u, ptrdiff_t point, const void *taps, int channels, line_function *line)
{
    for (ptrdiff_t pair = 0; pair < (channels + 1) / 2; pair++)
        for (ptrdiff_t k = 0; k < 32; k += VEC_LANES) {
            vec low[36], high[36];
            weights_of_pair(low, high, taps, pair * 32 + k, line);
            UNROLL for (ptrdiff_t i = 0; i < 36; i++)
            {
                vec_store((float *)u + i * point + pair * 64 + k, low[i]);
                vec_store((float *)u + i * point + pair * 64 + 32 + k, high[i]);
            }
        }
}

/* U in pairs. */
ALWAYS_INLINE void weights_tile_pairs(void *u, ptrdiff_t point, const void *taps, int channels, line_function *line)
{
    for (ptrdiff_t at = 0; at < ((ptrdiff_t)channels + 1) / 2 * 32; at += VEC_LANES) {
        vec low[36], high[36];
        weights_of_pair(low, high, taps, at, line);
        UNROLL for (ptrdiff_t i = 0; i < 36; i++)
            _mm512_storeu_si512((uint16_t *)u + i * point + at * 2, pair_words(low[i], high[i]));
    }
}

#define WEIGHTS(NAME, TILE, LINE)                                                                                      \
    static void NAME(void *u, ptrdiff_t point, const void *taps, int channels)                                         \
    {                                                                                                                  \
        TILE(u, point, taps, channels, LINE);                                                                          \
    }
WEIGHTS(weights, weights_tile, transform_weights)
WEIGHTS(strided_weights, weights_tile, transform_strided_weights)
WEIGHTS(weights_pairs, weights_tile_pairs, transform_weights)
WEIGHTS(strided_weights_pairs, weights_tile_pairs, transform_strided_weights)
#undef WEIGHTS

/* V (or W) of the vector at element `at` of each cell, in the order of points. */
ALWAYS_INLINE void points_vector(vec *v, const struct winograd_input *args, ptrdiff_t at, const int cells,
                                 const int edge, line_function *line)
{
    vec half[9][9];
    transform_columns(half, args, at, cells, edge, line, true);
    UNROLL for (ptrdiff_t i = 0; i < edge; i++)
    {
        vec row[9];
        line(row, half[i]);
        UNROLL for (ptrdiff_t j = 0; j < edge; j++) v[point_of(edge, i, j)] = row[j];
    }
}

ALWAYS_INLINE void channel_pairs(const struct winograd_input *args, const int cells, const int edge,
                                 line_function *line)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += VEC_LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec v[WINOGRAD_MOST_POINTS];
            points_vector(v, args, at, cells, edge, line);
            uint16_t *out = (uint16_t *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < (ptrdiff_t)edge * edge; i++) vec_store_bf16(out + i * args->point, v[i]);
        }
}

/* Images in pairs; an odd last one has zeros beside it. */
ALWAYS_INLINE void image_pairs(const struct winograd_input *args, const int cells, const int edge, line_function *line)
{
    for (ptrdiff_t n = 0; n < args->images; n += 2)
        for (ptrdiff_t c = 0; c < args->channels; c += VEC_LANES) {
            if (args->next)
                UNROLL for (ptrdiff_t i = 0; i < (ptrdiff_t)cells * cells; i++)
                    __builtin_prefetch(args->next[i] + n * args->block * 2 + c * 4, 0, 2);
            vec low[WINOGRAD_MOST_POINTS], high[WINOGRAD_MOST_POINTS];
            points_vector(low, args, n * args->block + c, cells, edge, line);
            if (n + 1 < args->images)
                points_vector(high, args, (n + 1) * args->block + c, cells, edge, line);
            else
                UNROLL for (ptrdiff_t i = 0; i < (ptrdiff_t)edge * edge; i++) high[i] = vec_zero();
            uint16_t *out = (uint16_t *)args->out + n * args->block + c * 2;
            UNROLL for (ptrdiff_t i = 0; i < (ptrdiff_t)edge * edge; i++)
                _mm512_storeu_si512(out + i * args->point, pair_words(low[i], high[i]));
        }
}

#define PAIRS_OF(NAME, WHAT, CELLS, EDGE, LINE)                                                                        \
    static void NAME(const struct winograd_input *args)                                                                \
    {                                                                                                                  \
        WHAT(args, CELLS, EDGE, LINE);                                                                                 \
    }
PAIRS_OF(input_pairs, channel_pairs, 6, 6, transform_input)
PAIRS_OF(strided_data_pairs, channel_pairs, 5, 9, transform_strided_data)
PAIRS_OF(input_images, image_pairs, 6, 6, transform_input)
PAIRS_OF(gradient_images, image_pairs, 4, 6, transform_gradient)
PAIRS_OF(strided_input_images, image_pairs, 9, 9, transform_strided_input)
PAIRS_OF(strided_gradient_images, image_pairs, 4, 9, transform_strided_gradient)
#undef PAIRS_OF

/* ---- products --------------------------------------------------------------------------------------------------- */

ALWAYS_INLINE vec add_pairs(vec sum, __m512i a, __m512i b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/* As product_tile, a step contracting a pair of channels. */
ALWAYS_INLINE void pairs_tile(const int rows, const int vectors, const int block, const uint16_t *v, ptrdiff_t v_block,
                              const char *u, float *m, int channels, const struct ahead *ahead)
{
    const char *next_u = ahead->u, *next_v = ahead->v, *next_x = ahead->x;
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    for (; channels > 0; channels -= BLOCK_CHANNELS, v += v_block, u += 2048, next_u += 1024, next_v += v_block * 2,
                         next_x += ahead->x_block) {
        const ptrdiff_t steps = channels < BLOCK_CHANNELS ? (channels + 1) / 2 : BLOCK_CHANNELS / 2;
        UNROLL_BY(2)
        for (ptrdiff_t s = 0; s < steps; s++) {
            __builtin_prefetch(next_u + s * 64, 0, 3);
            __builtin_prefetch(next_x + s * 64, 0, 2);
            if (s % 2 == 0) __builtin_prefetch(next_v + s * 32, 0, 3);
            __m512i w[2];
            UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = _mm512_loadu_si512(u + s * 128 + j * 64);
            UNROLL for (ptrdiff_t i = 0; i < rows; i++)
            {
                const __m512i value = vec_broadcast_words(v + i * block + 2 * s);
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = add_pairs(acc[i][j], w[j], value);
            }
        }
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        vec_store(m + i * block + j * VEC_LANES, acc[i][j]);
}

#define PAIRS(NAME, ROWS, VECTORS, BLOCK)                                                                              \
    NEVER_INLINE void NAME(const struct winograd_products *args, const void *v, const void *u, float *m,               \
                           const struct ahead *ahead)                                                                  \
    {                                                                                                                  \
        pairs_tile(ROWS, VECTORS, BLOCK, v, (ptrdiff_t)args->places *(BLOCK), u, m, args->channels, ahead);            \
    }
PAIRS(pairs_8x2, 8, 2, 32)
PAIRS(pairs_8x1, 8, 1, 32)
PAIRS(pairs_16x1, 16, 1, 32)
PAIRS(pairs_narrow_8x1, 8, 1, 16)
PAIRS(pairs_narrow_16x1, 16, 1, 16)
#undef PAIRS

ALWAYS_INLINE void pairs_cell(const struct winograd_products *args, int images, int outputs, const char *v,
                              const char *u, float *m, struct fetch *fetch)
{
    if (args->block == NARROW_CHANNELS) {
        run_product(images > 8 ? pairs_narrow_16x1 : pairs_narrow_8x1, 0, 0, 2, args, v, u, m, fetch);
    } else if (outputs > VEC_LANES) {
        run_product(pairs_8x2, 0, 0, 2, args, v, u, m, fetch);
        if (images > 8) run_product(pairs_8x2, 8, 0, 2, args, v, u, m, fetch);
    } else {
        run_product(images > 8 ? pairs_16x1 : pairs_8x1, 0, 0, 2, args, v, u, m, fetch);
    }
}

static void products_pairs(const struct winograd_products *args)
{
    all_products(args, 2, pairs_cell);
}

/* du[channel][output] = sum over tiles and pairs of images. */
ALWAYS_INLINE void gradient_pairs_tile(const int rows, const int vectors, const int block,
                                       const struct winograd_gradient *args, ptrdiff_t points, const uint16_t *v,
                                       const uint16_t *w, float *du)
{
    const ptrdiff_t next = (ptrdiff_t)args->places * block; /* the next channel block of V */
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    for (; points > 0; points--, v += args->v_point, w += args->w_point)
        for (ptrdiff_t t = 0; t < args->tiles; t++) {
            const ptrdiff_t pairs = (args->images[t] + 1) / 2;
            const uint16_t *x = v + t * args->v_tile, *d_y = w + t * args->w_tile;
            for (ptrdiff_t n = 0; n < pairs; n++) {
                __builtin_prefetch(x + next + n * 2 * block, 0, 3);
                __m512i y[2];
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) y[j] = _mm512_loadu_si512(d_y + n * 2 * block + j * 32);
                UNROLL for (ptrdiff_t i = 0; i < rows; i++)
                {
                    const __m512i value = vec_broadcast_words(x + n * 2 * block + i * 2);
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = add_pairs(acc[i][j], y[j], value);
                }
            }
        }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        vec_store(du + i * 32 + j * VEC_LANES, acc[i][j]);
}

#define PAIRS(NAME, ROWS, VECTORS, BLOCK)                                                                              \
    NEVER_INLINE void NAME(const struct winograd_gradient *args, ptrdiff_t points, const void *v, const void *w,       \
                           float *du)                                                                                  \
    {                                                                                                                  \
        gradient_pairs_tile(ROWS, VECTORS, BLOCK, args, points, v, w, du);                                             \
    }
PAIRS(gradient_pairs_8x2, 8, 2, 32)
PAIRS(gradient_pairs_16x1, 16, 1, 32)
PAIRS(gradient_pairs_8x1, 8, 1, 32)
PAIRS(gradient_pairs_narrow_16x1, 16, 1, 16)
PAIRS(gradient_pairs_narrow_8x1, 8, 1, 16)
#undef PAIRS

ALWAYS_INLINE void gradient_pairs_block(const struct winograd_gradient *args, int channels, ptrdiff_t points,
                                        const char *v, const char *w, float *du)
{
    ptrdiff_t c = 0;
    if (args->block == NARROW_CHANNELS) {
        for (; c + 8 < channels; c += 16) gradient_pairs_narrow_16x1(args, points, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_pairs_narrow_8x1(args, points, v + c * 4, w, du + c * 32);
    } else if (args->outputs > VEC_LANES) {
        for (; c < channels; c += 8) gradient_pairs_8x2(args, points, v + c * 4, w, du + c * 32);
    } else {
        for (; c + 8 < channels; c += 16) gradient_pairs_16x1(args, points, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_pairs_8x1(args, points, v + c * 4, w, du + c * 32);
    }
}

static void gradient_products_pairs(const struct winograd_gradient *args)
{
    all_gradient_products(args, 2, gradient_pairs_block);
}
