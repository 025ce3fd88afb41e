/* backend/cpu/winograd_transforms_body.h -- the transforms of winograd_body.h: of vectors in one dimension, of tiles and
 * of weights. All are arithmetic on vectors of channels in float32. */

/* ---- transforms in one dimension: `step` vectors lie between two elements of an operand ------------------------ */

/* B^T d */
ALWAYS_INLINE void transform_input(vec v[6], const vec d[6])
{
    const vec p = plus(d[4], -2.0f, d[2]), q = plus(d[3], -2.0f, d[1]);
    const vec r = plus(d[4], -0.5f, d[2]), t = plus(d[3], -0.5f, d[1]);
    v[0] = vec_add(d[0], plus(d[4], -2.5f, d[2]));
    v[1] = plus(p, POINT_A, q);
    v[2] = plus(p, -POINT_A, q);
    v[3] = plus(r, POINT_B, t);
    v[4] = plus(r, -POINT_B, t);
    v[5] = vec_add(d[1], plus(d[5], -2.5f, d[3]));
}

/* A^T m */
ALWAYS_INLINE void transform_output(vec y[4], const vec m[6])
{
    const vec s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + (s1 + s2);
    y[1] = plus(times(POINT_B, d2), POINT_A, d1);
    y[2] = plus(times(2.0f, s2), 0.5f, s1);
    y[3] = plus(plus(m[5], 2 * POINT_B, d2), 0.5f * POINT_A, d1);
}

/* A d_y */
ALWAYS_INLINE void transform_gradient(vec w[6], const vec y[4])
{
    const vec e = plus(y[0], 0.5f, y[2]), o = times(POINT_A, plus(y[1], 0.5f, y[3]));
    const vec f = plus(y[0], 2.0f, y[2]), g = times(POINT_B, plus(y[1], 2.0f, y[3]));
    w[0] = y[0];
    w[1] = e + o;
    w[2] = e - o;
    w[3] = f + g;
    w[4] = f - g;
    w[5] = y[3];
}

/* G g */
ALWAYS_INLINE void transform_weights(vec u[6], const vec g[3])
{
    const vec e = times(-2.0f / 3, plus(g[0], 0.5f, g[2])), o = times(-2.0f / 3 * POINT_A, g[1]);
    const vec f = times(1.0f / 6, plus(g[0], 2.0f, g[2])), p = times(1.0f / 6 * POINT_B, g[1]);
    u[0] = g[0];
    u[1] = e + o;
    u[2] = e - o;
    u[3] = f + p;
    u[4] = f - p;
    u[5] = g[2];
}

/* G^T dU */
ALWAYS_INLINE void transform_gradient_weights(vec g[3], const vec u[6])
{
    const vec s1 = times(-2.0f / 3, u[1] + u[2]), d1 = times(-2.0f / 3 * POINT_A, u[1] - u[2]);
    const vec s2 = times(1.0f / 6, u[3] + u[4]), d2 = times(1.0f / 6 * POINT_B, u[3] - u[4]);
    g[0] = u[0] + (s1 + s2);
    g[1] = d1 + d2;
    g[2] = plus(plus(u[5], 2.0f, s2), 0.5f, s1);
}

/* ---- transforms of tiles ---------------------------------------------------------------------------------------- */

ALWAYS_INLINE vec load(const char *cell, ptrdiff_t element, const bool bf16)
{
    return bf16 ? vec_load_bf16(cell + element * 2) : vec_load(cell + element * 4);
}

ALWAYS_INLINE void store(char *cell, ptrdiff_t element, vec v, const bool bf16)
{
    if (bf16)
        vec_store_bf16(cell + element * 2, v);
    else
        vec_store(cell + element * 4, v);
}

ALWAYS_INLINE void fetch_next(const struct winograd_input *args, ptrdiff_t element, const int count, const bool bf16)
{
    UNROLL for (ptrdiff_t i = 0; i < count; i++)
        __builtin_prefetch(args->next[i] + element * (bf16 ? 2 : 4), 0, 2);
}

ALWAYS_INLINE void input_tile(const struct winograd_input *args, const bool bf16)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec half[6][6], d[6], v[6];
            if (args->next) fetch_next(args, at, 36, bf16);
            UNROLL for (ptrdiff_t j = 0; j < 6; j++)
            {
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) d[i] = load(args->cells[i * 6 + j], at, bf16);
                transform_input(v, d);
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = v[i];
            }
            float *out = (float *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < 6; i++)
            {
                transform_input(v, half[i]);
                UNROLL for (ptrdiff_t j = 0; j < 6; j++) vec_store(out + (i * 6 + j) * args->point, v[j]);
            }
        }
}

static void input(const struct winograd_input *args)
{
    if (args->bf16)
        input_tile(args, true);
    else
        input_tile(args, false);
}

ALWAYS_INLINE void gradient_tile(const struct winograd_input *args, const bool bf16)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec half[6][4], y[4], w[6];
            if (args->next) fetch_next(args, at, 16, bf16);
            UNROLL for (ptrdiff_t j = 0; j < 4; j++)
            {
                UNROLL for (ptrdiff_t i = 0; i < 4; i++) y[i] = load(args->cells[i * 4 + j], at, bf16);
                transform_gradient(w, y);
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = w[i];
            }
            float *out = (float *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < 6; i++)
            {
                transform_gradient(w, half[i]);
                UNROLL for (ptrdiff_t j = 0; j < 6; j++) vec_store(out + (i * 6 + j) * args->point, w[j]);
            }
        }
}

static void gradient(const struct winograd_input *args)
{
    if (args->bf16)
        gradient_tile(args, true);
    else
        gradient_tile(args, false);
}

/* One vector of outputs of all images, and zeros in the `empty` vectors after it. whole: all 4 x 4 positions are inside
 * the image. */
ALWAYS_INLINE void output_vector(const struct winograd_output *args, ptrdiff_t k, int images, ptrdiff_t empty,
                                 const bool whole, const bool bf16)
{
    const vec bias = args->bias ? vec_load(args->bias + k) : vec_zero();
    vec sum = vec_zero(), square = vec_zero();
    for (ptrdiff_t n = 0; n < images; n++) {
        const ptrdiff_t at = n * args->block + k;
        vec half[4][6], m[6], y[4];
        UNROLL for (ptrdiff_t j = 0; j < 6; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < 6; i++) m[i] = vec_load(args->m + (i * 6 + j) * args->point + at);
            transform_output(y, m);
            UNROLL for (ptrdiff_t i = 0; i < 4; i++) half[i][j] = y[i];
        }
        const bool counts = args->statistics && n < args->images;
        UNROLL for (ptrdiff_t i = 0; i < 4; i++)
        {
            if (!whole && i >= args->rows) break;
            transform_output(y, half[i]);
            char *row = args->y + i * args->row;
            const char *addend = args->addend ? args->addend + i * args->row : NULL;
            UNROLL for (ptrdiff_t j = 0; j < 4; j++)
            {
                if (!whole && j >= args->columns) break;
                vec value = vec_add(y[j], bias);
                if (addend) value = vec_add(value, load(addend + j * args->cell, at, bf16));
                if (args->relu) value = vec_positive(value);
                store(row + j * args->cell, at, value, bf16);
                if (empty > 0) store(row + j * args->cell, at + LANES, vec_zero(), bf16);
                for (ptrdiff_t e = 2; LANES < 16 && e <= empty; e++)
                    store(row + j * args->cell, at + e * LANES, vec_zero(), bf16);
                if (counts) {
                    sum = vec_add(sum, value);
                    square = vec_fma(value, value, square);
                }
            }
        }
    }
    if (!args->statistics) return;
    vec_store(args->statistics + k, vec_add(vec_load(args->statistics + k), sum));
    vec_store(args->statistics + 32 + k, vec_add(vec_load(args->statistics + 32 + k), square));
}

/* What the products leave out: images past `images` are zero. */
static void clear_images(const struct winograd_output *args, ptrdiff_t images)
{
    const ptrdiff_t row = (ptrdiff_t)args->block * (args->bf16 ? 2 : 4);
    for (ptrdiff_t i = 0; i < args->rows; i++)
        for (ptrdiff_t j = 0; j < args->columns; j++)
            memset(args->y + i * args->row + j * args->cell + images * row, 0, (size_t)((args->places - images) * row));
}

/* Images and outputs that the products compute for `images` and `outputs` real ones. */
#if defined(__AVX512F__)
static int computed_images(int images, int places)
{
    (void)places;
    return images > 8 ? 16 : 8;
}
ALWAYS_INLINE int computed_outputs(int outputs)
{
    return outputs > 16 ? 32 : 16;
}
#else
static int computed_images(int images, int places)
{
    if (places == 8) return images > 4 ? 8 : 4;
    return images > 11 ? 16 : images > 6 ? 11 : 6;
}
ALWAYS_INLINE int computed_outputs(int outputs)
{
    return (outputs + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
}
#endif

ALWAYS_INLINE void output_tile(const struct winograd_output *args, const bool bf16)
{
    const int images = computed_images(args->images, args->places), outputs = computed_outputs(args->outputs);
    const bool whole = args->rows == 4 && args->columns == 4;
    for (ptrdiff_t k = 0; k < outputs; k += LANES) {
        const ptrdiff_t empty = k + LANES < outputs ? 0 : (args->block - outputs) / LANES;
        if (whole)
            output_vector(args, k, images, empty, true, bf16);
        else
            output_vector(args, k, images, empty, false, bf16);
    }
    if (images < args->places) clear_images(args, images);
}

static void output(const struct winograd_output *args)
{
    if (args->bf16)
        output_tile(args, true);
    else
        output_tile(args, false);
}

/* u[i * 6 + j] = G g G^T of one vector of outputs */
ALWAYS_INLINE void weights_vector(vec u[36], const vec g[9])
{
    vec half[6][3], v[6];
    UNROLL for (ptrdiff_t j = 0; j < 3; j++)
    {
        const vec column[3] = {g[j], g[3 + j], g[6 + j]};
        transform_weights(v, column);
        UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = v[i];
    }
    UNROLL for (ptrdiff_t i = 0; i < 6; i++) transform_weights(u + i * 6, half[i]);
}

#if !defined(WINOGRAD_PAIRS)
static void weights(void *u, ptrdiff_t point, const void *taps, int channels)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += LANES) {
        vec g[9], v[36];
        UNROLL for (ptrdiff_t i = 0; i < 9; i++) g[i] = vec_load((const float *)taps + i * 1024 + at);
        weights_vector(v, g);
        UNROLL for (ptrdiff_t i = 0; i < 36; i++) vec_store((float *)u + i * point + at, v[i]);
    }
}
#endif

static void gradient_weights(float *taps, const float *du, ptrdiff_t point, int channels, bool add)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += LANES) {
        vec half[3][6], u[6], g[3];
        UNROLL for (ptrdiff_t j = 0; j < 6; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < 6; i++) u[i] = vec_load(du + (i * 6 + j) * point + at);
            transform_gradient_weights(g, u);
            UNROLL for (ptrdiff_t i = 0; i < 3; i++) half[i][j] = g[i];
        }
        UNROLL for (ptrdiff_t i = 0; i < 3; i++)
        {
            transform_gradient_weights(g, half[i]);
            UNROLL for (ptrdiff_t j = 0; j < 3; j++)
            {
                float *out = taps + (i * 3 + j) * 1024 + at;
                vec_store(out, add ? vec_add(vec_load(out), g[j]) : g[j]);
            }
        }
    }
}
